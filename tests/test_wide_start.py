"""Starts that fulfil [Wide]'s assumption (8), and the activation of its Assumption 4.2."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow import models
from rhoflow.dynamics.observables import wide_descent

SAMPLES, FEATURES, CLASSES, GAMMA = 12, 10, 3, 0.5


def task(width, nonlinear=2, linear=2):
    inputs, labels = models.tasks.separable_clusters(
        jax.random.key(0), SAMPLES, FEATURES, classes=CLASSES
    )
    network = models.wide_mlp(
        FEATURES, width, CLASSES, nonlinear=nonlinear, linear=linear,
        activation=models.smooth_leaky(GAMMA),
    )  # fmt: skip
    return models.Problem(network, inputs, models.encode(labels, "one_hot"), decay=1e-4)


def sides(problem, weights):
    asked = wide_descent.requirements(0.1, gamma=GAMMA, fit=0.1, imbalance=0.1)
    start = jax.jit(asked)(problem, models.Unnormalised(weights))["start"]
    return float(start["measured"]), float(start["bound"])


@pytest.mark.parametrize(("nonlinear", "linear"), [(2, 1), (2, 2), (3, 2)])
def test_a_small_second_layer_fulfils_the_assumption_and_lecun_does_not(nonlinear, linear):
    problem = task(64, nonlinear, linear)
    weights = models.small_second_layer(
        problem.network, jax.random.key(1), problem.inputs, problem.targets, GAMMA
    )
    left, right = sides(problem, weights)
    assert right <= left <= 1.2 * right
    usual = sides(problem, problem.network.init(jax.random.key(1)))
    assert usual[0] < 0.01 * usual[1]


def test_the_slope_of_the_smooth_leaky_activation_is_as_assumed():
    slope, width = 0.2, 0.7
    activation = models.smooth_leaky(slope, width)
    values = jnp.linspace(-3, 3, 1201)

    def one(z):
        return activation.apply(z, lambda: z)

    slopes = jax.vmap(jax.grad(one))(values)
    assert slope - 1e-12 <= float(jnp.min(slopes)) < float(jnp.max(slopes)) <= 1 + 1e-12
    assert np.all(np.abs(one(values)) <= np.abs(values) + 1e-15)
    changes = np.abs(np.diff(slopes)) / np.diff(values)
    assert np.max(changes) == pytest.approx((1 - slope) / (2 * width), rel=1e-6)
    assert models.smooth_leaky(slope, width) is activation


WIDTHS = (FEATURES, 64, 20, CLASSES)
LEAKY = models.leaky_relu(GAMMA)


@pytest.mark.parametrize(
    ("network", "gamma", "message"),
    [
        (task(SAMPLES - 1).network, GAMMA, "a first layer of 12 units or more"),
        (task(64).network, 0.0, "a gamma above 0"),
        (task(64).network, 0.9, "at most the least slope of the activations, which is 0.5"),
        (models.mlp(WIDTHS), GAMMA, "the least slope of the activations, which is 0.0"),
        (models.mlp(WIDTHS, activation=LEAKY, batch_norm=True), GAMMA, "without batch norm"),
        (models.tied((FEATURES, 64, CLASSES), 3, activation=LEAKY), GAMMA, "arrays of their own"),
        (models.diagonal(FEATURES, 3, activation=LEAKY), GAMMA, "in dense layers"),
    ],
)
def test_a_network_that_cannot_fulfil_it_is_refused(network, gamma, message):
    problem = task(64)
    with pytest.raises(ValueError, match=message):
        models.small_second_layer(
            network, jax.random.key(1), problem.inputs, problem.targets, gamma
        )


def test_a_start_that_does_not_fulfil_it_is_refused():
    """Inputs so long that the second layer, small as it is, is loud."""
    problem = task(64)
    inputs, targets = 1e5 * problem.inputs, problem.targets
    with pytest.raises(ValueError, match=r"weights that fulfil \(8\), got .*models\.scale_inputs"):
        models.small_second_layer(problem.network, jax.random.key(1), inputs, targets, GAMMA)
    with pytest.raises(ValueError, match="one-hot targets"):
        models.small_second_layer(
            problem.network, jax.random.key(1), problem.inputs, targets[:, 0], GAMMA
        )


def test_both_sides_are_those_of_the_observable():
    problem = task(64)
    weights = models.small_second_layer(
        problem.network, jax.random.key(1), problem.inputs, problem.targets, GAMMA
    )
    found = models.wide.sides(problem.network, weights, problem.inputs, problem.targets, GAMMA)
    np.testing.assert_allclose(found, sides(problem, weights), rtol=1e-9)
