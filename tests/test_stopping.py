"""When a run stops by itself, and when it is started anew."""

import jax
import numpy as np
import pytest

from references import LINEAR, problem, start
from rhoflow import dynamics, models

NAMES = ("loss", "rho", "train_error")
LOOK = dynamics.observe(*NAMES)
STEPS = np.arange(1, 301)


def descent(rate=0.2, **kwargs):
    return dynamics.gradient_descent(problem(spread=0.3, **kwargs), rate)


def run(stop=None, observe=LOOK, made=None, steps=STEPS, begin=None):
    made = made or descent()
    times = dynamics.times_at(made, steps=steps)
    return dynamics.simulate(made, begin or start(), times=times, observe=observe, stop=stop)


@pytest.fixture(scope="module")
def whole():
    return run()


def test_separated_stops_at_the_first_look_where_both_hold(whole):
    errors, losses = np.asarray(whole["train_error"]), np.asarray(whole["loss"])
    bound = float(losses[150])
    last = int(np.argmax((errors == 0) & (losses < bound)))
    stopped = run(dynamics.separated(loss_below=bound))
    assert errors[0] > 0
    assert stopped.status is dynamics.Status.CONDITION_MET
    assert np.array_equal(stopped["loss"][: last + 1], losses[: last + 1])
    assert np.all(np.isnan(stopped["loss"][last + 1 :]))
    assert stopped.statistics["steps"] == last + 1


def test_a_condition_that_is_never_met_changes_nothing(whole):
    never = run(dynamics.separated(loss_below=0.0))
    assert never.status is dynamics.Status.FINISHED
    assert np.array_equal(never["rho"], whole["rho"])


def test_a_run_that_was_stopped_can_go_on(whole):
    stopped = run(dynamics.separated(loss_below=float(whole["loss"][150])))
    rest = dynamics.simulate(descent(), stopped.final, times=whole.times[200:], observe=LOOK)
    assert rest.status is dynamics.Status.FINISHED
    assert np.array_equal(rest["rho"], whole["rho"][200:])


def test_at_rest_stops_only_where_nothing_moved_over_a_window():
    made, window, tolerance = descent(decay=0.3), 10.0, 1e-3
    long = np.arange(1, 2001)
    stopped = run(dynamics.at_rest(window, tolerance), made=made, steps=long)
    free = run(made=made, steps=long)
    assert stopped.status is dynamics.Status.AT_REST
    steps = int(stopped.statistics["steps"])
    assert steps % 50 == 0  # windows of fifty steps follow each other
    rho, losses = np.asarray(free["rho"]), np.asarray(free["loss"])
    ends = np.arange(100, steps + 1, 50) - 1
    still = [abs(series[ends] / series[ends - 50] - 1) <= tolerance for series in (rho, losses)]
    assert still[0][-1]
    assert still[1][-1]
    assert not (still[0] & still[1])[:-2].any()  # the directions may have moved once more
    # The end of the run is where it stopped, but for what the tolerance lets pass.
    assert rho[steps - 1] == pytest.approx(rho[-1], rel=50 * tolerance)


def test_a_faster_look_does_not_end_a_window_earlier():
    made, long = descent(decay=0.3), np.arange(1, 2001)
    often = run(dynamics.at_rest(10.0, 1e-3), made=made, steps=long)
    seldom = run(dynamics.at_rest(10.0, 1e-3), made=made, steps=long[49::50])
    assert often.statistics["steps"] == seldom.statistics["steps"]


def test_best_stops_when_nothing_better_came_for_a_while(whole):
    observe = dynamics.observe(distance=distance_to_middle)
    values = np.abs(np.asarray(whole["rho"]) - MIDDLE)
    lowest = int(np.argmin(values))
    assert 5 < lowest < 250  # rho passes the value on its way
    stopped = run(dynamics.best("distance", patience=4.0), observe=observe)
    assert stopped.status is dynamics.Status.CONDITION_MET
    assert stopped.statistics["steps"] == lowest + 1 + 20  # twenty steps of 0.2


MIDDLE = 1.0


def distance_to_middle(problem, view):
    del problem
    return abs(view.rho - MIDDLE)


def test_thresholds_are_leaves():
    leaves = jax.tree.leaves(dynamics.at_rest(window=3.0, tolerance=0.1))
    assert [float(leaf) for leaf in leaves] == [3.0, 0.1]
    structure = jax.tree.structure(dynamics.best("loss", 1.0))
    assert structure == jax.tree.structure(dynamics.best("loss", 2.0))
    assert structure != jax.tree.structure(dynamics.best("rho", 2.0))


def test_the_first_time_is_that_of_the_first_look_at_or_below(whole):
    errors = np.asarray(whole["train_error"])
    first = whole.times[int(np.argmax(errors <= 0))]
    assert dynamics.first_time(whole, "train_error", at_most=0.0) == first
    assert np.isnan(dynamics.first_time(whole, "loss", at_most=-1.0))
    level = float(whole["loss"][40])
    assert dynamics.first_time(whole, "loss", at_most=level) == whole.times[40]


def test_the_first_time_of_an_ensemble_is_one_for_each():
    made = descent()
    times = dynamics.times_at(made, steps=STEPS)
    runs = dynamics.ensemble(made, start(), times=times, observe=LOOK, over={"decay": [0.05, 5.0]})
    firsts = dynamics.first_time(runs, "loss", at_most=0.5)
    assert np.isfinite(firsts).tolist() == [True, False]


# Restarts.


def restarts(loss_above, attempts=4):
    made = descent(decay=0.3)
    times = dynamics.times_at(made, steps=np.arange(1, 2001))
    drawn = []

    def draw(key):
        drawn.append(key)
        return models.to_polar(LINEAR.init(key), rho=0.5)

    outcome = dynamics.simulate_with_restarts(
        made,
        draw,
        times=times,
        key=jax.random.key(1),
        stop=dynamics.at_rest(10.0, 1e-3),
        loss_above=loss_above,
        observe=LOOK,
        attempts=attempts,
    )
    return outcome, drawn


def test_a_run_that_rests_with_a_small_loss_is_taken():
    outcome, drawn = restarts(loss_above=10.0)
    assert outcome.accepted
    assert len(outcome.losses) == len(drawn) == 1
    assert outcome.trajectory.status is dynamics.Status.AT_REST


def test_runs_that_rest_too_early_are_started_anew_until_attempts_are_used_up():
    outcome, drawn = restarts(loss_above=0.0)
    assert not outcome.accepted
    assert len(outcome.losses) == len(drawn) == 4
    assert len({tuple(jax.random.key_data(key).tolist()) for key in drawn}) == 4
    end = models.data_loss(descent(decay=0.3).problem, outcome.trajectory.final.position)
    assert outcome.losses[-1] == float(end)


def test_no_attempt_is_refused():
    with pytest.raises(ValueError, match="at least one attempt"):
        restarts(loss_above=1.0, attempts=0)


def test_an_attempt_that_diverges_is_not_accepted():
    attempts = dynamics.simulate_with_restarts(
        dynamics.gradient_descent(problem(), 500.0),
        lambda key: models.to_polar(problem().network.init(key), rho=1.0),
        times=[500.0, 5e5],
        key=jax.random.key(0),
        stop=dynamics.at_rest(window=1.0),
        loss_above=0.1,
        attempts=2,
    )
    assert not attempts.accepted
    assert len(attempts.losses) == 2
