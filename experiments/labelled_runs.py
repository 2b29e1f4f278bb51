"""What is drawn or explored, from memory or a folder: a labelled dataset for each run."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..dynamics.compare import Comparison
from ..dynamics.labelling import flat, labelled
from ..dynamics.trajectory import Trajectory
from ..models.checks import unknown
from .errors import UsageError
from .runs import Record, open_run

ALONE = "run"
"""The name of what has none."""


def datasets_of(what: Any) -> dict[str, xr.Dataset]:
    """Labelled datasets by name.

    Args:
        what: A trajectory (of one run or of an ensemble), a comparison, a dataset of
            `Trajectory.to_xarray`, a record, the folder of a stored run, or several trajectories
            or datasets by name.

    Returns:
        Those of a comparison hold ``distance_rho``, ``distance_outputs`` and
        ``distance_directions`` too.

    Raises:
        UsageError: If it is none of these.
    """
    if isinstance(what, str | Path):
        return dict(open_run(what).datasets)
    if isinstance(what, Record):
        return dict(what.datasets)
    if isinstance(what, Comparison):
        return {name: _with_distances(what, name) for name in what.trajectories}
    if isinstance(what, Mapping) and not isinstance(what, xr.Dataset):
        return {str(name): _dataset(run) for name, run in what.items()}
    return {ALONE: _dataset(what)}


def _dataset(run: Any) -> xr.Dataset:
    if isinstance(run, Trajectory):
        return labelled(run)
    if isinstance(run, xr.Dataset):
        return run
    raise UsageError(
        "expected a trajectory, a comparison, a dataset, a record, a run's folder, or some by "
        f"name, got a {type(run).__name__}: pass what dynamics.simulate or experiments.run returned"
    )


def _with_distances(both: Comparison, name: str) -> xr.Dataset:
    run = both[name]
    distances = {f"distance_{part}": value for part, value in flat(both.distances[name])}
    seen = {**run.observations, **distances}
    return labelled(Trajectory(run.times, seen, run.final, run.statistics, run.placement))


def one(what: Any, dataset: str | None = None, member: int = 0) -> xr.Dataset:
    """One run of what there is.

    Args:
        what: See `datasets_of`.
        dataset: Its name among them; the first unless given.
        member: Which member, from 0.

    Raises:
        UsageError: If there is no such member.
        ValueError: If there is no such dataset.
    """
    datasets = datasets_of(what)
    if not datasets:
        raise UsageError("expected a run with data, got one with none: let it compute first")
    name = next(iter(datasets)) if dataset is None else dataset
    if name not in datasets:
        raise unknown("dataset", name, datasets)
    return member_of(datasets[name], member)


def member_of(data: xr.Dataset, member: int) -> xr.Dataset:
    """One member of a dataset, or the dataset where it is one run.

    Raises:
        UsageError: If there is no such member.
    """
    count = data.sizes.get("member", 1)
    if not 0 <= member < count:
        raise UsageError(f"expected a member in 0..{count - 1}, got {member}: change member")
    return data.isel(member=member) if "member" in data.dims else data


def times_of(data: xr.Dataset) -> np.ndarray:
    """The times of a dataset, ``[T]``, or ``[members, T]`` where members reached others."""
    return np.asarray(data["time_reached" if "time_reached" in data.coords else "time"])


def labels(data: xr.Dataset) -> Iterator[str]:
    """What tells each member from the others: its coordinates by name, or its number.

    In alphabetical order, since a stored run's coordinates come back in any.
    """
    if "member" not in data.dims:
        yield ALONE
        return
    names = sorted(str(name) for name in data.coords if data[name].dims == ("member",))
    for member in range(data.sizes["member"]):
        told = (f"{name} {_number(data[name].values[member])}" for name in names)
        yield ", ".join(told) or f"member {member}"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
