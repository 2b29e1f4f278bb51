"""A sweep's picture: rho(t) as bands over the members, and final rho against mu/(M+lambda).

One column for each part of the experiment that observes rho. Above, rho(t) at every point of the
grid: 10% to 90% of the members, and their median. Below, over the first two fields, the median of
the final rho, and where mu/(M+lambda) says that it rests; over further fields, the median too.
"""

from collections.abc import Iterator, Mapping

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .gridded import bands
from .plotting import BLUE, GREY, PREDICTED, TIME_LABEL, house_style

LABELLED = 12
"""Up to so many lines have a label each."""


def draw(fields: list[str], parts: Mapping[str, xr.Dataset]) -> Figure:
    """Draws a sweep.

    Args:
        fields: The grid's, the first dimensions of the datasets.
        parts: Datasets with rho and rho_eq, by part of the experiment.
    """
    with house_style():
        figure, grid = plt.subplots(
            2, len(parts), figsize=(5.6 * len(parts), 8.2), squeeze=False, sharey="row"
        )
        for column, (part, data) in zip(grid.T, parts.items(), strict=True):
            _draw_bands(column[0], data, fields)
            _draw_ends(column[1], data, fields)
            column[0].set_title(f"{part}: rho(t), 10%..90% of {data.sizes['member']} members")
        grid[0][0].set_ylabel("rho")
        lines, names = grid[0][0].get_legend_handles_labels()
        if lines:
            figure.legend(lines, names, loc="outside upper center", ncols=3, fontsize=8)
        plt.close(figure)
    return figure


def _draw_bands(axes: Axes, data: xr.Dataset, fields: list[str]) -> None:
    times = data.time if "time" in data.coords else data.time_reached
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, data.rho.stack(point=fields).point.size))
    for colour, (name, one) in zip(colours, _at_points(data.rho, fields), strict=True):
        low, middle, high = bands(one).transpose("quantile", "time").values
        moments = times.values if times.ndim == 1 else times.sel(one.coords).values
        axes.fill_between(moments, low, high, color=colour, alpha=0.25, linewidth=0)
        axes.plot(moments, middle, color=colour, label=name if len(colours) <= LABELLED else None)
    axes.set_xlabel(TIME_LABEL)
    axes.set_ylim(bottom=0)


def _at_points(values: xr.DataArray, fields: list[str]) -> Iterator[tuple[str, xr.DataArray]]:
    """A variable at every point of the grid, with its name."""
    for index in np.ndindex(*(values.sizes[field] for field in fields)):
        one = values.isel(dict(zip(fields, index, strict=True)))
        yield ", ".join(f"{field} = {one[field].item():g}" if _is_number(one[field])
                        else f"{field} = {one[field].item()}" for field in fields), one  # fmt: skip


def _is_number(value: xr.DataArray) -> bool:
    return bool(np.issubdtype(value.dtype, np.number))


def _draw_ends(axes: Axes, data: xr.Dataset, fields: list[str]) -> None:
    last = data.isel(time=-1)
    others = ["member", *fields[2:]]
    rho, predicted = (
        bands(last[name], others, [0.5]).isel(quantile=0) for name in ("rho", "rho_eq")
    )
    if len(fields) == 1:
        _draw_line(axes, fields[0], rho, predicted)
    else:
        _draw_map(axes, fields[:2], rho.transpose(*fields[:2]), predicted.transpose(*fields[:2]))


def _draw_line(axes: Axes, field: str, rho: xr.DataArray, predicted: xr.DataArray) -> None:
    places = np.arange(rho.size)
    axes.plot(places, rho.values, color=BLUE, marker="o", label="rho at the end")
    axes.plot(places, predicted.values, **PREDICTED, marker="_", label="mu/(M+lambda) there")
    axes.set_xticks(places, [str(value) for value in rho[field].values])
    axes.set_xlabel(field)
    axes.set_title("final rho, median over members")
    axes.legend(fontsize=8)


def _draw_map(axes: Axes, fields: list[str], rho: xr.DataArray, predicted: xr.DataArray) -> None:
    """Colours say how far rho is from the prediction; the numbers are both."""
    away = abs(rho / predicted - 1)
    axes.grid(False)
    image = axes.imshow(
        np.log10(np.maximum(away.values, 1e-6)), cmap="cividis_r", aspect="auto", vmin=-4, vmax=0
    )
    for row, column in np.ndindex(*rho.shape):
        text = f"{rho.values[row, column]:.3g}\n{predicted.values[row, column]:.3g}"
        dark = away.values[row, column] > 1e-2
        axes.text(
            column, row, text, ha="center", va="center", fontsize=8, color="w" if dark else "k"
        )
    for name, axis, field in (("y", axes.yaxis, fields[0]), ("x", axes.xaxis, fields[1])):
        values = rho[field].values
        axis.set_ticks(np.arange(len(values)), [str(value) for value in values])
        getattr(axes, f"set_{name}label")(field)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("log10 |rho / (mu/(M+lambda)) - 1|", color=GREY)
    axes.set_title("median final rho, and mu/(M+lambda) below it")
