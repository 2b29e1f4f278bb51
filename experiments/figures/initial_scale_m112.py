"""[M112] Figs. 1-9: initial scales below batch norm, with weight decay and without.

Figs. 1-5, with decay, follow one quantity each: loss, rho, mean |f|, (sum y f / sum f^2) / rho and
the margins, f being the normalised network's output. The fourth should go to 1; where rho rests at
mu / (M + lambda) it is 1 + lambda / M (docs/theory.md, 2.5). Figs. 6-9, without decay, depend on
the start, and margins are flat only where the loss is zero: exactly so, since

    loss = (1 - rho mu)^2 + rho^2 sigma^2,

so that with rho at rest, at mu / M, the loss is sigma^2 / M.
"""

from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import PREDICTED, house_style
from .claims import Claim, above, below, within
from .drawing import series
from .initial_scale import (
    MEMORY,
    NOISE,
    SEEDS,
    Choice,
    against,
    at_end,
    largest_at_end,
    mean_at_end,
    mean_size,
    off_the_gap,
    off_the_line,
    predicted_ratio,
    printed_ratio,
    rho,
    starts_differ,
    train_loss,
    width,
)
from .initial_scale_panels import GAP, LOSS, RHO, Panel, finished, over_time, sorted_margins
from .initial_scale_presets import BATCH_NORM, FAST_BATCH_NORM, OUR_BATCH_NORM
from .reproduction import Reproduction

THREE, TWO = Choice(True, (0.1, 1.0, 5.0)), Choice(False, (0.1, 5.0))
SMALL, LARGE = Choice(False, (0.1,)), Choice(False, (5.0,))
WITH_DECAY = (
    "Document: four layers with batch norm (fully connected by its caption), two CIFAR10 classes, "
    "norm .1, 1 or 5, weight decay .01, batches of 128, rate .1, momentum .9, 1000 epochs. "
    + OUR_BATCH_NORM.rstrip(".") + ", the runs of [M117]."
)  # fmt: skip
WITHOUT = (
    "Document: four convolutional layers with batch norm, norm .1 or 5, no weight decay, rate .01. "
    + OUR_BATCH_NORM.rstrip(".") + ", the runs of [M117]."
)  # fmt: skip
SIZE = Panel("mean abs(f); dashed: 1 / rho", mean_size, lambda runs: 1 / runs.rho)
RATIO = Panel(
    "(sum y f / sum f^2) / rho; dashed: 1 + lambda / M", printed_ratio, predicted_ratio, log=False
)


def times_rho(datasets: Datasets) -> xr.DataArray:
    """Rho times mean |f| at the end, mean of the starts."""
    runs = THREE.of(datasets)
    return at_end(runs.rho * mean_size(runs)).mean("initial", skipna=False)


def ratio_over_predicted(datasets: Datasets) -> xr.DataArray:
    """The printed ratio over 1 + lambda / M at the end, mean of the starts."""
    runs = THREE.of(datasets)
    return at_end(printed_ratio(runs) / predicted_ratio(runs)).mean("initial", skipna=False)


def flatter_where_lower(datasets: Datasets) -> xr.DataArray:
    """Relative width of the margins of the start with the higher loss, over the other's."""
    runs = TWO.of(datasets)
    loss, spread = at_end(train_loss(runs)), at_end(width(runs))
    first, second = spread.isel(initial=0), spread.isel(initial=1)
    higher = loss.isel(initial=0) > loss.isel(initial=1)
    return xr.where(higher, first / second, second / first)


def share_of_spread(datasets: Datasets) -> xr.DataArray:
    """Rho^2 sigma^2 over the loss at the end, the least of the starts."""
    runs = TWO.of(datasets)
    share = at_end(runs.rho**2 * runs.sigma**2) / at_end(train_loss(runs))
    return share.min("initial", skipna=False)


def draw_sizes(config: Any, datasets: Datasets) -> Figure:
    """Histograms of |f| at the last look, one row for each start; dashed: 1 / rho."""
    runs = TWO.of(datasets).isel(time=-1)
    sizes = np.abs(runs.margins)
    bins = np.linspace(0, float(sizes.max()) * 1.02, 81)
    with house_style():
        figure, grid = plt.subplots(
            runs.sizes["initial"], 1, figsize=(5.6, 4.6), sharex=True, squeeze=False
        )
        for axes, (initial, colour) in zip(grid[:, 0], series(runs.initial).items(), strict=True):
            seen = sizes.sel(initial=initial).values.ravel()
            axes.hist(seen[np.isfinite(seen)], list(bins), color=colour)
            axes.axvline(float((1 / runs.rho.sel(initial=initial)).mean()), **PREDICTED)
            axes.set_title(f"from {initial:g}; dashed: 1 / rho")
            axes.set_ylabel("images")
        grid[-1, 0].set_xlabel("abs(f) of the normalised network, all seeds")
        return finished(figure, [], config)


