"""Weights that another program trained, as weights of one of our networks.

    weights = foreign_weights(network, torch_module.state_dict())
    point = to_polar(weights, network=network)

What comes is a sequence of arrays in forward order, in our layout, or a mapping of names to arrays,
nested or flat. The last part of a name tells the layout:

    kernel    flax: dense [in, out], convolution [height, width, in, out], as ours
    weight    PyTorch: dense [out, in], convolution [out, in, height, width]

PyTorch flattens images with channels first, we with channels last: a dense layer behind a
convolution is reordered, both ways, where the network tells its layers; a network of a flax module
does not, and PyTorch's convolutions are refused for it. `torch_weights` goes back.

Layers come in the mapping's own order; where names differ in their numbers only (``Dense_2``,
``Dense_10``), in the order of these. ``jax.tree.map`` and JSON sort a mapping by its names: where
the names stand sorted, those that differ in their numbers only are put back in the order of these,
and layers of one shape under different names are refused, since nothing tells which comes first.
``order`` names it. Biases that are zero are dropped. Whatever else is in the mapping is refused by
name: a network without it would compute something else.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .checks import expect, refusal
from .layers import is_masked, is_of_pairs
from .network import Network, Weights


class _Named(NamedTuple):
    """An array of a mapping, and the path of names that leads to it."""

    name: str
    array: np.ndarray


def foreign_weights(
    network: Network,
    source: Sequence[Any] | Mapping[str, Any],
    order: Sequence[str] | None = None,
) -> Weights:
    """Weights of another program as weights of this network.

    Args:
        network: The network that they are weights of.
        source: Arrays in forward order, a PyTorch ``state_dict()`` (or what ``numpy.savez`` keeps
            of it), or flax parameters. Anything that ``numpy.asarray`` takes is an array.
        order: The layers' names in forward order, nested ones joined by dots, where the mapping's
            own order is not it.

    Returns:
        One array per layer, in the default floating type.

    Raises:
        ValueError: If a layer's shape does not fit, there are too many or too few, a bias is not
            zero, a name is not understood, the layers' order is not known, a number is not real and
            finite, or is not zero off the diagonal of a masked layer.

    >>> from .mlp import mlp
    >>> state = {"0.weight": np.ones((4, 3)), "2.weight": np.ones((1, 4))}
    >>> [layer.shape for layer in foreign_weights(mlp((3, 4, 1)), state)]
    [(3, 4), (4, 1)]
    """
    expect(network, Network, "a network", "pass for example models.mlp((64, 32, 1))")
    if isinstance(source, Mapping):
        found = _layers(source)
        named = _in_order(found) if order is None else _named_in(order, found)
        _require_layers(network, [one for one in named if _kind(one.name) == "weight"])
        images = _flattened_images(network, len(named))
        layers = [_in_our_layout(*pair) for pair in zip(named, images, strict=True)]
    else:
        layers = _listed(source, order)
    _require_shapes(network, layers)
    _require_finite(layers)
    _require_masked(network, layers)
    return tuple(jnp.asarray(layer, float) for layer in layers)


def torch_weights(network: Network, weights: Weights) -> tuple[np.ndarray, ...]:
    """Weights of a network in PyTorch's layout: dense [out, in], kernels [out, in, height, width].

    Args:
        network: Whose weights they are.
        weights: One array per layer, dense or of a convolution.

    Returns:
        Arrays in forward order; what flattens images reads them with channels first.

    Raises:
        ValueError: If the network is a tree, whose kernels have no layout there, or of a flax
            module with convolutions, whose flattened images are not known.

    >>> from .mlp import mlp
    >>> torch_weights(mlp((3, 4, 1)), (np.ones((3, 4)), np.ones((4, 1))))[0].shape
    (4, 3)
    """
    if any(map(is_of_pairs, network.layers)):
        remedy = "take the arrays as they are, [2, in, out] or [pairs, 2, in, out]"
        raise refusal("dense layers and convolutions", network.name, remedy)
    _require_layers(network, [_Named("", np.asarray(layer)) for layer in weights])
    images = _flattened_images(network, len(weights))
    return tuple(_in_torch_layout(*pair) for pair in zip(weights, images, strict=True))


def _in_torch_layout(layer: Any, image: tuple[int, ...] | None) -> np.ndarray:
    array = np.asarray(layer)
    if array.ndim == 4:
        return np.ascontiguousarray(array.transpose(3, 2, 0, 1))
    if image is not None:
        array = array.reshape(*image, -1).transpose(2, 0, 1, 3).reshape(array.shape)
    return np.ascontiguousarray(array.T)


def _flattened_images(network: Network, count: int) -> list[tuple[int, ...] | None]:
    """Height, width and channels of the image that each layer flattens; None where it does not."""
    images: list[tuple[int, ...] | None] = [None] * count
    pairs = list(itertools.pairwise(network.layers)) if len(network.layers) == count else []
    for number, (below, layer) in enumerate(pairs, 1):
        if len(below.gives) == 3 and len(layer.reads) == 1:
            images[number] = below.gives
    return images


def _require_layers(network: Network, arrays: list[_Named]) -> None:
    """Kernels and dense layers of PyTorch's need the image that lies between them."""
    ranks = {named.array.ndim for named in arrays}
    if not network.layers and {2, 4} <= ranks:
        raise refusal(
            "a network that tells which image a dense layer flattens, for PyTorch's channels",
            f"one of a flax module, {network.name}",
            "pass models.convnet(...), or arrays in forward order that are reordered already",
        )


