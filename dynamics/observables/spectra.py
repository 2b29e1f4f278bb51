"""Spectra of layers, gradients and Jacobians: which rank they have.

With s_1 >= s_2 >= ... the singular values of a layer as a matrix (a convolution's kernel reshaped
to [out, in * height * width]; kernels of a tree's own for each pair as the block-diagonal map that
they are, `points.matrices`), for every layer

    numerical rank  #{i: s_i > c s_1},   several cut-offs c,
    stable rank     sum_i s_i^2 / s_1^2,
    entropy rank    exp(-sum_i p_i ln p_i),  p_i = s_i^2 / sum_j s_j^2,
    condition       s_1 / s_min.

All but the condition number and the singular values themselves come from the eigenvalues s_i^2 of
the Gram matrix of the layer's smaller side, cheaper than a singular value decomposition where
layers are large or far from square (`ranks` has all three from one decomposition). Squaring loses
half the digits: s_i is known down to about sqrt(eps) s_1 only, 1e-8 in double and 4e-4 in single
precision. Cut-offs below ten times that are decided by a singular value decomposition instead; the
stable and the entropy rank do not see so small values.

What theory says of them: one sample's gradient of a dense layer has rank one, a batch's at most its
size (times the number of outputs); a point at rest for every batch has layers of rank one, and

    V_k = (l_i d_k fbar_i - l_j d_k fbar_j) / (l_i fbar_i - l_j fbar_j)

for any two samples i, j (`pair_prediction`); where N outputs are met, the outputs' Jacobian has
rank N and the solutions near by form a manifold of dimension P - N, P the number of weights.

Source: [Dyn] (47), (50), Lemma 8 and Theorem 1; [M112] (50)-(52). Print has a plus in the numerator
of (50), and rank two in Lemma 8, which holds for batches that are balanced between classes.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, ArrayLike, Float

from ...models import losses
from ...models.binding import bind
from ...models.checks import refusal, sample_numbers, single
from ...models.network import Weights
from ...models.polar import Polar, to_weights
from ...models.problem import Problem, data_loss, take
from ...models.views import View
from . import decompositions, matrix_ranks
from .points import matrices, output_slopes, point

CUTOFFS = (1e-1, 1e-2, 1e-3)
LARGEST_DENSE = 3000
"""Parameters up to which a dense Hessian is made."""


def singular_values(problem: Problem, view: View) -> tuple[Float[Array, "rank"], ...]:
    """Singular values of each V_k, descending, by a singular value decomposition."""
    layers = matrices(problem, view.directions)
    return tuple(decompositions.singular_values(matrix) for matrix in layers)


def condition_numbers(problem: Problem, view: View) -> Float[Array, "layers"]:
    """s_1 / s_min of each layer; infinite where it is singular."""
    return jnp.stack([values[0] / values[-1] for values in singular_values(problem, view)])


def stable_rank(problem: Problem, view: View) -> Float[Array, "layers"]:
    """|V_k|_F^2 / |V_k|_op^2 of each layer, between 1 and the rank."""
    return _for_layers(matrix_ranks.stable_rank, problem, view)


def entropy_rank(problem: Problem, view: View) -> Float[Array, "layers"]:
    """Exponential of the entropy of s_i^2 / |V_k|_F^2 of each layer, between 1 and the rank."""
    return _for_layers(matrix_ranks.entropy_rank, problem, view)


def numerical_rank(*cutoffs: float) -> Callable[[Problem, View], Float[Array, "layers cutoffs"]]:
    """An observable: how many singular values of each layer exceed a share of the largest.

    Args:
        *cutoffs: The shares, (0.1, 0.01, 0.001) unless given.

    Returns:
        An observable, ``[layers, cutoffs]``; equal arguments return the same one.

    Raises:
        ValueError: If a cut-off is not between 0 and 1.

    >>> numerical_rank(0.1) is numerical_rank(0.1)
    True
    """
    return bind(_numerical_rank, _checked(cutoffs))


def ranks(*cutoffs: float) -> Callable[[Problem, View], dict[str, Array]]:
    """An observable: all three ranks of each layer, from one decomposition.

    Args:
        *cutoffs: As for `numerical_rank`.

    Returns:
        ``numerical`` ``[layers, cutoffs]``, ``stable`` and ``entropy`` ``[layers]``.

    Raises:
        ValueError: If a cut-off is not between 0 and 1.
    """
    return bind(_ranks, _checked(cutoffs))


def gradient_rank(indices: ArrayLike, *cutoffs: float) -> Partial:
    """An observable: the rank of a batch's gradient of the data's loss, for each layer.

    At most the batch's size times the number of outputs for a dense layer.

    Args:
        indices: Which samples, ``[batch]``; a leaf.
        *cutoffs: Shares of the largest singular value, (0.1, 0.01, 0.001) unless given.

    Returns:
        An observable, ``[layers, cutoffs]``; -1 where compiled code meets a sample that is not
        there.

    Raises:
        ValueError: If a cut-off is not between 0 and 1, or a number is not whole or negative; when
            it is evaluated, if there is no such sample.
    """
    batch = jnp.atleast_1d(sample_numbers(indices))
    return Partial(bind(_gradient_rank, _checked(cutoffs)), batch)


def rank_one_distance(problem: Problem, view: View) -> Float[Array, "layers"]:
    """Distance of each V_k to the nearest matrix of rank one, sqrt(1 - s_1^2): 0 if of rank one."""
    layers = matrices(problem, view.directions)
    return jnp.stack([matrix_ranks.beyond_first(matrix) for matrix in layers])


def pair_prediction(problem: Problem, view: View, first: int, second: int) -> Weights:
    """What (50) makes of each layer at a point at rest for every batch, from two samples.

    V_k = (l_i d_k fbar_i - l_j d_k fbar_j) / (l_i fbar_i - l_j fbar_j), for targets +-1 and the
    square loss. Undefined (0/0) where both targets are met, and where rho is at rest on each of the
    two, which makes l_i fbar_i = l_j fbar_j = lambda rho.

    Args:
        problem: Whose samples.
        view: Where.
        first: The number of sample i.
        second: That of j, another one.

    Raises:
        ValueError: If these are not two samples of the problem, its targets are not +-1, or its
            loss is not the square one.
    """
    if problem.targets.ndim != 1 or problem.loss != losses.square:
        got = f"the {problem.loss.name} loss of targets {problem.targets.shape}"
        raise refusal("the square loss of targets +-1", got, "encode two classes as 'signs'")
    pair = take(problem, _two(first, second, len(problem.targets)))
    margins = pair.targets * view.evaluate(pair.network, pair.inputs)
    pulls = jnp.asarray([1.0, -1.0]) * (1 - view.rho * margins)
    scale = jnp.sum(pulls * margins)
    return tuple(
        jnp.tensordot(pulls * pair.targets, slope[:, 0], axes=1) / scale
        for slope in output_slopes(pair, view)
    )


def pair_residual(first: int, second: int) -> Callable[[Problem, View], Float[Array, "layers"]]:
    """An observable: how far each layer is from its `pair_prediction`, relative to |V_k| = 1.

    Args:
        first: The number of one sample.
        second: Of another.

    Raises:
        ValueError: If they are not two samples; when it is evaluated, as `pair_prediction`.
    """
    _two(first, second)
    return bind(_pair_residual, first, second)


def jacobian_rank(cutoff: float = 1e-6) -> Callable[[Problem, View], Float[Array, ""]]:
    """An observable: the rank of the outputs' Jacobian in the weights, ``[outputs, parameters]``.

    Args:
        cutoff: Share of the largest singular value above which one counts.
    """
    return bind(_jacobian_rank, *_checked((cutoff,)))


def flat_directions(cutoff: float = 1e-9) -> Callable[[Problem, View], dict[str, Array]]:
    """An observable of small networks: how many eigenvalues of the data loss's Hessian vanish.

    Where every target is met there are P - N of them, the dimension of the manifold of solutions
    (for C outputs P - N C), if the Jacobian has full rank.

    Args:
        cutoff: Share of the largest absolute eigenvalue below which one counts as zero; never less
            than P eps, the round-off of P by P eigenvalues: 2e-6 for twenty weights in single
            precision.

    Returns:
        An observable with ``near_zero`` and ``expected`` = P minus the number of outputs.

    Raises:
        ValueError: When it is evaluated with more than 3000 weights.
    """
    return bind(_flat_directions, *_checked((cutoff,)))


def _two(first: int, second: int, samples: int | None = None) -> Array:
    """The numbers of two different samples."""
    if first == second:
        raise refusal("two different samples", f"{first} twice", "pass for example 0 and 1")
    return sample_numbers([first, second], samples)


def _checked(cutoffs: tuple[float, ...]) -> tuple[float, ...]:
    for cutoff in cutoffs:
        single("a cut-off", cutoff)
    if not all(0 < cutoff < 1 for cutoff in cutoffs):
        raise refusal("cut-offs between 0 and 1", cutoffs, "pass for example 0.1, 0.001")
    return cutoffs or CUTOFFS


def _for_layers(of_squares: Callable[[Array], Array], problem: Problem, view: View) -> Array:
    layers = matrices(problem, view.directions)
    squares = [matrix_ranks.squared_singular_values(matrix) for matrix in layers]
    return jnp.stack([of_squares(values) for values in squares])


def _ranks(cutoffs: tuple[float, ...], problem: Problem, view: View) -> dict[str, Array]:
    layers = singular_values(problem, view)
    return {
        "numerical": jnp.stack([matrix_ranks.above(cutoffs, values) for values in layers]),
        "stable": jnp.stack([matrix_ranks.stable_rank(values**2) for values in layers]),
        "entropy": jnp.stack([matrix_ranks.entropy_rank(values**2) for values in layers]),
    }


def _numerical_rank(
    cutoffs: tuple[float, ...], problem: Problem, view: View
) -> Float[Array, "layers cutoffs"]:
    layers = matrices(problem, view.directions)
    return jnp.stack([matrix_ranks.numerical_rank(cutoffs, matrix) for matrix in layers])


def _gradient_rank(
    cutoffs: tuple[float, ...], indices: Array, problem: Problem, view: View
) -> Float[Array, "layers cutoffs"]:
    samples, here = problem.inputs.shape[0], point(view)
    batch = take(problem, sample_numbers(indices, samples))
    slopes = jax.grad(lambda layers: data_loss(batch, Polar(here.rho, layers)))(here.directions)
    layers = matrices(problem, slopes)
    ranks_found = jnp.stack([matrix_ranks.numerical_rank(cutoffs, matrix) for matrix in layers])
    return jnp.where(jnp.all(indices < samples), ranks_found, -1)


def _pair_residual(first: int, second: int, problem: Problem, view: View) -> Float[Array, "layers"]:
    predicted = pair_prediction(problem, view, first, second)
    pairs = zip(predicted, view.directions, strict=True)
    return jnp.stack([jnp.linalg.norm((found - layer).ravel()) for found, layer in pairs])


def _flat(problem: Problem, view: View) -> tuple[Array, Callable[[Array], Weights]]:
    point(view)
    return jax.flatten_util.ravel_pytree(to_weights(view, problem.network))


def _jacobian_rank(cutoff: float, problem: Problem, view: View) -> Float[Array, ""]:
    weights, unravel = _flat(problem, view)
    jacobian = jax.jacrev(
        lambda flat: problem.network.apply(unravel(flat), problem.inputs).reshape(-1)
    )(weights)
    return matrix_ranks.numerical_rank((cutoff,), jacobian)[0]


def _flat_directions(cutoff: float, problem: Problem, view: View) -> dict[str, Any]:
    weights, unravel = _flat(problem, view)
    if weights.size > LARGEST_DENSE:
        raise refusal(
            f"at most {LARGEST_DENSE} weights for a dense Hessian",
            weights.size,
            "take a smaller network, or curvature.hessian_eigenvalues",
        )

    def loss(flat: Array) -> Array:
        found = problem.network.apply(unravel(flat), problem.inputs)
        return jnp.mean(problem.loss.per_sample(found, problem.targets))

    sizes = jnp.abs(decompositions.eigenvalues(jax.hessian(loss)(weights)))
    share = max(cutoff, weights.size * float(jnp.finfo(weights.dtype).eps))
    return {
        "near_zero": jnp.sum(sizes <= share * jnp.max(sizes)),
        "expected": jnp.asarray(weights.size - problem.targets.size),
    }
