"""[M112] Figs. 10-12: free weights without batch norm and without decay remember their start.

rho = prod_k |W_k|, s^L at the start. Gradient flow changes every |W_k|^2 at the same rate and keeps
their differences (docs/theory.md, 3.4); from a large scale the loss is gone before rho has moved,
and rho stays; from a small one rho must grow until rho mu = 1 can hold. Margins end at 1 / rho.
"""

from functools import partial

import xarray as xr

from ..experiment import Datasets
from .claims import Claim, above, within
from .initial_scale import Choice, at_end, growth, mean_margin, rho, starts_differ, train_loss
from .initial_scale_panels import LOSS, RHO, over_time, sorted_margins
from .initial_scale_presets import OUR_PLAIN, PLAIN
from .measures import spread
from .reproduction import Reproduction

ALL = Choice(False)
FITTED = 0.01
SMALLEST, LARGEST = Choice(False, (0.0,)), Choice(False, (1e9,))  # the nearest there are
SETUP = (
    "Document: four layers (convolutional by the title, fully connected by the caption), no batch "
    "norm, no weight decay, norm 5, 15 or 30, rate .1. " + OUR_PLAIN
)


def fitting_times(datasets: Datasets) -> xr.DataArray:
    """Longest over shortest time until the training loss is `FITTED`, over the starts.

    Final losses are round-off and say nothing. Who never fits counts with the run's length.
    """
    runs = ALL.of(datasets).isel(time=slice(1, None))
    times = runs.time.where(train_loss(runs) <= FITTED).min("time").fillna(runs.time[-1])
    return spread(times.where(runs.rho.isel(time=-1).notnull()), "initial")


def interpolation(datasets: Datasets) -> xr.DataArray:
    """Rho mu at the end, mean of the starts."""
    runs = ALL.of(datasets)
    return at_end(runs.rho * runs.mu).mean("initial", skipna=False)


FIGURES = {
    "m112-10": Reproduction(
        document="[M112] Fig. 10",
        caption="The training loss from three initial scales, free weights without decay.",
        setup=SETUP,
        study="initial_scale",
        presets=PLAIN,
        draw=partial(over_time, (LOSS,), (ALL,)),
        claims=(
            Claim(
                "the loss depends strongly on the start",
                "longest over shortest time to a loss of .01", fitting_times, above(2.0),
            ),
        ),
    ),
    "m112-11": Reproduction(
        document="[M112] Fig. 11",
        caption="rho from three initial scales, free weights without decay.",
        setup=SETUP,
        study="initial_scale",
        presets=PLAIN,
        draw=partial(over_time, (RHO,), (ALL,)),
        claims=(
            Claim(
                "the final rho depends strongly on the start", "largest over smallest final rho",
                partial(starts_differ, ALL, rho), above(10.0),
            ),
            Claim(
                "from the largest scale rho hardly moves", "final over initial rho",
                partial(growth, LARGEST), within(0.8, 1.25),
            ),
            Claim(
                "from the smallest scale rho grows", "final over initial rho",
                partial(growth, SMALLEST), above(2.0),
            ),
        ),
    ),
    "m112-12": Reproduction(
        document="[M112] Fig. 12",
        caption="Training margins in increasing order from three initial scales, free weights "
        "without decay.",
        setup=SETUP,
        study="initial_scale",
        presets=PLAIN,
        draw=partial(sorted_margins, (ALL,)),
        claims=(
            Claim(
                "margins depend strongly on the start", "largest over smallest mean margin",
                partial(starts_differ, ALL, mean_margin), above(10.0),
            ),
            Claim(
                "every start interpolates: margins are 1 / rho", "rho mu, mean of the starts",
                interpolation, within(0.95, 1.05),
            ),
        ),
    ),
}  # fmt: skip
