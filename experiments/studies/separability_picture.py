"""The separability run's picture: rho, the margins, the errors and the loss, over time."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import BLUE, GREEN, GREY, ORANGE, PREDICTED, TIME_LABEL, house_style
from .two_classes import groups, separable_from

BANDS = ((0.0, 1.0, 0.12), (0.05, 0.95, 0.22), (0.25, 0.75, 0.4))
"""Quantiles of the margins, from and to, with the band's opacity."""

SEEN = (-1.6, 2.2)
"""Range of margins in view; before anything is learned they are larger."""


def draw(config: Any, datasets: Datasets) -> Figure:
    """Draws four panels for every lambda and initial rho, over all of their seeds."""
    data = datasets["sgd"]
    every = list(groups(data))
    with house_style():
        figure = plt.figure(figsize=(9.8, 6.8 * len(every)))
        parts = figure.subfigures(len(every), 1, squeeze=False)
        for part, group in zip(parts[:, 0], every, strict=True):
            _draw_group(part.subplots(2, 2), group)
            lead = f"lambda = {float(group.decay[0]):g}, rho(0) = {float(group.initial_rho[0]):g}"
            counts = f"{group.sizes['sample']} images, seeds: {group.sizes['member']}"
            part.suptitle(f"{lead}, {counts}", x=0.01, ha="left")
        told = " ".join(filter(None, (data.attrs["source"], config.note)))
        figure.supxlabel(told, fontsize=8)
        plt.close(figure)
    return figure


def _draw_group(panels: np.ndarray, group: xr.Dataset) -> None:
    (radius, margins), (errors, loss) = panels
    _curves(radius, group.rho, color=BLUE)
    _curves(radius, group.rho_eq, **PREDICTED)
    radius.set_title("rho; dashed: mu / (M + lambda)")
    _draw_margins(margins, group)
    for name, colour in (("train", GREEN), ("test", ORANGE)):
        error = 100 * group[f"{name}_error"]
        _curves(errors, error, color=colour)
        _name_at_the_end(errors, error.isel(member=0), name, colour)
    errors.set_title("errors, % of images")
    _curves(loss, group.loss, color=BLUE)
    _curves(loss, group.gap, **PREDICTED)
    loss.set_yscale("log")
    loss.set_title("loss; dashed: predicted gap 2 - rho_eq mu")
    for axes in panels.flat:
        axes.set_xlabel(TIME_LABEL)
    radius.set_ylim(0, 1.3 * float(group.rho.max()))
    errors.set_ylim(0, 50)


def _curves(axes: Axes, values: xr.DataArray, **style: Any) -> None:
    """Every seed's curve."""
    for member in range(values.sizes["member"]):
        axes.plot(values.time, values.isel(member=member), **style)


def _name_at_the_end(
    axes: Axes, curve: xr.DataArray, name: str, colour: str, points: float = 5
) -> None:
    """A curve's name, so many points over its last point."""
    last = curve.isel(time=-1)
    axes.annotate(
        name, (float(last.time), float(last)), xytext=(0, points), textcoords="offset points",
        ha="right", color=colour, fontsize=9,
    )  # fmt: skip


def _draw_margins(axes: Axes, group: xr.Dataset) -> None:
    """Quantiles of rho fbar_n over images and seeds: all, nine tenths, half, and the median."""
    reached = group.rho * group.margins
    for low, high, opacity in BANDS:
        edges = reached.quantile((low, high), ("member", "sample"))
        axes.fill_between(group.time, *edges.values, color=BLUE, alpha=opacity, linewidth=0)
    middle = reached.quantile(0.5, ("member", "sample"))
    axes.plot(group.time, middle, color=BLUE)
    for share, name, points in ((0.0, "smallest", 5), (0.5, "median", -14), (1.0, "largest", 5)):
        edge = reached.quantile(share, ("member", "sample"))
        _name_at_the_end(axes, edge, name, BLUE, points)
    for since in separable_from(group).dropna("member").values:
        axes.axvline(since, color=GREEN, linewidth=1.0, linestyle=":")
        axes.annotate(
            "separated", (since, SEEN[0]), xytext=(3, 5), textcoords="offset points", color=GREEN,
            fontsize=9,
        )  # fmt: skip
    axes.axhline(1.0, **PREDICTED)
    axes.axhline(0.0, color=GREY, linewidth=1.0)
    axes.set_ylim(*SEEN)
    axes.set_title("margins rho fbar_n; bands: all, 90 %, 50 %")
