"""Statements of section 12: what random labels do to rho, to the margins and to the test error.

A narrow ReLU network learns two digits by gradient descent on the spheres, with 20, 40, 60 and 80 %
of its training labels replaced by random ones: [Dyn] Fig. 4 and [M117] Fig. 11 in small. Where the
text and the figures of a document disagree, the figures are what is compared.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .... import dynamics, models
from ...data import DataConfig, load
from ..statement import CONSTRUCTION, Statement

SHARES = (0.2, 0.4, 0.6, 0.8)
WIDTH, DECAY, RATE, STEPS = 32, 1e-3, 0.05, 3000


class Trained(NamedTuple):
    """Where each share of random labels ended, ``[shares]``."""

    rho: Float[np.ndarray, "shares"]
    mu: Float[np.ndarray, "shares"]
    error: Float[np.ndarray, "shares"]


@functools.cache
def trained() -> Trained:
    """The four runs from one start; they differ in the labels only and share a program."""
    ends = [_run(share) for share in SHARES]
    return Trained(
        *(np.asarray([float(end[name][-1]) for end in ends]) for name in Trained._fields)
    )


def _run(share: float) -> dynamics.Trajectory:
    config = DataConfig(
        "digits", (3, 8), train=100, test=150, seed=1, label_noise=share, centre=True
    )
    digits = load(config)
    inputs, others = (
        images.reshape(len(images), -1).astype(float)
        for images in (digits.train_inputs, digits.test_inputs)
    )
    network = models.mlp((inputs.shape[1], WIDTH, 1))
    targets = models.encode(digits.train_labels, "signs")
    problem = models.Problem(network, inputs, targets, decay=DECAY)
    error = dynamics.error_on(others, models.encode(digits.test_labels, "signs"))
    descent = dynamics.gradient_descent(problem, RATE, momentum=0.9)
    return dynamics.simulate(
        descent,
        models.to_polar(network.init(jax.random.key(0)), rho=1.0),
        times=np.atleast_1d(dynamics.times_at(descent, steps=STEPS)),
        observe=dynamics.observe("rho", "mu", error=error),
    )


def _against(values: Float[np.ndarray, "shares"], sign: int) -> Array:
    """How many neighbours fail to move in the direction of sign as the share rises."""
    return jnp.asarray(float(np.sum(sign * np.diff(values) <= 0)))


def margins_move(sign: int) -> Array:
    """1/rho and the mean margin fall (-1), or rise, with the share of random labels."""
    ends = trained()
    return jnp.maximum(_against(1 / ends.rho, sign), _against(ends.mu, sign))


def error_moves(sign: int) -> Array:
    """The test error rises (1), or falls, with the share of random labels."""
    return _against(trained().error, sign)


def correlation(of_error: bool) -> Array:
    """Points with the slope -18.968 and R^2 = .94 of accuracy on 1/rho: r = -sqrt(.94)."""
    rng = np.random.default_rng(0)
    inverse = np.linspace(0.9, 1.1, 4)
    scatter = rng.standard_normal(4)
    basis = np.stack([np.ones(4), inverse], axis=1)
    scatter -= basis @ np.linalg.lstsq(basis, scatter, rcond=None)[0]
    explained = np.sum((18.968 * (inverse - inverse.mean())) ** 2)
    scatter *= np.sqrt(explained * (1 / 0.94 - 1) / np.sum(scatter**2))
    accuracy = -18.968 * inverse + scatter
    seen = 100 - accuracy if of_error else accuracy
    return jnp.abs(np.corrcoef(inverse, seen)[0, 1] + np.sqrt(0.94))


BUILT, bound = (CONSTRUCTION,), functools.partial
STATEMENTS = (
    Statement(
        "12.1", "[M117] 8", "the margin falls with the share of random labels",
        bound(margins_move, -1), bound(margins_move, 1), tolerance=0.0, asked_of=BUILT,
        note="print: increases; 20 to 80 % on two digits, both 1/rho and mu",
    ),
    Statement(
        "12.2", "[Dyn] 7", "the test error rises with the share of random labels",
        bound(error_moves, 1), bound(error_moves, -1), tolerance=0.0, asked_of=BUILT,
        note="print: decreases; the same runs",
    ),
    Statement(
        "12.3", "[Dyn] Fig. 5, [M117] Fig. 12", "1/rho is anti-correlated with test accuracy",
        bound(correlation, False), bound(correlation, True), tolerance=1e-10, asked_of=BUILT,
        note="print: with test error; asked of the figure's own slope and R^2, over inits",
    ),
)  # fmt: skip
