"""Networks with linear heads, as a table and as a picture.

The picture: NC2 and the balance of layers over time, one column for each kind of network, a line
for each seed at each lambda. The table: where each kind of network ended.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..experiment import Datasets, Row
from ..plotting import BLUE, ORANGE, TIME_LABEL, house_style
from .two_classes import ended


def draw(config: Any, datasets: Datasets) -> Figure:
    """NC2 of what the last layer sees, and the balance of the last pair of layers."""
    with house_style():
        size = (2.4 * len(datasets) + 1.2, 4.6)
        figure, grid = plt.subplots(
            2, len(datasets), figsize=size, sharex="col", sharey="row", squeeze=False
        )
        for column, data in zip(grid.T, datasets.values(), strict=True):
            column[0].set_title(f"{data.attrs['nonlinear']} + {data.attrs['linear']} layers")
            column[0].plot(data.time, data.nc2.isel(hidden=-1).T, color=BLUE, linewidth=0.8)
            column[1].plot(data.time, data.balance.isel(pair=-1).T, color=ORANGE, linewidth=0.8)
            column[1].set_xlabel(TIME_LABEL if len(datasets) == 1 else "time")
        for axes, label in zip(grid[:, 0], ("NC2, last layer", "balance, last pair"), strict=True):
            axes.set_yscale("log")
            axes.set_ylabel(label)
        figure.suptitle(f"{config.data.name}: collapse and balance", fontsize=10)
        plt.close(figure)
    return figure


def table(_: Any, datasets: Datasets) -> list[Row]:
    """One row per kind of network and lambda; medians over the seeds."""
    return [
        _row(data, data.where(data.decay == decay, drop=True))
        for data in datasets.values()
        for decay in np.unique(data.decay)
    ]


def _row(data: xr.Dataset, group: xr.Dataset) -> Row:
    last = group.isel(time=-1).median("member", skipna=False)
    linear = data.attrs["linear"]
    return {
        "nonlinear": str(data.attrs["nonlinear"]),
        "linear": str(linear),
        "rate": f"{data.attrs['learning_rate']:g}",
        "lambda": f"{float(group.decay[0]):g}",
        "fit": f"{float(last.unregularised_loss):.4f}",
        "train err": f"{100 * float(last.train_error):.1f}%",
        "test err": f"{100 * float(last.test_error):.1f}%",
        "NC1 last": f"{float(last.nc1[-1]):.2e}",
        "NC1 first": f"{float(last.nc1[-linear]):.2e}",
        "NC2 last": f"{float(last.nc2[-1]):.2f}",
        "NC2 first": f"{float(last.nc2[-linear]):.2f}",
        "balance": " ".join(f"{float(value):.1e}" for value in last.balance[-linear:]),
        "s/member": f"{float(group.seconds.mean()):.1f}",
        "ended": ended(group),
    }
