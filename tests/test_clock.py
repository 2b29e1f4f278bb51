"""The clock: time is the running sum of the learning rates, whatever the precision of numbers."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from references import LINEAR, problem, start
from rhoflow import dynamics
from rhoflow.dynamics.descents import clock

EXACT = 1e-12

SCHEDULE = optax.cosine_decay_schedule(0.2, decay_steps=40, alpha=0.1)


def run(descent, times):
    return dynamics.simulate(descent, start(), times=times)


def test_one_step_takes_the_learning_rate():
    descent = dynamics.gradient_descent(problem(), 0.03)
    assert dynamics.times_at(descent, steps=[0, 1, 10]).tolist() == [0, 0.03, 0.3]


def test_one_step_with_momentum_takes_the_effective_rate():
    descent = dynamics.gradient_descent(problem(), 0.01, momentum=0.9)
    assert dynamics.times_at(descent, steps=[1, 30]) == pytest.approx([0.1, 3.0], rel=EXACT)


def test_one_step_of_adam_takes_its_rate():
    descent = dynamics.descent(problem(), optax.adam, 0.01, b1=0.9)
    assert dynamics.times_at(descent, steps=[7]) == pytest.approx([0.07], rel=EXACT)


def test_an_epoch_is_one_pass_over_the_samples():
    descent = dynamics.sgd(problem(), 0.1, batch_size=3)
    times = dynamics.times_at(descent, epochs=[1, 2.5])
    assert times == pytest.approx([0.4, 1.0], rel=EXACT)
    whole = dynamics.gradient_descent(problem(), 0.1)
    assert dynamics.times_at(whole, epochs=[3]) == pytest.approx([0.3], rel=EXACT)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_time_of_a_million_steps_is_exact(dtype):
    """0.03 is no float32, and a million of its errors would be seen."""
    descent = dynamics.gradient_descent(problem(dtype=dtype), 0.03)
    (time,) = dynamics.times_at(descent, steps=[1_000_000])
    assert abs(time / 30_000 - 1) <= EXACT


@pytest.mark.slow
def test_a_run_of_a_million_steps_arrives_at_its_time():
    descent = dynamics.gradient_descent(problem(dtype=jnp.float32), 0.03)
    seen = run(descent, [15_000.0, 30_000.0])
    assert seen.statistics["steps"] == 1_000_000
    assert np.max(np.abs(seen.times / [15_000, 30_000] - 1)) <= EXACT
    assert seen.final.time == 30_000


def test_a_run_goes_to_the_nearest_whole_steps_and_says_when_they_are():
    seen = run(dynamics.gradient_descent(problem(), 0.1), [0.0, 0.26, 0.44, 0.96])
    assert seen.times == pytest.approx([0.0, 0.3, 0.4, 1.0], rel=EXACT)
    assert seen.statistics["steps"] == 10
    assert seen["rho"][0] == start().rho


def test_times_that_no_two_steps_reach_are_refused():
    descent = dynamics.gradient_descent(problem(), 0.1)
    with pytest.raises(ValueError, match=r"0\.26 and 0\.34, which no two steps reach"):
        run(descent, [0.1, 0.26, 0.34])


def test_a_schedule_takes_the_running_sum_of_its_rates():
    descent = dynamics.gradient_descent(problem(), SCHEDULE)
    rates = np.asarray([SCHEDULE(step) for step in range(60)], float)
    elapsed = np.concatenate([[0], np.cumsum(rates)])
    steps = [0, 1, 17, 40, 60]
    assert dynamics.times_at(descent, steps=steps) == pytest.approx(elapsed[steps], rel=1e-12)
    seen = run(descent, elapsed[[1, 17, 60]] + 1e-4)
    assert seen.times == pytest.approx(elapsed[[1, 17, 60]], rel=EXACT)
    assert seen.statistics["steps"] == 60


def test_a_step_under_a_schedule_has_its_own_rate():
    """Rates 0.2, 0.2, 0.1, 0.1, ...: the same as two runs with one rate each."""
    ours = problem()
    schedule = optax.piecewise_constant_schedule(0.2, {2: 0.5})
    whole = run(dynamics.gradient_descent(ours, schedule), [0.2, 0.4, 0.5, 0.6])
    first = run(dynamics.gradient_descent(ours, 0.2), [0.4])
    second = dynamics.simulate(
        dynamics.gradient_descent(ours, 0.1), first.final.position, times=[0.1, 0.2]
    )
    assert whole.times == pytest.approx([0.2, 0.4, 0.5, 0.6], rel=EXACT)
    assert whole["rho"][1] == pytest.approx(float(first["rho"][0]), rel=EXACT)
    assert whole["rho"][2:] == pytest.approx(np.asarray(second["rho"]), rel=EXACT)


def test_a_schedule_that_ends_before_a_time_is_refused(monkeypatch):
    monkeypatch.setattr(clock, "LONGEST_SCHEDULE", 1000)
    decays = optax.exponential_decay(0.1, transition_steps=1, decay_rate=0.5)
    descent = dynamics.gradient_descent(problem(), decays)
    with pytest.raises(ValueError, match="which the schedule reaches"):
        run(descent, [1.0])


def test_a_learning_rate_of_zero_has_no_times():
    descent = dynamics.gradient_descent(problem(), 0.0)
    with pytest.raises(ValueError, match="a positive learning rate"):
        run(descent, [1.0])


def test_only_a_descent_has_steps():
    with pytest.raises(ValueError, match="a descent, which has steps"):
        dynamics.times_at(dynamics.gradient_flow(problem(LINEAR)), steps=[1])
    descent = dynamics.gradient_descent(problem(), 0.1)
    for both in ({}, {"steps": [1], "epochs": [1]}):
        with pytest.raises(ValueError, match="either steps or epochs"):
            dynamics.times_at(descent, **both)
