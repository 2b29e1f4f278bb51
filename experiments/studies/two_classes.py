"""What experiments on images of two classes share: checks, starts, groups of members, endings.

Their members are every seed at every initial rho with every lambda, told apart by the coordinates
``seed``, ``initial_rho`` and ``decay`` of their datasets. A row of a table or a colour of a picture
is a *group*: the members with one lambda and one initial rho, over the seeds.
"""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ... import dynamics, models
from ...dynamics.labelling import point
from ..audit.subjects import Subject, own_subject
from ..errors import UsageError
from ..experiment import Datasets, Row


def check(
    config: Any, positive: Sequence[str], listed: Sequence[str] = ("decay", "initial_rho")
) -> None:
    """Refuses what no run on two classes could satisfy.

    Args:
        config: With ``data``, ``momentum`` and the fields that are named.
        positive: Names of its numbers that must be above zero.
        listed: Names of its fields with several numbers, none of them negative.

    Raises:
        UsageError: With the option to change.
    """
    check_classes(config)
    check_numbers(config, positive, listed)


def check_classes(config: Any) -> None:
    """Refuses data of other than two classes.

    Raises:
        UsageError: With the option to change.
    """
    if len(config.data.classes) != 2:
        raise UsageError(
            f"expected two classes, got {config.data.classes}: pass, say, --data.classes 3 8"
        )


def check_positive(config: Any, names: Sequence[str]) -> None:
    """Refuses fields that are not above zero.

    Raises:
        UsageError: With the option to change.
    """
    for name in names:
        value, option = getattr(config, name), name.replace("_", "-")
        if not value > 0:
            raise UsageError(f"expected {name} > 0, got {value}: change --{option}")


def check_numbers(
    config: Any, positive: Sequence[str], listed: Sequence[str] = ("decay", "initial_rho")
) -> None:
    """Refuses numbers that no run could satisfy, of whatever classes.

    Arguments and refusals are those of `check`.
    """
    several = (value for name in listed for value in getattr(config, name))
    numbers = (*(getattr(config, name) for name in positive), *several)
    if not all(map(math.isfinite, numbers)):
        raise UsageError(f"expected finite numbers, got {numbers}: change the infinite one")
    if config.data.test < 1:
        raise UsageError(f"expected data.test > 0, got {config.data.test}: change --data.test")
    check_positive(config, positive)
    for name in listed:
        values = getattr(config, name)
        if not values or min(values) < 0:
            raise UsageError(
                f"expected numbers that are not negative in {name}, got {values}: "
                f"change --{name.replace('_', '-')}"
            )
    if not 0 <= config.momentum < 1:
        raise UsageError(f"expected momentum in [0, 1), got {config.momentum}: change --momentum")


def starts(
    network: models.Network,
    seeds: int,
    initial_rho: Sequence[float],
    decay: Sequence[float],
    **more: Sequence[float],
) -> tuple[models.Polar, dict[str, np.ndarray]]:
    """Every seed at every rho with every lambda: positions and what tells the members apart.

    Args:
        network: Whose directions are drawn.
        seeds: How many.
        initial_rho: Values of rho.
        decay: Values of lambda.
        **more: Values of whatever else members differ in, by name.
    """
    axes: list[Any] = [np.arange(seeds), initial_rho, decay, *more.values()]
    grids = np.meshgrid(*axes, indexing="ij")
    drawn, rhos, decays, *others = (grid.ravel() for grid in grids)
    keys = jax.vmap(jax.random.key)(jnp.asarray(drawn))
    positions = jax.vmap(lambda key, rho: models.to_polar(network.init(key), rho))(
        keys, jnp.asarray(rhos, float)
    )
    named = dict(zip(more, others, strict=True))
    return positions, {"seed": drawn, "initial_rho": rhos, "decay": decays, **named}


def groups(data: xr.Dataset) -> Iterator[xr.Dataset]:
    """The members with one lambda and one initial rho: largest lambda first, rho increasing."""
    for decay in np.unique(data.decay)[::-1]:
        for rho in np.unique(data.initial_rho):
            yield data.where((data.decay == decay) & (data.initial_rho == rho), drop=True)


def alike(data: xr.Dataset, *axes: str) -> Iterator[xr.Dataset]:
    """The members that agree in some coordinates, such as those that differ by their seed alone.

    Args:
        data: With ``member``.
        axes: The coordinates, in whose increasing order the groups come.
    """
    table = np.stack([data[name].values for name in axes], axis=1)
    for kind in np.unique(table, axis=0):
        yield data.isel(member=np.flatnonzero(np.all(table == kind, axis=1)))


def group_cells(group: xr.Dataset) -> Row:
    """A table's first cells: what the group's members have in common."""
    return {
        "lambda": f"{float(group.decay[0]):g}",
        "rho(0)": f"{float(group.initial_rho[0]):g}",
    }


def least(values: xr.DataArray) -> float:
    """The smallest value; NaN where one is, so that a member that failed is seen."""
    return float(values.min(skipna=False))


def separable_from(data: xr.Dataset) -> xr.DataArray:
    """The first look from which every margin is positive, to the end.

    Args:
        data: With ``margins`` [member, time, sample].

    Returns:
        Its time, [member]; NaN where the training set is not separated at the end.
    """
    apart = (data.margins > 0).all("sample")
    stays = apart.isel(time=slice(None, None, -1)).cumprod("time").isel(time=slice(None, None, -1))
    return data.time.where(stays.astype(bool)).min("time")


def ended(group: xr.Dataset) -> str:
    """How the members ended, each way with its count."""
    statuses = [dynamics.Status(int(code)).name.lower() for code in group.status.values]
    return ", ".join(f"{statuses.count(name)} {name}" for name in sorted(set(statuses)))


def wall_time(began: float, trajectory: dynamics.Trajectory) -> dict[str, np.ndarray]:
    """Seconds per member since ``began`` (of ``time.perf_counter``), compilation included."""
    jax.block_until_ready(trajectory.final.position)
    members = len(np.asarray(trajectory.final.status))
    return {"seconds": np.full(members, (time.perf_counter() - began) / members)}


def ends(problem: models.Problem, datasets: Datasets, *, rests: bool = True) -> list[Subject]:
    """Where the first seed's runs have ended, for the audit.

    Args:
        problem: What they were trained on, whatever its lambda.
        datasets: With final points, by way of moving.
        rests: Whether it may be asked what holds at rest, where a run has come to rest.
    """
    inputs, targets = (np.asarray(part, float) for part in (problem.inputs, problem.targets))
    return [
        own_subject(
            f"{way}, lambda {float(run.decay):g}, rho(0) {float(run.initial_rho):g}",
            models.Problem(problem.network, inputs, targets, decay=float(run.decay)),
            point(run),
            run.rho.values if rests else None,
        )
        for way, data in datasets.items()
        for run in _first_seed(data)
    ]


def _first_seed(data: xr.Dataset) -> list[xr.Dataset]:
    chosen = data.where(data.seed == 0, drop=True)
    return [chosen.isel(member=index) for index in range(chosen.sizes["member"])]
