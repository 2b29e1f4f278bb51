"""The floor under the steps of a flow with kinks, and the curvature that caps it.

floor(t) = min(asked, 0.5 / sharpness(t)): a step at the floor is accepted whatever its estimated
error, so it must be stable. The sharpness is estimated by power iteration, warm-started, every 20
accepted steps or 5 units of time; it can grow fourfold within 20 units while rho climbs.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from .sharpness import Field, probe_like, sharpness

STEPS_BETWEEN_ESTIMATES = 20
TIME_BETWEEN_ESTIMATES = 5.0
STABLE_FRACTION = 0.5
FIRST_ITERATIONS, LATER_ITERATIONS = 20, 3
EVALUATIONS_PER_ITERATION = 2


class Limits(NamedTuple):
    """The floor that is asked for, in units of time, and how much of 1 / sharpness is stable."""

    asked: Float[Array, ""]
    stable: Float[Array, ""]


class Curvature(NamedTuple):
    """What is known of stability.

    Attributes:
        sharpness: The last estimate, in 1/time.
        probe: Its vector, from which the next one starts.
        time: When it was made.
        steps: Accepted steps since then.
        floor: The floor that it gave, in units of time.
    """

    sharpness: Float[Array, ""]
    probe: PyTree
    time: Float[Array, ""]
    steps: Int[Array, ""]
    floor: Float[Array, ""]


def first(field: Field, limits: Limits, position: PyTree, time: Float[Array, ""]) -> Curvature:
    """The first estimate, from a vector that nothing is orthogonal to."""
    return _estimate(field, limits, position, time, probe_like(position), FIRST_ITERATIONS)


def again(
    field: Field, limits: Limits, old: Curvature, position: PyTree, time: Float[Array, ""]
) -> Curvature:
    """A later estimate, from the last one's vector."""
    return _estimate(field, limits, position, time, old.probe, LATER_ITERATIONS)


def is_due(curvature: Curvature | None, time: Float[Array, ""]) -> Bool[Array, ""]:
    """Whether the estimate is too old; never where steps have no floor."""
    if curvature is None:
        return jnp.asarray(False)
    late = time - curvature.time > TIME_BETWEEN_ESTIMATES
    return (curvature.steps >= STEPS_BETWEEN_ESTIMATES) | late


def forced(step: Float[Array, ""], curvature: Curvature | None) -> Bool[Array, ""]:
    """Whether a step of this length is at the floor."""
    if curvature is None:
        return jnp.asarray(False)
    return step <= curvature.floor * 1.001


def aged(curvature: Curvature | None, keep: Bool[Array, ""]) -> Curvature | None:
    """One accepted step older."""
    if curvature is None:
        return None
    return curvature._replace(steps=curvature.steps + keep.astype(jnp.int32))


def evaluations(estimates: Int[Array, ""]) -> Int[Array, ""]:
    """What the first estimate and so many later ones cost, in evaluations of the field."""
    iterations = FIRST_ITERATIONS + LATER_ITERATIONS * estimates
    return EVALUATIONS_PER_ITERATION * iterations


def _estimate(
    field: Field,
    limits: Limits,
    position: PyTree,
    time: Float[Array, ""],
    probe: PyTree,
    iterations: int,
) -> Curvature:
    value, probe = sharpness(field, position, probe, iterations)
    stable = limits.stable / jnp.maximum(value, jnp.finfo(value.dtype).tiny)
    floor = jnp.minimum(limits.asked, stable)
    return Curvature(value, probe, time, jnp.zeros((), jnp.int32), floor)
