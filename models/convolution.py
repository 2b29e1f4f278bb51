"""Convolution without bias, computed in whichever way is fast where it runs.

    z[n, p, q, j] = sum_{a, b, i} K[a, b, i, j] h[n, s p + a, s q + b, i]

with kernel K ``[height, width, in, out]``, stride s, and zeros around the images where there is
padding. Two ways give the same numbers up to round-off:

- ``"slices"``: one strided slice of the images for each place (a, b) of the kernel, side by side,
  and one product of matrices. It holds (kernel / stride)^2 times the images in memory.
- ``"library"``: ``jax.lax.conv_general_dilated``, which is cuDNN on a GPU. On a CPU its weight
  gradient is 50 times slower inside a compiled loop, where every run of ours takes place.

``"auto"`` takes slices on CPUs and on NVIDIA GPUs, where they were faster in every case that was
measured, alone and over members (`docs/networks.md`), and the library's elsewhere. This is decided
when a program is compiled for its device.

Source: the convolutional networks of [Dyn] section 3.1 and [M117] section 4.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .checks import counts, refusal, unknown

METHODS = ("auto", "slices", "library")

Images = Float[Array, "samples height width channels"]
Kernel = Float[Array, "height width in out"]


class Shape(NamedTuple):
    """The shape of one image."""

    height: int
    width: int
    channels: int

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return self.height * self.width * self.channels


class Window(NamedTuple):
    """How a kernel passes over images.

    Attributes:
        stride: Steps between neighbouring patches, the same in both directions.
        padding: Zeros ``((above, below), (left, right))``.
        method: One of `METHODS`.
    """

    stride: int = 1
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    method: str = "auto"


def image_shape(values: Sequence[int]) -> Shape:
    """Height, width and channels, checked.

    Raises:
        ValueError: If they are not three whole numbers above zero.
    """
    sizes = counts(values, "image")
    if len(sizes) != 3:
        raise refusal("image (height, width, channels)", sizes, "pass for example (32, 32, 3)")
    return Shape(*sizes)


def window(image: Shape, kernel: int, stride: int, padding: str, method: str) -> Window:
    """The window of a square kernel over images of a size.

    Args:
        image: The shape of the images.
        kernel: Height and width of the kernel.
        stride: Between patches.
        padding: ``"valid"`` for none, or ``"same"`` for ceil(side / stride) patches; an odd number
            of zeros has the extra one below and right, as in TensorFlow and flax. (PyTorch's
            ``padding=1`` differs from it at stride 2 and even sides.)
        method: One of `METHODS`.

    Raises:
        ValueError: If padding or method are unknown, or kernel or stride are not positive.
    """
    if padding not in ("valid", "same"):
        raise unknown("padding", padding, ("valid", "same"))
    if method not in METHODS:
        raise unknown("method of convolution", method, METHODS)
    counts((kernel, stride), "kernel and stride")
    if padding == "valid":
        return Window(stride, method=method)
    missing = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in image[:2]]
    above, left = (count // 2 for count in missing)
    return Window(stride, ((above, missing[0] - above), (left, missing[1] - left)), method)


def patches(image: Shape, kernel: int, over: Window) -> tuple[int, int]:
    """How many patches there are in each direction; not positive where the kernel does not fit."""
    rows, columns = (
        (n + sum(zeros) - kernel) // over.stride + 1
        for n, zeros in zip(image[:2], over.padding, strict=True)
    )
    return rows, columns


def overlap(kernel: int, over: Window) -> float:
    """The largest |z| / (|K| |h|) that a kernel can reach: ceil(kernel / stride) in two dimensions.

    A pixel lies in at most ceil(kernel / stride) patches in each direction, so that the images'
    norm counts at most the square of that: one where patches do not overlap.

    Source: theory, 1.6 and 9.5 ([Dyn] leaves it out of |f_V| <= |x|).
    """
    return float(math.ceil(kernel / over.stride))


def convolve(inputs: Images, kernel: Kernel, over: Window) -> Images:
    """Convolution as networks call it: the kernel is not flipped.

    Args:
        inputs: h.
        kernel: K.
        over: Stride, padding and method.
    """
    if over.method == "slices":
        return _slices(inputs, kernel, over)
    if over.method == "library":
        return _library(inputs, kernel, over)
    return jax.lax.platform_dependent(
        inputs,
        kernel,
        cpu=lambda h, k: _slices(h, k, over),
        cuda=lambda h, k: _slices(h, k, over),
        default=lambda h, k: _library(h, k, over),
    )


def _library(inputs: Images, kernel: Kernel, over: Window) -> Images:
    return jax.lax.conv_general_dilated(
        inputs,
        kernel,
        window_strides=(over.stride, over.stride),
        padding=over.padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _slices(inputs: Images, kernel: Kernel, over: Window) -> Images:
    height, width, fan_in, fan_out = kernel.shape
    padded = jnp.pad(inputs, ((0, 0), *over.padding, (0, 0)))
    rows, columns = (
        (n - k) // over.stride + 1 for n, k in zip(padded.shape[1:3], (height, width), strict=True)
    )

    def seen_by(a: int, b: int) -> Images:
        """The pixel that place (a, b) of the kernel sees, for every patch."""
        return jax.lax.slice(
            padded,
            (0, a, b, 0),
            (
                padded.shape[0],
                a + over.stride * (rows - 1) + 1,
                b + over.stride * (columns - 1) + 1,
                fan_in,
            ),
            (1, over.stride, over.stride, 1),
        )

    places = [seen_by(a, b) for a in range(height) for b in range(width)]
    columns_of_patches = jnp.concatenate(places, axis=-1)
    return columns_of_patches @ kernel.reshape(-1, fan_out)
