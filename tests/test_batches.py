"""Batches: every sample once an epoch, equal classes, uniform draws, weights of mean one.

Statistical tests reject a right program with probability FALSE_ALARM; their keys are fixed.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from references import LOOK, difference, problem, start
from rhoflow import dynamics, models
from rhoflow.dynamics import batches
from rhoflow.dynamics.descents.drawing import EPOCH_STREAM, stream

ROUND_OFF = 1e-12
FALSE_ALARM = 1e-4
KEY = jax.random.key(7)


def drawn(way, steps, key=KEY):
    """The indices of the first steps ``[steps, batch]``, as a descent asks for them."""
    rows = []
    for step in range(steps):
        epoch, count = divmod(step, way.steps_per_epoch)
        order = way.order(way.data, stream(key, EPOCH_STREAM, epoch)) if way.by_epoch else ()
        picked = way.pick(way.data, order, key, count if way.by_epoch else step)
        rows.append(np.asarray(picked.indices))
    return np.stack(rows)


def test_reshuffled_batches_hold_every_sample_once_an_epoch():
    way = batches.reshuffled(12, 3)
    epochs = drawn(way, 12).reshape(3, 12)
    assert way.steps_per_epoch == 4
    assert np.array_equal(np.sort(epochs, axis=1), np.tile(np.arange(12), (3, 1)))
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_an_incomplete_last_batch_is_left_out():
    way = batches.reshuffled(11, 3)
    epochs = drawn(way, 9).reshape(3, 9)
    assert way.steps_per_epoch == 3
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    # Which two samples sit out changes from epoch to epoch.
    assert len({frozenset(epoch) for epoch in epochs}) > 1


def test_balanced_batches_have_as_many_of_every_class():
    labels = np.array([0] * 8 + [1] * 6 + [2] * 10)
    way = batches.balanced(models.encode(labels, "one_hot"), 6)
    rows = drawn(way, 6)
    assert way.steps_per_epoch == 3
    for row in rows:
        assert np.bincount(labels[row]).tolist() == [2, 2, 2]
    for epoch in rows.reshape(2, 18):
        assert len(set(epoch)) == 18  # without replacement within an epoch
        assert set(np.flatnonzero(labels == 1)) <= set(epoch)  # the smallest class is used up


def test_balanced_batches_know_the_classes_of_signs():
    targets = problem().targets
    rows = drawn(batches.balanced(targets, 4), 3)
    assert np.all(np.sum(np.asarray(targets)[rows], axis=1) == 0)


def test_draws_with_replacement_are_uniform_and_independent():
    samples, steps, size = 10, 2000, 10
    way = batches.with_replacement(samples, size)
    draw = jax.jit(jax.vmap(lambda step: way.pick((), (), KEY, step).indices))
    rows = np.asarray(draw(jnp.arange(steps)))
    counts = np.bincount(rows.ravel(), minlength=samples)
    assert stats.chisquare(counts).pvalue > FALSE_ALARM
    # Neighbours within a batch: every pair is as likely as any other.
    pairs = np.bincount((samples * rows[:, ::2] + rows[:, 1::2]).ravel(), minlength=samples**2)
    assert stats.chisquare(pairs).pvalue > FALSE_ALARM
    assert any(len(set(row)) < size for row in rows)


@pytest.mark.parametrize("variance", [0.5, 3.0])
def test_random_weights_have_mean_one_and_the_variance_asked_for(variance):
    samples = 1000
    way = batches.random_weights(samples, variance)
    draw = jax.jit(jax.vmap(lambda step: way.pick(way.data, (), KEY, step).weights))
    draws, count = np.asarray(draw(jnp.arange(40))), 40 * samples
    assert draws.shape == (40, samples)
    assert np.all(draws >= 0)
    sigmas = stats.norm.isf(FALSE_ALARM / 2)
    assert abs(draws.mean() - 1) <= sigmas * np.sqrt(variance / count)
    # A gamma variable of mean one has fourth central moment 3 v^2 (1 + 2 v).
    fourth = 3 * variance**2 * (1 + 2 * variance)
    assert abs(draws.var() - variance) <= sigmas * np.sqrt((fourth - variance**2) / count)


@pytest.mark.parametrize("sampling", ["reshuffled", "replacement", "balanced"])
def test_sgd_sees_the_batches_that_are_drawn(sampling):
    """The same table of indices, given beforehand, makes the same steps."""
    ours, steps = problem(), 10
    by_sampling = dynamics.sgd(ours, 0.1, batch_size=4, sampling=sampling)
    table = drawn(by_sampling.parameters.batches, steps)
    by_table = dynamics.sgd(ours, 0.1, batches=table)
    times = dynamics.times_at(by_sampling, steps=[1, 5, steps])
    one = dynamics.simulate(by_sampling, start(), times=times, observe=LOOK, key=KEY)
    other = dynamics.simulate(by_table, start(), times=times, observe=LOOK)
    assert difference(one.observations, other.observations) <= ROUND_OFF
    third = dynamics.simulate(
        by_sampling, start(), times=times, observe=LOOK, key=jax.random.key(8)
    )
    assert difference(one.observations, third.observations) > 1e-6


def test_weights_that_hardly_vary_make_the_steps_of_all_samples():
    ours = problem()
    weighted = dynamics.sgd(ours, 0.1, batches=batches.random_weights(12, 1e-12))
    whole = dynamics.gradient_descent(ours, 0.1)
    times = dynamics.times_at(whole, steps=[20])
    one = dynamics.simulate(weighted, start(), times=times, observe=LOOK, key=KEY)
    other = dynamics.simulate(whole, start(), times=times, observe=LOOK)
    assert 0 < difference(one.observations, other.observations) <= 1e-4


def test_given_batches_end_the_run_when_they_are_used_up():
    table = np.arange(12).reshape(4, 3)
    descent = dynamics.sgd(problem(), 0.1, batches=table)
    times = dynamics.times_at(descent, steps=[2, 4, 5, 6])
    run = dynamics.simulate(descent, start(), times=times, observe=LOOK)
    assert run.status is dynamics.Status.BATCHES_USED_UP
    assert np.isfinite(run["rho"]).tolist() == [True, True, False, False]
    assert all(np.all(np.isnan(layer[2:])) for layer in run["directions"])
    assert run.statistics["steps"] == 4
    assert np.all(np.isfinite(run.final.position.rho))
    with pytest.raises(RuntimeError, match="used up the batches that were given"):
        dynamics.simulate(descent, start(), times=times, observe=LOOK, throw=True)


def test_balanced_batches_hold_the_targets_whoever_takes_them():
    ours = problem()
    way = batches.balanced(ours.targets, 4)
    for made in (
        dynamics.sgd(ours, 0.1, batches=way),
        dynamics.descent(ours, optax.adam, 0.1, batches=way),
        dynamics.sgd(ours, 0.1, batch_size=4, sampling="balanced"),
    ):
        with pytest.raises(ValueError, match="stand alone"):
            dynamics.replace(made, targets=ours.targets)
    unused = dynamics.sgd(ours, 0.1, batches=[[0, 1]], sampling="balanced")
    flipped = dynamics.replace(unused, targets=-ours.targets)
    np.testing.assert_array_equal(flipped.problem.targets, -ours.targets)


@pytest.mark.parametrize(
    "way",
    [
        lambda: batches.reshuffled(12, 1),
        lambda: batches.with_replacement(12, 1),
        lambda: batches.given([[0], [1]], 12),
    ],
    ids=["reshuffled", "with replacement", "given"],
)
def test_batches_of_one_are_refused_under_batch_norm_however_they_come(way):
    ours = problem(models.mlp((4, 5, 1), batch_norm=True))
    for make in (
        lambda: dynamics.sgd(ours, 0.1, batches=way()),
        lambda: dynamics.descent(ours, optax.adam, 0.1, batches=way()),
    ):
        with pytest.raises(ValueError, match="batches of two samples or more with batch norm"):
            make()
