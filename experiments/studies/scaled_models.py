"""Three models on images of two classes whose scale at the start is varied, and what is observed.

Each is trained by SGD with heavy ball under the square loss, from random directions at a given
scale, the *initial* scale s:

- ``sphere`` ([Dyn] section 5): one radius rho over unit directions, the decay is lambda rho^2, and
  s is rho at the start. The document normalises every layer to a fixed norm below a trained rho;
  the scale of the function that it starts from is the product of all.
- ``batch_norm`` ([M117] section 4, [M112] Figs. 1-9): batch norm after every hidden layer, every
  matrix of Frobenius norm s at the start, moved as weights under lambda sum_k |W_k|^2. Hidden
  layers have no scale then: rho = |W_L|, which starts at s, and s also sets how fast directions
  turn, by learning_rate / |w|^2 (docs/theory.md, section 4).
- ``plain`` ([M112] Figs. 10-12): the same without batch norm, rho = prod_k |W_k|, at the start s^L.

In the first two rho rests at rho_eq = mu / (M + lambda) while the directions stand still; in the
third, without decay, at mu / M. Networks have one output and targets +-1, as in the documents'
theory; their experiments have two outputs, which is the same up to e~ = (1, -1).

**When we look**: evenly over the epochs, and ``early`` times more at geometric distances from the
first step on, so that the first epochs are seen too.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax.tree_util import Partial
from jaxtyping import Array, Float

from ... import dynamics, models
from ...dynamics.labelling import labelled
from ..data import DataConfig, Dataset, load
from ..errors import UsageError
from ..experiment import Session
from .two_classes import check, wall_time

OBSERVED = ("loss", "unregularised_loss", "rho", "rho_eq", "mu", "sigma", "gap", "margins")
MODELS = ("sphere", "batch_norm", "plain")
BATCHES_REMEMBERED = 10
"""Batch norm's running statistics forget as PyTorch's do by default, whose momentum is 1/10."""


@dataclass(frozen=True)
class ScaledConfig:
    """What the studies of these models share."""

    data: DataConfig = field(
        default_factory=lambda: DataConfig(
            name="mnist5k", classes=(3, 8), train=200, test=600, side=14, centre=True
        )
    )
    """The images; two classes."""

    model: str = "sphere"
    """What moves: sphere, batch_norm or plain."""

    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers."""

    convolutional: bool = False
    """Whether the network is the document's convolutional one, whatever hidden says."""

    decay: tuple[float, ...] = (1e-3, 0.0)
    """Values of lambda, in the mean normalisation."""

    seeds: int = 5
    """How many initial directions."""

    epochs: int = 1000
    """Length of a run, in passes over the training images."""

    looks: int = 51
    """At how many times to look, evenly over the epochs, the start included."""

    early: int = 30
    """At how many times more, at geometric distances from the first step on."""

    learning_rate: float = 0.02
    """Of SGD, constant."""

    momentum: float = 0.9
    """Of SGD (heavy ball)."""

    batch_size: int = 20
    """Of SGD, reshuffled every epoch."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        if self.model not in MODELS:
            raise UsageError(
                f"expected model among {', '.join(MODELS)}, got {self.model}: change --model"
            )
        check(self, ("seeds", "epochs", "learning_rate", "batch_size"), self._listed())
        if not 2 <= self.looks <= 1 + self.epochs:
            raise UsageError(
                f"expected looks in 2..{1 + self.epochs}, so that they are an epoch apart at "
                f"least, got {self.looks}: change --looks"
            )
        if self.batch_size > self.data.train:
            raise UsageError(
                f"expected batch_size in 1..{self.data.train}, got {self.batch_size}: "
                "change --batch-size or --data.train"
            )
        if self.early < 0:
            raise UsageError(f"expected early >= 0, got {self.early}: change --early")

    def _listed(self) -> tuple[str, ...]:
        """Fields with several values, none of them negative."""
        return ("decay",)


SMALL: dict[str, Any] = {
    "data": DataConfig(name="digits", classes=(3, 8), train=20, test=100, side=4, centre=True),
    "hidden": (8, 8),
    "seeds": 2,
    "epochs": 10,
    "looks": 6,
    "early": 6,
    "batch_size": 5,
}
"""What a run of seconds has in place of the defaults."""

DOCUMENTED: dict[str, Any] = {
    "data": DataConfig(name="cifar10", classes=(1, 2), train=10_000, test=2_000, centre=True),
    "convolutional": True,
    "seeds": 10,
    "learning_rate": 0.03,
    "batch_size": 128,
}
"""What the documents have in place of them."""


def combined(**values: Any) -> dict[str, np.ndarray]:
    """Every combination of some values: what tells the members apart, by name."""
    grids = np.meshgrid(*values.values(), indexing="ij")
    return {name: grid.ravel() for name, grid in zip(values, grids, strict=True)}


def train(
    config: ScaledConfig,
    images: Dataset,
    members: Mapping[str, np.ndarray],
    session: Session,
    targets: Float[np.ndarray, "members samples"] | None = None,
) -> xr.Dataset:
    """SGD from every member's start.

    Args:
        config: The model and how it is trained.
        images: For training and testing.
        members: ``seed``, ``initial``, ``decay``, and what else tells them apart.
        session: What the run lends.
        targets: Each member's own, the true ones unless given.

    Returns:
        What was observed, with the dimensions ``member``, ``time`` and ``sample``.
    """
    problem, look = _problem(config, images)
    steps = dynamics.sgd(
        problem, config.learning_rate, momentum=config.momentum, batch_size=config.batch_size,
        normalisation=_normalisation(config),
    )  # fmt: skip
    over = {"decay": members["decay"]} | ({} if targets is None else {"targets": targets})
    began = time.perf_counter()
    trajectory = dynamics.ensemble(
        steps, _starts(config, problem.network, members), over=over, observe=look,
        times=dynamics.times_at(steps, steps=_counts(config)), key=jax.random.key(0),
        progress=session.progress, checkpoint=session.checkpoint(),
    )  # fmt: skip
    found = labelled(trajectory, members, None, **wall_time(began, trajectory))
    return found.assign_attrs(source=images.source, steps_per_epoch=_per_epoch(config))


def images_of(config: ScaledConfig) -> Dataset:
    """The images."""
    return load(config.data)


def signs(labels: np.ndarray) -> np.ndarray:
    """Targets +-1 of labels 0 and 1."""
    return np.asarray(models.encode(labels, "signs", classes=2))


def _per_epoch(config: ScaledConfig) -> int:
    return max(config.data.train // config.batch_size, 1)


def _counts(config: ScaledConfig) -> np.ndarray:
    """After how many steps to look."""
    last = config.epochs * _per_epoch(config)
    evenly = np.linspace(0, last, config.looks)
    early = np.geomspace(1, last, config.early)
    return np.unique(np.rint(np.concatenate([evenly, early])).astype(int))


def _problem(config: ScaledConfig, images: Dataset) -> tuple[models.Problem, dynamics.Observe]:
    inputs, test_inputs = (_shaped(config, x) for x in (images.train_inputs, images.test_inputs))
    held_out = jnp.asarray(test_inputs), jnp.asarray(signs(images.test_labels))
    look = dynamics.observe(
        *OBSERVED, "train_error",
        test_error=dynamics.error_on(*held_out), test_loss=Partial(_loss_on, *held_out),
    )  # fmt: skip
    problem = models.Problem(_network(config, inputs), inputs, signs(images.train_labels))
    return problem, look


def _loss_on(
    inputs: Float[Array, "samples ..."],
    targets: Float[Array, "samples"],
    problem: models.Problem,
    view: models.View,
) -> Float[Array, ""]:
    """Mean loss on held-out samples, without decay."""
    outputs = view.rho * view.predict(problem.network, inputs)
    return jnp.mean(problem.loss.per_sample(outputs, targets))


def _shaped(config: ScaledConfig, images: np.ndarray) -> np.ndarray:
    return images if config.convolutional else images.reshape(len(images), -1)


def _network(config: ScaledConfig, inputs: np.ndarray) -> models.Network:
    if not config.convolutional:
        widths = (inputs.shape[1], *config.hidden, 1)
        return models.mlp(widths, batch_norm=config.model == "batch_norm")
    made = {
        "sphere": models.documented.dyn_six_layers,
        "batch_norm": models.documented.m117_four_layers,
        "plain": models.documented.m112_four_layers,
    }[config.model]
    return made(inputs.shape[1:], 1)


def _normalisation(config: ScaledConfig) -> dynamics.normalisation.Normalisation:
    if config.model == "sphere":
        return dynamics.normalisation.sphere()
    if config.model == "plain":
        return dynamics.normalisation.free()
    step = config.learning_rate / (1 - config.momentum)
    return dynamics.normalisation.batch_norm(memory=BATCHES_REMEMBERED * step)


def _starts(
    config: ScaledConfig, network: models.Network, members: Mapping[str, np.ndarray]
) -> models.Polar | models.Weights:
    """Members of one seed have the same directions."""

    def start(key: Array, scale: Float[Array, ""]) -> models.Polar | models.Weights:
        if config.model == "sphere":
            return models.to_polar(network.init(key), scale)
        return tuple(scale * layer for layer in models.normalise(network.init(key)))

    keys = jax.vmap(jax.random.key)(jnp.asarray(members["seed"]))
    return jax.vmap(start)(keys, jnp.asarray(members["initial"], float))
