"""When rho alternates: 5.4 and 5.6 of the theory, on a deep linear network at its ridge point."""

import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from references import biggest, problem, start
from rhoflow import dynamics
from rhoflow.dynamics import normalisation as kinds


@pytest.fixture(scope="module")
def ours():
    return problem()


@pytest.fixture(scope="module")
def rest(ours):
    flow = dynamics.gradient_flow(ours, rtol=1e-10, atol=1e-12)
    end = dynamics.simulate(flow, start(rho=1.0), times=[3000.0]).final.position
    assert biggest(kinds.field(kinds.sphere(), ours, end)) < 1e-9
    return end


@pytest.fixture(scope="module")
def curvature(ours, rest):
    """The top curvature from the dense Jacobian of the field."""
    flat, back = ravel_pytree(rest)
    whole = jax.jacfwd(lambda v: ravel_pytree(kinds.field(kinds.sphere(), ours, back(v)))[0])(flat)
    return float(np.max(-np.linalg.eigvals(whole).real))


@pytest.mark.slow
def test_the_steepest_curvature_is_that_of_the_dense_jacobian(ours, rest, curvature):
    found = dynamics.alternation(ours, rest, [0.1], steps=5)
    np.testing.assert_allclose(found.curvature, curvature, rtol=1e-6)
    np.testing.assert_allclose(found.products, 0.1 * curvature, rtol=1e-6)


@pytest.mark.slow
def test_without_momentum_rho_alternates_beyond_one(ours, rest, curvature):
    products = np.array([0.5, 0.9, 1.1, 1.9])
    found = dynamics.alternation(ours, rest, products / curvature, steps=20)
    np.testing.assert_array_equal(found.changes, [0, 0, 1, 1])


def test_though_the_radial_mode_alone_is_far_from_it(ours, rest, curvature):
    """5.4: with directions held, 4 eta (M + lambda) > 1 would be needed."""
    second_moment = dynamics.observables.BY_NAME["M"](ours, rest)
    assert 4 * 1.1 / curvature * float(second_moment + ours.decay) < 1


@pytest.mark.slow
def test_momentum_oscillates_from_its_own_threshold_on(ours, rest, curvature):
    """(1 - sqrt(beta))^2 < eta h, 0.0026 for beta = 0.9."""
    edge = (1 - np.sqrt(0.9)) ** 2
    found = dynamics.alternation(
        ours, rest, edge * np.array([0.5, 4.0, 100.0]) / curvature, momentum=0.9, steps=150
    )
    assert found.changes[0] == 0
    assert 0 < found.changes[1] < found.changes[2]


def test_increments_that_have_died_out_are_not_counted():
    fading = np.concatenate([0.5 ** np.arange(12.0), [0.0, 1e-6, 0.0]])
    assert dynamics.sign_changes(fading) == 0
    assert dynamics.sign_changes(np.ones(5)) == 0
