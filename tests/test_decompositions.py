"""Decompositions against NumPy's, alone and batched, with their derivatives; and they end."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow.dynamics.observables import decompositions

MATRICES = np.random.default_rng(0).standard_normal((3, 5, 4))
SQUARES = MATRICES.transpose(0, 2, 1) @ MATRICES
SYMMETRIC = SQUARES / np.linalg.norm(SQUARES, axis=(1, 2), keepdims=True)


def rebuilt_by_svd(matrix):
    left, sizes, right = decompositions.svd(matrix)
    return left @ jnp.diag(sizes) @ right


def rebuilt_by_eigh(matrix):
    values, vectors = decompositions.eigh(matrix)
    return vectors @ jnp.diag(values) @ vectors.T


CASES = {
    "svd": (rebuilt_by_svd, lambda matrix: matrix, MATRICES),
    "singular_values": (
        decompositions.singular_values, lambda m: np.linalg.svd(m, compute_uv=False), MATRICES,
    ),
    "operator_norm": (decompositions.operator_norm, lambda m: np.linalg.norm(m, 2), MATRICES),
    "pinv": (decompositions.pinv, np.linalg.pinv, MATRICES),
    "eigh": (rebuilt_by_eigh, lambda matrix: matrix, SYMMETRIC),
    "eigenvalues": (decompositions.eigenvalues, np.linalg.eigvalsh, SYMMETRIC),
}  # fmt: skip
EACH_CASE = pytest.mark.parametrize(("ours", "reference", "given"), CASES.values(), ids=CASES)


@EACH_CASE
def test_they_are_numpys_alone_and_batched(ours, reference, given):
    expected = np.stack([reference(matrix) for matrix in given])
    alone = np.stack([ours(matrix) for matrix in given])
    np.testing.assert_allclose(alone, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(jax.vmap(ours)(jnp.asarray(given)), alone)
    twice = jax.jit(jax.vmap(jax.vmap(ours)))(jnp.asarray(given)[:, None])
    np.testing.assert_allclose(twice[:, 0], expected, rtol=1e-12, atol=1e-13)


def test_singular_values_have_the_derivatives_of_their_vectors():
    """The slope of s_1 is u_1 v_1^T, forward, in reverse and batched."""
    left, _, right = np.linalg.svd(MATRICES)
    slopes = left[:, :, :1] * right[:, :1, :]
    norm = decompositions.operator_norm
    for slope in (jax.grad(norm), jax.jacfwd(norm)):
        np.testing.assert_allclose(slope(MATRICES[0]), slopes[0], atol=1e-12)
        np.testing.assert_allclose(jax.vmap(slope)(jnp.asarray(MATRICES)), slopes, atol=1e-12)


MANY = """
import os
import jax, jax.numpy as jnp, numpy as np
cores = os.cpu_count()
jax.config.update("jax_num_cpu_devices", cores)
from rhoflow.dynamics.observables import decompositions
from rhoflow.dynamics.placement import placement, spread
def look(_, own, matrix):
    return [decompositions.singular_values(matrix @ jnp.roll(matrix, k, 1)) for k in range(40)]
looks = spread(look, placement("vmap"))
for seed in range(10):
    matrices = np.random.default_rng(seed).standard_normal((100 * cores, 20, 20))
    jax.block_until_ready(looks(None, jnp.zeros(len(matrices)), jnp.asarray(matrices)))
"""


def test_batches_on_every_core_do_not_wait_for_each_other():
    """With JAX's own, this does not end: each device waits on the last thread of the pool."""
    subprocess.run(
        [sys.executable, "-c", MANY], cwd=Path(__file__).parent, timeout=60, check=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
