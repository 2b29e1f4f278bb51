"""[Dyn] section 3.5: half of all random starts have a positive mean margin.

Exactly half of them must, whatever the data (`studies.random_starts`). Being right on average says
little about being right: of starts with mu > 0 hardly any separates the training set, and their
errors are far from zero.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import PREDICTED, house_style
from ..studies.random_starts import LAPTOP, PAPER, TINY
from .claims import Claim, above, below, within
from .drawing import SERIES, source_below
from .measures import cube
from .reproduction import Reproduction


def _starts(datasets: Datasets) -> xr.Dataset:
    """``[seed, layers, draw]``."""
    return cube(datasets["starts"], "seed", "layers")


def share(datasets: Datasets) -> xr.DataArray:
    """Share of starts with mu > 0, over all depths."""
    return (_starts(datasets).mu > 0).mean(("layers", "draw"))


def furthest(datasets: Datasets) -> xr.DataArray:
    """Largest distance of a depth's share from a half."""
    return np.abs((_starts(datasets).mu > 0).mean("draw") - 0.5).max("layers")


def separable(datasets: Datasets) -> xr.DataArray:
    """Share of starts that separate the training set."""
    return (_starts(datasets).train_error == 0).mean(("layers", "draw"))


def error_of_average_separable(datasets: Datasets) -> xr.DataArray:
    """Mean training error of the starts with mu > 0."""
    found = _starts(datasets)
    return found.train_error.where(found.mu > 0).mean(("layers", "draw"))


def draw(config: Any, datasets: Datasets) -> Figure:
    """Left: mu of all starts by depth. Right: the share with mu > 0, one point for each seed."""
    found = _starts(datasets)
    with house_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.6))
        for number, layers in enumerate(found.layers.values):
            own, colour = found.sel(layers=layers), SERIES[number % len(SERIES)]
            mu = own.mu.values.ravel()
            left.hist(
                mu / mu.std(), bins=60, range=(-4, 4), histtype="step", density=True,
                color=colour, label=f"{layers} layers", linestyle=("-", "--", ":")[number % 3],
            )  # fmt: skip
            shares = 100 * (own.mu > 0).mean("draw")
            right.plot(np.full(shares.size, number), shares, "o", color=colour)
        left.set_title("density of random starts", fontsize=9.5)
        left.set_xlabel("mean margin mu over its standard deviation")
        left.legend(fontsize=8, labelcolor="linecolor")
        right.axhline(50, **PREDICTED)
        right.set_xticks(range(found.sizes["layers"]), [f"{n} layers" for n in found.layers.values])
        right.set_xlim(-0.5, found.sizes["layers"] - 0.5)
        right.set_ylim(40, 60)
        right.set_title(f"share with mu > 0, % of {config.draws}; a point per seed", fontsize=9.5)
        source_below(figure, f"{config.data.name} {config.data.classes}, {config.seeds} seeds")
        plt.close(figure)
    return figure


MORE_STARTS = "four times as many starts, since 1,000 left it undecided"

FIGURES = {
    "x-half-separable": Reproduction(
        document="[Dyn] section 3.5",
        caption="The mean margin of random starts, and the share of them in which it is positive.",
        setup="Document: half of all random starts are expected to be average-separable; no set-up "
        "is given. Here: digits 3 and 8, 200 images, networks of 2, 3 and 6 layers of 64 units, "
        "4,000 starts for each of 5 seeds.",
        study="random_starts",
        presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
        draw=draw,
        claims=(
            Claim(
                "half of all random starts have a positive mean margin",
                "share of starts with mu > 0, all depths", share, within(0.48, 0.52),
                afterwards=MORE_STARTS,
            ),
            Claim(
                "the share does not depend on the depth", "largest distance of a depth from 1/2",
                furthest, below(0.05), afterwards=MORE_STARTS,
            ),
            Claim(
                "a random start does not separate the training set", "share that does", separable,
                below(0.001),
            ),
            Claim(
                "right on average is far from right", "mean training error where mu > 0",
                error_of_average_separable, above(0.25),
            ),
        ),
    ),
}  # fmt: skip
