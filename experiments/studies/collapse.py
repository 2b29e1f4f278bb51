"""Neural collapse: do features gather at their class means, and what does it take?

A bias-free network learns classes of images; along the way we measure (`dynamics.observables`)

- NC1, features of a class gather at its mean: Tr(Sigma_W Sigma_B^+);
- NC2, centred class means, and classifier vectors, are equally long and at cos = -1/(C-1);
- NC3, classifier vectors are parallel to class means: |W/|W| - M/|M||;
- NC4, the network decides for the nearest class mean.

Which of these happen with weight decay and without ([NCWD] 4), with small batches and with all
samples at once, under the square and the exponential loss ([M117] J.2), in which coordinates
([Dyn] section 3, [M117] H), and when labels mean nothing ([M117] section 8)? A run has one *way* of
moving for each loss, batch size and choice of coordinates; each way is one dataset, whose members
are every seed at every initial rho, lambda and share of random labels. All ways take the same
steps, so that they share their axis of time.

Coordinates: ``free`` weights with lambda sum_k |W_k|^2, as any optimiser sees them; ``lagrange``,
unit layers under one rho, kept there by the exact multiplier, with lambda rho^2;
``literal_lagrange``, the same as [M117] prints it, without being brought back to unit norm;
``weight_norm``, gains frozen but for one rho on top ([Dyn] section 5); ``batch_norm``, which puts
batch norm into the network, with lambda sum_k |W_k|^2.

Theory: 7 (collapse), 4 (normalisations), 10 (losses). With two classes NC2 of centred means holds
for any features whatever; there only the classifiers' NC2 says something.
"""

import functools
import time
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ... import dynamics, models
from ...dynamics.labelling import labelled
from ..data import DataConfig, Dataset, load
from ..errors import UsageError
from ..experiment import Datasets, Experiment, Part, Row, Session
from .collapse_picture import draw
from .collapse_ways import CONVOLUTIONAL, NORMALISATIONS, Way, descent_of, look_of, network_of, ways
from .two_classes import alike, check_numbers, ended, starts, wall_time

AXES = ("seed", "initial_rho", "decay", "label_noise")
"""What tells the members of a dataset apart."""


@dataclass(frozen=True)
class CollapseConfig:
    """Images of several classes, SGD in several ways, and NC1 to NC4 along them."""

    data: DataConfig = field(
        default_factory=lambda: DataConfig(
            name="mnist5k", train=1000, test=1000, side=14, centre=True
        )
    )
    """The images; label noise is that of label_noise below."""

    network: str = "mlp"
    """mlp, or a convolutional network: dyn, m117 or ncwd, see `models.documented`."""

    hidden: tuple[int, ...] = (64, 64, 64, 64)
    """Widths of the hidden layers of mlp."""

    divide: int = 1
    """Divides the channels of a convolutional network; 1 is the document's."""

    targets: str = "one_hot"
    """one_hot, centred, or signs (two classes, one output)."""

    losses: tuple[str, ...] = ("square",)
    """Losses, see `models.losses`."""

    batch_sizes: tuple[int, ...] = (50,)
    """Sizes of SGD's batches, reshuffled every epoch; 0 takes all samples at every step."""

    coordinates: tuple[str, ...] = ("free",)
    """free, lagrange, literal_lagrange, weight_norm or batch_norm."""

    decay: tuple[float, ...] = (5e-4, 0.0)
    """Values of lambda, in the mean normalisation."""

    label_noise: tuple[float, ...] = (0.0,)
    """Shares of the training labels that are replaced by random ones."""

    initial_rho: tuple[float, ...] = (10_000.0,)
    """Values of rho at the start."""

    seeds: int = 3
    """How many initial directions."""

    steps: int = 20_000
    """How many steps every run takes."""

    drops: tuple[float, ...] = ()
    """After which shares of the steps the learning rate falls to a tenth."""

    looks: int = 41
    """At how many times to look, the start included."""

    learning_rate: float = 0.02
    """Of SGD, before it falls."""

    momentum: float = 0.9
    """Of SGD (heavy ball)."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        check_numbers(self, ("divide", "seeds", "steps", "learning_rate"))
        if self.data.label_noise:
            raise UsageError("expected no data.label_noise: pass --label-noise instead")
        _check_known("network", (self.network,), ("mlp", *CONVOLUTIONAL))
        _check_known("targets", (self.targets,), models.targets.ENCODINGS)
        _check_known("losses", self.losses, models.losses.BY_NAME)
        _check_known("coordinates", self.coordinates, NORMALISATIONS)
        shares = (*self.label_noise, *self.drops)
        if not self.label_noise or not all(0 <= share <= 1 for share in shares):
            raise UsageError(
                f"expected shares in [0, 1], got label_noise {self.label_noise} and drops "
                f"{self.drops}: change --label-noise or --drops"
            )
        if not self.batch_sizes or not all(0 <= n <= self.data.train for n in self.batch_sizes):
            raise UsageError(
                f"expected batch_sizes in 0..{self.data.train}, got {self.batch_sizes}: "
                "change --batch-sizes"
            )
        if not 2 <= self.looks <= 1 + self.steps:
            raise UsageError(
                f"expected looks in 2..{1 + self.steps}, got {self.looks}: change --looks"
            )


def _check_known(name: str, given: tuple[str, ...], known: Any) -> None:
    unknown = [value for value in given if value not in known]
    if unknown or not given:
        raise UsageError(
            f"expected {name} among {', '.join(known)}, got {', '.join(unknown) or 'none'}: "
            f"change --{name.replace('_', '-')}"
        )


def parts(config: CollapseConfig) -> dict[str, Part]:
    """One dataset for each way of moving."""
    return {str(way): functools.partial(_run, config, way) for way in ways(config)}


def _run(config: CollapseConfig, way: Way, session: Session) -> xr.Dataset:
    data = load(config.data)
    problem = models.Problem(
        network_of(config, way, data), _images(config, data.train_inputs),
        _encoded(config, data, data.train_labels), loss=models.losses.named(way.loss),
    )  # fmt: skip
    moves = descent_of(config, way, problem)
    begin, members = starts(
        problem.network, config.seeds, config.initial_rho, config.decay,
        label_noise=config.label_noise,
    )  # fmt: skip
    over: dict[str, Any] = {
        "decay": members["decay"],
        "targets": _noisy(config, members["label_noise"]),
    }
    test = (_images(config, data.test_inputs), _encoded(config, data, data.test_labels))
    steps = np.rint(np.linspace(0, config.steps, config.looks)).astype(int)
    began = time.perf_counter()
    trajectory = dynamics.ensemble(
        moves, begin, times=dynamics.times_at(moves, steps=steps), observe=look_of(way, test),
        over=over, key=jax.random.key(0), progress=session.progress,
        checkpoint=session.checkpoint(),
    )  # fmt: skip
    found = labelled(trajectory, members, None, **wall_time(began, trajectory))
    return found.assign_attrs(source=data.source, samples=config.data.train)


def _images(config: CollapseConfig, images: np.ndarray) -> jax.Array:
    """As the network takes them."""
    taken = images.reshape(len(images), -1) if config.network == "mlp" else images
    return jnp.asarray(taken, float)


def _encoded(config: CollapseConfig, data: Dataset, labels: np.ndarray) -> jax.Array:
    return models.encode(labels, config.targets, classes=len(data.classes))


def _noisy(config: CollapseConfig, shares: np.ndarray) -> jax.Array:
    """Every member's targets, with its share of random labels."""
    drawn = {}
    for share in config.label_noise:
        data = load(replace(config.data, label_noise=share))
        drawn[share] = _encoded(config, data, data.train_labels)
    return jnp.stack([drawn[float(share)] for share in shares])


