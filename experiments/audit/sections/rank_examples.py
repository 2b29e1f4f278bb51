"""Statements of sections 1, 6 and 9, second part: examples with a known rank."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .... import models
from ....dynamics.observables import noise, points, spectra
from ..statement import CONSTRUCTION, Statement
from .residuals import excess, relative

DECAY = 0.01


def chain(
    inputs: np.ndarray, targets: np.ndarray, rho: float, network: models.Network
) -> tuple[models.Problem, models.Polar]:
    """An aligned chain V_k = u_k u_{k-1}^T, u_0 along the first input, u_k >= 0 for k > 0."""
    rng = np.random.default_rng(5)
    shapes = [w.shape for w in jax.eval_shape(network.init, jax.random.key(0))]
    below = inputs[0] / np.linalg.norm(inputs[0])
    layers = []
    for _, width in shapes:
        above = rng.uniform(0.2, 1, width)
        above /= np.linalg.norm(above)
        layers.append(jnp.asarray(np.outer(below, above)))
        below = above
    problem = models.Problem(network, inputs, targets, decay=DECAY)
    return problem, models.Polar(jnp.asarray(rho), tuple(layers))


@functools.cache
def at_rest_on_every_batch() -> tuple[models.Problem, models.Polar]:
    """Collinear inputs whose margins take both values (1 +- sqrt(1 - 4 lambda rho^2))/(2 rho)."""
    rho, root = 3.0, np.sqrt(1 - 4 * DECAY * 3.0**2)
    sizes = np.array([1 + root, 1 - root, 1 + root, 1 - root]) / (2 * rho)
    targets = np.array([1.0, 1.0, -1.0, -1.0])
    along = np.array([0.48, 0.6, 0.64])
    inputs = (targets * sizes)[:, None] * along
    return chain(inputs, targets, rho, models.deep_linear((3, 4, 5, 1)))


@functools.cache
def at_rest_on_balanced_batches() -> tuple[models.Problem, models.Polar]:
    """x_+ = e1, x_- = e2, repeated; V_1 = diag(1, 1)/sqrt 2, V_2 = (1, -1)/sqrt 2: rank two."""
    root = 1 / np.sqrt(2)
    layers = (jnp.eye(2) * root, jnp.asarray([[root], [-root]]))
    inputs = np.repeat(np.eye(2), 3, axis=0)
    targets = np.array([1.0, 1, 1, -1, -1, -1])
    margin = 0.5
    rho = margin / (margin**2 + DECAY)
    problem = models.Problem(models.mlp((2, 2, 1)), inputs, targets, decay=DECAY)
    return problem, models.Polar(jnp.asarray(rho), layers)


def _unrest(problem: models.Problem, view: models.View) -> Array:
    """The largest gradient of any sample by itself."""
    found = jax.jit(noise.stationarity)(problem, view)
    return jnp.maximum(jnp.max(found["rho"]), jnp.max(found["directions"]))


def rest_of_every_batch() -> Array:
    """Every sample of the collinear example is at rest, in rho and directions."""
    return _unrest(*at_rest_on_every_batch())


def rank_at_rest() -> Array:
    """Its layers have rank one."""
    found = spectra.numerical_rank(1e-6)(*at_rest_on_every_batch())
    return excess(found, 1.0)


def _pair(sign: float) -> Array:
    """V_k by (50) from two samples, with a sign between the terms of the numerator."""
    sizes, targets = np.array([0.9, 0.5, 0.7]), np.array([1.0, 1.0, 1.0])
    inputs = sizes[:, None] * np.array([0.48, 0.6, 0.64])
    problem, view = chain(inputs, targets, 1.3, models.mlp((3, 4, 5, 1)))
    predicted = spectra.pair_prediction(problem, view, 0, 1)
    if sign > 0:
        pulls = 1 - 1.3 * sizes[:2]
        scale = pulls[0] * sizes[0] + pulls[1] * sizes[1]
        factor = scale / (pulls[0] * sizes[0] - pulls[1] * sizes[1])
        predicted = tuple(factor * layer for layer in predicted)
    return relative(tuple(view.directions), predicted)


def pair_rank_one() -> Array:
    """(50) with a minus sign, at a point where (49) holds for both samples."""
    return _pair(-1.0)


def pair_rank_one_as_printed() -> Array:
    """(50) with a plus sign."""
    return _pair(1.0)


def _batch_unrest(batch: tuple[int, ...]) -> Array:
    """The largest gradient of one batch of the rank-two example."""
    problem, view = at_rest_on_balanced_batches()
    slope = jax.jit(points.gradient)(models.take(problem, jnp.asarray(batch)), view)
    return jnp.max(jnp.stack([jnp.max(jnp.abs(x)) for x in jax.tree.leaves(slope)]))


def rank_two_on_balanced_batches() -> Array:
    """A point of rank two is at rest on every balanced batch of two and of four."""
    problem, view = at_rest_on_balanced_batches()
    rank = spectra.numerical_rank(1e-6)(problem, view)[0, 0]
    batches = ((0, 3), (1, 5), (2, 4), (0, 1, 4, 5))
    unrest = jnp.max(jnp.stack([_batch_unrest(batch) for batch in batches]))
    return jnp.maximum(unrest, jnp.abs(rank - 2))


def rank_two_on_every_batch() -> Array:
    """The same on every batch of two, balanced or not."""
    return jnp.maximum(_batch_unrest((0, 1)), _batch_unrest((3, 5)))


def noise_vanishes() -> Array:
    """At interpolation without decay the gradients of single samples vanish."""
    problem, view = interpolating()
    return jax.jit(noise.gradient_noise)(problem, view)["trace"]


@functools.cache
def interpolating() -> tuple[models.Problem, models.Polar]:
    """Ten samples met exactly by a network with 435 weights."""
    rng = np.random.default_rng(11)
    inputs = rng.standard_normal((10, 28))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    targets = np.where(np.arange(10) % 2, 1.0, -1.0)
    below = rng.standard_normal((28, 15))
    top = np.linalg.pinv(np.maximum(inputs @ below, 0)) @ targets
    problem = models.Problem(models.mlp((28, 15, 1)), inputs, targets)
    return problem, models.to_polar((jnp.asarray(below), jnp.asarray(top[:, None])))


def dimension_of_solutions() -> Array:
    """The Jacobian has rank N = 10, and 435 - 10 eigenvalues of the Hessian vanish."""
    problem, view = interpolating()
    rank = jax.jit(spectra.jacobian_rank())(problem, view)
    found = jax.jit(spectra.flat_directions())(problem, view)
    return jnp.abs(rank - 10) + jnp.abs(found["near_zero"] - 425) + models.data_loss(problem, view)


def _kernel_slope() -> tuple[Array, Array]:
    """The slope in the kernel of a convolution, and the sum over patches of a_p b_p^T."""
    rng = np.random.default_rng(3)
    image, kernel = rng.standard_normal((6, 6, 2)), rng.standard_normal((3, 3, 2, 5))
    top = rng.standard_normal((2, 2, 5))

    def output(kernel: Array) -> Array:
        made = jax.lax.conv_general_dilated(
            jnp.asarray(image)[None], kernel, (3, 3), "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )  # fmt: skip
        return jnp.sum(jax.nn.relu(made[0]) * top)

    slope = jax.grad(output)(jnp.asarray(kernel)).reshape(-1, 5)
    total = np.zeros((18, 5))
    for row in range(2):
        for column in range(2):
            patch = image[3 * row : 3 * row + 3, 3 * column : 3 * column + 3].reshape(-1)
            active = patch @ kernel.reshape(-1, 5) > 0
            total += np.outer(patch, top[row, column] * active)
    return slope, jnp.asarray(total)


def kernel_rank_one() -> Array:
    """S_2 / s_1 of the gradient of a convolution's kernel at one sample."""
    values = jnp.linalg.svd(_kernel_slope()[0], compute_uv=False)
    return values[1] / values[0]


