"""Flows that follow descent: orders of accuracy, closed forms, and the minibatch term."""

import itertools

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds
from rhoflow.dynamics.flows.corrected import modified_potential, rates

ROUND_OFF = 1e-12
SECOND, FIRST = 1.85, (0.9, 1.15)
"""Slopes over the last two halvings that count as second and as first order."""
TIGHT = {"rtol": 1e-10, "atol": 1e-12}
TIMES = np.arange(1, 9) * 0.64


@pytest.fixture(scope="module")
def problem():
    x, labels = models.tasks.separable_clusters(jax.random.key(3), 16, 6, spread=1.0)
    network = models.deep_linear((6, 5, 4, 1))
    return models.Problem(network, x, models.encode(labels, "signs"), decay=0.01)


@pytest.fixture(scope="module")
def start(problem):
    return models.to_polar(problem.network.init(jax.random.key(5)), rho=1.5)


def followers(problem, kind, momentum):
    """Every flow that follows descent, by name, as a function of the learning rate."""

    def second(velocity):
        return lambda rate: dynamics.second_order_flow(
            problem,
            rate,
            momentum=momentum,
            initial_velocity=velocity,
            normalisation=kind,
            **TIGHT,
        )

    return {
        "flow": lambda _: dynamics.gradient_flow(problem, normalisation=kind, **TIGHT),
        "modified": lambda rate: dynamics.corrected_flow(
            problem, rate, momentum=momentum, normalisation=kind, **TIGHT
        ),
        "slow": second("slow"),
        "slower": second("slower"),
        "rest": second("rest"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("kind", [kinds.free(), kinds.sphere()], ids=["free", "sphere"])
def test_corrections_are_of_second_order_and_the_rest_of_first(kind, momentum, problem, start):
    """The plain flow, and the second-order equation from rest, are the controls."""
    scale = 1.0 if momentum == 0 else (1 - momentum) / 8
    found = dynamics.orders(
        lambda rate: dynamics.gradient_descent(
            problem, rate, momentum=momentum, normalisation=kind, warm=momentum > 0
        ),
        followers(problem, kind, momentum),
        start,
        learning_rates=[scale * rate for rate in (0.08, 0.04, 0.02)],
        times=TIMES,
    )
    for name in ("modified", "slow", "slower"):
        assert np.all(found[name].last_slopes >= SECOND), (name, found[name])
    for name in ("flow", "rest"):
        slopes = found[name].last_slopes
        assert np.all((slopes > FIRST[0]) & (slopes < FIRST[1])), (name, found[name])


@pytest.mark.slow
def test_the_wrong_sign_of_the_correction_is_of_first_order(problem, start):
    """The control: -eta/4 in place of eta/4 is no better than no correction."""
    kind = kinds.free()

    def wrong(rate):
        right = dynamics.corrected_flow(problem, rate, normalisation=kind, **TIGHT)
        settings = right.parameters.settings
        return eqx.tree_at(
            lambda f: f.parameters.settings,
            right,
            settings | {"learning_rate": -settings["learning_rate"]},
        )

    found = dynamics.orders(
        lambda rate: dynamics.gradient_descent(problem, rate, normalisation=kind),
        {"wrong": wrong},
        start,
        learning_rates=[0.08, 0.04, 0.02],
        times=TIMES,
    )
    slopes = found["wrong"].last_slopes
    assert np.all((slopes > FIRST[0]) & (slopes < FIRST[1])), found


def test_a_linear_mode_has_the_roots_of_its_quadratic():
    """F = h x: x'' has roots (-1 +- sqrt(1 - 2 eta h)) / eta, and the slow one is followed."""
    samples, rate, decay = 4, 0.2, 0.7
    network = models.deep_linear((1, 1))
    x, y = jnp.ones((samples, 1)), jnp.ones(samples)
    problem = models.Problem(network, x, y, decay=decay)
    curvature = 2 * (1 + decay)
    start = (jnp.array([[2.0]]),)
    flow = dynamics.second_order_flow(problem, rate, normalisation=kinds.free(), **TIGHT)
    times = np.linspace(0.0, 2.0, 5)
    own = {"weight": lambda _, view: view.rho * view.directions[0][0, 0]}
    ran = dynamics.simulate(flow, start, times=times, observe=dynamics.observe(**own))
    roots = (-1 + np.array([1, -1]) * np.sqrt(1 + 0j - 2 * rate * curvature)) / rate
    rest = 1 / (1 + decay)
    begin, speed = 2.0 - rest, -curvature * (2.0 - rest)
    parts = np.linalg.solve(np.stack([np.ones(2), roots]), np.array([begin, speed]))
    expected = rest + np.real(np.exp(np.outer(times, roots)) @ parts)
    np.testing.assert_allclose(ran["weight"], expected, rtol=0, atol=1e-8)


def test_a_free_moving_top_layer_feels_the_centrifugal_term(problem, start):
    """(eta/2)(rho'' - rho |V_L'|^2) + rho' = -dU/drho, in polar coordinates of a free top layer."""
    rate, kind = 0.1, kinds.top_free()
    flow = dynamics.second_order_flow(problem, rate, normalisation=kind, **TIGHT)
    moving = flow.parameters.motion.prepare(problem, flow.parameters.settings, start)
    moves = flow.parameters.motion.field(problem, flow.parameters.settings, moving)
    top, speed, change = moving.position[-1], moves.position[-1], moves.velocity[-1]
    rho = jnp.sqrt(jnp.sum(top**2))
    unit = top / rho
    rho_speed = jnp.sum(unit * speed)
    turning = (speed - rho_speed * unit) / rho
    rho_change = jnp.sum(unit * change) + rho * jnp.sum(turning**2)
    force = jnp.sum(unit * kinds.field(kind, problem, moving.position)[-1])
    left = rate / 2 * (rho_change - rho * jnp.sum(turning**2)) + rho_speed
    np.testing.assert_allclose(left, force, rtol=1e-10)
    assert float(rho * jnp.sum(turning**2)) > 1e-4


@pytest.mark.slow
def test_the_minibatch_term_is_the_mean_over_all_partitions(problem, start):
    """(eta / 4m) sum_j |g_j - g|^2, averaged over every partition of 4 samples into 2 batches."""
    few = models.take(problem, jnp.arange(4))
    kind, rate = kinds.free(), 0.3
    weights = kind.prepare(start)
    settings = rates(few, rate, 0.0)

    def gradient(indices):
        part = models.take(few, jnp.asarray(indices))
        return jax.flatten_util.ravel_pytree(
            jax.grad(kind.potential, argnums=1)(part, weights, None)
        )[0]

    whole = gradient(range(4))
    spreads = [
        np.mean([jnp.sum((gradient(half) - whole) ** 2) for half in (first, rest)])
        for first in itertools.combinations(range(4), 2)
        for rest in [tuple(set(range(4)) - set(first))]
    ]
    with_batches = modified_potential(kind, 2, few, settings, weights)
    without = modified_potential(kind, None, few, settings, weights)
    np.testing.assert_allclose(with_batches - without, rate / 4 * np.mean(spreads), rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "momentum"), [(0.01, 0.0), (0.002, 0.8)])
def test_the_minibatch_term_follows_the_mean_over_shuffles_with_momentum_too(rate, momentum):
    """Against NumPy's SGD of a linear unit, batches of one, 20,000 shuffles in pairs of reverses.

    The term is that of the effective rate. What is left with momentum, 2e-4 here, is no sampling
    error: the term holds for epochs of many more than 1 / (1 - momentum) = 5 batches, here 40.
    """
    rng, samples, epochs, runs = np.random.default_rng(0), 40, 8, 20_000
    inputs = rng.standard_normal((samples, 3))
    inputs /= np.linalg.norm(inputs, axis=1).max()
    signs = np.sign(inputs @ rng.standard_normal(3) + rng.standard_normal(samples) / 2)
    weights = np.tile([0.1, 0.0, 0.0], (runs, 1))
    whole = -2 * (signs - inputs @ weights[0]) @ inputs / samples
    buffer = np.tile(whole / (1 - momentum), (runs, 1))
    for _ in range(epochs):
        order = np.argsort(rng.random((runs // 2, samples)), axis=1)
        for sample in np.concatenate([order, order[:, ::-1]]).T:
            missed = signs[sample] - np.sum(weights * inputs[sample], axis=1)
            buffer = momentum * buffer - 2 * missed[:, None] * inputs[sample]
            weights = weights - rate * buffer
    network = models.deep_linear((3, 1))
    problem = models.Problem(network, inputs, signs)
    start = (jnp.asarray([[0.1], [0.0], [0.0]]),)
    time = rate / (1 - momentum) * samples * epochs

    def end(batch_size):
        flow = dynamics.corrected_flow(
            problem, rate, momentum=momentum, batch_size=batch_size,
            normalisation=kinds.free(), **TIGHT,
        )  # fmt: skip
        ran = dynamics.simulate(flow, start, times=[time])
        return np.asarray(ran.final.position[0])[:, 0]

    mean, chance = weights.mean(axis=0), np.linalg.norm(weights.std(axis=0)) / np.sqrt(runs)
    without, with_term = (np.linalg.norm(mean - end(size)) for size in (None, 1))
    assert without > 1e-3
    assert with_term < (0.15 * without if momentum else 4 * chance)


@pytest.mark.slow
def test_corrected_flow_at_rate_zero_is_the_flow(problem, start):
    plain = dynamics.simulate(dynamics.gradient_flow(problem, **TIGHT), start, times=TIMES)
    zero = dynamics.simulate(dynamics.corrected_flow(problem, 0.0, **TIGHT), start, times=TIMES)
    np.testing.assert_allclose(zero["rho"], plain["rho"], rtol=ROUND_OFF)


@pytest.mark.slow
def test_derivatives_through_a_corrected_flow_agree_with_differences(problem, start):
    """d rho(T) / d lambda and d rho(T) / d eta, forward mode against central differences."""

    def end(decay, rate):
        flow = dynamics.corrected_flow(problem, 0.1, **TIGHT)
        flow = dynamics.replace(flow, decay=decay, learning_rate=rate)
        return dynamics.simulate(flow, start, times=[3.0]).observations["rho"][-1]

    point, width = (0.02, 0.1), 1e-4
    slopes = jax.jacfwd(end, argnums=(0, 1))(*map(jnp.asarray, point))
    for number, slope in enumerate(slopes):
        sides = [list(point), list(point)]
        sides[0][number] += width
        sides[1][number] -= width
        difference = (end(*sides[0]) - end(*sides[1])) / (2 * width)
        np.testing.assert_allclose(slope, difference, rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: dynamics.corrected_flow(p, -0.1), "learning_rate >= 0"),
        (lambda p: dynamics.corrected_flow(p, 0.1, momentum=1.0), r"momentum in \[0, 1\)"),
        (lambda p: dynamics.corrected_flow(p, 0.1, batch_size=17), r"batch size in 1\.\.16"),
        (lambda p: dynamics.second_order_flow(p, 0.1, initial_velocity="fast"), "initial velocity"),
        (
            lambda p: dynamics.second_order_flow(p, 0.1, normalisation=kinds.layerwise()),
            "second-order motion",
        ),
    ],
)
def test_what_cannot_be_followed_is_refused(make, words, problem):
    with pytest.raises(ValueError, match=words):
        make(problem)
