"""Ensembles: any number of members on any number of devices, none of which disturbs another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import LINEAR, LOOK, assert_same_bits, difference, problem, start
from rhoflow import dynamics, models

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
    assert runs.placement == "vmap on 2 devices"
    assert difference(runs.observations, mapped.observations) <= VMAP


@pytest.mark.parametrize("together", [1, 2])
def test_so_many_vmapped_at_a_time_are_the_same_members(together):
    over = {"learning_rate": [0.1, 0.2, 0.05]}
    some, every = (
        dynamics.ensemble(
            descent(), start(), times=TIMES, observe=LOOK, key=KEY, over=over, batching="vmap",
            together=count,
        )
        for count in (together, None)
    )  # fmt: skip
    assert some.placement == f"vmap of {together} at a time on 2 devices"
    assert difference(some.observations, every.observations) <= VMAP


def test_members_can_have_data_of_their_own():
    ours = problem()
    order = np.random.default_rng(0).permutation(ours.targets.shape[0])
    over = {
        "inputs": np.stack([ours.inputs, ours.inputs[order]]),
        "targets": np.stack([ours.targets, -ours.targets[order]]),
    }
    runs = dynamics.ensemble(descent(), start(), times=TIMES, observe=LOOK, key=KEY, over=over)
    for index in range(2):
        one = models.Problem(
            ours.network, over["inputs"][index], over["targets"][index], ours.decay
        )
        run = dynamics.simulate(
            dynamics.sgd(one, 0.1, batch_size=3), start(), times=TIMES, observe=LOOK,
            key=jax.random.fold_in(KEY, index),
        )  # fmt: skip
        assert_member_is(runs, index, run)


def test_data_of_members_that_do_not_fit_are_refused():
    def run(sampling="reshuffled", **over):
        moves = dynamics.sgd(problem(), 0.1, batch_size=4, sampling=sampling)
        return dynamics.ensemble(moves, starts(2), times=TIMES, key=KEY, over=over)

    with pytest.raises(ValueError, match=r"targets of every member \[members, 12\]"):
        run(targets=np.ones((2, 5)))
    with pytest.raises(ValueError, match="finite targets"):
        run(targets=np.full((2, 12), np.nan))
    with pytest.raises(ValueError, match="stand alone"):
        run("balanced", targets=np.ones((2, 12)))


def test_failures_leave_the_others_bit_for_bit():
    """One member diverges, one starts from NaN, and the rest do not notice."""
    begin = starts(5)
    ill = begin._replace(rho=begin.rho.at[2].set(jnp.nan))
    rates = jnp.array([0.1, 0.2, 0.1, 1e4, 0.1])
    times = np.tile(TIMES, (5, 1))
    times[3] = 1e4 * np.array([1, 500, 1000])
    runs = dynamics.ensemble(
        descent(), ill, times=times, observe=LOOK, key=KEY, over={"learning_rate": rates}
    )
    assert [status.name for status in runs.status] == [
        "FINISHED", "FINISHED", "DIVERGED", "DIVERGED", "FINISHED",
    ]  # fmt: skip
    for index in (0, 1, 4):
        polar = jax.tree.map(lambda leaf, i=index: leaf[i], begin)
        assert_member_is(runs, index, alone(index, polar, learning_rate=rates[index]))


def test_a_flow_that_spends_its_budget_leaves_the_others_bit_for_bit():
    flow = dynamics.gradient_flow(problem())
    budgets = jnp.array([1000, 2, 1000])
    runs = dynamics.ensemble(
        flow, starts(3), times=TIMES, observe=LOOK, over={"max_steps": budgets}
    )
    assert [status.name for status in runs.status] == ["FINISHED", "BUDGET_SPENT", "FINISHED"]
    for index in (0, 2):
        one = dynamics.simulate(
            dynamics.replace(flow, max_steps=1000), start(LINEAR, index), times=TIMES, observe=LOOK
        )
        assert_member_is(runs, index, one)


FAILS = {
    "sgd": {"learning_rate": {3: 1e4, 17: 1e5}},
    "flow": {"max_steps": {3: 3, 17: 1}},
}
ENDS = {
    "sgd": {2: "DIVERGED", 3: "DIVERGED", 17: "DIVERGED"},
    "flow": {2: "DIVERGED", 3: "BUDGET_SPENT", 17: "BUDGET_SPENT"},
}


@pytest.mark.slow
@pytest.mark.parametrize("batching", ["vmap", "map"])
@pytest.mark.parametrize("makes", ["sgd", "flow"])
def test_of_32_members_29_do_not_notice_that_three_fail(makes, batching):
    """One starts from NaN, two diverge or have hardly a step to take."""
    moves, key = (descent(), KEY) if makes == "sgd" else (dynamics.gradient_flow(problem()), None)
    ((name, wild),) = FAILS[makes].items()
    tame = np.full(32, 0.1 if makes == "sgd" else 1000)
    failing = tame.copy()
    failing[list(wild)] = list(wild.values())
    begin = starts(32)
    ill = begin._replace(rho=begin.rho.at[2].set(jnp.nan))

    def run(begin, numbers):
        unit = 10 * numbers[:, None] if makes == "sgd" else 0.4
        return dynamics.ensemble(
            moves, begin, times=unit * np.arange(9) + np.zeros((32, 1)), observe=LOOK, key=key,
            over={name: numbers}, batching=batching,
        )  # fmt: skip

    some_fail, none_fails = run(ill, failing), run(begin, tame)
    for index, status in enumerate(some_fail.status):
        assert status.name == ENDS[makes].get(index, "FINISHED"), index
    well = np.array([index for index in range(32) if index not in ENDS[makes]])
    ours, theirs = (
        jax.tree.map(lambda leaf: leaf[well], runs.observations) for runs in (some_fail, none_fails)
    )
    if batching == "map":
        assert_same_bits(ours, theirs)
    assert difference(ours, theirs) <= VMAP


class Memory:
    """A checkpoint that keeps everything where it is, and may interrupt."""

    def __init__(self, breaks_at=None):
        self.kept, self.pieces, self.breaks_at, self.flushed = None, [], breaks_at, 0

    def begin(self, *_):
        return self.kept

    def keep(self, looks, carry, rows):
        self.pieces.append(jax.tree.map(jnp.copy, rows))
        joined = jax.tree.map(lambda *parts: jnp.concatenate(parts), *self.pieces)
        self.kept = dynamics.Kept(looks, jax.tree.map(jnp.copy, carry), joined)
        if looks == self.breaks_at:
            raise KeyboardInterrupt

    def flush(self):
        self.flushed += 1


@pytest.mark.slow
@pytest.mark.parametrize("makes", ["sgd", "flow"])
def test_an_interrupted_ensemble_goes_on_from_its_checkpoint_bit_for_bit(makes):
    moves = descent() if makes == "sgd" else dynamics.gradient_flow(problem())
    key = KEY if makes == "sgd" else None

    def run(**more):
        times = 0.1 * np.arange(1, 81)
        return dynamics.ensemble(moves, starts(3), times=times, observe=LOOK, key=key, **more)

    checkpoint = Memory(breaks_at=64)
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint=checkpoint)
    assert checkpoint.flushed == 1
    resumed, whole = run(checkpoint=checkpoint), run()
    assert checkpoint.kept.looks == 80
    assert_same_bits(resumed.observations, whole.observations)
    assert_same_bits(resumed.final, whole.final)


def test_times_stay_in_double_precision_where_members_are_single():
    """0.1 units are one step; the time of the look is told as it was asked."""
    with jax.enable_x64(False):
        ours = dynamics.gradient_descent(problem(dtype="float32"), 0.1)
        runs = dynamics.ensemble(ours, [start()] * 3, times=0.1 * np.arange(1, 4))
        alone = dynamics.simulate(ours, start(), times=0.1 * np.arange(1, 4))
    assert runs["rho"].dtype == "float32"
    assert runs.times.dtype == alone.times.dtype == np.float64
    np.testing.assert_array_equal(runs.times[2], alone.times)


def test_processors_map_unless_told_otherwise():
    assert str(dynamics.placement()) == "map on 2 devices"
    assert str(dynamics.placement("vmap", 3)) == "vmap of 3 at a time on 2 devices"
    with pytest.raises(ValueError, match="batching='vmap' with together="):
        dynamics.placement(together=3)
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
