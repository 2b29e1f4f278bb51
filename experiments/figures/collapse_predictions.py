"""Predictions about collapse without a figure: random labels, and which descent it takes.

[M117] section 8 (and [Dyn] 7) expect NC1 to NC4 on labels that mean nothing, too: margins are then
smaller and rho larger, and collapse, they say, does not depend on the margin.

Whether collapse needs SGD the documents disagree about: [Dyn] section 5 derives NC1 from exchanging
samples between batches and calls SGD necessary; [M117] section 6 expects NC1 under full-batch
descent as well, and J.2 under the exponential loss. The step to NC1 fails in the null space of the
last layer in all of them (theory, 7.5), so that it has to be measured: for a scalar network NC1 is
the spread of features along the one direction between the class means.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..data import DataConfig
from ..experiment import Datasets
from ..plotting import house_style
from ..studies.collapse import CIFAR_PAIR, LAPTOP, PAPER, TINY
from .claims import Claim, above, below, within
from .collapse_drawing import (
    NC1,
    NC2_ANGLES,
    NC2_NORMS,
    NC3,
    NC4,
    Panel,
    draw_metric,
    draw_panels,
    group,
    key,
    last,
    look,
    only,
)
from .drawing import source_below
from .measures import slope
from .reproduction import Reproduction

RANDOM = replace(
    LAPTOP,
    data=DataConfig(name="mnist5k", classes=(3, 5, 8), train=300, test=400, side=10, centre=True),
    hidden=(48, 48, 48, 48),
    targets="centred",
    label_noise=(0.0, 1.0),
    decay=(1e-4,),
    initial_rho=(5000.0,),
    seeds=5,
    steps=6000,
    drops=(0.8,),
    looks=25,
    learning_rate=0.1,
)
RADIUS = Panel("rho", "rho: margins near 1 / rho")
METRICS = (NC1, NC2_NORMS, NC2_ANGLES, NC3)


def draw_random(config: Any, datasets: Datasets) -> Figure:
    """Rho and the metrics over time, with true labels and with random ones."""
    groups = {
        "true labels": group(only(datasets), label_noise=0.0),
        "random labels": group(only(datasets), label_noise=1.0),
    }
    source = f"{config.data.name} {config.data.classes}, {config.seeds} seeds"
    return draw_panels(groups, (RADIUS, *METRICS, NC4), source)


def of_random(name: str) -> Callable[[Datasets], xr.DataArray]:
    """A measure: a quantity's end with random labels."""
    return lambda datasets: last(only(datasets), label_noise=1.0)[name]


def fallen(name: str) -> Callable[[Datasets], xr.DataArray]:
    """A measure: a metric with random labels, its end over its start."""

    def measure(datasets: Datasets) -> xr.DataArray:
        values = group(only(datasets), label_noise=1.0)[name]
        return values.isel(time=-1) / values.isel(time=0)

    return measure


def over_true(name: str) -> Callable[[Datasets], xr.DataArray]:
    """A measure: a quantity's end with random labels over its end with true ones."""

    def measure(datasets: Datasets) -> xr.DataArray:
        true = last(only(datasets), label_noise=0.0)[name]
        return last(only(datasets), label_noise=1.0)[name] / true

    return measure


SGD = replace(
    LAPTOP,
    data=DataConfig(name="mnist5k", classes=(3, 8), train=100, test=400, side=10, centre=True),
    hidden=(32, 32),
    targets="signs",
    losses=("square", "exponential"),
    batch_sizes=(5, 20, 0),
    coordinates=("lagrange",),
    decay=(1e-5,),
    initial_rho=(20.0,),
    seeds=5,
    steps=5000,
    drops=(0.8,),
    learning_rate=0.005,
)
SHORT_SGD = replace(
    TINY, data=replace(TINY.data, classes=(3, 8), train=40), targets="signs",
    losses=SGD.losses, batch_sizes=SGD.batch_sizes, coordinates=SGD.coordinates, decay=SGD.decay,
    initial_rho=(5.0,), learning_rate=0.005,
)  # fmt: skip


