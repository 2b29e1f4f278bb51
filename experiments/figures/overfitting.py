"""[M112] section 6.1: long times, square loss against cross-entropy.

With decay the square loss comes to rest at a finite rho; without it, at interpolation. Under the
cross-entropy without decay nothing rests: rho grows like log t (theory, 10.2), and [M112] expects
overfitting, and the use of stopping early, to differ between the two at long times. A fifth of the
training labels is random, so that there is something to overfit. *Overfitting* is the test error at
the end less the least test error along the run: what stopping early would have gained.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from ..data import DataConfig
from ..experiment import Datasets
from ..studies.collapse import CIFAR_PAIR, LAPTOP, PAPER, TINY
from .claims import Claim, above, below
from .collapse_drawing import Panel, draw_panels, group
from .reproduction import Reproduction

LOSSES = ("square", "cross_entropy")
HERE = replace(
    LAPTOP,
    data=DataConfig(name="mnist5k", classes=(3, 8), train=200, test=800, side=10, centre=True),
    hidden=(32, 32),
    targets="one_hot",
    losses=LOSSES,
    batch_sizes=(20,),
    label_noise=(0.2,),
    decay=(0.0, 1e-3),
    initial_rho=(60.0,),
    seeds=5,
    steps=6000,
    learning_rate=0.05,
)
SHORT = replace(
    TINY, data=replace(TINY.data, classes=(3, 8), train=40), losses=LOSSES, label_noise=(0.2,),
    decay=(0.0, 1e-3),
)  # fmt: skip
PANELS = (
    Panel("test_error", "test error", linear=True, top=0.25),
    Panel("train_error", "training error, of labels with noise", linear=True, top=0.25),
    Panel("rho", "rho"),
)


def of_loss(datasets: Datasets, loss: str, decay: str) -> xr.Dataset:
    """The members under a loss ``[seed, time]``, with decay or without."""
    data = next(one for way, one in datasets.items() if way.startswith(f"{loss}-"))
    return group(data, decay=float(data.decay.max()) if decay == "with" else 0.0)


def draw(config: Any, datasets: Datasets) -> Figure:
    """Errors and rho over time, for each loss with decay and without."""
    groups = {
        f"{loss.replace('_', '-')}, lambda = {value:g}": of_loss(datasets, loss, decay)
        for loss in config.losses
        for decay, value in (("without", 0.0), ("with", max(config.decay)))
    }
    source = (
        f"{config.data.name} {config.data.classes}, {config.data.train} images with "
        f"{100 * config.label_noise[0]:g} % of labels random, {config.seeds} seeds"
    )
    return draw_panels(groups, PANELS, source)


def overfits(loss: str, decay: str) -> Callable[[Datasets], xr.DataArray]:
    """A measure: the test error at the end less its least value along the run."""

    def measure(datasets: Datasets) -> xr.DataArray:
        error = of_loss(datasets, loss, decay).test_error
        return error.isel(time=-1) - error.min("time", skipna=False)

    return measure


def overfits_more(datasets: Datasets) -> xr.DataArray:
    """Overfitting of the cross-entropy less that of the square loss, both without decay."""
    entropy = overfits("cross_entropy", "without")(datasets)
    return entropy - overfits("square", "without")(datasets)


def grown(loss: str, decay: str) -> Callable[[Datasets], xr.DataArray]:
    """A measure: rho at the end over rho at half of the time."""

    def measure(datasets: Datasets) -> xr.DataArray:
        rho = of_loss(datasets, loss, decay).rho
        return rho.isel(time=-1) / rho.isel(time=rho.sizes["time"] // 2)

    return measure


FITS = (
    "Both losses fit all labels, the random ones too, long before the end, and this lambda does "
    "not prevent it. What then counts is which fit they come to; the cross-entropy's errs less."
)
RHO = "rho at the end over rho at half time"
GAIN = "final less least test error"
FIGURES = {
    "x-overfitting": Reproduction(
        document="[M112] section 6.1",
        caption="Test error and rho at long times under the square loss and the cross-entropy.",
        setup="Document: a discussion without a set-up. Here: digits 3 and 8, 200 images with a "
        "fifth of the labels random, one-hot targets, an MLP with two hidden layers of 32 units, "
        "SGD with momentum .9, batches of 20, rate .05, lambda sum_k |W_k|^2 with lambda 0 or "
        "1e-3, 600 epochs.",
        study="collapse",
        presets={
            "tiny": SHORT,
            "laptop": HERE,
            "paper": replace(
                PAPER, data=CIFAR_PAIR,
                network="m117", losses=LOSSES, label_noise=(0.2,), decay=(0.0, 1e-3), steps=780_000,
            ),
        },
        draw=draw,
        claims=(
            Claim(
                "without decay rho goes on growing under the cross-entropy", RHO,
                grown("cross_entropy", "without"), above(1.02),
            ),
            Claim(
                "without decay rho comes to rest under the square loss", RHO,
                grown("square", "without"), below(1.02),
            ),
            Claim(
                "the square loss with decay needs no early stopping", GAIN,
                overfits("square", "with"), below(0.02), explanation=FITS,
            ),
            Claim(
                "without decay the square loss overfits labels with noise", GAIN,
                overfits("square", "without"), above(0.02),
            ),
            Claim(
                "without decay the cross-entropy overfits more than the square loss",
                "difference of final less least test error", overfits_more, above(0.0),
                explanation=FITS,
            ),
        ),
    ),
}  # fmt: skip
