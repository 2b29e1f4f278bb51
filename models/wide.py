"""The networks of [Wide], and starts for which its Theorem B.2 speaks.

L_1 nonlinear layers, then L_2 linear ones, with widths that fall (pyramidal) after a first layer at
least as wide as there are samples. Its assumption (8), in corrected form, asks of a start that

    s_N(Z_1) prod_{l>=3} s_min(W_l) min(s_N(Z_1)/|X|, min_{l>=3} s_min(W_l))
        >= 16 sqrt(2) (2/gamma)^(L-2) sqrt(C_0),        C_0 = (1/2) |Z_L - Y|^2.

The usual initialisation of variance 1/fan_in fulfils it, if at all, with a first layer far wider
than N. The recipe of [Wide]: a second layer so small that C_0 is that of a silent network, and
upper layers with orthonormal columns times a scale t. The left side then grows as t^(L-2) and the
right one stays, so `small_second_layer` takes the least t that is enough, and looks at both sides
when it is done (`sides`). As an observable of any start they are
`dynamics.observables.wide_descent.requirements(...)["start"]`.

Source: [Wide] Assumptions 4.1-4.3, (8); its constants are corrected (theory, 8.9).
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from .activations import Activation, smooth_leaky
from .checks import refusal, whole
from .initialisations import orthogonal
from .layers import is_dense
from .mlp import mlp
from .network import Network, Weights

SILENCE, SLACK = 1e-3, 1.05
"""The outputs' size beside targets of size one; how far the left side is above the right one."""


def wide_mlp(
    inputs: int,
    width: int,
    outputs: int,
    *,
    nonlinear: int = 5,
    linear: int = 4,
    activation: Activation | None = None,
) -> Network:
    """A network of [Wide] section 6: equal hidden widths, nonlinear layers, then linear ones.

    Args:
        inputs: Number of features.
        width: Of every hidden layer.
        outputs: Number of classes.
        nonlinear: L_1, layers with the activation.
        linear: L_2, layers without, the output layer included.
        activation: ``smooth_leaky(0.1)`` unless given, which fulfils Assumption 4.2; the network
            is then not homogeneous, so that it moves in its weights. The experiments of [Wide] take
            `models.relu`.

    Raises:
        ValueError: If there is no linear layer, or a number is not positive or not whole.
    """
    whole((nonlinear, linear), "nonlinear and linear")
    if linear < 1 or nonlinear < 1:
        raise refusal("one nonlinear and one linear layer or more", (nonlinear, linear), "add one")
    widths = (inputs, *[width] * (nonlinear + linear - 1), outputs)
    return mlp(widths, linear - 1, activation=activation or smooth_leaky(0.1))


def small_second_layer(
    network: Network,
    key: Key[Array, ""],
    inputs: Float[Array, "samples ..."],
    targets: Float[Array, "samples outputs"],
    gamma: float,
) -> Weights:
    """Weights that fulfil [Wide]'s assumption (8).

    Args:
        network: Dense layers with arrays of their own, three or more, without batch norm; the first
            at least as wide as there are samples, the widths from the second on not growing.
        key: Draws all layers.
        inputs: X, no longer than 1 each or so.
        targets: Y, one-hot.
        gamma: Above zero and at most the least slope of each activation.

    Raises:
        ValueError: If the network's shape or activations do not allow it, targets have another
            shape than outputs, features of the first layer are linearly dependent, or (8) does not
            hold for what was drawn, as where long inputs make the second layer loud.
    """
    shapes = [layer.shape for layer in jax.eval_shape(network.init, key)]
    samples, labels = jnp.asarray(inputs, float), jnp.asarray(targets, float)
    _require_shape(network, shapes, len(samples), gamma)
    if labels.shape != (len(samples), shapes[-1][1]):
        expected = f"one-hot targets {(len(samples), shapes[-1][1])}"
        raise refusal(expected, labels.shape, "pass models.encode(labels, 'one_hot')")
    keys = jax.random.split(key, len(shapes))
    uppers = [orthogonal()(k, shape) for k, shape in zip(keys[2:], shapes[2:], strict=True)]
    second = jax.random.normal(keys[1], shapes[1]) / math.sqrt(math.prod(shapes[1]))
    weights = (network.init(keys[0])[0], second, *uppers)
    scale = _least_scale(network, weights, samples, labels, gamma)
    quiet = SILENCE / scale ** len(uppers)
    found = (weights[0], quiet * second, *(scale * layer for layer in uppers))
    left, right = sides(network, found, samples, labels, gamma)
    if not left >= right:
        got = f"{left:.4g} on the left of (8) and {right:.4g} on its right"
        raise refusal("weights that fulfil (8)", got, "scale inputs by models.scale_inputs")
    return found


def sides(
    network: Network, weights: Weights, inputs: Array, targets: Array, gamma: float
) -> tuple[float, float]:
    """The left and the right side of (8) at some weights; arguments as for `small_second_layer`."""
    above = [float(np.linalg.svd(np.asarray(w), compute_uv=False)[-1]) for w in weights[2:]]
    first, size = _first_layer(network, weights, inputs)
    silent = 0.5 * float(jnp.sum((network.apply(weights, inputs) - targets) ** 2))
    left = first * math.prod(above) * min(first / size, *above)
    return left, 16 * math.sqrt(2 * silent) * (2 / gamma) ** len(above)


def _require_shape(
    network: Network, shapes: Sequence[tuple[int, ...]], samples: int, gamma: float
) -> None:
    layers = network.layers
    own = len(shapes) == len(layers) > 2 and all(map(is_dense, layers)) and not network.couples
    falls = own and all(fan_in >= fan_out for fan_in, fan_out in shapes[2:])
    if not falls or shapes[0][1] < samples:
        raise refusal(
            f"a first layer of {samples} units or more, then widths that do not grow, in dense "
            "layers with arrays of their own, three or more, without batch norm",
            network.name,
            "widen the first layer, or take fewer samples or another network",
        )
    least = min(layer.activation.slope for layer in layers)
    if not 0 < gamma <= least:
        raise refusal(
            f"a gamma above 0, at most the least slope of the activations, which is {least}",
            f"{gamma} for {network.name}",
            "pass for example activation=models.smooth_leaky(gamma)",
        )


def _first_layer(network: Network, weights: Weights, inputs: Array) -> tuple[float, float]:
    """s_N(Z_1), and the operator norm of X."""
    features = np.asarray(network.hidden(weights, inputs)[0])
    flat = np.asarray(inputs).reshape(len(inputs), -1)
    least = np.linalg.svd(features, compute_uv=False)[len(flat) - 1]
    return float(least), float(np.linalg.norm(flat, ord=2))


def _least_scale(
    network: Network, weights: Weights, inputs: Array, targets: Array, gamma: float
) -> float:
    """The least t of the upper layers for which the left side exceeds the right one.

    The left side is s_N(Z_1) t^(L-2) min(s_N(Z_1)/|X|, t), which both terms must make large enough.
    """
    least, size = _first_layer(network, weights, inputs)
    if not least > 0:
        raise refusal("independent features of the first layer", "s_N(Z_1) = 0", "widen it")
    upper = len(weights) - 2
    right = SLACK * 16 * (2 / gamma) ** upper * float(jnp.linalg.norm(targets))
    return float(
        max((right / least) ** (1 / (upper + 1)), (right * size / least**2) ** (1 / upper))
    )
