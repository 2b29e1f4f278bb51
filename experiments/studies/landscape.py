"""Landscapes: what does the loss look like over rho, and between two minima of it?

The documents draw them by hand; here they are computed, for a small network with smoothed ReLUs on
two classes of digits, in double precision. Without decay the loss at rho f_V is

    Loss(rho, V) = 1 - 2 rho mu(V) + rho^2 M(V).

- `coastline`: L*(rho), the least loss over directions at each radius (`dynamics.least_loss`), from
  several starts; and equilibria with decay (`dynamics.continuation`), which are the points of the
  coastline where its slope is -2 lambda rho.
- `between`: two minima, found from two seeds at the largest radius, and the loss over rho and over
  the geodesic between them, along which each V_k turns on its sphere from one to the other:
  V_k(s) = (sin((1-s) a) V_k(0) + sin(s a) V_k(1)) / sin a, a the angle between them.
- `origin`: mu(V) of random directions; at rho = 0 the loss does not depend on V and has the slope
  -2 mu(V) in rho.

Source: [Dyn] Fig. 2 and section 3.5; [M117] Figs. 7-9; theory, 2.12.
"""

import functools
import math
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ... import dynamics, models
from ..data import DataConfig, load
from ..errors import UsageError
from ..experiment import Datasets, Experiment, Part, Row, Session
from ..plotting import BLUE, house_style
from .two_classes import check_classes, check_positive

REACHED = 1e-3
"""A loss that counts as none."""


