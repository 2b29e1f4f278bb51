"""Descent on the spheres: against loops written by hand, and against the flow that it follows.

Source: [Dyn] (46) with corrected signs; heavy ball takes learning_rate / (1 - momentum) of time.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from references import (
    DEEP_RELU,
    LINEAR,
    LOOK,
    adam,
    difference,
    problem,
    sgd,
    start,
)
from rhoflow import dynamics, models
from rhoflow.dynamics.flows.gradient_flow import sphere_field

BY_HAND = 1e-10  # round-off, carried through two hundred steps
ROUND_OFF = 1e-12
FIRST_ORDER = 0.1  # how far a fitted slope may be from one

STEPS, RATE = 200, 0.2
DECAY = 0.05


def data(ours):
    return np.asarray(ours.inputs), np.asarray(ours.targets), DECAY


def distance_to(path, run, steps):
    """Largest difference of rho and directions to a path that was computed by hand."""
    worst = 0.0
    for index, step in enumerate(steps):
        rho, layers = path[step - 1]
        seen = [np.asarray(layer[index]) for layer in run["directions"]]
        worst = max(worst, abs(run["rho"][index] - rho), difference(seen, layers))
    return worst


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(("network", "relu_layers"), [(DEEP_RELU, 2), (LINEAR, 0)])
def test_sgd_takes_the_steps_of_a_loop_written_by_hand(network, relu_layers, momentum):
    ours, polar = problem(network), start(network)
    batches = np.random.default_rng(0).integers(0, 12, (STEPS, 3))
    descent = dynamics.sgd(ours, RATE, momentum=momentum, batches=batches)
    steps = [1, 2, 3, 10, 50, 100, STEPS]
    times = dynamics.times_at(descent, steps=steps)
    run = dynamics.simulate(descent, polar, times=times, observe=LOOK)
    by_hand = sgd(polar, batches, RATE, momentum, *data(ours), relu_layers)
    assert distance_to(by_hand, run, steps) <= BY_HAND
    assert run.statistics["steps"] == STEPS
    assert abs(by_hand[-1][0] - float(polar.rho)) > 0.1  # it went somewhere


def test_gradient_descent_is_sgd_on_all_samples():
    ours, polar = problem(DEEP_RELU), start(DEEP_RELU)
    descent = dynamics.gradient_descent(ours, 0.05, momentum=0.9)
    times = dynamics.times_at(descent, steps=[1, 50])
    run = dynamics.simulate(descent, polar, times=times, observe=LOOK)
    by_hand = sgd(polar, [np.arange(12)] * 50, 0.05, 0.9, *data(ours), 2)
    assert distance_to(by_hand, run, [1, 50]) <= BY_HAND


def test_adam_on_the_spheres_is_adam_of_the_projected_gradient():
    ours, polar = problem(DEEP_RELU), start(DEEP_RELU)
    descent = dynamics.descent(ours, optax.adam, 0.01, b1=0.8)
    run = dynamics.simulate(descent, polar, times=[0.5], observe=LOOK)
    rho, layers = adam(polar, 50, 0.01, *data(ours), 2, b1=0.8)
    assert run.statistics["steps"] == 50
    assert descent.name == "adam"
    assert abs(run.final.position.rho - rho) <= BY_HAND
    assert difference(list(run.final.position.directions), layers) <= BY_HAND


def test_the_first_step_of_rho_is_the_flows_velocity():
    ours, polar = problem(), start()
    run = dynamics.simulate(dynamics.gradient_descent(ours, 0.1), polar, times=[0.1], observe=LOOK)
    moved = sphere_field(ours, polar)
    assert run["rho"][0] == pytest.approx(float(polar.rho + 0.1 * moved.rho), rel=ROUND_OFF)
    for new, old, speed in zip(
        run.final.position.directions, polar.directions, moved.directions, strict=True
    ):
        excess = jnp.sqrt(1 + 0.01 * jnp.sum(speed**2))
        assert difference(new * excess, old + 0.1 * speed) <= ROUND_OFF


def test_directions_keep_unit_norm_under_any_optimiser():
    ours, polar = problem(), start()
    run = dynamics.simulate(dynamics.descent(ours, optax.rmsprop, 0.05), polar, times=[5.0])
    norms = models.layer_norms(run.final.position.directions)
    assert difference(norms, jnp.ones(3)) <= ROUND_OFF


def test_the_optimiser_on_the_spheres_stands_alone():
    ours, polar = problem(), start()
    optimiser = dynamics.on_spheres(optax.sgd(0.1))
    gradients = jax.grad(models.objective, argnums=1)(ours, polar)
    updates, _ = optimiser.update(gradients, optimiser.init(polar), polar)
    by_optax = optax.apply_updates(polar, updates)
    run = dynamics.simulate(dynamics.gradient_descent(ours, 0.1), polar, times=[0.1])
    assert difference(by_optax, run.final.position) <= ROUND_OFF


def test_weights_start_where_their_polar_coordinates_do():
    weights, descent = LINEAR.init(jax.random.key(4)), dynamics.gradient_descent(problem(), 0.1)
    one, other = (
        dynamics.simulate(descent, begin, times=[0.1, 2.0], observe=LOOK)
        for begin in (weights, models.to_polar(weights))
    )
    assert difference(one.observations, other.observations) <= ROUND_OFF


@pytest.fixture(scope="module")
def exact():
    """The flow, and times that are whole steps of every rate below."""
    times = np.arange(1, 17) * 0.5
    flow = dynamics.gradient_flow(problem(), rtol=1e-10, atol=1e-12)
    return times, dynamics.simulate(flow, start(), times=times, observe=LOOK)


@pytest.mark.parametrize(("momentum", "first_rate"), [(0.0, 1 / 16), (0.9, 1 / 640)])
def test_descent_follows_the_flow_to_first_order_in_its_rate(exact, momentum, first_rate):
    times, flow = exact
    errors = []
    for halving in (1, 2, 4):
        rate = first_rate / halving
        descent = dynamics.gradient_descent(problem(), rate, momentum=momentum)
        run = dynamics.simulate(descent, start(), times=times, observe=LOOK)
        assert np.allclose(run.times, times, rtol=ROUND_OFF)
        errors.append(difference(run.observations, flow.observations))
    slopes = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert np.all(np.abs(slopes - 1) <= FIRST_ORDER), (errors, slopes)


def test_momentum_without_its_factor_of_time_would_not_follow_the_flow(exact):
    """The control: at equal rates of time the flow would be ten times too slow."""
    times, flow = exact
    descent = dynamics.gradient_descent(problem(), 1 / 640, momentum=0.9)
    slow = dynamics.simulate(descent, start(), times=times / 10, observe=LOOK)
    assert difference(slow["rho"], flow["rho"]) > 0.1


def test_a_run_that_diverges_stops_and_says_so():
    descent = dynamics.gradient_descent(problem(), 500.0)
    run = dynamics.simulate(descent, start(), times=[500.0, 1e6, 2e6], observe=LOOK)
    assert run.status is dynamics.Status.DIVERGED
    assert np.isfinite(run["rho"][0])
    assert np.all(np.isnan(run["rho"][1:]))
    assert 1 < run.statistics["steps"] < 2000
    with pytest.raises(RuntimeError, match="diverged: lower the learning rate"):
        dynamics.simulate(descent, start(), times=[1e6], observe=LOOK, throw=True)


def test_the_optimiser_on_the_spheres_asks_for_the_parameters():
    optimiser = dynamics.on_spheres(optax.sgd(0.1))
    with pytest.raises(ValueError, match="position as third argument"):
        optimiser.update(start(), optimiser.init(start()))
