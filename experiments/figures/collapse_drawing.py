"""Collapse over time, drawn: one panel for each metric, one colour and line style for each group.

A group is what differs by its seed alone; its band spans the seeds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import PREDICTED, TIME_LABEL, house_style
from ..studies.collapse import AXES
from .drawing import SERIES, band, source_below
from .measures import cube

STYLES = ("-", "-.", ":", (0, (6, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1)))
"""Line styles that tell groups apart in grey too."""

FLOOR = 1e-9
"""What is smaller than this is drawn here on a logarithmic axis."""


class Panel(NamedTuple):
    """One metric's panel.

    Attributes:
        name: The variable.
        title: Above the panel.
        predicted: What theory says, as a dashed line: a number, or the name of a variable, drawn
            for each group. None for nothing, or for zero.
        linear: Whether its axis is linear.
        top: Where a linear axis from zero ends, unless it is left to the curves.
    """

    name: str
    title: str
    predicted: float | str | None = None
    linear: bool = False
    top: float | None = None


LOSS = Panel("unregularised_loss", "training loss, without decay")
NC1 = Panel("nc1_ratio", "NC1: Tr(Sigma_W Sigma_B^+)")
NC2_NORMS = Panel("nc2_norms", "NC2: norms of class means, std / mean")
NC2_ANGLES = Panel("nc2_angles", "NC2: class means, mean |cos + 1/(C-1)|")
NC3 = Panel("nc3_duality", "NC3: | W/|W| - M/|M| |")
NC4 = Panel("nc4", "NC4: share not at the nearest mean", linear=True)
RHO = Panel("rho", "rho; dashed: mu / (M + lambda)", predicted="rho_eq", linear=True)
ROWS_NORMS = Panel("nc2_norms_classifiers", "NC2: norms of classifiers, std / mean")
ROWS_ANGLES = Panel("nc2_angles_classifiers", "NC2: classifiers, mean |cos + 1/(C-1)|")


def only(datasets: Datasets) -> xr.Dataset:
    """The one way of moving of a run that has no other."""
    (data,) = datasets.values()
    return data


def group(data: xr.Dataset, **where: float) -> xr.Dataset:
    """The members with one lambda (and share of random labels), ``[seed, time]``.

    Args:
        data: One way of moving, of a run from one initial rho.
        **where: Coordinates and their values; what is not named has one value.
    """
    found = cube(data, *AXES).sel(where)
    return found.squeeze([axis for axis in AXES[1:] if axis in found.dims], drop=True)


def last(data: xr.Dataset, **where: float) -> xr.Dataset:
    """A group's last look, ``[seed]``."""
    return group(data, **where).isel(time=-1)


def draw_panels(
    groups: Mapping[str, xr.Dataset], panels: Sequence[Panel], source: str, columns: int = 3
) -> Figure:
    """Every metric over time, every group in its own colour.

    Args:
        groups: ``[seed, time]`` by what they are called.
        panels: Which metrics.
        source: In small print, below.
        columns: How many panels stand beside each other.
    """
    rows = -(-len(panels) // columns)
    with house_style():
        figure, grid = plt.subplots(
            rows, columns, figsize=(3.4 * columns, 3.0 * rows), squeeze=False
        )
        for axes, panel in zip(grid.flat, panels, strict=False):
            draw_metric(axes, groups, panel)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        key(grid.flat[0], list(groups))
        source_below(figure, source)
        plt.close(figure)
    return figure


def draw_metric(axes: Axes, groups: Mapping[str, xr.Dataset], panel: Panel) -> None:
    """One metric of all groups over time."""
    for number, data in enumerate(groups.values()):
        values = data[panel.name] if panel.linear else data[panel.name].clip(min=FLOOR)
        band(axes, values, **look(number))
        if isinstance(panel.predicted, str):
            axes.plot(data.time, data[panel.predicted].mean("seed"), **PREDICTED)
    if isinstance(panel.predicted, float):
        axes.axhline(panel.predicted, **PREDICTED)
    if not panel.linear:
        axes.set_yscale("log")
    if panel.top is not None:
        axes.set_ylim(0, panel.top)
    axes.set_title(panel.title, fontsize=9.5)
    axes.set_xlabel(TIME_LABEL, fontsize=8)


def look(number: int) -> dict[str, Any]:
    """Colour and line style of a group, by its place."""
    return {
        "color": SERIES[number % len(SERIES)],
        "linestyle": STYLES[number % len(STYLES)],
    }


def key(axes: Axes, names: Sequence[str]) -> None:
    """The groups' names in their colours, beside a piece of their line, where there is room."""
    for number, name in enumerate(names):
        axes.plot([], [], label=name, **look(number))
    axes.legend(loc="best", fontsize=8, labelcolor="linecolor", handlelength=2.6)
