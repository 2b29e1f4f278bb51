"""Choosing what to look at, and how often."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import references as ref
from rhoflow import dynamics

TIMES = np.arange(8) / 10
OFTEN = dynamics.observe("rho", "margins")
RARELY = dynamics.observe("stable_rank", pair=lambda problem, view: (view.rho, problem.decay))


@pytest.fixture(scope="module")
def steps():
    return dynamics.gradient_descent(ref.problem(), 0.1)


def test_every_third_row_is_looked_at_and_the_others_are_nan(steps):
    both = dynamics.simulate(
        steps, ref.start(), times=TIMES, observe=OFTEN | RARELY.every(3)
    ).observations
    always = dynamics.simulate(steps, ref.start(), times=TIMES, observe=OFTEN | RARELY).observations
    for name in ("rho", "margins"):
        np.testing.assert_array_equal(both[name], always[name])
    for found, full in zip(
        jax.tree.leaves((both["stable_rank"], both["pair"])),
        jax.tree.leaves((always["stable_rank"], always["pair"])),
        strict=True,
    ):
        np.testing.assert_array_equal(found[::3], full[::3])
        assert np.all(np.isnan(np.delete(np.asarray(found), np.s_[::3], axis=0)))


def test_rows_are_counted_through_chunks_and_per_run(steps):
    """More looks than a chunk holds; a run that goes on counts anew."""
    look = OFTEN | dynamics.observe("stable_rank").every(5)
    times = np.arange(77) / 10
    run = dynamics.simulate(steps, ref.start(), times=times, observe=look)
    seen = np.isfinite(np.asarray(run["stable_rank"])[:, 0])
    np.testing.assert_array_equal(np.flatnonzero(seen), np.arange(0, 77, 5))
    more = dynamics.simulate(steps, run.final, times=8 + TIMES, observe=look)
    assert np.isfinite(np.asarray(more["stable_rank"])[0, 0])


@pytest.mark.slow
def test_in_an_ensemble_every_member_counts_its_own_rows(steps):
    starts = [ref.start(seed=seed) for seed in range(3)]
    run = dynamics.ensemble(
        steps, starts, times=TIMES, observe=OFTEN | dynamics.observe("stable_rank").every(4)
    )
    seen = np.isfinite(np.asarray(run["stable_rank"])[:, :, 0])
    np.testing.assert_array_equal(seen, np.tile(np.arange(8) % 4 == 0, (3, 1)))


def test_at_one_point_and_in_lockstep_everything_is_looked_at(steps):
    look = OFTEN | RARELY.every(3)
    seen = look(ref.problem(), ref.start())
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(seen))
    both = dynamics.compare({"one": steps}, ref.start(), times=TIMES, observe=look)
    assert np.all(np.isfinite(np.asarray(both["one"]["stable_rank"])))


def test_of_two_with_one_name_the_later_is_taken_with_its_stride():
    rare = dynamics.observe("rho").every(4)
    assert repr(rare | OFTEN) == "Observe(rho, margins)"
    assert repr(OFTEN | rare) == "Observe(rho/4, margins)"
    assert repr(rare.every(1)) == "Observe(rho)"


def test_a_condition_needs_what_is_looked_at_every_time(steps):
    with pytest.raises(ValueError, match="every time"):
        dynamics.simulate(
            steps, ref.start(), times=TIMES, stop=dynamics.separated(loss_below=0.1),
            observe=dynamics.observe("rho", "loss").every(2),
        )  # fmt: skip


@pytest.mark.parametrize("stride", [0, -1, 2.0, "often"])
def test_a_stride_that_is_no_count_is_refused(stride):
    with pytest.raises(ValueError, match="a positive whole number"):
        OFTEN.every(stride)
