"""What figures of the initial scale measure: which runs, which quantity, and how starts differ.

A measure is made of a *choice* of runs, with decay or without and from which scales, and of a
*quantity* of these runs over time; ``functools.partial`` binds both, so that what is left takes a
run's datasets and gives one number per seed. "At the end" is the mean over the last tenth of the
time, since SGD at a constant rate never stands still.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..experiment import Datasets
from .claims import Claim, below
from .measures import correlation, cube, last_change, spread

MEMORY = (
    "rho is on its line, but directions, and with them mu and M, remember the start: a large norm "
    "slows them by |w|^2 until decay has shrunk it (4.6, 4.7)."
)
NOISE = (
    "The loss is small, and SGD's noise at a constant rate moves it by its own size (5.8): more "
    "seeds would decide it."
)
SEEDS = "Seeds scatter by more than what is asked for: more of them would decide it."
"""Why claims stay open."""

Quantity = Callable[[xr.Dataset], xr.DataArray]
"""Of runs, along their time."""


class Choice(NamedTuple):
    """Which runs.

    Attributes:
        decayed: Those with the largest lambda, else those without decay.
        initial: Scales of the start, the nearest ones that there are; all unless given.
    """

    decayed: bool
    initial: tuple[float, ...] | None = None

    def of(self, datasets: Datasets) -> xr.Dataset:
        """The runs, with ``seed``, ``initial`` and ``time``."""
        found = cube(datasets["sgd"], "seed", "initial", "decay")
        decay = found.decay.max() if self.decayed else found.decay.min()
        found = found.sel(decay=decay)
        if self.initial is None:
            return found
        return found.sel(initial=list(self.initial), method="nearest")


def rho(runs: xr.Dataset) -> xr.DataArray:
    """The radius."""
    return runs.rho


def train_loss(runs: xr.Dataset) -> xr.DataArray:
    """Mean square of the residuals, without decay."""
    return runs.unregularised_loss


def test_loss(runs: xr.Dataset) -> xr.DataArray:
    """The same on held-out images."""
    return runs.test_loss


def test_error(runs: xr.Dataset) -> xr.DataArray:
    """Share of held-out images that are classified wrongly."""
    return runs.test_error


def mean_margin(runs: xr.Dataset) -> xr.DataArray:
    """The mean margin, mu."""
    return runs.mu


def mean_size(runs: xr.Dataset) -> xr.DataArray:
    """Mean |f| of the normalised outputs; |f_n| is |fbar_n|."""
    return abs(runs.margins).mean("sample")


def width(runs: xr.Dataset) -> xr.DataArray:
    """Standard deviation of the margins over their mean, without sign."""
    return runs.sigma / abs(runs.mu)


def printed_ratio(runs: xr.Dataset) -> xr.DataArray:
    """(sum y f / sum f^2) / rho of the normalised outputs, which is (mu / M) / rho."""
    return runs.mu / _second_moment(runs) / runs.rho


def predicted_ratio(runs: xr.Dataset) -> xr.DataArray:
    """What `printed_ratio` is where rho rests at mu / (M + lambda): 1 + lambda / M."""
    return 1 + runs.decay / _second_moment(runs)


def _second_moment(runs: xr.Dataset) -> xr.DataArray:
    return runs.mu**2 + runs.sigma**2


def last(values: xr.DataArray, share: float = 0.1) -> xr.DataArray:
    """The last share of the time."""
    return values.sel(time=slice(float(values.time[-1]) * (1 - share), None))


def at_end(values: xr.DataArray) -> xr.DataArray:
    """The mean over the last tenth of the time."""
    return last(values).mean("time", skipna=False)


def starts_differ(choice: Choice, quantity: Quantity, datasets: Datasets) -> xr.DataArray:
    """The largest over the smallest at the end, over the starts."""
    return spread(at_end(quantity(choice.of(datasets))), "initial")


def remembered(quantity: Quantity, datasets: Datasets) -> xr.DataArray:
    """Log-spread over the starts with decay, over that without."""
    with_decay, without = (
        xr.apply_ufunc(np.log, starts_differ(Choice(decayed), quantity, datasets))
        for decayed in (True, False)
    )
    return with_decay / without


def mean_at_end(choice: Choice, quantity: Quantity, datasets: Datasets) -> xr.DataArray:
    """Mean over the starts."""
    return at_end(quantity(choice.of(datasets))).mean("initial", skipna=False)


def largest_at_end(choice: Choice, quantity: Quantity, datasets: Datasets) -> xr.DataArray:
    """The largest over the starts."""
    return at_end(quantity(choice.of(datasets))).max("initial", skipna=False)


def against(one: Choice, other: Choice, quantity: Quantity, datasets: Datasets) -> xr.DataArray:
    """The mean over some starts, over that over others."""
    return mean_at_end(one, quantity, datasets) / mean_at_end(other, quantity, datasets)


def growth(choice: Choice, datasets: Datasets) -> xr.DataArray:
    """Rho at the end over rho at the start; the mean over the starts."""
    runs = choice.of(datasets)
    return (at_end(runs.rho) / runs.rho.isel(time=0)).mean("initial", skipna=False)


def off_the_line(choice: Choice, datasets: Datasets) -> xr.DataArray:
    """Relative distance of rho from mu / (M + lambda) at the end; the worst start."""
    runs = choice.of(datasets)
    return abs(at_end(runs.rho) / at_end(runs.rho_eq) - 1).max("initial", skipna=False)


def off_the_gap(choice: Choice, datasets: Datasets) -> xr.DataArray:
    """Relative distance of the loss from the gap at the end; the worst start."""
    runs = choice.of(datasets)
    return abs(at_end(runs.loss) / at_end(runs.gap) - 1).max("initial", skipna=False)


def still_moving(choice: Choice, datasets: Datasets) -> xr.DataArray:
    """Relative change of rho over the last fifth of the time; the worst start."""
    tail = last(choice.of(datasets).rho, 0.2)
    return last_change(tail, 1.0).max("initial", skipna=False)


def narrowed(choice: Choice, datasets: Datasets) -> xr.DataArray:
    """Standard deviation of the margins at the end over its largest on the way."""
    sigma = choice.of(datasets).sigma
    return (at_end(sigma) / sigma.max("time", skipna=False)).mean("initial", skipna=False)


def largest_fall(choice: Choice, datasets: Datasets) -> xr.DataArray:
    """How far rho fell below what it had reached, relative; the worst start."""
    found = choice.of(datasets).rho
    return (1 - found / _running(np.maximum, found)).max(("time", "initial"), skipna=False)


def largest_rise(choice: Choice, datasets: Datasets) -> xr.DataArray:
    """How far rho rose above what it had fallen to, relative; the worst start."""
    found = choice.of(datasets).rho
    return (found / _running(np.minimum, found) - 1).max(("time", "initial"), skipna=False)


def _running(extreme: np.ufunc, values: xr.DataArray) -> xr.DataArray:
    axis = values.get_axis_num("time")
    return values.copy(data=extreme.accumulate(values.values, axis=axis))


def accuracy_follows(choice: Choice, datasets: Datasets) -> xr.DataArray:
    """Correlation of 1/rho with test accuracy over the starts, in each seed."""
    return correlation(*_inverse_and_accuracy(choice, datasets), "initial")


def mean_accuracy_follows(choice: Choice, datasets: Datasets) -> float:
    """Correlation of 1/rho with test accuracy over the starts, both means over the seeds."""
    inverse, accuracy = (part.mean("seed") for part in _inverse_and_accuracy(choice, datasets))
    return float(correlation(inverse, accuracy, "initial"))


def _inverse_and_accuracy(choice: Choice, datasets: Datasets) -> tuple[xr.DataArray, xr.DataArray]:
    runs = choice.of(datasets)
    return at_end(1 / runs.rho), 1 - at_end(runs.test_error)


def narrowing_claims(choice: Choice) -> tuple[Claim, Claim]:
    """That the margins of some runs gather in a peak."""
    return (
        Claim(
            "the histogram narrows", "final standard deviation over its largest",
            partial(narrowed, choice), below(0.5),
        ),
        Claim(
            "it ends as a peak", "standard deviation over mean margin",
            partial(largest_at_end, choice, width), below(0.2),
        ),
    )  # fmt: skip
