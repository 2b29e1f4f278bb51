"""Networks with linear heads: what class means and the layers' balance do over time.

One column for each kind of network; a line for each seed at each lambda.
"""

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import BLUE, ORANGE, TIME_LABEL, house_style


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
