"""What the statements of section 8 are asked of: trained networks with a linear head.

Two ReLU layers, then three linear ones, K = 3 classes, N = 12 samples, in [Wide]'s symbols and
orientation: Z_0 = X is [features, samples], W_l is [fan_out, fan_in], and

    C_lambda = (1/2) |Z_L - Y|^2 + (lambda/2) |theta|^2,

which is N times `descending.cost` with N times its lambda, at N times the learning rate. What is
bounded, and by what, the library is asked (`Wide.said`).
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import ArrayLike

from .... import models
from ....dynamics.observables import balance, wide, wide_conditioning
from . import descending

NONLINEAR, LINEAR = 2, 3
NETWORK = models.mlp((6, 24, 16, 10, 8, 3), linear_layers=LINEAR - 1)
DECAY, RATE = 1e-3, 0.2
EARLY, LATE = 3_000, 20_000


class Wide(NamedTuple):
    """A point in [Wide]'s symbols.

    Attributes:
        layers: W_1, ..., W_L.
        passed: Z_0, ..., Z_L.
        said: What the library says of the point, by name: section 6's balance and negativity, the
            quantities of [Wide], and each bound as ``measured``, ``bound`` and perhaps ``sharper``.
    """

    layers: tuple[np.ndarray, ...]
    passed: tuple[np.ndarray, ...]
    said: dict[str, Any]


@functools.cache
def start() -> tuple[models.Problem, models.Weights]:
    """The data and where descent starts."""
    return descending.drawn(NETWORK, "one_hot", DECAY, scale=1.3)


@functools.cache
def trained(steps: int) -> Wide:
    """After so many steps."""
    problem, weights = start()
    return point(problem, descending.descend(problem, weights, RATE, steps))


def point(problem: models.Problem, weights: models.Weights) -> Wide:
    """Any weights of this network, in [Wide]'s symbols."""
    said = jax.jit(lambda *at: _said(*at))(problem, models.to_layers(weights))
    layers = tuple(np.asarray(layer).T for layer in weights)
    passed = [np.asarray(problem.inputs).T]
    for depth, layer in enumerate(layers):
        values = layer @ passed[-1]
        passed.append(np.maximum(values, 0) if depth < NONLINEAR else values)
    return Wide(layers, tuple(passed), jax.tree.map(np.asarray, said))


ASKED = {
    wide: ("quantities", "distance", "nc1", "condition", "nc2", "nc3", "power"),
    wide_conditioning: ("floor", "size", "condition_by_size", "kernel"),
}
"""What the library is asked, looked up at every call, so that a changed one is noticed."""


def _said(problem: models.Problem, view: models.View) -> dict[str, Any]:
    return {
        "balance": balance.balance(problem, view),
        "negativity": balance.negativity(problem, view),
        **{
            name: getattr(module, name)(problem, view, LINEAR - 1)
            for module, names in ASKED.items()
            for name in names
        },
    }


def over(said: Mapping[str, ArrayLike], form: str = "bound") -> float:
    """By how much what is measured exceeds an upper bound, see `above`."""
    return above(*(float(np.asarray(said[key])) for key in ("measured", form)))


def under(said: Mapping[str, ArrayLike], form: str = "bound") -> float:
    """By how much it falls short of a lower one."""
    return above(*(float(np.asarray(said[key])) for key in (form, "measured")))


def operator_norm(matrix: np.ndarray) -> float:
    """The largest singular value."""
    return float(np.linalg.norm(matrix, 2))


def least(matrix: np.ndarray) -> float:
    """The smallest of the min(rows, columns) singular values."""
    return float(np.linalg.svd(matrix, compute_uv=False)[-1])


def above(smaller: float, larger: float) -> float:
    """By how much smaller <= larger is violated, relative to the larger side; else zero.

    Round-off of 1e-12 is no violation: some of these inequalities are equalities when balanced. A
    bound that says nothing, infinite on its own side, counts as violated here.
    """
    if np.isinf(smaller) or np.isinf(larger):
        return np.inf
    beyond = (smaller - larger) / max(abs(larger), np.finfo(float).tiny)
    return beyond if not beyond <= 1e-12 else 0.0
