"""Small networks trained in their weights W_k, with the decay of each layer.

    Loss = (1/2N) sum_n |y_n - f_W(x_n)|^2 + (lambda/2) sum_k |W_k|^2

is [NCWD]'s normalisation; [Wide]'s C_lambda is N times this, with N times the lambda. Plain
gradient descent, compiled once for each network.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .... import models


class Trained(NamedTuple):
    """Where a descent ended.

    Attributes:
        problem: Its data and network; the problem's decay is this lambda.
        start: Weights before.
        weights: Weights after.
    """

    problem: models.Problem
    start: models.Weights
    weights: models.Weights

    @property
    def view(self) -> models.LayerPolar:
        """The end as a view with each layer's own radius."""
        return models.to_layers(self.weights)


def cost(problem: models.Problem, weights: models.Weights) -> Float[Array, ""]:
    """The loss above, at weights."""
    squares = sum(jnp.sum(layer**2) for layer in weights)
    return data_cost(problem, weights) + problem.decay / 2 * squares


def data_cost(problem: models.Problem, weights: models.Weights) -> Float[Array, ""]:
    """The same without decay."""
    apart = problem.network.apply(weights, problem.inputs) - problem.targets
    return jnp.sum(apart**2) / (2 * len(problem.inputs))


gradient = jax.jit(jax.grad(cost, argnums=1))
data_gradient = jax.jit(jax.grad(data_cost, argnums=1))


@functools.partial(jax.jit, static_argnames=("batch",))
def descend(
    problem: models.Problem, weights: models.Weights, rate: float, steps: int, batch: int = 0
) -> models.Weights:
    """Gradient descent; with a batch size, on random batches drawn with replacement."""

    def step(count: Array, weights: models.Weights) -> models.Weights:
        part = problem
        if batch:
            key = jax.random.fold_in(jax.random.key(3), count)
            part = models.take(problem, jax.random.randint(key, (batch,), 0, len(problem.inputs)))
        slopes = jax.grad(cost, argnums=1)(part, weights)
        return jax.tree.map(lambda w, s: w - rate * s, weights, slopes)

    return jax.lax.fori_loop(0, steps, step, weights)


def drawn(
    network: models.Network,
    encoding: str,
    decay: float,
    samples: int = 12,
    scale: float = 1.0,
    seed: int = 0,
) -> tuple[models.Problem, models.Weights]:
    """Random inputs on the unit sphere with balanced labels, and random weights."""
    rng = np.random.default_rng(seed)
    shapes = [layer.shape for layer in jax.eval_shape(network.init, jax.random.key(0))]
    inputs = rng.standard_normal((samples, shapes[0][0]))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    labels = np.arange(samples) % max(shapes[-1][-1], 2)
    problem = models.Problem(network, inputs, models.encode(labels, encoding), decay=decay)
    weights = [scale * rng.standard_normal(shape) / np.sqrt(shape[0]) for shape in shapes]
    return problem, tuple(map(jnp.asarray, weights))


def with_last_layer_at_rest(trained: Trained) -> Trained:
    """The same with the last layer where it rests given the features: a ridge solution.

    W_L is the one layer without kinks; descent alone brings it there to 1e-4 in reasonable time.
    """
    problem = trained.problem
    features = np.asarray(problem.network.features(trained.weights, problem.inputs))
    count, width = features.shape
    system = features.T @ features / count + float(problem.decay) * np.eye(width)
    last = np.linalg.solve(system, features.T @ np.asarray(problem.targets) / count)
    return trained._replace(weights=(*trained.weights[:-1], jnp.asarray(last)))
