"""The arrays of a flax module: in which order it uses them, and what its layers see.

    paths = array_paths(module, shape)            where each array stands among the parameters
    apply(module, paths, weights, inputs)         the outputs, of arrays in that order

flax sorts parameters by their names. Here they stand in the order in which a forward pass first
computes with them, read from the pass itself, whatever made them. A *layer* is a module that owns
one array beside biases; what it is called with is what it sees.

Source: ours; `models.flax_module` makes networks of it.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from .binding import bind
from .checks import is_traced, refusal
from .network import Hidden, Weights
from .scaling import drawn

Path = tuple[str, ...]


def array_paths(module: nn.Module, shape: tuple[int, ...]) -> tuple[Path, ...]:
    """Where each array stands in the module's parameters, in the order of first use.

    Arrays that nothing is computed with come first.

    Raises:
        ValueError: If the module needs more than one key and one array of inputs, has other state
            than parameters, gives more than one array, or computes in another precision than that
            of inputs and parameters.
    """
    made: list[Path] = []

    def start(key: Key[Array, ""], inputs: Array) -> tuple[Any, Any]:
        outputs, variables = module.init_with_output(key, inputs)
        made.extend(_leaves(variables.get("params", {}), ()))
        return outputs, variables

    try:
        outputs, variables = jax.eval_shape(start, jax.random.key(0), jnp.zeros(shape))
    except Exception as error:
        remedy = "see flax's message above: one input array that fits, no dropout, no nn.RNN"
        raise refusal("a module that one key initialises", repr(error), remedy) from error
    _require_parameters_only(variables)
    if not hasattr(outputs, "shape"):
        got = f"a {type(outputs).__name__} from {type(module).__name__}"
        raise refusal("one array of outputs", got, "return the outputs alone")
    return _by_first_use(module, tuple(made), shape)


def _require_parameters_only(variables: Mapping[str, Any]) -> None:
    others = sorted(set(variables) - {"params"})
    if others:
        remedy = "leave batch norm out, or use models.mlp or convnet with batch_norm=True"
        raise refusal("a module with parameters only", f"also {others}", remedy)
    if not variables:
        raise refusal("a module with parameters", "none", "add a layer, such as nn.Dense")


def _leaves(tree: Mapping[str, Any], prefix: Path) -> Iterator[Path]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*prefix, name))
        else:
            yield (*prefix, name)


def _by_first_use(
    module: nn.Module, paths: tuple[Path, ...], shape: tuple[int, ...]
) -> tuple[Path, ...]:
    """Sorted by the first operation that takes the array, in a pass with arrays in any order."""
    shapes = shapes_of(module, paths, shape)
    with jax.enable_x64(True):
        arrays, inputs = drawn(shapes, shape[1:], 0)
        try:
            traced = jax.make_jaxpr(bind(apply, module, paths))(arrays, inputs).jaxpr
        except flax.errors.InvalidRngError as error:
            remedy = "make its dropout deterministic, or leave it out"
            raise refusal("a module that needs no random key", error, remedy) from error
        except TypeError as error:
            expected = "a module that takes inputs and parameters in double precision"
            remedy = "leave out what has a precision of its own, as the states of nn.RNN do"
            raise refusal(expected, repr(error), remedy) from error
    _require_precision(module, traced)
    taken = {
        id(operand): number
        for number, operation in reversed(list(enumerate(traced.eqns)))
        for operand in operation.invars
    }
    first = [taken.get(id(operand), -1) for operand in traced.invars[: len(paths)]]
    return tuple(paths[number] for number in sorted(range(len(paths)), key=first.__getitem__))


def _require_precision(module: nn.Module, traced: Any) -> None:
    """Refuses what computes in single precision from inputs and arrays in double."""
    made = [operand.aval.dtype for operation in traced.eqns for operand in operation.outvars]
    coarse = {str(t) for t in made if jnp.issubdtype(t, jnp.floating) and t.itemsize < 8}
    if coarse:
        raise refusal(
            "a module that computes in the precision of its inputs",
            f"{type(module).__name__}, which computes in {', '.join(sorted(coarse))}",
            "leave dtype= out of its layers, and choose the precision by jax_enable_x64",
        )


def shapes_of(
    module: nn.Module, paths: tuple[Path, ...], shape: tuple[int, ...]
) -> list[tuple[int, ...]]:
    """The shape of each array."""
    made = jax.eval_shape(bind(init, module, paths, shape), jax.random.key(0))
    return [array.shape for array in made]


def why_unseen(module: nn.Module, paths: tuple[Path, ...], shape: tuple[int, ...]) -> str:
    """Why what layers see is not known, a clause; empty where it is."""
    owners = _owners(paths)
    for number, owner in enumerate(owners):
        others = owners[:number] + owners[number + 1 :]
        if any(other[: len(owner)] == owner for other in others):
            name = ".".join(owner) or type(module).__name__
            return f"'{name}' owns several arrays, or modules that own some"
    try:
        with jax.ensure_compile_time_eval():
            weights = tuple(map(jnp.zeros, shapes_of(module, paths, shape)))
            called = _called(module, paths, weights, jnp.zeros(shape))
    except (AttributeError, TypeError):
        return "a module is called with something else than an array"
    if is_traced([value for _, value in called]):
        return "a module is called inside a transformation, such as a loop"
    if {path for path, _ in called} != set(owners) or called[-1][0] != owners[-1]:
        return "the last module called does not own the last array, or one is never called"
    return ""


def _owners(paths: tuple[Path, ...]) -> list[Path]:
    """The module of each array that is no bias."""
    return [path[:-1] for path in paths if path[-1] != "bias"]


def init(
    module: nn.Module, paths: tuple[Path, ...], shape: tuple[int, ...], key: Key[Array, ""]
) -> Weights:
    """What the module draws for inputs of a shape, in the default floating type."""
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


def apply(
    module: nn.Module,
    paths: tuple[Path, ...],
    weights: Weights,
    inputs: Float[Array, "samples ..."],
) -> Float[Array, "samples ..."]:
    """Outputs ``[samples]`` or ``[samples, outputs]``, as those of `models.network.Network`.

    Raises:
        ValueError: If parameters for these inputs would have other shapes.
    """
    try:
        made: Any = module.apply(_variables(paths, weights), inputs)
    except flax.errors.ScopeParamShapeError as error:
        remedy = "pass inputs of the shape that from_flax was given"
        expected = f"inputs that fit {type(module).__name__}"
        raise refusal(expected, f"shape {inputs.shape}", remedy) from error
    outputs = made.reshape(inputs.shape[0], -1)
    return jnp.squeeze(outputs, axis=1) if outputs.shape[1] == 1 else outputs


def _called(
    module: nn.Module, paths: tuple[Path, ...], weights: Weights, inputs: Array
) -> list[tuple[Path, Float[Array, "samples width"]]]:
    """The modules that own arrays, in the order of their calls, and what each is called with."""
    owners, called = set(_owners(paths)), []

    def note(run: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        if context.module.path in owners and context.method_name == "__call__":
            value: Any = next(iter((*args, *kwargs.values())), None)
            called.append((context.module.path, value.reshape(inputs.shape[0], -1)))
        return run(*args, **kwargs)

    with nn.intercept_methods(note):
        module.apply(_variables(paths, weights), inputs)
    return called


def hidden(
    module: nn.Module,
    paths: tuple[Path, ...],
    weights: Weights,
    inputs: Float[Array, "samples ..."],
) -> Hidden:
    """What each layer sees, ``[samples, width]`` each, but the first."""
    return tuple(value for _, value in _called(module, paths, weights, inputs)[1:])


def features(
    module: nn.Module,
    paths: tuple[Path, ...],
    weights: Weights,
    inputs: Float[Array, "samples ..."],
) -> Float[Array, "samples width"]:
    """What the last layer sees."""
    return _called(module, paths, weights, inputs)[-1][1]
