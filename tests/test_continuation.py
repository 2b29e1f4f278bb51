"""Minima found directly: ridge, constrained least squares, the coastline, and where flows end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import constrained_squares
import references as ref
from rhoflow import dynamics, models

ROUND_OFF = 1e-12
DECAYS = np.logspace(-1, -6, 13)
ONE_LAYER = models.deep_linear((ref.FEATURES, 1))
SMOOTHED = models.mlp((ref.FEATURES, 16, 1), activation=models.smoothed_relu(1e-3))
LINEAR = pytest.mark.parametrize("network", [ONE_LAYER, ref.LINEAR], ids=["L=1", "L=3"])


def converged(found):
    return np.all(np.asarray(found.outcome) == dynamics.Outcome.CONVERGED)


@pytest.fixture(scope="module")
def branch():
    """A smoothed ReLU network's equilibria."""
    return dynamics.continuation(ref.problem(SMOOTHED), ref.start(SMOOTHED), DECAYS)


@LINEAR
def test_a_linear_network_rests_in_the_ridge_solution_at_every_decay(network):
    problem = ref.problem(network)
    found = dynamics.continuation(problem, ref.start(network), DECAYS)
    for number, decay in enumerate(DECAYS):
        ridge = dynamics.reduced.ridge.solution(problem.inputs, problem.targets, decay)
        np.testing.assert_allclose(abs(found.rho[number]), ridge.rho, rtol=1e-10)
        by_hand = ref.ridge(np.asarray(problem.inputs), np.asarray(problem.targets), decay)
        misfit = constrained_squares.loss(problem.inputs, problem.targets, by_hand)
        expected = misfit + decay * ridge.rho**2
        np.testing.assert_allclose(found.loss[number], expected, rtol=ROUND_OFF)
    assert converged(found)
    assert ref.biggest(found.slope) < 1e-10
    assert ref.biggest(found.off) < 1e-10


def test_the_order_of_decays_does_not_matter_where_there_is_one_equilibrium():
    problem, start = ref.problem(), ref.start()
    down = dynamics.continuation(problem, start, DECAYS)
    up = dynamics.continuation(problem, start, DECAYS[::-1])
    np.testing.assert_allclose(up.rho[::-1], down.rho, rtol=1e-10)


def radii_of(problem):
    """Below and above the norm of least squares."""
    return np.linalg.norm(ref.ridge(problem.inputs, problem.targets, 0.0)) * np.array(
        [0.1, 0.5, 0.9, 1.2, 2.0]
    )


@LINEAR
def test_the_coastline_of_a_linear_network_is_least_squares_at_that_norm(network):
    """With more than one layer |w| may stay below rho: then nothing binds above least squares."""
    problem = ref.problem(network)
    radii = radii_of(problem)
    starts = [ref.start(network, seed=seed) for seed in (0, 1)]
    found = dynamics.least_loss(problem, starts, radii)
    for number, rho in enumerate(radii):
        free = network is not ONE_LAYER and number > 2
        w = (
            ref.ridge(problem.inputs, problem.targets, 0.0)
            if free
            else constrained_squares.solve(problem.inputs, problem.targets, rho)
        )
        expected = constrained_squares.loss(problem.inputs, problem.targets, w)
        np.testing.assert_allclose(found.losses[number], expected, rtol=ROUND_OFF)
    assert np.all(found.outcomes == dynamics.Outcome.CONVERGED)


@pytest.mark.slow
def test_the_coastline_and_the_decay_meet_in_the_equilibrium(branch):
    """min over rho of L*(rho) + lambda rho^2 is the loss at rest, and attained at its rho."""
    problem = ref.problem(SMOOTHED)
    for number in (0, 2, 4):
        decay, rho = DECAYS[number], float(branch.rho[number])
        radii = rho * np.linspace(0.9, 1.1, 41)
        start = jax.tree.map(lambda leaf, n=number: leaf[n], branch.position)
        total = dynamics.least_loss(problem, [start], radii).loss + decay * radii**2
        np.testing.assert_allclose(np.min(total), branch.loss[number], rtol=1e-9)
        assert np.argmin(total) == 20
        assert np.all(total >= branch.loss[number] * (1 - ROUND_OFF))


@pytest.mark.slow
def test_the_coastline_falls_until_it_interpolates_and_starts_do_not_rise_above_it():
    problem = ref.problem(SMOOTHED, samples=6)
    starts = [ref.start(SMOOTHED, seed=seed) for seed in (0, 1, 2)]
    found = dynamics.least_loss(problem, starts, np.linspace(0.2, 6, 12))
    interpolates = np.asarray(found.loss) < 1e-20
    assert 2 < np.sum(interpolates) < 10
    assert np.all(np.diff(found.loss)[~interpolates[1:]] < 0)
    np.testing.assert_array_equal(found.loss, np.min(found.losses, axis=1))
    rows = jax.vmap(lambda polar: models.data_loss(problem, polar))(found.position)
    np.testing.assert_allclose(rows, found.loss, rtol=ROUND_OFF, atol=1e-20)
    np.testing.assert_allclose(found.position.rho, found.radii)


