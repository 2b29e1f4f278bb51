"""What a run leaves behind: observations at the times that were reached, and where it ended."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PyTree

from ..models.checks import is_traced, unknown
from .types import State, Status


class Trajectory(eqx.Module):
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

    def __repr__(self) -> str:
        if is_traced(self.final):
            return f"Trajectory({', '.join(self.observations)})"
        last = np.atleast_2d(np.asarray(self.times))[:, -1].max()
        members = "" if self.times.ndim == 1 else f"{self.times.shape[0]} members, "
        return (
            f"Trajectory({members}{self.times.shape[-1]} times to {last:g}, "
            f"{', '.join(self.observations)}; {_told(self.status)})"
        )


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
    """
    reached = np.asarray(trajectory[name]) <= at_most
    index = np.argmax(reached, axis=-1)[..., None]
    found = np.take_along_axis(np.asarray(trajectory.times), index, axis=-1)[..., 0]
    return np.where(np.any(reached, axis=-1), found, np.nan)


def member(trajectory: Trajectory, index: int) -> Trajectory:
    """One member of an ensemble, as a trajectory of its own."""
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


def _told(status: Status | list[Status]) -> str:
    if isinstance(status, Status):
        return status.sentence
    kinds = sorted(set(status))
    return ", ".join(f"{status.count(kind)} {kind.name.lower()}" for kind in kinds)
