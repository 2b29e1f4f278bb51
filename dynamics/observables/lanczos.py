"""Extreme eigenvalues of a symmetric operator that is never a matrix, by Lanczos.

From a start vector q_1 and products with A alone, Lanczos builds an orthonormal basis Q of
span(q_1, A q_1, A^2 q_1, ...) in which A is tridiagonal, T = Q^T A Q. Eigenvalues theta of T are
Ritz values, y = Q s their vectors; extreme ones converge first. Every new vector is made orthogonal
to all before it, twice: without that, copies of converged eigenvalues appear.

What it says of itself: the residual |A y - theta y|, from one more product for each value. Some
eigenvalue of A lies within that distance of theta, and where others are a gap away, within
residual^2 / gap. A value is *converged* where its residual is at most sqrt(eps) times the largest
Ritz value in size.

Limits: of a multiple eigenvalue one copy is found; a vector to which the start is orthogonal never
is. Where the basis closes early (A has few different eigenvalues) what was found is exact, and
what was asked for beyond it is NaN and not converged.

Source: Lanczos 1950; the factorisation is matfree's, the only module of ours that uses it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from matfree import decomp

Product = Callable[[Float[Array, "size"]], Float[Array, "size"]]


def eigenvalues(
    product: Product,
    start: Float[Array, "size"],
    count: int,
    products: int,
    smallest: bool = False,
) -> dict[str, Array]:
    """The largest or smallest eigenvalues of a symmetric operator.

    Args:
        product: ``product(vector) -> A vector``.
        start: Not zero, in the subspace that is asked about: what A maps the rest to is not seen.
        count: How many eigenvalues.
        products: How many products the basis takes, at most the operator's size.
        smallest: Whether the smallest are wanted, most negative first.

    Returns:
        ``values`` ``[count]``, the wanted end first; ``residuals`` and ``converged`` of each;
        ``vectors`` ``[count, size]``, of unit length.
    """
    sign = -1.0 if smallest else 1.0
    length = min(products, start.size)
    factors = decomp.tridiag_sym(length, custom_vjp=False)(lambda v: sign * product(v), start)
    alive = _alive(factors.J_small)
    basis = jnp.where(alive[:, None], factors.Q_tall, 0)
    ritz, rotation = jnp.linalg.eigh(_closed(factors.J_small, alive))
    scale = jnp.max(jnp.where(jnp.arange(length) >= length - jnp.sum(alive), jnp.abs(ritz), 0))
    wanted = min(count, length)
    values = ritz[::-1][:wanted]
    vectors = rotation.T[::-1][:wanted] @ basis
    residuals = jax.vmap(
        lambda value, vector: jnp.linalg.norm(sign * product(vector) - value * vector)
    )(values, vectors)
    found = jnp.arange(wanted) < jnp.sum(alive)
    limit = jnp.sqrt(jnp.finfo(start.dtype).eps) * scale
    return {
        "values": _padded(jnp.where(found, sign * values, jnp.nan), count, jnp.nan),
        "residuals": _padded(jnp.where(found, residuals, jnp.nan), count, jnp.nan),
        "converged": _padded(found & (residuals <= limit), count, False),
        "vectors": _padded(jnp.where(found[:, None], vectors, jnp.nan), count, jnp.nan),
    }


def _alive(tridiagonal: Float[Array, "length length"]) -> Array:
    """Which vectors of the basis belong to it: none after the one with which it closes."""
    beside = jnp.nan_to_num(jnp.abs(jnp.diagonal(tridiagonal, 1)))
    sizes = jnp.nan_to_num(jnp.abs(jnp.diagonal(tridiagonal)))
    scale = jax.lax.cummax(sizes[:-1] + beside)
    goes_on = beside > 100 * jnp.finfo(tridiagonal.dtype).eps * scale
    return jnp.concatenate([jnp.ones(1, bool), jnp.cumprod(goes_on).astype(bool)])


def _closed(tridiagonal: Float[Array, "length length"], alive: Array) -> Array:
    """T with its dead part replaced by eigenvalues below all others."""
    inside = jnp.where(alive[:, None] & alive[None, :], tridiagonal, 0)
    below = -2 * jnp.sum(jnp.abs(inside)) - 1
    return inside + jnp.diag(jnp.where(alive, 0, below))


def _padded(values: Array, count: int, filling: float | bool) -> Array:
    missing = ((0, count - values.shape[0]), *((0, 0),) * (values.ndim - 1))
    return jnp.pad(values, missing, constant_values=filling)
