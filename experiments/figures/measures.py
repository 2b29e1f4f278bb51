"""What claims measure, from datasets whose members are every combination of some coordinates."""

from typing import Any

import numpy as np
import xarray as xr

from ...dynamics.types import FAILURES


def cube(data: xr.Dataset, *axes: str) -> xr.Dataset:
    """Members as an array over their coordinates.

    Args:
        data: With ``member``, told apart by the coordinates that are named.
        axes: Their names, ``"seed"`` among them.

    Returns:
        The same with these dimensions in place of ``member``; members that failed are NaN.
    """
    whole = ~data.status.isin([int(status) for status in FAILURES])
    others = [name for name in data.coords if data[name].dims == ("member",) and name not in axes]
    kept = data.where(whole).drop_vars(others)
    return kept.set_index(member=list(axes)).unstack("member").transpose(*axes, ...)


def spread(values: xr.DataArray, over: str) -> xr.DataArray:
    """The largest over the smallest of positive numbers along a dimension."""
    return values.max(over, skipna=False) / values.min(over, skipna=False)


def slope(x: Any, y: xr.DataArray, over: str) -> xr.DataArray:
    """Of the straight line fitted to y over x along a dimension."""
    away = x - x.mean(over)
    return (away * (y - y.mean(over))).sum(over, skipna=False) / (away**2).sum(over)


def correlation(x: xr.DataArray, y: xr.DataArray, over: str) -> xr.DataArray:
    """Pearson's, along a dimension; NaN where one does not vary."""
    return xr.corr(x, y, dim=over)


def last_change(values: xr.DataArray, share: float = 0.2) -> xr.DataArray:
    """How far a quantity moved over the last share of the looks, relative to its end."""
    looks = values.sizes["time"]
    tail = values.isel(time=slice(looks - max(int(share * looks), 2), None))
    end = np.abs(values.isel(time=-1))
    return (tail.max("time", skipna=False) - tail.min("time", skipna=False)) / end
