"""Several dynamics on one time axis, and the error that a flow states of itself."""

import jax
import numpy as np
import pytest

from references import LOOK, RELU, as_numpy, difference, problem, start
from rhoflow import dynamics, models

ROUND_OFF = 1e-12
STATED = 3.0  # how far the stated error may be below the true one

TIMES = np.array([0.2, 1.0, 4.0])


@pytest.fixture(scope="module")
def pair():
    """A flow and SGD; the times asked for are no whole steps."""
    ours = problem()
    members = {
        "flow": dynamics.gradient_flow(ours),
        "sgd": dynamics.sgd(ours, 0.1, batch_size=3),
    }
    return members, dynamics.compare(
        members, start(), times=TIMES + 0.03, observe=LOOK, key=jax.random.key(2)
    )


def test_the_reference_is_at_no_distance_from_itself(pair):
    _, table = pair
    assert table.reference == "flow"
    assert all(np.all(values == 0) for values in table.distances["flow"].values())


def test_the_flow_is_looked_at_where_the_steps_arrive(pair):
    _, table = pair
    assert table.times == pytest.approx(TIMES, rel=ROUND_OFF)
    assert table["sgd"].statistics["steps"] == 40


@pytest.mark.parametrize("name", ["flow", "sgd"])
def test_members_are_the_runs_alone(pair, name):
    members, table = pair
    one = dynamics.simulate(
        members[name], start(), times=TIMES, observe=LOOK, key=jax.random.key(2)
    )
    assert difference(table[name].observations, one.observations) <= ROUND_OFF
    assert difference(table[name].final.position, one.final.position) <= ROUND_OFF


def test_distances_are_those_of_the_points(pair):
    _, table = pair
    ours, apart = problem(), table.distances["sgd"]
    points = [
        models.Polar(table[name]["rho"][-1], tuple(v[-1] for v in table[name]["directions"]))
        for name in ("flow", "sgd")
    ]
    (rho, layers), (other_rho, other_layers) = map(as_numpy, points)
    gap = models.outputs(ours, points[0]) - models.outputs(ours, points[1])
    assert apart["rho"][-1] == pytest.approx(abs(rho - other_rho), rel=ROUND_OFF)
    assert apart["outputs"][-1] == pytest.approx(np.sqrt(np.mean(gap**2)), rel=1e-9)
    by_hand = [np.linalg.norm(a - b) for a, b in zip(layers, other_layers, strict=True)]
    assert apart["directions"][-1] == pytest.approx(by_hand, rel=1e-9)
    assert apart["rho"][-1] > 1e-6


def test_a_member_that_diverges_stops_no_other():
    ours = problem()
    members = {
        "slow": dynamics.gradient_descent(ours, 0.5),
        "wild": dynamics.gradient_descent(ours, 500.0),
    }
    times = 500.0 * np.array([1, 100, 200])
    table = dynamics.compare(members, start(), times=times, observe=LOOK)
    assert table["slow"].status is dynamics.Status.FINISHED
    assert table["wild"].status is dynamics.Status.DIVERGED
    assert np.all(np.isfinite(table["slow"]["rho"]))
    assert np.isnan(table["wild"]["rho"]).tolist() == [False, True, True]
    assert np.isnan(table.distances["wild"]["outputs"]).tolist() == [False, True, True]


def test_steps_that_never_meet_are_refused():
    ours = problem()
    members = {
        "third": dynamics.gradient_descent(ours, 0.3),
        "seventh": dynamics.gradient_descent(ours, 0.7),
    }
    with pytest.raises(ValueError, match="whole steps of all dynamics"):
        dynamics.compare(members, start(), times=[0.3, 0.9])
    assert dynamics.compare(members, start(), times=[2.1, 4.2]).times == pytest.approx([2.1, 4.2])


def test_nothing_to_compare_is_refused():
    with pytest.raises(ValueError, match="at least one dynamics"):
        dynamics.together({})


