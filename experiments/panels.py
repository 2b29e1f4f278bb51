"""Drawing in one call: a panel for each observation, with what theory says laid over it.

    figure = experiments.plot(trajectory, "rho", "loss", "margins")
    figure = experiments.plot(dynamics.compare(...), "rho", "distance_rho")
    figure = experiments.plot({"small": one, "large": other}, "rho")

Along time, in units of the running sum of learning rates. One number per time is a line; many (a
margin for each sample) are their median, the band that holds 10% to 90% of them and the band that
holds all; few are a line each. An ensemble is its mean and the band of 10% to 90% of the members
that did not fail; who stopped early stays where it stopped. Members that were looked at at other
times are a line each, of many numbers the median, without theory. Dashed is what theory says
(`experiments.overlays`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..models.checks import unknown
from .errors import UsageError
from .figures.drawing import SERIES, End, names_at_ends
from .gridded import bands, masked
from .labelled_runs import datasets_of, times_of
from .overlays import overlay
from .plotting import BLUE, COLOURS, GREY, PREDICTED, TIME_LABEL, house_style

LINES_EACH = 10
"""Up to so many numbers are a line each; more are bands."""

LOG_FROM = 30.0
"""What is positive and spans such a factor has a logarithmic axis."""

STYLES = ("-", ":", "-.")


class Curve(NamedTuple):
    """One variable of one trajectory, and how it is drawn."""

    name: str
    times: np.ndarray
    values: xr.DataArray
    style: dict[str, Any]


def plot(what: Any, *names: str, theory: bool = True) -> Figure:
    """Draws observations along time, a panel for each name.

    Args:
        what: A `dynamics.Trajectory` (one run or an ensemble), a `dynamics.Comparison`, a dataset
            of `Trajectory.to_xarray`, a `Record`, a run's folder, or several trajectories or
            datasets by name.
        *names: Observations; of a comparison also ``distance_rho``, ``distance_outputs`` and
            ``distance_directions``. All that are one number per time, unless given.
        theory: Whether to lay over what theory says, where what was observed tells it.

    Returns:
        The figure, which pyplot does not hold: a notebook shows it, ``savefig`` stores it.

    Raises:
        ValueError: If nothing of that name was observed.
        UsageError: If there is nothing to draw, or what is given is nothing of the kind.

    >>> import jax
    >>> from rhoflow import dynamics, models
    >>> problem = models.Problem(models.mlp((2, 1)), [[0.6, 0.8], [-1.0, 0.0]], [1.0, -1.0])
    >>> start = models.to_polar(problem.network.init(jax.random.key(0)), rho=0.5)
    >>> run = dynamics.simulate(dynamics.gradient_descent(problem, 0.1), start, times=[0.0, 1.0])
    >>> figure = plot(run, "rho", "loss")
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['rho', 'loss']
    """
    parts = {label: _shown(data) for label, data in datasets_of(what).items()}
    chosen = _chosen(parts, names)
    columns = min(len(chosen), 3)
    rows = -(-len(chosen) // columns)
    with house_style():
        figure, grid = plt.subplots(
            rows, columns, squeeze=False, figsize=(4.4 * columns + 0.6, 3.3 * rows + 0.2)
        )
        try:
            for spare in grid.flat[len(chosen) :]:
                spare.remove()
            panels = zip(grid.flat, chosen, strict=False)
            ends = [(axes, _draw_panel(axes, parts, name, theory)) for axes, name in panels]
            names_at_ends(figure, ends)
        finally:
            plt.close(figure)
    return figure


def _shown(data: xr.Dataset) -> xr.Dataset:
    """An ensemble without members that failed, others held where they stopped; one run as it is."""
    if "member" not in data.dims or "time" not in data.coords:
        return data
    found = masked(data)
    for name, variable in found.data_vars.items():
        if {"member", "time"} <= set(variable.dims):
            ordered = variable.transpose("member", "time", ...)
            found[name] = (ordered.dims, _held(ordered.values), variable.attrs)
    return found


def _held(values: np.ndarray) -> np.ndarray:
    """``[members, T, ...]`` with each member's last number in all rows after it."""
    looked = np.isfinite(values).reshape(*values.shape[:2], -1).any(axis=2)
    count = looked.shape[1]
    last = count - 1 - np.argmax(looked[:, ::-1], axis=1)
    rows = np.minimum(np.arange(count), last[:, None])
    return values[np.arange(len(values))[:, None], rows]


def _chosen(parts: Mapping[str, xr.Dataset], names: tuple[str, ...]) -> tuple[str, ...]:
    """The names to draw, all of them observed."""
    known: dict[str, bool] = {}
    for data in parts.values():
        for name, variable in data.data_vars.items():
            if "time" in variable.dims:
                whole = variable.attrs.get("observation", str(name))
                known[whole] = known.get(whole, True) and not _own_dims(variable)
    for name in names:
        if name not in known:
            raise unknown("observation", name, known)
    chosen = names or tuple(name for name, single in known.items() if single)
    if not chosen:
        raise UsageError("expected observations to draw, got none: name them in observe(...)")
    return chosen


def _own_dims(variable: xr.DataArray) -> list[Any]:
    return [name for name in variable.dims if name not in ("member", "time")]


