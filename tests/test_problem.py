"""The objective: the mean loss, the decay of rho, and their normalisation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from references import (
    DEEP_RELU,
    LINEAR,
    NETWORKS,
    any_problem,
    as_numpy,
    assert_equal_terms,
    difference,
    loss,
    problem,
    start,
)
from rhoflow import models

ROUND_OFF = 1e-12

EXAMPLES = settings(max_examples=20)
ANY_NETWORK = given(network=st.sampled_from(NETWORKS), seed=st.integers(0, 2**31 - 1))
THREE_CLASSES = models.mlp((6, 9, 5, 7, 4, 3))

objective = jax.jit(models.objective)


def normalised(problem, polar):
    """f_V(x_n) and y_n as ``[samples, outputs]``, in NumPy."""
    values = np.asarray(problem.network.apply(polar.directions, problem.inputs))
    count = len(values)
    return values.reshape(count, -1), np.asarray(problem.targets).reshape(count, -1)


def assert_quadratic_in_rho(problem, polar):
    """Loss = S - 2 rho mu + rho^2 (M + lambda) with S = mean |y_n|^2."""
    values, targets = normalised(problem, polar)
    constant = np.mean(np.sum(targets**2, axis=1))
    fit = -2 * polar.rho * np.mean(np.sum(values * targets, axis=1))
    square = polar.rho**2 * (np.mean(np.sum(values**2, axis=1)) + problem.decay)
    ours = objective(problem, polar)
    assert_equal_terms(ours, constant + fit + square, ROUND_OFF, constant, fit, square)
    return constant


@EXAMPLES
@ANY_NETWORK
def test_the_loss_is_a_parabola_in_rho(network, seed):
    assert_quadratic_in_rho(*any_problem(network, seed))


@pytest.mark.parametrize(("encoding", "size"), [("centred", 1.5), ("one_hot", 1.0)])
def test_the_parabola_of_three_classes_begins_at_the_targets_size(encoding, size):
    for seed in range(10):
        assert assert_quadratic_in_rho(
            *any_problem(THREE_CLASSES, seed, encoding)
        ) == pytest.approx(size, rel=ROUND_OFF)


@pytest.mark.parametrize(("network", "relu_layers"), [(LINEAR, 0), (DEEP_RELU, 2)])
def test_the_loss_is_the_one_written_by_hand(network, relu_layers):
    ours, polar = problem(network), start(network, rho=1.5)
    data = np.asarray(ours.inputs), np.asarray(ours.targets), float(ours.decay)
    by_hand = loss(*as_numpy(polar), *data, relu_layers)
    assert models.objective(ours, polar) == pytest.approx(by_hand, rel=ROUND_OFF)


def test_the_decay_adds_lambda_rho_squared_and_nothing_else():
    polar = start(rho=3.0)
    without, with_decay = problem(decay=0.0), problem(decay=0.25)
    added = models.objective(with_decay, polar) - models.objective(without, polar)
    assert added == pytest.approx(0.25 * 9.0, rel=ROUND_OFF)
    assert models.data_loss(with_decay, polar) == models.objective(without, polar)


def test_an_optimisers_weight_decay_is_twice_lambda():
    weight_decay, rho = 0.3, 1.7
    decay = models.decay_from_weight_decay(weight_decay)
    slope = jax.grad(lambda radius: decay * radius**2)(rho)
    assert slope == pytest.approx(weight_decay * rho, rel=ROUND_OFF)


def test_the_loss_is_the_mean_over_the_batches_of_a_partition():
    whole, polar = problem(), start()
    parts = jnp.arange(12).reshape(3, 4)
    mean = np.mean([models.objective(models.take(whole, part), polar) for part in parts])
    assert mean == pytest.approx(float(models.objective(whole, polar)), rel=ROUND_OFF)


def test_weights_of_mean_one_on_a_batch_are_the_batch():
    whole, polar, chosen = problem(), start(), jnp.array([1, 5, 6])
    weights = jnp.zeros(12).at[chosen].set(12 / 3)
    ours = models.objective(whole, polar, weights)
    batch = models.objective(models.take(whole, chosen), polar)
    assert ours == pytest.approx(float(batch), rel=ROUND_OFF)


def test_outputs_are_rho_times_the_normalised_ones():
    ours, polar = problem(), start(rho=-2.0)
    values = models.outputs(ours, polar)
    assert difference(values, -2.0 * ours.network.apply(polar.directions, ours.inputs)) == 0


@pytest.mark.parametrize("encoding", ["signs", "centred", "one_hot"])
def test_encoded_labels_can_be_read_back(encoding):
    labels = np.array([0, 1, 1, 0])
    targets = models.encode(labels, encoding)
    assert np.array_equal(models.classes_of(targets), labels)
    # Two centred outputs are +-1 and so are signs: the shape tells them apart.
    assert models.encoding_of(targets) == encoding


def test_centred_targets_sum_to_zero():
    targets = models.encode([0, 3, 2, 1], "centred")
    assert difference(jnp.sum(targets, axis=1), jnp.zeros(4)) <= ROUND_OFF


def test_the_longest_input_has_norm_one_after_scaling(key):
    inputs = 3 * jax.random.normal(key, (5, 2, 2))
    longest = models.scale_inputs(inputs)
    assert jnp.max(models.input_norms(longest)) == pytest.approx(1.0, rel=ROUND_OFF)
    held_out = models.scale_inputs(2 * inputs, like=inputs)
    assert_equal_terms(held_out, 2 * longest, ROUND_OFF)


def test_a_constant_input_is_a_bias(key):
    inputs = jax.random.normal(key, (5, 3))
    weights, bias = jnp.array([1.0, -2.0, 0.5]), 0.25
    with_bias = models.append_constant(inputs, value=2.0) @ jnp.append(weights, bias)
    assert_equal_terms(with_bias, inputs @ weights + 2.0 * bias, ROUND_OFF)


def test_a_teachers_labels_are_balanced(key):
    _, labels = models.tasks.teacher(key, LINEAR, 20, 4)
    assert np.bincount(labels).tolist() == [10, 10]


def test_collinear_inputs_have_rank_one_and_sides_as_labels(key):
    inputs, labels = models.tasks.collinear(key, 8, 5)
    values = np.linalg.svd(inputs, compute_uv=False)
    assert values[1] <= ROUND_OFF * values[0]
    along = inputs @ inputs[1]
    assert np.array_equal(along > 0, labels == 1)


def test_exactly_the_asked_share_of_labels_is_drawn_anew(key):
    labels = jnp.zeros(1000, int)
    drawn = models.tasks.random_labels(key, labels, 0.3, classes=1000)
    # A draw repeats the old label once in a thousand.
    assert 295 <= int(jnp.sum(drawn != labels)) <= 300
    assert np.array_equal(models.tasks.random_labels(key, labels, 0.0), labels)


def test_labels_are_drawn_from_as_many_classes_as_there_are(key):
    labels = jnp.arange(1000) % 10
    drawn = models.tasks.random_labels(key, labels, 1.0)
    assert np.all(np.bincount(drawn, minlength=10) > 50)


def test_images_in_single_precision_fit_a_convolutional_network_in_double(key):
    network = models.convnet((6, 6, 1), (2,), outputs=1)
    images = jax.random.normal(key, (3, 6, 6, 1), "float32") / 10
    ours = models.Problem(network, images, models.encode(np.arange(3) % 2, "signs"))
    assert ours.inputs.dtype == "float32"
    with pytest.raises(ValueError, match="inputs that fit"):
        models.Problem(network, images[..., 0], models.encode(np.arange(3) % 2, "signs"))
