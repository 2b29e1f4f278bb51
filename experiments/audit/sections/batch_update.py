"""Statements of section 6, the update of descent on batches."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .... import models
from ....dynamics import normalisation as kinds
from ..statement import Statement
from .binary import SCALAR, Parts, parts, tangent
from .residuals import relative

BATCH = np.array([0, 3, 4])
RATE = 0.1


def batch_of(problem: models.Problem, indices: np.ndarray = BATCH) -> models.Problem:
    """Some of its samples."""
    return models.take(problem, jnp.asarray(indices))


def few_of(problem: models.Problem, most: int) -> models.Problem:
    """The first samples alone, so that a large run can be asked as well."""
    return batch_of(problem, np.arange(min(most, len(problem.targets))))


def _step(problem: models.Problem, view: models.View) -> models.Polar:
    """One step of descent on a batch, before it is brought back to the spheres."""
    here = models.Polar(view.rho, view.directions)
    velocity = kinds.field(kinds.sphere(), batch_of(problem), here)
    return jax.tree.map(lambda x, v: x + RATE * v, here, velocity)


def _raw(at: Parts) -> tuple[Array, ...]:
    """(1/B) sum l_n d_k fbar_n."""
    count = len(at.margins)
    return tuple(jnp.tensordot(at.residuals, slope, axes=1) / count for slope in at.slopes)


def _updated(at: Parts, sign: float, rate: float) -> models.Polar:
    """The update written out: sign of the data's terms, factor of the directions' first."""
    nu = at.rho * jnp.mean(at.residuals * at.margins)
    data = 2 * RATE * jnp.mean(at.residuals * at.margins)
    moved = tuple(
        v + sign * 2 * rate * at.rho * slope - 2 * RATE * nu * v
        for v, slope in zip(at.directions, _raw(at), strict=True)
    )
    return models.Polar(at.rho + sign * data - 2 * RATE * at.decay * at.rho, moved)


def update(problem: models.Problem, view: models.View) -> Array:
    """Rho and V_k after a step, (46) with plus signs and eta."""
    return relative(_step(problem, view), _updated(parts(batch_of(problem), view), 1.0, RATE))


def update_of_rho_as_printed(problem: models.Problem, view: models.View) -> Array:
    """(46) with minus signs: ascent of the data's loss."""
    printed = _updated(parts(batch_of(problem), view), -1.0, RATE)
    return relative(_step(problem, view).rho, printed.rho)


def update_of_directions_as_printed(problem: models.Problem, view: models.View) -> Array:
    """(46) with minus signs and the first term of V_k without eta."""
    printed = _updated(parts(batch_of(problem), view), -1.0, 1.0)
    return relative(_step(problem, view).directions, printed.directions)


def norms_after_a_step(problem: models.Problem, view: models.View) -> Array:
    """|V_k + eta V_k'|^2 = 1 + eta^2 |V_k'|^2."""
    after = _step(problem, view).directions
    at = parts(batch_of(problem), view)
    speeds = tangent(2 * at.rho * at.residuals, at)
    expected = [1 + RATE**2 * jnp.sum(speed**2) for speed in speeds]
    return relative([jnp.sum(v**2) for v in after], expected)


def _free_step(problem: models.Problem, view: models.View) -> models.Weights:
    return kinds.field(kinds.free(), problem, models.to_weights(view))


def _free_by_hand(problem: models.Problem, view: models.View, factor: float) -> models.Weights:
    """W_k' = factor (1/N) sum (1 - gbar_n) d gbar_n / dW_k - 2 lambda W_k."""
    weights = models.to_weights(view)

    def margins(layers: models.Weights) -> Array:
        return problem.targets * problem.network.apply(layers, problem.inputs)

    pulls = (1 - margins(weights)) / len(problem.targets)
    slopes = jax.jacrev(margins)(weights)
    return tuple(
        factor * jnp.tensordot(pulls, slope, axes=1) - 2 * problem.decay * layer
        for slope, layer in zip(slopes, weights, strict=True)
    )


def free_update(problem: models.Problem, view: models.View) -> Array:
    """W_k' = (2/N) sum (1 - gbar_n) d gbar_n/dW_k - 2 lambda W_k."""
    return relative(_free_step(problem, view), _free_by_hand(problem, view, 2.0))


def free_update_as_printed(problem: models.Problem, view: models.View) -> Array:
    """The same with the data's sign flipped and without the factor 2."""
    return relative(_free_step(problem, view), _free_by_hand(problem, view, -1.0))


