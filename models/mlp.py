"""Fully connected networks without biases: layers with an activation, then linear ones.

    f_W(x) = W_L s(W_{L-1} ... s(W_1 x)),      s(z) = max(z, 0) unless another is chosen,

with s left out for the last layers where asked. Every layer is positively homogeneous of degree
one, so f_W = rho f_V in polar coordinates (`models.polar`); `models.activations` lists what s can
be. At an exact tie, z = 0, the derivative of the ReLU is 0; the structural identities hold for any
choice in [0, 1].

Source: [Dyn] section 3.1; heads of several linear layers, [Wide] section 2.
"""

import functools
import itertools
import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from .activations import Activation, dense, linear, relu
from .binding import bind
from .checks import refusal
from .initialisations import Initialisation, lecun
from .network import Network, Weights


def mlp(
    widths: Sequence[int],
    linear_layers: int = 0,
    initialisation: Initialisation | None = None,
    activation: Activation = relu,
) -> Network:
    """A bias-free multilayer perceptron.

    Args:
        widths: Input dimension, hidden widths, number of outputs. One output is returned as
            ``[samples]``, several as ``[samples, outputs]``.
        linear_layers: How many of the last hidden layers are linear, beside the output layer,
            which always is.
        initialisation: Draws each layer, `lecun` unless given.
        activation: Of the other hidden layers, see `models.activations`.

    Returns:
        The network; equal arguments return the same object.

    Raises:
        ValueError: If there are fewer than two widths, a width is not positive, or there are
            more linear layers than hidden ones.

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
    active = 0 if activation == linear else hidden - linear_layers
    return _mlp(sizes, active, activation if active else linear, initialisation or lecun())


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


@functools.cache
def _mlp(
    sizes: tuple[int, ...], active: int, activation: Activation, initialisation: Initialisation
) -> Network:
    kind = "mlp" if active else "deep linear"
    suffix = "" if activation in (relu, linear) else f", {activation.name}"
    return Network(
        name=f"{kind} {'-'.join(map(str, sizes))}{suffix}",
        init=bind(_init, sizes, initialisation),
        apply=bind(_apply, active, activation),
        features=bind(_features, active, activation),
        smooth=activation.smooth,
    )


def _init(sizes: tuple[int, ...], initialisation: Initialisation, key: Key[Array, ""]) -> Weights:
    keys = jax.random.split(key, len(sizes) - 1)
    shapes = itertools.pairwise(sizes)
    return tuple(initialisation(k, shape) for k, shape in zip(keys, shapes, strict=True))


def _features(
    active: int, activation: Activation, weights: Weights, inputs: Float[Array, "samples ..."]
) -> Float[Array, "samples width"]:
    hidden = inputs.reshape(inputs.shape[0], -1)
    for depth, layer in enumerate(weights[:-1]):
        hidden = dense(activation if depth < active else linear, layer, hidden)
    return hidden


def _apply(
    active: int, activation: Activation, weights: Weights, inputs: Float[Array, "samples ..."]
) -> Float[Array, "samples ..."]:
    outputs = _features(active, activation, weights, inputs) @ weights[-1]
    return jnp.squeeze(outputs, axis=1) if outputs.shape[1] == 1 else outputs
