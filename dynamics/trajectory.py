"""What a run leaves behind: observations at the times that were reached, and where it ended."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PyTree

from ..models.checks import unknown
from ..models.display import Card, Shown, numbers, shape, told
from .labelling import flat, labelled
from .types import FAILURES, State, Status, told_status

if TYPE_CHECKING:
    import xarray


class Trajectory(Shown, eqx.Module):
    """Observations along a run, or along many.

    Attributes:
        times: The times reached, ``[T]`` (``[members, T]`` for an ensemble), in units of the
            running sum of learning rates. Rows after a run stopped hold NaN observations.
        observations: By name, arrays ``[T, ...]`` (``[members, T, ...]``).
        final: The last `State`; ``simulate`` goes on from it.
        statistics: Counts, by name.
        placement: How an ensemble was run; for one member "alone".
    """

    times: Float[Array, "*members times"] | Float[np.ndarray, "*members times"]
    observations: dict[str, PyTree]
    final: State
    statistics: dict[str, Any]
    placement: str = eqx.field(static=True, default="alone")

    def __getitem__(self, name: str) -> Any:
        if name not in self.observations:
            raise unknown("observation", name, self.observations)
        return self.observations[name]

    @property
    def status(self) -> Status | list[Status]:
        """Why the run stands where it stands; one per member for an ensemble."""
        codes = np.asarray(self.final.status)
        return Status(int(codes)) if codes.ndim == 0 else [Status(int(code)) for code in codes]

    def to_xarray(self, members: Mapping[str, Any] | None = None) -> "xarray.Dataset":
        """The trajectory as a labelled dataset in memory.

        Args:
            members: For an ensemble, coordinates ``[members]`` by name: what was in ``over=``,
                seeds, whatever tells members apart.

        Returns:
            The observations with dimensions ``(member,) time, ...`` (`dynamics.labelling`), the
            final ``status``, and the statistics as ``count_...``. ``time`` is the coordinate, in
            units of the running sum of learning rates; where members reached different times
            those are ``time_reached``, ``(member, time)``.

        Raises:
            ValueError: If an observation is called ``status`` or ``time``.
        """
        return labelled(self, members)

    def _card(self) -> Card:
        if not hasattr(self.times, "ndim"):  # a tree of something else in this one's place
            return Card(f"Trajectory({', '.join(self.observations)})")
        times, axis = numbers(self.times), self.times.ndim - 1
        span = shape(self.times) if times is None else f"{times.shape[-1]} times {_span(times)}"
        many = f"{self.times.shape[0]} members, " if axis else ""
        ended = told_status(getattr(self.final, "status", None))
        rows = tuple(
            (_with_shape(name, np.shape(value)[axis + 1 :]), *_ends(numbers(value), axis))
            for name, value in flat(self.observations)
        )
        counts = ", ".join(f"{name} {told(value)}" for name, value in flat(self.statistics))
        notes = tuple(note for note in (counts, _told_failure(self.final)) if note)
        return Card(f"Trajectory: {many}{span}; {ended}", rows, ("", "first", "last"), notes)


def _span(times: np.ndarray) -> str:
    return f"from {times[..., 0].min():g} to {times[..., -1].max():g}"


def _with_shape(name: str, sizes: tuple[int, ...]) -> str:
    return f"{name} [{', '.join(map(str, sizes))}]" if sizes else name


def _ends(values: np.ndarray | None, axis: int) -> tuple[str, str]:
    """The first and the last row that hold numbers."""
    if values is None or values.ndim <= axis or not values.size:
        return "", ""
    rows = np.moveaxis(values, axis, 0)
    seen = np.flatnonzero(np.isfinite(rows).reshape(len(rows), -1).any(axis=1))
    return (told(rows[seen[0]]), told(rows[seen[-1]])) if seen.size else ("nan", "nan")


def _told_failure(final: Any) -> str:
    """The cure, where a run or one of its members failed."""
    codes = numbers(getattr(final, "status", None))
    worst = None if codes is None or not codes.size else Status(int(codes.max()))
    return worst.sentence if worst is not None and worst in FAILURES else ""


def first_time(
    trajectory: Trajectory, name: str, *, at_most: float
) -> Float[np.ndarray, "*members"]:
    """The first time of looking at which an observation was at or below a value, else NaN.

    ``first_time(trajectory, "train_error", at_most=0.0)`` is when training error first vanished,
    to the resolution of the times of looking.

    Args:
        trajectory: One run or an ensemble.
        name: An observation that is one number per time.
        at_most: The value.

    >>> from rhoflow import dynamics, models
    >>> problem = models.Problem(models.mlp((2, 1)), [[0.6, 0.8], [-1.0, 0.0]], [1.0, -1.0], 0.1)
    >>> start = models.to_polar(([[0.0], [1.0]],), rho=0.5)
    >>> descent = dynamics.gradient_descent(problem, learning_rate=0.1)
    >>> look = dynamics.observe("train_error")
    >>> run = dynamics.simulate(descent, start, times=[0.0, 5.0, 10.0], observe=look)
    >>> float(first_time(run, "train_error", at_most=0.0))
    5.0
    """
    reached = np.asarray(trajectory[name]) <= at_most
    index = np.argmax(reached, axis=-1)[..., None]
    found = np.take_along_axis(np.asarray(trajectory.times), index, axis=-1)[..., 0]
    return np.where(np.any(reached, axis=-1), found, np.nan)


def member(trajectory: Trajectory, index: int) -> Trajectory:
    """One member of an ensemble, as a trajectory of its own.

    Args:
        trajectory: An ensemble's.
        index: The member's number, from 0.
    """
    return jax.tree.map(lambda leaf: leaf[index], trajectory)


def raise_failure(trajectory: Trajectory) -> None:
    """Raises if a member failed.

    Raises:
        RuntimeError: With the status's sentence.
    """
    statuses = np.atleast_1d(np.asarray(trajectory.final.status))
    failed = np.flatnonzero(statuses >= Status.DIVERGED)
    if failed.size:
        status = Status(int(statuses[failed[0]]))
        which = "" if statuses.size == 1 else f"member {failed[0]} (of {failed.size} that failed) "
        raise RuntimeError(f"{which}{status.sentence}")