def _by_batch(datasets: Datasets, loss: str) -> dict[int, xr.Dataset]:
    """A loss's runs by the size of their batches, smallest first; all samples last."""
    found = {}
    for way, data in datasets.items():
        its_loss, size, _ = way.split("-")
        if its_loss == loss:
            found[data.attrs["samples"] if size == "all" else int(size)] = group(data)
    return dict(sorted(found.items()))


def draw_sgd(config: Any, datasets: Datasets) -> Figure:
    """NC1 over time for every batch size, under each loss, and its end against the batch size."""
    with house_style():
        figure, panels = plt.subplots(1, 3, figsize=(10.2, 3.4))
        for number, loss in enumerate(config.losses):
            found = _by_batch(datasets, loss)
            named = {f"batches of {size}": data for size, data in found.items()}
            draw_metric(panels[number], named, NC1._replace(title=f"{loss} loss: NC1"))
            key(panels[number], list(named))
            _draw_ends(panels[2], found, number, loss)
        panels[2].set_xscale("log")
        panels[2].set_yscale("log")
        panels[2].set_title("NC1 at the end, every seed", fontsize=9.5)
        panels[2].set_xlabel("batch size; the largest is all samples", fontsize=8)
        panels[2].legend(fontsize=8, labelcolor="linecolor")
        source_below(figure, f"{config.data.name} {config.data.classes}, {config.seeds} seeds")
        plt.close(figure)
    return figure


def _draw_ends(axes: Axes, found: dict[int, xr.Dataset], number: int, loss: str) -> None:
    ends = {size: data.nc1_ratio.isel(time=-1) for size, data in found.items()}
    colour = look(number)["color"]
    axes.plot(list(ends), [float(end.mean()) for end in ends.values()], label=loss, **look(number))
    for size, end in ends.items():
        axes.plot(np.full(end.size, size), end, "o", markersize=3, color=colour)


def kept(loss: str, which: int) -> Callable[[Datasets], xr.DataArray]:
    """A measure: NC1 at the end over NC1 at the start; 0 for the smallest batch, -1 for all."""

    def measure(datasets: Datasets) -> xr.DataArray:
        values = list(_by_batch(datasets, loss).values())[which].nc1_ratio
        return values.isel(time=-1) / values.isel(time=0)

    return measure


def smallest_over_all(loss: str) -> Callable[[Datasets], xr.DataArray]:
    """A measure: NC1 at the end with the smallest batch over that of full-batch descent."""

    def measure(datasets: Datasets) -> xr.DataArray:
        ends = [data.nc1_ratio.isel(time=-1) for data in _by_batch(datasets, loss).values()]
        return ends[0] / ends[-1]

    return measure


def rise_with_batch(loss: str) -> Callable[[Datasets], xr.DataArray]:
    """A measure: the slope of log NC1 at the end over the log of the batch size."""

    def measure(datasets: Datasets) -> xr.DataArray:
        found = _by_batch(datasets, loss)
        sizes = xr.DataArray(np.log(list(found)), dims="size")
        ends = xr.concat([data.nc1_ratio.isel(time=-1) for data in found.values()], "size")
        return slope(sizes, np.log(ends), "size")

    return measure


FLOOR = (
    "All samples at once collapse as far: [M117] 6 against [Dyn] 5. The step to NC1 is proved for "
    "neither (7.5), and noise of small batches keeps margins apart (6.6)."
)


def _of_loss(loss: str, source: str) -> tuple[Claim, ...]:
    return (
        Claim(
            f"{loss} loss: NC1 falls under SGD", "smallest batch, end over start", kept(loss, 0),
            below(0.5), explanation=FLOOR,
        ),
        Claim(
            f"{loss} loss: NC1 falls under full-batch descent as well ({source})",
            "all samples, end over start", kept(loss, -1), below(0.5), explanation=FLOOR,
        ),
        Claim(
            f"{loss} loss: collapse takes SGD ([Dyn] 5)",
            "NC1 at the end, smallest batch over all samples", smallest_over_all(loss), below(0.5),
            explanation=FLOOR,
        ),
        Claim(
            f"{loss} loss: the smaller the batch, the lower NC1",
            "slope of log NC1 over log batch size", rise_with_batch(loss), above(0.05),
            explanation=FLOOR,
        ),
    )  # fmt: skip