def _draw_panel(axes: Axes, parts: Mapping[str, xr.Dataset], name: str, theory: bool) -> list[End]:
    curves = list(_curves(parts, name))
    ends = [_draw(axes, curve) for curve in curves]
    axes.set_title(_title(name, curves))
    axes.set_xlabel(TIME_LABEL)
    axes.set_ylabel(name)
    _scale(axes, curves)
    if not theory:
        return ends
    low, high = axes.get_ylim()
    several = len(parts) > 1
    predicted = [
        end
        for place, data in enumerate(parts.values())
        if (end := _overlay(axes, data, name, SERIES[place % len(SERIES)] if several else GREY))
    ]
    least = low / 10 if axes.get_yscale() == "log" else -np.inf
    last = [end.y for end in predicted if np.isfinite(end.y) and end.y > least]
    axes.set_ylim(min([low, *last]), max([high, *last]))  # as the measured, not its first transient
    return ends + predicted[:1]


def _curves(parts: Mapping[str, xr.Dataset], name: str) -> Iterator[Curve]:
    """Every trajectory's variables of a name: one, or one for each part of the observation."""
    several = len(parts) > 1
    for place, (label, data) in enumerate(parts.items()):
        held = [
            variable
            for variable, values in data.data_vars.items()
            if values.attrs.get("observation", variable) == name and "time" in values.dims
        ]
        for number, variable in enumerate(held):
            part = str(variable).removeprefix(f"{name}_") if len(held) > 1 else ""
            part = f"[{part}]" if part.isdigit() else part
            colour = SERIES[(place if several else number) % len(SERIES)]
            if not several and len(held) == 1:
                colour = COLOURS.get(name, BLUE)
            line = STYLES[number % len(STYLES)] if several else "-"
            style = {"color": colour, "linestyle": line}
            called = f"{label} {part}".strip() if several else part
            yield Curve(called, times_of(data), data[variable], style)


def _draw(axes: Axes, curve: Curve) -> End:
    """Draws a curve and says where it ends."""
    own = _own_dims(curve.values)
    size = int(np.prod([curve.values.sizes[name] for name in own]))
    if curve.times.ndim == 2:
        lines = [(times, one) for times, one in zip(curve.times, curve.values, strict=True)]
        middles = [_line(axes, times, one.median(own), curve.style) for times, one in lines]
        return _end(*middles[-1], curve)
    spread = [*own] if size > LINES_EACH else []
    over = [name for name in ("member", *spread) if name in curve.values.dims]
    rest = [name for name in own if name not in spread]
    stacked = curve.values.stack(line=rest) if rest else curve.values.expand_dims("line")
    ends = []
    for values in stacked.transpose("line", ...):
        middle = values
        if over:
            _fill(axes, curve, values, over, (0.1, 0.9), 0.22)
            if spread:
                _fill(axes, curve, values, over, (0.0, 1.0), 0.1)
                middle = bands(values, over, (0.5,)).isel(quantile=0)
            else:
                middle = values.mean(over)
        ends.append(_line(axes, curve.times, middle, curve.style))
    return _end(*ends[0], curve)


def _line(
    axes: Axes, times: np.ndarray, values: xr.DataArray, style: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """A line through the looks that hold a number."""
    found = np.asarray(values)
    seen = np.isfinite(found)
    axes.plot(times[seen], found[seen], **style)
    return times[seen], found[seen]


def _fill(
    axes: Axes, curve: Curve, values: xr.DataArray, over: list[str], ends: Any, alpha: float
) -> None:
    low, high = bands(values, over, ends).transpose("quantile", "time").values
    seen = np.isfinite(low)
    axes.fill_between(
        curve.times[seen], low[seen], high[seen], color=curve.style["color"], alpha=alpha,
        linewidth=0,
    )  # fmt: skip


def _end(times: np.ndarray, values: np.ndarray, curve: Curve) -> End:
    if not len(times):
        return End(0.0, np.nan, curve.name, curve.style["color"])
    return End(float(times[-1]), float(values[-1]), curve.name, curve.style["color"])


def _title(name: str, curves: list[Curve]) -> str:
    """The observation, and what its bands hold."""
    values = curves[0].values
    own = _own_dims(values)
    if curves[0].times.ndim == 2:
        return f"{name}: each member's{' median' if own else ''}"
    if int(np.prod([values.sizes[dim] for dim in own])) > LINES_EACH:
        return f"{name}: median, 10..90%, all"
    if "member" in values.dims:
        found = values.notnull().any([dim for dim in values.dims if dim != "member"])
        return f"{name}: mean and 10..90% of {int(found.sum())} members"
    return name


def _scale(axes: Axes, curves: list[Curve]) -> None:
    """A logarithmic axis where what is drawn is positive and spans decades."""
    found = np.concatenate([np.asarray(curve.values).ravel() for curve in curves])
    found = found[np.isfinite(found)]
    if found.size and found.min() > 0 and found.max() > LOG_FROM * found.min():
        axes.set_yscale("log")


def _overlay(axes: Axes, data: xr.Dataset, name: str, colour: str) -> End | None:
    """What theory says of an observation, the mean over members; None where nothing is known."""
    said = overlay(data, name)
    times = times_of(data)
    if said is None or times.ndim == 2:
        return None
    values = said.values.mean("member") if "member" in said.values.dims else said.values
    _line(axes, times, values, {**PREDICTED, "color": colour})
    seen = np.flatnonzero(np.isfinite(values))
    if not seen.size:
        return None
    return End(float(times[seen[-1]]), float(values[seen[-1]]), said.label, GREY)
