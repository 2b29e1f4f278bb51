"""Any flax module as a network: its homogeneity is tested, not believed.

    network = from_flax(module, inputs)        the module's parameters, moved like our own networks

A network's weights are the module's parameters, one array each in the order in which a forward pass
first computes with them. Each is multiplied by 2 and by 1/2, at random parameters and in double
precision, and the outputs must grow by one power of the factor: its degree
(`models.network.Network`, `models.scaling`). One for a dense layer or a convolution without bias;
zero below a layer norm without epsilon; T for a module that is called T times. A bias, a batch
norm, an activation with a scale of its own fail the test, and the array is named; outputs that
scale with no array at all have no radius either.

What layers see, ``hidden`` and ``features``, is what the modules that own the arrays are called
with. It is refused where that says nothing: where one module owns several arrays beside biases, or
holds others that own some.

Modules with other state than parameters (batch statistics), and such as need a random key
(dropout), are refused. Where kinks are is not known: flows treat the network as a ReLU network
unless it is said to be ``smooth``, and observables of units refuse it.

Limits: the test is made at a few inputs. A module that scales there and not elsewhere passes.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NoReturn

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Array, ArrayLike

from . import flax_arrays
from .binding import bind
from .checks import expect, refusal
from .flax_arrays import Path
from .network import Network, Weights
from .scaling import drawn, equal, scaling


def from_flax(
    module: nn.Module,
    inputs: ArrayLike,
    *,
    smooth: bool = False,
    require_homogeneous: bool = True,
) -> Network:
    """A flax module as a network.

    Args:
        module: Maps ``[samples, ...]`` to one array ``[samples, outputs]``, by its ``__call__``.
            Its attributes can be hashed: tuples, not lists.
        inputs: Inputs of the shape that it takes, ``[samples, ...]``, two samples or more; only
            their shape counts.
        smooth: Whether outputs are continuously differentiable in the parameters.
        require_homogeneous: Whether to refuse a module that is not positively homogeneous in every
            parameter array. If not, such a network has no polar coordinates and moves in its
            weights, by ``normalisation.free()``.

    Returns:
        The network; equal modules and shapes return the same object.

    Raises:
        ValueError: If it is no flax module; if it is not homogeneous, with the array named; if it
            has other state than parameters, needs a random key or more than one input, gives more
            than one output array, computes in another precision than its inputs', or its samples
            depend on each other.

    >>> import jax.numpy as jnp
    >>> class Pair(nn.Module):
    ...     @nn.compact
    ...     def __call__(self, x):
    ...         return nn.Dense(1, use_bias=False)(nn.relu(nn.Dense(8, use_bias=False)(x)))
    >>> network = from_flax(Pair(), jnp.ones((2, 5)))
    >>> [layer.shape for layer in network.init(jax.random.key(0))], network.degrees
    ([(5, 8), (8, 1)], (1, 1))
    """
    _require_module(module)
    shape = np.shape(inputs)
    if len(shape) < 2 or shape[0] < 2:
        raise refusal("inputs [samples, ...] of two samples or more", shape, "pass some inputs")
    network = _from_flax(module, (2, *shape[1:]), smooth)
    if require_homogeneous and network.inhomogeneity:
        raise refusal(
            "a flax module that is positively homogeneous in every array",
            f"{type(module).__name__}, where {network.inhomogeneity}",
            "leave biases and norms with parameters out, or pass require_homogeneous=False",
        )
    return network


def _require_module(module: nn.Module) -> None:
    remedy = "pass an instance, from_flax(MyModule(), inputs); nnx modules are of another kind"
    expect(module, nn.Module, "a flax.linen module", remedy)
    try:
        hash(module)
    except TypeError as error:
        raise refusal(
            "a flax module that can be hashed",
            f"{type(module).__name__} with a list or an array among its attributes",
            "pass tuples, as in nn.Sequential((first, nn.relu, last))",
        ) from error


@functools.cache
def _from_flax(module: nn.Module, shape: tuple[int, ...], smooth: bool) -> Network:
    paths = flax_arrays.array_paths(module, shape)
    degrees, signed, why = _tested(module, paths, shape)
    name, unseen = f"flax {type(module).__name__}", flax_arrays.why_unseen(module, paths, shape)
    refused = bind(_refuse_layers, name, unseen)
    return Network(
        name=name,
        init=bind(flax_arrays.init, module, paths, shape),
        apply=bind(flax_arrays.apply, module, paths),
        features=refused if unseen else bind(flax_arrays.features, module, paths),
        hidden=refused if unseen else bind(flax_arrays.hidden, module, paths),
        smooth=smooth,
        degrees=degrees,
        signed=signed,
        inhomogeneity=why,
    )


def _tested(
    module: nn.Module, paths: tuple[Path, ...], shape: tuple[int, ...]
) -> tuple[tuple[int, ...], int | None, str]:
    """The degree of each array, one that carries the outputs' sign, and why there is no degree."""
    with jax.enable_x64(True):
        shapes = flax_arrays.shapes_of(module, paths, shape)
        apply = jax.jit(bind(flax_arrays.apply, module, paths))
        _require_separate(apply, *drawn(shapes, shape[1:], 0))
        degrees, signs = scaling(apply, shapes, shape[1:])
    if not degrees:
        return (), None, "the output vanishes at random parameters, or is no number"
    if None in degrees:
        return (), None, f"the output does not scale with '{'.'.join(_culprit(paths, degrees))}'"
    if not any(degrees):
        return (), None, "the output does not grow with any array"
    signed = max((number for number, turns in enumerate(signs) if turns), default=None)
    return tuple(degree for degree in degrees if degree is not None), signed, ""


def _culprit(paths: tuple[Path, ...], degrees: Sequence[int | None]) -> Path:
    """The array to blame: what spoils a layer's scale spoils that of all before it, so the last."""
    spoilt = [path for path, degree in zip(paths, degrees, strict=True) if degree is None]
    return min(
        (path for path in spoilt if path[:-1] == spoilt[-1][:-1]),
        key=lambda path: path[-1] != "bias",
    )


def _require_separate(apply: Callable[..., Array], weights: Weights, inputs: Array) -> None:
    whole, half = apply(weights, inputs), apply(weights, inputs[:4])
    if whole.shape[0] != len(inputs) or not equal(whole[:4], half):
        raise refusal(
            "a module that maps each sample by itself",
            f"outputs {whole.shape} of inputs {inputs.shape} that depend on the batch",
            "use models.mlp or convnet with batch_norm=True for batch norm",
        )


def _refuse_layers(name: str, why: str, weights: Weights, inputs: Array) -> NoReturn:
    del weights, inputs
    raise refusal(
        "a module whose layers are known, for what they see",
        f"{name}, where {why}",
        "give each array a module of its own, such as nn.Dense, that is called with what it sees",
    )