@pytest.mark.slow
def test_along_a_branch_the_loss_falls_with_the_decay_at_the_rate_of_rho_squared(branch):
    """Loss at rest = 1 - rho mu, rho = mu / (M + lambda), and dLoss/dlambda = rho^2."""
    assert converged(branch)
    assert np.all(np.diff(branch.loss) < 0)
    np.testing.assert_allclose(branch.loss, 1 - branch.rho * branch.mu, rtol=1e-10)
    np.testing.assert_allclose(
        branch.rho, branch.mu / (branch.second_moment + branch.decays), rtol=1e-10
    )
    problem, step = ref.problem(SMOOTHED), 1e-6
    for number in (1, 6):
        decay = DECAYS[number]
        start = jax.tree.map(lambda leaf, n=number: leaf[n], branch.position)
        near = dynamics.continuation(problem, start, [decay * (1 - step), decay * (1 + step)])
        rate = (near.loss[1] - near.loss[0]) / (2 * step * decay)
        np.testing.assert_allclose(rate, branch.rho[number] ** 2, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 2])
def test_a_relu_network_flows_to_the_equilibrium_of_its_smoothed_twin(number, branch):
    """Within three stated errors: a factor that the stated error promises on a plateau.

    Measured for the first decay: rho is off by 1.0e-4, 2.5e-5 and 0.5e-5 at the floors 0.4, 0.1 and
    0.02, and the width of 1e-3 is worth 2e-5.
    """
    problem = ref.problem(ref.RELU, decay=DECAYS[number])
    flow = dynamics.gradient_flow(problem)
    times = np.linspace(200, 400, 9)
    ran, error = dynamics.simulate_with_error(flow, ref.start(ref.RELU, seed=1), times=times)
    rho, loss = branch.rho[number], branch.loss[number]
    assert error.rho < 2e-3
    assert error.loss < 2e-3
    np.testing.assert_allclose(ran["rho"][-1], rho, rtol=0, atol=3 * error.rho)
    np.testing.assert_allclose(ran["loss"][-1], loss, rtol=0, atol=3 * error.loss)


@pytest.mark.slow
def test_what_a_flow_of_the_smoothed_network_ends_at_is_a_minimum_already():
    problem = ref.problem(SMOOTHED)
    ran = dynamics.simulate(
        dynamics.gradient_flow(problem, rtol=1e-10, atol=1e-12), ref.start(SMOOTHED), times=[3000.0]
    )
    found = dynamics.minimise(problem, ran.final.position)
    np.testing.assert_allclose(found.position.rho, ran["rho"][-1], rtol=1e-6)
    np.testing.assert_allclose(found.loss, ran["loss"][-1], rtol=1e-10)


def test_a_network_with_kinks_warns_and_gets_stuck():
    problem = ref.problem(ref.RELU)
    with pytest.warns(UserWarning, match="lie on kinks"):
        found = dynamics.minimise(problem, ref.start(ref.RELU))
    assert found.outcome != dynamics.Outcome.CONVERGED
    assert found.slope > 1e-3
    assert "smoothed_relu" in dynamics.Outcome.STUCK.sentence


@pytest.mark.slow
def test_frozen_layers_stay():
    problem, start = ref.problem(), ref.start()
    found = dynamics.minimise(problem, start, frozen=(1,))
    np.testing.assert_allclose(
        found.position.directions[1], start.directions[1], rtol=0, atol=ROUND_OFF
    )
    assert converged(found)
    whole = dynamics.minimise(problem, start)
    assert found.loss > whole.loss


def test_another_loss_rests_where_its_own_equation_says():
    """Exponential loss, one sample: rho = W_0(m^2 / (2 lambda)) / m at the margin m = |x|."""
    x = jnp.array([[0.6, 0.0, 0.0, 0.0]])
    problem = models.Problem(ONE_LAYER, x, jnp.array([1.0]), 0.05, models.losses.exponential)
    found = dynamics.continuation(problem, ref.start(ONE_LAYER, seed=1), [0.1, 0.01])
    for rho, decay in zip(np.abs(found.rho), found.decays, strict=True):
        expected = dynamics.reduced.exponential.rho_eq(0.6, decay)
        np.testing.assert_allclose(rho, expected, rtol=1e-10)


def test_a_budget_that_is_too_small_is_told():
    found = dynamics.minimise(ref.problem(), ref.start(), max_steps=2)
    assert found.outcome == dynamics.Outcome.BUDGET_SPENT
    assert found.steps == 2


@pytest.mark.parametrize(
    ("ask", "match"),
    [
        (lambda p, s: dynamics.continuation(p, s, [0.1, 0.2, 0.1]), "increase or decrease"),
        (lambda p, s: dynamics.continuation(p, s, [0.1, -0.1]), "decays >= 0"),
        (lambda p, s: dynamics.continuation(p, s, 0.1), "decays \\[decays\\]"),
        (lambda p, s: dynamics.least_loss(p, [s], 1.0), "finite radii"),
        (lambda p, s: dynamics.least_loss(p, s, [1.0]), "a list of starts"),
        (lambda p, s: dynamics.minimise(p, s, tolerance=0.0), "a positive tolerance"),
        (lambda p, s: dynamics.minimise(p, s, radius="still"), "unknown radius"),
    ],
)
def test_what_cannot_be_sought_is_refused(ask, match):
    with pytest.raises(ValueError, match=match):
        ask(ref.problem(), ref.start())
