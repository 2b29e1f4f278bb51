"""Linear heads: what do linear layers on top of a network make of neural collapse?

Networks of L_1 nonlinear and L_2 linear layers, one-hot targets, SGD of the weights themselves,

    Loss = (1/N) sum_n |f_W(x_n) - y_n|^2 + lambda sum_k |W_k|^2,

at a rate that falls once, late in the run. Decay balances consecutive linear layers,

    D_l = W_{l+1}^T W_{l+1} - W_l W_l^T = D_l(0) e^(-4 lambda t)

in the flow; SGD adds eta^2 (T_{l+1}^T T_{l+1} - T_l T_l^T) at each step, T the gradient without
decay, so that D_l ends on a floor that falls with the rate ([Wide], theory 8.7). A head that is
balanced and fits has small NC1 at its end, and NC2, the condition number of the class means, that
falls from layer to layer, the more so the longer the head is ([Wide] Theorem 3.1).

One part for each L_1, L_2 and learning rate; its members are seeds at each lambda. Everything is
looked at in every hidden layer (`hidden`, from 0; the last one is what W_L sees):

| variable | what |
|---|---|
| `nc1`, `nc2` | Tr Sigma_W / Tr Sigma_B, and s_1/s_K of the uncentred class means, [hidden] |
| `balance`, `imbalances` | abs(D_l), relative and as it is, [pairs of layers] |
| `negativity` | share of pre-activations that a ReLU takes away, [hidden] |
| `head_condition` | s_1/s_K of W_L ... W_l, from the whole head to W_L alone |
| `gram` | cosines of the uncentred class means with each other, [hidden, classes, classes] |

[Wide] writes (1/2) |Z_L - Y|^2 + (lambda'/2) |W|^2 over all samples: lambda' = N lambda.
"""

import functools
import itertools
import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr

from ... import dynamics, models
from ...dynamics.labelling import labelled
from ..data import DataConfig, load
from ..errors import UsageError
from ..experiment import Experiment, Part, Session
from .hidden_layers import gram, nc1, nc2
from .linear_head_picture import draw, table
from .two_classes import wall_time

OBSERVED = ("unregularised_loss", "train_error", "balance", "imbalances")
BACKBONES = ("mlp", "convnet", "resnet20")


@dataclass(frozen=True)
class LinearHeadConfig:
    """All classes, nonlinear and then linear layers, SGD with decay."""

    data: DataConfig = field(
        default_factory=lambda: DataConfig(
            name="mnist5k", train=500, test=500, side=10, centre=True
        )
    )
    """The images."""

    backbone: str = "mlp"
    """Below the dense layers: mlp, nothing; convnet, two convolutions; resnet20, batch norm."""

    width: int = 64
    """Of every hidden dense layer."""

    nonlinear: tuple[int, ...] = (5,)
    """Numbers of nonlinear dense layers L_1."""

    linear: tuple[int, ...] = (1, 2, 3, 4, 5)
    """Numbers of linear layers L_2, the output layer included."""

    decay: tuple[float, ...] = (1e-3, 3e-3)
    """Values of lambda, in the mean normalisation."""

    divide_decay: bool = False
    """Whether lambda is divided by the number of layers."""

    learning_rate: tuple[float, ...] = (0.03,)
    """Values of the learning rate, before it falls."""

    divide_rate: bool = False
    """Whether the learning rate is divided by the number of linear layers L_2."""

    drop: float = 0.1
    """By what the learning rate is multiplied late in the run; 1 for a constant rate."""

    drop_at: float = 0.8
    """When it is, as a share of the steps."""

    momentum: float = 0.9
    """Of SGD (heavy ball)."""

    batch_size: int = 50
    """Of SGD, reshuffled every epoch."""

    steps: int = 6_000
    """Length of a run."""

    looks: int = 61
    """At how many times to look, the start included; the gaps grow evenly."""

    seeds: int = 5
    """How many initial weights; every one is started with every lambda."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        for name in ("nonlinear", "linear", "decay", "learning_rate"):
            self._check(name, all(value > 0 for value in getattr(self, name)), "all above zero")
            self._check(name, len(getattr(self, name)) > 0, "at least one")
        for name in ("width", "seeds", "batch_size", "steps"):
            self._check(name, getattr(self, name) > 0, "above zero")
        self._check("drop", 0 < self.drop <= 1, "in (0, 1]")
        self._check("drop_at", 0 < self.drop_at < 1, "in (0, 1)")
        self._check("momentum", 0 <= self.momentum < 1, "in [0, 1)")
        self._check("looks", 2 <= self.looks <= self.steps + 1, f"in 2..{self.steps + 1}")
        self._check("backbone", self.backbone in BACKBONES, f"among {', '.join(BACKBONES)}")

    def _check(self, name: str, fits: bool, wanted: str) -> None:
        if not fits:
            raise UsageError(
                f"expected {name} {wanted}, got {getattr(self, name)}: "
                f"change --{name.replace('_', '-')}"
            )


@dataclass(frozen=True)
class Shape:
    """What a part's networks have in common.

    Attributes:
        nonlinear: L_1.
        linear: L_2.
        rate: The learning rate before it falls.
    """

    nonlinear: int
    linear: int
    rate: float

    @property
    def name(self) -> str:
        """The part's name."""
        return f"nonlinear_{self.nonlinear}-linear_{self.linear}-rate_{self.rate:g}"


def shapes(config: LinearHeadConfig) -> list[Shape]:
    """One for each part."""
    return [
        Shape(below, head, rate / head if config.divide_rate else rate)
        for below, head, rate in itertools.product(
            config.nonlinear, config.linear, config.learning_rate
        )
    ]


