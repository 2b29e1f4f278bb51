"""Batch norm of convolutions along a run of SGD: statistics of a channel, over samples and pixels.

The reference shares no code with the library: patches by NumPy, the step by the gradient of a
forward pass that is written out with the convolution of JAX.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds

pytestmark = pytest.mark.slow
ROUND_OFF = 1e-12
ALONG_A_RUN = 1e-10
"""Round-off of a dozen steps, each of which amplifies that of the steps before."""
NETWORK = models.convnet((6, 6, 2), (3, 4), strides=(1, 2), padding="same", batch_norm=True)
WINDOWS = ((1, (1, 1)), (2, (0, 1)))
"""Stride and zeros (before, after) of the two convolutions."""
SAMPLES, BATCH, STEPS, RATE, MEMORY, EPSILON = 12, 5, 12, 0.05, 0.4, 1e-6


def problem():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((SAMPLES, 6, 6, 2)) + 0.5
    inputs /= np.max(np.linalg.norm(inputs.reshape(SAMPLES, -1), axis=1))
    targets = models.encode(np.arange(SAMPLES) % 2, "centred")
    return models.Problem(NETWORK, inputs, targets, decay=0.01)


def start():
    layers = NETWORK.init(jax.random.key(1))
    return tuple(scale * layer for scale, layer in zip((0.7, 1.4, 0.9), layers, strict=True))


def rows():
    rng = np.random.default_rng(2)
    return np.stack([rng.choice(SAMPLES, BATCH, replace=False) for _ in range(STEPS)])


@pytest.fixture(scope="module")
def run():
    """The positions after 1, 2, ... steps, of one run that is taken up again at each of them."""
    steps = dynamics.sgd(
        problem(), RATE, batches=rows(), normalisation=kinds.batch_norm(memory=MEMORY)
    )
    state, positions = start(), []
    for number in range(1, STEPS + 1):
        times = dynamics.times_at(steps, steps=[number])
        state = dynamics.simulate(steps, state, times=times).final
        positions.append(state.position)
    return positions


# Written by hand.


def convolved(images, kernel, stride, zeros):
    """Patch by patch, as a sum over the kernel's rows, columns and channels."""
    padded = np.pad(images, ((0, 0), zeros, zeros, (0, 0)))
    places = range(0, padded.shape[1] - 2, stride)
    return np.array(
        [[[np.tensordot(image[p : p + 3, q : q + 3], kernel, 3) for q in places] for p in places]
         for image in padded]
    )  # fmt: skip


def forward(weights, inputs, fixed=None):
    """Outputs, and the mean and variance of each channel, of these inputs unless fixed."""
    hidden, seen, last = np.asarray(inputs), [], np.asarray(weights[-1])
    for depth, window in enumerate(WINDOWS):
        kernel = np.asarray(weights[depth])
        values = convolved(hidden, kernel, *window)
        seen.append((values.mean((0, 1, 2)), values.var((0, 1, 2))))
        mean, variance = seen[-1] if fixed is None else fixed[depth]
        size = np.sqrt(variance + EPSILON * (kernel**2).sum((0, 1, 2)))
        hidden = np.maximum((values - mean[None, None, None]) / size[None, None, None], 0)
    return hidden.reshape(len(hidden), -1) @ last, seen


@jax.jit
def slope(weights, inputs, targets, decay):
    """Of the loss with decay, by the convolution of JAX."""

    def loss(layers):
        hidden, axes = inputs, (0, 1, 2)
        for kernel, (stride, zeros) in zip(layers[:-1], WINDOWS, strict=True):
            values = jax.lax.conv_general_dilated(
                hidden, kernel, (stride, stride), (zeros, zeros),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )  # fmt: skip
            squares = jnp.sum(kernel**2, axes, keepdims=True)
            size = jnp.sqrt(values.var(axes, keepdims=True) + EPSILON * squares)
            hidden = jax.nn.relu((values - values.mean(axes, keepdims=True)) / size)
        wrong = hidden.reshape(len(hidden), -1) @ layers[-1] - targets
        squares = sum(jnp.sum(layer**2) for layer in layers)
        return jnp.mean(jnp.sum(wrong**2, axis=1)) + decay * squares

    return jax.grad(loss)(weights)


