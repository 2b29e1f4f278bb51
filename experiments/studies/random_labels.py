"""Random labels: what do rho, margins and the test error do when labels mean less and less?

A share of the training labels is replaced by random ones (`data.noise`): a true label is among them
half of the time, so that of a share of 20 % a tenth ends up wrong, and of 100 % nothing is left to
learn. Larger shares contain smaller ones, and a seed draws directions and labels alike. The images
stay. Networks that fit more random labels need a larger rho, since their margins are smaller:
1/rho is the margin of a network that interpolates.

Members are every seed with every share, of one of the models in `scaled_models`, from one initial
scale under one lambda.

Source: [Dyn] Fig. 4; [M117] Figs. 11 and 13. [M117] section 8 prints that the margin "increases"
with random labels, and [Dyn] section 7 that the test error "decreases": both are misprints
(docs/theory.md, section 12).
"""

import functools
from dataclasses import dataclass, replace

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..data.noise import replace_labels
from ..errors import UsageError
from ..experiment import Datasets, Experiment, Part, Row, Session
from ..plotting import BLUE, RED, house_style
from .scaled_models import DOCUMENTED, SMALL, ScaledConfig, combined, images_of, signs, train
from .two_classes import ended

CLASSES = 2


@dataclass(frozen=True)
class RandomLabelsConfig(ScaledConfig):
    """Two classes of images, SGD on labels of which a share is random."""

    decay: tuple[float, ...] = (2e-5,)
    """Lambda, in the mean normalisation."""

    initial: float = 10.0
    """Scale of the start: rho of the sphere, else the norm of every matrix."""

    shares: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """Shares of the training labels that are replaced."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        super().__post_init__()
        if not self.initial > 0:
            raise UsageError(f"expected initial > 0, got {self.initial}: change --initial")
        if len(self.decay) != 1:
            raise UsageError(f"expected one lambda, got {self.decay}: change --decay")
        if max(self.shares) > 1:
            raise UsageError(f"expected shares in 0..1, got {self.shares}: change --shares")

    def _listed(self) -> tuple[str, ...]:
        return ("decay", "shares")


def parts(config: RandomLabelsConfig) -> dict[str, Part]:
    """SGD on all shares."""
    return {"sgd": functools.partial(_sgd, config)}


def _sgd(config: RandomLabelsConfig, session: Session) -> xr.Dataset:
    images = images_of(config)
    members = combined(
        seed=np.arange(config.seeds), share=config.shares, initial=(config.initial,),
        decay=config.decay,
    )  # fmt: skip
    labels = [
        replace_labels(images.train_labels, CLASSES, float(share), int(seed))
        for seed, share in zip(members["seed"], members["share"], strict=True)
    ]
    return train(config, images, members, session, np.stack([signs(own) for own in labels]))


def table(_: RandomLabelsConfig, datasets: Datasets) -> list[Row]:
    """One row per share of random labels; medians over the seeds."""
    data = datasets["sgd"]
    return [
        _row(float(share), data.where(data.share == share, drop=True))
        for share in np.unique(data.share)
    ]


def _row(share: float, group: xr.Dataset) -> Row:
    last = group.isel(time=-1)
    return {
        "random labels": f"{100 * share:.0f}%",
        "rho": f"{float(last.rho.median(skipna=False)):.3g}",
        "mu/(M+lambda)": f"{float(last.rho_eq.median(skipna=False)):.3g}",
        "1/rho": f"{float((1 / last.rho).median(skipna=False)):.4g}",
        "train loss": f"{float(last.unregularised_loss.median()):.2e}",
        "train err": f"{100 * float(last.train_error.mean()):.1f}%",
        "test err": f"{100 * float(last.test_error.mean()):.1f}%",
        "steps": f"{int(group.count_steps.median())}",
        "s/member": f"{float(group.seconds.mean()):.2f}",
        "ended": ended(group),
    }


def draw(_: RandomLabelsConfig, datasets: Datasets) -> Figure:
    """1/rho and the test error against the share."""
    last = datasets["sgd"].isel(time=-1)
    with house_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.8))
        left.plot(100 * last.share, 1 / last.rho, "o", color=BLUE)
        right.plot(100 * last.share, 100 * last.test_error, "o", color=RED)
        for axes, title in ((left, "1/rho"), (right, "test error, %")):
            axes.set_title(title)
            axes.set_xlabel("random labels, %")
        plt.close(figure)
    return figure


LAPTOP = RandomLabelsConfig()
TINY = replace(LAPTOP, **SMALL, shares=(0.0, 0.5, 1.0))
PAPER = replace(LAPTOP, **DOCUMENTED)

EXPERIMENT = Experiment(
    config=RandomLabelsConfig,
    presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
    parts=parts,
    table=table,
    draw=draw,
)
