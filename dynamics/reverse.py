"""Where a run ends, as a function that reverse mode passes through.

`dynamics.simulate` stops its loops where it must, and only forward mode (``jax.jvp``,
``jax.jacfwd``) passes through such loops. With many parameters and one number at the end, reverse
mode is what one wants: `endpoint` makes a fixed number of steps in a plain scan, of a descent or of
a flow whose step is fixed. It keeps about two square roots of that number of positions in memory
and computes every step twice (``jax.checkpoint``).

    flow = dynamics.gradient_flow(problem, step=0.1)
    slope = jax.grad(lambda x: dynamics.endpoint(flow, x, steps=1000).rho)(start)

The derivative is that of the steps made, exact to round-off for them; on a network with kinks it is
the almost-everywhere one, which sees no jump from one activation pattern to the next.
"""

import math
from collections.abc import Callable

import jax
from jaxtyping import Array, Key

from ..models.checks import expect, refusal
from ..models.network import Weights
from ..models.polar import Polar
from ..models.views import View
from .descents.stepping import DescentParameters
from .flows import FlowParameters
from .requests import expect_key
from .types import Dynamics, State, start


def endpoint(
    dynamics: Dynamics,
    start_from: Polar | Weights,
    *,
    steps: int,
    key: Key[Array, ""] | None = None,
) -> View:
    """The view after so many steps.

    Args:
        dynamics: A descent, or a flow that was given a fixed ``step``.
        start_from: Where it starts.
        steps: How many steps; a flow's end at the time ``steps * step``.
        key: Drives whatever is random.

    Raises:
        ValueError: If the dynamics has no single steps, a flow's step is not fixed, or the number
            of steps is negative or beyond the batches that were given.
    """
    parameters = dynamics.parameters
    expect_key(key)
    expect(steps, int, "a number of steps", "pass for example steps=1000")
    if dynamics.step is None:
        raise refusal("a flow or a descent", dynamics.name, "ask for each of its members")
    if isinstance(parameters, FlowParameters) and parameters.step is None:
        raise refusal(
            "a flow with a fixed step", f"{dynamics.name} under error control", "pass step=0.1"
        )
    if steps < 0:
        raise refusal("a number of steps", steps, "pass for example steps=1000")
    batches = parameters.batches.steps if isinstance(parameters, DescentParameters) else None
    if batches is not None and steps > batches:
        raise refusal(f"at most {batches} steps, for which there are batches", steps, "take fewer")
    stretch, stretches = _split(steps)
    state = start(dynamics, start_from, key)
    state = _repeat(
        jax.checkpoint(lambda state: _steps(dynamics, state, stretch)), state, stretches
    )
    return dynamics.view(_steps(dynamics, state, steps - stretch * stretches).position)


def _split(steps: int) -> tuple[int, int]:
    """A number of steps as stretches of equal length, about as many as each is long."""
    stretch = max(math.isqrt(steps), 1)
    return stretch, steps // stretch


def _steps(dynamics: Dynamics, state: State, count: int) -> State:
    assert dynamics.step is not None
    step = dynamics.step
    return _repeat(lambda state: step(dynamics.parameters, state), state, count)


def _repeat(move: Callable[[State], State], state: State, count: int) -> State:
    return jax.lax.scan(lambda here, _: (move(here), None), state, length=count)[0]