def _figure(
    number: int, caption: str, draw: Any, claims: tuple[Claim, ...], decayed: bool
) -> Reproduction:
    return Reproduction(
        document=f"[M112] Fig. {number}",
        caption=caption,
        setup=WITH_DECAY if decayed else WITHOUT,
        study="initial_scale",
        presets=FAST_BATCH_NORM if decayed else BATCH_NORM,
        draw=draw,
        claims=claims,
    )


DECAYED_FIGURES = {
    "m112-1": _figure(
        1, "The loss from three initial scales below batch norm, with weight decay.",
        partial(over_time, (GAP,), (THREE,)),
        (
            Claim(
                "the training loss comes to the same value", "largest over smallest final loss",
                partial(starts_differ, THREE, train_loss), below(1.25), explanation=NOISE,
            ),
            Claim(
                "the loss comes to its gap 1 - rho_eq mu", "worst relative distance",
                partial(off_the_gap, THREE), below(0.05),
                explanation="The gap is small, and the loss exceeds it by (rho - rho_eq)^2 (M + "
                "lambda): SGD's noise at a constant rate moves rho and rho_eq by percents (5.8).",
            ),
        ), True,
    ),
    "m112-2": _figure(
        2, "rho from three initial scales below batch norm, with weight decay.",
        partial(over_time, (RHO,), (THREE,)),
        (
            Claim(
                "rho comes to the same value", "largest over smallest final rho",
                partial(starts_differ, THREE, rho), below(1.1), explanation=MEMORY,
            ),
            Claim(
                "that value is mu / (M + lambda)", "worst relative distance",
                partial(off_the_line, THREE), below(0.05),
            ),
        ), True,
    ),
    "m112-3": _figure(
        3, "Mean |f| of the normalised network from three initial scales, with weight decay.",
        partial(over_time, (SIZE,), (THREE,)),
        (
            Claim(
                "mean |f| comes to the same value", "largest over smallest at the end",
                partial(starts_differ, THREE, mean_size), below(1.1), explanation=MEMORY,
            ),
            Claim(
                "that value is 1 / rho", "rho times mean |f|", times_rho, within(0.95, 1.05),
            ),
        ), True,
    ),
    "m112-4": _figure(
        4, "(sum y f / sum f^2) / rho from three initial scales, with weight decay.",
        partial(over_time, (RATIO,), (THREE,)),
        (
            Claim(
                "as printed: the ratio goes to 1", "mean of the starts at the end",
                partial(mean_at_end, THREE, printed_ratio), within(0.98, 1.02),
            ),
            Claim(
                "as corrected: it goes to 1 + lambda / M", "the ratio over that",
                ratio_over_predicted, within(0.98, 1.02),
            ),
        ), True,
    ),
    "m112-5": _figure(
        5, "Training margins in increasing order from three initial scales, with weight decay.",
        partial(sorted_margins, (THREE,)),
        (
            Claim(
                "margins are flat", "standard deviation over mean, the largest of the starts",
                partial(largest_at_end, THREE, width), below(0.2),
            ),
        ), True,
    ),
}  # fmt: skip
FREE_FIGURES = {
    "m112-6": _figure(
        6, "The training loss from two initial scales below batch norm, without decay.",
        partial(over_time, (LOSS,), (TWO,)),
        (
            Claim(
                "the loss depends on the start", "larger over smaller final loss",
                partial(starts_differ, TWO, train_loss), above(1.5), explanation=NOISE,
            ),
        ), False,
    ),
    "m112-7": _figure(
        7, "rho from two initial scales below batch norm, without decay; the document's begins at "
        "0, with batch norm's scale folded in.",
        partial(over_time, (RHO,), (TWO,)),
        (
            Claim(
                "rho depends on the start", "larger over smaller final rho",
                partial(starts_differ, TWO, rho), above(1.5), explanation=SEEDS,
            ),
        ), False,
    ),
    "m112-8": _figure(
        8, "Training margins in increasing order from two initial scales, without decay.",
        partial(sorted_margins, (TWO,)),
        (
            Claim(
                "the start with the lower loss has the flatter margins",
                "relative width of the other's margins over its own", flatter_where_lower,
                above(1.0),
            ),
            Claim(
                "what is left of the loss is the width of the margins",
                "rho^2 sigma^2 over the loss, the least of the starts", share_of_spread,
                above(0.8), explanation=NOISE,
            ),
        ), False,
    ),
    "m112-9": _figure(
        9, "Histograms of |f| of the normalised network from two initial scales, without decay.",
        draw_sizes,
        (
            Claim(
                "mean |f| depends on the start", "that from .1 over that from 5",
                partial(against, SMALL, LARGE, mean_size), above(1.5), explanation=SEEDS,
            ),
            Claim(
                "each histogram is a peak", "standard deviation over mean margin, the larger",
                partial(largest_at_end, TWO, width), below(0.2),
            ),
        ), False,
    ),
}  # fmt: skip
FIGURES = DECAYED_FIGURES | FREE_FIGURES
