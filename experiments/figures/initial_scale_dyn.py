"""[Dyn] Figs. 3, 5, 8, 10: what decay and the initial scale make of rho, margins and errors.

In the document layers are normalised to a fixed norm, the "initialisation", below one trained rho:
the function's scale at the start is the product of all, which here is rho at the start.

- Fig. 3: rho, loss and test error over time. With decay rho comes to mu / (M + lambda) wherever it
  started; without, it keeps what it began with where that was enough to interpolate.
- Fig. 5: 1/rho, the margin of an interpolating network, beside test accuracy. Regressions are over
  the starts' means (docs/theory.md, 9.9), which makes them a matter of four or five points.
- Fig. 8: the histogram of margins over the epochs, with decay, from one start.
- Fig. 10: sorted margins at the end.
"""

from functools import partial
from statistics import NormalDist
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import house_style
from .claims import Claim, above, below
from .initial_scale import (
    SEEDS,
    Choice,
    accuracy_follows,
    against,
    at_end,
    growth,
    largest_at_end,
    mean_accuracy_follows,
    mean_margin,
    narrowing_claims,
    off_the_gap,
    off_the_line,
    remembered,
    rho,
    starts_differ,
    still_moving,
    width,
)
from .initial_scale_panels import (
    LOSS,
    RHO,
    TEST_ERROR,
    finished,
    narrowing,
    over_time,
    scattered,
    share_of_run,
    sorted_margins,
)
from .initial_scale_presets import OUR_SPHERE, SPHERE
from .reproduction import Reproduction

DECAYED, FREE = Choice(True), Choice(False)
SMALL = Choice(True, (0.0,))  # the nearest there is


def normality(choice: Choice, datasets: Datasets) -> xr.DataArray:
    """Correlation of the sorted margins at the end with a normal law's quantiles; mean of starts.

    Of a hundred normal numbers it is above .97 in 99 of 100 cases (Shapiro and Francia).
    """
    margins = choice.of(datasets).margins.isel(time=-1).transpose(..., "sample")
    count = margins.sizes["sample"]
    ranks = (np.arange(1, count + 1) - 0.375) / (count + 0.25)
    quantiles = np.array([NormalDist().inv_cdf(rank) for rank in ranks])
    ordered = np.sort(margins.values, axis=-1)
    away = ordered - ordered.mean(axis=-1, keepdims=True)
    size = np.sqrt((away**2).sum(axis=-1) * (quantiles**2).sum())
    likeness = xr.DataArray((away * quantiles).sum(axis=-1) / size, dims=margins.dims[:-1])
    return likeness.mean("initial", skipna=False)


def smaller_without_decay(datasets: Datasets) -> xr.DataArray:
    """Mean margin without decay over that with decay from the same start; the largest."""
    without, with_decay = (at_end(choice.of(datasets).mu) for choice in (FREE, DECAYED))
    return (without / with_decay).max("initial", skipna=False)


def draw_accuracy(config: Any, datasets: Datasets) -> Figure:
    """1/rho beside mean test accuracy, with decay and without."""
    with house_style():
        figure, grid = plt.subplots(1, 2, figsize=(9.0, 4.2))
        for axes, choice in zip(grid, (DECAYED, FREE), strict=True):
            runs = choice.of(datasets)
            accuracy = 100 * (1 - at_end(runs.test_error))
            scattered(axes, runs, accuracy, at_end(1 / runs.rho))
            axes.set_title(f"lambda = {float(runs.decay):g}: one point for each initial rho")
            axes.set_xlabel("mean test accuracy, %")
        grid[0].set_ylabel("1 / rho")
        return finished(figure, [], config)


