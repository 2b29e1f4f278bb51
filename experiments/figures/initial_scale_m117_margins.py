"""[M117] Figs. 3, 4 and 5: training margins below batch norm, sorted and as histograms.

With weight decay the margins of all starts should lie in one narrow band, whose width is that of
the gap: at rest the loss is S - rho_eq mu (docs/theory.md, 2.5), which cannot fall below lambda's
share. Without decay the mean margin is what the start made it, 1/rho of an interpolating network.
"""

from functools import partial
from typing import Any

import xarray as xr

from ..experiment import Datasets
from .claims import Claim, above, below
from .initial_scale import (
    MEMORY,
    SEEDS,
    Choice,
    against,
    largest_fall,
    mean_at_end,
    mean_margin,
    narrowing_claims,
    starts_differ,
    still_moving,
    width,
)
from .initial_scale_m117 import DOCUMENT
from .initial_scale_panels import narrowing, share_of_run, sorted_margins
from .initial_scale_presets import BATCH_NORM, OUR_BATCH_NORM
from .reproduction import Reproduction

DECAYED, FREE, SMALL = Choice(True), Choice(False), Choice(True, (0.1,))
ITERATIONS = 1000
ROUNDING = 1.0001


def _steps(*counts: int) -> Any:
    return partial(_times, counts)


def _times(counts: tuple[int, ...], config: Any) -> list[float]:
    return [count * config.learning_rate / (1 - config.momentum) for count in counts]


def first_iterations(count: float, datasets: Datasets) -> xr.Dataset:
    """What was seen until so many steps had been taken."""
    data = datasets["sgd"]
    step = float(data.time[-1]) / float(data.count_steps.max())
    return data.sel(time=slice(None, count * step * ROUNDING))


def narrowed_early(datasets: Datasets) -> xr.DataArray:
    """Relative width after 1000 iterations over that after 100; from .1, with decay."""
    later, before = (
        width(SMALL.of({"sgd": first_iterations(count, datasets)})).isel(initial=0, time=-1)
        for count in (ITERATIONS, ITERATIONS / 10)
    )
    return later.drop_vars("time") / before.drop_vars("time")


def fall_early(datasets: Datasets) -> xr.DataArray:
    """Largest fall of rho below what it had reached, relative, within 1000 iterations."""
    return largest_fall(SMALL, {"sgd": first_iterations(ITERATIONS, datasets)})


FIGURES = {
    "m117-3": Reproduction(
        document="[M117] Fig. 3",
        caption="Training margins in increasing order, at the end, from seven initial scales below "
        "batch norm; with weight decay and without.",
        setup=DOCUMENT.format(".01 to 10") + OUR_BATCH_NORM,
        study="initial_scale",
        presets=BATCH_NORM,
        draw=partial(sorted_margins, (DECAYED, FREE)),
        claims=(
            Claim(
                "with decay, all starts end in the same band", "largest over smallest mean margin",
                partial(starts_differ, DECAYED, mean_margin), below(1.1),
                explanation=MEMORY,
            ),
            Claim(
                "with decay, the band is narrow",
                "standard deviation over mean margin, mean of the starts",
                partial(mean_at_end, DECAYED, width), below(0.2),
            ),
            Claim(
                "without decay, the band depends on the start",
                "largest over smallest mean margin", partial(starts_differ, FREE, mean_margin),
                above(1.5),
            ),
            Claim(
                "without decay, bands are wider",
                "standard deviation over mean margin, over that with decay",
                partial(against, FREE, DECAYED, width), above(1.0),
                explanation="Without decay networks interpolate, and margins at zero loss are "
                "flat; with it loss and width stop at the gap (2.5). What is wide without decay "
                "is the range over the starts.",
            ),
        ),
    ),
    "m117-4": Reproduction(
        document="[M117] Fig. 4",
        caption="The histogram of training margins over the run, and rho, from norm .1 with "
        "weight decay.",
        setup=DOCUMENT.format(".1") + OUR_BATCH_NORM,
        study="initial_scale",
        presets=BATCH_NORM,
        draw=partial(narrowing, SMALL, share_of_run(0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)),
        claims=(
            *narrowing_claims(SMALL),
            Claim(
                "rho comes to rest", "relative change over the last fifth",
                partial(still_moving, SMALL), below(0.1), explanation=SEEDS,
            ),
        ),
    ),
    "m117-5": Reproduction(
        document="[M117] Fig. 5",
        caption="The same over the first 1000 iterations.",
        setup=DOCUMENT.format(".1") + OUR_BATCH_NORM,
        study="initial_scale",
        presets=BATCH_NORM,
        draw=partial(narrowing, SMALL, _steps(0, 10, 30, 100, 300, 1000)),
        claims=(
            Claim(
                "the histogram narrows from the first iterations on",
                "standard deviation over mean after 1000 iterations, over that after 100",
                narrowed_early, below(0.7),
            ),
            Claim(
                "rho grows monotonically meanwhile",
                "largest fall below what it had reached, relative", fall_early, below(0.01),
                explanation="rho may fall on the way, where it is above mu / (M + lambda) (2.12), "
                "and with SGD's noise (5.8).",
            ),
        ),
    ),
}  # fmt: skip
