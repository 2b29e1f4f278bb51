"""Random starts: how many networks are right on average before they have learned anything?

[Dyn] section 3.5 calls a network *average-separable* where its mean margin mu = mean y_n f_V(x_n)
is positive: rho then grows from zero, since rho' = 2 (mu - rho (M + lambda)). It says that this is
so for half of all random starts. It must be, whatever the data: turning the sign of the last layer
turns the sign of every margin, and both signs are drawn with the same chance.

We draw many starts for several depths, and keep mu and the training error of each. Nothing moves.
A seed is one lot of ``draws`` starts.
"""

import functools
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ... import models
from ...dynamics import Status
from ...dynamics.observables import margins
from ..data import DataConfig, load
from ..errors import UsageError
from ..experiment import Datasets, Experiment, Part, Row, Session
from ..plotting import BLUE, GREEN, ORANGE, PREDICTED, PURPLE, house_style
from .two_classes import alike, check_classes, check_positive


@dataclass(frozen=True)
class RandomStartsConfig:
    """Two classes and networks of several depths that have not learned."""

    data: DataConfig = field(
        default_factory=lambda: DataConfig(
            name="mnist5k", classes=(3, 8), train=200, test=1, side=10, centre=True
        )
    )
    """The images; two classes, of which the training images are looked at."""

    width: int = 64
    """Of every hidden layer."""

    layers: tuple[int, ...] = (2, 3, 6)
    """Depths, the last layer counted."""

    draws: int = 4000
    """How many starts a seed has."""

    seeds: int = 5
    """How many lots of draws."""

    def __post_init__(self) -> None:
        """Refuses what cannot be drawn."""
        check_classes(self)
        check_positive(self, ("width", "draws", "seeds"))
        if not self.layers or min(self.layers) < 2:
            raise UsageError(f"expected layers >= 2, got {self.layers}: change --layers")


def parts(config: RandomStartsConfig) -> dict[str, Part]:
    """The one dataset."""
    return {"starts": functools.partial(_run, config)}


def _run(config: RandomStartsConfig, session: Session) -> xr.Dataset:
    del session
    data = load(config.data)
    inputs = jnp.asarray(data.train_inputs.reshape(config.data.train, -1), float)
    targets = models.encode(data.train_labels, "signs", classes=2)
    found = []
    for layers in config.layers:
        widths = (inputs.shape[1], *[config.width] * (layers - 1), 1)
        problem = models.Problem(models.mlp(widths), inputs, targets)
        keys = [jax.random.fold_in(jax.random.key(seed), layers) for seed in range(config.seeds)]
        found += [_lot(problem, jax.random.split(key, config.draws)) for key in keys]
    members = [(layers, seed) for layers in config.layers for seed in range(config.seeds)]
    lead = ("member", "draw")
    return xr.Dataset(
        {
            "mu": (lead, np.stack([mu for mu, _ in found])),
            "train_error": (lead, np.stack([error for _, error in found])),
            "status": ("member", np.full(len(found), int(Status.FINISHED))),
        },
        {
            "layers": ("member", [layers for layers, _ in members]),
            "seed": ("member", [seed for _, seed in members]),
        },
        {"source": data.source},
    )


def _lot(problem: models.Problem, keys: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """Mu and the training error of each key's start."""

    def look(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        view = models.to_polar(problem.network.init(key), rho=1.0)
        own = margins.margins(problem, view)
        return jnp.mean(own), jnp.mean(own <= 0)

    mu, error = jax.jit(lambda many: jax.lax.map(look, many, batch_size=20))(keys)
    return np.asarray(mu), np.asarray(error)


def table(_: RandomStartsConfig, datasets: Datasets) -> list[Row]:
    """One row per depth, over all seeds."""
    return [
        {
            "layers": int(group.layers[0]),
            "starts": group.mu.size,
            "mu > 0": f"{100 * float((group.mu > 0).mean()):.1f}%",
            "separable": f"{100 * float((group.train_error == 0).mean()):.2f}%",
            "least error": f"{100 * float(group.train_error.min()):.1f}%",
        }
        for group in alike(datasets["starts"], "layers")
    ]


def draw(config: Any, datasets: Datasets) -> Figure:
    """The distribution of mu for each depth, in units of its own spread; dashed: zero."""
    colours = (BLUE, ORANGE, GREEN, PURPLE)
    with house_style():
        figure, axes = plt.subplots(figsize=(5.4, 3.6))
        for number, group in enumerate(alike(datasets["starts"], "layers")):
            mu = group.mu.values.ravel()
            axes.hist(
                mu / mu.std(), bins=60, range=(-4, 4), histtype="step",
                color=colours[number % 4], density=True, label=f"{int(group.layers[0])} layers",
            )  # fmt: skip
        axes.axvline(0.0, **PREDICTED)
        axes.set_xlabel("mean margin mu of a random start, over its standard deviation")
        axes.set_title("density of starts")
        axes.legend(fontsize=8, labelcolor="linecolor")
        figure.supxlabel(f"{config.data.name} {config.data.classes}", fontsize=7.5)
        plt.close(figure)
    return figure


LAPTOP = RandomStartsConfig()
TINY = replace(
    LAPTOP,
    data=DataConfig(name="digits", classes=(3, 8), train=20, test=1, centre=True),
    width=8,
    layers=(2, 3),
    draws=200,
    seeds=2,
)
PAPER = replace(
    LAPTOP,
    data=DataConfig(name="cifar10", classes=(1, 2), train=10_000, test=1, centre=True),
    width=512,
    draws=10_000,
)

EXPERIMENT = Experiment(
    config=RandomStartsConfig,
    presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
    parts=parts,
    table=table,
    draw=draw,
)
