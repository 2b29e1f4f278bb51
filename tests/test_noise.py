"""Noise: gradients of single samples, written out in NumPy, and what batches make of them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import RELU, SAMPLES, as_numpy, gradient, problem, start
from rhoflow import dynamics, models
from rhoflow.dynamics.observables import curvature, noise

ROUND_OFF = 1e-12
OURS, HERE = problem(RELU), start(RELU, rho=1.5)


def by_hand(samples):
    """The gradient of the mean over these samples, as one row."""
    rho, layers = as_numpy(HERE)
    inputs, targets = np.asarray(OURS.inputs)[samples], np.asarray(OURS.targets)[samples]
    slope, tangent = gradient(rho, layers, inputs, targets, 0.05, 1)
    return np.concatenate([[slope], *(layer.ravel() for layer in tangent)])


SINGLE = np.stack([by_hand([n]) for n in range(SAMPLES)])
COVARIANCE = np.cov(SINGLE.T, bias=True)


def test_the_covariance_is_that_of_single_gradients():
    found = jax.jit(noise.gradient_noise)(OURS, HERE)
    assert found["trace"] == pytest.approx(np.trace(COVARIANCE), rel=ROUND_OFF)
    assert found["trace_rho"] == pytest.approx(COVARIANCE[0, 0], rel=ROUND_OFF)
    rest = np.trace(COVARIANCE[1:, 1:])
    assert found["trace_directions"] == pytest.approx(rest, rel=ROUND_OFF)
    whole = by_hand(np.arange(SAMPLES))
    assert found["squared_gradient"] == pytest.approx(whole @ whole, rel=1e-11)


def test_its_eigenvalues_come_from_the_small_gram_matrix():
    exact = np.linalg.eigvalsh(COVARIANCE)[::-1]
    found = noise.noise_eigenvalues(SAMPLES)(OURS, HERE)
    assert np.asarray(found) == pytest.approx(exact[:SAMPLES], abs=1e-12 * exact[0])
    assert noise.noise_eigenvalues(2)(OURS, HERE) == pytest.approx(exact[:2], rel=1e-10)
    with pytest.raises(ValueError, match="a count from 1 to 12"):
        noise.noise_eigenvalues(13)(OURS, HERE)


@pytest.mark.parametrize("size", [1, 2, 11, 12])
def test_the_expected_squared_gradient_is_the_mean_over_all_batches(size):
    batches = itertools.combinations(range(SAMPLES), size)
    squares = [np.sum(np.mean(SINGLE[list(batch)], axis=0) ** 2) for batch in batches]
    found = noise.batch_gradient(size)(OURS, HERE)
    assert found == pytest.approx(np.mean(squares), rel=1e-11)


def test_stationarity_is_each_samples_gradient():
    found = noise.stationarity(OURS, HERE)
    assert np.asarray(found["rho"]) == pytest.approx(np.abs(SINGLE[:, 0]), rel=1e-11)
    first = np.linalg.norm(SINGLE[:, 1:65], axis=1)
    last = np.linalg.norm(SINGLE[:, 65:], axis=1)
    expected = np.stack([first, last], axis=1)
    assert np.asarray(found["directions"]) == pytest.approx(expected, rel=1e-11)


@pytest.mark.slow
def test_a_collinear_point_with_two_margins_is_at_rest_on_every_batch():
    decay, rho = 0.01, 3.0
    root = np.sqrt(1 - 4 * decay * rho**2)
    margins = np.array([1 + root, 1 - root, 1 + root]) / (2 * rho)
    targets = np.array([1.0, -1.0, 1.0])
    line = np.array([0.6, 0.8])
    ours = models.Problem(
        models.deep_linear((2, 3, 1)), np.outer(targets * margins, line), targets, decay
    )
    second = np.array([[2.0], [1.0], [2.0]]) / 3
    view = models.to_polar((np.outer(line, second[:, 0]), second), rho=rho)
    found = noise.stationarity(ours, view)
    assert max(map(float, jax.tree.leaves(jax.tree.map(jnp.max, found)))) <= ROUND_OFF
    assert noise.gradient_noise(ours, view)["trace"] <= ROUND_OFF**2
    other = models.Problem(ours.network, ours.inputs, targets, 2 * decay)
    assert np.min(noise.stationarity(other, view)["rho"]) > 0.01


def test_the_noise_of_rho_is_what_a_long_run_shows():
    """Batches of one, drawn anew: 2e5 steps, against the variance within five standard errors."""
    rate, batch = 0.1, 1
    margins = np.asarray(dynamics.observe("margins")(OURS, HERE)["margins"])
    at_rest = float(np.mean(margins) / (np.mean(margins**2) + 0.05))
    view = HERE._replace(rho=jnp.asarray(at_rest))
    # Additive noise of variance S / B in a linear contraction, exactly: the stationary variance
    # solves v = (1 - eta h)^2 v + eta^2 S / B.
    pulls = 2 * (1 - at_rest * margins) * margins
    contraction = 1 - rate * 2 * (np.mean(margins**2) + 0.05)
    found = float(noise.noise_of_rho(rate, batch)(OURS, view))
    assert found == pytest.approx(contraction**2 * found + rate**2 * np.var(pulls), rel=1e-10)
    rng = np.random.default_rng(0)
    kicks = rate * (rng.choice(pulls, (400, 600)) - np.mean(pulls))
    spread = np.zeros(400)
    for kick in kicks.T:
        spread = contraction * spread + kick
    assert np.var(spread) == pytest.approx(found, rel=5 * np.sqrt(2 / 400))
    assert np.isinf(noise.noise_of_rho(1e3, 1)(OURS, view))


def test_random_batches_determine_every_sample_and_a_partition_does_not():
    every = jnp.asarray(list(itertools.combinations(range(6), 2)))
    assert int(noise.incidence_rank(every, 6)) == 6
    assert int(noise.incidence_rank(jnp.asarray([[0, 1], [2, 3], [4, 5]]), 6)) == 3
    assert int(noise.incidence_rank(jnp.asarray([[0, 1], [1, 2], [2, 0]]), 6)) == 3


@pytest.mark.parametrize(("samples", "batch"), [(6, 1), (7, 2), (12, 5), (12, 4)])
@pytest.mark.parametrize("reshuffled", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_draws_until_the_batches_determine_every_sample(samples, batch, reshuffled, seed):
    """Against NumPy's rank of the same batches, one more at a time."""
    key = jax.random.key(seed)
    found = int(noise.draws_to_determine(key, samples, batch, reshuffled=reshuffled))
    per_epoch = samples // batch if reshuffled else 1
    rows = np.zeros((found, samples))
    for draw, row in enumerate(rows):
        epoch, place = divmod(draw, per_epoch)
        order = np.asarray(jax.random.permutation(jax.random.fold_in(key, epoch), samples))
        row[order[place * batch :][:batch]] = 1
    assert np.linalg.matrix_rank(rows) == samples
    assert np.linalg.matrix_rank(rows[:-1]) == samples - 1


