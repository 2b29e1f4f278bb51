"""What keeps a run while it goes on, so that one that was stopped goes on to the same numbers.

The driver (in the module of `dynamics.simulate`) asks it where an earlier call has come to, and
hands it every chunk. What is handed over is all that a run needs to go on: the state with its key
and optimiser, the stopping condition's memory, the number of the next row. Files are no business of
this package; `experiments.FolderCheckpoint` keeps a run in a folder.
"""

from typing import Any, NamedTuple, Protocol

from jaxtyping import PyTree


class Kept(NamedTuple):
    """How far an earlier call has come.

    Attributes:
        looks: At how many of the times it has looked.
        carry: What goes on, see `dynamics.simulate`.
        rows: What was seen at these looks, along the first axis.
    """

    looks: int
    carry: Any
    rows: PyTree


class Checkpoint(Protocol):
    """Keeps chunks as they come."""

    def begin(self, carry: Any, rows: PyTree) -> Kept | None:
        """What was kept of an earlier call of the same run, None where nothing was.

        Args:
            carry: The carry at the start, whose structure the kept one has.
            rows: Shapes of a chunk's rows, the looks first.
        """

    def keep(self, looks: int, carry: Any, rows: PyTree) -> None:
        """Takes a chunk; it may wait with writing, until the next chunk and no longer.

        Args:
            looks: At how many times the run has looked, this chunk included.
            carry: What goes on from there; its buffers are given away to the next chunk.
            rows: What this chunk saw, the looks first.
        """

    def flush(self) -> None:
        """Writes what has waited: the run was interrupted."""
