"""Are the layers of a network equal, and would they be after rotations of hidden units?

    distance         = |V_{k+1} - V_k|
    rotated distance = min_{P, Q orthogonal} |V_{k+1} - P V_k Q| = |s(V_{k+1}) - s(V_k)|

with s the singular values in falling order (Mirsky). Between linear layers a rotation of hidden
units, W_k -> Q_k W_k Q_{k-1}^T, changes neither the function nor a norm, and a flow from a rotated
start is the rotated flow; between ReLU layers a permutation. So whether layers are *equal* is a
matter of the start; of what the rotated distance sees, it need not be.

Source: [M112] H.1 expects a network of T free layers to end with equal ones. The rotated distance
is ours: L. Mirsky, Symmetric gauge functions and unitarily invariant norms (1960).
"""

import itertools
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models.problem import Problem
from ...models.views import View
from . import decompositions
from .points import as_matrix, stacked


def layer_distances(problem: Problem, view: View) -> Float[Array, "pairs"]:
    """|V_{k+1} - V_k| of consecutive layers, in [0, 2]; NaN where their shapes differ."""
    del problem
    return _of_pairs(lambda low, high: jnp.linalg.norm(jnp.ravel(high - low)), view)


def rotated_layer_distances(problem: Problem, view: View) -> Float[Array, "pairs"]:
    """The least |V_{k+1} - P V_k Q| over orthogonal P and Q; NaN where their shapes differ.

    Kernels count as matrices, as in `spectra`.
    """
    del problem
    return _of_pairs(lambda low, high: jnp.linalg.norm(_sizes(high) - _sizes(low)), view)


def _of_pairs(measure: Callable[[Array, Array], Array], view: View) -> Float[Array, "pairs"]:
    pairs = itertools.pairwise(view.directions)
    nan = jnp.full((), jnp.nan, view.directions[0].dtype)
    found = [measure(low, high) if low.shape == high.shape else nan for low, high in pairs]
    return stacked(found, view.rho.dtype)


def _sizes(layer: Array) -> Float[Array, "values"]:
    return decompositions.singular_values(as_matrix(layer))