SLOWER = (
    "Random labels ask for larger weights. With the same lambda and time collapse has not come as "
    "far, and at this rate single seeds still jump, so that seeds differ a lot."
)
MIXED = "Means of mixed classes are near a simplex from the start, which leaves little to fall."
FALLS = "random labels, end over start"
RATIO = "end with random labels over end with true ones"
FIGURES = {
    "x-collapse-random-labels": Reproduction(
        document="[M117] section 8",
        caption="NC1 to NC4 on labels that are all random, beside the same with true labels.",
        setup="Document: collapse is expected on random labels too, whatever the margin; no set-up "
        "is given. Here: digits 3, 5 and 8, 300 images, all labels drawn anew or none, centred "
        "targets, an MLP with four hidden layers of 48 units, lambda sum_k |W_k|^2 with lambda "
        "1e-4.",
        study="collapse",
        presets={
            "tiny": replace(TINY, label_noise=(0.0, 1.0), targets="centred", decay=(1e-4,)),
            "laptop": RANDOM,
            "paper": replace(
                PAPER, label_noise=(0.0, 1.0), targets="centred", decay=(1e-4,), steps=500_000
            ),
        },
        draw=draw_random,
        claims=(
            Claim("NC1 falls on random labels", FALLS, fallen("nc1_ratio"), below(0.05)),
            Claim(
                "NC2 falls on random labels: norms", FALLS, fallen("nc2_norms"), below(0.5),
                explanation=MIXED,
            ),
            Claim(
                "NC2 falls on random labels: angles", FALLS, fallen("nc2_angles"), below(0.5),
                explanation=MIXED,
            ),
            Claim("NC3 falls on random labels", FALLS, fallen("nc3_duality"), below(0.5)),
            Claim(
                "NC4 holds on random labels", "share not at the nearest mean, at the end",
                of_random("nc4"), below(0.01),
            ),
            Claim("margins are smaller, rho larger", RATIO, over_true("rho"), above(1.5)),
            Claim(
                "NC1 does not depend on the margin", RATIO, over_true("nc1_ratio"),
                within(1 / 3, 3), explanation=SLOWER,
            ),
            Claim(
                "NC2 does not depend on the margin", f"angles: {RATIO}", over_true("nc2_angles"),
                within(0.5, 2), explanation=SLOWER,
            ),
            Claim(
                "NC3 does not depend on the margin", RATIO, over_true("nc3_duality"),
                within(0.5, 2),
            ),
        ),
    ),
    "x-collapse-sgd": Reproduction(
        document="[M117] sections 6 and J.2",
        caption="NC1 under SGD with several batch sizes and under full-batch descent, square and "
        "exponential loss.",
        setup="Document: predictions without a set-up. Here: digits 3 and 8, 100 images, one "
        "output, an MLP with two hidden layers of 32 units, unit layers under one rho from 20, "
        "lambda 1e-5; all ways take the same steps at the same rate, a tenth of it for the last "
        "fifth.",
        study="collapse",
        presets={
            "tiny": SHORT_SGD,
            "laptop": SGD,
            "paper": replace(
                PAPER, data=CIFAR_PAIR,
                network="dyn", targets="signs", losses=SGD.losses, batch_sizes=(16, 128, 1024, 0),
                coordinates=("lagrange",), decay=(1e-7,), initial_rho=(100.0,),
            ),
        },
        draw=draw_sgd,
        claims=(*_of_loss("square", "[M117] 6"), *_of_loss("exponential", "[M117] J.2")),
    ),
}  # fmt: skip