def table(config: CollapseConfig, datasets: Datasets) -> list[Row]:
    """One row per way of moving, initial rho, lambda and share of random labels; medians."""
    return [
        _row(way, group)
        for way in map(str, ways(config))
        for group in alike(datasets[way], *AXES[1:])
    ]


def _row(way: str, group: xr.Dataset) -> Row:
    last = group.isel(time=-1).median("member", skipna=False)
    return {
        "way": way,
        "rho(0)": f"{float(group.initial_rho[0]):g}",
        "lambda": f"{float(group.decay[0]):g}",
        "random labels": f"{100 * float(group.label_noise[0]):g}%",
        "rho": f"{float(last.rho):.3g}",
        "loss": f"{float(last.unregularised_loss):.2e}",
        "train err": f"{100 * float(last.train_error):.1f}%",
        "test err": f"{100 * float(last.test_error):.1f}%",
        "NC1": f"{float(last.nc1_ratio):.2e}",
        "NC2 norms": f"{float(last.nc2_norms):.3f}",
        "NC2 angles": f"{float(last.nc2_angles):.3f}",
        "NC3": f"{float(last.nc3_duality):.3f}",
        "NC4": f"{100 * float(last.nc4):.1f}%",
        "s/member": f"{float(group.seconds.mean()):.1f}",
        "ended": ended(group),
    }


CIFAR_PAIR = DataConfig(name="cifar10", classes=(1, 2), train=10_000, test=2_000, centre=True)
"""The two classes of the documents' figures."""

LAPTOP = CollapseConfig()
TINY = replace(
    LAPTOP,
    data=DataConfig(name="digits", classes=(1, 3, 8), train=60, test=60, centre=True),
    hidden=(16, 16),
    initial_rho=(50.0,),
    batch_sizes=(20,),
    seeds=2,
    steps=60,
    looks=4,
)
PAPER = replace(
    LAPTOP,
    data=DataConfig(name="mnist", train=60_000, test=10_000, centre=True),
    network="ncwd",
    batch_sizes=(128,),
    seeds=5,
    steps=164_000,
    drops=(1 / 3, 2 / 3),
)

EXPERIMENT = Experiment(
    config=CollapseConfig,
    presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
    parts=parts,
    table=table,
    draw=draw,
)
