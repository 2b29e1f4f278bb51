"""Constraint equations of a point at rest for every batch: V_k f = d_k f, and what solves them.

With d_k f the derivative of the normalised output in the free matrix V_k,

    V_k f(x_n) = d_k f(x_n)   for every layer k.

At one sample it holds exactly where the layers are an aligned chain of rank one,

    V_k = u_k u_{k-1}^T,   u_0 = x / |x|,   f = +-|x|,

in a ReLU network with u_k >= 0; at several samples only if their inputs are parallel. Of the
projections only those of rank one along x do, and no orthogonal matrix: the right side has rank
one. A diagonal network, f = sum_i x_i prod_k v_ki, has solutions with equal layers

    v_i = 0   or   v_i = (f / |x_i|)^(1/(L-2)),   f = [sum_i |x_i|^(-2/(L-2))]^(-(L-2)/2),

the sum over the channels i that are not zero; then |v| = 1 by itself.

Source: [M112] appendix H, (48), (55)-(57); [Dyn] Lemma 8. Printed forms differ: (57) has x_i / f
for f / x_i; H.1 has any projection and H.2 any orthogonal matrix.
"""

import itertools

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ...models.checks import is_traced, refusal, whole
from ...models.problem import Problem
from ...models.views import View
from . import decompositions
from .moments import normalised_outputs
from .points import matrices, output_slopes, stacked


def constraint_residuals(problem: Problem, view: View) -> Float[Array, "samples layers"]:
    """|V_k f - d_k f| / |d_k f| of each sample and layer; outputs count together.

    One where d_k f vanishes, unless f does too.
    """
    values = normalised_outputs(problem, view)
    found = []
    for layer, slopes in zip(view.directions, output_slopes(problem, view), strict=True):
        left = values[(..., *(None,) * layer.ndim)] * layer[None, None]
        found.append(_apart(left, slopes))
    return jnp.stack(found, axis=1)


def mean_constraint_residuals(problem: Problem, view: View) -> Float[Array, "layers"]:
    """The same of the averages over samples, weighted by the targets: V_k mu = mean d_k fbar."""
    targets = problem.targets.reshape(problem.targets.shape[0], -1)
    mean = jnp.mean(jnp.sum(normalised_outputs(problem, view) * targets, axis=1))
    found = []
    for layer, slopes in zip(view.directions, output_slopes(problem, view), strict=True):
        average = jnp.tensordot(targets, slopes, axes=2) / len(targets)
        found.append(_apart((mean * layer)[None], average[None])[0])
    return jnp.stack(found)


def alignment(problem: Problem, view: View) -> Float[Array, "pairs"]:
    """|cosine| between what layer k gives most and what layer k+1 takes most, of each pair.

    The leading left singular vector of V_k and the leading right one of V_{k+1}: one for an aligned
    chain. NaN between convolutions, whose outputs are not the next kernel's inputs.
    """
    found = []
    for first, second in itertools.pairwise(matrices(problem, view.directions)):
        if first.shape[1] != second.shape[0]:
            found.append(jnp.full((), jnp.nan, first.dtype))
            continue
        given = decompositions.svd(first)[2][0]
        taken = decompositions.svd(second)[0][:, 0]
        found.append(jnp.abs(jnp.sum(given * taken)))
    return stacked(found, view.rho.dtype)


def projection_distance(problem: Problem, view: View) -> Float[Array, "layers"]:
    """Distance of each V_k to the nearest orthogonal projection of unit norm, of any rank.

    P / sqrt(r) with P of rank r is nearest along the leading eigenvectors of V_k's symmetric part:
    sqrt(2 - 2 max_r (lambda_1 + ... + lambda_r) / sqrt(r)). NaN where a layer is not square.
    """
    return jnp.stack([_to_projection(matrix) for matrix in matrices(problem, view.directions)])


def off_diagonal(problem: Problem, view: View) -> Float[Array, "layers"]:
    """Share of |V_k|^2 off the diagonal, of each layer; NaN where a layer is not square."""
    return jnp.stack([_off_diagonal(matrix) for matrix in matrices(problem, view.directions)])


def diagonal_solution(
    inputs: ArrayLike, layers: int, active: ArrayLike | None = None
) -> tuple[Float[Array, "channels"], Float[Array, ""]]:
    """The fixed point of a diagonal network with equal layers.

    Args:
        inputs: x_i, ``[channels]``, those of active channels not zero.
        layers: L, more than two; signs are those of one layer, the others positive.
        active: Which channels are not zero, all unless given.

    Returns:
        |v_i| of each layer, ``[channels]``, of unit norm, and the output f.

    Raises:
        ValueError: If there are fewer than three layers, or the input of an active channel is zero.
    """
    whole((layers,), "layers")
    if layers < 3:
        raise refusal("at least three layers", layers, "two need equal inputs in all channels")
    sizes = jnp.abs(jnp.asarray(inputs, float))
    chosen = jnp.ones(sizes.shape, bool) if active is None else jnp.asarray(active, bool)
    if not is_traced((sizes, chosen)) and jnp.any(chosen & (sizes == 0)):
        raise refusal(
            "inputs of active channels that are not zero", inputs, "pass active= without those"
        )
    power = layers - 2
    safe = jnp.where(chosen, sizes, 1.0)
    output = jnp.sum(jnp.where(chosen, safe ** (-2.0 / power), 0.0)) ** (-power / 2.0)
    return jnp.where(chosen, (output / safe) ** (1.0 / power), 0.0), output


def _apart(left: Array, right: Array) -> Float[Array, "samples"]:
    """|left - right| / |right| of each sample."""
    axes = tuple(range(1, right.ndim))
    size = jnp.sqrt(jnp.sum(right**2, axis=axes))
    apart = jnp.sqrt(jnp.sum((left - right) ** 2, axis=axes))
    return jnp.where(size > 0, apart / jnp.where(size > 0, size, 1), jnp.where(apart > 0, 1, 0))


def _to_projection(matrix: Float[Array, "rows columns"]) -> Float[Array, ""]:
    if matrix.shape[0] != matrix.shape[1]:
        return jnp.asarray(jnp.nan, matrix.dtype)
    values = decompositions.eigenvalues((matrix + matrix.T) / 2)[::-1]
    ranks = jnp.arange(1, len(values) + 1)
    overlap = jnp.max(jnp.cumsum(values) / jnp.sqrt(ranks))
    return jnp.sqrt(jnp.maximum(1 + jnp.sum(matrix**2) - 2 * overlap, 0))


def _off_diagonal(matrix: Float[Array, "rows columns"]) -> Float[Array, ""]:
    if matrix.shape[0] != matrix.shape[1]:
        return jnp.asarray(jnp.nan, matrix.dtype)
    return 1 - jnp.sum(jnp.diagonal(matrix) ** 2) / jnp.sum(matrix**2)
