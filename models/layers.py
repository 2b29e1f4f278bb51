"""What networks are made of: layers, each one weight array and a map that is linear in it.

    z = map(W, h),    h' = activation(z)

A layer is a *static* description: the shape of W, the map, the activation. Since the map is linear
in W and the activation positively homogeneous, the output scales with every layer's norm, unless
something after it takes scales away (batch norm) or adds what did not scale (a residual sum).

| constructor | W | map |
|---|---|---|
| `dense` | ``[fan_in, fan_out]`` | W^T h, of the input made flat |
| `convolution` | ``[height, width, in, out]`` | a kernel that passes over images |
| `pairs` | ``[2, in, out]``, or ``[pairs, 2, in, out]`` | a kernel of two in steps of two: trees |
| `masked` | ``[width, width]``, zero off the diagonal | as dense; the mask takes gradients away |

`Layer.gain` is the most that |z| can be of |W| |h|, with Frobenius norms: one, but for kernels
whose patches overlap (`models.convolution.overlap`).

Source: [Dyn] sections 3.1 and 4; [M112] H.3 (diagonal networks).
"""

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from .activations import Activation, linear
from .batch_norm import BatchNorm
from .binding import bind
from .checks import refusal
from .convolution import Shape, Window, convolve, overlap, patches
from .initialisations import Initialisation

Values = Float[Array, "samples ..."]


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer, without its weights.

    Attributes:
        shape: Of the weights.
        reads: The shape of one sample's input; ``(n,)`` takes any input of n numbers.
        gives: The shape of one sample's output.
        map: ``map(weights, inputs) -> values``, linear in both.
        sizes: ``sizes(weights, inputs)`` like values: the most that each could be, |row| |h|.
        draw: ``draw(initialisation, key) -> weights``.
        gain: The largest |values| / (|weights| |inputs|).
        activation: Applied to the values.
        batch_norm: Standardises the values before the activation; None for not.
        adds: How many layers back the output stands that is added to the values (`residual`); 0
            for none.
    """

    shape: tuple[int, ...]
    reads: tuple[int, ...]
    gives: tuple[int, ...]
    map: Callable[[Array, Values], Values]
    sizes: Callable[[Array, Values], Values]
    draw: Callable[[Initialisation, Key[Array, ""]], Array]
    gain: float = 1.0
    activation: Activation = linear
    batch_norm: BatchNorm | None = None
    adds: int = 0


def dense(fan_in: int, fan_out: int) -> Layer:
    """Every output sees every input."""
    shape = (fan_in, fan_out)
    return Layer(shape, (fan_in,), (fan_out,), _product, _norms, bind(_whole, shape))


def is_dense(layer: Layer) -> bool:
    """Whether every output sees every input by a weight of its own.

    >>> is_dense(dense(3, 2)), is_dense(masked(3))
    (True, False)
    """
    return layer.map is _product


def is_masked(layer: Layer) -> bool:
    """Whether entries of the weights are no parameters, and stay zero.

    >>> is_masked(masked(3)), is_masked(dense(3, 3))
    (True, False)
    """
    return layer.map is _product_of_diagonal


def is_of_pairs(layer: Layer) -> bool:
    """Whether the weights are kernels of two, of a tree.

    >>> is_of_pairs(pairs(2, 1, 1, shared=True)), is_of_pairs(dense(3, 3))
    (True, False)
    """
    return layer.map is _paired


def pooled(image: Shape, fan_out: int) -> Layer:
    """A dense layer that sees the average over an image's pixels, ``[channels]``."""
    shape = (image.channels, fan_out)
    return Layer(
        shape, image, (fan_out,), _product_of_means, _norms_of_means, bind(_whole, shape),
        gain=1 / math.sqrt(image.height * image.width),
    )  # fmt: skip


def convolution(image: Shape, channels: int, kernel: int, over: Window) -> Layer:
    """A square kernel that passes over images.

    Args:
        image: Height, width and channels of the inputs.
        channels: Of the outputs.
        kernel: Its height and width.
        over: Stride, padding and method, see `models.convolution`.

    Raises:
        ValueError: If the kernel is larger than the images.
    """
    rows, columns = patches(image, kernel, over)
    if min(rows, columns) < 1:
        raise refusal(
            f"images of at least {kernel} x {kernel} for this kernel",
            f"{image.height} x {image.width}",
            "take larger images, fewer layers, smaller strides or padding='same'",
        )
    shape = (kernel, kernel, image.channels, channels)
    return Layer(
        shape, image, (rows, columns, channels), bind(_convolved, over),
        bind(_norms_of_patches, over), bind(_whole, shape), gain=overlap(kernel, over),
    )  # fmt: skip


