"""The coastline L*(rho), the least loss at each radius, and the equilibria on it.

No dynamics gets below L*(rho). With decay the loss is least where L*(rho) + lambda rho^2 is, which
makes equilibria the points of the coastline whose slope is -2 lambda rho: between two of them

    L*(rho_2) - L*(rho_1) = - integral 2 lambda rho drho,

which the trapezoidal rule in rho turns into -(lambda_1 rho_1 + lambda_2 rho_2)(rho_2 - rho_1).
Source: [Dyn] section 3.5 for the picture; L* and its relation to the equilibria are ours.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import BLUE, GREY, ORANGE, house_style
from .claims import Claim, below
from .drawing import source_below
from .landscape import PRESETS, UNREACHED
from .reproduction import Reproduction


def rises(datasets: Datasets) -> float:
    """The largest rise of the coastline, the least over starts, from one radius to the next."""
    return float(np.diff(datasets["coastline"].loss.min("seed")).max())


def off_the_coast(datasets: Datasets) -> xr.DataArray:
    """Worst distance of the equilibria's loss above the coastline of all starts, over lambda."""
    coast = datasets["coastline"]
    shore = np.interp(coast.rho_eq, coast.rho, coast.loss.min("seed"))
    return xr.DataArray((coast.loss_eq - shore).max("decay", skipna=False), dims="seed")


def off_the_slope(datasets: Datasets) -> xr.DataArray:
    """Worst relative distance between fall of the loss and the integral of 2 lambda rho."""
    coast = datasets["coastline"].transpose("seed", "decay", ...)
    rho, pull = coast.rho_eq.values, (coast.rho_eq * coast.decay).transpose("seed", "decay").values
    fall = -np.diff(coast.loss_eq.values, axis=1)
    predicted = (pull[:, 1:] + pull[:, :-1]) * np.diff(rho, axis=1)
    return xr.DataArray(np.abs(fall / predicted - 1).max(axis=1), dims="seed")


def draw(config: Any, datasets: Datasets) -> Figure:
    """The coastline of each start and of all, with the equilibria on it."""
    coast = datasets["coastline"]
    loss = np.maximum(coast.loss, 1e-8)
    with house_style():
        figure, axes = plt.subplots(figsize=(6.4, 4.0))
        axes.plot(loss.rho, loss, color=GREY, linewidth=0.7, alpha=0.7)
        axes.plot(loss.rho, loss.min("seed"), color=BLUE, linewidth=2.2, label="L*, least of all")
        axes.plot([], [], color=GREY, linewidth=0.7, label="each start")
        axes.plot(
            coast.rho_eq.values.ravel(), coast.loss_eq.values.ravel(), "o", color=ORANGE,
            markersize=4, label="equilibria with decay",
        )  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel="rho", ylabel="loss without decay")
        axes.legend()
        source_below(
            figure,
            f"{config.data.train} {config.data.name} {config.data.classes}, {config.seeds} starts; "
            "losses below 1e-8 drawn there",
        )
        plt.close(figure)
    return figure


FIGURES = {
    "x-coastline": Reproduction(
        document="[Dyn] section 3.5",
        caption="The least loss at each radius, and equilibria for several lambda.",
        setup="No figure in the documents. 20 digits 3 and 8, two hidden layers of 12 smoothed "
        "ReLUs, five starts, lambda from .01 to .0001.",
        study="landscape",
        presets=PRESETS,
        draw=draw,
        claims=(
            Claim(
                "the least loss never rises with rho", "largest rise from a radius to the next",
                rises, below(1e-3), exact=True, explanation=UNREACHED,
            ),
            Claim(
                "equilibria with decay lie on the coastline",
                "worst height of their loss above it", off_the_coast, below(0.02),
                explanation="They are local minima: from some starts the branch does not lead to "
                "the least loss.",
            ),
            Claim(
                "at an equilibrium the coastline has the slope -2 lambda rho",
                "fall of the loss over the integral of 2 lambda rho, worst distance from 1",
                off_the_slope, below(0.3),
                explanation="The trapezoidal rule over factors of three in lambda; a jump means "
                "that a branch of equilibria has ended.",
            ),
        ),
    ),
}  # fmt: skip
