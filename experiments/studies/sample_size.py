"""Sample size: what do rho, the errors and the bound on the test error do as N grows?

SGD on the spheres with decay, two classes, one part for each number of training images N; its
members are seeds. The first N images of a larger set are taken by each (`DataConfig.train`), and
the test images are the same. The bound is that of `observables.bounds`: with probability .95

    error <= mean_n ramp(rho fbar_n) + 2 (rho + 1) R(F) + 3 sqrt(log(2 (rho+1)(rho+2)/.05) / (2N)),

R(F) <= (sqrt(2 L log 2) + 1) s for dense layers, 2^(L-1) s prod_k overlap_k with kernels, and
s = sqrt(sum |x_n|^2) / N. Above one it says nothing.

Source: [Dyn] Figs. 6 and 7, Theorem 3 in corrected form (theory, 9.2).
"""

import functools
import time
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ... import dynamics, models
from ...dynamics.labelling import labelled
from ..data import DataConfig, load
from ..errors import UsageError
from ..experiment import Datasets, Experiment, Part, Row, Session
from ..plotting import BLUE, TIME_LABEL, house_style
from .two_classes import check, ended, starts, wall_time

NETWORKS = ("mlp", "six_layers", "three_layers")
OBSERVED = ("loss", "rho", "rho_eq", "train_error")


