"""The convolutional networks of the documents, and narrow versions of each for a laptop.

| function | document | layers | weights at 32x32x3, 2 outputs |
|---|---|---|---|
| `dyn_six_layers` | [Dyn] section 5 | 32-64-128-128, 1024-2 | 3,519,328 |
| `dyn_three_layers` | [Dyn] Fig. 7 | 32-64, 2, not overlapping | 20,448 |
| `m117_four_layers` | [M117] section 4 | 32-64-128 with batch norm, 2 | 97,120 |
| `m112_four_layers` | [M112] section 5 | 32-64-128 with or without it, 2 | 97,120 |
| `ncwd_five_layers` | [NCWD] section 4 | 32-64-128-128, outputs | 241,504 |

All kernels are 3x3 and nothing has a bias. **What the documents do not state** is ours, and every
function takes ``strides``, ``padding`` and whatever else `convnet` takes: strides 2, 1, 1, 2
without padding for the six layers, the ones that give the 3200 inputs of the dense layer that
[Dyn] states; stride 2 with padding for the others; for [NCWD] the channels, too. [Dyn] counts
3,519,335 parameters: these weights, one gain for each of six layers, and rho.

``divide`` divides channels and hidden widths; with small images (16x16) the networks then train on
two cores in minutes.
"""

from collections.abc import Sequence
from typing import Any

from .checks import refusal
from .convnet import convnet
from .network import Network

CIFAR = (32, 32, 3)


def dyn_six_layers(
    image: Sequence[int] = CIFAR, outputs: int = 2, *, divide: int = 1, **options: Any
) -> Network:
    """Four convolutions and two dense layers, the network of most figures of [Dyn].

    Args:
        image: Height, width and channels of the inputs.
        outputs: Two in the document.
        divide: Divides channels and the hidden width.
        **options: Of `convnet`.

    >>> import jax
    >>> sum(w.size for w in jax.eval_shape(dyn_six_layers().init, jax.random.key(0)))
    3519328
    """
    options = {"strides": (2, 1, 1, 2), **options}
    channels = _divided((32, 64, 128, 128), divide)
    return convnet(image, channels, _divided((1024,), divide), outputs, **options)


def dyn_three_layers(
    image: Sequence[int] = CIFAR, outputs: int = 2, *, divide: int = 1, **options: Any
) -> Network:
    """Two convolutions whose patches do not overlap, and the outputs: about 20,000 weights.

    Arguments are those of `dyn_six_layers`.
    """
    return convnet(image, _divided((32, 64), divide), (), outputs, **{"strides": 3, **options})


def m117_four_layers(
    image: Sequence[int] = CIFAR, outputs: int = 2, *, divide: int = 1, **options: Any
) -> Network:
    """Three convolutions with batch norm, and the outputs.

    Arguments are those of `dyn_six_layers`.
    """
    return m112_four_layers(image, outputs, divide=divide, **{"batch_norm": True, **options})


def m112_four_layers(
    image: Sequence[int] = CIFAR, outputs: int = 2, *, divide: int = 1, **options: Any
) -> Network:
    """Three convolutions and the outputs; ``batch_norm=True`` for [M112] Figs. 1-9.

    Arguments are those of `dyn_six_layers`.
    """
    options = {"strides": 2, "padding": "same", **options}
    return convnet(image, _divided((32, 64, 128), divide), (), outputs, **options)


def ncwd_five_layers(
    image: Sequence[int] = CIFAR, outputs: int = 10, *, divide: int = 1, **options: Any
) -> Network:
    """Four convolutions and the outputs.

    Arguments are those of `dyn_six_layers`.
    """
    options = {"strides": 2, "padding": "same", **options}
    return convnet(image, _divided((32, 64, 128, 128), divide), (), outputs, **options)


def _divided(widths: tuple[int, ...], divide: int) -> tuple[int, ...]:
    if divide < 1 or any(width % divide for width in widths):
        raise refusal(f"a divisor of {widths}", divide, "pass 1, 2, 4, 8, 16 or 32")
    return tuple(width // divide for width in widths)
