"""Flows along kinks: what the floor under the steps costs, what it gets wrong, what it refuses.

The library's claims of `dynamics.flows.step_floor`, `dynamics.flows.build` and
`dynamics.stated_error` on networks small enough for fine fixed steps to be the truth. The whole
study, with other packages beside it, is `benchmarks/work_precision.py`.
"""

import itertools

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import LOOK, RELU, problem, start
from rhoflow import dynamics, models
from rhoflow.dynamics.flows import step_floor
from rhoflow.dynamics.flows.build import KINKED
from rhoflow.dynamics.flows.ssp import SSP42, SSP43
from rhoflow.experiments.data import DataConfig, load

FLOOR = KINKED.floor
INTERVAL = 6.0  # of SSP42's stability on the real axis
FIRST_ORDER = (1.6, 2.5)  # what halving the floor may divide the error by
STATED = 3.0  # how far the stated error may be from the true one, either way
STEADY = 1.1  # late against early work per unit of time
AGAINST_FIXED = 1.3  # the default's evaluations against the best fixed step that is no worse
TARGET = 2e-4  # of rho, relative
TIMES = np.linspace(1, 60, 60)


def run(times=TIMES, rho=0.5, **options):
    flow = dynamics.gradient_flow(problem(RELU, decay=0.01), **options)
    return dynamics.simulate(flow, start(RELU, rho=rho), times=times, observe=LOOK)


def largest(ran, truth, name="rho"):
    return float(np.max(np.abs(ran[name] - truth[name])))


@pytest.fixture(scope="module")
def truth():
    """Fixed steps of an eightieth of the default floor, whose error is an eightieth."""
    return run(solver=SSP42(), step=FLOOR / 80)


@pytest.fixture(scope="module")
def default():
    return run()


# Work.


@pytest.mark.slow
def test_work_per_unit_of_time_does_not_grow():
    counts = [float(run(times=[t]).statistics["evaluations"]) for t in (50.0, 150.0, 250.0)]
    early, late = np.diff(counts)
    assert late <= STEADY * early
    # Four a step and at most one estimate of six for every twenty steps.
    assert early <= 100 / FLOOR * (4 + 6 / 20) * 1.02


# Accuracy.


def test_the_error_is_in_proportion_to_the_floor(default, truth):
    errors = [largest(default, truth), largest(run(floor=FLOOR / 2), truth)]
    errors.append(largest(run(floor=FLOOR / 4), truth))
    for coarse, fine in itertools.pairwise(errors):
        assert FIRST_ORDER[0] <= coarse / fine <= FIRST_ORDER[1], errors


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*throws stages across the kinks")
@pytest.mark.parametrize("solver", [diffrax.Dopri5(), diffrax.Tsit5()])
def test_solvers_with_large_coefficients_are_far_worse_for_more_work(solver, default, truth):
    theirs = run(solver=solver)
    assert largest(theirs, truth) > 3 * largest(default, truth)
    assert theirs.statistics["evaluations"] > 1.5 * default.statistics["evaluations"]


def test_a_fast_transient_is_not_stepped_over():
    """From rho = 30 the sharpness is 180, and fixed steps of 3.6 / 180 lose a fifth of the loss."""
    times = np.geomspace(1e-3, 2.0, 40)
    exact = run(times, rho=30.0, solver=SSP42(), step=2e-4)
    ours, fixed = run(times, rho=30.0), run(times, rho=30.0, solver=SSP42(), step=0.02)
    assert largest(fixed, exact, "loss") > 0.05
    assert largest(ours, exact, "loss") < 1e-3
    assert ours.statistics["evaluations"] < 2000


def test_the_stated_error_is_near_the_true_one(truth):
    flow = dynamics.gradient_flow(problem(RELU, decay=0.01))
    ran, stated = dynamics.simulate_with_error(flow, start(RELU), times=TIMES, observe=LOOK)
    for name in ("rho", "loss"):
        assert 1 / STATED <= getattr(stated, name) / largest(ran, truth, name) <= STATED


# The floor.


def linear(rates):
    return lambda position: -jnp.asarray(rates) * position


def limits(asked=FLOOR, stable=2.0):
    return step_floor.Limits(jnp.asarray(asked), jnp.asarray(stable), INTERVAL)


