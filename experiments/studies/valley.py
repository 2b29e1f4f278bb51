"""Valleys: is there a way of zero loss from one minimum to another?

[Dyn] Theorem 2 says that the points of zero loss are connected where the first layer has at least
2N units, N the number of samples. Here a way is looked for, by optimisation: two minima W(0) and
W(1) are trained from two seeds, without decay; between them lie `knots` points, joined by straight
lines in the weights, and Adam moves the points so that the loss, averaged over the lines, falls.
The way's height is its largest loss, over many more points than were trained on; rho, the product
of the layers' norms, is told along it.

That no way was found is no proof that there is none. Networks of two layers with smoothed ReLUs, in
double precision.

Source: [Dyn] section 3.3, Theorem 2. Ways by optimisation: Garipov et al. (2018).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import xarray as xr
from jaxtyping import Array, Float, PyTree
from matplotlib.figure import Figure

from ... import models
from ..data import DataConfig, load
from ..errors import UsageError
from ..experiment import Datasets, Experiment, Part, Row, Session
from ..plotting import BLUE, GREY, house_style
from .two_classes import check_classes, check_positive

LOOKS = 16
"""Points of each line at which the way is told; a third of them are trained on."""


@dataclass(frozen=True)
class ValleyConfig:
    """Few images of two classes, networks of two layers from narrow to wide, pairs of minima."""

    data: DataConfig = field(
        default_factory=lambda: DataConfig(
            name="digits", classes=(3, 8), train=20, test=0, centre=True
        )
    )
    """The images; two classes."""

    shares: tuple[float, ...] = (2.0, 1.0, 0.5)
    """Units of the hidden layer over the number of images; the first is the theorem's."""

    smoothing: float = 0.05
    """Half-width of the ReLUs' kinks, as a share of the largest pre-activation."""

    seeds: int = 5
    """How many pairs of minima."""

    knots: int = 10
    """Points between the ends that move."""

    learning_rate: float = 0.01
    """Of Adam; it falls along a half cosine."""

    steps: int = 6000
    """Of Adam, for the minima and for the way each."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        check_classes(self)
        check_positive(self, ("smoothing", "seeds", "knots", "learning_rate", "steps"))
        if not self.shares or min(self.units) < 1 or len(set(self.units)) < len(self.shares):
            raise UsageError(
                f"expected shares that make different numbers of units, one or more, got "
                f"{self.shares}: change --shares"
            )

    @property
    def units(self) -> tuple[int, ...]:
        """Units of the hidden layer, one number for each share."""
        return tuple(round(share * self.data.train) for share in self.shares)


def part_of(units: int) -> str:
    """The name of the part with so many units."""
    return f"units_{units}"


def parts(config: ValleyConfig) -> dict[str, Part]:
    """The ways of one width each."""
    return {part_of(units): functools.partial(_ways, config, units) for units in config.units}


def _ways(config: ValleyConfig, units: int, _: Session) -> xr.Dataset:
    with jax.enable_x64(True):
        problem = problem_of(config, units)
        keys = jax.random.split(jax.random.key(0), config.seeds)
        found = jax.jit(jax.vmap(functools.partial(_way, config, problem)))(keys)
    way = ("seed", "along")
    told = {name: (way, np.asarray(found[name])) for name in ("loss", "straight", "rho")}
    along = np.linspace(0, 1, found["loss"].shape[1])
    return xr.Dataset(
        told | {"end": (("seed", "which"), np.asarray(found["end"]))},
        {"seed": range(config.seeds), "along": along},
    )


def problem_of(config: ValleyConfig, units: int) -> models.Problem:
    """The images, and the network without decay."""
    data = load(config.data)
    inputs = np.asarray(data.train_inputs.reshape(len(data.train_inputs), -1), float)
    network = models.mlp(
        (inputs.shape[1], units, 1),
        activation=models.activations.smoothed_relu(config.smoothing),
    )
    targets = models.encode(data.train_labels, "signs", classes=2)
    return models.Problem(network, inputs, np.asarray(targets, float))


def _way(config: ValleyConfig, problem: models.Problem, key: Array) -> dict[str, Array]:
    """One pair of minima and the way between them."""
    loss = functools.partial(loss_of, problem)
    starts = jax.vmap(problem.network.init)(jax.random.split(key))
    ends = descend(config, lambda pair: jnp.mean(jax.vmap(loss)(pair)), starts)
    first, last = (jax.tree.map(lambda leaf, at=at: leaf[at], ends) for at in (0, 1))
    straight = knots_between(first, last, config.knots)

    def height(inner: PyTree) -> Array:
        return jnp.mean(jax.vmap(loss)(joined(first, inner, last, LOOKS // 3)))

    inner = descend(config, height, straight)
    way, line = (joined(first, points, last, LOOKS) for points in (inner, straight))
    return {
        "loss": jax.lax.map(loss, way),
        "straight": jax.lax.map(loss, line),
        "rho": jax.vmap(lambda weights: models.radius(problem.network, weights))(way),
        "end": jax.vmap(loss)(ends),
    }


def loss_of(problem: models.Problem, weights: models.Weights) -> Float[Array, ""]:
    """The square loss of weights."""
    return jnp.mean((problem.network.apply(weights, problem.inputs) - problem.targets) ** 2)


def descend(config: ValleyConfig, loss: Callable[[PyTree], Array], start: PyTree) -> PyTree:
    """Where Adam comes from a start."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    adam = optax.adam(rate)

    def step(carry: tuple[PyTree, Any], _: None) -> tuple[tuple[PyTree, Any], None]:
        at, state = carry
        updates, state = adam.update(jax.grad(loss)(at), state)
        return (optax.apply_updates(at, updates), state), None

    (end, _), _ = jax.lax.scan(step, (start, adam.init(start)), length=config.steps)
    return end


