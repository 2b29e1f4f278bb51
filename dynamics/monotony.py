"""Monotony: where along a run rho fell, how deep, and what the margins did meanwhile.

Under the flow rho' = 2 (mu - rho (M + lambda)): rho falls where it is above mu / (M + lambda). The
documents disagree on whether it ever does: [M112] has it growing, [M117] and [Dyn] 3.5 see it fall
for a while and read that as mu rising at the cost of single samples. `falls` finds the intervals in
recorded values and says of each how long and how deep it was, whether mu rose, and which share of
the samples had their margin fall.

What happens between two recorded times is not seen: record densely where it matters.

Source: [Dyn] section 3.5; [M117] 3.5; [M112] (Obs. 1).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float

from ..models.checks import refusal


class Falls(NamedTuple):
    """The intervals in which rho fell, in order; every array has one entry for each.

    Attributes:
        starts: Where each begins, in units of time.
        ends: Where it ends.
        depths: By how much rho fell.
        mu_rose: Whether mu was larger at its end; NaN where mu was not given.
        margins_fell: The share of samples whose margin was smaller at its end; NaN likewise.
    """

    starts: Float[np.ndarray, "falls"]
    ends: Float[np.ndarray, "falls"]
    depths: Float[np.ndarray, "falls"]
    mu_rose: Float[np.ndarray, "falls"]
    margins_fell: Float[np.ndarray, "falls"]

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self.starts)

    @property
    def lengths(self) -> Float[np.ndarray, "falls"]:
        """How long each lasts."""
        return self.ends - self.starts


def falls(
    times: ArrayLike,
    rho: ArrayLike,
    mu: ArrayLike | None = None,
    margins: ArrayLike | None = None,
    tolerance: float = 0.0,
) -> Falls:
    """Finds the intervals of a recorded run in which rho fell.

    Args:
        times: ``[times]``, rising.
        rho: ``[times]``.
        mu: ``[times]``, the mean margin.
        margins: ``[times, samples]``.
        tolerance: A fall less deep than this is none: round-off at rest.

    Returns:
        The intervals, none where rho never fell.

    Raises:
        ValueError: If shapes do not fit or times do not rise.

    >>> falls([0, 1, 2, 3], [1.0, 0.5, 0.25, 2.0]).depths.tolist()
    [0.75]
    """
    instants, radius = np.asarray(times, float), np.asarray(rho, float)
    _check(instants, radius, mu, margins)
    falling = np.concatenate([[False], np.diff(radius) < 0, [False]])
    edges = np.flatnonzero(np.diff(falling.astype(int)))
    starts, ends = edges[::2], edges[1::2]
    deep = radius[starts] - radius[ends] > tolerance
    starts, ends = starts[deep], ends[deep]
    unknown = np.full(len(starts), np.nan)
    rose, fell = unknown, unknown
    if mu is not None:
        means = np.asarray(mu, float)
        rose = (means[ends] > means[starts]).astype(float)
    if margins is not None:
        each = np.asarray(margins, float)
        fell = np.mean(each[ends] < each[starts], axis=1)
    depths = radius[starts] - radius[ends]
    return Falls(instants[starts], instants[ends], depths, rose, fell)


def _check(
    times: np.ndarray, rho: np.ndarray, mu: ArrayLike | None, margins: ArrayLike | None
) -> None:
    shapes = {"rho": rho.shape}
    if mu is not None:
        shapes["mu"] = np.shape(mu)
    if margins is not None:
        shapes["margins"] = np.shape(margins)[:1]
    if times.ndim != 1 or any(shape != times.shape for shape in shapes.values()):
        raise refusal(
            f"one value of each for {times.shape} times", shapes, "record them at the same times"
        )
    if np.any(np.diff(times) <= 0):
        raise refusal("times that rise", "times that do not", "sort them, each once")