def _layers(source: Mapping[str, Any]) -> list[_Named]:
    """The mapping's arrays without its biases, which must be zero."""
    arrays = list(_flat(source))
    for named in arrays:
        kind = _kind(named.name)
        if kind == "bias" and np.any(named.array):
            raise refusal(
                "networks without biases",
                f"'{named.name}' with entries up to {np.max(np.abs(named.array)):.3g}",
                "train without biases, or append a constant input (models.append_constant)",
            )
        if kind not in ("bias", "kernel", "weight"):
            raise refusal(
                "names that end in 'kernel' (flax) or 'weight' (PyTorch)",
                f"'{named.name}'",
                "leave out what is no layer, or pass the layers as a tuple in forward order",
            )
    return [named for named in arrays if _kind(named.name) != "bias"]


def _flat(source: Mapping[str, Any], prefix: str = "") -> Iterator[_Named]:
    for key, value in source.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield _Named(name, np.asarray(value))


def _kind(name: str) -> str:
    return re.split(r"[./]", name)[-1]


def _listed(source: Any, order: Sequence[str] | None) -> list[np.ndarray]:
    """Arrays that have no names."""
    if order is not None or not isinstance(source, Iterable):
        raise refusal(
            "arrays in forward order, or a mapping of names to arrays",
            f"a {type(source).__name__}" + ("" if order is None else f" and the order {order}"),
            "pass for example (first, second), or module.state_dict()",
        )
    return [np.asarray(layer) for layer in source]


def _in_order(layers: list[_Named]) -> list[_Named]:
    """As they came, or by the numbers in their names where the mapping's order says nothing."""
    patterns = [re.sub(r"\d+", "#", layer.name) for layer in layers]
    if len(set(patterns)) == 1:
        return sorted(layers, key=_numbers)
    if not _stand_sorted([layer.name for layer in layers]):
        return layers
    _require_shapes_to_tell(layers, patterns)
    alike: dict[str, list[_Named]] = {pattern: [] for pattern in patterns}
    for layer, pattern in zip(layers, patterns, strict=True):
        alike[pattern].append(layer)
    next_of = {pattern: iter(sorted(group, key=_numbers)) for pattern, group in alike.items()}
    return [next(next_of[pattern]) for pattern in patterns]


def _numbers(layer: _Named) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", layer.name)]


def _stand_sorted(names: list[str]) -> bool:
    """Whether names stand in the order of a text, level by level or as a whole."""
    return names in (sorted(names), sorted(names, key=lambda name: name.split(".")))


def _require_shapes_to_tell(layers: list[_Named], patterns: list[str]) -> None:
    """Refuses layers of one shape whose names differ in more than numbers."""
    seen: dict[tuple[int, ...], tuple[str, str]] = {}
    for layer, pattern in zip(layers, patterns, strict=True):
        first, name = seen.setdefault(layer.array.shape, (pattern, layer.name))
        if first != pattern:
            raise refusal(
                "layers whose order is known",
                f"names sorted as text, '{name}' and '{layer.name}' both {layer.array.shape}",
                "pass order=, their names in forward order",
            )


def _named_in(order: Sequence[str], layers: list[_Named]) -> list[_Named]:
    by_name = {layer.name: layer for layer in layers}
    if sorted(order) != sorted(by_name):
        raise refusal(f"each of {sorted(by_name)} once in order", list(order), "name every layer")
    return [by_name[name] for name in order]


def _in_our_layout(named: _Named, image: tuple[int, ...] | None) -> np.ndarray:
    if _kind(named.name) == "kernel":
        return named.array
    if image is not None and named.array.ndim == 2:
        height, width, channels = image
        rows = named.array.T.reshape(channels, height, width, -1)
        return rows.transpose(1, 2, 0, 3).reshape(named.array.T.shape)
    axes = {2: (1, 0), 4: (2, 3, 1, 0)}.get(named.array.ndim)
    if axes is None:
        raise refusal(
            "a matrix or a kernel of two dimensions",
            f"'{named.name}' of shape {named.array.shape}",
            "pass the layers as a tuple in forward order",
        )
    return named.array.transpose(axes)


def _require_shapes(network: Network, layers: Sequence[np.ndarray]) -> None:
    expected = [layer.shape for layer in jax.eval_shape(network.init, jax.random.key(0))]
    came = [layer.shape for layer in layers]
    if came != expected:
        raise refusal(
            f"layers {expected} for {network.name}",
            f"{came}",
            "choose the network that was trained; a tuple's matrices are [fan_in, fan_out]",
        )


def _require_masked(network: Network, layers: Sequence[np.ndarray]) -> None:
    for number, (layer, array) in enumerate(zip(network.layers, layers, strict=False)):
        if is_masked(layer) and np.any(array[~np.eye(len(array), dtype=bool)]):
            raise refusal(
                f"zeros off the diagonal of layer {number} of {network.name}",
                "others",
                "pass numpy.diag(numpy.diagonal(layer)), or take models.mlp",
            )


def _require_finite(layers: Sequence[np.ndarray]) -> None:
    for number, layer in enumerate(layers):
        real = any(jnp.issubdtype(layer.dtype, kind) for kind in (jnp.floating, jnp.integer))
        if not real or not np.all(np.isfinite(layer)):
            got = "others" if real else f"numbers of type {layer.dtype}"
            raise refusal("finite real weights", f"layer {number} with {got}", "train it anew")
