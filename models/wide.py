"""The networks of [Wide], and starts for which its Theorem B.2 speaks.

L_1 nonlinear layers, then L_2 linear ones, with widths that fall (pyramidal) after a first layer at
least as wide as there are samples. Its assumption (8), in corrected form, asks of a start that

    s_N(Z_1) prod_{l>=3} s_min(W_l) min(s_N(Z_1)/|X|, min_{l>=3} s_min(W_l))
        >= 16 sqrt(2) (2/gamma)^(L-2) sqrt(C_0),        C_0 = (1/2) |Z_L - Y|^2.

The usual initialisation of variance 1/fan_in fulfils it, if at all, with a first layer far wider
than N. The recipe of [Wide]: a second layer so small that C_0 is that of a silent network, and
upper layers with orthonormal columns times a scale t. The left side then grows as t^(L-2) and the
right one stays, so `small_second_layer` takes the least t that is enough. Both sides, of any start,
are `dynamics.observables.wide_descent.requirements(...)["start"]`.

Source: [Wide] Assumptions 4.1-4.3, (8); its constants are corrected (theory, 8.9).
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from .activations import Activation, smooth_leaky
from .checks import refusal
from .initialisations import orthogonal
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
        activation: ``smooth_leaky(0.1)`` unless given, which fulfils Assumption 4.2; no network
            with it is homogeneous, so that it moves in its weights. The experiments of [Wide] take
            `models.relu`.

    Raises:
        ValueError: If there is no linear layer, or a number is not positive.
    """
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
        network: Dense layers, three or more, the first at least as wide as there are samples and
            the widths from the second on not growing.
        key: Draws all layers.
        inputs: X.
        targets: Y, one-hot.
        gamma: The least slope of the activation, above zero.

    Raises:
        ValueError: If the network's shape does not allow it, or features of the first layer are
            linearly dependent.
    """
    shapes = [layer.shape for layer in jax.eval_shape(network.init, key)]
    _require_shape(network, shapes, len(inputs), gamma)
    keys = jax.random.split(key, len(shapes))
    uppers = [orthogonal()(k, shape) for k, shape in zip(keys[2:], shapes[2:], strict=True)]
    second = jax.random.normal(keys[1], shapes[1]) / math.sqrt(math.prod(shapes[1]))
    weights = (network.init(keys[0])[0], second, *uppers)
    scale = _least_scale(network, weights, inputs, targets, gamma)
    quiet = SILENCE / scale ** len(uppers)
    return (weights[0], quiet * second, *(scale * layer for layer in uppers))


def _require_shape(
    network: Network, shapes: Sequence[tuple[int, ...]], samples: int, gamma: float
) -> None:
    dense = len(shapes) > 2 and all(len(shape) == 2 for shape in shapes)
    falls = dense and all(fan_in >= fan_out for fan_in, fan_out in shapes[2:])
    if not falls or shapes[0][1] < samples or not 0 < gamma <= 1:
        raise refusal(
            f"a first layer of {samples} units or more, then widths that do not grow, three layers "
            "in all, and gamma in (0, 1]",
            f"{network.name} and gamma {gamma}",
            "widen the first layer, or take fewer samples",
        )


def _least_scale(
    network: Network, weights: Weights, inputs: Array, targets: Array, gamma: float
) -> float:
    """The least t of the upper layers for which the left side exceeds the right one.

    The left side is s_N(Z_1) t^(L-2) min(s_N(Z_1)/|X|, t), which both terms must make large enough.
    """
    flat = np.asarray(inputs).reshape(len(inputs), -1)
    features = np.asarray(network.hidden(weights, inputs)[0])
    least = np.linalg.svd(features, compute_uv=False)[len(flat) - 1]
    if not least > 0:
        raise refusal("independent features of the first layer", "s_N(Z_1) = 0", "widen it")
    upper, size = len(weights) - 2, np.linalg.norm(flat, ord=2)
    right = SLACK * 16 * (2 / gamma) ** upper * float(jnp.linalg.norm(targets))
    return float(
        max((right / least) ** (1 / (upper + 1)), (right * size / least**2) ** (1 / upper))
    )
