"""The largest equal margin: closed forms of linear networks, flows that end there, and signs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import references as ref
from rhoflow import dynamics, models
from rhoflow.dynamics.observables import largest_margin, moments

KEY = jax.random.key(4)


@pytest.mark.slow
@pytest.mark.parametrize("network", [models.deep_linear((ref.FEATURES, 1)), ref.LINEAR])
def test_a_linear_network_has_its_ridge_solution(network):
    problem = ref.problem(network, decay=0.03)
    found = largest_margin(problem, KEY, starts=3)
    ridge = dynamics.reduced.ridge.solution(problem.inputs, problem.targets, 0.03)
    np.testing.assert_allclose(found.view.rho, ridge.rho, rtol=1e-6)
    np.testing.assert_allclose(found.gaps, moments.loss(problem, found.view), rtol=1e-6)
    np.testing.assert_allclose(1 / (1 + found.ratio), found.gaps[0], rtol=1e-10)
    product = np.linalg.multi_dot([*map(np.asarray, found.view.directions), np.ones((1, 1))])
    np.testing.assert_allclose(
        found.view.rho * product[:, 0], ref.ridge(problem.inputs, problem.targets, 0.03), rtol=1e-4
    )


def test_separable_data_have_the_margin_of_least_norm_interpolation():
    """Fewer samples than features: mu goes to 1 / |w| of X w = y, and sigma to 0."""
    rng = np.random.default_rng(5)
    inputs, signs = rng.standard_normal((4, 7)) / 5, np.array([1.0, -1, 1, -1])
    problem = models.Problem(models.deep_linear((7, 1)), inputs, signs, decay=1e-8)
    found = largest_margin(problem, KEY, starts=2, steps=500)
    w = np.linalg.lstsq(inputs, signs)[0]
    np.testing.assert_allclose(found.mu, 1 / np.linalg.norm(w), rtol=1e-4)
    assert float(found.sigma) < 1e-4 * float(found.mu)


@pytest.mark.slow
def test_no_flow_of_a_relu_network_ends_above_what_is_found():
    problem = ref.problem(ref.RELU, decay=0.01)
    found = largest_margin(problem, KEY, starts=6)
    assert float(found.mu) > 0
    starts = [ref.start(ref.RELU, seed=seed) for seed in range(3)]
    ends = dynamics.ensemble(
        dynamics.gradient_flow(problem), starts, times=[300.0], observe=dynamics.observe("loss")
    )
    assert np.min(found.gaps) <= np.min(ends["loss"]) * (1 + 1e-6)
    assert float(moments.loss(problem, found.view)) == pytest.approx(float(jnp.min(found.gaps)))


def test_a_network_whose_gap_changes_with_the_scale_is_refused():
    """Its layers cannot be divided by their norms, which `largest_margin` does."""
    network = models.mlp((ref.FEATURES, 3, 1), activation=models.smooth_leaky(0.2))
    with pytest.raises(ValueError, match="positively homogeneous in every layer"):
        largest_margin(ref.problem(network), KEY, starts=1, steps=1)


def test_another_loss_is_refused():
    square = ref.problem(ref.RELU)
    problem = models.Problem(
        ref.RELU, square.inputs, square.targets, 0.1, loss=models.losses.exponential
    )
    with pytest.raises(ValueError, match="the square loss"):
        largest_margin(problem, KEY)
