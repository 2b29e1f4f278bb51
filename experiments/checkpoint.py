"""A run kept in a folder while it goes on, so that a stop costs seconds and changes nothing.

    rows.zarr       what was seen, one array for each observation, the looks first, in blocks of as
                    many looks as the driver's chunks
    state-LOOKS     what the run goes on from (orbax)
    progress.json   at how many looks both stand; replaced in one step when they are there

A kill at any moment leaves ``progress.json`` with a state that is whole and rows that reach as far;
rows beyond are written again.
"""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..dynamics.checkpoint import Kept
from ..dynamics.host import numbers_of, with_numbers
from ..dynamics.simulate import LOOKS_PER_CHUNK
from .errors import UsageError
from .json_files import write_json

if TYPE_CHECKING:
    import zarr
    from jaxtyping import PyTree

PROGRESS, ROWS, STATE = "progress.json", "rows.zarr", "state-{}"


class FolderCheckpoint:
    """Keeps one run in a folder; a `dynamics.Checkpoint`."""

    def __init__(
        self,
        folder: str | Path,
        every: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is written before the first chunk that comes ``every`` seconds after the start.

        Args:
            folder: Of this run alone; made when needed.
            every: Seconds between writings at least, so that they cost next to nothing.
            clock: Tells seconds.

        Raises:
            UsageError: If the time between writings is negative.
        """
        if not every >= 0:
            raise UsageError(f"expected every >= 0 seconds, got {every}: pass 0 for every chunk")
        self.folder, self.every, self.clock = Path(folder), every, clock
        self._last = clock()
        self._waiting: list[list[np.ndarray]] = []
        self._state: list[np.ndarray] = []
        self._looks = self._written = 0

    def begin(self, carry: "PyTree", rows: "PyTree") -> Kept | None:
        """How far an earlier call has come, see `dynamics.Checkpoint`.

        Raises:
            UsageError: If what the folder holds is damaged or of another run, or several processes
                share the members: orbax would write the first one's alone.
        """
        if jax.process_count() > 1:
            raise UsageError(
                f"expected one process for a run that is kept in '{self.folder}', got "
                f"{jax.process_count()}: leave the checkpoint out, or divide the members into the "
                "points of a sweep, each of which is kept by itself"
            )
        self._last = self.clock()
        if not (self.folder / PROGRESS).is_file():
            return None
        try:
            looks = int(json.loads((self.folder / PROGRESS).read_text())["looks"])
            restored = _restore(self.folder / STATE.format(looks), carry)
            seen = self._read(looks, rows)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"cannot go on from '{self.folder}' ({type(error).__name__}): it was damaged or "
                "belongs to another run; remove it to begin anew"
            ) from error
        self._looks = self._written = looks
        return Kept(looks, restored, seen)

    def keep(self, looks: int, carry: "PyTree", rows: "PyTree") -> None:
        """Takes a chunk, and writes what has come where it is time.

        Raises:
            UsageError: If the folder cannot be written.
        """
        self._looks = looks
        # Copied, since the next chunk gives the buffers away.
        self._state = [numbers_of(leaf).copy() for leaf in jax.tree.leaves(carry)]
        self._waiting.append([np.asarray(leaf) for leaf in jax.tree.leaves(rows)])
        if self.clock() - self._last >= self.every:
            self.flush()

    def flush(self) -> None:
        """Writes what has come since the last writing.

        Raises:
            UsageError: If the folder cannot be written.
        """
        if not self._waiting:
            return
        try:
            self._write()
        except OSError as error:
            raise UsageError(
                f"cannot keep the run in '{self.folder}' ({error.strerror or error}): make room or "
                f"allow writing, then run again; it goes on from look {self._written}"
            ) from error
        self._last = self.clock()

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        columns = [np.concatenate(parts) for parts in zip(*self._waiting, strict=True)]
        group = self._rows("a")
        for number, column in enumerate(columns):
            _append(group, str(number), column, self._written)
        _save(self.folder / STATE.format(self._looks), self._state)
        write_json(self.folder / PROGRESS, {"looks": self._looks})
        before, self._written = self._written, self._looks
        shutil.rmtree(self.folder / STATE.format(before), ignore_errors=True)
        self._waiting, self._state = [], []

    def _read(self, looks: int, like: "PyTree") -> "PyTree":
        group, (leaves, structure) = self._rows("r"), jax.tree.flatten(like)
        columns = [np.asarray(group[str(number)])[:looks] for number in range(len(leaves))]
        for column, leaf in zip(columns, leaves, strict=True):
            if column.shape[1:] != leaf.shape[1:] or len(column) < looks:
                raise ValueError(f"rows of shape {column.shape} where {leaf.shape} are wanted")
        return jax.tree.unflatten(structure, [jnp.asarray(column) for column in columns])

    def _rows(self, mode: Any) -> "zarr.Group":
        import zarr

        return zarr.open_group(self.folder / ROWS, mode=mode)


def _append(group: "zarr.Group", name: str, column: np.ndarray, at: int) -> None:
    """Writes rows from a place on, over whatever an interrupted writing has left there."""
    if name not in group:
        blocks = (LOOKS_PER_CHUNK, *column.shape[1:])
        group.create_array(name, shape=(0, *column.shape[1:]), chunks=blocks, dtype=column.dtype)
    array: Any = group[name]
    array.resize((at + len(column), *column.shape[1:]))
    array[at:] = column


def _save(folder: Path, leaves: list[np.ndarray]) -> None:
    import orbax.checkpoint as ocp

    ocp.PyTreeCheckpointer().save(folder.absolute(), leaves, force=True)


def _restore(folder: Path, like: "PyTree") -> "PyTree":
    import orbax.checkpoint as ocp

    leaves, structure = jax.tree.flatten(like)
    as_numpy = [ocp.RestoreArgs(restore_type=np.ndarray) for _ in leaves]
    arguments = ocp.args.PyTreeRestore(restore_args=as_numpy)
    found = ocp.PyTreeCheckpointer().restore(folder.absolute(), args=arguments)
    pairs = zip(found, leaves, strict=True)
    return jax.tree.unflatten(structure, [_as_before(value, leaf) for value, leaf in pairs])


def _as_before(value: np.ndarray, leaf: Any) -> Any:
    like = numbers_of(leaf)
    if (value.shape, value.dtype) != (like.shape, like.dtype):
        raise ValueError(f"a state of shape {value.shape} where {like.shape} is wanted")
    return with_numbers(value, leaf)
