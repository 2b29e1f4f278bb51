"""A way of zero loss between two minima, for a first layer of 2N units and for narrower ones.

[Dyn] Theorem 2: from 2N units on, points of zero loss are connected. The document says nothing of
fewer; that there is no way then is what the theorem is sometimes read to say, and is asked too.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import BLUE, GREY, house_style
from ..studies.valley import LAPTOP, PAPER, TINY, part_of
from .claims import Claim, above, below
from .drawing import band, source_below
from .reproduction import Reproduction

LOWEST = 1e-14
FITTED = 1e-3
"""A loss that counts as none."""


def _by_width(datasets: Datasets) -> list[xr.Dataset]:
    """Parts from the narrowest network to the widest."""
    units = sorted(int(name.removeprefix("units_")) for name in datasets)
    return [datasets[part_of(number)] for number in units]


def height(data: xr.Dataset) -> xr.DataArray:
    """The largest loss of each pair's way; NaN where an end is no minimum of zero loss."""
    fits = data.end.max("which") < FITTED
    return data.loss.max("along").where(fits)


def widest(datasets: Datasets) -> xr.DataArray:
    """The height of the ways in the widest network."""
    return height(_by_width(datasets)[-1])


def narrowest(datasets: Datasets) -> xr.DataArray:
    """The height of the ways in the narrowest network."""
    return height(_by_width(datasets)[0])


def straight(datasets: Datasets) -> xr.DataArray:
    """The height of the straight lines in the widest network."""
    return _by_width(datasets)[-1].straight.max("along")


def draw(config: Any, datasets: Datasets) -> Figure:
    """Above, the loss along the ways; below, rho; one column per width, the widest first."""
    columns = _by_width(datasets)[::-1]
    with house_style():
        figure, grid = plt.subplots(
            2, len(columns), figsize=(3.7 * len(columns), 5.6), sharex=True, sharey="row",
            squeeze=False,
        )  # fmt: skip
        for (top, bottom), data, units in zip(
            grid.T, columns, sorted(config.units, reverse=True), strict=True
        ):
            band(top, np.maximum(data.straight, LOWEST), "along", color=GREY, label="straight line")
            band(top, np.maximum(data.loss, LOWEST), "along", color=BLUE, label="way found")
            top.axhline(FITTED, color=GREY, linestyle=":", linewidth=1.0)
            top.set(yscale="log", title=f"{units} units, {units / config.data.train:g} N: loss")
            band(bottom, data.rho, "along", color=BLUE)
            bottom.set(title="rho", xlabel="along the way")
        grid[0][0].legend(loc="lower center", fontsize=8)
        source_below(
            figure,
            f"{config.data.train} {config.data.name} {config.data.classes}, {config.seeds} pairs; "
            f"losses below {LOWEST:g} drawn there; dotted: counts as zero",
        )
        plt.close(figure)
    return figure


PILOT = "the claim was written when two pairs had been seen"

FIGURES = {
    "x-valley": Reproduction(
        document="[Dyn] Theorem 2",
        caption="Loss and rho along a way between two minima that optimisation has found, for a "
        "first layer of 2N units, of N and of N/2.",
        setup="No figure in the document. 20 digits 3 and 8, two layers, smoothed ReLUs, no decay; "
        "minima and ways by Adam, ten points between the ends, five pairs of seeds.",
        study="valley",
        presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
        draw=draw,
        claims=(
            Claim(
                "with 2N units two minima are connected at zero loss",
                "largest loss on the way found", widest, below(FITTED), afterwards=PILOT,
                explanation="A way that optimisation did not find may still be there.",
            ),
            Claim(
                "the straight line between them is no such way", "largest loss on it", straight,
                above(0.01), afterwards=PILOT,
            ),
            Claim(
                "with fewer units they are not", "largest loss on the way found, N/2 units",
                narrowest, above(FITTED), afterwards=PILOT,
                explanation="The theorem's condition is sufficient, not necessary: 2N units in the "
                "first layer are not needed on this data.",
            ),
        ),
    ),
}  # fmt: skip
