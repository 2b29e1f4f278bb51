"""Oja's rule: one linear unit that is driven by correlations and kept on the sphere.

    v' = C v - (v^T C v) v,    C symmetric,

is the tangent part of C v, the gradient of v^T C v / 2 on the unit sphere. Its solution is the flow
of the linear equation, normalised:

    v(t) = e^(C t) v_0 / |e^(C t) v_0|,

so it turns to the top eigenvector of C that v_0 has a part of, at the rate of the gap between the
eigenvalues. Computed in the eigenbasis of C and scaled by its leading term: no time is too long.
Good to 1e-12 in double precision, times the condition e^(gap t) where v_0 has almost no part of the
top eigenvector.

Source: [M112] section 6.1, on normalisation as a local rule (after Oja, 1982). Time is that of the
equation as written here: a gradient flow of -v^T C v runs twice as fast.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ...models.checks import is_traced, refusal
from . import arguments


def speed(direction: ArrayLike, correlations: ArrayLike) -> Float[Array, "features"]:
    """The right-hand side: v' = C v - (v^T C v) v.

    Args:
        direction: v, ``[features]``.
        correlations: C, ``[features, features]``.

    >>> speed(jnp.array([1.0, 0.0]), jnp.array([[2.0, 1.0], [1.0, 2.0]])).tolist()
    [0.0, 1.0]
    """
    v, c = arguments.floating(direction, correlations)
    return c @ v - (v @ c @ v) * v


def direction(
    times: ArrayLike, *, start: ArrayLike, correlations: ArrayLike
) -> Float[Array, "... features"]:
    """The unit's direction at given times.

    The derivative with respect to ``correlations`` needs distinct eigenvalues (that of ``eigh``).

    Args:
        times: Any shape, of either sign.
        start: v_0, ``[features]``, not zero; of any length, since it is normalised.
        correlations: C, ``[features, features]``, symmetric.

    Returns:
        Unit vectors ``[..., features]``, one for each time.

    Raises:
        ValueError: If the shapes do not fit, C is not symmetric or v_0 is zero.

    >>> v = direction([0.0, 50.0], start=[0.6, 0.8], correlations=jnp.diag(jnp.array([2.0, 1.0])))
    >>> [[round(float(value), 4) for value in row] for row in v]
    [[0.6, 0.8], [1.0, 0.0]]
    """
    t, v, c = arguments.floating(jnp.asarray(times), jnp.asarray(start), jnp.asarray(correlations))
    _check(v, c)
    rates, vectors = jnp.linalg.eigh(c)
    parts = v @ vectors
    exponents = t[..., None] * jnp.expand_dims(rates, tuple(range(t.ndim)))
    present = jnp.where(jnp.broadcast_to(parts != 0, exponents.shape), exponents, -jnp.inf)
    leading = jax.lax.stop_gradient(jnp.max(present, axis=-1, keepdims=True))
    behind = jnp.where(exponents > leading, 0.0, exponents - leading)
    grown = jnp.exp(behind) * jnp.broadcast_to(parts, exponents.shape)
    moved = grown @ vectors.T
    return moved / jnp.sqrt(jnp.sum(moved**2, axis=-1, keepdims=True))


def _check(v: Float[Array, "..."], c: Float[Array, "..."]) -> None:
    if v.ndim != 1 or c.shape != (v.size, v.size):
        raise refusal(
            "a start [features] and correlations [features, features]",
            f"shapes {v.shape} and {c.shape}",
            "pass one start, and jax.vmap over many",
        )
    if not is_traced(v) and not (np.all(np.isfinite(v)) and np.any(v)):
        raise refusal("a finite start that is not zero", np.asarray(v).tolist(), "draw it again")
    if not is_traced(c) and not np.allclose(c, np.asarray(c).T, rtol=1e-5, atol=1e-7):
        raise refusal("symmetric correlations", "an asymmetric matrix", "pass (C + C.T) / 2")
