"""The same member, however it is run, gives the same numbers to the last bit.

Alone, in a mapped ensemble, looked at more or less often, stopped half-way and resumed, or inside
somebody else's jit. Only vmap may round differently.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import LINEAR, LOOK, RELU, assert_same_bits, difference, problem, start
from rhoflow import dynamics
from rhoflow.dynamics import batches

VMAP = 1e-9  # another order of summation, carried through forty steps

KEY = jax.random.key(3)
RATE = 0.1


def sgd(sampling):
    ours = problem()
    if sampling == "given":
        table = np.random.default_rng(0).integers(0, 12, (60, 3))
        return dynamics.sgd(ours, RATE, momentum=0.5, batches=table)
    if sampling == "random weights":
        return dynamics.sgd(ours, RATE, momentum=0.5, batches=batches.random_weights(12))
    # Four steps an epoch, three where classes are balanced.
    size = 4 if sampling == "balanced" else 3
    return dynamics.sgd(ours, RATE, momentum=0.5, batch_size=size, sampling=sampling)


MAKERS = {
    "reshuffled": lambda: sgd("reshuffled"),
    "replacement": lambda: sgd("replacement"),
    "balanced": lambda: sgd("balanced"),
    "given": lambda: sgd("given"),
    "random weights": lambda: sgd("random weights"),
    "flow of ReLU": lambda: dynamics.gradient_flow(problem(RELU)),
    "linear flow": lambda: dynamics.gradient_flow(problem(LINEAR)),
}
EVERY_WAY = pytest.mark.parametrize("name", MAKERS)
# Each of these compiles another program: the quick tests take one descent and one flow.
QUICK = ("reshuffled", "linear flow")
EVERY_WAY_SLOWLY = pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MAKERS],
)

# Steps 1, 7, 30 and 40 of descent: the second in the middle of an epoch. Of the flow, which steps
# as it likes, in the middle of a step.
OFTEN = np.linspace(0, 8, 41)
CHOSEN = np.array([1, 7, 30, 40])
TIMES = OFTEN[CHOSEN]


def ours(name):
    made = MAKERS[name]()
    return made, start(made.problem.network)


def alone(name, times=TIMES, key=KEY):
    made, polar = ours(name)
    return dynamics.simulate(made, polar, times=times, observe=LOOK, key=key)


def rows(run, index):
    return jax.tree.map(lambda leaf: leaf[index], run.observations)


def assert_same_run(one, other):
    assert_same_bits(one.observations, other.observations)
    assert_same_bits(one.final, other.final)
    assert_same_bits(one.statistics, other.statistics)


@EVERY_WAY
def test_looking_more_often_changes_nothing(name):
    few = alone(name)
    # More looks than fit in one chunk, the old ones among them.
    many = alone(name, times=OFTEN)
    assert_same_bits(rows(many, CHOSEN), few.observations)
    assert_same_bits(many.final, few.final)
    assert_same_bits(many.statistics, few.statistics)


@EVERY_WAY
def test_a_run_that_was_stopped_half_way_goes_on_as_if_it_had_not(name):
    made, _ = ours(name)
    whole, first = alone(name), alone(name, times=TIMES[:2])
    rest = dynamics.simulate(made, first.final, times=TIMES[2:], observe=LOOK)
    assert_same_bits(rows(whole, slice(2)), first.observations)
    assert_same_bits(rows(whole, slice(2, None)), rest.observations)
    assert_same_bits(whole.final, rest.final)


@EVERY_WAY_SLOWLY
def test_a_member_of_a_mapped_ensemble_is_the_run_alone(name):
    made, polar = ours(name)
    starts = [start(made.problem.network, seed) for seed in (0, 1, 2)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    runs = dynamics.ensemble(made, stacked, times=TIMES, observe=LOOK, key=KEY, batching="map")
    assert runs.placement == "map on 2 devices"
    for index, polar in enumerate(starts):
        one = dynamics.simulate(
            made, polar, times=TIMES, observe=LOOK, key=jax.random.fold_in(KEY, index)
        )
        assert_same_run(dynamics.member(runs, index), one)


@EVERY_WAY_SLOWLY
def test_a_run_inside_jit_is_the_run_outside(name):
    made, polar = ours(name)

    @jax.jit
    def inside(made, polar, key):
        run = dynamics.simulate(made, polar, times=TIMES, observe=LOOK, key=key)
        return run.observations, run.final

    # As arguments: numbers that jit finds as constants are folded, and may round differently.
    observations, final = inside(made, polar, KEY)
    outside = alone(name)
    assert_same_bits(observations, outside.observations)
    assert_same_bits(final, outside.final)


@pytest.mark.slow
@EVERY_WAY
def test_a_member_of_a_vmapped_ensemble_is_the_run_alone_up_to_round_off(name):
    made, polar = ours(name)
    decays = jnp.array([0.05, 0.1])
    runs = dynamics.ensemble(
        made,
        polar,
        times=TIMES,
        observe=LOOK,
        key=KEY,
        over={"decay": decays},
        batching="vmap",
    )
    assert runs.placement == "vmap on 2 devices"
    one = alone(name, key=jax.random.fold_in(KEY, 0))
    assert difference(dynamics.member(runs, 0).observations, one.observations) <= VMAP