def kernel_sum_of_patches() -> Array:
    """It is the sum over patches of a_p b_p^T, of rank at most their number."""
    slope, total = _kernel_slope()
    rank = jnp.linalg.matrix_rank(slope)
    return jnp.maximum(relative(slope, total), excess(rank, 4.0))


def _of_rank(rank: int, size: int = 9) -> np.ndarray:
    """A matrix of that rank with |V|_F = 1."""
    rng = np.random.default_rng(rank)
    matrix = rng.standard_normal((size, rank)) @ rng.standard_normal((rank, size))
    return matrix / np.linalg.norm(matrix)


def norms_by_rank() -> Array:
    """|V|_F <= sqrt(r) |V|_op."""
    ranks = (1, 2, 4, 9)
    spectral = [np.linalg.norm(_of_rank(rank), 2) for rank in ranks]
    return excess(1.0, jnp.min(jnp.asarray(np.sqrt(ranks) * spectral)))


def gain_by_rank() -> Array:
    """A layer of rank r and |V|_F = 1 is said to count sqrt(r/n) in place of 1."""
    return excess(np.linalg.norm(_of_rank(2)), np.sqrt(2 / 9))


MADE = (CONSTRUCTION,)
STATEMENTS = (
    Statement(
        "1.4", "[M112] (50)-(52)", "d f/d kernel is a sum over patches of a_p b_p^T",
        kernel_sum_of_patches, kernel_rank_one, asked_of=MADE,
        note="the printed form, rank one, is asked of a convolution",
    ),
    Statement(
        "6.3", "[Dyn] (50)",
        "V_k = (l_i d_k fbar_i - l_j d_k fbar_j)/(l_i fbar_i - l_j fbar_j)",
        pair_rank_one, pair_rank_one_as_printed, asked_of=MADE, note="print has a plus above",
    ),
    Statement(
        "6.3", "[Dyn] Lemma 8", "at rest on every batch V_k has rank one", rank_at_rest,
        tolerance=0.0, asked_of=MADE, note="print: rank at most two",
    ),
    Statement(
        "6.3", "[Dyn] Lemma 8, balanced", "rank two can be at rest on every class-balanced batch",
        rank_two_on_balanced_batches, rank_two_on_every_batch, asked_of=MADE,
        note="print: on every batch of size B",
    ),
    Statement(
        "6.3", "[Dyn] Lemma 8, margins",
        "every batch rests at margins (1 +- sqrt(1 - 4 lambda rho^2))/(2 rho) of parallel inputs",
        rest_of_every_batch, asked_of=MADE,
    ),
    Statement(
        "6.6", "[Dyn] 6.2", "without decay the noise vanishes with l_n", noise_vanishes,
        tolerance=1e-20, asked_of=MADE,
    ),
    Statement(
        "6.7", "[Dyn] Theorem 7", "|V|_F <= sqrt(r) |V|_op: a gain for spectrally normalised V_k",
        norms_by_rank, gain_by_rank, asked_of=MADE,
        note="quoted without proof, a heuristic: with |V_k|_F = 1 rank gains nothing",
    ),
    Statement(
        "9.8", "[Dyn] Theorem 1", "where N outputs are met, P - N directions are flat",
        dimension_of_solutions, tolerance=1e-18, asked_of=MADE,
    ),
)  # fmt: skip