@dataclass(frozen=True)
class SampleSizeConfig:
    """Two classes, several numbers of training images, SGD with decay."""

    data: DataConfig = field(
        default_factory=lambda: DataConfig(
            name="mnist5k", classes=(3, 8), train=800, test=200, side=9, centre=True
        )
    )
    """The images; two classes. Its number of training images is the largest N."""

    shares: tuple[float, ...] = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)
    """Numbers of training images, as shares of the largest, increasing."""

    network: str = "mlp"
    """mlp, of dense layers; six_layers and three_layers are the documents' convolutions."""

    hidden: tuple[int, ...] = (64, 64)
    """Widths of the mlp's hidden layers."""

    divide: int = 4
    """Divides the channels of the documents' networks."""

    decay: tuple[float, ...] = (1e-3,)
    """Lambda, in the mean normalisation."""

    initial_rho: tuple[float, ...] = (2.0,)
    """Rho at the start."""

    seeds: int = 5
    """How many initial directions."""

    duration: float = 500.0
    """Length of a run, in units of the running sum of learning rates."""

    looks: int = 51
    """At how many times to look, the start included."""

    learning_rate: float = 0.02
    """Of SGD."""

    momentum: float = 0.9
    """Of SGD (heavy ball)."""

    batch_size: int = 25
    """Of SGD, reshuffled every epoch."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        check(self, ("seeds", "duration", "learning_rate", "batch_size", "divide", "looks"))
        if self.network not in NETWORKS:
            raise UsageError(
                f"expected network among {', '.join(NETWORKS)}, got {self.network}: "
                "change --network"
            )
        if len(self.decay) != 1 or len(self.initial_rho) != 1:
            raise UsageError("expected one lambda and one rho: change --decay or --initial-rho")
        least = self.batch_size / self.data.train
        if not self.shares or not least <= min(self.shares) <= max(self.shares) <= 1:
            raise UsageError(
                f"expected shares in [{least:g}, 1], so that each has a batch, got {self.shares}: "
                "change --shares"
            )

    @property
    def sizes(self) -> list[int]:
        """The numbers of training images."""
        return [round(share * self.data.train) for share in self.shares]


def parts(config: SampleSizeConfig) -> dict[str, Part]:
    """SGD on each number of images."""
    return {f"images_{size}": functools.partial(_sgd, config, size) for size in config.sizes}


def _sgd(config: SampleSizeConfig, size: int, session: Session) -> xr.Dataset:
    problem, look = _problem(config, size)
    begin, members = starts(problem.network, config.seeds, config.initial_rho, config.decay)
    sgd = dynamics.sgd(
        problem, config.learning_rate, momentum=config.momentum, batch_size=config.batch_size
    )
    began = time.perf_counter()
    trajectory = dynamics.ensemble(
        sgd, begin, times=np.linspace(0.0, config.duration, config.looks), observe=look,
        over={"decay": members["decay"]}, key=jax.random.key(0),
        progress=session.progress, checkpoint=session.checkpoint(),
    )  # fmt: skip
    return labelled(trajectory, members, None, **wall_time(began, trajectory)).assign_attrs(
        images=size
    )


def _problem(config: SampleSizeConfig, size: int) -> tuple[models.Problem, dynamics.Observe]:
    data = load(replace(config.data, train=size))
    flat = config.network == "mlp"
    inputs, test = (
        jnp.asarray(images.reshape(len(images), -1) if flat else images, float)
        for images in (data.train_inputs, data.test_inputs)
    )
    targets, told = (
        models.encode(labels, "signs", classes=2)
        for labels in (data.train_labels, data.test_labels)
    )
    look = dynamics.observe(
        *OBSERVED, bound=dynamics.observables.bounds.error_bound(),
        test_error=dynamics.error_on(test, told),
    )  # fmt: skip
    return models.Problem(_network(config, inputs.shape[1:]), inputs, targets), look


def _network(config: SampleSizeConfig, image: tuple[int, ...]) -> models.Network:
    if config.network == "mlp":
        return models.mlp((*image, *config.hidden, 1))
    if config.network == "six_layers":
        return models.documented.dyn_six_layers(image, 1, divide=config.divide)
    return models.documented.dyn_three_layers(image, 1, divide=config.divide)


def table(_: SampleSizeConfig, datasets: Datasets) -> list[Row]:
    """One row per number of images; means over the seeds at the end."""
    return [_row(data) for data in datasets.values()]


def _row(data: xr.Dataset) -> Row:
    last = data.isel(time=-1).mean("member", skipna=False)
    return {
        "images": str(data.attrs["images"]),
        "rho": f"{float(last.rho):.2f}",
        "mu/(M+lambda)": f"{float(last.rho_eq):.2f}",
        "train err": f"{100 * float(last.train_error):.1f}%",
        "test err": f"{100 * float(last.test_error):.1f}%",
        "bound": f"{float(last.bound):.2f}",
        "s/member": f"{float(data.seconds.mean()):.1f}",
        "ended": ended(data),
    }


def draw(_: Any, datasets: Datasets) -> Figure:
    """Rho over time, a panel for each number of images."""
    with house_style():
        size = (2.4 * len(datasets) + 0.6, 3.0)
        figure, row = plt.subplots(1, len(datasets), figsize=size, sharey=True, squeeze=False)
        for axes, data in zip(row[0], datasets.values(), strict=True):
            axes.plot(data.time, data.rho.T, color=BLUE, linewidth=0.9)
            axes.set_title(f"N = {data.attrs['images']}")
            axes.set_xlabel(TIME_LABEL if len(datasets) == 1 else "time")
        row[0, 0].set_ylabel("rho")
        plt.close(figure)
    return figure


LAPTOP = SampleSizeConfig()
TINY = replace(
    LAPTOP,
    data=replace(LAPTOP.data, train=20, test=20),
    shares=(0.5, 1),
    hidden=(8, 8),
    network="three_layers",
    divide=16,
    seeds=2,
    duration=20.0,
    looks=6,
    batch_size=10,
)
PAPER = replace(
    LAPTOP,
    data=DataConfig(name="cifar10", classes=(1, 2), train=10_000, test=2_000, centre=True),
    shares=(0.1, 0.2, 0.4, 0.6, 0.8, 1),
    network="six_layers",
    divide=1,
    decay=(1e-7,),
    initial_rho=(100.0,),
    learning_rate=0.03,
    duration=23_000.0,
    batch_size=128,
)

EXPERIMENT = Experiment(
    config=SampleSizeConfig,
    presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
    parts=parts,
    table=table,
    draw=draw,
)
