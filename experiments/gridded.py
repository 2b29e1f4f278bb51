"""Runs of a grid as one dataset, and quantiles over what is not swept."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..dynamics.types import FAILURES
from .grid import points


def combined(
    grid: Mapping[str, Sequence[Any]], found: Mapping[tuple[Any, ...], xr.Dataset]
) -> xr.Dataset:
    """Datasets of points as one, with the grid as its first dimensions.

    Args:
        grid: Values by field.
        found: Datasets by the values at their point; those of missing points become NaN.

    Returns:
        Members that failed are NaN but for their ``status``. Where runs have other times, the
        dimension ``time`` counts the looks and ``time_reached`` holds the times; where they have
        fewer samples, members or units, the rest is NaN.
    """
    clean = {values: masked(_without(data, grid)) for values, data in found.items()}
    common = _one_time_axis(list(clean.values()))
    if not common:
        clean = {values: _counted(data) for values, data in clean.items()}
    clean = _padded(clean)
    empty = xr.full_like(next(iter(clean.values())), np.nan, dtype=float)
    flat = [clean.get(values, empty) for values in points(grid)]
    whole = xr.concat(
        flat, "point", join="override", combine_attrs="drop_conflicts",
        coords="minimal", compat="override",
    )  # fmt: skip
    sizes = {field: len(values) for field, values in grid.items()}
    shaped = {
        name: _shaped(variable, sizes) for name, variable in whole.variables.items()
        if name not in grid
    }  # fmt: skip
    coordinates = {str(name) for name in whole.coords}
    axes = {field: list(values) for field, values in grid.items()}
    dataset = xr.Dataset(shaped, axes, whole.attrs).transpose(*grid, ...)
    return dataset.set_coords([name for name in shaped if name in coordinates])


def bands(
    values: xr.DataArray,
    over: str | Sequence[str] = "member",
    quantiles: Sequence[float] = (0.1, 0.5, 0.9),
) -> xr.DataArray:
    """Quantiles over a dimension, failed members left out: a band and its middle.

    Args:
        values: A variable of a run's or a sweep's dataset.
        over: The dimension, or several.
        quantiles: Shares in [0, 1].

    Returns:
        The same without that dimension, ``quantile`` first; NaN where no member is left.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return values.quantile(list(quantiles), dim=over, skipna=True)


def _without(data: xr.Dataset, grid: Mapping[str, Any]) -> xr.Dataset:
    """Without the members' coordinates that the grid's take over."""
    return data.drop_vars([field for field in grid if field in data.coords])


def masked(data: xr.Dataset) -> xr.Dataset:
    """With NaN in place of what members that failed have left.

    Args:
        data: One run or an ensemble, labelled.
    """
    if "status" not in data:
        return data
    whole = ~data.status.isin([int(status) for status in FAILURES])
    return data.where(whole).assign(status=data.status.astype(float))


def _one_time_axis(datasets: list[xr.Dataset]) -> bool:
    times = [data.time.values for data in datasets if "time" in data.coords]
    return all(len(time) == len(times[0]) and np.allclose(time, times[0]) for time in times)


def _counted(data: xr.Dataset) -> xr.Dataset:
    return data.assign(time_reached=("time", data.time.values)).drop_vars("time")


def _padded(datasets: dict[tuple[Any, ...], xr.Dataset]) -> dict[tuple[Any, ...], xr.Dataset]:
    """All as long as the longest in every dimension."""
    longest: dict[Any, int] = {}
    for data in datasets.values():
        for name, size in data.sizes.items():
            longest[name] = max(size, longest.get(name, 0))

    def pad(data: xr.Dataset) -> xr.Dataset:
        short = {name: (0, longest[name] - size) for name, size in data.sizes.items()}
        short = {name: ends for name, ends in short.items() if ends[1]}
        return data.pad(short) if short else data

    return {values: pad(data) for values, data in datasets.items()}


def _shaped(variable: xr.Variable, sizes: Mapping[str, int]) -> xr.Variable:
    return variable.unstack(point=sizes) if "point" in variable.dims else variable
