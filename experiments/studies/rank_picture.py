"""The rank run's picture: the hidden layers' stable ranks at the end, against lambda."""

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import BLUE, GREEN, GREY, ORANGE, house_style

COLOURS = (BLUE, ORANGE, GREEN, GREY)


def draw(config: Any, datasets: Datasets) -> Figure:
    """Draws one panel per batch size; colours are learning rates, points are members."""
    with house_style():
        figure, panels = plt.subplots(
            1, len(datasets), figsize=(1 + 2.9 * len(datasets), 3.4), sharey=True, squeeze=False
        )
        for axes, (name, data) in zip(panels[0], datasets.items(), strict=True):
            ranks = data.ranks_stable.isel(time=-1)
            hidden = ranks.isel({ranks.dims[-1]: slice(None, -1)}).mean(ranks.dims[-1])
            for number, rate in enumerate(sorted(config.learning_rates)):
                own = data.learning_rate == rate
                colour = COLOURS[number % len(COLOURS)]
                axes.plot(data.decay[own], hidden[own], "o", markersize=4, color=colour)
                axes.annotate(
                    f"rate {rate:g}", (0.04, 0.05 + 0.08 * number), xycoords="axes fraction",
                    color=colour, fontsize=8,
                )  # fmt: skip
            axes.set_xscale("symlog", linthresh=1e-5)
            axes.set_xlabel("lambda")
            axes.set_title(f"{name}: stable rank")
        figure.supxlabel(f"{config.data.name} {config.data.classes}, {config.seeds} seeds")
        plt.close(figure)
    return figure