def pairs(count: int, fan_in: int, fan_out: int, shared: bool) -> Layer:
    """A kernel of two that steps by two: ``count`` pairs of nodes, each becomes one node.

    Args:
        count: How many pairs; nodes ``[2 count, fan_in]`` become ``[count, fan_out]``.
        fan_in: Channels of a node.
        fan_out: Channels of what a pair becomes.
        shared: Whether all pairs share one kernel, or each has its own.
    """
    shape = (2, fan_in, fan_out) if shared else (count, 2, fan_in, fan_out)
    return Layer(
        shape, (2 * count * fan_in,), (count, fan_out), _paired, _norms_of_pairs,
        bind(_whole if shared else _each, shape),
    )  # fmt: skip


def masked(width: int) -> Layer:
    """A square layer whose entries off the diagonal are no parameters: they stay zero."""
    shape = (width, width)
    return Layer(
        shape, (width,), (width,), _product_of_diagonal, _norms_of_diagonal, bind(_diagonal, width)
    )


def shortcut(images: Values, shape: tuple[int, ...]) -> Values:
    """What a residual sum adds: the images themselves, every other pixel where they shrink.

    Channels that are new are zero: the shortcut without weights of He et al., "Deep residual
    learning for image recognition" (2016), option A.

    Args:
        images: ``[samples, height, width, channels]``, or ``[samples, units]``.
        shape: Of one sample of the sum.
    """
    steps = [-(-own // new) for own, new in zip(images.shape[1:-1], shape[:-1], strict=True)]
    shrunk = images[(slice(None), *(slice(None, None, step) for step in steps))]
    missing = shape[-1] - images.shape[-1]
    return jnp.pad(shrunk, ((0, 0),) * (images.ndim - 1) + ((0, missing),))


def _whole(shape: tuple[int, ...], initialisation: Initialisation, key: Key[Array, ""]) -> Array:
    return initialisation(key, shape)


def _each(shape: tuple[int, ...], initialisation: Initialisation, key: Key[Array, ""]) -> Array:
    keys = jax.random.split(key, shape[0])
    return jax.vmap(lambda own: initialisation(own, shape[1:]))(keys)


def _diagonal(width: int, initialisation: Initialisation, key: Key[Array, ""]) -> Array:
    return jnp.diag(initialisation(key, (1, width))[0])


def _product(weights: Array, inputs: Values) -> Values:
    return inputs.reshape(inputs.shape[0], -1) @ weights


def _norms(weights: Array, inputs: Values) -> Values:
    return _lengths(inputs.reshape(inputs.shape[0], -1), 1) * _lengths(weights, 0)


def _product_of_means(weights: Array, inputs: Values) -> Values:
    return jnp.mean(inputs, axis=(1, 2)) @ weights


def _norms_of_means(weights: Array, inputs: Values) -> Values:
    return _norms(weights, jnp.mean(inputs, axis=(1, 2)))


def _convolved(over: Window, weights: Array, inputs: Values) -> Values:
    return convolve(inputs, weights, over)


def _norms_of_patches(over: Window, weights: Array, inputs: Values) -> Values:
    ones = jnp.ones((*weights.shape[:3], 1), weights.dtype)
    units = _lengths(weights.reshape(-1, weights.shape[-1]), 0)
    return _root(convolve(inputs**2, ones, over)) * units[None, None]


def _paired(weights: Array, inputs: Values) -> Values:
    kernels = _kernels_of_pairs(weights)
    together = inputs.reshape(inputs.shape[0], -1, kernels.shape[-2])
    if len(kernels) == 1:
        return together @ kernels[0]
    return jnp.einsum("npi,pio->npo", together, kernels)


def _norms_of_pairs(weights: Array, inputs: Values) -> Values:
    kernels = _kernels_of_pairs(weights)
    together = inputs.reshape(inputs.shape[0], -1, kernels.shape[-2])
    return _lengths(together, -1) * jnp.swapaxes(_lengths(kernels, -2), 0, 1)


def _kernels_of_pairs(weights: Array) -> Float[Array, "kernels two_in out"]:
    """Each kernel as a matrix; a shared one alone."""
    return weights.reshape(-1, 2 * weights.shape[-2], weights.shape[-1])


def _product_of_diagonal(weights: Array, inputs: Values) -> Values:
    return inputs.reshape(inputs.shape[0], -1) * jnp.diagonal(weights)[None]


def _norms_of_diagonal(weights: Array, inputs: Values) -> Values:
    return jnp.abs(_product_of_diagonal(weights, inputs))


def _lengths(array: Array, axis: int) -> Array:
    """Euclidean norms along an axis, which stays with length one."""
    return _root(jnp.sum(array**2, axis=axis, keepdims=True))


def _root(squares: Array) -> Array:
    """Square roots whose derivative at zero is zero."""
    some = squares > jnp.finfo(squares.dtype).tiny
    return jnp.where(some, jnp.sqrt(jnp.where(some, squares, 1)), 0)
