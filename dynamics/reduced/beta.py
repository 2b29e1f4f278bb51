"""The integral behind the logistic ODE of deep networks, an incomplete beta function.

    B_q(x) = integral_0^x s^(q-1) / (1 - s) ds = (x^q / q) 2F1(1, q; q+1; x),    q > 0, 0 <= x < 1.

It is taken at x = 1 / (1 + e^(-logit)), so that it stays exact where x rounds to one: there
B_q grows like the logit. Two power series are used, one in x below 1/2 and one in 1 - x above:

    B_q = sum_k x^(q+k) / (q+k)
        = -ln(1-x) - digamma(q) - gamma - sum_{k>=1} ((1-q)_k / k!) (1-x)^k / k,

60 terms of each, so that what is left out is below 2^(-60) of the whole. Source: the definition in
DLMF 8.17 with b = 0, and 15.4, 15.8 for 2F1 (logarithmic case).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

TERMS = 60


def incomplete_beta(q: float, logit: Float[Array, "..."]) -> Float[Array, "..."]:
    """B_q at the point with a given logit.

    Args:
        q: Above zero, a Python number.
        logit: ln(x / (1 - x)).

    >>> round(float(incomplete_beta(1.0, jnp.float32(0.0))), 6)  # -ln(1 - 1/2)
    0.693147
    """
    near, far = jax.nn.sigmoid(-logit), jax.nn.sigmoid(logit)
    digamma = jax.scipy.special.digamma(jnp.asarray(q, logit.dtype))
    at_one = jax.nn.softplus(logit) - digamma - np.euler_gamma - near * _series_at_one(q, near)
    at_zero = jnp.exp(-q * jax.nn.softplus(-logit)) * _series_at_zero(q, far)
    return jnp.where(logit < 0, at_zero, at_one)


def _series_at_zero(q: float, x: Float[Array, "..."]) -> Float[Array, "..."]:
    coefficients = 1 / (q + np.arange(TERMS))
    return jnp.polyval(jnp.asarray(coefficients[::-1], x.dtype), x, unroll=1)


def _series_at_one(q: float, rest: Float[Array, "..."]) -> Float[Array, "..."]:
    k = np.arange(1, TERMS + 1)
    coefficients = np.cumprod((k - q) / k) / k
    return jnp.polyval(jnp.asarray(coefficients[::-1], rest.dtype), rest, unroll=1)
