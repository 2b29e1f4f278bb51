"""Panels of the initial scale: quantities over time, sorted margins, histograms that narrow.

Colours are the starts', in increasing order of scale, and curves are named where they end. Time and
rho are drawn on logarithmic axes, which show the first steps beside the last.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ..experiment import Datasets
from ..plotting import BLUE, PREDICTED, TIME_LABEL, house_style
from .drawing import End, band, names_at_ends, series, source_below
from .initial_scale import Choice, Quantity

WIDE = 30
"""Margins that differ by such a factor want a logarithmic axis."""

Ends = list[tuple[Axes, list[End]]]


class Panel(NamedTuple):
    """A quantity over time.

    Attributes:
        title: What it is.
        quantity: Of the runs.
        predicted: What theory says of it, dashed; None for nothing.
        log: Whether its axis is logarithmic.
    """

    title: str
    quantity: Quantity
    predicted: Quantity | None = None
    log: bool = True


RHO = Panel("rho; dashed: mu / (M + lambda)", lambda runs: runs.rho, lambda runs: runs.rho_eq)
LOSS = Panel("training loss", lambda runs: runs.unregularised_loss)
GAP = Panel("loss with decay; dashed: its gap", lambda runs: runs.loss, lambda runs: runs.gap)
TEST_LOSS = Panel("test loss", lambda runs: runs.test_loss)
TRAIN_ERROR = Panel("training error, %", lambda runs: 100 * runs.train_error, log=False)
TEST_ERROR = Panel("test error, %", lambda runs: 100 * runs.test_error, log=False)


def over_time(
    panels: Sequence[Panel], choices: Sequence[Choice], config: Any, datasets: Datasets
) -> Figure:
    """A row for each panel, a column for each choice of runs; of one choice, two panels a row."""
    cells = [(panel, choice) for panel in panels for choice in choices]
    columns = min(2, len(cells)) if len(choices) == 1 else len(choices)
    rows = -(-len(cells) // columns)
    with house_style():
        figure, grid = plt.subplots(
            rows, columns, sharex=True, sharey="row" if len(choices) > 1 else False, squeeze=False,
            figsize=(1.4 + 4.0 * columns, 0.8 + 2.7 * rows) if len(cells) > 1 else (6.4, 4.4),
        )  # fmt: skip
        ends: Ends = []
        for axes, (panel, choice) in zip(grid.ravel(), cells, strict=True):
            runs = choice.of(datasets)
            ends.append((axes, curves(axes, panel, runs)))
            axes.set_title(f"lambda = {float(runs.decay):g}: {panel.title}")
        for axes in grid[-1]:
            axes.set_xlabel(TIME_LABEL)
        return finished(figure, ends, config)


def finished(figure: Figure, ends: Ends, config: Any) -> Figure:
    """With the names of curves and the source."""
    names_at_ends(figure, ends)
    source_below(
        figure,
        f"{config.data.name} {config.data.classes}, {config.data.train} for training, "
        f"{config.seeds} seeds (bands)",
    )
    plt.close(figure)
    return figure


def curves(axes: Axes, panel: Panel, runs: xr.Dataset) -> list[End]:
    """A quantity of every start over time, from the first step on."""
    after = runs.isel(time=slice(1, None))
    values, ends = panel.quantity(after), []
    for initial, colour in series(runs.initial).items():
        one = values.sel(initial=initial)
        band(axes, one, color=colour)
        ends.append(end_of(one, f"from {initial:g}", colour))
        if panel.predicted is not None:
            line = panel.predicted(after).sel(initial=initial).mean("seed")
            axes.plot(line.time, line, **PREDICTED)
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    if panel.log:
        axes.set_yscale("log")
    return ends


def end_of(values: xr.DataArray, text: str, colour: str) -> End:
    """Where the seeds' mean ends."""
    return End(float(values.time[-1]), float(values.mean("seed")[-1]), text, colour)


def sorted_margins(choices: Sequence[Choice], config: Any, datasets: Datasets) -> Figure:
    """Sorted margins at the last look, a panel for each choice; dashed: 1/rho, interpolation."""
    with house_style():
        figure, grid = plt.subplots(
            1, len(choices), figsize=(1.2 + 4.2 * len(choices), 4.2), sharey=True, squeeze=False
        )
        ends: Ends = []
        for axes, choice in zip(grid[0], choices, strict=True):
            runs = choice.of(datasets).isel(time=-1)
            ends.append((axes, _sorted(axes, runs)))
            axes.set_title(f"lambda = {float(runs.decay):g}; dashed: 1/rho")
            axes.set_xlabel("training images, by margin, %")
            low, high = float(runs.margins.min()), float(runs.margins.max())
            axes.set_yscale("log" if 0 < WIDE * low < high else "linear")
        grid[0][0].set_ylabel("margin y f of the normalised network")
        return finished(figure, ends, config)


