"""The root of an increasing function of one number, element by element.

Newton's steps, and a bisection wherever a step leaves the bracket or does not halve the one before.
The derivative with respect to whatever the function holds is the implicit function theorem's
(`jax.lax.custom_root`), so nothing is differentiated through the iterations.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

BUDGET = 200
"""Of steps; the worst case is about two bisections per bit."""

Function = Callable[[Float[Array, "..."]], Float[Array, "..."]]


class _Search(NamedTuple):
    point: Float[Array, "..."]
    low: Float[Array, "..."]
    high: Float[Array, "..."]
    step: Float[Array, "..."]
    taken: Int[Array, ""]


def increasing_root(
    function: Function, low: Float[Array, "..."], high: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Where an increasing function vanishes.

    Args:
        function: Elementwise, increasing between ``low`` and ``high``, of opposite signs there.
        low: Lower ends, where the search begins.
        high: Upper ends, of the same shape.

    Returns:
        The roots, to a few units in the last place of ``max(1, |root|)``; an end where there is no
        change of sign.

    >>> float(increasing_root(lambda x: x**2 - 2, jnp.float32(0.0), jnp.float32(2.0)))
    1.4142135381698608
    """

    def solve(function: Function, guess: Float[Array, "..."]) -> Float[Array, "..."]:
        first = _Search(guess, low, high, high - low, jnp.asarray(0))
        return jax.lax.while_loop(_goes_on, lambda search: _move(function, search), first).point

    return jax.lax.custom_root(function, low, solve, _divide_by_slope)


def _divide_by_slope(linear: Function, right: Float[Array, "..."]) -> Float[Array, "..."]:
    return right / linear(jnp.ones_like(right))


def _goes_on(search: _Search) -> Bool[Array, ""]:
    size = jnp.maximum(jnp.abs(search.point), 1)
    smallest = 4 * jnp.finfo(search.point.dtype).eps * size
    return jnp.any(jnp.abs(search.step) > smallest) & (search.taken < BUDGET)


def _move(function: Function, search: _Search) -> _Search:
    value, slope = jax.jvp(function, (search.point,), (jnp.ones_like(search.point),))
    low = jnp.where(value < 0, search.point, search.low)
    high = jnp.where(value > 0, search.point, search.high)
    newton = -value / slope
    ahead = search.point + newton
    good = (ahead >= low) & (ahead <= high) & (2 * jnp.abs(newton) <= jnp.abs(search.step))
    step = jnp.where(good, newton, (low + high) / 2 - search.point)
    step = jnp.where(value == 0, jnp.zeros_like(step), step)
    return _Search(search.point + step, low, high, step, search.taken + 1)
