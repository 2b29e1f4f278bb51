"""Extreme eigenvalues of a symmetric operator that is never a matrix, by Lanczos.

From a start vector q_1 and products with A alone, Lanczos builds an orthonormal basis Q of
span(q_1, A q_1, A^2 q_1, ...) in which A is tridiagonal, T = Q^T A Q. Eigenvalues theta of T are
Ritz values, y = Q s their vectors; extreme ones converge first. Every new vector is made orthogonal
to all before it, twice: without that, copies of converged eigenvalues appear.

What it says of itself: the residual |A y - theta y|, from one more product for each value. Some
eigenvalue of A lies within that distance of theta, and where others are a gap away, within
residual^2 / gap. A value is *converged* where its residual is at most sqrt(eps) times the largest
Ritz value in size.

Limits: of a multiple eigenvalue one copy is sure to be found; a vector to which the start is
orthogonal never is. Where the basis closes early (A has few different eigenvalues) what was found
is exact, and what was asked for beyond it is NaN and not converged. It closes where the part of
A q_k beyond the basis is round-off of A; what would follow is noise, which is no more orthogonal to
the basis than its digits allow, and is left out.

Source: Lanczos 1950; the factorisation is matfree's, the only module of ours that uses it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from matfree import decomp

from .decompositions import eigh

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
        start: Not zero.
        count: How many eigenvalues.
        products: How many products the basis takes, at most the operator's size.
        smallest: Whether the smallest are wanted, most negative first.

    Returns:
        ``values`` ``[count]``, the wanted end first; ``residuals`` and ``converged`` of each;
        ``vectors`` ``[count, size]``, of unit length.
    """
    sign = -1.0 if smallest else 1.0
    length = min(products, start.size)
    factorise = decomp.hessenberg(length, custom_vjp=False, reortho="full")
    factors = factorise(lambda v: sign * product(v), start)
    alive = _alive(factors.J_small)
    basis = jnp.where(alive[:, None], factors.Q_tall, 0)
    ritz, rotation = eigh(_closed(factors.J_small, alive))
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


def _alive(hessenberg: Float[Array, "length length"]) -> Array:
    """Which vectors of the basis belong to it: none after the one with which it closes.

    Below the diagonal stand the lengths of what was new, none longer than A is large, whatever
    stands behind the end.
    """
    beside, sizes = jnp.diagonal(hessenberg, -1), jnp.abs(jnp.diagonal(hessenberg))
    scale = jnp.max(jnp.nan_to_num(jnp.concatenate([sizes, beside])))
    goes_on = jnp.nan_to_num(beside) > 100 * jnp.finfo(hessenberg.dtype).eps * scale
    return jnp.concatenate([jnp.ones(1, bool), jnp.cumprod(goes_on).astype(bool)])


def _closed(hessenberg: Float[Array, "length length"], alive: Array) -> Array:
    """T with its dead part replaced by eigenvalues below all others."""
    beside = jnp.where(alive[1:], jnp.diagonal(hessenberg, -1), 0)
    inside = jnp.where(alive, jnp.diagonal(hessenberg), 0)
    below = -2 * (jnp.sum(jnp.abs(inside)) + 2 * jnp.sum(beside)) - 1
    diagonal = jnp.where(alive, inside, below)
    return jnp.diag(diagonal) + jnp.diag(beside, 1) + jnp.diag(beside, -1)


def _padded(values: Array, count: int, filling: float | bool) -> Array:
    missing = ((0, count - values.shape[0]), *((0, 0),) * (values.ndim - 1))
    return jnp.pad(values, missing, constant_values=filling)
