"""[M117] Fig. 10: rho(t) is a sigmoid, with a plateau that grows with depth and small starts.

The closed form is theory's 3.7; times are in the mean normalisation. To leading order in a small
start, the plateau lasts ln(1/rho_0) / (4 mu) for two layers and rho_0^(-(1-2/L)) / (2 mu (L-2))
for more; one layer has none.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import PREDICTED, house_style
from ..studies.logistic import LAPTOP, PAPER, TINY, half_times
from .claims import Claim, above, below, within
from .drawing import series
from .reproduction import Reproduction


def apart(datasets: Datasets) -> float:
    """Largest |rho - closed form| over the limit, over all runs and times."""
    return max(
        float(np.abs(data.rho - data.predicted).max(skipna=False)) / data.attrs["limit"]
        for data in datasets.values()
    )


def halves(datasets: Datasets) -> xr.DataArray:
    """Times to half of the limit, of two layers and more: [layers, initial_rho], increasing."""
    found = [
        half_times(data).swap_dims(member="initial_rho").expand_dims(layers=[data.attrs["layers"]])
        for data in datasets.values()
        if data.attrs["layers"] > 1
    ]
    return xr.concat(found, "layers").sortby(["layers", "initial_rho"])


def depth_ratio(datasets: Datasets) -> float:
    """Smallest ratio of the time to half between one depth and the next, at the smallest start."""
    times = halves(datasets).isel(initial_rho=0).values
    return float(np.min(times[1:] / times[:-1]))


def start_ratio(datasets: Datasets) -> float:
    """Smallest ratio of the time to half between one start and the next larger one."""
    times = halves(datasets).values
    return float(np.min(times[:, :-1] / times[:, 1:]))


def growth(datasets: Datasets) -> float:
    """At the largest L: slope of log time to half against log start, over -(1 - 2/L)."""
    times = halves(datasets).isel(layers=-1)
    slope = np.polyfit(np.log(times.initial_rho), np.log(times), 1)[0]
    return float(slope / (2 / float(times.layers) - 1))


def bend(datasets: Datasets) -> float:
    """Fastest rise of the deepest network from the smallest start, over its mean rise to there."""
    data = max(datasets.values(), key=lambda data: data.attrs["layers"])
    rho = data.rho.isel(member=int(np.argmin(data.initial_rho.values))).values
    rises, times = np.diff(rho) / np.diff(data.time), data.time.values
    fastest = int(np.argmax(rises))
    return float(rises[fastest] * times[fastest + 1] / (rho[fastest + 1] - rho[0]))


def draw_plateaus(config: Any, datasets: Datasets) -> Figure:
    """Rho over time for each L, colours by start, the closed form dashed on top."""
    with house_style():
        columns = len(datasets)
        figure, row = plt.subplots(
            1, columns, figsize=(2.35 * columns + 0.6, 3.3), sharey=True, squeeze=False
        )
        colours = series(config.initial_rho)
        for axes, data in zip(row[0], datasets.values(), strict=True):
            for number, start in enumerate(data.initial_rho.values):
                colour = colours[float(start)]
                axes.plot(data.time, data.rho.isel(member=number), color=colour, linewidth=2.2)
                axes.plot(data.time, data.predicted.isel(member=number), **PREDICTED)
            axes.set_title(f"L = {data.attrs['layers']}")
            axes.set_xlabel("time")
        for start, colour in colours.items():
            row[0, 0].plot([], [], color=colour, label=f"from {start:g}")
        row[0, 0].plot([], [], label="closed form", **PREDICTED)
        row[0, 0].set_ylabel(f"rho (mu = {config.mean_margin:g}, M = {config.mean_margin**2:g})")
        row[0, 0].legend(loc="lower right", fontsize=8)
        plt.close(figure)
    return figure


FIGURES = {
    "m117-10": Reproduction(
        document="[M117] Fig. 10",
        caption="rho(t) of networks of equal norms and frozen directions, by the full flow of "
        "their weights and by the closed form, for several depths and starts.",
        setup="Document: the logistic equation with constants a, b that it does not state. Here: "
        "chains of one unit per layer on one input, so that directions cannot turn; mu = .5, "
        "M = .25, double precision.",
        study="logistic",
        presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
        draw=draw_plateaus,
        claims=(
            Claim(
                "rho follows the closed form of the logistic equation",
                "largest distance over the limit", apart, below(1e-4), exact=True,
            ),
            Claim(
                "the plateau is longer with more layers",
                "time to half of the limit, ratio from one depth to the next, the smallest",
                depth_ratio, above(1.05), exact=True,
            ),
            Claim(
                "the plateau is longer from a smaller start",
                "time to half of the limit, ratio from one start to the next, the smallest",
                start_ratio, above(1.05), exact=True,
            ),
            Claim(
                "the plateau grows as rho_0^-(1 - 2/L)",
                "fitted exponent over the predicted one, deepest network", growth,
                within(0.8, 1.2), exact=True,
                explanation="The law is the leading order in a small start (3.7); the rise itself "
                "takes time that does not grow.",
            ),
            Claim(
                "rho(t) is a sigmoid: it rises fastest long after the start",
                "fastest rise over the mean rise until then", bend, above(2.0), exact=True,
            ),
        ),
    ),
}  # fmt: skip
