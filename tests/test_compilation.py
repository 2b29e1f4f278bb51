"""Changing numbers compiles nothing, and derivatives go through a whole run."""

import importlib

import jax
import numpy as np
import optax
import pytest

from references import problem, start
from rhoflow import dynamics, models

DERIVATIVE = 1e-5  # of a central difference with the steps below

driver = importlib.import_module("rhoflow.dynamics.simulate")
members = importlib.import_module("rhoflow.dynamics.ensemble")


def programs():
    """How many programs were compiled so far: of chunks, and of starts."""
    return driver._run_chunk._cache_size(), driver.start_alone._cache_size()


def compiled_by(function):
    """How many programs a call compiles."""
    before = programs()
    function()
    return tuple(after - old for after, old in zip(programs(), before, strict=True))


def run(kind, decay, rate, times=(1.0, 2.0)):
    """One run with every object built anew; thirteen samples, which no other test has."""
    network = models.deep_linear((4, 3, 1))
    ours = problem(network, decay=decay, samples=13)
    made = {
        "flow": lambda: dynamics.gradient_flow(ours, rtol=rate / 100, atol=decay / 100),
        "sgd": lambda: dynamics.sgd(ours, rate, momentum=decay, batch_size=3),
        "adam": lambda: dynamics.descent(ours, optax.adam, rate, b1=0.9 - decay),
    }[kind]()
    look = dynamics.observe(
        "loss", "rho", "rho_eq", test_error=dynamics.error_on(ours.inputs, ours.targets)
    )
    stop = dynamics.at_rest(window=1000 * rate, tolerance=decay)
    return dynamics.simulate(
        made, start(network, rho=rate), times=times, observe=look, key=jax.random.key(0), stop=stop
    )


@pytest.mark.parametrize("kind", ["flow", "sgd", "adam"])
def test_three_decays_and_three_rates_are_one_compilation(kind):
    grid = [(decay, rate) for decay in (0.01, 0.02, 0.03) for rate in (0.05, 0.1, 0.2)]
    rhos = []

    def runs():
        rhos.extend(float(run(kind, *numbers)["rho"][-1]) for numbers in grid)

    assert compiled_by(runs) == (1, 1)
    assert len(set(rhos)) == 9
    assert compiled_by(lambda: run(kind, 0.04, 0.25)) == (0, 0)


def test_no_number_of_times_compiles_anew():
    run("sgd", 0.01, 0.1)

    def more():
        for count in (1, 5, 32, 33, 100):
            times = 0.2 * np.arange(1, count + 1)
            assert run("sgd", 0.01, 0.1, times)["rho"].shape == (count,)

    assert compiled_by(more) == (0, 0)


def test_replacing_a_number_compiles_nothing():
    made = dynamics.gradient_descent(problem(), 0.1)
    dynamics.simulate(made, start(), times=[1.0])

    def other():
        replaced = dynamics.replace(made, decay=0.3, learning_rate=0.2, momentum=0.5)
        return dynamics.simulate(replaced, start(seed=5), times=[1.6])

    assert compiled_by(other) == (0, 0)
    built = dynamics.gradient_descent(problem(decay=0.3), 0.2, momentum=0.5)
    assert other()["rho"] == dynamics.simulate(built, start(seed=5), times=[1.6])["rho"]


def test_other_values_of_an_ensemble_compile_nothing():
    made = dynamics.gradient_descent(problem(), 0.1)

    def runs(decays):
        dynamics.ensemble(made, start(), times=[1.0], over={"decay": decays})

    runs([0.1, 0.2])
    compiled = members.spread(members._chunk_of_member, dynamics.placement())
    before = compiled._cache_size()
    runs([0.3, 0.4])
    assert before > 0
    assert compiled._cache_size() == before


# Derivatives, where learning rate and decay are numbers like any other.


def central(function, at, step):
    return (float(function(at + step)) - float(function(at - step))) / (2 * step)


def final_rho(made, **numbers):
    end = dynamics.simulate(dynamics.replace(made, **numbers), start(), times=[2.0])
    return end.final.position.rho


@pytest.mark.slow
@pytest.mark.parametrize(
    "made",
    [
        dynamics.gradient_flow(problem(), rtol=1e-11, atol=1e-13),
        dynamics.gradient_descent(problem(), 0.1, momentum=0.5),
    ],
    ids=["flow", "descent"],
)
def test_the_derivative_by_decay_is_a_difference_of_runs(made):
    def rho(decay):
        return final_rho(made, decay=decay)

    derivative = jax.jit(jax.jacfwd(rho))(0.05)
    assert abs(derivative) > 0.01
    assert derivative == pytest.approx(central(rho, 0.05, 1e-4), rel=DERIVATIVE)


@pytest.mark.slow
def test_the_derivative_by_learning_rate_is_at_a_fixed_number_of_steps():
    made = dynamics.gradient_descent(problem(), 0.1)

    def traced(rate):
        return final_rho(made, learning_rate=rate)

    def twenty_steps(rate):
        other = dynamics.replace(made, learning_rate=rate)
        times = dynamics.times_at(other, steps=[20])
        return dynamics.simulate(other, start(), times=times).final.position.rho

    derivative = jax.jacfwd(traced)(0.1)
    assert abs(derivative) > 0.01
    assert derivative == pytest.approx(central(twenty_steps, 0.1, 1e-5), rel=DERIVATIVE)
