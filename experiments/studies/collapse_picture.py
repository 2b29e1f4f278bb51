"""The collapse run's picture: NC1, NC2 and NC3 over time, one column for each way of moving."""

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, TIME_LABEL, house_style

PANELS = {
    "nc1_ratio": "NC1: Tr(Sigma_W Sigma_B^+)",
    "nc2_angles": "NC2: mean |cos + 1/(C-1)|",
    "nc3_duality": "NC3: |W/|W| - M/|M||",
}
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)


def draw(config: Any, datasets: Datasets) -> Figure:
    """Draws every member; one colour for each lambda, solid with true labels, else dotted."""
    colours = dict(zip(sorted(config.decay), COLOURS, strict=False))
    with house_style():
        figure, grid = plt.subplots(
            len(PANELS), len(datasets), sharex=True, sharey="row", squeeze=False,
            figsize=(1.5 + 3.2 * len(datasets), 8.0),
        )  # fmt: skip
        for column, (way, data) in zip(grid.T, datasets.items(), strict=True):
            for axes, (name, title) in zip(column, PANELS.items(), strict=True):
                for member in range(data.sizes["member"]):
                    one = data.isel(member=member)
                    style = "-" if one.label_noise == 0 else ":"
                    colour = colours.get(float(one.decay), GREY)
                    axes.plot(one.time, one[name], style, color=colour, linewidth=1)
                axes.set_yscale("log")
                axes.set_title(title)
            column[0].set_title(f"{way}\n{PANELS['nc1_ratio']}")
            column[-1].set_xlabel(TIME_LABEL)
        for number, (decay, colour) in enumerate(colours.items()):
            grid[0, 0].annotate(
                f"lambda = {decay:g}", (0.03, 0.05 + 0.09 * number), xycoords="axes fraction",
                color=colour, fontsize=8,
            )  # fmt: skip
        figure.supxlabel(f"{config.data.name}, {config.seeds} seeds", fontsize=8)
        plt.close(figure)
    return figure