@pytest.mark.parametrize(
    ("sharpness", "time", "expected"),
    [
        (1.0, 100.0, 0.4),  # as asked
        (10.0, 100.0, 0.2),  # 2 / sharpness
        (10.0, 0.0, 0.005),  # (2 / 40) / sharpness
        (10.0, 1.0, 0.055),  # (2 / 40) (1 + 1 / sharpness)
        (0.01, 0.0, 0.4),  # a slow start is not fast
    ],
)
def test_the_floor_is_the_smallest_of_three(sharpness, time, expected):
    seen = step_floor.first(
        linear([sharpness, 0.0]), limits(), jnp.ones(2), jnp.asarray(time, float)
    )
    assert seen.sharpness == pytest.approx(sharpness)
    assert seen.floor == pytest.approx(expected)
    assert seen.unstable == 0


def test_an_estimate_holds_longer_where_there_is_room():
    """Twenty steps, times 2 / sharpness over the floor asked for, up to five."""

    def holds(sharpness):
        here = jnp.asarray(100.0)
        return int(step_floor.first(linear([sharpness]), limits(), jnp.ones(1), here).holds)

    assert [holds(rate) for rate in (10.0, 2.5, 0.1)] == [20, 40, 100]


@pytest.mark.parametrize(("grown", "unstable"), [(14.9, 0), (15.1, 1)])
def test_forced_steps_that_turn_out_unstable_are_counted(grown, unstable):
    """0.4 times 15 is SSP42's interval, 6."""
    position, time = jnp.ones(1), jnp.asarray(100.0)
    old = step_floor.first(linear([1.0]), limits(), position, time)
    new = step_floor.again(linear([grown]), limits(), old, position, time + 5)
    assert (float(old.floor), int(new.unstable)) == (FLOOR, unstable)
    assert step_floor.again(linear([0.1]), limits(), new, position, time).unstable == unstable


@pytest.mark.slow
def test_no_forced_step_is_unstable_unless_the_cap_is_lifted():
    flow = dynamics.gradient_flow(problem(RELU, decay=0.01))
    lifted = dynamics.replace(flow, stable=1e6)
    counts = [
        int(dynamics.simulate(each, start(RELU, rho=30.0), times=[5.0]).statistics["unstable"])
        for each in (flow, lifted)
    ]
    assert counts[0] == 0
    assert counts[1] > 0


@pytest.mark.parametrize(
    "solver", [SSP42(), SSP43(), diffrax.Euler(), diffrax.Heun(), diffrax.Bosh3(), diffrax.Dopri5()]
)
def test_solvers_are_stable_up_to_their_interval(solver):
    """x' = -x decays at a step of 0.99 of the interval and grows at 1.01."""
    interval = step_floor.stability_interval(solver)
    sizes = [
        diffrax.diffeqsolve(
            diffrax.ODETerm(lambda _, x, __: -x), solver, 0.0, 400 * step, step, jnp.asarray(1.0),
            saveat=diffrax.SaveAt(t1=True), max_steps=500,
        ).ys[0]
        for step in (0.99 * interval, 1.01 * interval)
    ]  # fmt: skip
    assert abs(sizes[0]) < 0.9
    assert abs(sizes[1]) > 2.0


# Against fixed steps that were tuned by hand, on the trial problem.


@pytest.fixture(scope="module")
def digits():
    data = load(DataConfig("digits", classes=(3, 8), train=200, test=100, centre=True))
    network = models.mlp((64, 64, 64, 1), initialisation=models.gaussian())
    targets = models.encode(data.train_labels, "signs")
    ours = models.Problem(network, data.train_inputs.astype(float), targets, decay=1e-3)
    return ours, models.to_polar(network.init(jax.random.key(1)), rho=0.1)


@pytest.mark.slow
def test_the_default_needs_little_more_than_the_best_fixed_step(digits):
    """To t = 300, through both escapes of seed 1."""
    ours, polar = digits
    times = np.linspace(5, 300, 119)

    def go(**options):
        flow = dynamics.gradient_flow(ours, **options)
        return dynamics.simulate(flow, polar, times=times)

    exact = go(solver=SSP43(), step=0.04)
    ran = go()
    wrong = largest(ran, exact) / float(exact["rho"].max())
    assert wrong <= TARGET
    candidates = [(SSP42(), 0.5), (SSP42(), 0.4), (SSP43(), 0.3), (diffrax.Heun(), 0.2)]
    for solver, step in candidates:
        fixed = go(solver=solver, step=step)
        if largest(fixed, exact) / float(exact["rho"].max()) <= TARGET:
            most = AGAINST_FIXED * float(fixed.statistics["evaluations"])
            assert ran.statistics["evaluations"] <= most, (solver, step)
