"""What the statements of section 8 are asked of: trained networks with a linear head.

Two ReLU layers, then three linear ones, K = 3 classes, N = 12 samples, in [Wide]'s symbols and
orientation: Z_0 = X is [features, samples], W_l is [fan_out, fan_in], and

    C_lambda = (1/2) |Z_L - Y|^2 + (lambda/2) |theta|^2,

which is N times `descending.cost` with N times its lambda, at N times the learning rate.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .... import models
from ....dynamics.observables import balance
from ....dynamics.observables import collapse as metrics
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
        targets: Y.
        error: eps_1 = |Z_L - Y|.
        imbalance: eps_2, by the library.
        size: r, the largest operator norm of Z_{L-2}, Z_{L-1} and the W_l of the head.
        conditions: kappa(W_L ... W_l) of the head, by the library; c_3 is the first.
        metrics: NC1, NC2 and NC3 of [Wide], and section 6's balance and negativity, by the library.
    """

    layers: tuple[np.ndarray, ...]
    passed: tuple[np.ndarray, ...]
    targets: np.ndarray
    error: float
    imbalance: float
    size: float
    conditions: np.ndarray
    metrics: dict[str, np.ndarray]

    @property
    def smallest(self) -> float:
        """s_K(Y)."""
        return float(np.linalg.svd(self.targets, compute_uv=False)[-1])

    @property
    def head(self) -> np.ndarray:
        """W_L ... W_{L_1+1}."""
        return functools.reduce(lambda low, high: high @ low, self.layers[NONLINEAR:])

    @property
    def spread(self) -> float:
        """Psi of (23), with n_{L-1}."""
        width = len(self.passed[-2])
        balanced = np.sqrt(width * self.imbalance)
        return self.size * (self.error / (self.smallest - self.error) + balanced)


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
    said = jax.tree.map(
        np.asarray, jax.jit(lambda *at: _said(*at))(problem, models.to_layers(weights))
    )
    layers = tuple(np.asarray(layer).T for layer in weights)
    passed = [np.asarray(problem.inputs).T]
    for depth, layer in enumerate(layers):
        values = layer @ passed[-1]
        passed.append(np.maximum(values, 0) if depth < NONLINEAR else values)
    targets = np.asarray(problem.targets).T
    return Wide(
        layers=layers,
        passed=tuple(passed),
        targets=targets,
        error=float(np.linalg.norm(passed[-1] - targets)),
        imbalance=float(np.max(said["imbalances"][NONLINEAR:])),
        size=max(operator_norm(m) for m in (*passed[-3:-1], *layers[NONLINEAR:])),
        conditions=said["conditions"],
        metrics=said,
    )


def _said(problem: models.Problem, view: models.View) -> dict[str, Any]:
    return {
        "imbalances": balance.imbalances(problem, view),
        "balance": balance.balance(problem, view),
        "negativity": balance.negativity(problem, view),
        "conditions": balance.head_condition(problem, view, linear_layers=LINEAR - 1),
        "nc1": metrics.nc1_traces(problem, view),
        "nc2": metrics.nc2_condition(problem, view),
        "nc3": metrics.nc3_sample_cosine(problem, view),
    }


@functools.cache
def tangent_kernel(steps: int) -> float:
    """|Theta|_op, the largest eigenvalue of the NTK of the head's layers, below that of all."""
    problem, _ = start()
    weights = tuple(jnp.asarray(layer.T) for layer in trained(steps).layers)

    def outputs(head: models.Weights) -> Any:
        return problem.network.apply((*weights[:NONLINEAR], *head), problem.inputs).ravel()

    slopes = jax.jit(jax.jacrev(outputs))(weights[NONLINEAR:])
    flat = np.hstack([np.asarray(s).reshape(s.shape[0], -1) for s in slopes])
    return operator_norm(flat) ** 2


def operator_norm(matrix: np.ndarray) -> float:
    """The largest singular value."""
    return float(np.linalg.norm(matrix, 2))


def least(matrix: np.ndarray) -> float:
    """The smallest of the min(rows, columns) singular values."""
    return float(np.linalg.svd(matrix, compute_uv=False)[-1])


def above(smaller: float, larger: float) -> float:
    """By how much smaller <= larger is violated, relative to the larger side; else zero.

    Round-off of 1e-12 is no violation: some of these inequalities are equalities when balanced.
    """
    over = (smaller - larger) / max(abs(larger), np.finfo(float).tiny)
    return over if not over <= 1e-12 else 0.0
