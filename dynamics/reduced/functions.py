"""Elementary functions that stay exact where their usual formula cancels."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def relative_expm1(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """(1 - e^(-x)) / x, one at zero: the mean of e^(-s) over 0 <= s <= x.

    >>> [round(float(relative_expm1(jnp.float32(x))), 6) for x in (0.0, 1.0)]
    [1.0, 0.632121]
    """
    small = jnp.abs(x) < 1e-3
    usual = -jnp.expm1(-jnp.where(small, 1.0, x)) / jnp.where(small, 1.0, x)
    series = 1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5)))
    return jnp.where(small, series, usual)


def relative_log1p(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """ln(1 + x) / x, one at zero, for x above -1: the mean of 1 / (1 + s) over 0 <= s <= x.

    >>> [round(float(relative_log1p(jnp.float32(x))), 6) for x in (0.0, 1.0)]
    [1.0, 0.693147]
    """
    small = jnp.abs(x) < 1e-3
    usual = jnp.log1p(jnp.where(small, 1.0, x)) / jnp.where(small, 1.0, x)
    series = 1 - x * (1 / 2 - x * (1 / 3 - x * (1 / 4 - x * (1 / 5 - x / 6))))
    return jnp.where(small, series, usual)


def safe_sqrt(square: Float[Array, "..."]) -> Float[Array, "..."]:
    """Zero for what is not positive, with a derivative of zero there."""
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)
