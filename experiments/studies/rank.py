"""Rank: which rank do layers come to, and is it rank, margin or sharpness that test error follows?

SGD on images of two classes, on the spheres under one rho, with a small network. [Dyn] section 6
argues that batches pull in different directions, and that weight decay lets none of them win, so
that layers end near rank one or two: the lower, the larger lambda, the larger the learning rate and
the smaller the batch. [Dyn] section 7 expects test error to follow margin and rank together, and
not sharpness.

Members are every seed with every lambda and every learning rate; each batch size is one dataset.
All run for the same *time*, the running sum of learning rates, so that a small rate takes more
steps. Looked at are ranks of every layer (numerical at three cut-offs, stable, entropy, see
`dynamics.observables.spectra`), rho, margins and errors, and at the start and at the end the
sharpness, the top eigenvalue of the objective's Hessian in polar coordinates.

Theory: 6.3 (the lemma on batches, and why it can hold only approximately) and 6.5 (how rank is
measured). A layer of Frobenius norm one has stable rank 1 / s_1^2.
"""

import functools
import time
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ... import dynamics, models
from ...dynamics.labelling import labelled
from ...dynamics.observables.curvature import hessian_eigenvalues
from ..data import DataConfig, load
from ..errors import UsageError
from ..experiment import Datasets, Experiment, Part, Row, Session
from .rank_picture import draw
from .two_classes import alike, check, ended, starts, wall_time

OBSERVED = ("loss", "rho", "rho_eq", "mu", "sigma", "least_margin", "train_error", "ranks")
TOP = hessian_eigenvalues(count=1, products=30)


@dataclass(frozen=True)
class RankConfig:
    """Two classes, a small network, SGD with several lambdas, learning rates and batch sizes."""

    data: DataConfig = field(
        default_factory=lambda: DataConfig(
            name="mnist5k", classes=(3, 8), train=100, test=800, side=10, centre=True
        )
    )
    """The images; two classes."""

    hidden: tuple[int, ...] = (32, 32)
    """Widths of the hidden layers."""

    decay: tuple[float, ...] = (1e-4, 1e-3, 1e-2)
    """Values of lambda, in the mean normalisation."""

    learning_rates: tuple[float, ...] = (0.005, 0.02)
    """Of SGD."""

    batch_sizes: tuple[int, ...] = (2, 8, 50)
    """Of SGD, reshuffled every epoch."""

    initial_rho: tuple[float, ...] = (10.0,)
    """Values of rho at the start."""

    seeds: int = 5
    """How many initial directions."""

    duration: float = 200.0
    """Length of a run, in units of the running sum of learning rates."""

    looks: int = 11
    """At how many times to look, the start included."""

    momentum: float = 0.9
    """Of SGD (heavy ball)."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        check(self, ("seeds", "duration"))
        if not self.learning_rates or min(self.learning_rates) <= 0:
            raise UsageError(
                f"expected positive learning_rates, got {self.learning_rates}: "
                "change --learning-rates"
            )
        if not self.batch_sizes or not all(1 <= n <= self.data.train for n in self.batch_sizes):
            raise UsageError(
                f"expected batch_sizes in 1..{self.data.train}, got {self.batch_sizes}: "
                "change --batch-sizes"
            )
        most = 1 + int(self.duration * (1 - self.momentum) / max(self.learning_rates))
        if not 2 <= self.looks <= most:
            raise UsageError(
                f"expected looks in 2..{most}, so that they are at least one step of SGD apart, "
                f"got {self.looks}: change --looks"
            )


def parts(config: RankConfig) -> dict[str, Part]:
    """One dataset for each batch size."""
    return {name(size): functools.partial(_run, config, size) for size in config.batch_sizes}


def name(batch_size: int) -> str:
    """What the dataset of a batch size is called."""
    return f"batch-{batch_size}"


def _run(config: RankConfig, batch_size: int, session: Session) -> xr.Dataset:
    problem, look, source = _problem(config)
    begin, members = starts(
        problem.network, config.seeds, config.initial_rho, config.decay,
        learning_rate=config.learning_rates,
    )  # fmt: skip
    sgd = dynamics.sgd(
        problem, config.learning_rates[0], momentum=config.momentum, batch_size=batch_size
    )
    times = np.linspace(0.0, config.duration, config.looks)
    began = time.perf_counter()
    trajectory = dynamics.ensemble(
        sgd, begin, times=times, observe=look, key=jax.random.key(0),
        over={name: members[name] for name in ("decay", "learning_rate")},
        progress=session.progress, checkpoint=session.checkpoint(),
    )  # fmt: skip
    found = labelled(trajectory, members, None, **wall_time(began, trajectory))
    # Members reach the same times but for their own nearest whole step.
    found = found.drop_vars("time_reached", errors="ignore").assign_coords(time=times)
    return found.assign_attrs(source=source)


def _sharpness(problem: models.Problem, view: models.View) -> jax.Array:
    """The top eigenvalue of the objective's Hessian in polar coordinates."""
    return TOP(problem, view)["values"][0]


