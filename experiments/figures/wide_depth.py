"""[Wide] Fig. 3: do deep networks become balanced and linear in their nonlinear layers, too?

Networks of nonlinear layers and one linear layer on top, lambda divided by the number of layers.
The first two layers are the document's "backbone"; balance is looked at in the pairs of nonlinear
layers above them, negativity in the layers above them.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import BLUE, ORANGE, house_style
from ..studies.linear_head import LAPTOP, PAPER, TINY
from .claims import Claim, above, below
from .drawing import band, source_below
from .measures import cube, slope
from .reproduction import Reproduction

BACKBONE = 2
"""Layers at the bottom that are not looked at."""


def by_depth(datasets: Datasets, pick: Callable[[xr.Dataset], xr.DataArray]) -> xr.DataArray:
    """A number of each run's end, [nonlinear, seed].

    Args:
        datasets: Of one study, parts that differ in L_1, with one lambda each.
        pick: ``pick(end)``, of the members at their last look.
    """
    found = []
    for data in datasets.values():
        end = cube(data, "seed", "decay").isel(time=-1, decay=0, drop=True)
        found.append(pick(end).expand_dims(nonlinear=[data.attrs["nonlinear"]]))
    return xr.concat(found, "nonlinear", coords="minimal").sortby("nonlinear")


def balances(end: xr.Dataset) -> xr.DataArray:
    """Of pairs of nonlinear layers above the backbone."""
    return end.balance.isel(pair=slice(BACKBONE, -1))


def negativities(end: xr.Dataset) -> xr.DataArray:
    """Of nonlinear layers above the backbone."""
    return end.negativity.isel(hidden=slice(BACKBONE, None))


LEAST = {
    "balance": lambda end: balances(end).min("pair", skipna=False),
    "negativity": lambda end: negativities(end).min("hidden", skipna=False),
}
MEAN = {
    "balance": lambda end: balances(end).mean("pair", skipna=False),
    "negativity": lambda end: negativities(end).mean("hidden", skipna=False),
}


def _slope(pick: Callable[[xr.Dataset], xr.DataArray]) -> Callable[[Datasets], xr.DataArray]:
    """Slope of a logarithm per layer."""

    def measure(datasets: Datasets) -> xr.DataArray:
        values = xr.apply_ufunc(np.log, by_depth(datasets, pick))
        return slope(values.nonlinear, values, "nonlinear")

    return measure


def last_negativity(datasets: Datasets) -> xr.DataArray:
    """Of the last nonlinear layer, the least over depths."""
    return by_depth(datasets, lambda end: end.negativity.isel(hidden=-1)).min(
        "nonlinear", skipna=False
    )


def draw_depth(config: Any, datasets: Datasets) -> Figure:
    """Least and mean balance and negativity against the number of nonlinear layers."""
    with house_style():
        figure, row = plt.subplots(1, 2, figsize=(8.2, 3.6))
        for axes, name in zip(row, ("balance", "negativity"), strict=True):
            for label, pick, colour in (
                ("mean over layers", MEAN[name], BLUE), ("least", LEAST[name], ORANGE),
            ):  # fmt: skip
                curve = by_depth(datasets, pick)
                band(axes, curve, "nonlinear", color=colour, marker="o", markersize=3)
                axes.plot([], [], color=colour, label=label)
            axes.set_title(f"{name} of nonlinear layers")
            axes.set_xlabel("nonlinear layers")
            axes.set_xticks(curve.nonlinear)
            axes.set_ylim(bottom=0)
        row[0].legend()
        source_below(
            figure,
            f"{config.data.name}, {config.data.train} images, {config.seeds} seeds, lambda = "
            f"{config.decay[0]:g} / layers",
        )
        plt.close(figure)
    return figure


FIGURES = {
    "wide-3": Reproduction(
        document="[Wide] Fig. 3",
        caption="Balance and negativity of nonlinear layers at the end of training, against their "
        "number.",
        setup="Document: MLPs of 4 to 12 nonlinear layers on data that it does not name, rate .001 "
        "or .002, weight decay .016 over the number of layers, ten runs. Here: 500 images of "
        "10x10, width 48, one linear layer on top, lambda = .012 over the number of layers.",
        study="linear_head",
        presets={
            "tiny": replace(
                TINY, nonlinear=(4, 5), linear=(1,), decay=(1e-2,), divide_decay=True
            ),
            "laptop": replace(
                LAPTOP, width=48, nonlinear=(4, 6, 8, 10, 12), linear=(1,), decay=(0.012,),
                divide_decay=True, learning_rate=(0.02,), steps=4000, drop=1.0, looks=11,
            ),
            "paper": replace(
                PAPER, nonlinear=(4, 6, 8, 10, 12), linear=(1,), decay=(0.008,),
                divide_decay=True, seeds=10,
            ),
        },
        draw=draw_depth,
        claims=(
            Claim(
                "the mean imbalance of nonlinear layers falls with depth",
                "slope of its logarithm per layer", _slope(MEAN["balance"]), below(0.0),
                explanation="Decay balances pairs of linear layers; a nonlinear one between them "
                "breaks the law (8.7).",
            ),
            Claim(
                "the least imbalance of nonlinear layers falls with depth",
                "slope of its logarithm per layer", _slope(LEAST["balance"]), below(0.0),
            ),
            Claim(
                "the mean negativity of nonlinear layers falls with depth",
                "slope of its logarithm per layer", _slope(MEAN["negativity"]), below(0.0),
            ),
            Claim(
                "the least negativity of nonlinear layers falls with depth",
                "slope of its logarithm per layer", _slope(LEAST["negativity"]), below(0.0),
            ),
            Claim(
                "the last nonlinear layer stays nonlinear",
                "its negativity, the least over depths", last_negativity, above(0.2),
            ),
        ),
    ),
}  # fmt: skip