def _sampled(problem: models.Problem, view: models.View, power: int) -> Array:
    """Mean over all batches of (1/N) sum v_n l_n^power: v_n = N/B in the batch, else 0."""
    problem, size = few_of(problem, 8), 3
    at = parts(problem, view)
    count = len(at.residuals)
    batches = list(itertools.combinations(range(count), size))
    vectors = np.zeros((len(batches), count))
    for row, batch in enumerate(batches):
        vectors[row, list(batch)] = count / size
    losses = jnp.asarray(vectors) @ at.residuals**power / count
    whole = models.data_loss(problem, view)
    several = models.data_loss(problem, view, jnp.asarray(vectors[0]))
    return relative([jnp.mean(losses), losses[0]], [whole, several])


def sampled_loss(problem: models.Problem, view: models.View) -> Array:
    """(40) with l_n^2: the sampled loss, whose mean over batches is the loss, as E v_n = 1."""
    return _sampled(problem, view, 2)


def sampled_loss_as_printed(problem: models.Problem, view: models.View) -> Array:
    """(40) with l_n in place of l_n^2."""
    return _sampled(problem, view, 1)


def _single(problem: models.Problem, view: models.View) -> tuple[models.Polar, Parts]:
    one = batch_of(problem, np.array([1]))
    here = models.Polar(view.rho, view.directions)
    return kinds.field(kinds.sphere(), one, here), parts(one, view)


def single_sample_rho(problem: models.Problem, view: models.View) -> Array:
    """Rho' = 2 l_i fbar_i - 2 lambda rho for the sample i that was drawn."""
    moves, at = _single(problem, view)
    return relative(moves.rho, 2 * jnp.sum(at.residuals * at.margins) - 2 * at.decay * at.rho)


def _single_directions(problem: models.Problem, view: models.View, pull: Array) -> Array:
    moves, at = _single(problem, view)
    found = tuple(
        2 * at.rho * (at.residuals[0] * slope[0] - pull * v)
        for slope, v in zip(at.slopes, at.directions, strict=True)
    )
    return relative(tuple(moves.directions), found)


def single_sample_directions(problem: models.Problem, view: models.View) -> Array:
    """V_k' = 2 rho l_i (d_k fbar_i - V_k fbar_i)."""
    _, at = _single(problem, view)
    return _single_directions(problem, view, at.residuals[0] * at.margins[0])


def single_sample_directions_summed(problem: models.Problem, view: models.View) -> Array:
    """The same with a sum over all samples in the second term."""
    at = parts(problem, view)
    return _single_directions(problem, view, jnp.sum(at.residuals * at.margins))


BATCHES = (*SCALAR, "six_samples")
STATEMENTS = (
    Statement(
        "6.1", "[Dyn] (46), first", "rho <- rho + (2 eta/B) sum l_n fbar_n - 2 eta lambda rho",
        update, update_of_rho_as_printed, asked_of=BATCHES,
        note="print ascends the data's loss",
    ),
    Statement(
        "6.1", "[Dyn] (46), second",
        "V_k <- V_k + (2 eta rho/B) sum l_n d_k fbar_n - 2 eta nu V_k",
        update, update_of_directions_as_printed, asked_of=BATCHES,
        note="print has the other sign, and no eta",
    ),
    Statement(
        "6.1", "[Dyn] (46)", "after a step |V_k|^2 = 1 + eta^2 |V_k'|^2",
        norms_after_a_step, asked_of=BATCHES,
    ),
    Statement(
        "6.1", "[M117] (39)", "W_k' = (2/N) sum (1 - gbar_n) d gbar_n/dW_k - 2 lambda W_k",
        free_update, free_update_as_printed, asked_of=BATCHES,
        note="print: sign and factor of the data's term",
    ),
    Statement(
        "6.1", "[M117] (40)", "the sampled loss is (1/N) sum v_n l_n^2, E v_n = 1",
        sampled_loss, sampled_loss_as_printed, asked_of=BATCHES,
        note="print has l_n for l_n^2",
    ),
    Statement(
        "6.1", "[M117] (44)", "batches of one: rho' = 2 l_i fbar_i - 2 lambda rho",
        single_sample_rho, asked_of=BATCHES,
    ),
    Statement(
        "6.1", "[M117] (45)", "batches of one: V_k' = 2 rho l_i (d_k fbar_i - V_k fbar_i)",
        single_sample_directions, single_sample_directions_summed, asked_of=BATCHES,
        note="print sums the second term over n",
    ),
)  # fmt: skip
