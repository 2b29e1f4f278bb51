"""A network from layers: one passes what it makes to the next, the last one gives the outputs.

    h_0 = x,    h_k = s_k(N_k(map_k(W_k, h_{k-1})) [+ h_{k-j}]),    f_W(x) = map_L(W_L, h_{L-1})

with batch norm N_k and the residual sum where a layer has them. Everything else that networks offer
(`models.network.Network`) is read off that one pass.

**Degrees.** With neither, f_W is positively homogeneous of degree one in each layer. Batch norm
takes away the scale of its own layer and of all before it: degree 0. An array that several layers
share has the sum of their degrees. A residual sum of something that did not scale leaves none.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from .activations import Activation, linear, relu
from .batch_norm import BatchNorm, as_batch_norm, of_batch, standardise
from .binding import bind
from .checks import expect, refusal, whole
from .initialisations import Initialisation
from .layers import Layer, Values, shortcut
from .network import Hidden, Network, PreActivations, Statistics, Weights

Layers = tuple[Layer, ...]
Arrays = tuple[int, ...]
"""Which weight array each layer uses."""


class _Passed(NamedTuple):
    """What one pass leaves behind.

    Attributes:
        hidden: The inputs, and what each hidden layer gives.
        values: What each has before its activation.
        statistics: Of those with batch norm.
    """

    hidden: list[Values]
    values: list[Values]
    statistics: list[Statistics]


def activated(
    layers: Sequence[Layer],
    activation: Activation,
    linear_layers: int = 0,
    batch_norm: BatchNorm | bool = False,
) -> list[Layer]:
    """The layers, hidden ones with their activation and batch norm.

    Args:
        layers: In forward order, the last one the output layer, which is left as it is.
        activation: Of the first hidden layers.
        linear_layers: How many of the last hidden layers have none.
        batch_norm: Of every hidden layer.

    Raises:
        ValueError: If there are more linear layers than hidden ones, or batch norm and none hidden;
            if activation or batch norm are no such thing.
    """
    expect(activation, Activation, "an activation", "pass for example models.leaky_relu(0.1)")
    hidden = len(layers) - 1
    whole((linear_layers,), "linear_layers")
    if not 0 <= linear_layers <= hidden:
        expected = f"between 0 and {hidden} linear layers"
        raise refusal(expected, linear_layers, "the output layer is not counted")
    norm, active = as_batch_norm(batch_norm), hidden - linear_layers
    if norm and not hidden:
        sizes = (*layers[0].reads, *layers[0].gives)
        raise refusal("a hidden layer for batch norm", sizes, "pass for example (64, 32, 1)")
    kinds = [activation] * active + [linear] * linear_layers
    pairs = zip(layers[:-1], kinds, strict=True)
    return [
        *(dataclasses.replace(layer, activation=kind, batch_norm=norm) for layer, kind in pairs),
        layers[-1],
    ]


def feed_forward(
    name: str, layers: Sequence[Layer], initialisation: Initialisation, arrays: Arrays | None = None
) -> Network:
    """The network of these layers; equal arguments return the same object.

    Args:
        name: How it is called; what is not plain ReLU is added to it.
        layers: In forward order; the last has neither activation nor batch norm. One output is
            returned as ``[samples]``, several as ``[samples, outputs]``.
        initialisation: Draws each weight array, see `models.initialisations`.
        arrays: Which weight array each layer uses, by number; one of its own unless given.

    Raises:
        ValueError: If the initialisation draws no array of the first layer's shape.
    """
    _require_draws(layers[0], initialisation)
    used = tuple(range(len(layers))) if arrays is None else arrays
    kinds = {layer.activation for layer in layers} - {relu, linear}
    parts = [name, *sorted(kind.name for kind in kinds)]
    if any(layer.batch_norm for layer in layers):
        parts.append("batch norm")
    return _feed_forward(", ".join(parts), tuple(layers), initialisation, used)


def _require_draws(layer: Layer, initialisation: Initialisation) -> None:
    expected = "an initialisation, initialisation(key, shape) -> array of that shape"
    remedy = "pass for example models.lecun(), called, or models.gaussian(norm=1.0)"
    try:
        made = jax.eval_shape(lambda: bind(layer.draw, initialisation)(jax.random.key(0)))
    except TypeError as error:
        raise refusal(expected, repr(initialisation), remedy) from error
    if getattr(made, "shape", None) != layer.shape:
        raise refusal(expected, f"{made} for {layer.shape}", remedy)


@functools.cache
def _feed_forward(
    name: str, layers: Layers, initialisation: Initialisation, arrays: Arrays
) -> Network:
    hidden = layers[:-1]
    bound, why = (layers, arrays), _inhomogeneity(layers)
    standardised = sum(layer.batch_norm is not None for layer in hidden)
    return Network(
        name=name,
        init=bind(_init, *bound, initialisation),
        apply=bind(_apply, *bound),
        features=bind(_features, *bound),
        hidden=bind(_hidden, *bound),
        smooth=all(layer.activation.smooth for layer in hidden),
        kinks=tuple(k for k, layer in enumerate(hidden) if not layer.activation.smooth),
        statistics=bind(_statistics, *bound) if standardised else None,
        apply_with=bind(_apply_with, *bound) if standardised else None,
        degrees=() if why else _degrees(layers, arrays),
        standardised=standardised,
        inhomogeneity=why,
        layers=layers,
        pre_activations=bind(_pre_activations, *bound),
    )


def _inhomogeneity(layers: Layers) -> str:
    """Why the network is not homogeneous in every layer; empty where it is."""
    if any(layer.adds and layer.batch_norm is None for layer in layers):
        return "residual sums add what a layer's scale does not reach"
    # What batch norm has standardised has no scale that an activation could see.
    if any(not layer.activation.homogeneous and layer.batch_norm is None for layer in layers):
        return "the activation has a scale of its own"
    return ""


def _degrees(layers: Layers, arrays: Arrays) -> tuple[int, ...]:
    last = max((k for k, layer in enumerate(layers) if layer.batch_norm), default=-1)
    degrees = [0] * (max(arrays) + 1)
    for number, array in enumerate(arrays):
        degrees[array] += number > last
    return tuple(degrees)


def _init(
    layers: Layers, arrays: Arrays, initialisation: Initialisation, key: Key[Array, ""]
) -> Weights:
    first = [layers[arrays.index(array)] for array in range(max(arrays) + 1)]
    keys = jax.random.split(key, len(first))
    return tuple(layer.draw(initialisation, own) for layer, own in zip(first, keys, strict=True))


def _forward(
    layers: Layers,
    arrays: Arrays,
    weights: Weights,
    fixed: tuple[Statistics, ...] | None,
    inputs: Float[Array, "samples ..."],
) -> _Passed:
    """All but the last layer."""
    passed = _Passed([_fitting(layers[0], inputs)], [], [])
    for layer, array in zip(layers[:-1], arrays[:-1], strict=True):
        before = passed.hidden[-1]
        values = layer.map(weights[array], before)
        if layer.batch_norm is not None:
            known = None if fixed is None else fixed[len(passed.statistics)]
            values, seen = _standardised(layer.batch_norm, weights[array], values, known)
            passed.statistics.append(seen)
        if layer.adds:
            values = values + shortcut(passed.hidden[-layer.adds], values.shape[1:])
        passed.values.append(values)
        sizes = functools.partial(_sizes, layer, weights[array], before, values)
        passed.hidden.append(layer.activation.apply(values, sizes))
    return passed


def _fitting(first: Layer, inputs: Values) -> Values:
    """The inputs, refused where they are of another shape or size than the first layer reads."""
    if len(first.reads) > 1 and inputs.shape[1:] != first.reads:
        raise refusal(
            f"inputs [samples, {', '.join(map(str, first.reads))}]",
            f"shape {inputs.shape}",
            "make the network for images of this shape",
        )
    if math.prod(inputs.shape[1:]) != math.prod(first.reads):
        raise refusal(
            f"inputs of {math.prod(first.reads)} features",
            f"shape {inputs.shape}",
            "make the first width the number of input features",
        )
    return inputs


def _standardised(
    norm: BatchNorm, layer: Array, values: Values, known: Statistics | None
) -> tuple[Values, Statistics]:
    """Each unit over the samples, or each channel over samples and pixels."""
    rows, units = values.reshape(-1, values.shape[-1]), layer.reshape(-1, layer.shape[-1])
    seen = of_batch(rows) if known is None else known
    return standardise(norm.epsilon, units, seen, rows).reshape(values.shape), seen


def _sizes(layer: Layer, weights: Array, before: Values, values: Values) -> Values:
    """What a smoothed kink's width is a share of; standardised values have size one."""
    return layer.sizes(weights, before) if layer.batch_norm is None else jnp.ones_like(values)


