"""Decompositions of a matrix that all members of an ensemble may ask for at once.

JAX's batched ones give the matrices to a pool of threads, one for each CPU core, and wait for them
on a thread of that pool: where as many devices as there are threads do so at once, all wait for
ever. So on a CPU the matrices of a batch are taken in turn, which costs nothing where the devices
are the cores. Elsewhere they are one batch. An observable of one's own, for members that are
batched on several CPU devices, does well to take these.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

Decomposition = Callable[[Array], PyTree]


def in_turn(function: Decomposition) -> Decomposition:
    """The function of a matrix, which under ``jax.vmap`` takes one matrix at a time on a CPU.

    Its derivatives are those of the function, and are batched everywhere.
    """

    @jax.custom_batching.custom_vmap
    def alone(matrix: Array) -> PyTree:
        return function(matrix)

    @alone.def_vmap
    def batch(size: int, batched: list[bool], matrices: Array) -> tuple[PyTree, PyTree]:
        del size, batched  # There is one argument, so it has the batch.
        found = jax.lax.platform_dependent(
            matrices, cpu=lambda all_: jax.lax.map(alone, all_), default=jax.vmap(function)
        )
        return found, jax.tree.map(lambda _: True, found)

    decomposed = jax.custom_jvp(alone)
    decomposed.defjvp(lambda primals, tangents: jax.jvp(function, primals, tangents))
    return decomposed


def _svd(matrix: Array) -> tuple[Array, Array, Array]:
    left, sizes, right = jnp.linalg.svd(matrix, full_matrices=False)
    return left, sizes, right


svd = in_turn(_svd)
"""Singular vectors ``[rows, rank]``, values ``[rank]``, descending, vectors ``[rank, columns]``."""

singular_values = in_turn(lambda matrix: jnp.linalg.svd(matrix, compute_uv=False))
"""Descending, ``[rank]``."""

eigh = in_turn(lambda matrix: tuple(jnp.linalg.eigh(matrix)))
"""Of a symmetric matrix: eigenvalues, ascending, and eigenvectors as columns."""

eigenvalues = in_turn(jnp.linalg.eigvalsh)
"""Of a symmetric matrix, ascending."""

pinv = in_turn(jnp.linalg.pinv)
"""The pseudo-inverse ``[columns, rows]``."""


def operator_norm(matrix: Float[Array, "rows columns"]) -> Float[Array, ""]:
    """The largest singular value."""
    return singular_values(matrix)[0]
