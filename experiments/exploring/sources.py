"""Where a run to be explored comes from: memory or a folder; one labelled dataset per run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from ...dynamics.compare import Comparison
from ...dynamics.trajectory import Trajectory
from ...models.checks import unknown
from ..errors import UsageError
from ..labelling import labelled
from ..runs import Record, open_run

ALONE = "run"
"""The name of what has none."""


def datasets_of(what: Any) -> dict[str, xr.Dataset]:
    """Labelled datasets by name.

    Args:
        what: A trajectory (of one run or of an ensemble), a comparison, a dataset of
            `experiments.labelled`, a record, or the folder of a stored run.

    Raises:
        UsageError: If it is none of these.
    """
    if isinstance(what, str | Path):
        return open_run(what).datasets
    if isinstance(what, Record):
        return what.datasets
    if isinstance(what, Comparison):
        return {name: labelled(run) for name, run in what.trajectories.items()}
    if isinstance(what, Trajectory):
        return {ALONE: labelled(what)}
    if isinstance(what, xr.Dataset):
        return {ALONE: what}
    raise UsageError(
        f"expected a trajectory, a comparison, a dataset, a record or a run's folder, "
        f"got {type(what).__name__}: pass what dynamics.simulate or experiments.run returned"
    )


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


def labels(data: xr.Dataset) -> Iterator[str]:
    """What tells each member from the others: its coordinates, or its number."""
    if "member" not in data.dims:
        yield ALONE
        return
    names = [str(name) for name in data.coords if data[name].dims == ("member",)]
    for member in range(data.sizes["member"]):
        told = (f"{name} {_number(data[name].values[member])}" for name in names)
        yield ", ".join(told) or f"member {member}"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
