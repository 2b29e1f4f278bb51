"""The noise of SGD and of the diffusion that follows it, against closed forms.

Statistical tests state their false-alarm rate: with n independent members a variance is off by
z sqrt(2 / n) of itself, and z = 3.9 is exceeded once in 10,000 times.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds

Z = 3.9
MEMBERS = 10_000
RATE, BATCH = 0.05, 3


@pytest.fixture(scope="module")
def problem():
    x, labels = models.tasks.separable_clusters(jax.random.key(1), 12, 5, spread=1.0)
    network = models.deep_linear((5, 3, 1))
    return models.Problem(network, x, models.encode(labels, "signs"), decay=0.02)


@pytest.fixture(scope="module")
def start(problem):
    """Directions with margins that differ, at the equilibrium of rho."""
    polar = models.to_polar(problem.network.init(jax.random.key(4)), rho=1.0)
    names = dynamics.observables.BY_NAME
    if float(names["mu"](problem, polar)) < 0:
        polar = models.Polar(polar.rho, (-polar.directions[0], polar.directions[1]))
    return models.Polar(names["rho_eq"](problem, polar), polar.directions)


def statistics_of(problem, start):
    """h, and the variances over samples of one sample's force and of its curvature; V held."""
    fbar = dynamics.observables.BY_NAME["margins"](problem, start)
    curvature = 2 * (jnp.mean(fbar**2) + problem.decay)
    force = jnp.var(2 * (1 - start.rho * fbar) * fbar)
    return float(curvature), float(force), float(jnp.var(2 * fbar**2))


def stationary_variance(statistics, step, noise):
    """Of rho <- rho - step (h_b rho - 2 mu_b), whose h_b and 2 mu_b vary over draws.

    ``noise`` is the variance of a draw's mean over that of one sample. To first order in the step
    it is eta S / (2 h B); this is exact.
    """
    curvature, force, spread = statistics
    contraction = (1 - step * curvature) ** 2 + step**2 * noise * spread
    return step**2 * noise * force / (1 - contraction)


def final_rhos(steps, start, time):
    starts = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (MEMBERS, *leaf.shape)), start)
    ran = dynamics.ensemble(
        steps, starts, times=[time], observe=dynamics.observe("rho"), key=jax.random.key(7),
        batching="vmap",
    )  # fmt: skip
    return np.asarray(ran["rho"][:, -1])


HELD = kinds.sphere(frozen=(0, 1))


def sgd_of(problem):
    steps = dynamics.sgd(
        problem, RATE, batch_size=BATCH, sampling="replacement", normalisation=HELD
    )
    return steps, RATE, 1 / BATCH


def diffusion_of(problem):
    step, samples = 0.05, len(problem.targets)
    made = dynamics.diffusion(problem, RATE, batch_size=BATCH, step=step, normalisation=HELD)
    share = (samples - BATCH) / (samples - 1)
    return made, step, RATE * share / (BATCH * step)


@pytest.mark.slow
@pytest.mark.parametrize("make", [sgd_of, diffusion_of])
def test_rho_with_directions_held_has_its_stationary_mean_and_variance(make, problem, start):
    made, step, noise = make(problem)
    statistics = statistics_of(problem, start)
    steps = int(np.ceil(5 / (statistics[0] * step)))
    rhos = final_rhos(made, start, steps * step)
    exact = stationary_variance(statistics, step, noise)
    np.testing.assert_allclose(np.var(rhos), exact, rtol=Z * np.sqrt(2 / MEMBERS))
    np.testing.assert_allclose(np.mean(rhos), start.rho, rtol=0, atol=Z * np.sqrt(exact / MEMBERS))


def test_the_exact_variance_is_the_documents_to_first_order(problem, start):
    statistics = curvature, force, _ = statistics_of(problem, start)
    small = 1e-6
    documents = small * force / (2 * curvature * BATCH)
    exact = stationary_variance(statistics, small, 1 / BATCH)
    np.testing.assert_allclose(exact, documents, rtol=1e-5)


@pytest.mark.slow
def test_label_noise_averages_to_the_clean_gradient(problem, start):
    """The mean over keys of one noisy step is the clean one; its variance is that of the noise."""
    steps = dynamics.sgd(
        problem, RATE, batches=np.arange(12)[None, :], normalisation=HELD, label_noise=0.5
    )
    clean = dynamics.gradient_descent(problem, RATE, normalisation=HELD)
    exact = float(dynamics.simulate(clean, start, times=[RATE])["rho"][0])
    rhos = final_rhos(steps, start, RATE)
    fbar = dynamics.observables.BY_NAME["margins"](problem, start)
    variance = float((2 * RATE * 0.5) ** 2 * jnp.sum(fbar**2) / len(fbar) ** 2)
    np.testing.assert_allclose(np.var(rhos), variance, rtol=Z * np.sqrt(2 / MEMBERS))
    np.testing.assert_allclose(np.mean(rhos), exact, rtol=0, atol=Z * np.sqrt(variance / MEMBERS))


