"""Ranks of one matrix from its singular values, or from their squares, which are cheaper.

`spectra` asks these of layers, gradients and Jacobians, and says what each is and how many digits
the squares keep.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from . import decompositions


def squared_singular_values(matrix: Float[Array, "rows columns"]) -> Float[Array, "rank"]:
    """s_i^2, descending, from the Gram matrix of the smaller side; good to eps s_1^2."""
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    return jnp.maximum(decompositions.eigenvalues(tall.T @ tall)[::-1], 0)


def stable_rank(squares: Float[Array, "rank"]) -> Float[Array, ""]:
    """The sum of s_i^2 over the largest."""
    return jnp.sum(squares) / squares[0]


def entropy_rank(squares: Float[Array, "rank"]) -> Float[Array, ""]:
    """The exponential of the entropy of the shares of s_i^2."""
    shares = squares / jnp.sum(squares)
    return jnp.exp(-jnp.sum(jnp.where(shares > 0, shares * jnp.log(shares), 0)))


def beyond_first(matrix: Float[Array, "rows columns"]) -> Float[Array, ""]:
    """The root of what the largest singular value leaves of the squares, without cancellation."""
    values = decompositions.singular_values(matrix)
    return jnp.sqrt(jnp.sum(values[1:] ** 2))


def numerical_rank(cutoffs: tuple[float, ...], matrix: Array) -> Float[Array, "cutoffs"]:
    """`above` of a matrix, by its Gram matrix where squares keep digits for the least cut-off."""
    if min(cutoffs) >= 10 * jnp.finfo(matrix.dtype).eps ** 0.5:
        values = jnp.sqrt(squared_singular_values(matrix))
    else:
        values = decompositions.singular_values(matrix)
    return above(cutoffs, values)


def above(cutoffs: tuple[float, ...], values: Array) -> Float[Array, "cutoffs"]:
    """How many singular values exceed each share of the first, which is the largest."""
    return jnp.stack([jnp.sum(values > cutoff * values[0]) for cutoff in cutoffs])
