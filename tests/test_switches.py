"""Activation switches as flows count them, against counting them from the looks."""

import jax.numpy as jnp
import numpy as np
import pytest

from references import DEEP_RELU, LINEAR, problem, start
from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds

STEP, STEPS = 0.25, 60


def signs(ours, view):
    """Which units of both hidden layers are on, written out without the network."""
    first = np.asarray(ours.inputs) @ np.asarray(view.directions[0])
    second = np.maximum(first, 0) @ np.asarray(view.directions[1])
    return np.concatenate([first > 0, second > 0], axis=1)


def test_a_flow_counts_every_switch_between_its_steps():
    ours = problem(DEEP_RELU)
    flow = dynamics.gradient_flow(ours, solver=dynamics.SSP43(), step=STEP)
    times = STEP * np.arange(STEPS + 1)
    look = dynamics.observe("rho", view=lambda _, view: view)
    ran = dynamics.simulate(flow, start(DEEP_RELU), times=times, observe=look)
    views = [
        models.Polar(0.0, [layer[i] for layer in ran["view"].directions]) for i in range(len(times))
    ]
    patterns = [signs(ours, view) for view in views]
    counted = sum(np.sum(a != b) for a, b in zip(patterns[1:], patterns[:-1], strict=True))
    assert int(ran.statistics["accepted"]) == STEPS
    assert int(ran.statistics["switches"]) == counted > 10


@pytest.mark.slow
def test_a_rejected_step_switches_nothing():
    """Under error control the count is that of the accepted steps: at most one per pair a step."""
    ours = problem(DEEP_RELU)
    flow = dynamics.gradient_flow(ours, rtol=1e-6, floor=1e-4)
    ran = dynamics.simulate(flow, start(DEEP_RELU), times=[10.0])
    pairs = len(ours.targets) * 16
    assert int(ran.statistics["rejected"]) > 0
    assert 0 < int(ran.statistics["switches"]) < pairs * int(ran.statistics["accepted"])


@pytest.mark.parametrize("network", [LINEAR, models.mlp((4, 5, 1), activation=models.linear)])
def test_where_nothing_has_a_kink_nothing_is_counted(network):
    ran = dynamics.simulate(dynamics.gradient_flow(problem(network)), start(network), times=[1.0])
    assert "switches" not in ran.statistics


@pytest.mark.slow
def test_a_linearised_relu_network_has_no_kinks():
    flow = dynamics.gradient_flow(problem(DEEP_RELU), normalisation=kinds.linearised())
    ran = dynamics.simulate(flow, start(DEEP_RELU), times=[1.0])
    assert "switches" not in ran.statistics
    assert jnp.isfinite(ran["rho"][0])