def _flat(values: Values) -> Float[Array, "samples width"]:
    return values.reshape(values.shape[0], -1)


def _hidden(
    layers: Layers, arrays: Arrays, weights: Weights, inputs: Float[Array, "samples ..."]
) -> Hidden:
    return tuple(map(_flat, _forward(layers, arrays, weights, None, inputs).hidden[1:]))


def _features(
    layers: Layers, arrays: Arrays, weights: Weights, inputs: Float[Array, "samples ..."]
) -> Float[Array, "samples width"]:
    return _flat(_forward(layers, arrays, weights, None, inputs).hidden[-1])


def _pre_activations(
    layers: Layers, arrays: Arrays, weights: Weights, inputs: Float[Array, "samples ..."]
) -> tuple[PreActivations, ...]:
    passed = _forward(layers, arrays, weights, None, inputs)
    found = zip(layers, arrays, passed.hidden, passed.values, strict=False)
    return tuple(
        PreActivations(_flat(values), _flat(_sizes(layer, weights[array], before, values)))
        for layer, array, before, values in found
    )


def _statistics(
    layers: Layers, arrays: Arrays, weights: Weights, inputs: Float[Array, "samples ..."]
) -> tuple[Statistics, ...]:
    return tuple(_forward(layers, arrays, weights, None, inputs).statistics)


def _apply(
    layers: Layers, arrays: Arrays, weights: Weights, inputs: Float[Array, "samples ..."]
) -> Float[Array, "samples ..."]:
    return _apply_with(layers, arrays, weights, None, inputs)


def _apply_with(
    layers: Layers,
    arrays: Arrays,
    weights: Weights,
    statistics: tuple[Statistics, ...] | None,
    inputs: Float[Array, "samples ..."],
) -> Float[Array, "samples ..."]:
    features = _forward(layers, arrays, weights, statistics, inputs).hidden[-1]
    outputs = _flat(layers[-1].map(weights[arrays[-1]], features))
    return jnp.squeeze(outputs, axis=1) if outputs.shape[1] == 1 else outputs