def by_hand(given):
    """Weights and running averages after each step, S <- (1 - eta/memory) S + (eta/memory) S_B."""
    weights, share = start(), RATE / MEMORY
    averages = [(np.zeros(width), np.ones(width)) for width in (3, 4)]
    for row in rows():
        _, seen = forward(weights, given.inputs[row])
        averages = [
            tuple((1 - share) * old + share * new for old, new in zip(*pair, strict=True))
            for pair in zip(averages, seen, strict=True)
        ]
        moves = slope(weights, given.inputs[row], given.targets[row], given.decay)
        weights = tuple(w - RATE * move for w, move in zip(weights, moves, strict=True))
        yield weights, averages


# What holds along the run.


def test_the_scale_of_a_kernel_changes_no_loss_and_a_channels_gradient_is_orthogonal(run):
    given, rng = problem(), np.random.default_rng(3)

    def loss(weights):
        return models.data_loss(given, models.polar.Unnormalised(weights))

    both = jax.jit(jax.value_and_grad(loss))
    for position in run:
        *kernels, last = position.weights
        value, moves = both(position.weights)
        factors = [np.exp(rng.uniform(-3, 3, (1, 1, 1, kernel.shape[-1]))) for kernel in kernels]
        scaled = (kernel * factor for kernel, factor in zip(kernels, factors, strict=True))
        np.testing.assert_allclose(both((*scaled, last))[0], value, rtol=ROUND_OFF)
        for kernel, move in zip(kernels, moves[:-1], strict=True):
            units, pulls = (np.asarray(a).reshape(-1, a.shape[-1]) for a in (kernel, move))
            sizes = np.linalg.norm(units, axis=0) * np.linalg.norm(pulls, axis=0)
            assert np.min(sizes) > 1e-4
            assert np.all(np.abs(np.sum(units * pulls, axis=0)) <= ROUND_OFF * sizes)


def test_running_statistics_are_averages_over_samples_and_pixels_of_the_batches(run):
    for position, (weights, averages) in zip(run, by_hand(problem()), strict=True):
        for ours, theirs in zip(position.weights, weights, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=ALONG_A_RUN)
        for own, (mean, variance) in zip(position.statistics, averages, strict=True):
            np.testing.assert_allclose(own.means, mean, rtol=0, atol=ALONG_A_RUN)
            np.testing.assert_allclose(own.variances, variance, rtol=0, atol=ALONG_A_RUN)
    assert np.max(np.abs(run[-1].weights[0] - start()[0])) > 1e-2


def test_the_training_set_is_seen_by_its_own_statistics_and_other_data_by_running_ones(run):
    """Loss and train_error by the first; `error_on` and `predict` by the second."""
    given, position = problem(), run[-1]
    view = kinds.fitting(given, kinds.batch_norm()).view(position)
    outputs, seen = forward(position.weights, given.inputs)
    running = [(own.means, own.variances) for own in position.statistics]
    held_out, _ = forward(position.weights, given.inputs, running)
    assert np.max(np.abs(held_out - outputs)) > 1e-2
    for (_, of_all), (_, average) in zip(seen, running, strict=True):
        assert np.max(np.abs(of_all / average - 1)) > 1e-2

    labels = np.argmax(given.targets, axis=1)
    look = dynamics.observe(
        "unregularised_loss", "train_error", error=dynamics.error_on(given.inputs, given.targets),
        outputs=models.outputs, held_out=lambda at, by: by.rho * by.predict(NETWORK, at.inputs),
    )  # fmt: skip
    found = jax.jit(lambda at, by: look(at, by))(given, view)
    np.testing.assert_allclose(found["outputs"], outputs, rtol=0, atol=ROUND_OFF)
    np.testing.assert_allclose(found["held_out"], held_out, rtol=0, atol=ROUND_OFF)
    loss = np.mean(np.sum((outputs - given.targets) ** 2, axis=1))
    np.testing.assert_allclose(found["unregularised_loss"], loss, rtol=ROUND_OFF)
    assert found["train_error"] == np.mean(outputs.argmax(1) != labels)
    assert found["error"] == np.mean(held_out.argmax(1) != labels)