def _problem(config: RankConfig) -> tuple[models.Problem, dynamics.Observe, str]:
    data = load(config.data)
    inputs, test_inputs = (
        jnp.asarray(images.reshape(len(images), -1), float)
        for images in (data.train_inputs, data.test_inputs)
    )
    targets, test_targets = (
        models.encode(labels, "signs", classes=2)
        for labels in (data.train_labels, data.test_labels)
    )
    network = models.mlp((inputs.shape[1], *config.hidden, 1))
    test = dynamics.error_on(test_inputs, test_targets)
    look = dynamics.observe(*OBSERVED, test_error=test)
    rare = dynamics.observe(sharpness=_sharpness).every(config.looks - 1)
    return models.Problem(network, inputs, targets), look | rare, data.source


def hidden_rank(data: xr.Dataset, kind: str = "stable") -> xr.DataArray:
    """A rank of the hidden layers, their mean; the last layer, a vector, has rank one always.

    Args:
        data: A run's.
        kind: ``"stable"`` or ``"entropy"``.
    """
    ranks = data[f"ranks_{kind}"]
    (layers,) = (axis for axis in ranks.dims if str(axis).startswith("ranks_"))
    return ranks.isel({layers: slice(None, -1)}).mean([layers], skipna=False)


def table(config: RankConfig, datasets: Datasets) -> list[Row]:
    """One row per batch size, lambda and learning rate; medians over the seeds."""
    return [
        _row(size, group)
        for size in config.batch_sizes
        for group in alike(datasets[name(size)], "decay", "learning_rate")
    ]


def _row(batch_size: int, group: xr.Dataset) -> Row:
    last = group.isel(time=-1)
    return {
        "batch": batch_size,
        "lambda": f"{float(group.decay[0]):g}",
        "rate": f"{float(group.learning_rate[0]):g}",
        "rho": f"{float(last.rho.median(skipna=False)):.2f}",
        "mu/(M+lambda)": f"{float(last.rho_eq.median(skipna=False)):.2f}",
        "stable rank": f"{float(hidden_rank(last).median(skipna=False)):.3f}",
        "entropy rank": f"{float(hidden_rank(last, 'entropy').median(skipna=False)):.3f}",
        "sharpness": f"{float(last.sharpness.median(skipna=False)):.3g}",
        "train err": f"{100 * float(last.train_error.median()):.1f}%",
        "test err": f"{100 * float(last.test_error.mean()):.2f}%",
        "s/member": f"{float(group.seconds.mean()):.2f}",
        "ended": ended(group),
    }


LAPTOP = RankConfig()
TINY = replace(
    LAPTOP,
    data=DataConfig(name="digits", classes=(3, 8), train=20, test=40, centre=True),
    hidden=(8, 8),
    decay=(1e-3, 1e-2),
    learning_rates=(0.01, 0.02),
    batch_sizes=(2, 10),
    seeds=2,
    duration=5.0,
    looks=3,
)
PAPER = replace(
    LAPTOP,
    data=DataConfig(name="cifar10", classes=(1, 2), train=10_000, test=2_000, centre=True),
    hidden=(512, 512),
    batch_sizes=(16, 128, 1024),
    seeds=10,
)

EXPERIMENT = Experiment(
    config=RankConfig,
    presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
    parts=parts,
    table=table,
    draw=draw,
)
