"""Quickstart: does rho come to rest where mu / (M + lambda) says?

Two digits of MNIST, a three-layer ReLU network, gradient flow and SGD from several seeds, from a
small and from a large initial rho, with decay and without. The claims looked at:

- at rest, rho = rho_eq = mu / (M + lambda), and the loss is the gap to interpolation
  ([Dyn] (7), (8));
- with decay the final rho forgets the initial one, without decay it does not ([Dyn] Fig. 3);
- margins narrow around their mean ([Dyn] Fig. 8).

What a run says is in its table; nothing is assumed. A start from small rho can end in another kind
of solution (one class served by dead outputs, margins 0), which the table shows by its train error.
"""

import functools
import time
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
import xarray as xr

from ... import dynamics, models
from ...dynamics.labelling import labelled
from ..audit.subjects import Subject
from ..data import DataConfig, load
from ..errors import UsageError
from ..experiment import Datasets, Experiment, Part, Row, Session
from ..exploring import EXPLORED
from .quickstart_picture import draw
from .two_classes import check, ended, ends, group_cells, groups, least, starts, wall_time

Members = dict[str, np.ndarray]
"""What tells members apart, by name: their coordinates in the datasets."""

OBSERVED = ("mu", "sigma", "train_error", *EXPLORED)
"""For the table and the audit, and for who looks around in the run (`rhoflow explore`)."""


@dataclass(frozen=True)
class QuickstartConfig:
    """Digits, a three-layer network, flow and SGD from small and large rho."""

    data: DataConfig = field(
        default_factory=lambda: DataConfig(
            name="mnist5k", classes=(3, 8), train=100, test=400, side=14, centre=True
        )
    )
    """The images; two classes."""

    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers."""

    decay: tuple[float, ...] = (2e-3, 0.0)
    """Values of lambda, in the mean normalisation."""

    initial_rho: tuple[float, ...] = (2.0, 20.0)
    """Values of rho at the start."""

    seeds: int = 3
    """How many initial directions; every one is started at every rho with every lambda."""

    duration: float = 500.0
    """Length of a run, in units of the running sum of learning rates."""

    looks: int = 101
    """At how many times to look, the start included."""

    learning_rate: float = 0.02
    """Of SGD."""

    momentum: float = 0.9
    """Of SGD (heavy ball)."""

    batch_size: int = 20
    """Of SGD, reshuffled every epoch."""

    floor: float = 0.4
    """Smallest step of the flow, in units of time; halve it to halve the error at kinks."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        check(self, ("seeds", "duration", "learning_rate", "floor", "batch_size"))
        most = 1 + int(min(self.duration * (1 - self.momentum) / self.learning_rate, 1e9))
        if not 2 <= self.looks <= most:
            raise UsageError(
                f"expected looks in 2..{most}, so that they are at least one step of SGD apart, "
                f"got {self.looks}: change --looks"
            )


def parts(config: QuickstartConfig) -> dict[str, Part]:
    """The flow and SGD, from all starts; both are built here, so that neither runs in vain."""
    problem, look = _problem(config)
    begin, members = starts(problem.network, config.seeds, config.initial_rho, config.decay)
    asked = {
        "starts": begin,
        "times": np.linspace(0.0, config.duration, config.looks),
        "observe": look,
        "over": {"decay": members["decay"]},
    }
    flow = dynamics.gradient_flow(problem, floor=config.floor)
    steps = dynamics.sgd(
        problem, config.learning_rate, momentum=config.momentum, batch_size=config.batch_size
    )
    return {
        "flow": functools.partial(_flow, flow, asked, members),
        "sgd": functools.partial(_sgd, steps, asked, members),
    }


def _flow(
    flow: dynamics.Dynamics, asked: dict[str, Any], members: Members, session: Session
) -> xr.Dataset:
    began = time.perf_counter()
    trajectory, error = dynamics.ensemble_with_error(
        flow, **asked, progress=session.progress, checkpoint=session.checkpoint()
    )
    stated = {f"stated_error_{name}": value for name, value in error._asdict().items()}
    final = trajectory.final.position
    return labelled(trajectory, members, final, **stated, **wall_time(began, trajectory))


def _sgd(
    steps: dynamics.Dynamics, asked: dict[str, Any], members: Members, session: Session
) -> xr.Dataset:
    began = time.perf_counter()
    trajectory = dynamics.ensemble(
        steps, **asked, key=jax.random.key(0),
        progress=session.progress, checkpoint=session.checkpoint(),
    )  # fmt: skip
    final = trajectory.final.position
    return labelled(trajectory, members, final, **wall_time(began, trajectory))


def table(_: QuickstartConfig, datasets: Datasets) -> list[Row]:
    """One row per way of moving, lambda and initial rho; medians over the seeds, worst errors."""
    return [_row(way, group) for way, data in datasets.items() for group in groups(data)]


def _row(way: str, group: xr.Dataset) -> Row:
    last = group.isel(time=-1)
    rest = np.abs(last.rho / last.rho_eq - 1).max(skipna=False)
    error = f"{float(group.stated_error_rho.max()):.0e}" if way == "flow" else "-"
    steps = group.count_evaluations if way == "flow" else group.count_steps
    return {
        "way": way,
        **group_cells(group),
        "rho": f"{float(last.rho.median(skipna=False)):.3f}",
        "over seeds": f"{least(last.rho):.2f}..{-least(-last.rho):.2f}",
        "mu/(M+lambda)": f"{float(last.rho_eq.median(skipna=False)):.3f}",
        "off by": f"{float(rest):.0e}",
        "loss": f"{float(last.loss.median()):.4f}",
        "gap": f"{float(last.gap.median()):.4f}",
        "sigma/mu": f"{float((last.sigma / last.mu).median()):.3f}",
        "train err": f"{100 * float(last.train_error.median()):.1f}%",
        "test err": f"{100 * float(last.test_error.median()):.1f}%",
        "evals|steps": f"{int(steps.median())}",
        "+-rho": error,
        "s/member": f"{float(group.seconds.mean()):.2f}",
        "ended": ended(group),
    }


def _problem(config: QuickstartConfig) -> tuple[models.Problem, dynamics.Observe]:
    data = load(config.data)
    inputs, test_inputs = (
        images.reshape(len(images), -1) for images in (data.train_inputs, data.test_inputs)
    )
    network = models.mlp((inputs.shape[1], *config.hidden, 1))
    targets = models.encode(data.train_labels, "signs", classes=2)
    problem = models.Problem(network, inputs, targets)
    test = dynamics.error_on(test_inputs, models.encode(data.test_labels, "signs", classes=2))
    return problem, dynamics.observe(*OBSERVED, test_error=test)


def subjects(config: QuickstartConfig, datasets: Datasets) -> list[Subject]:
    """The ends of the first seed's runs, for the audit."""
    problem, _ = _problem(config)
    return ends(problem, datasets)


LAPTOP = QuickstartConfig()
TINY = replace(
    LAPTOP,
    data=replace(LAPTOP.data, train=20, test=20, side=7),
    hidden=(8, 8),
    seeds=1,
    duration=20.0,
    looks=11,
)
PAPER = replace(
    LAPTOP, data=replace(LAPTOP.data, train=800, test=200, side=28), hidden=(512, 512), seeds=10
)

EXPERIMENT = Experiment(
    config=QuickstartConfig,
    presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
    parts=parts,
    table=table,
    draw=draw,
    subjects=subjects,
)
