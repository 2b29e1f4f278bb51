"""Conjugate gradients in a ball, against the solution of the linear system and the ball's edge."""

import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow.dynamics.truncated import descend_model

ROUND_OFF = 1e-12


def random_model(seed, lowest):
    """A symmetric H with eigenvalues from lowest to 3, and a g so small that the end is tight."""
    rng = np.random.default_rng(seed)
    vectors = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    matrix = vectors @ np.diag(np.linspace(lowest, 3.0, 6)) @ vectors.T
    return jnp.asarray(matrix), jnp.asarray(1e-6 * rng.standard_normal(6))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_within_the_ball_it_solves_the_linear_system(seed):
    matrix, gradient = random_model(seed, lowest=0.5)
    step, bent = descend_model(lambda v: matrix @ v, gradient, jnp.asarray(1.0))
    residual = np.linalg.norm(matrix @ step + gradient)
    assert residual <= 1e-4 * np.linalg.norm(gradient)
    np.testing.assert_allclose(bent, matrix @ step, rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize(("lowest", "radius"), [(-1.0, 0.3), (0.5, 1e-8)], ids=["down", "small"])
def test_else_it_ends_at_the_edge_below_the_steepest_point_of_it(lowest, radius):
    matrix, gradient = random_model(3, lowest)
    step, bent = descend_model(lambda v: matrix @ v, gradient, jnp.asarray(radius))
    np.testing.assert_allclose(np.linalg.norm(step), radius, rtol=1e-10)
    np.testing.assert_allclose(bent, matrix @ step, rtol=1e-9, atol=1e-18)

    def model(s):
        return gradient @ s + s @ matrix @ s / 2

    steepest = -gradient / np.linalg.norm(gradient)
    lengths = np.linspace(0, radius, 101)
    best = min(model(length * steepest) for length in lengths)
    assert model(step) <= best * (1 - ROUND_OFF) < 0


def test_without_a_gradient_it_does_not_move():
    step, _ = descend_model(lambda v: v, jnp.zeros(3), jnp.asarray(1.0))
    np.testing.assert_array_equal(step, 0.0)
