"""Any flax module as a network: its homogeneity is tested, not believed.

    network = from_flax(module, inputs)        the module's parameters, moved like our own networks

A network's weights are the module's parameters, one array each in the order in which a forward pass
first uses them. Each is multiplied by 2 and by 1/2, at random parameters and in double precision,
and the outputs must grow by one power of the factor: its degree (`models.network.Network`). One for
a dense layer or a convolution without bias; zero below a layer norm without epsilon; T for a module
that is called T times. A bias, a batch norm, an activation with a scale of its own fail the test,
and the array is named.

Modules with other state than parameters (batch statistics), and such as need a random key
(dropout), are refused. Where kinks are is not known: flows treat the network as a ReLU network
unless it is said to be ``smooth``, and observables of units refuse it.

Limits: the test is made at a few inputs. A module that scales there and not elsewhere passes.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Key

from .binding import bind
from .checks import expect, refusal
from .network import Hidden, Network, Weights

Path = tuple[str, ...]
FACTORS, POWERS = (2.0, 0.5), range(9)
TOLERANCE = 1e-9
"""Of an output, relative to the largest, in double precision."""


def from_flax(
    module: nn.Module,
    inputs: ArrayLike,
    *,
    smooth: bool = False,
    require_homogeneous: bool = True,
) -> Network:
    """A flax module as a network.

    Args:
        module: Maps ``[samples, ...]`` to ``[samples, outputs]``, by its ``__call__``.
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
            has other state than parameters, needs a random key, or its samples depend on each
            other.

    >>> class Pair(nn.Module):
    ...     @nn.compact
    ...     def __call__(self, x):
    ...         return nn.Dense(1, use_bias=False)(nn.relu(nn.Dense(8, use_bias=False)(x)))
    >>> network = from_flax(Pair(), jnp.ones((2, 5)))
    >>> [layer.shape for layer in network.init(jax.random.key(0))], network.degrees
    ([(5, 8), (8, 1)], (1, 1))
    """
    expect(module, nn.Module, "a flax module", "pass an instance: from_flax(MyModule(), inputs)")
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


@functools.cache
def _from_flax(module: nn.Module, shape: tuple[int, ...], smooth: bool) -> Network:
    paths = _paths(module, shape)
    degrees, why = _tested(module, paths, shape)
    return Network(
        name=f"flax {type(module).__name__}",
        init=bind(_init, module, paths, shape),
        apply=bind(_apply, module, paths),
        features=bind(_features, module, paths),
        hidden=bind(_hidden, module, paths),
        smooth=smooth,
        degrees=() if why else degrees,
        inhomogeneity=why,
    )


def _paths(module: nn.Module, shape: tuple[int, ...]) -> tuple[Path, ...]:
    """Where each parameter array stands in the module's parameters, in the order of first use."""
    called: list[Path] = []

    def note(run: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        called.append(context.module.path)
        return run(*args, **kwargs)

    with nn.intercept_methods(note):
        try:
            variables = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros(shape))
        except Exception as error:
            remedy = "see flax's message above: no dropout, and inputs that fit"
            raise refusal("a module that one key initialises", repr(error), remedy) from error
    if set(variables) != {"params"}:
        others = sorted(set(variables) - {"params"})
        remedy = "leave batch norm out, or use models.mlp or convnet with batch_norm=True"
        raise refusal("a module with parameters only", f"also {others}", remedy)
    found = list(_leaves(variables["params"], ()))
    order = {path: number for number, path in reversed(list(enumerate(called)))}
    return tuple(sorted(found, key=lambda path: order.get(path[:-1], -1)))


def _leaves(tree: Mapping[str, Any], prefix: Path) -> Iterator[Path]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*prefix, name))
        else:
            yield (*prefix, name)


def _tested(
    module: nn.Module, paths: tuple[Path, ...], shape: tuple[int, ...]
) -> tuple[tuple[int, ...], str]:
    """The degree of each array, and why there is none."""
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        drawn = jax.eval_shape(bind(_init, module, paths, shape), jax.random.key(0))
        weights = tuple(
            jnp.asarray(rng.standard_normal(w.shape) / np.sqrt(max(1, np.prod(w.shape[:-1]))))
            for w in drawn
        )
        inputs = jnp.asarray(rng.standard_normal((8, *shape[1:])))
        apply = jax.jit(bind(_apply, module, paths))
        _require_separate(apply, weights, inputs)
        degrees = [_degree(apply, weights, inputs, k) for k in range(len(weights))]
    if None in degrees:
        return (), f"the output does not scale with '{'.'.join(_culprit(paths, degrees))}'"
    return tuple(degree for degree in degrees if degree is not None), ""


