"""Grids: values for fields of a configuration, and the configurations at their points."""

import dataclasses
import difflib
import itertools
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import cattrs
import numpy as np

from .errors import UsageError

Grid = dict[str, tuple[Any, ...]]


def parsed(config: Any, words: Sequence[str]) -> dict[str, list[Any]]:
    """A grid from the command line's words, ``decay=0,1e-4`` each.

    Raises:
        UsageError: If a word is no such thing, a field is unknown or named twice, or a value is not
            of its type.
    """
    grid: dict[str, list[Any]] = {}
    for word in words:
        field, equals, values = word.partition("=")
        field = field.replace("-", "_")
        if not equals or not values:
            raise UsageError(f"expected --grid FIELD=VALUE,VALUE, got '{word}': list the values")
        if field in grid:
            raise UsageError(f"'{field}' stands in two grids: name each field once")
        kind = _kind(config, field)
        grid[field] = [_value(field, kind, text) for text in values.split(",")]
    return grid


def checked(config: Any, grid: Mapping[str, Sequence[Any]]) -> Grid:
    """The grid with every value of its field's type.

    Raises:
        UsageError: If it is empty, names an unknown field, mixes types or repeats a value.
    """
    if not grid:
        raise UsageError("expected a grid, got none: pass for example --grid decay=0,1e-3")
    return {field: _checked_values(config, field, values) for field, values in grid.items()}


def _checked_values(config: Any, field: str, values: Sequence[Any]) -> tuple[Any, ...]:
    kind = _kind(config, field)
    if isinstance(values, str) or not isinstance(values, Iterable) or not len(list(values)):
        raise UsageError(f"expected a list of values for '{field}', got {values!r}: list them")
    found = tuple(_value(field, kind, value) for value in values)
    if len(set(found)) < len(found):
        raise UsageError(f"'{field}' has a value twice in {list(values)}: name each once")
    return found


def points(grid: Mapping[str, Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """The values at every point, the last field fastest."""
    return itertools.product(*grid.values())


def replaced(config: Any, grid: Mapping[str, Any], values: Sequence[Any]) -> Any:
    """The configuration at a point; a field that is a tuple gets a tuple of one.

    Raises:
        UsageError: If no run could satisfy it.
    """
    for field, value in zip(grid, values, strict=True):
        config = _with(config, field.split("."), value)
    return config


def _with(config: Any, path: list[str], value: Any) -> Any:
    first, *rest = path
    if rest:
        value = _with(getattr(config, first), rest, value)
    elif isinstance(getattr(config, first), tuple):
        value = (value,)
    return dataclasses.replace(config, **{first: value})


def _kind(config: Any, field: str) -> Any:
    """The type of a field's values: of its elements where it is a tuple."""
    known = _fields(config)
    if field not in known:
        near = difflib.get_close_matches(field, known, n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        choices = ", ".join(known)
        raise UsageError(f"unknown field '{field}' of a grid{hint}: choose among {choices}")
    kind = known[field]
    return typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else kind


def _fields(config: Any, prefix: str = "") -> dict[str, Any]:
    """Types of all fields, of those of configurations inside as well, by dotted name."""
    found: dict[str, Any] = {}
    for name, kind in typing.get_type_hints(type(config)).items():
        if dataclasses.is_dataclass(kind):
            found |= _fields(getattr(config, name), f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = kind
    return found


BOOLEANS = {"true": True, "false": False}


def _value(field: str, kind: Any, value: Any) -> Any:
    """A value, of text or not, as its type; a whole number is a number, a number not whole."""
    plain = next(one for one in typing.get_args(kind) or (kind,) if one is not type(None))
    value = value.item() if isinstance(value, np.generic) else value
    try:
        if plain is bool:
            return value if isinstance(value, bool) else BOOLEANS[str(value).lower()]
        if isinstance(value, str) or (plain is float and isinstance(value, int)):
            return cattrs.structure(value, plain)
        if plain is str or not isinstance(value, plain) or isinstance(value, bool):
            raise TypeError
    except (ValueError, TypeError, KeyError, cattrs.BaseValidationError) as error:
        raise UsageError(
            f"expected values of '{field}' to be {plain.__name__}, got {value!r}: "
            "a field takes values of one type"
        ) from error
    return value