def test_a_product_is_a_dynamics_that_an_ensemble_can_map():
    ours = problem()
    joint = dynamics.together(
        {"a": dynamics.gradient_descent(ours, 0.1), "b": dynamics.gradient_descent(ours, 0.2)}
    )
    look = dynamics.observe(
        apart=rho_apart,
    )
    runs = dynamics.ensemble(joint, start(), times=[2.0], observe=look, over={"decay": [0.0, 0.5]})
    for index, decay in enumerate([0.0, 0.5]):
        ends = [
            dynamics.simulate(
                dynamics.gradient_descent(problem(decay=decay), rate), start(), times=[2.0]
            )
            for rate in (0.1, 0.2)
        ]
        by_hand = ends[0]["rho"] - ends[1]["rho"]
        assert runs["apart"][index] == pytest.approx(np.asarray(by_hand), rel=1e-9)


def rho_apart(problems, views):
    del problems
    return views["a"].rho - views["b"].rho


# The stated error.


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_stated_error_of_a_relu_flow_is_near_the_true_one_or_above(seed):
    ours, polar = problem(RELU, decay=0.01), start(RELU, seed)
    times = np.linspace(1, 50, 50)
    flow = dynamics.gradient_flow(ours)
    run, stated = dynamics.simulate_with_error(flow, polar, times=times, observe=LOOK)
    exact = dynamics.simulate(
        dynamics.gradient_flow(ours, floor=0.25 / 64, rtol=1e-7), polar, times=times, observe=LOOK
    )
    for name in ("rho", "loss"):
        true = difference(run[name], exact[name])
        assert getattr(stated, name) >= true / STATED
        assert getattr(stated, name) <= 10 * STATED * true
    # Beside its coarser twin the flow takes the steps that it takes alone.
    alone = dynamics.simulate(flow, polar, times=times, observe=LOOK)
    assert difference(run["rho"], alone["rho"]) <= ROUND_OFF


def test_the_coarser_flow_has_ten_times_the_tolerances_and_twice_the_floor():
    flow = dynamics.gradient_flow(problem(RELU), rtol=1e-5, atol=1e-8, floor=0.1)
    twin = dynamics.coarser(flow).parameters
    assert (float(twin.rtol), float(twin.atol)) == pytest.approx((1e-4, 1e-7))
    assert float(twin.floor) == pytest.approx(0.2)
    assert dynamics.coarser(dynamics.gradient_flow(problem())).parameters.floor is None
    with pytest.raises(ValueError, match="expected a flow"):
        dynamics.coarser(dynamics.gradient_descent(problem(), 0.1))


@pytest.mark.slow
def test_the_stated_error_of_a_smooth_flow_is_above_the_true_one():
    times = np.linspace(0.5, 20, 40)
    flow = dynamics.gradient_flow(problem())
    run, stated = dynamics.simulate_with_error(flow, start(), times=times, observe=LOOK)
    tight = dynamics.gradient_flow(problem(), rtol=1e-9, atol=1e-12)
    exact = dynamics.simulate(tight, start(), times=times, observe=LOOK)
    for name in ("rho", "loss"):
        assert getattr(stated, name) >= difference(run[name], exact[name]) / STATED
        assert getattr(stated, name) <= 1e-2
    assert 0 < stated.outputs <= 1e-2


def test_a_member_that_spent_its_budget_goes_on_with_a_larger_one():
    flow = dynamics.gradient_flow(problem())
    descent = dynamics.gradient_descent(problem(), 0.1)
    whole = dynamics.together({"flow": flow, "descent": descent})
    look = dynamics.observe(rho=lambda _, views: views["flow"].rho)
    options = {"observe": look, "times": [1.0, 40.0]}
    straight = dynamics.simulate(whole, start(), **options)
    stopped = dynamics.simulate(dynamics.replace(whole, max_steps=5), start(), **options)
    assert stopped.final.memory["flow"].status == dynamics.Status.BUDGET_SPENT
    assert np.isnan(stopped["rho"][1])
    went_on = dynamics.simulate(whole, stopped.final, observe=look, times=[40.0])
    assert went_on.final.memory["flow"].status == dynamics.Status.FINISHED
    np.testing.assert_array_equal(went_on["rho"][0], straight["rho"][1])
