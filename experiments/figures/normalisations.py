"""Normalisations compared: the Lagrange multiplier, weight norm and batch norm.

[M112] 2.3 and [M117] H hold that weight norm, the Lagrange multiplier and (as a model) batch norm
lead to the same dynamics: unit layers under one rho. For the flow of weight norm with vectors of
length one this is exact (theory, 4.5); in steps its vectors lengthen by eta^2 |grad|^2 and slow
the directions (4.6). The multiplier as [M117] (7) prints it is said not to change the norms; it
repels the unit sphere where rho > mu/M (2.8), which is why ours brings layers back. Batch norm
makes hidden layers scale-free (4.7), with another function behind the same rho, the top layer's
norm.

Layer norm is not in the library, and left out.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..data import DataConfig
from ..experiment import Datasets
from ..studies.collapse import CIFAR_PAIR, LAPTOP, PAPER, TINY
from .claims import Claim, below
from .collapse_drawing import LOSS, NC1, Panel, draw_panels, group
from .reproduction import Reproduction

COORDINATES = ("lagrange", "weight_norm", "batch_norm", "literal_lagrange")
NAMES = {
    "lagrange": "Lagrange multiplier",
    "weight_norm": "weight norm",
    "batch_norm": "batch norm",
    "literal_lagrange": "multiplier as printed",
}
COMPARED = COORDINATES[:3]

HERE = replace(
    LAPTOP,
    data=DataConfig(name="mnist5k", classes=(3, 8), train=100, test=400, side=10, centre=True),
    hidden=(32, 32),
    targets="centred",
    coordinates=COORDINATES,
    batch_sizes=(20,),
    decay=(1e-4,),
    initial_rho=(10.0,),
    seeds=5,
    steps=4000,
    learning_rate=0.01,
)
SHORT = replace(
    TINY, data=replace(TINY.data, classes=(3, 8), train=40), targets="centred",
    coordinates=COORDINATES, decay=(1e-4,), initial_rho=(5.0,), learning_rate=0.005,
)  # fmt: skip
PANELS = (
    Panel("rho_share", "rho (M + lambda) / mu: 1 at rest", predicted=1.0, linear=True, top=2.0),
    Panel("rho", "rho"),
    LOSS,
    Panel("spread", "spread of the margins, sigma / mu"),
    NC1,
    Panel("drift", "largest | |V_k| - 1 |"),
)


def by_coordinates(datasets: Datasets) -> dict[str, xr.Dataset]:
    """Each way's members ``[seed, time]`` by its coordinates, with what is made of them."""
    found = {way.split("-")[2]: group(data) for way, data in datasets.items()}
    return {
        coordinates: one.assign(
            rho_share=one.rho / one.rho_eq,
            spread=np.abs(one.sigma / one.mu),
            drift=one.norm_drift.max("layer"),
        )
        for coordinates, one in sorted(found.items(), key=lambda each: COORDINATES.index(each[0]))
    }


def draw(config: Any, datasets: Datasets) -> Figure:
    """Rho, loss, margins, NC1 and the norms' drift over time, one curve for each normalisation."""
    found = {NAMES[coordinates]: one for coordinates, one in by_coordinates(datasets).items()}
    source = (
        f"{config.data.name} {config.data.classes}, {config.data.train} images, "
        f"lambda = {config.decay[0]:g}, {config.seeds} seeds"
    )
    return draw_panels(found, PANELS, source)


def apart(datasets: Datasets) -> xr.DataArray:
    """Largest relative distance of rho(t) with weight norm from that with the multiplier."""
    found = by_coordinates(datasets)
    ratio = found["weight_norm"].rho / found["lagrange"].rho
    return np.abs(ratio - 1).max("time", skipna=False)


def _ends(datasets: Datasets) -> xr.Dataset:
    """The last look, ``[seed, way]``, of the three normalisations that are compared."""
    found = by_coordinates(datasets)
    ends = [found[coordinates].isel(time=-1) for coordinates in COMPARED]
    return xr.concat(ends, "way", coords="minimal", compat="override")


def off_the_line(datasets: Datasets) -> xr.DataArray:
    """Worst relative distance of the final rho from mu / (M + lambda)."""
    return np.abs(_ends(datasets).rho_share - 1).max("way", skipna=False)


def worst_error(datasets: Datasets) -> xr.DataArray:
    """Largest final training error."""
    return _ends(datasets).train_error.max("way", skipna=False)


def errors_apart(datasets: Datasets) -> xr.DataArray:
    """Largest less smallest final test error."""
    error = _ends(datasets).test_error
    return error.max("way", skipna=False) - error.min("way", skipna=False)


def rho_apart(datasets: Datasets) -> xr.DataArray:
    """Largest final rho over the smallest."""
    rho = _ends(datasets).rho
    return rho.max("way", skipna=False) / rho.min("way", skipna=False)


def drifted(datasets: Datasets) -> xr.DataArray:
    """Largest | |V_k| - 1 | at any time under the multiplier as printed."""
    drift = by_coordinates(datasets)["literal_lagrange"].drift
    return drift.max("time", skipna=False)


FIGURES = {
    "x-normalisations": Reproduction(
        document="[M117] appendix H",
        caption="rho, loss, margins and NC1 with a multiplier, weight norm and batch norm.",
        setup="Document: the three are said to have the same dynamics; no set-up is given. Here: "
        "digits 3 and 8, 100 images, an MLP with two hidden layers of 32 units and two outputs, "
        "SGD with momentum .9, batches of 20, rate .01, lambda 1e-4, rho from 10. Batch norm's "
        "hidden weights decay too, which changes no output. The library has no layer norm.",
        study="collapse",
        presets={
            "tiny": SHORT,
            "laptop": HERE,
            "paper": replace(
                PAPER, data=CIFAR_PAIR,
                network="m117", targets="centred", coordinates=COORDINATES, decay=(5e-7,),
                initial_rho=(100.0,), learning_rate=0.01,
            ),
        },
        draw=draw,
        claims=(
            Claim(
                "weight norm and the Lagrange multiplier move alike",
                "largest relative distance of rho(t)", apart, below(0.05),
                explanation="Weight norm's vectors lengthen, which slows directions (4.6).",
            ),
            Claim(
                "all three come to rest at mu / (M + lambda)",
                "worst relative distance of the final rho", off_the_line, below(0.05),
                explanation="rho relaxes at the rate 2 (M + lambda), and lags.",
            ),
            Claim("all three fit the training set", "worst final training error", worst_error,
                  below(0.005)),
            Claim("all three generalise alike", "largest less smallest final test error",
                  errors_apart, below(0.03)),
            Claim(
                "all three come to the same rho", "largest final rho over the smallest", rho_apart,
                below(1.1),
                explanation="Batch norm standardises hidden units: the same rho stands before "
                "another function (4.7).",
            ),
            Claim(
                "the multiplier as printed does not change the norms",
                "largest | |V_k| - 1 |", drifted, below(0.01),
                explanation="It repels the sphere where rho > mu/M, and steps lengthen V_k (2.8).",
            ),
        ),
    ),
}  # fmt: skip