def one_step(problem, start, noise):
    """Where many members are after one step of the diffusion, as rows (rho, V_1, V_2)."""
    steps = dynamics.diffusion(problem, RATE, batch_size=BATCH, step=1e-4, noise=noise)
    starts = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (MEMBERS, *leaf.shape)), start)
    ran = dynamics.ensemble(
        steps, starts, times=[1e-4], observe=dynamics.observe("rho", view=lambda _, view: view),
        key=jax.random.key(11), batching="vmap",
    )  # fmt: skip
    leaves = jax.tree.leaves(jax.tree.map(lambda leaf: leaf[:, 0], ran["view"]))
    return np.concatenate([np.asarray(leaf).reshape(MEMBERS, -1) for leaf in leaves], axis=1)


@pytest.mark.slow
def test_isotropic_noise_has_the_same_trace_spread_evenly(problem, start):
    """Covariances of one small step: equal traces, and one is a multiple of the tangent space's."""
    rough, even = (
        np.cov(one_step(problem, start, noise).T) for noise in ("anisotropic", "isotropic")
    )
    np.testing.assert_allclose(np.trace(even), np.trace(rough), rtol=0.05)
    free = len(even) - 2  # rho, and each direction less its radius
    values = np.sort(np.linalg.eigvalsh(even))[::-1] * free / np.trace(even)
    np.testing.assert_allclose(values[:free], 1, rtol=0, atol=0.15)
    np.testing.assert_allclose(values[free:], 0, rtol=0, atol=1e-3)
    assert np.linalg.eigvalsh(rough)[-1] * free > 3 * np.trace(rough)


def test_isotropic_noise_would_move_the_zeros_of_a_masked_layer_and_is_refused():
    inputs = np.eye(4) / 2
    masked = models.Problem(models.diagonal(4, 3), inputs, np.array([1.0, -1, 1, -1]))
    with pytest.raises(ValueError, match="without masked layers for isotropic noise"):
        dynamics.diffusion(masked, RATE, batch_size=2, step=0.02, noise="isotropic")
    dynamics.diffusion(masked, RATE, batch_size=2, step=0.02)


def test_isotropic_noise_leaves_frozen_layers_alone(problem, start):
    steps = dynamics.diffusion(
        problem, RATE, batch_size=BATCH, step=0.02, noise="isotropic", normalisation=HELD
    )
    ran = dynamics.simulate(steps, start, times=[0.4], key=jax.random.key(0))
    for ours, before in zip(ran.final.position.directions, start.directions, strict=True):
        np.testing.assert_allclose(ours, before, rtol=0, atol=1e-14)
    assert abs(float(ran["rho"][0] - start.rho)) > 1e-6


@pytest.mark.slow
def test_label_noise_drifts_along_interpolators_like_a_decay():
    """f = u v x at x = y = 1: u^2 - v^2 decays as exp(-4 eta s^2 t), [M112] appendix E.1.

    The extra penalty is (eta s^2 / B) mean |grad f|^2 = eta s^2 (u^2 + v^2), a layer decay.
    """
    network = models.deep_linear((1, 1, 1))
    toy = models.Problem(network, jnp.ones((1, 1)), jnp.ones(1))
    begin, rate, deviation, time = (2.0, 0.5), 0.01, 0.7, 60.0
    weights = tuple(jnp.full((1000, 1, 1), value) for value in begin)
    steps = dynamics.sgd(toy, rate, batch_size=1, label_noise=deviation, normalisation=kinds.free())
    ran = dynamics.ensemble(steps, weights, times=[time], key=jax.random.key(3), batching="vmap")
    u, v = (np.asarray(layer)[:, 0, 0] for layer in ran.final.position)
    exact = (begin[0] ** 2 - begin[1] ** 2) * np.exp(-4 * rate * deviation**2 * time)
    np.testing.assert_allclose(np.mean(u**2 - v**2), exact, rtol=0.1)
    assert exact < 0.5 * (begin[0] ** 2 - begin[1] ** 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 3, "step": 0.1, "noise": "white"}, "noise"),
        ({"batch_size": 13, "step": 0.1}, r"batch size in 1\.\.12"),
        ({"batch_size": 3, "step": 0.0}, "positive learning rate and step"),
    ],
)
def test_a_diffusion_that_follows_no_sgd_is_refused(options, words, problem):
    with pytest.raises(ValueError, match=words):
        dynamics.diffusion(problem, RATE, **options)
