"""How much memory a run takes, before it runs.

What a run records grows with its looks and members and with what is looked at, never with the
number of its steps. Its states do not grow at all. What the compiled program needs on top depends
on how members are placed: one at a time where they are mapped, all that are ``together`` where they
are vmapped.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
import psutil
from jaxtyping import PyTree

from ..models.checks import refusal
from .host import is_key

COPIES = 2
"""Rows are there twice when chunks are joined; states, when a chunk ends."""


class Memory(NamedTuple):
    """Bytes that a run takes.

    Attributes:
        states: Positions, optimisers, keys, of all members.
        rows: What is recorded.
        work: What the compiled program needs beside them.
    """

    states: int
    rows: int
    work: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.states + self.rows + self.work

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {told(getattr(self, name))}" for name in self._fields)
        return f"{told(self.total)} ({parts})"


def bytes_of(tree: PyTree) -> int:
    """Bytes of all arrays of a tree, or of their shapes."""
    return sum(_bytes(leaf) for leaf in jax.tree.leaves(tree))


def _bytes(leaf: Any) -> int:
    words = jax.eval_shape(jax.random.key_data, leaf) if is_key(leaf) else leaf
    return int(np.prod(words.shape)) * words.dtype.itemsize


def available() -> int:
    """Bytes that are free: of the first device's memory, on a CPU of the machine's."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats["bytes_in_use"]
    return psutil.virtual_memory().available


def require_room(states: int, rows: int) -> None:
    """Refuses what cannot be held, before anything is computed.

    Args:
        states: Bytes of all members' states.
        rows: Bytes of what is recorded.

    Raises:
        ValueError: If there is less memory.
    """
    needed, free = COPIES * (states + rows), available()
    if needed > free:
        largest = "fewer looks or observables" if rows > states else "fewer members at a time"
        raise refusal(
            f"a run that fits into {told(free)} of memory",
            f"{told(COPIES * rows)} of rows and {told(COPIES * states)} of states",
            f"ask for {largest}",
        )


def told(count: int) -> str:
    """A number of bytes, for people."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"
