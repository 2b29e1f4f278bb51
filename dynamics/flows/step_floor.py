"""The floor under the steps of a flow with kinks: no step need be shorter.

    floor(t) = min(asked,  stable / sharpness(t),  (stable / 40) (t + 1 / sharpness(t))).

A step at the floor is accepted whatever its estimated error, which sees the jumps of the field and
no end of them. What that costs is set by ``asked``: the error of sliding along kinks is in
proportion to it. The other two bounds keep forced steps from doing harm where kinks are not the
limit:

- *Stability.* ``stable`` is a third of the solver's interval of stability on the real axis
  (`stability_interval`: 6 for SSP42), so that the sharpness may grow threefold, or be seen too low
  by as much, before a forced step is unstable. Where an estimate finds that steps at the floor are
  unstable, those since the last estimate or those to come, it is counted (`Curvature.unstable`).
- *The fast transient.* From a large start, rates as fast as the sharpness die out in the first few
  1 / sharpness; what a step forced there gets wrong, stays. So the floor begins at a small part of
  that time and grows with the time elapsed: 20 steps of SSP42 for every factor e.

The sharpness comes from power iterations, warm-started. One estimate holds for 20 accepted steps,
for longer where even a multiple of it would leave the floor as it is, and for 20 units of time at
most: it can grow fourfold within them while rho climbs, and more only from values far too small to
matter.
"""

from typing import NamedTuple

import diffrax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from .motion import FlowParameters, RungeKutta
from .sharpness import Field, probe_like, sharpness

RESERVE = 3.0
EARLY_SHARE = 1 / 40
STEPS_BETWEEN_ESTIMATES, MOST_ROOM = 20, 5.0
TIME_BETWEEN_ESTIMATES = 20.0
FIRST_ITERATIONS, LATER_ITERATIONS = 20, 3
EVALUATIONS_PER_ITERATION = 2
LONGEST_INTERVAL = 100.0


class Limits(NamedTuple):
    """What bounds the floor.

    Attributes:
        asked: The floor that is asked for, in units of time.
        stable: The floor is at most this over the sharpness.
        interval: Beyond this over the sharpness a step is unstable.
    """

    asked: Float[Array, ""]
    stable: Float[Array, ""]
    interval: float


class Curvature(NamedTuple):
    """What is known of stability.

    Attributes:
        sharpness: The last estimate, in 1/time.
        probe: Its vector, from which the next one starts.
        time: When it was made.
        steps: Accepted steps since then.
        holds: For how many accepted steps it holds.
        floor: The floor that it gave, in units of time.
        unstable: How many estimates found steps at the floor, before or after them, unstable.
    """

    sharpness: Float[Array, ""]
    probe: PyTree
    time: Float[Array, ""]
    steps: Int[Array, ""]
    holds: Int[Array, ""]
    floor: Float[Array, ""]
    unstable: Int[Array, ""]


def limits(parameters: FlowParameters) -> Limits:
    """The bounds of a flow that has a floor."""
    assert parameters.floor is not None
    return Limits(parameters.floor, parameters.stable, stability_interval(parameters.solver))


def stability_interval(solver: RungeKutta) -> float:
    """How far down the negative real axis a solver is stable: 6 for SSP42, 2.51 for Bosh3.

    The solver's stability polynomial is R(z) = 1 + z b (1 - z A)^-1 1; the interval is the largest
    x with |R| <= 1 on [-x, 0].
    """
    if isinstance(solver, diffrax.Euler):
        return 2.0
    tableau = solver.tableau
    assert isinstance(tableau, diffrax.ButcherTableau)  # explicit solvers have no other
    stages = len(tableau.b_sol)
    matrix = np.zeros((stages, stages))
    for row, lower in enumerate(tableau.a_lower, start=1):
        matrix[row, : len(lower)] = lower
    columns = [np.ones(stages)]
    for _ in range(stages - 1):
        columns.append(matrix @ columns[-1])
    polynomial = [1.0, *(float(tableau.b_sol @ column) for column in columns)]
    places = np.linspace(0, LONGEST_INTERVAL, 20_001)
    grown = np.abs(np.polynomial.polynomial.polyval(-places, polynomial)) > 1 + 1e-9
    return float(places[max(int(np.argmax(grown)) - 1, 0)])


def first(field: Field, limits: Limits, position: PyTree, time: Float[Array, ""]) -> Curvature:
    """The first estimate, from a vector that nothing is orthogonal to."""
    value, probe = sharpness(field, position, probe_like(position), FIRST_ITERATIONS)
    return _judged(limits, value, probe, time, None)


def again(
    field: Field, limits: Limits, old: Curvature, position: PyTree, time: Float[Array, ""]
) -> Curvature:
    """A later estimate, from the last one's vector."""
    value, probe = sharpness(field, position, old.probe, LATER_ITERATIONS)
    return _judged(limits, value, probe, time, old)


def is_due(curvature: Curvature | None, time: Float[Array, ""]) -> Bool[Array, ""]:
    """Whether the estimate is too old; never where steps have no floor."""
    if curvature is None:
        return jnp.asarray(False)
    late = time - curvature.time > TIME_BETWEEN_ESTIMATES
    return (curvature.steps >= curvature.holds) | late


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


def _judged(
    limits: Limits,
    value: Float[Array, ""],
    probe: PyTree,
    time: Float[Array, ""],
    old: Curvature | None,
) -> Curvature:
    """What an estimate says: the floor, for how long, and whether it was stable until now."""
    scale = 1 / jnp.maximum(value, jnp.finfo(value.dtype).tiny)
    stable = limits.stable * scale
    early = EARLY_SHARE * limits.stable * (time + scale)
    floor = jnp.minimum(limits.asked, jnp.minimum(stable, early))
    safe = jnp.minimum(stable, limits.interval / RESERVE * scale)
    room = jnp.where(floor < limits.asked, 1.0, jnp.clip(safe / limits.asked, 1.0, MOST_ROOM))
    longest = floor if old is None else jnp.maximum(floor, old.floor)
    unstable = (longest * value > limits.interval).astype(jnp.int32)
    return Curvature(
        sharpness=value,
        probe=probe,
        time=time,
        steps=jnp.zeros((), jnp.int32),
        holds=(STEPS_BETWEEN_ESTIMATES * room).astype(jnp.int32),
        floor=floor,
        unstable=unstable if old is None else old.unstable + unstable,
    )
