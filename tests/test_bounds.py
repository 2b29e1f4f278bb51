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


CONV = models.convnet((6, 6, 1), (2, 3), (4,), outputs=1, strides=(1, 3), padding="same")
TREE = models.tree(3, channels=2)
IMAGES = np.random.default_rng(5).standard_normal((8, 6, 6, 1)) / 8
SPREAD = math.sqrt(np.sum(IMAGES**2)) / 8


def asked(network, inputs=IMAGES, encoding="signs", classes=2):
    labels = np.arange(len(inputs)) % classes
    return models.Problem(network, inputs, models.encode(labels, encoding), decay=0.01)


def test_kernels_pay_for_each_layer_and_for_overlap():
    """Four layers; 3x3 at stride 1 stretches by 3, at stride 3 by one; 6x6 and 2x2 patches."""
    ours = asked(CONV)
    np.testing.assert_allclose(bounds.kernel_complexity(ours), 8 * 3 * SPREAD, rtol=1e-12)
    np.testing.assert_allclose(bounds.naive_complexity(ours), 8 * 6 * 2 * SPREAD, rtol=1e-12)
    np.testing.assert_allclose(bounds.complexity(ours), bounds.kernel_complexity(ours))


@pytest.mark.parametrize("shared", [True, False])
def test_trees_have_the_bounds_of_their_theorem(shared):
    inputs = IMAGES.reshape(8, 36)[:, :8]
    ours = asked(models.tree(3, channels=2, shared=shared), inputs)
    spread = math.sqrt(np.sum(inputs**2)) / 8
    np.testing.assert_allclose(bounds.tree_complexity(3, ours), 4 * spread, rtol=1e-12)
    naive = 4 * spread * (bounds.naive_factor(3) if shared else 1)
    np.testing.assert_allclose(bounds.naive_complexity(ours), naive, rtol=1e-12)


def test_layers_that_share_a_matrix_count_as_layers():
    ours = asked(models.tied((36, 5, 1), 3), IMAGES.reshape(8, 36))
    expected = (math.sqrt(2 * 5 * math.log(2)) + 1) * SPREAD
    np.testing.assert_allclose(bounds.dense_complexity(ours), expected, rtol=1e-12)


@pytest.mark.parametrize(("encoding", "factor"), [("centred", 0.5**0.5), ("one_hot", 2**0.5)])
def test_two_outputs_are_one_function(encoding, factor):
    """(f_1 - f_0)/d with d = 2 of centred and 1 of one-hot targets: at most sqrt(2)/d an output."""
    inputs = IMAGES.reshape(8, 36)
    ours = asked(models.deep_linear((36, 2)), inputs, encoding)
    view = models.to_polar(ours.network.init(jax.random.key(1)), rho=2.0)
    row = np.asarray(view.directions[0]) @ [-1, 1] * factor / math.sqrt(2)
    margins = 2 * np.where(np.arange(8) % 2, 1, -1) * (inputs @ row)
    ramp = np.mean(np.clip(1 - margins, 0, 1))
    part = 6 * factor * (math.sqrt(2 * math.log(2)) + 1) * SPREAD
    last = 3 * math.sqrt(math.log(2 * 3 * 4 / 0.05) / 16)
    np.testing.assert_allclose(bounds.error_bound()(ours, view), ramp + part + last, rtol=1e-12)
    assert np.linalg.norm(row) <= factor


def test_the_estimate_is_below_what_every_unit_network_of_a_grid_reaches_at_most():
    """Two units in two dimensions: f = sum_j v_j max(<u_j, x>, 0) is largest with one unit."""
    inputs = np.random.default_rng(3).standard_normal((6, 2)) / 5
    ours = asked(models.mlp((2, 2, 1)), inputs)
    found = bounds.rademacher_estimate(ours, jax.random.key(0), draws=4, starts=6, steps=60)
    signs = np.stack(
        [
            jax.random.rademacher(jax.random.split(draw)[0], (6,), float)
            for draw in jax.random.split(jax.random.key(0), 4)
        ]
    )
    angles = np.linspace(0, 2 * np.pi, 4000)
    units = np.maximum(inputs @ np.stack([np.cos(angles), np.sin(angles)]), 0)
    # With |u_1|^2 + |u_2|^2 = 1 = |v|^2 the mean is at most max_u |sum s max(<u, x>, 0)| of one u.
    exact = np.mean(np.max(np.abs(signs @ units), axis=1)) / 6
    np.testing.assert_allclose(found, exact, rtol=1e-5)
    assert float(found) <= float(bounds.dense_complexity(ours))


@pytest.mark.parametrize(
    ("bound", "network", "message"),
    [
        (bounds.dense_complexity, CONV, "dense layers, got convnet"),
        (bounds.dense_complexity, models.mlp((36, 5, 1), batch_norm=True), "without batch norm"),
        (
            bounds.complexity,
            models.mlp((36, 5, 1), activation=models.smoothed_relu(0.1)),
            "leaky ReLU or no activation",
        ),
        (lambda ours: bounds.tree_complexity(2, ours), CONV, "a binary tree of 2 layers"),
        (lambda ours: bounds.tree_complexity(2, ours), TREE, "a binary tree of 2 layers"),
    ],
)
def test_a_network_that_a_bound_does_not_speak_of_is_refused(bound, network, message):
    inputs = IMAGES if network is CONV else IMAGES.reshape(8, 36)
    with pytest.raises(ValueError, match=message):
        bound(asked(network, inputs[:, :8] if network is TREE else inputs))


def test_more_than_two_classes_have_no_theorem():
    ours = asked(models.mlp((36, 5, 3)), IMAGES.reshape(8, 36), "one_hot", 3)
    with pytest.raises(ValueError, match="two classes, of which the bound speaks, got 3 outputs"):
        bounds.error_bound()(ours, models.to_polar(ours.network.init(jax.random.key(0))))


@pytest.mark.parametrize(
    "make",
    [
        lambda: bounds.ramp_loss(0.0),
        lambda: bounds.error_bound(1.5),
        lambda: bounds.error_bound(0.1, (0.0,)),
        lambda: bounds.error_bound(0.05, ()),
        lambda: bounds.error_bound(0.05, 1.0),
        lambda: bounds.error_bound("a"),
    ],
)
def test_what_bounds_nothing_is_refused(make):
    with pytest.raises(ValueError, match="expected"):
        make()