FIGURES = {
    "dyn-3": Reproduction(
        document="[Dyn] Fig. 3",
        caption="rho, training loss and test error from several initial scales, with decay and "
        "without.",
        setup="Document: six layers, CIFAR10 classes 1 and 2, lambda .001 or 0, SGD with momentum "
        ".9, batches of 128, 1000 epochs. " + OUR_SPHERE,
        study="initial_scale",
        presets=SPHERE,
        draw=partial(over_time, (RHO, LOSS, TEST_ERROR), (DECAYED, FREE)),
        claims=(
            Claim(
                "with decay, rho comes to rest at mu / (M + lambda)",
                "worst relative distance over the starts", partial(off_the_line, DECAYED),
                below(0.05), explanation="Some directions have not come to rest (1.7).",
            ),
            Claim(
                "with decay, the final rho depends less on the initial one",
                "log-spread of final rho with decay over that without",
                partial(remembered, rho), below(0.5),
            ),
            Claim(
                "rho reaches a plateau", "relative change over the last fifth",
                partial(still_moving, DECAYED), below(0.05),
            ),
            Claim(
                "from a small scale rho rises", "final over initial rho, with decay",
                partial(growth, SMALL), above(1.5),
            ),
        ),
    ),
    "dyn-5": Reproduction(
        document="[Dyn] Fig. 5",
        caption="1/rho, the margin of a network that interpolates, beside the mean test accuracy, "
        "one point for each initial scale; left with decay, right without.",
        setup="Document: lambda .001 and layers of norm .9 to 1.3 (left), lambda 0 and .8 to 1.5 "
        "(right), 10 runs each. " + OUR_SPHERE,
        study="initial_scale",
        presets=SPHERE,
        draw=draw_accuracy,
        claims=(
            Claim(
                "with decay, 1/rho and accuracy are anti-correlated",
                "correlation of the starts' means (document: -.97)",
                partial(mean_accuracy_follows, DECAYED), below(-0.5), exact=True,
                explanation="Five means whose accuracies differ by no more than their standard "
                "errors: they show a correlation of either sign by chance (9.9).",
            ),
            Claim(
                "with decay, they are so in each seed too",
                "correlation over the starts in one seed", partial(accuracy_follows, DECAYED),
                below(0.0), explanation=SEEDS,
            ),
            Claim(
                "without decay, 1/rho says nothing of accuracy",
                "squared correlation of the starts' means (document: .004)",
                lambda found: mean_accuracy_follows(FREE, found) ** 2, below(0.3), exact=True,
            ),
        ),
    ),
    "dyn-8": Reproduction(
        document="[Dyn] Fig. 8",
        caption="The histogram of margins over the epochs, and rho, with decay from the smallest "
        "initial scale.",
        setup="Document: six layers, lambda .001, layers of norm .9, rate .03. " + OUR_SPHERE,
        study="initial_scale",
        presets=SPHERE,
        draw=partial(narrowing, SMALL, share_of_run(0.0, 3e-3, 0.03, 0.1, 0.3, 1.0)),
        claims=(
            *narrowing_claims(SMALL),
            Claim(
                "rho rises to mu / (M + lambda)", "relative distance",
                partial(off_the_line, SMALL), below(0.05),
            ),
            Claim(
                "the loss comes to its gap 1 - rho_eq mu", "relative distance",
                partial(off_the_gap, SMALL), below(0.05),
            ),
        ),
    ),
    "dyn-10": Reproduction(
        document="[Dyn] Fig. 10",
        caption="Training margins in increasing order, at the end, from several initial scales; "
        "with decay and without.",
        setup="Document: layers of norm .8 to 1.5, lambda .001 or 0, batches of 128, 10 runs; with "
        "decay a standard deviation of 1e-4 around margins of .002 to .005. " + OUR_SPHERE,
        study="initial_scale",
        presets=SPHERE,
        draw=partial(sorted_margins, (DECAYED, FREE)),
        claims=(
            Claim(
                "with decay, the margins of a network are alike",
                "standard deviation over mean, the largest of the starts",
                partial(largest_at_end, DECAYED, width), below(0.2),
            ),
            Claim(
                "with decay, they look normally distributed",
                "correlation with a normal law's quantiles", partial(normality, DECAYED),
                above(0.97),
            ),
            Claim(
                "with decay, every start ends with the same margins",
                "largest over smallest mean margin", partial(starts_differ, DECAYED, mean_margin),
                below(1.1),
            ),
            Claim(
                "without decay, the starts end with a range of margins",
                "largest over smallest mean margin", partial(starts_differ, FREE, mean_margin),
                above(1.5),
            ),
            Claim(
                "without decay, margins are smaller",
                "over those with decay, the largest of the starts", smaller_without_decay,
                below(1.0),
            ),
            Claim(
                "without decay, the margins of a network hardly vary",
                "standard deviation over mean, over that with decay",
                partial(against, FREE, DECAYED, width), below(0.2),
            ),
        ),
    ),
}  # fmt: skip