def _culprit(paths: tuple[Path, ...], degrees: list[int | None]) -> Path:
    """The array to blame: what spoils a layer's scale spoils that of all before it, so the last."""
    spoilt = [path for path, degree in zip(paths, degrees, strict=True) if degree is None]
    return min(
        (path for path in spoilt if path[:-1] == spoilt[-1][:-1]),
        key=lambda path: path[-1] != "bias",
    )


def _require_separate(apply: Callable[..., Array], weights: Weights, inputs: Array) -> None:
    try:
        whole, half = apply(weights, inputs), apply(weights, inputs[:4])
    except flax.errors.InvalidRngError as error:
        remedy = "make its dropout deterministic, or leave it out"
        raise refusal("a module that needs no random key", error, remedy) from error
    if whole.shape[0] != len(inputs) or not bool(_equal(whole[:4], half)):
        raise refusal(
            "a module that maps each sample by itself",
            f"outputs {whole.shape} of inputs {inputs.shape} that depend on the batch",
            "use models.mlp or convnet with batch_norm=True for batch norm",
        )


def _degree(
    apply: Callable[..., Array], weights: Weights, inputs: Array, number: int
) -> int | None:
    """By what power of a factor the outputs grow; None where by none."""
    before = apply(weights, inputs)

    def after(factor: float) -> Array:
        scaled = (*weights[:number], factor * weights[number], *weights[number + 1 :])
        return apply(scaled, inputs)

    grown = [after(factor) for factor in FACTORS]
    for power in POWERS:
        pairs = zip(FACTORS, grown, strict=True)
        if all(bool(_equal(new, factor**power * before)) for factor, new in pairs):
            return power
    return None


def _equal(left: Array, right: Array) -> Array:
    return jnp.max(jnp.abs(left - right)) <= TOLERANCE * jnp.max(jnp.abs(right))


def _init(
    module: nn.Module, paths: tuple[Path, ...], shape: tuple[int, ...], key: Key[Array, ""]
) -> Weights:
    params = module.init(key, jnp.zeros(shape))["params"]
    arrays = (functools.reduce(lambda tree, name: tree[name], path, params) for path in paths)
    return tuple(jnp.asarray(array, float) for array in arrays)


def _variables(paths: tuple[Path, ...], weights: Weights) -> dict[str, Any]:
    """Weights as the variables that flax applies."""
    params: dict[str, Any] = {}
    for path, layer in zip(paths, weights, strict=True):
        inner = functools.reduce(lambda tree, name: tree.setdefault(name, {}), path[:-1], params)
        inner[path[-1]] = layer
    return {"params": params}


def _apply(
    module: nn.Module,
    paths: tuple[Path, ...],
    weights: Weights,
    inputs: Float[Array, "samples ..."],
) -> Float[Array, "samples ..."]:
    made: Any = module.apply(_variables(paths, weights), inputs)
    outputs = made.reshape(inputs.shape[0], -1)
    return jnp.squeeze(outputs, axis=1) if outputs.shape[1] == 1 else outputs


def _hidden(
    module: nn.Module,
    paths: tuple[Path, ...],
    weights: Weights,
    inputs: Float[Array, "samples ..."],
) -> Hidden:
    """What each module with parameters of its own sees, but the first."""
    owners, seen = {path[:-1] for path in paths}, []

    def note(run: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        if context.module.path in owners and context.method_name == "__call__":
            seen.append(args[0].reshape(inputs.shape[0], -1))
        return run(*args, **kwargs)

    with nn.intercept_methods(note):
        module.apply(_variables(paths, weights), inputs)
    return tuple(seen[1:])


def _features(
    module: nn.Module,
    paths: tuple[Path, ...],
    weights: Weights,
    inputs: Float[Array, "samples ..."],
) -> Float[Array, "samples width"]:
    before_last = _hidden(module, paths, weights, inputs)
    return before_last[-1] if before_last else inputs.reshape(inputs.shape[0], -1)
