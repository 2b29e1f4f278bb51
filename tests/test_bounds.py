"""Bounds on the test error against their formulas by hand, and the estimate of complexity."""

import math

import jax
import numpy as np
import pytest

from references import RELU, SAMPLES, problem, start
from rhoflow import dynamics, models
from rhoflow.dynamics.observables import bounds


@pytest.fixture(scope="module")
def ours():
    return problem(RELU)


def test_the_ramp_is_one_then_falls_then_zero():
    values = np.array([-1.0, 0.0, 0.25, 0.5, 2.0])
    np.testing.assert_allclose(bounds.ramp(values, 0.5), [1, 1, 0.5, 0, 0])


def test_the_bound_is_its_formula_at_the_best_gamma(ours):
    view, gammas, delta = start(RELU, rho=7.0), (0.25, 1.0, 4.0), 0.05
    fbar = np.asarray(dynamics.observables.BY_NAME["margins"](ours, view))
    norms = np.linalg.norm(ours.inputs, axis=1)
    complexity = (math.sqrt(4 * math.log(2)) + 1) * math.sqrt(np.sum(norms**2)) / SAMPLES
    confidence = math.log(2 * 8 * 9 / (delta / 3)) / (2 * SAMPLES)
    each = [
        np.mean(np.clip(1 - 7 * fbar / gamma, 0, 1)) + 16 / gamma * complexity for gamma in gammas
    ]
    np.testing.assert_allclose(
        bounds.error_bound(delta, gammas)(ours, view), min(each) + 3 * math.sqrt(confidence)
    )


def test_a_linear_networks_complexity_is_found_and_lies_below_the_bound():
    """sup over unit w of sum s_n <w, x_n> / N is |X^T s| / N."""
    linear = problem(models.deep_linear((4, 1)))
    key = jax.random.key(0)
    found = bounds.rademacher_estimate(linear, key, draws=8, starts=1, steps=3)
    signs = [
        jax.random.rademacher(jax.random.split(draw)[0], (SAMPLES,), float)
        for draw in jax.random.split(key, 8)
    ]
    exact = np.mean([np.linalg.norm(linear.inputs.T @ s) / SAMPLES for s in signs])
    np.testing.assert_allclose(found, exact, rtol=1e-6)
    assert float(found) <= float(bounds.dense_complexity(linear))


def test_it_is_an_observable_along_a_run(ours):
    look = dynamics.observe(bound=bounds.error_bound(), ramp=bounds.ramp_loss(0.5))
    ran = dynamics.simulate(
        dynamics.gradient_descent(ours, 0.1), start(RELU), times=[0.0, 1.0], observe=look
    )
    assert ran["bound"].shape == ran["ramp"].shape == (2,)
    assert np.all(np.asarray(ran["bound"]) > np.asarray(ran["ramp"]) - 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: bounds.ramp_loss(0.0),
        lambda: bounds.error_bound(1.5),
        lambda: bounds.error_bound(0.1, (0.0,)),
    ],
)
def test_what_bounds_nothing_is_refused(make):
    with pytest.raises(ValueError, match="expected"):
        make()
