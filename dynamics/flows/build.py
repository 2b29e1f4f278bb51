"""Building a flow: what moves, and how it is integrated.

A `Motion` says what a flow is: its field, how a start becomes a position, how positions are seen
and brought back to where they must lie. `build` joins it with a solver, tolerances and the floor
under the steps (`dynamics.flows.integrate`) to a `Dynamics`. Every flow of the project is built
here: `dynamics.gradient_flow`, `dynamics.corrected_flow`, `dynamics.second_order_flow`.
"""

import warnings
from typing import TypedDict

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ...models.checks import is_traced, refusal
from ...models.problem import Problem
from ..types import Dynamics
from . import integrate
from .motion import FlowParameters, Motion, RungeKutta
from .step_floor import STABLE_FRACTION

DEFAULT_FLOOR = 0.25


class Integration(TypedDict, total=False):
    """How a flow is integrated; `dynamics.gradient_flow` explains each."""

    solver: RungeKutta | None
    rtol: ArrayLike
    atol: ArrayLike
    floor: ArrayLike | str | None
    step: ArrayLike | None
    max_steps: int


def build(
    problem: Problem,
    motion: Motion,
    settings: dict[str, Array],
    *,
    solver: RungeKutta | None = None,
    rtol: ArrayLike = 1e-4,
    atol: ArrayLike = 1e-7,
    floor: ArrayLike | str | None = "auto",
    step: ArrayLike | None = None,
    max_steps: int = 10_000_000,
) -> Dynamics:
    """A flow as a dynamics.

    Args:
        problem: What is learned.
        motion: What moves.
        settings: Numbers that the motion's field depends on, leaves.
        solver: This and the following as in `dynamics.gradient_flow`.
        rtol: Relative tolerance of a step.
        atol: Absolute tolerance of a step.
        floor: Smallest step, in units of time.
        step: Fixed step, in units of time.
        max_steps: Budget of steps.

    Raises:
        ValueError: If a tolerance, the floor or the step is not positive, or the solver gives no
            error estimate and no step is fixed.
    """
    stepper = solver or (diffrax.Dopri5() if problem.network.smooth else diffrax.Bosh3())
    _check_solver(problem, stepper, fixed=step is not None)
    lowest = None if step is not None else _floor(problem, floor)
    dtype = problem.inputs.dtype
    parameters = FlowParameters(
        problem=problem,
        rtol=_positive("rtol", rtol, dtype),
        atol=_positive("atol", atol, dtype),
        floor=None if lowest is None else _positive("floor", lowest, dtype),
        stable=jnp.asarray(STABLE_FRACTION, dtype),
        step=None if step is None else _positive("step", step, dtype),
        max_steps=jnp.asarray(max_steps, jnp.int32),
        solver=stepper,
        settings=settings,
        motion=motion,
    )
    return Dynamics(
        parameters=parameters,
        name=motion.name,
        init=integrate.init,
        advance=integrate.advance,
        view=motion.view,
        stops=_stops,
        statistics=integrate.statistics,
        carries=integrate.FlowMemory,
    )


def _floor(problem: Problem, floor: ArrayLike | str | None) -> ArrayLike | None:
    if not isinstance(floor, str):
        return floor
    if floor != "auto":
        raise refusal("floor='auto', a number or None", floor, "pass for example floor=0.1")
    return None if problem.network.smooth else DEFAULT_FLOOR


def _stops(
    parameters: FlowParameters, times: Float[np.ndarray, "..."]
) -> tuple[ArrayLike, ArrayLike]:
    """A flow stops at any time."""
    return jnp.asarray(times, parameters.problem.inputs.dtype), times


def _check_solver(problem: Problem, solver: RungeKutta, *, fixed: bool) -> None:
    if not isinstance(solver, RungeKutta):
        raise refusal(
            "an explicit Runge-Kutta solver of diffrax",
            type(solver).__name__,
            "pass for example diffrax.Bosh3()",
        )
    if not fixed and isinstance(solver, diffrax.Euler):
        raise refusal("a solver with an error estimate", "Euler", "fix its step with step=0.1")
    overshooting = (diffrax.Dopri5, diffrax.Dopri8, diffrax.Tsit5)
    if not problem.network.smooth and isinstance(solver, overshooting):
        message = (
            f"{type(solver).__name__} throws stages across the kinks of {problem.network.name} "
            "and biases rho by up to a percent: use diffrax.Bosh3() or diffrax.Heun()"
        )
        warnings.warn(message, stacklevel=4)


def _positive(name: str, value: ArrayLike, dtype: jnp.dtype) -> jax.Array:
    number = jnp.asarray(value, dtype)
    if not is_traced(number) and not bool(jnp.all(number > 0)):
        raise refusal(f"a positive {name}", value, f"pass for example {name}=0.1")
    return number
