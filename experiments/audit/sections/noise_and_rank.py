"""Statements of section 6: batch stationarity, noise and the rank of gradients.

Measures are compiled whole: piece by piece they take several times as long.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .... import models
from ....dynamics import normalisation as kinds
from ....dynamics.observables import noise, points, spectra
from ..statement import CONSTRUCTION, Statement
from .batch_update import BATCHES, batch_of, few_of
from .binary import POLAR, SCALAR
from .residuals import excess, relative


def _lacking(batches: list[tuple[int, ...]], samples: int) -> Array:
    return samples - noise.incidence_rank(jnp.asarray(batches), samples)


def every_batch_determines() -> Array:
    """The incidence matrix of all batches of 3 out of 8 has rank 8."""
    return _lacking(list(itertools.combinations(range(8), 3)), 8)


def fixed_partition_determines() -> Array:
    """That of a fixed partition into batches of 2 has rank 4."""
    return _lacking([(0, 1), (2, 3), (4, 5), (6, 7)], 8)


def _expected_square(problem: models.Problem, view: models.View, size: int) -> tuple[Array, Array]:
    """Mean |g_B|^2 over all batches, one by one, and by the formula."""
    few = few_of(problem, 6)
    here = models.Polar(view.rho, view.directions)
    batches = jnp.asarray(list(itertools.combinations(range(6), size)))
    gradients = jax.vmap(lambda batch: points.gradient(models.take(few, batch), here))(batches)
    squares = jnp.sum(points.rows(gradients) ** 2, axis=1)
    with jax.ensure_compile_time_eval():  # its size, a leaf, is checked outside compiled code
        expected = noise.batch_gradient(size)
    return jnp.mean(squares), jax.jit(lambda look, *at: look(*at))(expected, few, view)


def expected_batch_gradient(problem: models.Problem, view: models.View) -> Array:
    """E |g_B|^2 = |g|^2 + tr Sigma / B (N - B)/(N - 1), over all batches of 2 out of 6."""
    return relative(*_expected_square(problem, view, 2))


def noise_remains(problem: models.Problem, view: models.View) -> Array:
    """With decay the gradients of single samples scatter at rest: how far below 1e-6."""
    return excess(1e-6, noise.gradient_noise(few_of(problem, 64), view)["trace_directions"])


def every_batch_at_rest(problem: models.Problem, view: models.View) -> Array:
    """Where the flow rests, every sample is at rest: the largest |dU_n/dV_k|."""
    return jnp.max(noise.stationarity(few_of(problem, 64), view)["directions"])


def noise_bound(problem: models.Problem, view: models.View) -> Array:
    """(53): |V_k'| on a batch <= (2 rho/B) sum |l_n| |d_k fbar_n - V_k fbar_n|."""
    return excess(*_both_sides(problem, view))


def noise_equality(problem: models.Problem, view: models.View) -> Array:
    """(53) as an equality."""
    return relative(*_both_sides(problem, view))


def _both_sides(problem: models.Problem, view: models.View) -> tuple[Array, Array]:
    """|V_k'| of each layer on a batch, and the mean of its samples' norms."""
    batch, here = batch_of(problem), models.Polar(view.rho, view.directions)
    speeds = models.layer_norms(kinds.field(kinds.sphere(), batch, here).directions)
    sizes = jnp.mean(noise.stationarity(batch, view)["directions"], axis=0)
    return speeds, sizes


def rank_of_batch_gradients(problem: models.Problem, view: models.View) -> Array:
    """The gradient of a batch of B has rank at most B times the number of outputs."""
    outputs = problem.targets.size // len(problem.targets)
    over = []
    for size in (1, 2, 3):
        found = spectra.gradient_rank(np.arange(size), 1e-6)(problem, view)
        over.append(excess(found, float(size * outputs)))
    return jnp.max(jnp.stack(over))


def rank_one_samples(problem: models.Problem, view: models.View) -> Array:
    """s_2 / s_1 of d f / dW_k at one sample, for each layer and output."""
    worst = []
    for slopes in points.output_slopes(few_of(problem, 6), view):
        values = jnp.linalg.svd(slopes, compute_uv=False)
        second = values[..., 1] if values.shape[-1] > 1 else jnp.zeros_like(values[..., 0])
        worst.append(jnp.max(second / jnp.maximum(values[..., 0], 1e-300)))
    return jnp.max(jnp.stack(worst))


STATEMENTS = (
    Statement(
        "1.4", "[Dyn] (47), [M112] (50)-(52)", "d f(x_n)/dW_k of a dense layer has rank one",
        rank_one_samples, asked_of=("dense", "pointwise"),
    ),
    Statement(
        "6.2", "[M117] Lemma 8", "if all batches of size B < N are at rest, every sample is",
        every_batch_determines, fixed_partition_determines, tolerance=0.0,
        asked_of=(CONSTRUCTION,), note="the printed form is asked of a fixed partition",
    ),
    Statement(
        "6.3", "[Dyn] 6.1", "where the flow rests, each batch does",
        printed=every_batch_at_rest, tolerance=1e-3,
        asked_of=(*SCALAR, "decay", "smooth_rest"),
        note="impossible with decay and two inputs that are not parallel",
    ),
    Statement(
        "6.4", "[Dyn] (53)", "|V_k'| <= (2 rho/B) sum |l_n| |d_k fbar_n - V_k fbar_n|",
        noise_bound, noise_equality, asked_of=BATCHES, note="print has =",
    ),
    Statement(
        "6.5", "[Dyn] 6.1", "the gradient of a batch has rank at most B", rank_of_batch_gradients,
        tolerance=0.0, asked_of=("dense", "pointwise", "six_samples"),
    ),
    Statement(
        "6.6", "[Dyn] 6.2", "E |g_B|^2 = |g|^2 + tr Sigma/B (N-B)/(N-1)", expected_batch_gradient,
        asked_of=("homogeneous", "separate", "six_samples"),
    ),
    Statement(
        "6.6", "[Dyn] 6.2", "with decay noise of the directions remains at rest", noise_remains,
        tolerance=0.0, asked_of=(*POLAR, "separate", "decay", "rest"),
    ),
)  # fmt: skip