def _sorted(axes: Axes, runs: xr.Dataset) -> list[End]:
    ends = []
    for initial, colour in series(runs.initial).items():
        one = runs.sel(initial=initial)
        values = in_order(one.margins)
        band(axes, values, x="sample", color=colour)
        height = float((1 / one.rho).mean("seed"))
        axes.plot([0, 100], [height, height], **PREDICTED)
        ends.append(End(100.0, float(values.mean("seed")[-1]), f"from {initial:g}", colour))
    return ends


def in_order(margins: xr.DataArray) -> xr.DataArray:
    """Margins in increasing order along ``sample``, whose coordinate is a percentage."""
    axis = margins.get_axis_num("sample")
    ordered = margins.copy(data=np.sort(margins.values, axis=axis))
    return ordered.assign_coords(sample=np.linspace(0, 100, margins.sizes["sample"]))


def narrowing(
    choice: Choice, moments: Callable[[Any], Sequence[float]], config: Any, datasets: Datasets
) -> Figure:
    """Left: histograms of margins at some moments of one start's runs; right: its rho.

    Args:
        choice: Runs from one start.
        moments: Times at which to show a histogram, of a configuration; the nearest looks.
        config: The run's.
        datasets: What it found.
    """
    runs = choice.of(datasets)
    after = runs.sel(time=slice(None, max(moments(config)) * 1.001))
    with house_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 4.2))
        ridges(left, after.margins, moments(config))
        left.set_xlabel("margin y f of the normalised network")
        right.set_title(f"lambda = {float(runs.decay):g}: {RHO.title}")
        ends: Ends = [(right, curves(right, RHO, after))]
        right.set_yscale("linear")
        right.set_xlabel(TIME_LABEL)
        return finished(figure, ends, config)


def ridges(axes: Axes, margins: xr.DataArray, moments: Sequence[float]) -> None:
    """Histograms over samples and seeds, one above the other, each to its own largest count."""
    seen = [margins.sel(time=moment, method="nearest") for moment in moments]
    values = [one.values[np.isfinite(one.values)] for one in seen]
    together = np.concatenate(values)
    bins = np.linspace(together.min() - 1e-9, together.max() + 1e-9, 61)
    for place, one in enumerate(values):
        counts, _ = np.histogram(one, bins)
        heights = place + 0.9 * counts / max(counts.max(), 1)
        axes.stairs(heights, bins, baseline=place, fill=True, color=BLUE, alpha=0.75)
    axes.axvline(0, **PREDICTED)
    axes.set_yticks(range(len(seen)), [_moment(float(one.time)) for one in seen])
    axes.set_title("margins over samples and seeds")


def _moment(time: float) -> str:
    return f"t = {time:.0f}" if time >= 100 else f"t = {time:.2g}"


def share_of_run(*shares: float) -> Callable[[Any], Sequence[float]]:
    """Moments of a run, as shares of its length."""
    return partial(_moments, shares)


def _moments(shares: Sequence[float], config: Any) -> Sequence[float]:
    steps = config.epochs * (config.data.train // config.batch_size)
    length = steps * config.learning_rate / (1 - config.momentum)
    return [share * length for share in shares]


def scattered(axes: Axes, runs: xr.Dataset, x: xr.DataArray, y: xr.DataArray) -> None:
    """One point for each start: means over the seeds, with standard errors, and its name.

    Args:
        axes: Where.
        runs: Whose starts they are.
        x: ``[seed, initial]``.
        y: ``[seed, initial]``.
    """
    for initial, colour in series(runs.initial).items():
        across, up = x.sel(initial=initial), y.sel(initial=initial)
        root = float(np.sqrt(across.sizes["seed"]))
        axes.errorbar(
            float(across.mean()), float(up.mean()), xerr=float(across.std(ddof=1)) / root,
            yerr=float(up.std(ddof=1)) / root, fmt="o", color=colour, capsize=2,
        )  # fmt: skip
        axes.annotate(
            f"{initial:g}", (float(across.mean()), float(up.mean())), xytext=(5, 4),
            textcoords="offset points", fontsize=8, color=colour,
        )  # fmt: skip
