"""Ensembles: any number of members on any number of devices, none of which disturbs another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import LINEAR, LOOK, assert_same_bits, difference, problem, start
from rhoflow import dynamics

VMAP = 1e-9  # another order of summation

KEY = jax.random.key(5)
TIMES = np.array([0.4, 1.6, 3.2])


def descent():
    return dynamics.sgd(problem(), 0.1, batch_size=3)


def starts(count):
    points = [start(LINEAR, seed) for seed in range(count)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *points)


def alone(index, polar, times=TIMES, **numbers):
    return dynamics.simulate(
        dynamics.replace(descent(), **numbers),
        polar,
        times=times,
        observe=LOOK,
        key=jax.random.fold_in(KEY, index),
    )


def assert_member_is(runs, index, one):
    assert_same_bits(dynamics.member(runs, index).observations, one.observations)
    assert_same_bits(dynamics.member(runs, index).final, one.final)


OVER = {"decay": [0.01, 0.1, 0.3], "learning_rate": [0.1, 0.2, 0.05]}


def ensemble(begin, times=TIMES, key=KEY, **over):
    """Three members, an odd number on two devices, that differ in decay and learning rate."""
    return dynamics.ensemble(
        descent(), begin, times=times, observe=LOOK, key=key, over=OVER | over, batching="map"
    )


def numbers(index, **over):
    return {name: values[index] for name, values in (OVER | over).items()}


def test_members_that_differ_in_numbers_are_the_runs_with_these_numbers():
    runs = ensemble(start())
    assert runs.placement == "map on 2 devices"
    assert runs["rho"].shape == (3, 3)
    assert runs.times.shape == (3, 3)
    assert runs.status == [dynamics.Status.FINISHED] * 3
    assert runs.statistics["steps"].tolist() == [32, 16, 64]
    for index in range(3):
        assert_member_is(runs, index, alone(index, start(), **numbers(index)))


def test_a_member_that_diverges_disturbs_no_other():
    wild = {"learning_rate": [0.1, 1e4, 0.05]}
    times = np.stack([TIMES, 1e4 * np.array([1, 500, 1000]), TIMES])
    runs = ensemble(start(), times=times, **wild)
    assert [status.name for status in runs.status] == ["FINISHED", "DIVERGED", "FINISHED"]
    assert np.isfinite(runs["rho"][1]).tolist() == [True, False, False]
    assert all(np.all(np.isnan(layer[1, 1:])) for layer in runs["directions"])
    for index in (0, 2):
        assert_member_is(runs, index, alone(index, start(), **numbers(index, **wild)))
    with pytest.raises(RuntimeError, match=r"member 1 .*diverged"):
        dynamics.ensemble(
            descent(), start(), times=times, observe=LOOK, key=KEY, over=OVER | wild, throw=True
        )


@pytest.mark.slow
def test_an_ensemble_goes_on_from_where_it_was():
    whole, first = ensemble(starts(3)), ensemble(starts(3), times=TIMES[:1])
    rest = ensemble(first.final, times=TIMES[1:], key=None)
    assert_same_bits(whole.final, rest.final)
    assert_same_bits(jax.tree.map(lambda leaf: leaf[:, 1:], whole.observations), rest.observations)


def test_members_have_batches_of_their_own():
    runs = ensemble(start(), decay=[0.1] * 3, learning_rate=[0.1] * 3)
    assert len(set(runs["rho"][:, -1].tolist())) == 3


def test_members_can_be_vmapped():
    over = {"learning_rate": [0.1, 0.2]}
    runs, mapped = (
        dynamics.ensemble(
            descent(), start(), times=TIMES, observe=LOOK, key=KEY, over=over, batching=batching
        )
        for batching in ("vmap", "map")
    )
    assert runs.placement == "vmap on 1 device"
    assert difference(runs.observations, mapped.observations) <= VMAP


def test_processors_map_unless_told_otherwise():
    assert dynamics.placement() == "map"
    assert dynamics.placement("vmap") == "vmap"
    with pytest.raises(ValueError, match="did you mean 'vmap'"):
        dynamics.placement("vmpa")


def test_each_member_stops_by_itself():
    flow = dynamics.gradient_descent(problem(spread=0.3), 0.1)
    stop = dynamics.separated(loss_below=0.5)
    look = dynamics.observe("loss", "train_error")
    times = dynamics.times_at(flow, steps=np.arange(1, 200))
    runs = dynamics.ensemble(flow, starts(3), times=times, observe=look, stop=stop)
    alones = [
        dynamics.simulate(flow, start(LINEAR, seed), times=times, observe=look, stop=stop)
        for seed in range(3)
    ]
    lasts = [int(np.sum(np.isfinite(one["loss"]))) for one in alones]
    assert len(set(lasts)) > 1
    assert [int(np.sum(np.isfinite(row))) for row in runs["loss"]] == lasts
    assert runs.status == [one.status for one in alones]


@pytest.mark.parametrize(
    ("begin", "over"),
    [
        (starts(3), {"decay": [0.1, 0.2]}),
        (start(), {"decay": [0.1, 0.2], "learning_rate": [0.1, 0.2, 0.3]}),
        (start(), {}),
    ],
    ids=["starts and decays", "decays and rates", "nothing"],
)
def test_different_numbers_of_members_are_refused(begin, over):
    with pytest.raises(ValueError, match="one number of members"):
        dynamics.ensemble(descent(), begin, times=TIMES, key=KEY, over=over)


def test_numbers_of_members_that_are_no_list_are_refused():
    with pytest.raises(ValueError, match=r"one decay per member \[members\]"):
        dynamics.ensemble(descent(), starts(2), times=TIMES, key=KEY, over={"decay": 0.1})


def test_unknown_numbers_of_members_are_refused():
    with pytest.raises(ValueError, match="did you mean 'decay'"):
        dynamics.ensemble(descent(), starts(2), times=TIMES, key=KEY, over={"deacy": [0.1, 0.2]})
    with pytest.raises(ValueError, match="decay that is not negative"):
        dynamics.ensemble(descent(), starts(2), times=TIMES, key=KEY, over={"decay": [0.1, -1]})


def test_members_with_times_of_their_own_go_on_each_from_its_own_time():
    steps = dynamics.gradient_descent(problem(), 0.1)
    over = {"learning_rate": [0.1, 0.2]}
    whole = dynamics.ensemble(steps, start(), times=[[1.0, 3.0], [10.0, 30.0]], over=over)
    half = dynamics.ensemble(steps, start(), times=[[1.0], [10.0]], over=over)
    rest = dynamics.ensemble(steps, half.final, times=[[3.0], [30.0]], over=over)
    np.testing.assert_array_equal(rest["rho"][:, 0], whole["rho"][:, 1])
    with pytest.raises(ValueError, match="where the state stands"):
        dynamics.ensemble(steps, half.final, times=[[3.0], [9.0]], over=over)
