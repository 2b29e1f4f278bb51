"""Separability: how does a convolutional network come to separate its training images?

The six-layer network of [Dyn], or a narrow version of it, on images of two classes: SGD with
momentum in polar coordinates, where every kernel stays on its sphere and the radius moves. A run
goes on past the time from which every training margin is positive, while margins gather near 1:

- rho beside rho_eq = mu / (M + lambda), where it would rest if the directions stood still;
- the margins rho fbar_n, over the training images, as quantiles: 1 is interpolation, and the
  training set is separated where the smallest one is positive ([Dyn] section 3.5, Figs. 8, 10);
- the errors, and the loss beside its predicted gap S - rho_eq mu ([Dyn] (8)).

Outputs are two and targets centred, so that mu and M are sums over both outputs, and S = 2. The
learning rate falls along half a cosine.

**Which coordinates.** ``sphere`` is the documents' model, one rho over all layers. At rho = 1,000,
where margins fbar are 1/1,000, rho relaxes at a rate of 2 (M + lambda) = 4e-6: it hardly moves
while the directions fit, and rho_eq comes to it. ``layerwise``, the default, has a radius rho_k for
each layer. Penalised is lambda rho^2 in both, so that the product of the rho_k rests at the same
rho_eq; it moves faster by the sum of (rho/rho_k)^2, and keeps up with the directions.

Set-up: [Dyn] section 5; theory, 12. There lambda is .001 and margins are .002 to .005: in the mean
normalisation rho fbar would rest at .05 at most. We read it as of the sum over the document's
10,000 images: the preset ``paper`` has lambda = 1e-7. What the document leaves open is ours: rho at
the start, and the strides (`models.documented`). That preset wants a GPU, and we have not run it.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr

from ... import dynamics, models
from ...dynamics.labelling import labelled
from ..audit.subjects import Subject
from ..data import DataConfig, load
from ..errors import UsageError
from ..experiment import Datasets, Experiment, Part, Row, Session
from .separability_picture import draw
from .two_classes import (
    check,
    ended,
    ends,
    group_cells,
    groups,
    least,
    separable_from,
    starts,
    wall_time,
)

OBSERVED = ("loss", "rho", "rho_eq", "gap", "margins", "train_error")
COORDINATES = {
    "layerwise": dynamics.normalisation.layerwise(decay="product"),
    "sphere": dynamics.normalisation.sphere(),
}
AUDITED = 16
"""How many training images the audit of a run sees."""

NEAR = 0.1
"""A margin rho fbar_n is near 1 where it is no further away than this."""


@dataclass(frozen=True)
class SeparabilityConfig:
    """Images of two classes, [Dyn]'s six layers, SGD in polar coordinates."""

    data: DataConfig = field(
        default_factory=lambda: DataConfig(
            name="mnist5k", classes=(3, 8), train=800, test=200, side=16, centre=True
        )
    )
    """The images; two classes, at least 15 pixels wide."""

    note: str = ""
    """What the picture shall say of the images, beside where they come from."""

    divide: int = 4
    """Divides the network's channels and its hidden width; 1 is the document's."""

    coordinates: str = "layerwise"
    """What moves beside the kernels' directions: layerwise, each layer's radius; sphere, rho."""

    decay: tuple[float, ...] = (1e-11,)
    """Values of lambda, in the mean normalisation."""

    initial_rho: tuple[float, ...] = (10_000.0,)
    """Values of rho at the start."""

    seeds: int = 2
    """How many initial directions; every one is started at every rho with every lambda."""

    epochs: int = 1000
    """Length of a run, in passes over the training images."""

    looks: int = 101
    """At how many times to look, evenly over the epochs, the start included."""

    learning_rate: float = 0.02
    """Of SGD, at the start."""

    final_rate: float = 0.02
    """The last learning rate as a share of the first: it falls along a half cosine. 1: constant."""

    momentum: float = 0.9
    """Of SGD (heavy ball)."""

    batch_size: int = 128
    """Of SGD, reshuffled every epoch."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        positive = ("divide", "seeds", "epochs", "learning_rate", "final_rate", "batch_size")
        check(self, positive)
        if self.coordinates not in COORDINATES:
            raise UsageError(
                f"expected coordinates among {', '.join(COORDINATES)}, got {self.coordinates}: "
                "change --coordinates"
            )
        if self.final_rate > 1:
            raise UsageError(
                f"expected final_rate in (0, 1], got {self.final_rate}: change --final-rate"
            )
        most = 1 + self.epochs * max(self.data.train // self.batch_size, 1)
        if not 2 <= self.looks <= most:
            raise UsageError(
                f"expected looks in 2..{most}, so that they are at least one step of SGD apart, "
                f"got {self.looks}: change --looks"
            )


def parts(config: SeparabilityConfig) -> dict[str, Part]:
    """SGD from all starts."""
    return {"sgd": functools.partial(_sgd, config)}


def _sgd(config: SeparabilityConfig, session: Session) -> xr.Dataset:
    problem, look, source = _problem(config)
    begin, members = starts(problem.network, config.seeds, config.initial_rho, config.decay)
    sgd = dynamics.sgd(
        problem, _rates(config), momentum=config.momentum, batch_size=config.batch_size,
        normalisation=COORDINATES[config.coordinates],
    )  # fmt: skip
    times = dynamics.times_at(sgd, epochs=np.linspace(0, config.epochs, config.looks))
    began = time.perf_counter()
    trajectory = dynamics.ensemble(
        sgd, begin, times=times, observe=look, over={"decay": members["decay"]},
        key=jax.random.key(0), progress=session.progress, checkpoint=session.checkpoint(),
    )  # fmt: skip
    final = jax.vmap(_point)(trajectory.final.position)
    found = labelled(trajectory, members, final, **wall_time(began, trajectory))
    return found.assign_attrs(source=source)


def _point(position: models.Polar | models.LayerPolar) -> models.Polar:
    return models.Polar(position.rho, position.directions)


def table(_: SeparabilityConfig, datasets: Datasets) -> list[Row]:
    """One row per lambda and initial rho; medians over the seeds, worst margins and errors."""
    return [_row(group) for group in groups(datasets["sgd"])]


def _row(group: xr.Dataset) -> Row:
    last = group.isel(time=-1)
    reached = last.rho * last.margins
    low, high = (float(reached.quantile(share, skipna=False)) for share in (0.05, 0.95))
    since = separable_from(group)
    rest = np.abs(last.rho / last.rho_eq - 1).max(skipna=False)
    near = (np.abs(reached - 1) <= NEAR).mean()
    return {
        **group_cells(group),
        "rho": f"{float(last.rho.median(skipna=False)):.1f}",
        "mu/(M+lambda)": f"{float(last.rho_eq.median(skipna=False)):.1f}",
        "off by": f"{float(rest):.0e}",
        "loss": f"{float(last.loss.median()):.4f}",
        "gap": f"{float(last.gap.median()):.4f}",
        "least margin": f"{least(reached):.3f}",
        "5%..95%": f"{low:.2f}..{high:.2f}",
        f"within {NEAR:g} of 1": f"{100 * float(near):.0f}%",
        "separable": f"{int(since.notnull().sum())} of {since.sizes['member']}",
        "from t": f"{float(since.median(skipna=False)):.1f}",
        "train err": f"{100 * float(last.train_error.max(skipna=False)):.2f}%",
        "test err": f"{100 * float(last.test_error.median()):.1f}%",
        "t": f"{float(last.time):.1f}",
        "steps": f"{int(group.count_steps.median())}",
        "s/member": f"{float(group.seconds.mean()):.0f}",
        "ended": ended(group),
    }


def _rates(config: SeparabilityConfig) -> Callable[[Any], Any]:
    """The rate of each step, along half a cosine."""
    steps = config.epochs * max(config.data.train // config.batch_size, 1)
    return optax.cosine_decay_schedule(config.learning_rate, steps, config.final_rate)


def _problem(config: SeparabilityConfig) -> tuple[models.Problem, dynamics.Observe, str]:
    data = load(config.data)
    inputs, test_inputs = (
        jnp.asarray(part, float) for part in (data.train_inputs, data.test_inputs)
    )
    network = models.documented.dyn_six_layers(inputs.shape[1:], divide=config.divide)
    targets, test_targets = (
        models.encode(labels, "centred", classes=2)
        for labels in (data.train_labels, data.test_labels)
    )
    look = dynamics.observe(*OBSERVED, test_error=dynamics.error_on(test_inputs, test_targets))
    return models.Problem(network, inputs, targets), look, data.source


def subjects(config: SeparabilityConfig, datasets: Datasets) -> list[Subject]:
    """The ends of the first seed's runs on a few images, for the audit: rest is not asked of them.

    The audit holds derivatives of every sample's outputs, which of a convolutional network take
    gigabytes.
    """
    problem, _, _ = _problem(config)
    few = models.take(problem, jnp.arange(min(AUDITED, config.data.train)))
    return ends(few, datasets, rests=False)


LAPTOP = SeparabilityConfig()
TINY = replace(
    LAPTOP,
    data=replace(LAPTOP.data, train=32, test=16),
    divide=32,
    seeds=2,
    epochs=4,
    looks=3,
    batch_size=16,
)
PAPER = replace(
    LAPTOP,
    data=DataConfig(name="cifar10", classes=(1, 2), train=10_000, test=2_000, centre=True),
    divide=1,
    coordinates="sphere",
    decay=(1e-7,),
    initial_rho=(100.0,),
    seeds=10,
    epochs=1000,
    learning_rate=0.03,
)

EXPERIMENT = Experiment(
    config=SeparabilityConfig,
    presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
    parts=parts,
    table=table,
    draw=draw,
    subjects=subjects,
)
