"""Does rho alternate? Sign changes of its increments against eta times the top curvature.

Gradient descent multiplies a mode of curvature h by 1 - eta h at every step: it is monotone for
eta h < 1 and alternates for 1 < eta h < 2. With heavy ball of momentum beta it oscillates for

    (1 - sqrt(beta))^2 < eta h < (1 + sqrt(beta))^2.

Held directions give rho a curvature of 2 (M + lambda) only, far too small to alternate at usual
rates. But rho is a component of the steepest mode of all coordinates, and so it alternates *through
the directions* as soon as eta times the top curvature passes the threshold.

Source: [M117] (27)-(31). Printed forms differ: a "frequency 4 (M + 2 lambda) / eta" and a condition
that compares M and lambda with one; the radial mode alone never oscillates at the documents' rates.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from ..models.network import Weights
from ..models.polar import Polar
from ..models.problem import Problem
from .descents import gradient_descent, times_at
from .ensemble import ensemble
from .flows.sharpness import probe_like, sharpness
from .normalisation import Normalisation, field, fitting
from .observe import observe
from .types import start

FOLLOWED = 1e-3
"""Increments below this share of the largest one are no longer those of the top mode."""
ITERATIONS = 300


class Alternation(NamedTuple):
    """How rho moved after a push along the steepest direction.

    Attributes:
        curvature: The top curvature h where it was pushed, in 1/time.
        products: eta h of each run, ``[rates]``.
        changes: Share of neighbouring increments of rho that differ in sign, ``[rates]``.
        rho: rho at every step, ``[rates, steps + 1]``.
    """

    curvature: float
    products: Float[np.ndarray, "rates"]
    changes: Float[np.ndarray, "rates"]
    rho: Float[np.ndarray, "rates steps"]


def alternation(
    problem: Problem,
    rest: Polar | Weights,
    learning_rates: Sequence[float],
    *,
    momentum: ArrayLike = 0.0,
    steps: int = 100,
    push: float = 1e-4,
    normalisation: Normalisation | None = None,
) -> Alternation:
    """Pushes a point at rest along its steepest direction and lets descent bring it back.

    Args:
        problem: What is learned.
        rest: A point where the flow rests.
        learning_rates: Of the descents.
        momentum: Their heavy-ball momentum.
        steps: How many each makes.
        push: Length of the displacement.
        normalisation: Which coordinates move; the product of spheres unless given.

    Returns:
        The top curvature, and what rho did at each rate.

    Raises:
        ValueError: If a rate or the momentum is out of range, or the normalisation does not fit.
    """
    chosen = fitting(problem, normalisation)
    base = gradient_descent(problem, 1.0, momentum=momentum, normalisation=chosen)
    position = start(base, rest).position
    curvature, steepest = jax.jit(
        lambda x: sharpness(lambda y: field(chosen, problem, y), x, probe_like(x), ITERATIONS)
    )(position)
    pushed = chosen.retract(jax.tree.map(lambda x, v: x + push * v, position, steepest))
    rates = jnp.asarray(learning_rates)
    looks = np.stack([
        times_at(
            gradient_descent(problem, rate, momentum=momentum, normalisation=chosen),
            steps=np.arange(steps + 1),
        )
        for rate in learning_rates
    ])  # fmt: skip
    ran = ensemble(base, pushed, times=looks, observe=observe("rho"), over={"learning_rate": rates})
    rho = np.asarray(ran["rho"])
    changes = np.asarray([sign_changes(row) for row in rho])
    return Alternation(float(curvature), float(curvature) * np.asarray(rates), changes, rho)


def sign_changes(values: Float[np.ndarray, "steps"]) -> float:
    """Share of neighbouring increments that differ in sign, while they are not yet negligible.

    >>> sign_changes(np.array([1.0, -0.5, 0.25, -0.125]))
    1.0
    >>> sign_changes(np.array([1.0, 0.5, 0.25, 0.125]))
    0.0
    """
    increments = np.diff(values)
    large = np.abs(increments) > FOLLOWED * np.max(np.abs(increments))
    followed = increments[: np.flatnonzero(large)[-1] + 1] if np.any(large) else increments[:0]
    turns = np.sign(followed[1:]) != np.sign(followed[:-1])
    return float(np.mean(turns)) if len(turns) else 0.0
