"""[Dyn] Fig. 9 and [M117] Fig. 6: neural collapse of two classes, with weight norm and batch norm.

Both figures show NC1, NC2 (and NC3) falling over training with decay. Of two classes the centred
class means are equally long and opposite for *any* features, so that their NC2 is zero from the
start (theory, 7.2). What can collapse are the two classifier vectors, the rows of the last layer,
whose NC2 we show beside it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from ..data import DataConfig
from ..experiment import Datasets
from ..studies.collapse import CIFAR_PAIR, LAPTOP, PAPER, TINY
from .claims import Claim, below
from .collapse_drawing import (
    LOSS,
    NC1,
    NC2_ANGLES,
    NC2_NORMS,
    NC3,
    RHO,
    ROWS_ANGLES,
    ROWS_NORMS,
    draw_panels,
    group,
    only,
)
from .reproduction import Reproduction

TWO = replace(
    LAPTOP,
    data=DataConfig(name="mnist5k", classes=(3, 8), train=400, test=400, side=10, centre=True),
    hidden=(48, 48, 48),
    targets="centred",
    drops=(0.5, 0.8),
    seeds=5,
)
WEIGHT_NORM = replace(
    TWO,
    coordinates=("weight_norm",),
    decay=(1.25e-6,),
    initial_rho=(100.0,),
    steps=6000,
    learning_rate=0.01,
)
BATCH_NORM = replace(
    TWO,
    coordinates=("batch_norm",),
    decay=(5e-3,),
    initial_rho=(3.0,),
    steps=6000,
    learning_rate=0.01,
)
SHORT = replace(
    TINY, data=replace(TINY.data, classes=(3, 8), train=40), targets="centred", drops=(0.5, 0.8),
    decay=(5e-4,),
)  # fmt: skip
CIFAR = replace(
    PAPER,
    data=CIFAR_PAIR,
    targets="centred",
)


def draw(config: Any, datasets: Datasets) -> Figure:
    """The loss, NC1, NC3, rho, and NC2 of the classifiers, over time."""
    found = {f"lambda = {config.decay[0]:g}": group(only(datasets))}
    panels = (LOSS, NC1, NC3, RHO, ROWS_NORMS, ROWS_ANGLES)
    source = (
        f"{config.data.name} {config.data.classes}, {config.data.train} images, "
        f"{config.seeds} seeds; NC2 of two centred class means vanishes for any features"
    )
    return draw_panels(found, panels, source)


def end(name: str) -> Callable[[Datasets], xr.DataArray]:
    """A measure: a metric at the end."""
    return lambda datasets: group(only(datasets))[name].isel(time=-1)


def left(name: str) -> Callable[[Datasets], xr.DataArray]:
    """A measure: a metric at the end over what it was at the start."""

    def measure(datasets: Datasets) -> xr.DataArray:
        values = group(only(datasets))[name]
        return values.isel(time=-1) / values.isel(time=0)

    return measure


def largest_of_means(datasets: Datasets) -> float:
    """The largest NC2 of the class means, norms or angles, of all seeds and times."""
    found = group(only(datasets))
    return max(float(found[panel.name].max()) for panel in (NC2_NORMS, NC2_ANGLES))


REST = "end over start"
NC1_FALLS = Claim("NC1 falls to a tenth or less", REST, left("nc1_ratio"), below(0.1))
NC2_FALLS = (
    Claim(
        "NC2 of the classifiers falls to a half or less: norms", REST,
        left("nc2_norms_classifiers"), below(0.5),
    ),
    Claim(
        "NC2 of the classifiers falls to a half or less: angles", REST,
        left("nc2_angles_classifiers"), below(0.5),
    ),
    Claim(
        "as it must for any features, NC2 of two centred class means is zero throughout",
        "largest NC2 of the means over seeds and times", largest_of_means, below(1e-3), exact=True,
        explanation="It carries no information for two classes (7.2).",
    ),
)  # fmt: skip

FIGURES = {
    "dyn-9": Reproduction(
        document="[Dyn] Fig. 9",
        caption="NC1, NC2 and NC3 of two classes over training, with weight norm and decay.",
        setup="Document: six layers, CIFAR10 classes 1 and 2, weight norm, weight decay 5e-4, rate "
        ".067 in steps, batches of 128, 750 epochs. Here: digits 3 and 8, 400 images, an MLP with "
        "three hidden layers of 48 units, gains frozen but for one rho that starts at 100, rate "
        ".01 falling to a tenth twice; we read the decay as of the sum over the samples, "
        "lambda = 5e-4 / 400.",
        study="collapse",
        presets={
            "tiny": SHORT,
            "laptop": WEIGHT_NORM,
            "paper": replace(
                CIFAR, network="dyn", coordinates=("weight_norm",), decay=(5e-8,),
                initial_rho=(100.0,), learning_rate=0.067, steps=58_500,
            ),
        },
        draw=draw,
        claims=(
            NC1_FALLS,
            *NC2_FALLS,
            Claim("NC3 falls to a half or less", REST, left("nc3_duality"), below(0.5)),
        ),
    ),
    "m117-6": Reproduction(
        document="[M117] Fig. 6",
        caption="NC1 and NC2 of two classes over training, with batch norm and decay.",
        setup="Document: three convolutions with batch norm, CIFAR10 classes 1 and 2, every layer "
        "of norm 3 at the start, weight decay .01, rate .01 in steps, 350 epochs. Here: digits 3 "
        "and 8, 400 images, an MLP with three hidden layers of 48 units with batch norm, the top "
        "layer of norm 3 and the others, which have no scale, of norm 1; lambda = .01 / 2.",
        study="collapse",
        presets={
            "tiny": SHORT,
            "laptop": BATCH_NORM,
            "paper": replace(
                CIFAR, network="m117", coordinates=("batch_norm",), decay=(5e-3,),
                initial_rho=(3.0,), learning_rate=0.01, steps=27_300,
            ),
        },
        draw=draw,
        claims=(
            NC1_FALLS,
            Claim(
                "NC1 comes close to zero", "at the end", end("nc1_ratio"), below(0.05),
                explanation="It is still falling when the run ends, at lambda t = 1.6.",
            ),
            *NC2_FALLS,
        ),
    ),
}  # fmt: skip
