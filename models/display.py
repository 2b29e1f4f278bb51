"""How a value shows itself: a title and rows, as text in a terminal, as a table in a notebook.

A class that has something to say makes a `Card`; `text` is its ``__repr__`` and `html` its
``_repr_html_``. Arrays are told by their shapes and their least and largest number. What cannot be
looked at (an array that is being traced, was given away or lies on another machine) is told by its
shape alone, so that a value shows itself anywhere, also in compiled code.
"""

import html as markup
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

MOST_ROWS = 24
"""Rows that are shown; of more, it is said how many they are."""

TABLE = "border-collapse: collapse; font-variant-numeric: tabular-nums"
CELL = "text-align: left; padding: 1px 12px 1px 0"


class Card(NamedTuple):
    """What a value says of itself.

    Attributes:
        title: One line.
        rows: Cells, the name of a thing first; all rows of one length.
        header: What stands above the cells; empty where they speak for themselves.
        notes: Lines below.
    """

    title: str
    rows: tuple[tuple[str, ...], ...] = ()
    header: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Shown:
    """Shows itself by its card, which a class that inherits makes."""

    def _card(self) -> Card:
        raise NotImplementedError

    def __repr__(self) -> str:
        return text(self._card())

    def _repr_html_(self) -> str:
        return html(self._card())


def text(card: Card) -> str:
    """A card as lines of aligned columns.

    >>> print(text(Card("Two things", (("rho", "1", "2.5"), ("loss", "0.97", "0.1")))))
    Two things
      rho   1     2.5
      loss  0.97  0.1
    """
    rows = card.rows[:MOST_ROWS]
    shown = [card.header, *rows] if rows and card.header else [*rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in shown
    ]
    return "\n  ".join([card.title, *(line.rstrip() for line in lines), *_below(card)])


def html(card: Card) -> str:
    """A card as a table that takes its colours from the page, dark or light."""
    head = "".join(f'<th style="{CELL}">{markup.escape(cell)}</th>' for cell in card.header)
    body = "".join(
        f"<tr>{''.join(_cell(cell, place) for place, cell in enumerate(row))}</tr>"
        for row in card.rows[:MOST_ROWS]
    )
    below = "".join(
        f'<div style="opacity: 0.7">{markup.escape(line)}</div>' for line in _below(card)
    )
    table = f'<table style="{TABLE}">{f"<tr>{head}</tr>" if head else ""}{body}</table>'
    return f"<div><div>{markup.escape(card.title)}</div>{table if body else ''}{below}</div>"


def _cell(cell: str, place: int) -> str:
    kind = "td" if place else "th"
    return f'<{kind} style="{CELL}">{markup.escape(cell)}</{kind}>'


def _below(card: Card) -> list[str]:
    """The notes, and how many rows were left out."""
    left = len(card.rows) - MOST_ROWS
    return [*([f"... and {left} more"] if left > 0 else []), *card.notes]


def numbers(value: Any) -> np.ndarray | None:
    """The numbers of an array on this machine; None where they cannot be looked at, or are none."""
    if isinstance(value, jax.core.Tracer):
        return None
    if isinstance(value, jax.Array):
        if value.is_deleted() or not value.is_fully_addressable:
            return None
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            return None
    elif not isinstance(value, np.ndarray | np.generic | int | float):
        return None
    found = np.asarray(value)
    return found.astype(float) if found.dtype.kind in "biuf" else None


def shape(value: Any) -> str:
    """An array's shape as docstrings write it; the type's name of what has none.

    >>> shape(np.zeros((2, 3)))
    '[2, 3]'
    """
    sizes = getattr(value, "shape", None)
    return type(value).__name__ if sizes is None else f"[{', '.join(map(str, sizes))}]"


def told(value: Any) -> str:
    """One number as itself, several as the least and the largest, others by their shape.

    >>> told(0.25), told(np.array([1.0, np.nan, 3.0])), told(np.array([16000.0, 16000.0]))
    ('0.25', '1 .. 3', '16000')
    """
    found = numbers(value)
    if found is None:
        return shape(value)
    if not found.size:
        return "none"
    finite = found[np.isfinite(found)]
    if not finite.size:
        return f"{found.ravel()[0]:.4g}"
    least, most = _digits(finite.min()), _digits(finite.max())
    return least if least == most else f"{least} .. {most}"


def _digits(number: float) -> str:
    """Whole numbers whole, others to four digits; zero has no sign."""
    whole = number == round(number) and abs(number) < 1e9
    return f"{number + 0.0:.0f}" if whole else f"{number:.4g}"


def shapes(layers: Any) -> str:
    """The shapes of several arrays, in their order."""
    return ", ".join(map(shape, jax.tree.leaves(layers)))


def field(value: Any) -> str:
    """A field of a tuple: arrays by their numbers and shapes, several arrays by their shapes."""
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return f"({shapes(value)})"
    if not hasattr(value, "shape") or numbers(value) is None:
        return type(value).__name__ if hasattr(value, "_fields") else told(value)
    return told(value) if np.ndim(value) == 0 else f"{told(value)} {shape(value)}"


Kind = TypeVar("Kind", bound=type)


def shown(kind: Kind) -> Kind:
    """Decorates a named tuple, which shows itself field by field from then on."""
    kind.__repr__ = tuple_text  # type: ignore[assignment]
    kind._repr_html_ = tuple_html  # type: ignore[attr-defined]
    return kind


def tuple_text(named: Any) -> str:
    """A named tuple of arrays on one line.

    >>> class Point(NamedTuple):
    ...     rho: float
    ...     layers: tuple[np.ndarray, ...]
    >>> print(tuple_text(Point(1.5, (np.ones((3, 2)), np.ones((2, 1))))))
    Point(rho 1.5, layers ([3, 2], [2, 1]))
    """
    fields = zip(named._fields, named, strict=True)
    told_fields = ", ".join(f"{name} {field(value)}" for name, value in fields)
    return f"{type(named).__name__}({told_fields})"


def tuple_html(named: Any) -> str:
    """A named tuple of arrays as a table, a field on each row."""
    fields = zip(named._fields, named, strict=True)
    rows = tuple((name, field(value)) for name, value in fields)
    return html(Card(type(named).__name__, rows))
