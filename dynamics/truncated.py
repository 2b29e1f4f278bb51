"""Truncated conjugate gradients: a quadratic model descended within a ball.

    m(s) = <g, s> + <s, H s> / 2,     |s| <= radius,

with H symmetric, given by its products, of any signs. Conjugate gradients from s = 0 lower m at
every turn and lengthen s; they stop where s would leave the ball or H bends downwards, both at the
ball's edge, or where the residual is small against g: loosely far from a minimum, where the model
is not worth more, tightly close to one, but never so tightly that rounding is taken for curvature
along directions in which H vanishes.

Source: Steihaug (1983), "The conjugate gradient method and trust regions in large scale
optimization"; the inner loop of `dynamics.minimise`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

Vector = Float[Array, "coordinates"]

LONGEST_INNER = 1000
"""Most products with H in one step."""
LOOSEST, TIGHTEST = 0.1, 1e-4
"""Relative residuals between which conjugate gradients stop: tight only close to a minimum."""


def norm(vector: Vector) -> Float[Array, ""]:
    """Euclidean length."""
    return jnp.sqrt(jnp.vdot(vector, vector))


class _Inner(NamedTuple):
    step: Vector
    bent: Vector
    residual: Vector
    direction: Vector
    products: Int[Array, ""]
    over: Bool[Array, ""]


def descend_model(
    bend: Callable[[Vector], Vector], gradient: Vector, radius: Float[Array, ""]
) -> tuple[Vector, Vector]:
    """A step that lowers the model within the radius.

    Args:
        bend: ``bend(vector) -> H vector``.
        gradient: g, ``[coordinates]``.
        radius: Of the region, a scalar.

    Returns:
        The step s and H s.
    """
    size = norm(gradient)
    target = size * jnp.clip(size, TIGHTEST, LOOSEST)
    most = min(gradient.size, LONGEST_INNER)

    def extend(inner: _Inner) -> _Inner:
        bent = bend(inner.direction)
        bending = jnp.vdot(inner.direction, bent)
        square = jnp.vdot(inner.residual, inner.residual)
        ahead = square / bending
        edge = _to_the_edge(inner.step, inner.direction, radius)
        leaves = (bending <= 0) | (ahead >= edge)
        length = jnp.where(leaves, edge, ahead)
        residual = inner.residual + length * bent
        direction = inner.direction * (jnp.vdot(residual, residual) / square) - residual
        over = leaves | (norm(residual) <= target) | (inner.products + 1 >= most)
        return _Inner(
            inner.step + length * inner.direction,
            inner.bent + length * bent,
            residual,
            direction,
            inner.products + 1,
            over,
        )

    none = jnp.zeros_like(gradient)
    begin = _Inner(none, none, gradient, -gradient, jnp.zeros((), jnp.int32), size == 0)
    end = jax.lax.while_loop(lambda inner: ~inner.over, extend, begin)
    return end.step, end.bent


def _to_the_edge(step: Vector, direction: Vector, radius: Float[Array, ""]) -> Float[Array, ""]:
    """How far along the direction the step reaches the radius."""
    square, along = jnp.vdot(direction, direction), jnp.vdot(step, direction)
    room = jnp.maximum(radius**2 - jnp.vdot(step, step), 0.0)
    return (jnp.sqrt(along**2 + square * room) - along) / square
