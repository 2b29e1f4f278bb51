"""[Dyn] sections 6 and 7: what lowers rank, and what test error follows.

Section 6 expects the rank of layers to fall with larger lambda, larger learning rates and smaller
batches; its Lemma 8 puts it at two or less. In corrected form (theory, 6.3) rest on *all* batches
means rank one, and takes inputs that are all parallel, so that with images the bias to low rank is
a matter of degree. We measure the hidden layers' mean stable rank, which is one at rank one.

Section 7 expects margin and rank *together* to explain the test error, and sharpness not. Over all
lambdas, rates and batch sizes of a seed we fit the test error by straight lines in the logarithms
of the mean margin mu and of the stable rank, and in that of the sharpness, and compare the shares
of variance that they explain.
"""

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import GREY, PREDICTED, house_style
from ..studies.rank import LAPTOP, PAPER, TINY, hidden_rank
from .claims import Claim, above, below
from .drawing import SERIES, source_below
from .measures import cube
from .reproduction import Reproduction

MEMBERS = ("seed", "decay", "learning_rate")
FACTORS = {"decay": "lambda", "learning_rate": "learning rate", "batch": "batch size"}


def ends(datasets: Datasets) -> xr.Dataset:
    """All members at the last look: ``[seed, decay, learning_rate, batch]``, with ``rank``."""
    found = []
    for key, data in datasets.items():
        last = data.isel(time=-1).assign(rank=hidden_rank(data.isel(time=-1)))
        one = cube(last.drop_vars("time"), *MEMBERS)
        found.append(one.assign_coords(batch=int(key.removeprefix("batch-"))))
    return xr.concat(found, "batch", coords="minimal", compat="override").sortby("batch")


def draw_rank(config: Any, datasets: Datasets) -> Figure:
    """The stable rank against lambda, rate and batch size, in each panel the mean of the others."""
    rank = ends(datasets)["rank"]
    with house_style():
        figure, panels = plt.subplots(1, 3, figsize=(9.6, 3.4), sharey=True)
        for number, (axes, (factor, title)) in enumerate(zip(panels, FACTORS.items(), strict=True)):
            over = [other for other in FACTORS if other != factor]
            _draw_factor(axes, rank.mean(over), factor, SERIES[number])
            axes.set_xlabel(title)
            axes.axhline(1.0, **PREDICTED)
        panels[0].set_title("stable rank of hidden layers; dashed: one", fontsize=9.5)
        source_below(figure, _source(config))
        plt.close(figure)
    return figure


def _draw_factor(axes: Axes, rank: xr.DataArray, factor: str, colour: str) -> None:
    """Every seed's line in thin print, and their mean."""
    for seed in rank.seed:
        axes.plot(rank[factor], rank.sel(seed=seed), color=colour, linewidth=0.6, alpha=0.6)
    axes.plot(rank[factor], rank.mean("seed"), "o-", color=colour)
    axes.set_xscale("log")
    axes.set_xticks(rank[factor].values, [f"{value:g}" for value in rank[factor].values])
    axes.minorticks_off()


def _source(config: Any) -> str:
    data = config.data
    return f"{data.name} {data.classes}, {data.train} images, {config.seeds} seeds"


def draw_explained(config: Any, datasets: Datasets) -> Figure:
    """The test error against mean margin, rank and sharpness, one point for each setting."""
    found = ends(datasets)
    titles = {"mu": "mean margin mu", "rank": "stable rank", "sharpness": "sharpness"}
    with house_style():
        figure, panels = plt.subplots(1, 3, figsize=(9.6, 3.6), sharey=True)
        for axes, (variable, title) in zip(panels, titles.items(), strict=True):
            _scatter(axes, found, variable)
            share = float(np.mean(explained(variable)(datasets)))
            axes.set_title(f"R2 alone = {share:.2f}", fontsize=9.5)
            axes.set_xlabel(title)
        panels[0].set_ylabel("test error, %")
        panels[0].legend(fontsize=7.5, labelcolor="linecolor", handletextpad=0.1)
        both = float(np.mean(explained("mu", "rank")(datasets)))
        note = (
            f"each point: one lambda, rate and batch size; margin and rank together R2 = {both:.2f}"
        )
        source_below(figure, f"{note}; {_source(config)}")
        plt.close(figure)
    return figure


def _scatter(axes: Axes, found: xr.Dataset, variable: str) -> None:
    """Means over the seeds; colours are lambdas, sizes of points batch sizes."""
    mean = found.mean("seed")
    for number, decay in enumerate(mean.decay.values):
        for place, batch in enumerate(mean.batch.values):
            own = mean.sel(decay=decay, batch=batch)
            label = f"lambda = {decay:g}" if place == 0 else None
            axes.plot(
                own[variable], 100 * own.test_error, "osD^"[number % 4], color=SERIES[number],
                markersize=3 + 1.5 * place, alpha=0.8, label=label, markeredgecolor=GREY,
                markeredgewidth=0.4,
            )  # fmt: skip


def extremes(factor: str, *, reverse: bool = False) -> Callable[[Datasets], xr.DataArray]:
    """A measure: the rank at a factor's largest value over that at its smallest.

    Args:
        factor: A key of `FACTORS`; the mean is taken over the others.
        reverse: Whether to divide the other way round.
    """

    def measure(datasets: Datasets) -> xr.DataArray:
        over = [other for other in FACTORS if other != factor]
        rank = ends(datasets)["rank"].mean(over, skipna=False)
        first, last = rank.isel({factor: 0}), rank.isel({factor: -1})
        return first / last if reverse else last / first

    return measure


