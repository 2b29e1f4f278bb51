"""[M117] Figs. 2, 14 and 15: rho and loss from several initial scales below batch norm.

Every matrix has Frobenius norm s at the start, and rho = |W_L| starts at s. With weight decay rho
should come to the same mu / (M + lambda) from every s; without, small ones grow and large ones
fall, and nothing makes them meet.

SGD's noise in W_L pushes rho above mu / (M + lambda) by (eta / 4) rho |V_L'|^2 / (M + lambda) and
more with momentum (docs/theory.md, 5.5 and 5.6), which is why the line is met to percents.
"""

from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import house_style
from .claims import Claim, above, below
from .initial_scale import (
    MEMORY,
    NOISE,
    SEEDS,
    Choice,
    against,
    at_end,
    growth,
    largest_rise,
    off_the_line,
    rho,
    starts_differ,
    still_moving,
    train_loss,
)
from .initial_scale_panels import LOSS, RHO, TEST_ERROR, Ends, curves, finished, over_time
from .initial_scale_presets import BATCH_NORM, OUR_BATCH_NORM
from .reproduction import Reproduction

PAIR, THREE = (0.01, 5.0), (0.01, 1.0, 5.0)
DOCUMENT = (
    "Document: three convolutions with batch norm, CIFAR10 classes 1 and 2, every matrix of norm "
    "{}, weight decay .01 or 0, rate .01, momentum .9, batches of 128, 1000 epochs. "
)
EPOCHS = (3, 30, None)
"""Up to which epoch each panel of Figs. 14 and 15 shows rho; None is the end."""


def zoomed(choice: Choice, config: Any, datasets: Datasets) -> Figure:
    """Rho over the first epochs, over more of them, and over all."""
    runs = choice.of(datasets)
    epoch = float(datasets["sgd"].attrs["steps_per_epoch"]) * config.learning_rate
    runs = runs.assign_coords(time=runs.time / epoch * (1 - config.momentum))
    with house_style():
        figure, grid = plt.subplots(1, len(EPOCHS), figsize=(11.0, 4.2), sharey=True)
        ends: Ends = []
        for axes, last in zip(grid, EPOCHS, strict=True):
            seen = runs.sel(time=slice(None, last))
            ends.append((axes, curves(axes, RHO, seen)))
            axes.set_xscale("linear")
            axes.set_xlabel("epochs")
            axes.set_title(f"first {last} epochs" if last else f"all {config.epochs} epochs")
        grid[0].set_ylabel(f"rho at lambda = {float(runs.decay):g}")
        grid[2].set_title(f"all {config.epochs}; dashed: mu / (M + lambda)")
        return finished(figure, ends, config)


def scatter_over_seeds(datasets: Datasets) -> float:
    """Relative standard deviation of rho over the seeds without decay: from 5 over from .01."""
    ends = at_end(Choice(False, PAIR).of(datasets).rho)
    relative = (ends.std("seed", ddof=1) / ends.mean("seed")).transpose("initial")
    small, large = relative.values
    return float(large / small)


def come_together(datasets: Datasets) -> Any:
    """Log-spread of rho over the starts at the end, over that at the start; with decay."""
    found = Choice(True, THREE).of(datasets).rho
    begun = np.log(found.isel(time=0).max("initial") / found.isel(time=0).min("initial"))
    return np.log(starts_differ(Choice(True, THREE), rho, datasets)) / begun


FIGURES = {
    "m117-2": Reproduction(
        document="[M117] Fig. 2",
        caption="rho, training loss and test error from a small and a large initial scale below "
        "batch norm, with weight decay and without.",
        setup=DOCUMENT.format(".01 or 5") + OUR_BATCH_NORM,
        study="initial_scale",
        presets=BATCH_NORM,
        draw=partial(
            over_time, (RHO, LOSS, TEST_ERROR), (Choice(True, PAIR), Choice(False, PAIR))
        ),
        claims=(
            Claim(
                "with decay, the final rho does not depend on the start",
                "larger over smaller rho", partial(starts_differ, Choice(True, PAIR), rho),
                below(1.1),
                explanation=MEMORY,
            ),
            Claim(
                "with decay, the final training loss does not depend on the start",
                "larger over smaller loss", partial(starts_differ, Choice(True, PAIR), train_loss),
                below(1.25), explanation=NOISE,
            ),
            Claim(
                "without decay, rho grows from the small start", "final over initial rho",
                partial(growth, Choice(False, (0.01,))), above(2.0),
            ),
            Claim(
                "without decay, rho falls from the large start", "final over initial rho",
                partial(growth, Choice(False, (5.0,))), below(0.9),
            ),
            Claim(
                "without decay, it falls monotonically",
                "largest rise above what it had fallen to, relative",
                partial(largest_rise, Choice(False, (5.0,))), below(0.01),
                explanation="rho follows mu / M, which falls while the training set is learned "
                "and rises as its margins gather and shrink: nothing makes it monotone (2.12).",
            ),
            Claim(
                "without decay, the small start reaches the lower training loss",
                "its loss over that of the large start",
                partial(against, Choice(False, (0.01,)), Choice(False, (5.0,)), train_loss),
                below(1.0),
            ),
        ),
    ),
    "m117-14": Reproduction(
        document="[M117] Fig. 14",
        caption="rho over the first 3, the first 30 and all epochs, from three initial scales "
        "below batch norm with weight decay.",
        setup=DOCUMENT.format(".01, 1 or 5") + OUR_BATCH_NORM,
        study="initial_scale",
        presets=BATCH_NORM,
        draw=partial(zoomed, Choice(True, THREE)),
        claims=(
            Claim(
                "rho comes to a common asymptote", "largest over smallest final rho",
                partial(starts_differ, Choice(True, THREE), rho), below(1.1), explanation=MEMORY,
            ),
            Claim(
                "the starts come together", "log-spread of rho at the end over that at the start",
                come_together, below(0.1),
            ),
            Claim(
                "the asymptote is mu / (M + lambda)", "worst relative distance of the starts",
                partial(off_the_line, Choice(True, THREE)), below(0.05),
            ),
        ),
    ),
    "m117-15": Reproduction(
        document="[M117] Fig. 15",
        caption="rho over the first 3, the first 30 and all epochs, from three initial scales "
        "below batch norm without weight decay.",
        setup=DOCUMENT.format(".01, 1 or 5") + OUR_BATCH_NORM,
        study="initial_scale",
        presets=BATCH_NORM,
        draw=partial(zoomed, Choice(False, THREE)),
        claims=(
            Claim(
                "rho comes to no common asymptote", "largest over smallest final rho",
                partial(starts_differ, Choice(False, THREE), rho), above(1.5), explanation=SEEDS,
            ),
            Claim(
                "rho is unstable: it does not come to rest",
                "relative change over the last fifth, the worst start",
                partial(still_moving, Choice(False, THREE)), above(0.05),
                explanation="On 200 images the loss is nearly gone by then, and with it what "
                "moves rho (2.1).",
            ),
            Claim(
                "from 5 the seeds are spread far apart",
                "relative standard deviation of rho over the seeds, from 5 over from .01",
                scatter_over_seeds, above(2.0), exact=True,
            ),
        ),
    ),
}  # fmt: skip
