"""The second-order equation of gradient descent: (eta/2) x'' + x' = -grad U.

    m x'' + x' = -grad U(x),      m = eta (1 + beta) / (2 (1 - beta)^2),

with heavy-ball momentum beta; m = eta / 2 without. It is stable forward in time, with a fast mode
exp(-t / m), and follows descent to second order in eta *if it starts on its slow manifold*:

- ``"slow"``:  x'(0) = -F;
- ``"slower"``: x'(0) = -F - m F'F, the manifold to the next order, for measuring orders;
- ``"rest"``: x'(0) = 0. The error then stays of first order: the solution is half a step late.

On the spheres the velocities stay tangent, V_k'' containing the centripetal -|V_k'|^2 V_k. The form
does not commute with polar coordinates: for a free top layer W_L = rho V_L it reads

    (eta/2) (rho'' - rho |V_L'|^2) + rho' = -dU/drho

with a centrifugal term, so that a moving V_L pushes rho up.

Where it oscillates depends on m h, h a curvature: already for m h > 1/4, that is eta h > 1/2, while
descent itself alternates only for eta h > 1.

Source: [M117] section 5, (27)-(31). Printed forms differ: (23) lacks the centrifugal term, so that
"(23) implies |V_L'| = 0" compares two different discretisations; W_L'' has 2 rho' V', not rho V'.
"""

from typing import NamedTuple, Unpack

import jax
from jaxtyping import Array, ArrayLike, PyTree

from ...models.binding import bind
from ...models.checks import refusal, unknown
from ...models.problem import Problem
from ...models.views import View
from ..normalisation import Normalisation, Start, field, fitting
from ..types import Dynamics
from .build import Integration, build
from .corrected import inertia, rates
from .motion import Motion
from .ssp import SSP43

STARTS = ("slow", "slower", "rest")


class Moving(NamedTuple):
    """A position and its velocity, per unit of time."""

    position: PyTree
    velocity: PyTree


def second_order_flow(
    problem: Problem,
    learning_rate: ArrayLike,
    *,
    momentum: ArrayLike = 0.0,
    initial_velocity: str = "slow",
    normalisation: Normalisation | None = None,
    **integration: Unpack[Integration],
) -> Dynamics:
    """The second-order equation that follows gradient descent.

    Args:
        problem: What is learned; positions are `Moving`.
        learning_rate: eta of the descent that is followed, positive.
        momentum: Its heavy-ball momentum.
        initial_velocity: ``"slow"``, ``"slower"`` or ``"rest"``, see above.
        normalisation: Which coordinates move; the product of spheres unless given.
        **integration: See `dynamics.gradient_flow`.

    Raises:
        ValueError: If the rate is not positive, the momentum outside [0, 1), the initial velocity
            unknown, or the normalisation has no second-order motion or does not fit the network.
    """
    chosen = fitting(problem, normalisation)
    if initial_velocity not in STARTS:
        raise unknown("initial velocity", initial_velocity, STARTS)
    if chosen.bend is None:
        raise refusal(
            "a normalisation with a second-order motion", chosen.name, "use sphere() or free()"
        )
    if not (problem.network.smooth or chosen.smooth) and integration.get("solver") is None:
        integration["solver"] = SSP43()  # with little damping, SSP42 is not stable
    settings = rates(problem, learning_rate, momentum, positive=True)
    motion = Motion(
        name="second-order flow",
        field=bind(_field, chosen),
        prepare=bind(_prepare, chosen, initial_velocity),
        view=bind(_view, chosen),
        retract=bind(_retract, chosen),
        smooth=chosen.smooth,
    )
    return build(problem, motion, settings, **integration)


def _field(
    normalisation: Normalisation, problem: Problem, settings: dict[str, Array], moving: Moving
) -> Moving:
    here, velocity = _retract(normalisation, moving)
    assert normalisation.bend is not None
    mass = inertia(settings)
    acceleration = jax.tree.map(
        lambda force, speed, bend: (force - speed) / mass + bend,
        field(normalisation, problem, here),
        velocity,
        normalisation.bend(here, velocity),
    )
    return Moving(velocity, acceleration)


def _prepare(
    normalisation: Normalisation,
    initial_velocity: str,
    problem: Problem,
    settings: dict[str, Array],
    start: Start,
) -> Moving:
    here = normalisation.retract(normalisation.prepare(start))
    force = field(normalisation, problem, here)
    if initial_velocity == "rest":
        return Moving(here, jax.tree.map(lambda leaf: 0 * leaf, force))
    if initial_velocity == "slow":
        return Moving(here, force)
    _, change = jax.jvp(lambda x: field(normalisation, problem, x), (here,), (force,))
    mass = inertia(settings)
    corrected = jax.tree.map(lambda first, second: first - mass * second, force, change)
    return Moving(here, normalisation.project(here, corrected))


def _view(normalisation: Normalisation, moving: Moving) -> View:
    return normalisation.view(moving.position)


def _retract(normalisation: Normalisation, moving: Moving) -> Moving:
    here = normalisation.retract(moving.position)
    return Moving(here, normalisation.project(here, moving.velocity))
