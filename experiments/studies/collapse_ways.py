"""Ways of moving in the study of collapse: which network, which descent, and what is looked at.

A way is a loss, a batch size and a choice of coordinates (`studies.collapse`); everything else is
the configuration's.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from ... import dynamics, models
from ...dynamics.observables import collapse as metrics
from ...dynamics.observables import with_options
from ..data import Dataset

OBSERVED = (
    "loss", "unregularised_loss", "rho", "mu", "sigma", "least_margin", "train_error", "norm_drift",
    "nc1_ratio", "nc1_within", "nc2_norms", "nc2_norm_variance", "nc2_angles", "nc3_duality", "nc4",
)  # fmt: skip
OF_CLASSIFIERS = ("nc2_norms", "nc2_angles")

NORMALISATIONS = {
    "free": dynamics.normalisation.free(),
    "lagrange": dynamics.normalisation.sphere(),
    "literal_lagrange": dynamics.normalisation.lagrange(),
    "weight_norm": dynamics.normalisation.frozen_gain(),
    "batch_norm": dynamics.normalisation.batch_norm(),
}
CONVOLUTIONAL = {
    "dyn": models.documented.dyn_six_layers,
    "m117": models.documented.m112_four_layers,
    "ncwd": models.documented.ncwd_five_layers,
}
"""Networks of the documents, without batch norm unless the coordinates ask for it."""


class Way(NamedTuple):
    """One way of moving: a loss, a batch size (0 for all samples), coordinates."""

    loss: str
    batch_size: int
    coordinates: str

    def __str__(self) -> str:
        return f"{self.loss}-{self.batch_size or 'all'}-{self.coordinates}"


def ways(config: Any) -> list[Way]:
    """All ways of moving of a configuration, in the order in which they are run."""
    every = itertools.product(config.losses, config.batch_sizes, config.coordinates)
    return [Way(*each) for each in every]


def network_of(config: Any, way: Way, data: Dataset) -> models.Network:
    """The network of a way, for the images of a data set."""
    normed = way.coordinates == "batch_norm"
    outputs = 1 if config.targets == "signs" else len(data.classes)
    image = data.train_inputs.shape[1:]
    if config.network == "mlp":
        return models.mlp((math.prod(image), *config.hidden, outputs), batch_norm=normed)
    make = CONVOLUTIONAL[config.network]
    return make(image, outputs, divide=config.divide, batch_norm=normed)


def descent_of(config: Any, way: Way, problem: models.Problem) -> dynamics.Dynamics:
    """SGD, or descent on all samples, at a rate that falls where the configuration says."""
    given: dict[str, Any] = {
        "momentum": config.momentum,
        "normalisation": NORMALISATIONS[way.coordinates],
    }
    rate: float | Callable[[Any], Any] = config.learning_rate
    if config.drops:
        falls = {round(share * config.steps): 0.1 for share in config.drops}
        rate = optax.piecewise_constant_schedule(config.learning_rate, falls)
    if way.batch_size == 0:
        return dynamics.gradient_descent(problem, rate, **given)
    return dynamics.sgd(problem, rate, batch_size=way.batch_size, **given)


def look_of(way: Way, test: tuple[jax.Array, jax.Array]) -> dynamics.Observe:
    """What is looked at; where rho would rest is known for the square loss only."""
    own = {
        f"{name}_classifiers": with_options(getattr(metrics, name), of="classifiers")
        for name in OF_CLASSIFIERS
    }
    own["nc3_uncentred"] = with_options(metrics.nc3_duality, centred=False)
    more = ("rho_eq", "gap") if way.loss == "square" else ()
    return dynamics.observe(*OBSERVED, *more, test_error=dynamics.error_on(*test), **own)
