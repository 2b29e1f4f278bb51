"""Initial scale: what do loss, rho, margins and errors remember of the scale of the start?

Members are every seed at every initial scale with every lambda, of one of the three models in
`scaled_models`. With decay the documents expect that rho, margins and loss forget the scale, and
that rho comes to mu / (M + lambda); without decay, that a trained network is what it was started
as: small scales grow until they interpolate, large ones hardly move.

Source: [Dyn] Figs. 3, 5, 8 and 10; [M117] Figs. 2-5, 12 and 14-17; [M112] Figs. 1-12. Theory:
docs/theory.md, sections 2 (rho_eq), 3 (free weights), 4 (batch norm).
"""

import functools
from dataclasses import dataclass, replace

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..errors import UsageError
from ..experiment import Datasets, Experiment, Part, Row, Session
from ..plotting import BLUE, GREEN, ORANGE, PREDICTED, PURPLE, RED, TIME_LABEL, house_style
from .scaled_models import DOCUMENTED, SMALL, ScaledConfig, combined, images_of, train
from .two_classes import ended

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED)


@dataclass(frozen=True)
class InitialScaleConfig(ScaledConfig):
    """Two classes of images, SGD from every initial scale with every lambda."""

    initial: tuple[float, ...] = (2.0, 5.0, 10.0, 20.0)
    """Scales of the start: rho of the sphere, else the norm of every matrix."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        super().__post_init__()
        if self.model != "sphere" and min(self.initial) == 0:
            raise UsageError(
                f"expected norms above zero in initial, got {self.initial}: change --initial"
            )

    def _listed(self) -> tuple[str, ...]:
        return ("decay", "initial")


def parts(config: InitialScaleConfig) -> dict[str, Part]:
    """SGD from all starts."""
    return {"sgd": functools.partial(_sgd, config)}


def _sgd(config: InitialScaleConfig, session: Session) -> xr.Dataset:
    members = combined(seed=np.arange(config.seeds), initial=config.initial, decay=config.decay)
    return train(config, images_of(config), members, session)


def table(_: InitialScaleConfig, datasets: Datasets) -> list[Row]:
    """One row per lambda and initial scale; medians over the seeds."""
    data = datasets["sgd"]
    return [
        _row(data.where((data.decay == decay) & (data.initial == initial), drop=True))
        for decay in np.unique(data.decay)[::-1]
        for initial in np.unique(data.initial)
    ]


def _row(group: xr.Dataset) -> Row:
    last = group.isel(time=-1)
    rest = np.abs(last.rho / last.rho_eq - 1).max(skipna=False)
    return {
        "lambda": f"{float(group.decay[0]):g}",
        "initial scale": f"{float(group.initial[0]):g}",
        "rho(0)": f"{float(group.rho.isel(time=0).median()):.3g}",
        "rho": f"{float(last.rho.median(skipna=False)):.3g}",
        "mu/(M+lambda)": f"{float(last.rho_eq.median(skipna=False)):.3g}",
        "off by": f"{float(rest):.0e}",
        "train loss": f"{float(last.unregularised_loss.median()):.2e}",
        "test loss": f"{float(last.test_loss.median()):.3f}",
        "sigma/mu": f"{float((last.sigma / last.mu).median()):.3f}",
        "train err": f"{100 * float(last.train_error.mean()):.1f}%",
        "test err": f"{100 * float(last.test_error.mean()):.2f}%",
        "steps": f"{int(group.count_steps.median())}",
        "s/member": f"{float(group.seconds.mean()):.2f}",
        "ended": ended(group),
    }


def draw(config: InitialScaleConfig, datasets: Datasets) -> Figure:
    """Rho over time, one panel per lambda, with mu / (M + lambda)."""
    data = datasets["sgd"]
    decays = np.unique(data.decay)[::-1]
    with house_style():
        figure, grid = plt.subplots(
            1, len(decays), figsize=(4.6 * len(decays), 4.2), sharey=True, squeeze=False
        )
        for axes, decay in zip(grid[0], decays, strict=True):
            for number, initial in enumerate(np.unique(data.initial)):
                runs = data.where((data.decay == decay) & (data.initial == initial), drop=True)
                colour, label = COLOURS[number % len(COLOURS)], f"from {initial:g}"
                axes.plot(runs.time, runs.rho.mean("member"), color=colour, label=label)
                axes.plot(runs.time, runs.rho_eq.mean("member"), **PREDICTED)
            axes.set_title(f"lambda = {decay:g}; dashed: mu / (M + lambda)")
            axes.set_xlabel(TIME_LABEL)
            axes.set_yscale("log")
        grid[0][0].set_ylabel(f"rho, {config.model}")
        grid[0][0].legend(fontsize=8)
        plt.close(figure)
    return figure


LAPTOP = InitialScaleConfig()
TINY = replace(LAPTOP, **SMALL)
PAPER = replace(LAPTOP, **DOCUMENTED)

EXPERIMENT = Experiment(
    config=InitialScaleConfig,
    presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
    parts=parts,
    table=table,
    draw=draw,
)
