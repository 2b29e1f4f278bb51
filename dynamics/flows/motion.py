"""What a flow is made of: the motion, and the numbers by which it is integrated."""

import dataclasses
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
from jaxtyping import Array, Float, Int, PyTree

from ...models.problem import Problem

RungeKutta = diffrax.AbstractERK | diffrax.Euler


@dataclasses.dataclass(frozen=True)
class Motion:
    """What a flow moves, as pure functions; equal motions share compiled code.

    Attributes:
        name: How the flow is called in tables and pictures.
        field: ``field(problem, settings, position) -> velocity``, per unit of time.
        prepare: ``prepare(problem, settings, start) -> position``.
        view: ``view(position) -> View``.
        retract: ``retract(position) -> position``.
        smooth: Whether the field is continuous even where the network has kinks.
    """

    name: str
    field: Callable[[Problem, dict[str, Array], PyTree], PyTree]
    prepare: Callable[[Problem, dict[str, Array], PyTree], PyTree]
    view: Callable[[PyTree], Any]
    retract: Callable[[PyTree], PyTree]
    smooth: bool = False


class FlowParameters(eqx.Module):
    """A flow and how to integrate it.

    Attributes:
        problem: The problem whose network moves.
        rtol: Relative tolerance of a step.
        atol: Absolute tolerance of a step.
        floor: Smallest step that error control may ask for, in units of time, or None.
        stable: The floor is at most this over the sharpness.
        step: The step where it is fixed, in units of time, or None for error control.
        max_steps: Steps, accepted and rejected, after which a run gives up.
        solver: A diffrax Runge-Kutta solver, static.
        settings: Other numbers that the field depends on, leaves.
        motion: What moves, static.
    """

    problem: Problem
    rtol: Float[Array, ""]
    atol: Float[Array, ""]
    floor: Float[Array, ""] | None
    stable: Float[Array, ""]
    step: Float[Array, ""] | None
    max_steps: Int[Array, ""]
    solver: RungeKutta = eqx.field(static=True)
    settings: dict[str, Array]
    motion: Motion = eqx.field(static=True)
