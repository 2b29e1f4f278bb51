"""ResNet20 without biases, with a head of dense layers: the backbone of [Wide].

A convolution of 3x3, then three groups of three blocks with 16, 32 and 64 channels; the first block
of a group but the first steps by two. A block is

    h' = s(N(K_b * s(N(K_a * h))) + shortcut(h)),

two convolutions and a shortcut without weights (`models.layers.shortcut`); then the average over
pixels and the head. N is batch norm without trained scale and shift. The convolutions are then of
degree zero, and rho is the product of the norms of the head's layers: the network moves in polar
coordinates.

**Without batch norm** a block adds to what scales with K_b what does not. f_W is then homogeneous
in the first convolution and in the head's layers, and in no convolution of a block; it has no
radius, and moves in its weights alone (`normalisation.free()`).

Source: He et al., "Deep residual learning for image recognition" (2016), 4.2; [Wide] section 6,
which does not say whether its batch norm has a trained scale and shift: ours has none.
"""

import dataclasses
import itertools
from collections.abc import Sequence

from .activations import relu
from .batch_norm import BatchNorm, as_batch_norm
from .checks import counts, refusal
from .convolution import Shape, image_shape, window
from .feed_forward import activated, feed_forward
from .initialisations import Initialisation, lecun
from .layers import Layer, convolution, dense, pooled
from .network import Network

CHANNELS, BLOCKS = (16, 32, 64), 3


def resnet20(
    image: Sequence[int],
    head: Sequence[int],
    *,
    linear_layers: int = 0,
    batch_norm: BatchNorm | bool = True,
    divide: int = 1,
    initialisation: Initialisation | None = None,
    method: str = "auto",
) -> Network:
    """ResNet20 with a head of nonlinear and linear layers.

    Args:
        image: Height, width and channels of the inputs.
        head: Widths of the dense layers after the average over pixels, the outputs last.
        linear_layers: How many of the head's hidden layers, the last ones, are linear.
        batch_norm: After every convolution; without it the network has no polar coordinates.
        divide: All channels are divided by it, for a laptop: 1, 2, 4, 8 or 16.
        initialisation: Draws each layer, `lecun` unless given.
        method: How convolutions are computed, see `models.convolution`.

    Raises:
        ValueError: If a number is not positive, the head is empty, or there are more linear layers
            than hidden ones in it.

    >>> network = resnet20((32, 32, 3), (64, 10), divide=4)
    >>> len(network.degrees), sum(network.degrees)
    (21, 2)
    """
    size, widths = image_shape(image), counts(head, "widths of the head")
    if not widths:
        raise refusal("widths of the head, the outputs last", widths, "pass for example (64, 10)")
    if divide not in (1, 2, 4, 8, 16):
        raise refusal("1, 2, 4, 8 or 16 to divide channels by", divide, "pass for example 4")
    trunk = _trunk(size, divide, as_batch_norm(batch_norm), method)
    layers = [*trunk, *_head(Shape(*trunk[-1].gives), widths, linear_layers)]
    suffix = "" if divide == 1 else f", channels / {divide}"
    name = f"resnet20 {'x'.join(map(str, size))}, head {'-'.join(map(str, widths))}{suffix}"
    return feed_forward(name, layers, initialisation or lecun())


def _trunk(image: Shape, divide: int, norm: BatchNorm | None, method: str) -> list[Layer]:
    layers: list[Layer] = []

    def add(channels: int, stride: int, adds: int) -> None:
        size = Shape(*layers[-1].gives) if layers else image
        over = window(size, 3, stride, "same", method)
        layer = convolution(size, channels, 3, over)
        layers.append(dataclasses.replace(layer, activation=relu, batch_norm=norm, adds=adds))

    add(CHANNELS[0] // divide, 1, 0)
    for group, channels in enumerate(CHANNELS):
        for block in range(BLOCKS):
            add(channels // divide, 2 if group and not block else 1, 0)
            add(channels // divide, 1, 2)
    return layers


def _head(image: Shape, widths: tuple[int, ...], linear_layers: int) -> list[Layer]:
    layers = [pooled(image, widths[0])]
    layers += [dense(low, high) for low, high in itertools.pairwise(widths)]
    return activated(layers, relu, linear_layers)
