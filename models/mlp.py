"""Fully connected networks without biases: layers with an activation, then linear ones.

    f_W(x) = W_L s(W_{L-1} ... s(W_1 x)),      s(z) = max(z, 0) unless another is chosen,

with s left out for the last layers where asked. Every layer is positively homogeneous of degree
one, so f_W = rho f_V in polar coordinates (`models.polar`); `models.activations` lists what s can
be. At an exact tie, z = 0, the derivative of the ReLU is 0; the structural identities hold for any
choice in [0, 1].

With batch norm (`models.batch_norm`) each hidden layer's pre-activations are standardised over the
batch before s; hidden layers then have no scale, and f_W = |W_L| f_V.

Source: [Dyn] section 3.1; heads of several linear layers, [Wide] section 2; batch norm, [M117] H.
"""

import functools
import itertools
import operator
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from .activations import Activation, dense, linear, relu
from .batch_norm import BatchNorm, of_batch, standardise
from .binding import bind
from .checks import refusal
from .initialisations import Initialisation, lecun
from .network import Hidden, Network, Statistics, Weights


def mlp(
    widths: Sequence[int],
    linear_layers: int = 0,
    initialisation: Initialisation | None = None,
    activation: Activation = relu,
    batch_norm: BatchNorm | bool = False,
) -> Network:
    """A bias-free multilayer perceptron.

    Args:
        widths: Input dimension, hidden widths, number of outputs. One output is returned as
            ``[samples]``, several as ``[samples, outputs]``.
        linear_layers: How many of the last hidden layers are linear, beside the output layer,
            which always is.
        initialisation: Draws each layer, `lecun` unless given.
        activation: Of the other hidden layers, see `models.activations`.
        batch_norm: Whether every hidden layer, linear ones too, has batch norm before its
            activation; or a `BatchNorm` of your own.

    Returns:
        The network; equal arguments return the same object.

    Raises:
        ValueError: If there are fewer than two widths, a width is not positive, or there are
            more linear layers than hidden ones; if there is batch norm and no hidden layer.

    >>> network = mlp((64, 32, 32, 1))
    >>> [w.shape for w in network.init(jax.random.key(0))]
    [(64, 32), (32, 32), (32, 1)]
    """
    try:
        sizes = tuple(map(operator.index, widths))
    except TypeError as error:
        raise refusal("widths as whole numbers", widths, "pass for example (64, 32, 1)") from error
    hidden = len(sizes) - 2
    if hidden < 0 or min(sizes) < 1:
        raise refusal("at least two positive widths", sizes, "pass for example (64, 32, 1)")
    if not 0 <= linear_layers <= hidden:
        raise refusal(
            f"between 0 and {hidden} linear layers",
            linear_layers,
            "the output layer is not counted",
        )
    norm = BatchNorm() if batch_norm is True else batch_norm or None
    if norm and not hidden:
        raise refusal("a hidden layer for batch norm", sizes, "pass for example (64, 32, 1)")
    active = 0 if activation == linear else hidden - linear_layers
    kind = _Layers(active, activation if active else linear, norm)
    return _mlp(sizes, kind, initialisation or lecun())


def deep_linear(widths: Sequence[int], initialisation: Initialisation | None = None) -> Network:
    """A deep linear network, f_W(x) = W_L ... W_1 x: the exactly solvable case.

    Its flow under the square loss with decay ends in the ridge solution for every depth.

    Args:
        widths: Input dimension, hidden widths, number of outputs.
        initialisation: Draws each layer, `lecun` unless given.

    Raises:
        ValueError: If there are fewer than two widths, or a width is not positive.
    """
    return mlp(widths, linear_layers=max(len(tuple(widths)) - 2, 0), initialisation=initialisation)


class _Layers(NamedTuple):
    """What hidden layers do: the first ``active`` have the activation, all may have batch norm."""

    active: int
    activation: Activation
    batch_norm: BatchNorm | None


@functools.cache
def _mlp(sizes: tuple[int, ...], layers: _Layers, initialisation: Initialisation) -> Network:
    kind = "mlp" if layers.active else "deep linear"
    name = f"{kind} {'-'.join(map(str, sizes))}"
    if layers.activation not in (relu, linear):
        name += f", {layers.activation.name}"
    return Network(
        name=name if layers.batch_norm is None else f"{name}, batch norm",
        init=bind(_init, sizes, initialisation),
        apply=bind(_apply, layers),
        features=bind(_features, layers),
        hidden=bind(_hidden, layers),
        smooth=layers.activation.smooth,
        kinks=() if layers.activation.smooth else tuple(range(layers.active)),
        statistics=None if layers.batch_norm is None else bind(_statistics, layers),
        apply_with=None if layers.batch_norm is None else bind(_apply_with, layers),
    )


def _init(sizes: tuple[int, ...], initialisation: Initialisation, key: Key[Array, ""]) -> Weights:
    keys = jax.random.split(key, len(sizes) - 1)
    shapes = itertools.pairwise(sizes)
    return tuple(initialisation(k, shape) for k, shape in zip(keys, shapes, strict=True))


def _forward(
    layers: _Layers,
    weights: Weights,
    fixed: tuple[Statistics, ...] | None,
    inputs: Float[Array, "samples ..."],
) -> tuple[Hidden, tuple[Statistics, ...]]:
    """The inputs and what each hidden layer makes of them; the statistics of batch norm."""
    hidden = inputs.reshape(inputs.shape[0], -1)
    passed, seen = [hidden], []
    for depth, layer in enumerate(weights[:-1]):
        activation = layers.activation if depth < layers.active else linear
        if layers.batch_norm is None:
            hidden = dense(activation, layer, hidden)
        else:
            values = hidden @ layer
            seen.append(of_batch(values) if fixed is None else fixed[depth])
            values = standardise(layers.batch_norm.epsilon, layer, seen[-1], values)
            hidden = activation.apply(values, functools.partial(jnp.ones_like, values))
        passed.append(hidden)
    return tuple(passed), tuple(seen)


def _hidden(layers: _Layers, weights: Weights, inputs: Float[Array, "samples ..."]) -> Hidden:
    return _forward(layers, weights, None, inputs)[0][1:]


def _features(
    layers: _Layers, weights: Weights, inputs: Float[Array, "samples ..."]
) -> Float[Array, "samples width"]:
    return _forward(layers, weights, None, inputs)[0][-1]


def _statistics(
    layers: _Layers, weights: Weights, inputs: Float[Array, "samples ..."]
) -> tuple[Statistics, ...]:
    return _forward(layers, weights, None, inputs)[1]


def _apply(
    layers: _Layers, weights: Weights, inputs: Float[Array, "samples ..."]
) -> Float[Array, "samples ..."]:
    return _top(weights, _features(layers, weights, inputs))


def _apply_with(
    layers: _Layers,
    weights: Weights,
    statistics: tuple[Statistics, ...],
    inputs: Float[Array, "samples ..."],
) -> Float[Array, "samples ..."]:
    return _top(weights, _forward(layers, weights, statistics, inputs)[0][-1])


def _top(weights: Weights, features: Float[Array, "samples width"]) -> Float[Array, "samples ..."]:
    outputs = features @ weights[-1]
    return jnp.squeeze(outputs, axis=1) if outputs.shape[1] == 1 else outputs
