"""The quickstart's picture: rho(t) with its predicted line, the loss, and the margins."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import BLUE, GREEN, GREY, ORANGE, PREDICTED, TIME_LABEL, house_style

COLOURS = (BLUE, ORANGE, GREEN)
"""One per initial rho, in increasing order."""


def draw(config: Any, datasets: Datasets) -> Figure:
    """Draws rho(t), the loss and the margins' distribution, one column per lambda."""
    decays = sorted({float(value) for value in config.decay}, reverse=True)
    with house_style():
        figure, grid = plt.subplots(
            3, len(decays), figsize=(4.6 * len(decays) + 0.6, 8.6), squeeze=False, sharey="row",
            height_ratios=(1.3, 1.0, 0.8),
        )  # fmt: skip
        for column, decay in zip(grid.T, decays, strict=True):
            parts = {way: _of(data, decay) for way, data in datasets.items()}
            _draw_rho(column[0], parts, decay)
            _draw_loss(column[1], parts)
            _draw_margins(column[2], parts)
        grid[0][0].legend(loc="upper right", fontsize=8)
        for axes, label in zip(grid[:, 0], ("rho", "loss", "density"), strict=True):
            axes.set_ylabel(label)
        plt.close(figure)
    return figure


def _of(data: xr.Dataset, decay: float) -> xr.Dataset:
    return data.isel(member=np.flatnonzero(np.isclose(data.decay, decay)))


def _colour(part: xr.Dataset, rho: float) -> str:
    return COLOURS[int(np.searchsorted(np.unique(part.initial_rho), rho)) % len(COLOURS)]


def _curves(axes: Axes, parts: dict[str, xr.Dataset], name: str) -> None:
    """Every member's curve: the flow as a line, SGD dotted over it."""
    styles: dict[str, dict[str, Any]] = {
        "flow": {"alpha": 0.85},
        "sgd": {"linestyle": ":", "linewidth": 2.0},
    }
    for way, part in parts.items():
        for member in range(part.sizes["member"]):
            one = part.isel(member=member)
            first = member < len(np.unique(part.initial_rho)) * (way == "flow")
            label = f"{way} from rho = {float(one.initial_rho):g}" if first else None
            axes.plot(
                one.time, one[name], color=_colour(part, float(one.initial_rho)), label=label,
                **styles.get(way, {}),
            )  # fmt: skip


def _draw_rho(axes: Axes, parts: dict[str, xr.Dataset], decay: float) -> None:
    _curves(axes, parts, "rho")
    flow = parts["flow"]
    for number, line in enumerate(flow.rho_eq.isel(time=-1).values):
        label = "mu / (M + lambda) at the end" if number == 0 else None
        axes.axhline(line, **PREDICTED, label=label, zorder=0)
    if "sgd" in parts:
        axes.plot([], [], color=GREY, linestyle=":", linewidth=2.0, label="sgd, same starts")
    axes.set_title(f"lambda = {decay:g}")
    axes.set_xlabel(TIME_LABEL)
    axes.margins(y=0.08)
    axes.set_ylim(bottom=0)


def _draw_loss(axes: Axes, parts: dict[str, xr.Dataset]) -> None:
    _curves(axes, parts, "loss")
    gaps = parts["flow"].gap.isel(time=-1).values
    for line in gaps:
        axes.axhline(line, **PREDICTED, zorder=0)
    axes.set_yscale("log")
    axes.set_xlabel(TIME_LABEL)
    axes.set_title("loss; dashed: predicted gap 1 - rho_eq mu", fontsize=9.5)


def _draw_margins(axes: Axes, parts: dict[str, xr.Dataset]) -> None:
    """Distribution of rho fbar_n over samples and seeds, at the first and at the last look."""
    flow = parts["flow"]
    scaled = flow.rho * flow.margins
    bins = np.linspace(-0.5, 1.5, 81)
    for rho in np.unique(flow.initial_rho):
        chosen = scaled.isel(member=np.flatnonzero(flow.initial_rho == rho))
        axes.hist(
            np.clip(chosen.isel(time=-1).values.ravel(), -0.5, 1.5), list(bins), density=True,
            alpha=0.6, color=_colour(flow, rho), label=f"end, from rho = {rho:g}",
        )  # fmt: skip
    axes.axvline(1.0, **PREDICTED)
    axes.set_xlabel("rho fbar_n: 1 where a sample is interpolated")
    axes.set_title("margins of the flow's last points", fontsize=9.5)
    axes.legend(fontsize=8, loc="upper left")
