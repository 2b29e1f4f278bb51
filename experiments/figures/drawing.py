"""How figures are drawn: bands over seeds, names at the ends of curves, one look for all."""

from collections.abc import Mapping
from typing import Any

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


def series(values: Any) -> Mapping[float, str]:
    """A colour for each of some numbers, in increasing order."""
    known = sorted({float(value) for value in np.asarray(values).ravel()})
    return {value: SERIES[number % len(SERIES)] for number, value in enumerate(known)}


def source_below(figure: Figure | SubFigure, text: str) -> None:
    """Where the data come from and how many seeds there are, in small print."""
    figure.supxlabel(text, fontsize=7.5, color=GREY)
