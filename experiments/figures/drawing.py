"""How figures are drawn: bands over seeds, names at the ends of curves, one look for all."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ..plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, RED

SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, "#56B4E9", GREY)
"""Colours of members that differ in one number, in its increasing order."""


def band(axes: Axes, values: xr.DataArray, x: str = "time", **style: Any) -> None:
    """The mean over the seeds as a line, and all seeds as a band around it.

    Args:
        axes: Where.
        values: With ``seed`` and ``x``.
        x: The dimension along the axis.
        **style: Of the line; its colour is the band's.
    """
    (line,) = axes.plot(values[x], values.mean("seed"), **style)
    low, high = values.min("seed"), values.max("seed")
    axes.fill_between(values[x], low, high, color=line.get_color(), alpha=0.18, linewidth=0)


def name_at_end(axes: Axes, x: Any, y: Any, text: str, colour: str) -> None:
    """A curve's name to the right of its last point."""
    axes.annotate(
        text, (float(np.asarray(x)[-1]), float(np.asarray(y)[-1])), xytext=(4, 0),
        textcoords="offset points", va="center", color=colour, fontsize=8, annotation_clip=False,
    )  # fmt: skip


class End(NamedTuple):
    """Where a curve ends, in units of its axes, and what it is called there."""

    x: float
    y: float
    text: str
    colour: str


APART = 10.0
"""Points between the names of two curves, at least."""


def names_at_ends(figure: Figure, ends: Sequence[tuple[Axes, Sequence[End]]]) -> None:
    """Names to the right of curves that end close together: pushed apart until all can be read.

    To be called when everything else is drawn, since it asks where the ends are on the page.
    """
    figure.draw_without_rendering()
    for axes, curves in ends:
        known = [end for end in curves if np.isfinite(end.y)]
        points = axes.transData.transform([(end.x, end.y) for end in known]).reshape(-1, 2)
        heights = points[:, 1] * 72 / figure.dpi
        order = np.argsort(heights, kind="stable")
        floor = axes.transAxes.transform((0, 0))[1] * 72 / figure.dpi + APART / 2
        for place, moved in zip(order, _apart(heights[order], floor), strict=True):
            end = known[place]
            axes.annotate(
                end.text, (end.x, end.y), xytext=(4, moved - heights[place]),
                textcoords="offset points", va="center", color=end.colour, fontsize=8,
                annotation_clip=False,
            )  # fmt: skip


def _apart(heights: np.ndarray, floor: float) -> np.ndarray:
    """Increasing heights, moved up and down until they are `APART` and none is below the floor."""
    steps = APART * np.arange(len(heights))
    up = np.maximum.accumulate(heights - steps) + steps
    down = np.minimum.accumulate((heights - steps)[::-1])[::-1] + steps
    return np.maximum((up + down) / 2, floor + steps)


def series(values: Any) -> Mapping[float, str]:
    """A colour for each of some numbers, in increasing order."""
    known = sorted({float(value) for value in np.asarray(values).ravel()})
    return {value: SERIES[number % len(SERIES)] for number, value in enumerate(known)}


def source_below(figure: Figure | SubFigure, text: str) -> None:
    """Where the data come from and how many seeds there are, in small print."""
    figure.supxlabel(text, fontsize=7.5, color=GREY)
