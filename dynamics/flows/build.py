"""Building a flow: what moves, and how it is integrated.

A `Motion` says what a flow is: its field, how a start becomes a position, how positions are seen
and brought back to where they must lie. `build` joins it with a solver, tolerances and the floor
under the steps (`dynamics.flows.integrate`) to a `Dynamics`. Every flow of the project is built
here: `dynamics.gradient_flow`, `dynamics.corrected_flow`, `dynamics.second_order_flow`.

What is not given is `KINKED` or `SMOOTH`, by whether the field jumps. With kinks the tolerance is
tight because it costs nothing: the floor bounds the work, and steps longer than the floor through
a transient with kinks were its largest error (`docs/choosing-a-dynamics.md` has the numbers).
"""

import warnings
from typing import Any, NamedTuple, TypedDict, Unpack

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ...models.checks import refusal, single, unknown
from ...models.problem import Problem
from ..ranges import in_range
from ..types import Dynamics
from . import integrate
from .motion import FlowParameters, Motion, RungeKutta
from .ssp import SSP42
from .step_floor import RESERVE, stability_interval


class Integration(TypedDict, total=False):
    """How a flow is integrated; `dynamics.gradient_flow` explains each."""

    solver: RungeKutta | None
    rtol: ArrayLike | None
    atol: ArrayLike | None
    floor: ArrayLike | str | None
    step: ArrayLike | None
    max_steps: int


class Defaults(NamedTuple):
    """How a flow is integrated unless one says otherwise."""

    solver: RungeKutta
    rtol: float
    atol: float
    floor: float | None


KINKED = Defaults(SSP42(), rtol=1e-6, atol=1e-9, floor=0.4)
SMOOTH = Defaults(diffrax.Dopri5(), rtol=1e-4, atol=1e-7, floor=None)
MAX_STEPS = 10_000_000


def build(
    problem: Problem,
    motion: Motion,
    settings: dict[str, Array],
    **integration: Unpack[Integration],
) -> Dynamics:
    """A flow as a dynamics.

    Args:
        problem: What is learned.
        motion: What moves.
        settings: Numbers that the motion's field depends on, leaves.
        **integration: See `dynamics.gradient_flow`.

    Raises:
        ValueError: If there is no such option, a tolerance, the floor, the step or the budget is
            not one positive number, or the solver gives no error estimate and no step is fixed.
    """
    for name in integration:
        if name not in Integration.__annotations__:
            raise unknown("option of a flow", name, Integration.__annotations__)
    return Dynamics(
        parameters=_parameters(problem, motion, settings, integration),
        name=motion.name,
        init=integrate.init,
        advance=integrate.advance,
        step=integrate.step,
        view=motion.view,
        stops=_stops,
        statistics=integrate.statistics,
        carries=integrate.FlowMemory,
    )


def _parameters(
    problem: Problem, motion: Motion, settings: dict[str, Array], given: Integration
) -> FlowParameters:
    """What is given, completed by the defaults and checked."""
    kinked = not (problem.network.smooth or motion.smooth)
    defaults = KINKED if kinked else SMOOTH
    solver = _or(given.get("solver"), defaults.solver)
    step = given.get("step")
    _check_solver(problem, solver, kinked=kinked, fixed=step is not None)
    floor = None if step is not None else _floor(given.get("floor", "auto"), defaults)
    dtype = problem.inputs.dtype
    return FlowParameters(
        problem=problem,
        rtol=_positive("rtol", _or(given.get("rtol"), defaults.rtol), dtype),
        atol=_positive("atol", _or(given.get("atol"), defaults.atol), dtype),
        floor=None if floor is None else _positive("floor", floor, dtype),
        stable=jnp.asarray(stability_interval(solver) / RESERVE, dtype),
        step=None if step is None else _positive("step", step, dtype),
        max_steps=_budget(_or(given.get("max_steps"), MAX_STEPS)),
        solver=solver,
        settings=settings,
        motion=motion,
    )


def _or(given: Any, default: Any) -> Any:
    return default if given is None else given


def _floor(floor: ArrayLike | str | None, defaults: Defaults) -> ArrayLike | None:
    if not isinstance(floor, str):
        return floor
    if floor != "auto":
        raise refusal("floor='auto', a number or None", floor, "pass for example floor=0.1")
    return defaults.floor


def _stops(
    parameters: FlowParameters, times: Float[np.ndarray, "..."]
) -> tuple[ArrayLike, ArrayLike]:
    """A flow stops at any time."""
    return jnp.asarray(times, parameters.problem.inputs.dtype), times


def _check_solver(problem: Problem, solver: RungeKutta, *, kinked: bool, fixed: bool) -> None:
    if not isinstance(solver, RungeKutta):
        raise refusal(
            "an explicit Runge-Kutta solver of diffrax",
            type(solver).__name__,
            "pass for example diffrax.Bosh3()",
        )
    if not fixed and isinstance(solver, diffrax.Euler):
        raise refusal("a solver with an error estimate", "Euler", "fix its step with step=0.1")
    overshooting = (diffrax.Dopri5, diffrax.Dopri8, diffrax.Tsit5)
    if kinked and isinstance(solver, overshooting):
        message = (
            f"{type(solver).__name__} throws stages across the kinks of {problem.network.name} "
            "and biases rho by up to a percent: use dynamics.SSP42() or diffrax.Heun()"
        )
        warnings.warn(message, stacklevel=5)


def _positive(name: str, value: ArrayLike, dtype: jnp.dtype) -> jax.Array:
    single(name, value)
    number = jnp.asarray(value, dtype)
    in_range(name, number)
    return number


def _budget(max_steps: ArrayLike) -> jax.Array:
    single("max_steps", max_steps)
    in_range("max_steps", max_steps)
    return jnp.asarray(max_steps, jnp.int32)
