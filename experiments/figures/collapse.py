"""[NCWD] Figs. 1 and 2: what weight decay makes of neural collapse.

Networks of five layers without biases learn ten classes with one-hot targets, without decay and
with two values of it. All reach zero training error and a small loss; with decay the metrics of
collapse should end lower.

One-hot targets without biases lead to an orthogonal frame, whose *uncentred* class means are dual
to the classifiers (theory, 7.5). Its centred means are a simplex, so that NC1 and NC2 can vanish,
while NC3 of centred means rests at sqrt(2 - 2 sqrt((C-1)/C)), the dashed line. [NCWD]'s variance of
the norms has a scale, which decay shrinks by itself; we divide the deviation by the mean.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..data import DataConfig
from ..experiment import Datasets
from ..studies.collapse import LAPTOP, PAPER, TINY
from .claims import Claim, below
from .collapse_drawing import (
    LOSS,
    NC1,
    NC2_ANGLES,
    NC2_NORMS,
    NC3,
    NC4,
    draw_panels,
    group,
    last,
    only,
)
from .reproduction import Reproduction

DECAYS = (0.0, 1e-4, 3e-4)

MNIST = replace(
    LAPTOP,
    data=DataConfig(name="mnist5k", train=500, test=500, side=10, centre=True),
    hidden=(48, 48, 48, 48),
    decay=DECAYS,
    initial_rho=(5000.0,),
    seeds=5,
    steps=10_000,
    drops=(0.8,),
    looks=41,
    learning_rate=0.1,
)
DIGITS = replace(MNIST, data=DataConfig(name="digits", train=500, test=500, centre=True))
SHORT = replace(TINY, decay=DECAYS)


def frame_duality(classes: int) -> float:
    """NC3 of centred means at an orthogonal frame, where W and the class means are parallel."""
    return math.sqrt(2 - 2 * math.sqrt((classes - 1) / classes))


def draw(config: Any, datasets: Datasets) -> Figure:
    """The loss and five metrics over time, one curve for each lambda."""
    data = only(datasets)
    groups = {f"lambda = {decay:g}": group(data, decay=decay) for decay in sorted(config.decay)}
    classes = len(config.data.classes) or 10
    predicted = NC3._replace(predicted=frame_duality(classes))
    source = f"{config.data.name}, {config.data.train} images, {config.seeds} seeds"
    return draw_panels(groups, (LOSS, NC1, NC2_NORMS, NC2_ANGLES, predicted, NC4), source)


def _decays(datasets: Datasets) -> np.ndarray:
    """The values of lambda that are not zero, in increasing order."""
    return np.unique(only(datasets).decay)[1:]


def loss_apart(datasets: Datasets) -> xr.DataArray:
    """Largest difference of the final training loss with and without decay, over the start's."""
    without = group(only(datasets), decay=0.0).unregularised_loss
    first, end = without.isel(time=0), without.isel(time=-1)
    losses = [last(only(datasets), decay=value).unregularised_loss for value in _decays(datasets)]
    return np.abs(xr.concat(losses, "decay") - end).max("decay", skipna=False) / first


def worst_error(datasets: Datasets) -> xr.DataArray:
    """Largest final training error over the values of lambda."""
    every = (0.0, *_decays(datasets))
    errors = [last(only(datasets), decay=value).train_error for value in every]
    return xr.concat(errors, "decay").max("decay", skipna=False)


def lowered(name: str, which: int = 0) -> Callable[[Datasets], xr.DataArray]:
    """A measure: a metric's end with decay over its end without.

    Args:
        name: The metric.
        which: Of the values of lambda, 0 for the smaller one.
    """

    def measure(datasets: Datasets) -> xr.DataArray:
        with_decay = last(only(datasets), decay=_decays(datasets)[which])
        return with_decay[name] / last(only(datasets), decay=0.0)[name]

    return measure


def uncentred_over_centred(datasets: Datasets) -> xr.DataArray:
    """NC3 of uncentred class means over that of centred ones, with the smaller decay."""
    end = last(only(datasets), decay=_decays(datasets)[0])
    return end.nc3_uncentred / end.nc3_duality


SMALLER = "end with the smaller lambda over end without decay"
LARGER = "end with the larger lambda over end without decay"
FLOOR = (
    "At rest with decay the residuals are of the order of lambda, and features may still vary "
    "where the classifiers do not look (7.5): a larger lambda collapses sooner, to a higher floor."
)
SPREAD = (
    "The mean falls as the document says; so few seeds differ too much to be sure of the size. "
    "Decay works at the rate lambda, and the runs end at lambda t = 0.8."
)
CLAIMS = (
    Claim(
        "the training loss is similar with decay and without",
        "largest difference of the final losses over the loss at the start", loss_apart,
        below(0.01),
    ),
    Claim(
        "all reach 100 % training accuracy", "worst final training error over the lambdas",
        worst_error, below(0.005),
    ),
    Claim(
        "NC1 is lower with decay", SMALLER, lowered("nc1_ratio"), below(0.8), explanation=SPREAD,
    ),
    Claim(
        "NC1 is lower with more decay, too", LARGER, lowered("nc1_ratio", 1), below(0.8),
        explanation=FLOOR,
    ),
    Claim(
        "NC2 is lower with decay: norms of class means", SMALLER, lowered("nc2_norms"), below(0.9),
        explanation=SPREAD,
    ),
    Claim(
        "NC2 is lower with decay: angles of class means", SMALLER, lowered("nc2_angles"),
        below(0.9), explanation=SPREAD,
    ),
    Claim(
        "NC3 is lower with decay: centred class means", SMALLER, lowered("nc3_duality"), below(0.9),
    ),
    Claim(
        "corrected: with one-hot targets it is the uncentred means that are dual",
        "NC3 of uncentred means over NC3 of centred ones, smaller lambda", uncentred_over_centred,
        below(0.7),
        explanation="The frame is where layers are balanced, many 1/lambda away (3.4, 7.5): these "
        "runs end at lambda t = 0.8, where class means share more than classifiers do.",
    ),
)  # fmt: skip


def _figure(document: str, caption: str, setup: str, laptop: Any, paper: Any) -> Reproduction:
    return Reproduction(
        document=document,
        caption=caption,
        setup="Document: five layers without biases, SGD with momentum, two values of weight "
        f"decay and none (values not given), to zero training error. {setup}",
        study="collapse",
        presets={"tiny": SHORT, "laptop": laptop, "paper": replace(paper, decay=DECAYS)},
        draw=draw,
        claims=CLAIMS,
    )


HERE = (
    "an MLP with four hidden layers of 48 units, one-hot targets, lambda sum_k |W_k|^2 with lambda "
    "0, 1e-4 and 3e-4, batches of 50, rate .1, a tenth of it for the last fifth."
)
FIGURES = {
    "ncwd-1": _figure(
        "[NCWD] Fig. 1",
        "Training loss and NC1 to NC3 of ten classes with decay and without: small digits in place "
        "of CIFAR10.",
        f"CIFAR10, presumably all ten classes. Here: 500 digits of 8x8 pixels stand in, {HERE}",
        DIGITS,
        replace(PAPER, data=DataConfig(name="cifar10", train=50_000, test=10_000, centre=True)),
    ),
    "ncwd-2": _figure(
        "[NCWD] Fig. 2",
        "Training loss and NC1 to NC3 of the ten classes of MNIST with decay and without.",
        f"MNIST. Here: 500 of its images at 10x10 pixels, {HERE}",
        MNIST,
        PAPER,
    ),
}
