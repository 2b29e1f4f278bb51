"""Logistic: how long does rho stay small before it grows, and what has depth to do with it?

With the directions frozen, the flow of weights of equal norms is a logistic equation for rho,

    rho' = 2 L rho^(2 - 2/L) (mu - rho M),

with a closed form (`dynamics.reduced.logistic`). Here nothing is reduced: networks of L layers, one
unit wide in its hidden layers, move by the full flow of their weights on one input, where the mean
margin mu = ``mean_margin`` is that input's length, M = mu^2 and directions cannot turn. What is
asked is whether rho follows the closed form, and how the plateau before its rise grows with L and
with a smaller start. One part for each L; its members are the starts.

Source: [M117] (51), figure 10; [M112] appendix D; theory, 3.7.
"""

import functools
import time
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ... import dynamics, models
from ...dynamics.labelling import labelled
from ..errors import UsageError
from ..experiment import Datasets, Experiment, Part, Row, Session
from ..plotting import BLUE, PREDICTED, TIME_LABEL, house_style
from .two_classes import check_positive, ended, wall_time

closed = dynamics.reduced.logistic


@dataclass(frozen=True)
class LogisticConfig:
    """Chains of one unit per layer, the flow of their weights, several starts."""

    layers: tuple[int, ...] = (1, 2, 3, 4, 6)
    """Numbers of layers L."""

    initial_rho: tuple[float, ...] = (1e-3, 1e-2, 1e-1)
    """Values of rho at the start."""

    mean_margin: float = 0.5
    """mu, the length of the one input; rho ends at mu/M = 1/mu."""

    reach: float = 1.5
    """Length of each run, in times that the closed form takes to 99 % of the limit."""

    looks: int = 201
    """At how many times to look."""

    tolerance: float = 1e-6
    """Relative tolerance of the flow; the absolute one is a hundredth of it."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        if not self.layers or min(self.layers) < 1:
            raise UsageError(f"expected layers >= 1, got {self.layers}: change --layers")
        if not self.initial_rho or not 0 < min(self.initial_rho) <= max(self.initial_rho):
            raise UsageError(
                f"expected initial_rho > 0, got {self.initial_rho}: change --initial-rho"
            )
        if not 0 < self.mean_margin <= 1:
            raise UsageError(
                f"expected mean_margin in (0, 1], got {self.mean_margin}: change --mean-margin"
            )
        if max(self.initial_rho) * self.mean_margin >= 0.5:
            raise UsageError(
                f"expected initial_rho below half of the limit {1 / self.mean_margin:g}, got "
                f"{max(self.initial_rho)}: change --initial-rho"
            )
        check_positive(self, ("reach", "looks", "tolerance"))

    @property
    def frozen(self) -> dict[str, float]:
        """Mu and M, as `dynamics.reduced.logistic` calls them."""
        return {"mean_margin": self.mean_margin, "second_moment": self.mean_margin**2}


def parts(config: LogisticConfig) -> dict[str, Part]:
    """The flow of each depth."""
    return {f"layers_{count}": functools.partial(_flow, config, count) for count in config.layers}


def _flow(config: LogisticConfig, layers: int, session: Session) -> xr.Dataset:
    # Differences of 1e-6 are looked at, which single precision does not have.
    with jax.enable_x64(True):
        return _in_double(config, layers, session)


def _in_double(config: LogisticConfig, layers: int, session: Session) -> xr.Dataset:
    network = models.deep_linear((1,) * layers + (1,))
    problem = models.Problem(network, np.asarray([[config.mean_margin]]), np.ones(1))
    starts: Any = [(jnp.full((1, 1), rho ** (1 / layers)),) * layers for rho in config.initial_rho]
    ends = [_time_to(config, rho, layers, 0.99) for rho in config.initial_rho]
    times = np.linspace(0, config.reach * max(ends), config.looks)
    flow = dynamics.gradient_flow(
        problem, rtol=config.tolerance, atol=config.tolerance / 100,
        normalisation=dynamics.normalisation.free(),
    )  # fmt: skip
    began = time.perf_counter()
    trajectory = dynamics.ensemble(
        flow, starts, times=times, observe=dynamics.observe("rho", "mu"),
        progress=session.progress, checkpoint=session.checkpoint(),
    )  # fmt: skip
    members = {"initial_rho": np.asarray(config.initial_rho)}
    found = labelled(trajectory, members, None, **wall_time(began, trajectory))
    predicted = [
        closed.rho(times, start=rho, layers=layers, **config.frozen) for rho in config.initial_rho
    ]
    return found.assign(predicted=(("member", "time"), np.stack(predicted))).assign_attrs(
        layers=layers, limit=1 / config.mean_margin
    )


def _time_to(config: LogisticConfig, rho: float, layers: int, share: float) -> float:
    """The closed form's time to a share of the limit."""
    target = share / config.mean_margin
    return float(closed.time(target, start=rho, layers=layers, **config.frozen))


def half_times(data: xr.Dataset) -> xr.DataArray:
    """When each member's rho first is at half of the limit, [member], between looks by a line."""
    half = data.attrs["limit"] / 2
    found = [
        np.interp(half, rho, data.time.values) if rho[-1] > half else np.nan
        for rho in data.rho.values
    ]
    return xr.DataArray(np.asarray(found), dims="member", coords={"initial_rho": data.initial_rho})


def table(config: LogisticConfig, datasets: Datasets) -> list[Row]:
    """One row per depth and start."""
    return [
        _row(config, data, number)
        for data in datasets.values()
        for number in range(data.sizes["member"])
    ]


def _row(config: LogisticConfig, data: xr.Dataset, number: int) -> Row:
    run, layers = data.isel(member=number), data.attrs["layers"]
    apart = float(np.abs(run.rho - run.predicted).max()) / data.attrs["limit"]
    start = float(run.initial_rho)
    return {
        "layers": str(layers),
        "rho(0)": f"{start:g}",
        "off by": f"{apart:.0e}",
        "half at": f"{float(half_times(data)[number]):.3f}",
        "predicted": f"{_time_to(config, start, layers, 0.5):.3f}",
        "ended": ended(data.isel(member=[number])),
    }


def draw(_: Any, datasets: Datasets) -> Figure:
    """Rho over time, a panel for each depth."""
    with house_style():
        figure, row = plt.subplots(
            1, len(datasets), figsize=(2.6 * len(datasets), 3.2), sharey=True
        )
        for axes, data in zip(np.atleast_1d(row), datasets.values(), strict=True):
            axes.plot(data.time, data.rho.T, color=BLUE)
            axes.plot(data.time, data.predicted.T, **PREDICTED)
            axes.set_title(f"L = {data.attrs['layers']}")
            axes.set_xlabel(TIME_LABEL if len(datasets) == 1 else "time")
        np.atleast_1d(row)[0].set_ylabel("rho")
        plt.close(figure)
    return figure


LAPTOP = LogisticConfig()
TINY = replace(LAPTOP, layers=(2, 3), initial_rho=(1e-2, 1e-1), looks=41)
PAPER = LAPTOP

EXPERIMENT = Experiment(
    config=LogisticConfig,
    presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
    parts=parts,
    table=table,
    draw=draw,
)
