"""Monotony: where along a run rho fell, how deep, and what the margins did meanwhile.

Under the flow rho' = 2 (mu - rho (M + lambda)): rho falls where it is above mu / (M + lambda). The
documents disagree on whether it ever does: [M112] has it growing, [M117] and [Dyn] 3.5 see it fall
for a while and read that as mu rising at the cost of single samples. `falls` finds the intervals in
recorded values and says of each how long and how deep it was, whether mu rose, and which share of
the samples had their margin fall.

A fall goes on through a rest, so that equal values do not split it: it begins where rho leaves its
height and ends where it first reaches its depth. What happens between two recorded times is not
seen: record densely where it matters. Times at which rho was not recorded, where it is NaN as after
``Observe.every``, are left out.

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
        mu_rose: Whether mu was larger at its end; NaN where mu was not given or not recorded.
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
        rho: ``[times]``, NaN where it was not recorded.
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
    kept = np.flatnonzero(~np.isnan(radius))
    starts, ends = (kept[edge] for edge in _intervals(radius[kept]))
    depths = radius[starts] - radius[ends]
    deep = depths > tolerance
    starts, ends, depths = starts[deep], ends[deep], depths[deep]
    unknown = np.full(len(starts), np.nan)
    rose = unknown if mu is None else _share_above(np.asarray(mu, float)[:, None], ends, starts)
    fell = unknown if margins is None else _share_above(np.asarray(margins, float), starts, ends)
    return Falls(instants[starts], instants[ends], depths, rose, fell)


def _intervals(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where values begin to fall and where they end, by index; equal ones count as neither."""
    changes = np.flatnonzero(np.diff(values))
    falling = np.concatenate([[False], np.diff(values)[changes] < 0, [False]])
    edges = np.flatnonzero(np.diff(falling.astype(int)))
    return changes[edges[::2]], changes[edges[1::2] - 1] + 1


def _share_above(values: np.ndarray, here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The share of columns that are larger here than there; NaN where one is not known."""
    known = ~np.isnan(values[here] + values[there]).any(axis=1)
    return np.where(known, np.mean(values[here] > values[there], axis=1), np.nan)


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
