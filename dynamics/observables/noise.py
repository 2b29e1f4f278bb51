"""Gradient noise: how the gradients of single samples scatter, and what of it stays.

With U_n each sample's share of the objective, g_n its gradient in polar coordinates
(`points.sample_gradients`), g their mean and Sigma = mean (g_n - g)(g_n - g)^T, a batch of B
samples drawn without replacement has

    E |g_B|^2 = |g|^2 + tr(Sigma) / B * (N - B) / (N - 1).

A batch of size B is at rest where its sum vanishes; if *every* batch of a size B < N is, every g_n
vanishes, since the batches' incidence matrix has rank N (`incidence_rank`). A fixed partition has a
lower rank, and reshuffled ones reach it after some epochs (`draws_to_determine`). With decay and
two inputs that are not parallel the g_n cannot all vanish, and noise remains:

    Var rho = eta^2 S / B / (1 - (1 - eta h)^2),   S = Var_n(2 l_n fbar_n),   h = 2 (M + lambda),

for steps eta of rho alone, the directions held; S is zero only where all l_n fbar_n are equal.

Source: [Dyn] 6.1, 6.2, (49); [M117] Lemma 8 and section 5; for small eta h the variance of rho is
eta S / (2 h B).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, ArrayLike, Float, Int, Key

from ...models import losses
from ...models.binding import bind
from ...models.checks import is_traced, refusal, sample_numbers, single, whole
from ...models.problem import Problem
from ...models.views import View
from . import decompositions
from .moments import normalised_outputs, second_moment, targets
from .points import rows, sample_gradients

NOTHING_NEW = 1e-4
"""A unit vector whose part outside of a span is shorter lies in it, up to single precision."""


def gradient_noise(problem: Problem, view: View) -> dict[str, Float[Array, ""]]:
    """How the gradients of single samples scatter.

    Returns:
        ``squared_gradient`` |g|^2, ``trace`` of their covariance Sigma, ``trace_rho`` and
        ``trace_directions``, its parts in rho and on the spheres.
    """
    gradients = sample_gradients(problem, view)
    whole = rows(gradients)
    of_rho = jnp.mean((gradients.rho - jnp.mean(gradients.rho)) ** 2)
    trace = jnp.mean(jnp.sum(_centred(whole) ** 2, axis=1))
    return {
        "squared_gradient": jnp.sum(jnp.mean(whole, axis=0) ** 2),
        "trace": trace,
        "trace_rho": of_rho,
        "trace_directions": trace - of_rho,
    }


def noise_eigenvalues(count: int) -> Callable[[Problem, View], Float[Array, "count"]]:
    """An observable: the largest eigenvalues of Sigma, descending.

    From the ``[samples, samples]`` Gram matrix of the centred gradients: a covariance of P
    parameters is never made.

    Args:
        count: How many, at most the number of samples.
    """
    return bind(_noise_eigenvalues, count)


def batch_gradient(batch: ArrayLike) -> Partial:
    """An observable: the expected squared gradient of a batch drawn without replacement.

    Args:
        batch: Its size B, a leaf.

    Returns:
        E |g_B|^2; at B = N the squared gradient of the whole. NaN where compiled code meets a batch
        that is larger.

    Raises:
        ValueError: If B is no whole number above zero; when it is evaluated, if it is above N.
    """
    return Partial(_batch_gradient, _batch_size(batch))


def stationarity(problem: Problem, view: View) -> dict[str, Array]:
    """How far each sample by itself is from rest: zero everywhere only if every batch is.

    Returns:
        ``rho`` ``[samples]``, |dU_n/drho|, and ``directions`` ``[samples, layers]``, the norms of
        the projected dU_n/dV_k.
    """
    gradients = sample_gradients(problem, view)
    norms = [
        jnp.sqrt(jnp.sum(layer.reshape(layer.shape[0], -1) ** 2, axis=1))
        for layer in gradients.directions
    ]
    return {"rho": jnp.abs(gradients.rho), "directions": jnp.stack(norms, axis=1)}


def noise_of_rho(learning_rate: ArrayLike, batch: ArrayLike) -> Partial:
    """An observable: the variance of rho that plain SGD keeps up, the directions held.

    Args:
        learning_rate: eta, a leaf; time per step.
        batch: B, a leaf; batches drawn independently, with replacement.

    Returns:
        eta^2 S / B / (1 - (1 - eta h)^2), infinite where eta h >= 2.

    Raises:
        ValueError: If eta is not above zero, or B no whole number above zero; when it is evaluated,
            if the loss is not the square one.
    """
    single("learning_rate", learning_rate)
    if not is_traced(learning_rate) and not jnp.asarray(learning_rate) > 0:
        raise refusal("a learning rate above zero", learning_rate, "pass for example 0.01")
    return Partial(_noise_of_rho, jnp.asarray(learning_rate, float), _batch_size(batch))


def incidence_rank(batches: Int[Array, "batches size"], samples: int) -> Int[Array, ""]:
    """The rank of the matrix that says which sample is in which batch.

    Where it equals the number of samples, rest of every batch is rest of every sample.

    Args:
        batches: The samples' numbers in each batch.
        samples: N.

    Raises:
        ValueError: If a number is not whole or out of range.
    """
    batches = sample_numbers(batches, samples)
    members = batches[:, :, None] == jnp.arange(samples)[None, None, :]
    return jnp.linalg.matrix_rank(jnp.any(members, axis=1).astype(float))


def draws_to_determine(
    key: Key[Array, ""], samples: int, batch: int, *, reshuffled: bool = False, limit: int = 10_000
) -> Int[Array, ""]:
    """How many batches are drawn until rest of each of them is rest of every sample.

    Args:
        key: Draws the batches.
        samples: N.
        batch: B < N, samples in a batch, none twice.
        reshuffled: Whether batches are those of reshuffled epochs, N // B in each; else each is
            drawn by itself.
        limit: Of draws.

    Returns:
        The number of draws after which `incidence_rank` is N, or -1 where the limit comes first.
        Where B divides N, an epoch of m batches adds at most m - 1 to the rank after the first,
        since its batches together are every sample; else it leaves samples out, others each time.

    Raises:
        ValueError: If a number is not whole, or the batch not smaller than the data.

    Source: [M117] Lemma 8, for batches that are drawn instead of all.
    """
    whole((samples, batch, limit), "samples, batch and limit")
    if not 1 <= batch < samples:
        raise refusal(f"a batch of 1 to {samples - 1} samples", batch, "the whole is not enough")
    per_epoch = samples // batch if reshuffled else 1

    def members(draw: Array) -> Float[Array, "samples"]:
        epoch, place = jnp.divmod(draw, per_epoch)
        order = jax.random.permutation(jax.random.fold_in(key, epoch), samples)
        chosen = jax.lax.dynamic_slice(order, (place * batch,), (batch,))
        return jnp.zeros(samples).at[chosen].set(1 / jnp.sqrt(batch))

    def more(carry: tuple[Array, Array, Array]) -> Array:
        draws, rank, _ = carry
        return (rank < samples) & (draws < limit)

    def draw_one(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        draws, rank, basis = carry
        rest = members(draws)
        for _ in range(2):  # Gram and Schmidt, twice: once loses half of the digits
            rest = rest - (rest @ basis) @ basis.T
        size = jnp.linalg.norm(rest)
        new = size > NOTHING_NEW
        basis = basis.at[:, rank].set(jnp.where(new, rest / size, 0))
        return draws + 1, rank + new, basis

    begin = (jnp.asarray(0), jnp.asarray(0), jnp.zeros((samples, samples)))
    draws, rank, _ = jax.lax.while_loop(more, draw_one, begin)
    return jnp.where(rank == samples, draws, -1)


def _batch_size(batch: ArrayLike) -> Array:
    """B as a leaf, checked where it can be looked at."""
    single("batch", batch)
    size = jnp.asarray(batch, float)
    if not is_traced(size) and not (size >= 1 and size == jnp.floor(size)):
        raise refusal("a batch of a whole number of samples above zero", batch, "pass at least 1")
    return size


def _centred(values: Float[Array, "samples parameters"]) -> Float[Array, "samples parameters"]:
    return values - jnp.mean(values, axis=0, keepdims=True)


def _noise_eigenvalues(count: int, problem: Problem, view: View) -> Float[Array, "count"]:
    deviations = _centred(rows(sample_gradients(problem, view)))
    if not 1 <= count <= len(deviations):
        raise refusal(f"a count from 1 to {len(deviations)}", count, "there are no more samples")
    gram = deviations @ deviations.T / len(deviations)
    return jnp.maximum(decompositions.eigenvalues(gram)[::-1][:count], 0)


def _batch_gradient(batch: Array, problem: Problem, view: View) -> Float[Array, ""]:
    found, samples = gradient_noise(problem, view), problem.inputs.shape[0]
    if not is_traced(batch) and batch > samples:
        raise refusal(f"a batch of 1 to {samples} samples", batch, "there are no more")
    share = (samples - batch) / (max(samples - 1, 1) * batch)
    expected = found["squared_gradient"] + found["trace"] * share
    return jnp.where(batch <= samples, expected, jnp.nan)


def _noise_of_rho(
    learning_rate: Array, batch: Array, problem: Problem, view: View
) -> Float[Array, ""]:
    if problem.loss != losses.square:
        raise refusal("the square loss", f"the {problem.loss.name} loss", "observe gradient_noise")
    values = normalised_outputs(problem, view)
    slopes = jnp.sum(2 * values * (targets(problem) - view.rho * values), axis=1)
    contraction = 1 - learning_rate * 2 * (second_moment(problem, view) + problem.decay)
    left = 1 - contraction**2
    kept = learning_rate**2 * jnp.var(slopes) / batch / jnp.where(left > 0, left, 1)
    return jnp.where(left > 0, kept, jnp.inf)
