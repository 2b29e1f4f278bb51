"""What one sees of a run: its views, each made of what was observed.

| view | needs | theory, dashed |
|---|---|---|
| ``rho`` | rho | rho_eq = mu / (M + lambda) ([Dyn] (7)) |
| ``loss`` | loss | the gap 1 - rho_eq mu, which it equals at rest ([Dyn] (8)) |
| ``margins`` | margins | 1/rho, where the targets are met |
| ``singular_values`` | singular_values | |
| ``class_means`` | simplex_plane, or class_means of three classes or more | the simplex ETF |

``dynamics.observe(*EXPLORED)`` looks at all of it; rho_eq and gap ask for the square loss. Margins
are those of the normalised network. Where decay is that of each layer, rho_eq and gap are no
equilibria (`dynamics.reduced.equilibria.with_layer_decay`). What is not there is left out. Rows in
which a dear observable was not looked at show the last one in which it was. Axes stay as they are
while time moves, so a few samples that are far out at the start may lie outside of ``class_means``,
and columns that are far higher than most be cut.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr

from ...dynamics.observables.simplex import means_in_plane, polygon
from ..errors import UsageError
from ..labelled_runs import times_of
from ..overlays import overlay
from ..plotting import BLUE, COLOURS, GREEN, GREY, ORANGE, PURPLE, RED, TIME_LABEL
from . import EXPLORED
from .marks import Axis, Mark, Scene, View

SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)
BINS, LARGEST = 40, 20
"""Of the histogram; singular values that are shown of each layer."""


def scene(run: xr.Dataset, most: int | None = None) -> Scene:
    """The views of a run.

    Args:
        run: One run, labelled by `experiments.labelled`: dimensions ``time, ...``.
        most: How many times at most, evenly spread over the rows; all unless given.

    Raises:
        UsageError: If nothing of what can be shown was observed.
    """
    if "time" not in run.dims:
        raise _nothing(run)
    kept = _looked_at(run)
    if most is not None and kept.sizes["time"] > most:
        rows = np.unique(np.linspace(0, kept.sizes["time"] - 1, most).round().astype(int))
        kept = kept.isel(time=rows)
    views = {name: view for name, make in VIEWS.items() if (view := make(kept)) is not None}
    if not views:
        raise _nothing(run)
    return Scene(times_of(kept), views)


def _nothing(run: xr.Dataset) -> UsageError:
    there = ", ".join(map(str, run)) or "nothing"
    return UsageError(
        f"expected one of {', '.join(EXPLORED)} along the run, got {there}: "
        "observe=dynamics.observe(*experiments.EXPLORED) looks at all of them"
    )


def _looked_at(run: xr.Dataset) -> xr.Dataset:
    """Up to the row after which all is NaN, each quantity held where it was not looked at."""
    rows = np.arange(run.sizes["time"])
    found, last = {}, 0
    for name, data in run.data_vars.items():
        if "time" not in data.dims:
            continue
        ordered = data.transpose("time", ...)
        looked = np.isfinite(ordered.values).reshape(len(rows), -1).any(axis=1)
        if looked.any():
            held = ordered.values[np.maximum.accumulate(np.where(looked, rows, 0))]
            found[name] = (ordered.dims, held)
            last = max(last, int(rows[looked].max()))
    whole = xr.Dataset(found, {"time": times_of(run)})
    return whole.isel(time=slice(last + 1))


def _radius(run: xr.Dataset) -> View | None:
    if "rho" not in run:
        return None
    marks = [*_predicted(run, "rho"), _trace(run, "rho")]
    low, high = _range(run.rho.values, 0.0)
    return View("rho", "rho and its equilibrium", _time(run), Axis("rho", low, high), tuple(marks))


def _loss(run: xr.Dataset) -> View | None:
    if "loss" not in run:
        return None
    marks = [*_predicted(run, "loss"), _trace(run, "loss")]
    values = run.loss.values[np.isfinite(run.loss.values)]
    log = bool(np.all(values > 0))
    low, high = (values.min() / 1.5, values.max() * 1.5) if log else _range(values, 0.0)
    axis = Axis("loss", float(low), float(high), log)
    return View("loss", "loss", _time(run), axis, tuple(marks))


def _margins(run: xr.Dataset) -> View | None:
    if "margins" not in run:
        return None
    values = run.margins.values
    low, high = _range(values)
    edges = np.linspace(low, high, BINS + 1)
    shares = np.stack([np.histogram(row, edges)[0] / len(row) for row in values])
    # At a small start all margins are in one column, beside which those of later are flat.
    high_share = float(1.2 * np.quantile(shares.max(axis=1), 0.85))
    means = values.mean(axis=1, keepdims=True)
    marks = [
        Mark("bars", "samples", COLOURS["margins"], edges, shares),
        Mark("rule", "their mean", RED, means, np.zeros(0)),
    ]
    if (said := overlay(run, "margins")) is not None:
        met = said.values.values[:, None]
        marks.append(Mark("rule", f"met at {said.label} =", GREY, met, np.zeros(0), True))
    return View(
        "margins", "margins of the normalised network",
        Axis("margin", low, high),
        Axis("share of samples", 0.0, high_share), tuple(marks),
    )  # fmt: skip


def _singular_values(run: xr.Dataset) -> View | None:
    layers = [name for k in range(len(run)) if (name := f"singular_values_{k}") in run]
    if not layers:
        return None
    shown = [run[name].values[:, :LARGEST] for name in layers]
    marks = [
        Mark("joined", f"V_{k + 1}", _colour(k), np.arange(1.0, values.shape[1] + 1), values)
        for k, values in enumerate(shown)
    ]
    most = max(values.shape[1] for values in shown)
    high = max(float(np.nanmax(values)) for values in shown)
    return View(
        "singular_values", "singular values of each layer",
        Axis(f"number, largest first (at most {LARGEST})", 0.5, most + 0.5),
        Axis("singular value of V_k", 0.0, 1.05 * high), tuple(marks),
    )  # fmt: skip


def _class_means(run: xr.Dataset) -> View | None:
    means = _means(run)
    if means is None:
        return None
    classes = means.shape[1]
    corners = polygon(classes)
    marks = [_outline(corners), *_clouds(run, classes)]
    for number in range(classes):
        places = means[:, number : number + 1]
        x, y = _plane(places, np.full(1, _strip(number)))
        marks.append(Mark("points", "", _colour(number), x, y, names=(str(number),)))
    reach = 1.6 * float(np.abs(corners).max())
    y_axis = Axis("class", -1.6, 1.6, ticks=False)
    if classes > 2:
        y_axis = Axis("second axis of the plane", -reach, reach)
    return View(
        "class_means", "class means (numbered) at the simplex ETF",
        Axis(f"along the simplex's {'line' if classes == 2 else 'plane'}", -reach, reach),
        y_axis, tuple(marks), equal=classes > 2,
    )  # fmt: skip


def _means(run: xr.Dataset) -> np.ndarray | None:
    """Class means in the plane, ``[T, C, axes]``; None where there is nothing to see."""
    if "simplex_plane_means" in run:
        return run.simplex_plane_means.values
    if "class_means" in run and run.class_means.shape[1] > 2:
        return np.stack([means_in_plane(means) for means in run.class_means.values])
    return None


def _clouds(run: xr.Dataset, classes: int) -> list[Mark]:
    """Each class's samples about its mean."""
    if "simplex_plane_samples" not in run:
        return []
    samples, own = run.simplex_plane_samples.values, run.simplex_plane_classes.values[0]
    marks = []
    for number in range(classes):
        chosen = samples[:, own == number]
        x, y = _plane(chosen, _strip(number) + _spread(chosen.shape[1]))
        marks.append(Mark("points", "", _colour(number), x, y))
    return marks