def knots_between(first: PyTree, last: PyTree, count: int) -> PyTree:
    """So many points of the straight line, evenly, without its ends; the points first."""
    shares = jnp.linspace(0, 1, count + 2)[1:-1]
    return jax.vmap(
        lambda share: jax.tree.map(lambda a, b: (1 - share) * a + share * b, first, last)
    )(shares)


def joined(first: PyTree, inner: PyTree, last: PyTree, looks: int) -> PyTree:
    """Points of the broken line through the knots, so many on each piece, and its end."""

    def fill(a: Array, between: Array, b: Array) -> Array:
        knots = jnp.concatenate([a[None], between, b[None]])
        shares = jnp.arange(looks).reshape(1, looks, *(1,) * a.ndim) / looks
        pieces = (1 - shares) * knots[:-1, None] + shares * knots[1:, None]
        return jnp.concatenate([pieces.reshape(-1, *a.shape), b[None]])

    return jax.tree.map(fill, first, inner, last)


def table(config: ValleyConfig, datasets: Datasets) -> list[Row]:
    """One row per width: heights of the straight line and of the way found, over the pairs."""
    return [
        {
            "units": units,
            "of 2N": f"{units / (2 * config.data.train):.2f}",
            "loss of the ends": f"{float(data.end.max()):.1e}",
            "straight": f"{float(data.straight.max('along').median()):.1e}",
            "found": f"{float(data.loss.max('along').median()):.1e}",
            "worst": f"{float(data.loss.max()):.1e}",
            "rho": f"{float(data.rho.min()):.2f}..{float(data.rho.max()):.2f}",
        }
        for units in config.units
        for data in [datasets[part_of(units)]]
    ]


def draw(config: ValleyConfig, datasets: Datasets) -> Figure:
    """The loss along the ways, one panel per width; the straight lines in grey."""
    with house_style():
        figure, row = plt.subplots(
            1, len(config.units), figsize=(3.8 * len(config.units), 3.6), sharey=True, squeeze=False
        )
        for axes, units in zip(row[0], config.units, strict=True):
            data = datasets[part_of(units)]
            axes.plot(data.along, data.straight.T, color=GREY, linewidth=0.7)
            axes.plot(data.along, data.loss.T, color=BLUE)
            axes.set(yscale="log", xlabel="along the way", title=f"{units} units")
        row[0][0].set_ylabel("loss")
        plt.close(figure)
    return figure


LAPTOP = ValleyConfig()
TINY = replace(
    LAPTOP,
    data=DataConfig(name="digits", classes=(3, 8), train=6, test=0, side=4, centre=True),
    shares=(3.0, 2.0),
    seeds=2,
    knots=3,
    steps=1000,
)
PAPER = replace(LAPTOP, data=replace(LAPTOP.data, name="mnist", train=100), seeds=10)

EXPERIMENT = Experiment(
    config=ValleyConfig,
    presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
    parts=parts,
    table=table,
    draw=draw,
)
