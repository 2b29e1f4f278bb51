"""Convolutional networks without biases: kernels that pass over images, then dense layers.

    f_W(x) = W_L s(W_{L-1} ... s(K_2 * s(K_1 * x)))

Norms are those of the *kernels*, not of the matrices that convolutions are: every layer is then
positively homogeneous of degree one, and f_W = rho f_V with rho the product of the kernels' norms.
But |f_V(x)| <= |x| no longer holds where patches overlap: each such layer can give ceil(kernel /
stride) times as much (`Network.output_bound`). Images are ``[samples, height, width, channels]``.

Source: [Dyn] sections 3.1 and 4; [M117] section 4.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .activations import Activation, relu
from .batch_norm import BatchNorm
from .checks import counts, refusal
from .convolution import Shape, image_shape, window
from .feed_forward import activated, feed_forward
from .initialisations import Initialisation, lecun
from .layers import Layer, convolution, dense
from .network import Network


def convnet(
    image: Sequence[int],
    channels: Sequence[int],
    dense_widths: Sequence[int] = (),
    outputs: int = 2,
    *,
    kernel: int = 3,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    linear_layers: int = 0,
    initialisation: Initialisation | None = None,
    activation: Activation = relu,
    batch_norm: BatchNorm | bool = False,
    method: str = "auto",
) -> Network:
    """A bias-free convolutional network.

    Args:
        image: Height, width and channels of the inputs.
        channels: Of each convolution.
        dense_widths: Of the dense layers between convolutions and outputs.
        outputs: One is returned as ``[samples]``, several as ``[samples, outputs]``.
        kernel: Height and width of every kernel.
        strides: Of all convolutions, or of each.
        padding: ``"valid"`` for none, ``"same"`` for ceil(side / stride) patches.
        linear_layers: How many of the last hidden layers are linear.
        initialisation: Draws each layer, `lecun` unless given.
        activation: Of the other hidden layers, see `models.activations`.
        batch_norm: After every hidden layer's product, as in `mlp`.
        method: How convolutions are computed, see `models.convolution`.

    Returns:
        The network; equal arguments return the same object.

    Raises:
        ValueError: If a number is not positive, strides are too few or too many, a kernel is
            larger than the images that it would see, there is batch norm and no hidden layer, or a
            name is unknown.

    >>> import jax
    >>> network = convnet((8, 8, 1), (4, 6), (10,), strides=2)
    >>> [layer.shape for layer in network.init(jax.random.key(0))]
    [(3, 3, 1, 4), (3, 3, 4, 6), (6, 10), (10, 2)]
    """
    size, planes = image_shape(image), counts(channels, "channels")
    layers: list[Layer] = []
    for count, stride in zip(planes, _strides(strides, len(planes)), strict=True):
        over = window(size, kernel, stride, padding, method)
        layers.append(convolution(size, count, kernel, over))
        size = Shape(*layers[-1].gives)
    width = size.size
    for count in (*counts(dense_widths, "dense_widths"), *counts((outputs,), "outputs")):
        layers.append(dense(width, count))
        width = count
    return feed_forward(
        _name(tuple(image), planes, (*dense_widths, outputs)),
        activated(layers, activation, linear_layers, batch_norm),
        initialisation or lecun(),
    )


def _name(*sizes: tuple[int, ...]) -> str:
    image, *rest = sizes
    parts = ["x".join(map(str, image)), *("-".join(map(str, widths)) for widths in rest if widths)]
    return f"convnet {', '.join(parts)}"


def _strides(strides: int | Sequence[int], count: int) -> tuple[int, ...]:
    each: Any = (strides,) * count if np.ndim(strides) == 0 else strides
    own = counts(each, "strides")
    if len(own) != count:
        raise refusal(f"one stride for each of {count} convolutions", own, "pass one number")
    return own