def lowest(datasets: Datasets) -> xr.DataArray:
    """The rank with the largest lambda, the largest rate and the smallest batch."""
    return ends(datasets)["rank"].isel(decay=-1, learning_rate=-1, batch=0)


def explained(*variables: str) -> Callable[[Datasets], np.ndarray]:
    """A measure: the share of the test error's variance that logarithms of variables explain.

    Adjusted for the number of variables.
    """

    def measure(datasets: Datasets) -> np.ndarray:
        found = ends(datasets).stack(setting=tuple(FACTORS))
        shares = [_fit(found.sel(seed=seed), variables)[0] for seed in found.seed]
        return np.array(shares)

    return measure


def effect_of_rank(datasets: Datasets) -> np.ndarray:
    """How much the test error rises per unit of log rank at equal margin."""
    found = ends(datasets).stack(setting=tuple(FACTORS))
    return np.array([_fit(found.sel(seed=seed), ("mu", "rank"))[1][2] for seed in found.seed])


def _fit(one: xr.Dataset, variables: Sequence[str]) -> tuple[float, np.ndarray]:
    """Adjusted R2 of one seed, and the coefficients; NaN where a run failed or nothing varies."""
    columns = [np.log(one[variable].values) for variable in variables]
    error = one.test_error.values
    design = np.stack([np.ones_like(error), *columns], axis=1)
    if not np.all(np.isfinite(design)) or not np.ptp(error) > 0:
        return float("nan"), np.full(1 + len(columns), np.nan)
    slopes = np.linalg.lstsq(design, error, rcond=None)[0]
    rest = error - design @ slopes
    unexplained = (rest @ rest) / max(len(error) - 1 - len(columns), 1)
    return float(1 - unexplained / np.var(error, ddof=1)), slopes


def advantage(datasets: Datasets) -> np.ndarray:
    """What margin and rank explain together beyond what sharpness does."""
    return explained("mu", "rank")(datasets) - explained("sharpness")(datasets)


def added_by_rank(datasets: Datasets) -> np.ndarray:
    """What margin and rank explain together beyond what the margin does alone."""
    return explained("mu", "rank")(datasets) - explained("mu")(datasets)


TOGETHER = "adjusted R2 of the test error on log mu and log stable rank"
SETUP = (
    "Here: digits 3 and 8, 100 images, an MLP with two hidden layers of 32 units and one output, "
    "unit layers under one rho from 10, SGD with momentum .9; lambda 1e-4, 1e-3, 1e-2, rates .005 "
    "and .02, batches of 2, 8 and 50, all for the same time."
)
LEMMA = (
    "Rest on every batch would mean rank one and parallel inputs (6.3): with images the bias is a "
    "matter of degree. The mean falls, by about as much as the range asks."
)
PRESETS = {"tiny": TINY, "laptop": LAPTOP, "paper": PAPER}

FIGURES = {
    "x-rank": Reproduction(
        document="[Dyn] section 6",
        caption="The hidden layers' stable rank against lambda, learning rate and batch size.",
        setup=f"Document: predictions without a figure. {SETUP}",
        study="rank",
        presets=PRESETS,
        draw=draw_rank,
        claims=(
            Claim(
                "the larger lambda, the lower the rank",
                "stable rank at the largest lambda over that at the smallest", extremes("decay"),
                below(0.95), explanation=LEMMA,
            ),
            Claim(
                "the larger the learning rate, the lower the rank",
                "stable rank at the largest rate over that at the smallest",
                extremes("learning_rate"), below(0.98), explanation=LEMMA,
            ),
            Claim(
                "the smaller the batch, the lower the rank",
                "stable rank at the smallest batch over that at the largest",
                extremes("batch", reverse=True), below(0.98), explanation=LEMMA,
            ),
            Claim(
                "layers end at rank two or less (Lemma 8)",
                "stable rank with largest lambda and rate, smallest batch", lowest, below(2.0),
            ),
            Claim(
                "corrected: they stay above rank one, since inputs are not parallel",
                "the same stable rank", lowest, above(1.1),
            ),
        ),
    ),
    "x-margin-and-rank": Reproduction(
        document="[Dyn] section 7",
        caption="Test error against mean margin, stable rank and sharpness, over all settings.",
        setup=f"Document: a prediction without a figure. {SETUP} Sharpness is the top eigenvalue "
        "of the objective's Hessian in polar coordinates.",
        study="rank",
        presets=PRESETS,
        draw=draw_explained,
        claims=(
            Claim(
                "margin and rank together explain the test error", TOGETHER,
                explained("mu", "rank"), above(0.5),
                explanation="Seeds differ: a few noisy settings carry most of the variance.",
            ),
            Claim(
                "sharpness does not explain it", "adjusted R2 on log sharpness",
                explained("sharpness"), below(0.3),
            ),
            Claim(
                "margin and rank explain more than sharpness", "difference of adjusted R2",
                advantage, above(0.1),
            ),
            Claim(
                "rank adds to what the margin explains",
                "adjusted R2 of both less that of the margin alone", added_by_rank, above(0.05),
            ),
            Claim(
                "at equal margin, the lower the rank, the lower the test error",
                "rise of the test error per unit of log stable rank", effect_of_rank, above(0.0),
                afterwards="the claim was added",
                explanation="Here low rank comes with noise: the smallest batches at the largest "
                "rate lower the rank and leave errors (6.6). That rank helps is a heuristic (6.7).",
            ),
        ),
    ),
}  # fmt: skip