def test_an_epoch_of_m_batches_adds_at_most_m_minus_one():
    """Its batches together are every sample: 6 of 12 need 11 epochs, 4 of 12 at least 6."""
    keys = jax.random.split(jax.random.key(0), 20)
    halves, thirds = (
        jax.vmap(lambda key, n=batch: noise.draws_to_determine(key, 12, n, reshuffled=True))(keys)
        for batch in (6, 4)
    )
    assert np.min(halves) >= 2 * 10 + 1
    assert np.min(thirds) >= 3 * 5 + 1
    assert int(noise.draws_to_determine(keys[0], 12, 6, reshuffled=True, limit=15)) == -1
    with pytest.raises(ValueError, match="a batch of 1 to 11 samples, got 12"):
        noise.draws_to_determine(keys[0], 12, 12)


def test_noise_is_seen_along_a_run_and_in_an_ensemble():
    look = dynamics.observe("gradient_noise", expected=noise.batch_gradient(3))
    steps = dynamics.sgd(OURS, learning_rate=0.1, batch_size=3)
    times = np.array([0.0, 0.5])
    run = dynamics.simulate(steps, HERE, times=times, observe=look, key=jax.random.key(0))
    assert run.observations["gradient_noise"]["trace"][0] == pytest.approx(np.trace(COVARIANCE))
    expected = look(OURS, run.final.position)["expected"]
    assert run.observations["expected"][-1] == pytest.approx(float(expected), rel=1e-9)
    views = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), HERE)
    both = jax.vmap(lambda view: noise.batch_gradient(3)(OURS, view))(views)
    assert np.asarray(both) == pytest.approx(np.full(2, float(run.observations["expected"][0])))


def test_networks_whose_samples_depend_on_each_other_are_refused():
    network = models.mlp((4, 6, 1), batch_norm=True)
    ours = models.Problem(network, OURS.inputs, OURS.targets)
    with pytest.raises(ValueError, match="batch norm"):
        noise.gradient_noise(ours, start(network))


@pytest.mark.parametrize(
    "ask",
    [
        noise.gradient_noise,
        noise.stationarity,
        noise.batch_gradient(2),
        noise.noise_eigenvalues(2),
        curvature.hessian_eigenvalues(),
        curvature.kernel_eigenvalues(coordinates="polar"),
        curvature.sharpness(0.1),
    ],
)
def test_weights_without_a_radius_are_not_projected_to_spheres(ask):
    """They are of any norms, so that V g - <V, g> V is no tangent, and decay is not of rho."""
    network = models.mlp((4, 6, 1), activation=models.smooth_leaky(0.2))
    ours = models.Problem(network, OURS.inputs, OURS.targets, 0.05)
    view = models.Unnormalised(network.init(jax.random.key(0)))
    with pytest.raises(ValueError, match="expected a radius and unit directions"):
        ask(ours, view)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: noise.batch_gradient(13)(OURS, HERE), "a batch of 1 to 12 samples, got 13"),
        (lambda: noise.batch_gradient(0), "above zero, got 0"),
        (lambda: noise.batch_gradient(1.5), "a whole number of samples above zero"),
        (lambda: noise.noise_of_rho(-1.0, 2), "a learning rate above zero"),
        (lambda: noise.noise_of_rho(0.1, 0), "above zero, got 0"),
        (lambda: noise.incidence_rank([[0, 1], [1, 9]], 3), r"numbers of samples in 0\.\.2"),
        (lambda: noise.draws_to_determine(jax.random.key(0), 5, 2.5), "as whole numbers"),
    ],
)
def test_batches_that_cannot_be_drawn_are_refused(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()


def test_compiled_code_marks_a_batch_that_is_too_large():
    expected = jax.jit(lambda ask: ask(OURS, HERE))
    assert np.isnan(expected(noise.batch_gradient(13)))
    assert np.isfinite(expected(noise.batch_gradient(12)))
