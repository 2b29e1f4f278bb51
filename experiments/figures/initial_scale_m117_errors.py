"""[M117] Figs. 12, 16 and 17: what the initial scale makes of training and test errors.

Below batch norm, from seven scales. With weight decay the small start should be the best and the
fastest, and 1/rho should go against accuracy; without decay large starts should do much worse.
Images differ from the document's, so that its numbers (93.71 % on CIFAR10) are not asked for.
"""

from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import house_style
from .claims import Claim, above, below
from .initial_scale import (
    NOISE,
    SEEDS,
    Choice,
    accuracy_follows,
    against,
    at_end,
    mean_accuracy_follows,
    test_error,
    train_loss,
)
from .initial_scale_m117 import DOCUMENT
from .initial_scale_panels import (
    LOSS,
    TEST_ERROR,
    TEST_LOSS,
    TRAIN_ERROR,
    finished,
    over_time,
    scattered,
)
from .initial_scale_presets import BATCH_NORM, OUR_BATCH_NORM
from .reproduction import Reproduction

DECAYED = Choice(True)
SMALL, LARGE, THREE = (0.01,), (5.0,), (0.01, 1.0, 5.0)
LEARNED = 0.05
"""A training error of so much counts as learned."""


def behind_the_best(datasets: Datasets) -> xr.DataArray:
    """Test error from the smallest scale minus the least of the others, with decay."""
    small, others = _small_and_others(at_end(DECAYED.of(datasets).test_error))
    return small - others.min("initial", skipna=False)


def small_scatter(datasets: Datasets) -> float:
    """Standard deviation of the test error over seeds, from the smallest scale over the others'.

    The others' is the median of theirs.
    """
    errors = at_end(DECAYED.of(datasets).test_error)
    small, others = _small_and_others(errors.std("seed", ddof=1))
    return float(small / others.median("initial"))


def learns_late(datasets: Datasets) -> xr.DataArray:
    """When the smallest scale has learned the training set, over when the fastest other has."""
    runs = DECAYED.of(datasets)
    learned = runs.time.where(runs.train_error <= LEARNED).min("time")
    small, others = _small_and_others(learned)
    return small / others.min("initial")


def _small_and_others(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    order = values.sortby("initial")
    return order.isel(initial=0), order.isel(initial=slice(1, None))


def draw_accuracy(config: Any, datasets: Datasets) -> Figure:
    """1/rho beside the mean test accuracy, with decay."""
    runs = DECAYED.of(datasets)
    with house_style():
        figure, axes = plt.subplots(figsize=(5.4, 4.2))
        accuracy = 100 * (1 - at_end(runs.test_error))
        scattered(axes, runs, accuracy, at_end(1 / runs.rho))
        axes.set_title(f"lambda = {float(runs.decay):g}: one point for each initial scale")
        axes.set_xlabel("mean test accuracy, %")
        axes.set_ylabel("1 / rho")
        return finished(figure, [], config)


def more_error(datasets: Datasets) -> xr.DataArray:
    """Test error from 5 minus that from .01, without decay, in percentage points."""
    large, small = (
        at_end(Choice(False, scale).of(datasets).test_error).isel(initial=0)
        for scale in (LARGE, SMALL)
    )
    return 100 * (large - small)


FIGURES = {
    "m117-12": Reproduction(
        document="[M117] Fig. 12",
        caption="1/rho beside the mean test accuracy, one point for each of seven initial scales, "
        "with weight decay.",
        setup=DOCUMENT.format(".01 to 10") + OUR_BATCH_NORM,
        study="initial_scale",
        presets=BATCH_NORM,
        draw=draw_accuracy,
        claims=(
            Claim(
                "small differences of 1/rho are anti-correlated with accuracy",
                "correlation of the starts' means", partial(mean_accuracy_follows, DECAYED),
                below(-0.5), exact=True,
                explanation="Seven means whose accuracies differ by no more than their standard "
                "errors: they show a correlation of either sign by chance (9.9).",
            ),
            Claim(
                "they are so in each seed too", "correlation over the starts in one seed",
                partial(accuracy_follows, DECAYED), below(0.0), explanation=SEEDS,
            ),
        ),
    ),
    "m117-16": Reproduction(
        document="[M117] Fig. 16",
        caption="Training and test loss, training and test error from three initial scales below "
        "batch norm with weight decay.",
        setup=DOCUMENT.format(".01, 1 or 5") + OUR_BATCH_NORM,
        study="initial_scale",
        presets=BATCH_NORM,
        draw=partial(over_time, (LOSS, TEST_LOSS, TRAIN_ERROR, TEST_ERROR), (Choice(True, THREE),)),
        claims=(
            Claim(
                "the start at .01 has the best test accuracy",
                "its test error minus the least of the other starts", behind_the_best, below(0.0),
                explanation="On digits the starts differ by less than the seeds do.",
            ),
            Claim(
                "its accuracy scatters less over the seeds",
                "standard deviation over the median of the other starts'", small_scatter,
                below(1.0), exact=True,
            ),
            Claim(
                "it learns fastest",
                "time to 5 % training error over that of the fastest other start", learns_late,
                below(1.0), explanation=SEEDS,
            ),
        ),
    ),
    "m117-17": Reproduction(
        document="[M117] Fig. 17",
        caption="Training and test loss, training and test error from three initial scales below "
        "batch norm without weight decay.",
        setup=DOCUMENT.format(".01, 1 or 5") + OUR_BATCH_NORM,
        study="initial_scale",
        presets=BATCH_NORM,
        draw=partial(
            over_time, (LOSS, TEST_LOSS, TRAIN_ERROR, TEST_ERROR), (Choice(False, THREE),)
        ),
        claims=(
            Claim(
                "a large start tests much worse",
                "test error from 5 minus that from .01, percentage points", more_error, above(1.0),
                explanation="On digits every start tests alike. A large norm slows directions by "
                "|w|^2 (4.6, 4.7), which costs time here and no test error.",
            ),
            Claim(
                "a large start trains worse", "training loss from 5 over that from .01",
                partial(
                    against, Choice(False, LARGE), Choice(False, SMALL), train_loss
                ), above(2.0), explanation=NOISE,
            ),
            Claim(
                "with decay a large start does better than without",
                "test error from 5 with decay over that without",
                partial(against, Choice(True, LARGE), Choice(False, LARGE), test_error),
                below(1.0), explanation=SEEDS,
            ),
        ),
    ),
}  # fmt: skip