def parts(config: LinearHeadConfig) -> dict[str, Part]:
    """SGD of each kind of network."""
    return {shape.name: functools.partial(_sgd, config, shape) for shape in shapes(config)}


def _sgd(config: LinearHeadConfig, shape: Shape, session: Session) -> xr.Dataset:
    problem, look = _problem(config, shape)
    begin, members = _starts(config, shape, problem.network)
    sgd = dynamics.sgd(
        problem, _rates(config, shape), momentum=config.momentum, batch_size=config.batch_size,
        normalisation=_coordinates(problem.network),
    )  # fmt: skip
    at = np.unique(np.rint(config.steps * np.linspace(0, 1, config.looks) ** 2).astype(int))
    began = time.perf_counter()
    trajectory = dynamics.ensemble(
        sgd, begin, times=dynamics.times_at(sgd, steps=at), observe=look,
        over={"decay": members["decay"]}, key=jax.random.key(0),
        progress=session.progress, checkpoint=session.checkpoint(),
    )  # fmt: skip
    found = labelled(trajectory, members, None, **wall_time(began, trajectory))
    found = found.rename({axis: name for axis, name in AXES.items() if axis in found.dims})
    falls_at = dynamics.times_at(sgd, steps=round(config.drop_at * config.steps)).item()
    return found.assign_coords(step=("time", at)).assign_attrs(
        nonlinear=shape.nonlinear, linear=shape.linear, learning_rate=shape.rate,
        falls_at=falls_at, momentum=config.momentum,
    )  # fmt: skip


AXES = {
    "nc1_0": "hidden",
    "nc2_0": "hidden",
    "negativity_0": "hidden",
    "gram_0": "hidden",
    "balance_0": "pair",
    "imbalances_0": "pair",
    "head_condition_0": "head",
}
"""Names of the observables' own axes."""


def _coordinates(network: models.Network) -> Any:
    if network.couples:
        return dynamics.normalisation.batch_norm()
    return dynamics.normalisation.free()


def _rates(config: LinearHeadConfig, shape: Shape) -> Any:
    """The rate of each step: constant, and lower from one step on."""
    if config.drop == 1:
        return shape.rate
    falls = {round(config.drop_at * config.steps): config.drop}
    return optax.piecewise_constant_schedule(shape.rate, falls)


def _starts(
    config: LinearHeadConfig, shape: Shape, network: models.Network
) -> tuple[Any, dict[str, np.ndarray]]:
    seeds, decays = (
        grid.ravel() for grid in np.meshgrid(np.arange(config.seeds), config.decay, indexing="ij")
    )
    share = shape.nonlinear + shape.linear if config.divide_decay else 1
    weights = [network.init(jax.random.key(seed)) for seed in range(config.seeds)]
    return [weights[seed] for seed in seeds], {"seed": seeds, "decay": decays / share}


def _problem(config: LinearHeadConfig, shape: Shape) -> tuple[models.Problem, dynamics.Observe]:
    data = load(config.data)
    classes = len(config.data.classes) or int(data.train_labels.max()) + 1
    network = _network(config, shape, data.train_inputs.shape[1:], classes)
    inputs, test = (
        jnp.asarray(images if config.backbone != "mlp" else images.reshape(len(images), -1), float)
        for images in (data.train_inputs, data.test_inputs)
    )
    targets, told = (
        models.encode(labels, "one_hot", classes)
        for labels in (data.train_labels, data.test_labels)
    )
    look = dynamics.observe(
        *OBSERVED, nc1=nc1, nc2=nc2, gram=gram,
        head_condition=dynamics.observables.with_options(
            dynamics.observables.balance.head_condition, linear_layers=shape.linear - 1
        ),
        test_error=dynamics.error_on(test, told),
    )  # fmt: skip
    if config.backbone == "mlp":
        look = look | dynamics.observe("negativity")
    return models.Problem(network, inputs, targets), look


def _network(
    config: LinearHeadConfig, shape: Shape, image: tuple[int, ...], classes: int
) -> models.Network:
    hidden = (config.width,) * (shape.nonlinear + shape.linear - 1)
    below, start = shape.linear - 1, he
    if config.backbone == "mlp":
        return models.mlp((math.prod(image), *hidden, classes), below, start)
    if config.backbone == "resnet20":
        head = (*hidden, classes)
        return models.resnet20(image, head, linear_layers=below, initialisation=start)
    return models.convnet(
        image, (8, 16), hidden, classes, strides=2, linear_layers=below, initialisation=start
    )


def he(key: Any, shape: tuple[int, ...]) -> jax.Array:
    """Gaussian entries of variance 2/fan_in, which keep their size through ReLU layers."""
    return jnp.sqrt(2.0) * models.lecun()(key, shape)


LAPTOP = LinearHeadConfig()
TINY = replace(
    LAPTOP,
    data=DataConfig(name="digits", train=40, test=20, centre=True),
    width=12,
    nonlinear=(2,),
    linear=(1, 2, 3),
    steps=40,
    looks=21,
    batch_size=20,
    seeds=2,
)
PAPER = replace(
    LAPTOP,
    data=DataConfig(name="mnist", train=60_000, test=10_000, centre=True),
    width=512,
    decay=(5e-4, 2e-3),
    batch_size=128,
    steps=2_350_000,
    looks=101,
)

EXPERIMENT = Experiment(
    config=LinearHeadConfig,
    presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
    parts=parts,
    table=table,
    draw=draw,
)
