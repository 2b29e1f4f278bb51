"""[Wide] Figs. 1 and 4: collapse, balance and negativity while a linear head is trained.

Prediction: |D_l| of a pair of linear layers falls as e^(-4 lambda t), dashed, until what SGD adds
at each step keeps it up; this floor is lower at a lower rate (theory, 8.7). [Wide] writes the law
as exp(-2 eta lambda' k) with lambda' = 2 lambda, which is the same.
"""

from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ..experiment import Datasets
from ..plotting import GREY, PREDICTED, TIME_LABEL, house_style
from ..studies.linear_head import LAPTOP, PAPER, TINY
from .claims import Claim, below, within
from .drawing import SERIES, End, band, names_at_ends, source_below
from .linear_head import CIFAR
from .measures import cube, slope
from .reproduction import Reproduction

PANELS = {
    "nc1": "NC1, Tr Sigma_W / Tr Sigma_B",
    "nc2": "NC2, kappa of class means",
    "balance": "balance of linear pairs, relative",
    "negativity": "negativity of nonlinear layers",
}


LONGEST = 4
"""The documents' number of linear layers; of a run with several heads, the longest up to it."""


def chosen(datasets: Datasets) -> xr.Dataset:
    """The run that is looked at: the longest head up to four layers, the largest lambda.

    Returns:
        [seed, time], with ``decay`` as a number and the part's attributes.
    """
    fitting = [data for data in datasets.values() if data.attrs["linear"] <= LONGEST]
    data = max(fitting, key=lambda data: data.attrs["linear"])
    found = cube(data, "seed", "decay")
    return found.sel(decay=found.decay.max()).assign_attrs(data.attrs)


def imbalance(found: xr.Dataset) -> xr.DataArray:
    """|D_l|, mean over pairs of linear layers."""
    return found.imbalances.isel(pair=slice(-(found.attrs["linear"] - 1), None)).mean("pair")


def _between(values: xr.DataArray, begin: float, end: float) -> xr.DataArray:
    """Looks from one time to another; all of them where there are fewer than three."""
    within_them = values.where((values.time >= begin) & (values.time <= end), drop=True)
    return within_them if within_them.sizes["time"] > 2 else values


def _relative_rate(found: xr.Dataset, begin: float, end: float) -> xr.DataArray:
    """Slope of log |D| between two times, over -4 lambda."""
    part = xr.apply_ufunc(np.log, _between(imbalance(found), begin, end))
    return slope(part.time, part, "time") / (-4 * float(found.decay))


def decay_rate(datasets: Datasets) -> xr.DataArray:
    """The rate at which |D| falls while 4 lambda t goes from 1 to 4, over 4 lambda."""
    found = chosen(datasets)
    return _relative_rate(found, 0.25 / float(found.decay), 1 / float(found.decay))


def plateau_rate(datasets: Datasets) -> xr.DataArray:
    """The same over the last fifth before the learning rate falls."""
    found = chosen(datasets)
    return _relative_rate(found, 0.8 * found.attrs["falls_at"], found.attrs["falls_at"])


def after_the_fall(datasets: Datasets) -> xr.DataArray:
    """|D| at the end over |D| where the learning rate falls."""
    found = chosen(datasets)
    values = imbalance(found)
    at = values.time[values.time <= found.attrs["falls_at"]][-1]
    return values.isel(time=-1) / values.sel(time=at)


def _head(found: xr.Dataset, name: str) -> xr.DataArray:
    """What the linear layers read, from the first one to the last."""
    return found[name].isel(hidden=slice(-found.attrs["linear"], None))


def worst_step(datasets: Datasets) -> xr.DataArray:
    """The largest NC2 of a linear layer over that of the one before, at the end."""
    found = chosen(datasets)
    values = _head(found, "nc2").isel(time=-1)
    steps = values.isel(hidden=slice(1, None)) / values.isel(hidden=slice(None, -1))
    return steps.max("hidden", skipna=False)


def collapse_over_time(datasets: Datasets) -> xr.DataArray:
    """NC1 of the last layer at the end over that at a tenth of the run."""
    found = chosen(datasets)
    values = found.nc1.isel(hidden=-1)
    early = values.sel(time=0.1 * float(values.time[-1]), method="nearest")
    return values.isel(time=-1) / early


CLAIMS = (
    Claim(
        "NC2 improves from layer to layer through the linear head",
        "largest NC2 of a layer over that of the layer before", worst_step, below(1.0),
    ),
    Claim(
        "NC1 of the last layer goes on falling after the data are fitted",
        "at the end over that at a tenth of the run", collapse_over_time, below(0.5),
        explanation="Decay keeps a misfit eps_1, and with it NC1, above zero (8.2).",
    ),
    Claim(
        "the imbalance of linear layers decays as exp(-4 lambda t)",
        "fitted rate over 4 lambda, while 4 lambda t is 1 to 4", decay_rate, within(0.8, 1.2),
        explanation="SGD adds eta^2 (T'T - TT') at each step (8.7), which slows the decay near its "
        "floor.",
    ),
    Claim(
        "it comes to a plateau before the learning rate falls",
        "fitted rate over 4 lambda in the last fifth before", plateau_rate, below(0.2),
        explanation="The floor is where decay and what SGD adds meet (8.7); here it is not "
        "reached.",
    ),
    Claim(
        "it falls again when the learning rate does",
        "at the end over that where the rate falls", after_the_fall, below(0.9),
        explanation="At a tenth of the rate the last fifth of the steps is a fiftieth of the "
        "run's time, and the floor is reached at the rate 4 lambda (8.7).",
    ),
)  # fmt: skip


