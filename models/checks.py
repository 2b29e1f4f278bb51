"""One voice for refusals: what was expected, what came, what to do.

Errors are raised when a thing is constructed, outside of any compiled code, so that the line which
caused them is the line which the traceback shows. Values that are being traced by JAX cannot be
looked at; the checks of values then step aside and only shapes are checked.
"""

import difflib
import operator
from collections.abc import Iterable, Sequence
from numbers import Number
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

LONGEST = 160
"""Characters of a value that a refusal shows."""


class Refusal(ValueError):
    """A request that cannot be met; the message is one line that says what to do."""


def refusal(expected: str, got: object, remedy: str) -> Refusal:
    """Builds the one-line error of the house.

    Args:
        expected: What was asked for, a phrase.
        got: What came instead.
        remedy: What the reader can do about it, an imperative.

    Returns:
        A `Refusal` to raise, which is a ``ValueError``.

    >>> str(refusal("a decay that is not negative", -1.0, "pass decay=0.0 for none"))
    'expected a decay that is not negative, got -1.0: pass decay=0.0 for none'
    """
    return Refusal(f"expected {expected}, got {_short(got)}: {remedy}")


def _short(value: object) -> str:
    """A value on one line, its middle left out where it is long."""
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 3 :]}"


def unknown(kind: str, name: object, known: Iterable[str]) -> Refusal:
    """Builds the error for a name that does not exist, with the nearest one that does.

    >>> str(unknown("observable", "roh", ["rho", "loss"]))
    "unknown observable 'roh' (did you mean 'rho'?): choose one of loss, rho"
    """
    choices = sorted(known)
    near = difflib.get_close_matches(str(name), choices, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return Refusal(f"unknown {kind} '{name}'{hint}: choose one of {_short(', '.join(choices))}")


def expect(value: object, kind: type, noun: str, remedy: str) -> None:
    """Refuses a value of another type.

    Raises:
        ValueError: If the value is no instance of the kind.
    """
    if not isinstance(value, kind):
        raise refusal(noun, f"a {type(value).__name__}", remedy)


def single(name: str, value: Any) -> None:
    """Refuses what is not one number: a schedule, a list, an array with axes.

    Raises:
        ValueError: As said.
    """
    if not (hasattr(value, "ndim") or isinstance(value, Number)):
        raise refusal(f"{name} as a number", value, "pass for example 0.1")
    if getattr(value, "ndim", 0):
        remedy = f"vary it among members by dynamics.ensemble(..., over={{'{name}': values}})"
        raise refusal(f"{name} as one number", f"shape {value.shape}", remedy)


def whole(values: Sequence[int], name: str) -> tuple[int, ...]:
    """Whole numbers.

    Raises:
        ValueError: If one is not.
    """
    try:
        return tuple(map(operator.index, values))
    except TypeError as error:
        raise refusal(
            f"{name} as whole numbers", values, "pass for example 64 or (64, 1)"
        ) from error


def counts(values: Sequence[int], name: str) -> tuple[int, ...]:
    """Whole numbers above zero.

    Raises:
        ValueError: If one is not.
    """
    sizes = whole(values, name)
    if any(size < 1 for size in sizes):
        raise refusal(f"{name} above zero", sizes, "enlarge them")
    return sizes


def sample_numbers(values: Any, samples: int | None = None) -> Array:
    """Numbers of samples, from 0, as an array.

    Args:
        values: Whole numbers of any shape.
        samples: How many there are; None where that is not known yet.

    Raises:
        ValueError: If they are not whole, or one is out of range and can be looked at.
    """
    found = jnp.asarray(values)
    if not jnp.issubdtype(found.dtype, jnp.integer):
        raise refusal("numbers of samples, whole ones", values, "count samples from 0")
    if is_traced(found) or found.size == 0:
        return found
    if found.min() < 0 or (samples is not None and found.max() >= samples):
        known = "from 0" if samples is None else f"in 0..{samples - 1}"
        raise refusal(f"numbers of samples {known}", values, "count samples from 0")
    return found


def is_traced(tree: Any) -> bool:
    """Whether any leaf of the tree is being traced, so that its value cannot be looked at."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))
