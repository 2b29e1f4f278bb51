"""[Dyn] Fig. 3: what decay and the initial scale make of rho, of the loss and of the test error.

In the document layers are normalised to a fixed norm, the "initialisation", below one trained rho:
the function's scale at the start is the product of all, which here is rho at the start.
"""

from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import PREDICTED, TIME_LABEL, house_style
from ..studies.quickstart import LAPTOP, PAPER, TINY
from .claims import Claim, below
from .drawing import band, name_at_end, series, source_below
from .measures import cube, last_change, spread
from .reproduction import Reproduction

AXES = ("seed", "initial_rho", "decay")
PANELS = {"rho": "rho; dashed: mu / (M + lambda)", "loss": "loss", "test_error": "test error"}


def draw_time(config: Any, datasets: Datasets) -> Figure:
    """Rho, loss and test error over time, one column for each lambda, SGD."""
    found = cube(datasets["sgd"], *AXES)
    colours = series(found.initial_rho)
    with house_style():
        figure, grid = plt.subplots(
            3, found.sizes["decay"], figsize=(8.6, 8.4), sharex=True, sharey="row", squeeze=False
        )
        for column, decay in zip(grid.T, found.decay.values[::-1], strict=True):
            part = found.sel(decay=decay)
            for axes, (name, title) in zip(column, PANELS.items(), strict=True):
                for rho, colour in colours.items():
                    curve = part[name].sel(initial_rho=rho)
                    band(axes, curve, color=colour)
                    name_at_end(axes, curve.time, curve.mean("seed"), f"from {rho:g}", colour)
                axes.set_title(f"lambda = {decay:g}: {title}")
            column[0].plot(part.time, part.rho_eq.mean(("seed", "initial_rho")), **PREDICTED)
            column[1].set_yscale("log")
            column[2].set_xlabel(TIME_LABEL)
        source_below(figure, f"{config.data.name} {config.data.classes}, {config.seeds} seeds")
        plt.close(figure)
    return figure


def _ends(datasets: Datasets) -> tuple[xr.Dataset, xr.Dataset]:
    """With the largest decay and without, [seed, initial_rho, time, ...]."""
    found = cube(datasets["sgd"], *AXES)
    return found.sel(decay=found.decay.max()), found.sel(decay=0.0)


def off_the_line(datasets: Datasets) -> xr.DataArray:
    """Worst relative distance of the final rho from mu / (M + lambda), with decay."""
    with_decay, _ = _ends(datasets)
    last = with_decay.isel(time=-1)
    return np.abs(last.rho / last.rho_eq - 1).max("initial_rho", skipna=False)


def remembered(datasets: Datasets) -> xr.DataArray:
    """Spread of the final rho over the starts with decay, over that without, as logarithms."""
    kept, lost = (np.log(spread(part.rho.isel(time=-1), "initial_rho")) for part in _ends(datasets))
    return kept / lost


def still_moving(datasets: Datasets) -> xr.DataArray:
    """Change of rho over the last fifth of the run, relative, with decay; worst start."""
    with_decay, _ = _ends(datasets)
    return last_change(with_decay.rho).max("initial_rho", skipna=False)


FIGURES = {
    "dyn-3": Reproduction(
        document="[Dyn] Fig. 3",
        caption="rho, training loss and test error from several initial scales, with decay and "
        "without.",
        setup="Document: six layers, CIFAR10 classes 1 and 2, lambda .001 or 0, SGD with momentum "
        ".9, batches of 128, 1000 epochs. Here: a three-layer network on digits 3 and 8.",
        study="quickstart",
        presets={
            "tiny": TINY,
            "laptop": replace(LAPTOP, initial_rho=(1.0, 2.0, 5.0, 10.0, 20.0), seeds=5),
            "paper": PAPER,
        },
        draw=draw_time,
        claims=(
            Claim(
                "with decay, rho comes to rest at mu / (M + lambda)",
                "worst relative distance over the starts", off_the_line, below(0.05),
                explanation="Some directions have not come to rest (1.7).",
            ),
            Claim(
                "with decay, the final rho depends less on the initial one",
                "log-spread of final rho with decay over that without", remembered, below(0.5),
            ),
            Claim(
                "rho reaches a plateau", "relative change over the last fifth", still_moving,
                below(0.05),
            ),
        ),
    ),
}  # fmt: skip