@dataclass(frozen=True)
class LandscapeConfig:
    """Few images of two classes, a small smooth network, minima found directly."""

    data: DataConfig = field(
        default_factory=lambda: DataConfig(
            name="digits", classes=(3, 8), train=20, test=0, centre=True
        )
    )
    """The images; two classes."""

    hidden: tuple[int, ...] = (12, 12)
    """Widths of the hidden layers."""

    smoothing: float = 0.05
    """Half-width of the ReLUs' kinks, as a share of the largest pre-activation."""

    radii: tuple[float, ...] = (0.5, 1, 2, 3, 4, 6, 8, 10, 14, 20, 28, 40)
    """Radii of the coastline, increasing; minima are sought at the last one."""

    decay: tuple[float, ...] = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
    """Values of lambda at which equilibria are sought, decreasing."""

    seeds: int = 5
    """How many starts of the coastline, equilibria, and pairs of minima."""

    points: int = 61
    """Points of the landscape along the geodesic."""

    directions: int = 1000
    """Random directions at rho = 0, for each seed."""

    max_steps: int = 200
    """Steps of each search."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        check_classes(self)
        check_positive(self, ("seeds", "points", "directions", "max_steps", "smoothing"))
        for name, sign in (("radii", 1), ("decay", -1)):
            values = np.asarray(getattr(self, name), float)
            if not len(values) or np.any(sign * np.diff(values) <= 0) or values.min() <= 0:
                way = "increase" if sign > 0 else "decrease"
                raise UsageError(
                    f"expected positive numbers that {way} in {name}, got {tuple(values)}: "
                    f"change --{name}"
                )


def parts(config: LandscapeConfig) -> dict[str, Part]:
    """The coastline, what lies between minima, and rho = 0."""
    return {
        "coastline": functools.partial(_in_double, _coastline, config),
        "between": functools.partial(_in_double, _between, config),
        "origin": functools.partial(_in_double, _origin, config),
    }


def _in_double(part: Any, config: LandscapeConfig, _: Session) -> xr.Dataset:
    with jax.enable_x64(True):
        return part(config, problem_of(config))


def problem_of(config: LandscapeConfig) -> models.Problem:
    """The images, and the network without decay."""
    data = load(config.data)
    inputs = data.train_inputs.reshape(len(data.train_inputs), -1)
    network = models.mlp(
        (inputs.shape[1], *config.hidden, 1),
        activation=models.activations.smoothed_relu(config.smoothing),
    )
    targets = models.encode(data.train_labels, "signs", classes=2)
    return models.Problem(network, np.asarray(inputs, float), np.asarray(targets, float))


def _starts(problem: models.Problem, seeds: range, rho: float) -> list[Any]:
    return [models.to_polar(problem.network.init(jax.random.key(seed)), rho) for seed in seeds]


def _coastline(config: LandscapeConfig, problem: models.Problem) -> xr.Dataset:
    starts = _starts(problem, range(config.seeds), config.radii[0])
    coast = dynamics.least_loss(
        problem, starts, np.asarray(config.radii), max_steps=config.max_steps
    )
    follow = jax.vmap(
        lambda start: dynamics.continuation(
            problem, start, jnp.asarray(config.decay), max_steps=config.max_steps
        )
    )
    warm = [start._replace(rho=jnp.asarray(math.sqrt(config.radii[-1]))) for start in starts]
    found = follow(jax.tree.map(lambda *leaves: jnp.stack(leaves), *warm))
    branch = ("seed", "decay")
    return xr.Dataset(
        {
            "loss": (("rho", "seed"), np.asarray(coast.losses)),
            "slope": (("rho", "seed"), np.asarray(coast.slopes)),
            "outcome": (("rho", "seed"), np.asarray(coast.outcomes)),
            "rho_eq": (branch, np.asarray(found.rho)),
            "mu": (branch, np.asarray(found.mu)),
            "second_moment": (branch, np.asarray(found.second_moment)),
            "loss_eq": (branch, np.asarray(found.loss - found.decays * found.rho**2)),
            "outcome_eq": (branch, np.asarray(found.outcome)),
        },
        {"rho": list(config.radii), "decay": list(config.decay), "seed": range(config.seeds)},
    )


def _between(config: LandscapeConfig, problem: models.Problem) -> xr.Dataset:
    starts = _starts(problem, range(2 * config.seeds), config.radii[-1])
    found = [
        dynamics.minimise(problem, start, radius="held", max_steps=config.max_steps)
        for start in starts
    ]
    each = [minimum.position.directions for minimum in found]
    ends = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
    along = np.linspace(-0.25, 1.25, config.points)
    radii = np.linspace(0.0, config.radii[-1], config.points)
    surface = jax.jit(
        jax.vmap(lambda one, other: _surface(problem, one, other, along, radii)),
    )
    loss = surface(tuple(layer[0::2] for layer in ends), tuple(layer[1::2] for layer in ends))
    return xr.Dataset(
        {
            "loss": (("seed", "along", "rho"), np.asarray(loss)),
            "end": (
                ("seed", "which"),
                np.reshape([float(minimum.loss) for minimum in found], (-1, 2)),
            ),
        },
        {"along": along, "rho": radii, "seed": range(config.seeds)},
    )


def _surface(
    problem: models.Problem,
    one: models.Weights,
    other: models.Weights,
    along: np.ndarray,
    radii: np.ndarray,
) -> jax.Array:
    """The loss over the geodesic and rho, [along, rho]."""

    def moments(share: jax.Array) -> tuple[jax.Array, jax.Array]:
        point = tuple(turn(a, b, share) for a, b in zip(one, other, strict=True))
        outputs = problem.network.apply(point, problem.inputs)
        return jnp.mean(problem.targets * outputs), jnp.mean(outputs**2)

    mu, second = jax.vmap(moments)(jnp.asarray(along))
    rho = jnp.asarray(radii)[None, :]
    return 1 - 2 * rho * mu[:, None] + rho**2 * second[:, None]


def turn(one: jax.Array, other: jax.Array, share: jax.Array) -> jax.Array:
    """A point of the great circle through two unit layers: 0 is one, 1 the other."""
    angle = jnp.arccos(jnp.clip(jnp.sum(one * other), -1, 1))
    return (jnp.sin((1 - share) * angle) * one + jnp.sin(share * angle) * other) / jnp.sin(angle)


def _origin(config: LandscapeConfig, problem: models.Problem) -> xr.Dataset:
    def mu(key: jax.Array) -> jax.Array:
        directions = models.normalise(problem.network.init(key))
        return jnp.mean(problem.targets * problem.network.apply(directions, problem.inputs))

    keys = jax.random.split(jax.random.key(0), config.seeds * config.directions)
    margins = np.asarray(jax.jit(jax.vmap(mu))(keys)).reshape(config.seeds, config.directions)
    return xr.Dataset({"mu": (("seed", "direction"), margins)}, {"seed": range(config.seeds)})


def table(_: LandscapeConfig, datasets: Datasets) -> list[Row]:
    """One row per radius: the least loss over starts, and how the searches ended."""
    coast = datasets["coastline"]
    return [
        {
            "rho": f"{float(at.rho):g}",
            "least loss": f"{float(at.loss.min()):.2e}",
            "worst start": f"{float(at.loss.max()):.2e}",
            "converged": f"{int((at.outcome == 0).sum())} of {at.sizes['seed']}",
        }
        for at in (coast.isel(rho=number) for number in range(coast.sizes["rho"]))
    ]


def draw(_: Any, datasets: Datasets) -> Figure:
    """The coastline of every start."""
    coast = datasets["coastline"]
    with house_style():
        figure, axes = plt.subplots(figsize=(5.5, 3.6))
        axes.plot(coast.rho, np.maximum(coast.loss, 1e-16), color=BLUE, linewidth=0.9)
        axes.set(yscale="log", xscale="log", xlabel="rho", ylabel="least loss over directions")
        plt.close(figure)
    return figure


LAPTOP = LandscapeConfig()
TINY = replace(
    LAPTOP,
    data=DataConfig(name="digits", classes=(3, 8), train=6, test=0, side=4, centre=True),
    hidden=(4,),
    radii=(1, 4, 16),
    decay=(1e-2, 1e-3),
    seeds=2,
    points=21,
    directions=100,
    max_steps=60,
)
PAPER = replace(
    LAPTOP,
    data=replace(LAPTOP.data, name="mnist", train=200),
    hidden=(64, 64),
    max_steps=1000,
)

EXPERIMENT = Experiment(
    config=LandscapeConfig,
    presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
    parts=parts,
    table=table,
    draw=draw,
)