def draw_training(config: Any, datasets: Datasets) -> Figure:
    """The four quantities over time by layer, and the class means' cosines at the end."""
    found = chosen(datasets)
    with house_style():
        figure = plt.figure(figsize=(9.4, 8.2), layout="constrained")
        rows: Any = figure.subfigures(2, 1, height_ratios=(2.6, 1))
        upper, lower = rows
        grid = upper.subplots(2, 2, sharex=True).ravel()
        ends = [
            _curves(axes, found, name, title)
            for axes, (name, title) in zip(grid, PANELS.items(), strict=True)
        ]
        for axes in grid[2:]:
            axes.set_xlabel(TIME_LABEL)
        _grams(lower, found)
        source_below(
            lower,
            f"{config.data.name}, {config.data.train} images, {config.seeds} seeds, lambda = "
            f"{float(found.decay):g}; dotted: the learning rate falls; dashed: e^(-4 lambda t)",
        )
        names_at_ends(figure, list(zip(grid, ends, strict=True)))
        plt.close(figure)
    return figure


def _shown(found: xr.Dataset, name: str) -> tuple[xr.DataArray, list[str]]:
    """What a panel shows, [seed, time, curve], and its curves' names."""
    linear = found.attrs["linear"]
    if name == "balance":
        values = found.balance.isel(pair=slice(-(linear - 1), None)).rename(pair="curve")
        return values, [f"linear {k + 1}, {k + 2}" for k in range(linear - 1)]
    if name == "negativity":
        values = found.negativity.isel(hidden=slice(None, -(linear - 1))).rename(hidden="curve")
        return values, [f"layer {k + 1}" for k in range(values.sizes["curve"])]
    values = _head(found, name).rename(hidden="curve")
    return values, [f"read by linear {k + 1}" for k in range(linear)]


def _curves(axes: Axes, found: xr.Dataset, name: str, title: str) -> list[End]:
    """One panel; what its curves are called at their ends."""
    values, names = _shown(found, name)
    ends = []
    for number, label in enumerate(names):
        colour = SERIES[number % len(SERIES)]
        curve = values.isel(curve=number)
        band(axes, curve, color=colour)
        last = curve.mean("seed").isel(time=-1)
        ends.append(End(float(last.time), float(last), label, colour))
    if name != "negativity":
        axes.set_yscale("log")
    if name == "balance":
        _law(axes, values.mean(("seed", "curve")), float(found.decay))
    axes.axvline(found.attrs["falls_at"], color=GREY, linewidth=0.7, linestyle=":")
    axes.set_title(title)
    return ends


def _law(axes: Axes, mean: xr.DataArray, decay: float) -> None:
    """The slope e^(-4 lambda t), through the curves' mean where 4 lambda t is 1."""
    low, high = 0.5 * float(mean.min()), 2 * float(mean.max())
    at = mean.sel(time=0.25 / decay, method="nearest")
    line = float(at) * np.exp(-4 * decay * (mean.time - at.time))
    seen = line.where((line > low) & (line < high), drop=True)
    axes.plot(seen.time, seen, **PREDICTED)


def _grams(figure: SubFigure, found: xr.Dataset) -> None:
    """Cosines between class means as pictures, one for each layer that the head reads."""
    grams = _head(found, "gram").isel(time=-1).mean("seed")
    row = figure.subplots(1, grams.sizes["hidden"], squeeze=False)[0]
    for number, axes in enumerate(row):
        picture = axes.imshow(grams.isel(hidden=number), vmin=-1, vmax=1, cmap="RdBu_r")
        axes.set_title(f"class means, linear {number + 1}", fontsize=9)
        axes.grid(visible=False)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.colorbar(picture, ax=list(row), label="cosine", shrink=0.8)


FIGURES = {
    "wide-4": Reproduction(
        document="[Wide] Fig. 4",
        caption="Training with four linear layers on top of five nonlinear ones: collapse, balance "
        "and negativity over time, and the class means of the layers that the head reads.",
        setup="Document: MLP on MNIST, weight decay .0018, rate .001, 10,000 epochs, five runs. "
        "Here: the run of Fig. 2 with four linear layers and lambda = .003 (in place of .0009), "
        "since balance decays by exp(-4 lambda t).",
        study="linear_head",
        presets={
            "tiny": TINY,
            "laptop": LAPTOP,
            "paper": replace(PAPER, linear=(4,), decay=(9e-4,)),
        },
        draw=draw_training,
        claims=CLAIMS,
    ),
    "wide-1": Reproduction(
        document="[Wide] Fig. 1",
        caption="The same for three linear layers on top of three nonlinear ones.",
        setup="Document: by the text a ResNet20 on CIFAR10 with six more layers, three of them "
        "ReLU, weight decay .001, rate .001, 5,000 epochs; the caption describes the MLP on MNIST "
        "instead. Here: an MLP with that head, 500 images of 10x10, lambda = .003.",
        study="linear_head",
        presets={
            "tiny": TINY,
            "laptop": replace(LAPTOP, nonlinear=(3,), linear=(3,), decay=(3e-3,)),
            "paper": replace(
                PAPER, data=CIFAR, backbone="resnet20", nonlinear=(3,), linear=(3,),
                decay=(5e-4,), steps=1_950_000,
            ),
        },
        draw=draw_training,
        claims=CLAIMS,
    ),
}  # fmt: skip
