"""A run's views as one HTML page with a slider: no server, no network, any browser.

The page holds the same marks as the figures, as numbers, and draws them itself. Numbers are rounded
to what a screen can show: places to a thousandth of their axis, curves to four digits.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .. import storage
from ..errors import UsageError
from ..labelled_runs import labels, member_of
from ..runs import open_run
from .marks import Axis, Mark, Scene, View
from .views import scene

PAGE, TEMPLATE = "explore.html", "page.html"
LOOKS, MEMBERS = 61, 24
"""Times, and members of each dataset, that a page holds at most."""


def write_page(folder: str | Path, output: str | Path | None = None) -> Path:
    """Writes the page of a stored run; ``rhoflow explore FOLDER`` is this.

    Args:
        folder: That of a run.
        output: The page's file; ``explore.html`` in the folder unless given.

    Returns:
        The page's file.

    Raises:
        UsageError: If the folder holds no run or nothing that can be shown, or the page cannot be
            written.
    """
    record = open_run(folder)
    page = record.folder / PAGE if output is None else Path(output)
    content = page_of(record.datasets, f"{record.name}: {record.folder.name}")
    try:
        page.write_text(content, encoding="utf-8")
    except OSError as error:
        raise storage.cannot_write(page.parent, error) from error
    return page


def page_of(datasets: Mapping[str, xr.Dataset], title: str) -> str:
    """The page as text.

    Args:
        datasets: Labelled, by name; those with nothing to see are left out.
        title: Its heading.

    Raises:
        UsageError: If there is nothing to see in any.
    """
    import jinja2

    runs, reasons = [], ["expected a run with data, got one with none: let it compute first"]
    for name, data in datasets.items():
        try:
            runs += _runs(name, data)
        except UsageError as error:
            reasons.append(str(error))
    if not runs:
        raise UsageError(reasons[-1])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment.get_template(TEMPLATE).render(title=title, runs=runs, most=MEMBERS)


def _runs(name: str, data: xr.Dataset) -> list[dict[str, Any]]:
    """The first members of a dataset."""
    chosen = list(labels(data))[:MEMBERS]
    return [
        {"dataset": name, "label": label} | _told(scene(member_of(data, number), LOOKS))
        for number, label in enumerate(chosen)
    ]


def _told(seen: Scene) -> dict[str, Any]:
    views = [_view(view) for view in seen.views.values()]
    return {"times": _digits(seen.times), "views": views}


def _view(view: View) -> dict[str, Any]:
    marks = [_mark(mark, view) for mark in view.marks]
    return {
        "name": view.name, "title": view.title, "equal": view.equal,
        "x": _axis(view.x), "y": _axis(view.y), "marks": marks,
    }  # fmt: skip


def _axis(axis: Axis) -> dict[str, Any]:
    low, high = _digits(np.array([axis.low, axis.high]))
    return vars(axis) | {"low": low, "high": high}


def _mark(mark: Mark, view: View) -> dict[str, Any]:
    read = mark.value(0) is not None
    x = _digits(mark.x) if read else _places(mark.x, view.x)
    y = _digits(mark.y) if read else _places(mark.y, view.y)
    return vars(mark) | {"x": x, "y": y}


def _digits(values: np.ndarray) -> Any:
    """Numbers that are read, to four digits; None for what is no number."""
    if values.ndim > 1:
        return [_digits(row) for row in values]
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in values]


def _places(values: np.ndarray, axis: Axis) -> Any:
    """Places, to a thousandth of their axis; None for what is no number."""
    decimals = 3 - math.floor(math.log10(axis.high - axis.low))
    finite = np.where(np.isfinite(values), values, np.nan).astype(float)
    whole = np.asarray(np.round(finite, decimals) + 0.0, object)
    whole[np.isnan(finite)] = None
    return whole.tolist()