def _plane(places: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both axes; places ``[T, n, 1]`` on a line are given heights ``[n]``, which mean nothing."""
    return places[..., 0], (heights if places.shape[-1] == 1 else places[..., 1])


def _strip(number: int) -> float:
    """At which height a class of two lies."""
    return (-0.8, 0.8)[number % 2]


def _spread(count: int) -> np.ndarray:
    """Heights about zero that keep points apart: multiples of the golden ratio."""
    return 0.9 * (np.arange(count) * 0.618034 % 1 - 0.5)


def _outline(corners: np.ndarray) -> Mark:
    x, y = corners[:, 0], corners[:, 1] if corners.shape[1] == 2 else np.zeros(len(corners))
    if corners.shape[1] == 1:
        x, y = np.repeat(x, 2), np.array([-9.0, 9.0, 9.0, -9.0])
    return Mark("outline", "simplex ETF", GREY, x, y, predicted=True)


def _trace(run: xr.Dataset, name: str) -> Mark:
    return Mark("trace", name, COLOURS[name], times_of(run), run[name].values)


def _predicted(run: xr.Dataset, name: str) -> list[Mark]:
    """What theory says of an observation, where what was observed tells it."""
    said = overlay(run, name)
    if said is None:
        return []
    return [Mark("trace", said.label, GREY, times_of(run), said.values.values, predicted=True)]


def _time(run: xr.Dataset) -> Axis:
    first, last = float(times_of(run)[0]), float(times_of(run)[-1])
    return Axis(TIME_LABEL, first, last if last > first else first + 1.0)


def _range(values: np.ndarray, *included: float) -> tuple[float, float]:
    """From the least to the largest with a little room; what is not finite does not count."""
    finite = np.concatenate([values[np.isfinite(values)], included])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low == high:
        return low - 0.5, high + 0.5
    room = 0.05 * (high - low)
    return (low if low in included else low - room), (high if high in included else high + room)


def _colour(number: int) -> str:
    return SERIES[number % len(SERIES)]


VIEWS: dict[str, Callable[[xr.Dataset], View | None]] = {
    "rho": _radius,
    "loss": _loss,
    "margins": _margins,
    "singular_values": _singular_values,
    "class_means": _class_means,
}
