"""Fundamental solutions of the two linear equations of second order with constant coefficients.

`damped` solves x'' + 2 rate x' + square x = 0, `powers` solves x+ = (a + b) x - a b x-, each by an
even and an odd solution, which start as (1, .) and (0, 1). Both pass smoothly from real to complex
roots, where the usual formulas cancel.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .functions import relative_expm1, safe_sqrt


@jax.jit
def damped(
    t: Float[Array, "..."], square: Float[Array, "..."], rate: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """e^(-rate t) times cos(w t) and sin(w t) / w, w^2 = square - rate^2 of either sign.

    >>> [round(float(value), 6) for value in damped(*map(jnp.float32, (1.0, 1.0, 1.0)))]
    [0.367879, 0.367879]
    """
    excess = square - rate**2
    w, d = safe_sqrt(excess), safe_sqrt(-excess)
    envelope = jnp.exp(-rate * t)
    slow = jnp.exp(-square / (rate + d) * t)  # the slow root, without cancellation
    even = jnp.where(excess > 0, envelope * jnp.cos(w * t), slow * (1 + jnp.exp(-2 * d * t)) / 2)
    odd = jnp.where(
        excess > 0,
        envelope * t * jnp.sinc(w * t / jnp.pi),
        slow * t * relative_expm1(2 * d * t),
    )
    return even, odd


@jax.jit
def powers(
    n: Int[Array, "..."], half: Float[Array, "..."], product: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """(a^n + b^n) / 2 and (a^n - b^n) / (a - b), for a + b = 2 half and a b = product >= 0.

    Both are computed for |half|; a negative sum changes the signs of odd powers.

    >>> [round(float(value), 6) for value in powers(jnp.array(3), *map(jnp.float32, (1.5, 2.0)))]
    [4.5, 7.0]
    """
    size, excess = jnp.abs(half), half**2 - product
    # Compiled, excess may be computed more than once and rounded otherwise: so its sign decides
    # nothing where rounding could change it.
    flat = jnp.abs(excess) <= 8 * jnp.finfo(half.dtype).eps * size**2
    count, last = n.astype(half.dtype), jnp.maximum(n - 1, 0).astype(half.dtype)
    near = _equal_roots(count, last, size, excess)
    apart = _real_roots(count, last, size, excess)
    turning = _complex_roots(count, last, size, product, excess)
    even, odd = (
        jnp.where(flat, at_equal, jnp.where(excess < 0, ring, real))
        for at_equal, ring, real in zip(near, turning, apart, strict=True)
    )
    sign = jnp.where((half < 0) & (n % 2 == 1), -1.0, 1.0).astype(half.dtype)
    flip = jnp.where(half < 0, -sign, sign)
    return sign * even, jnp.where(n == 0, 0.0, flip * odd)


_Pair = tuple[Float[Array, "..."], Float[Array, "..."]]


def _equal_roots(
    count: Float[Array, "..."],
    last: Float[Array, "..."],
    size: Float[Array, "..."],
    excess: Float[Array, "..."],
) -> _Pair:
    """To first order in the distance of the roots squared, whose sign is lost to rounding."""
    share = excess / jnp.where(size > 0, size, 1.0) ** 2
    even = size**count * (1 + count * (count - 1) / 2 * share)
    odd = size**last * count * (1 + (count - 1) * (count - 2) / 6 * share)
    return even, odd


def _real_roots(
    count: Float[Array, "..."],
    last: Float[Array, "..."],
    size: Float[Array, "..."],
    excess: Float[Array, "..."],
) -> _Pair:
    d = safe_sqrt(excess)
    larger = size + d
    share = 2 * d / jnp.where(larger > 0, larger, 1.0)  # the ratio of the roots is 1 - share
    even = larger**count * (1 + (1 - share) ** count) / 2
    return even, larger**last * _geometric(count, share)


def _complex_roots(
    count: Float[Array, "..."],
    last: Float[Array, "..."],
    size: Float[Array, "..."],
    product: Float[Array, "..."],
    excess: Float[Array, "..."],
) -> _Pair:
    radius, angle = safe_sqrt(product), jnp.arctan2(safe_sqrt(-excess), size)
    sine = jnp.where(angle > 0, jnp.sin(angle), 1.0)
    return radius**count * jnp.cos(count * angle), radius**last * jnp.sin(count * angle) / sine


def _geometric(count: Float[Array, "..."], share: Float[Array, "..."]) -> Float[Array, "..."]:
    """1 + r + ... + r^(count-1) with r = 1 - share, near r = 1 too."""
    small = share < 0.5
    gap = jnp.where(small & (share > 0), share, 0.5)
    wide = jnp.where(small, 1.0, share)
    near, far = -jnp.expm1(count * jnp.log1p(-gap)) / gap, (1 - (1 - wide) ** count) / wide
    return jnp.where(small, near, far)
