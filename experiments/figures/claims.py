"""Claims that are decided: what is measured over seeds, and the range in which it must lie.

Ranges are written down and committed before the runs. Where a claim, its measure or the set-up was
written or changed after a first run, the claim says so (`Claim.afterwards`), and so does every
table.

A claim measures one number per seed. Its mean has a 95 % interval (Student's t over the seeds), and
the claim

- *holds* where the whole interval lies in the expected range,
- *fails* where none of it does,
- is *undecided* else: too few seeds for so small an effect, or one seed, which has no interval.

What does not depend on a seed, such as a closed form or the worst case over all runs, is ``exact``:
its interval is the number itself.

>>> claim = Claim("rho grows", "final rho over initial rho", lambda found: found["ratio"], above(1))
>>> decide(claim, {"ratio": [1.9, 2.1, 2.0]}).outcome
<Outcome.HOLDS: 'holds'>
>>> decide(claim, {"ratio": [0.5, 2.1, 2.0]}).outcome
<Outcome.UNDECIDED: 'undecided'>
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

CONFIDENCE = 0.95


class Outcome(Enum):
    """What a run says of a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Expected:
    """The range in which a measured number must lie, ends included."""

    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        """As it stands in tables."""
        if self.high == math.inf:
            return f">= {self.low:g}"
        return f"<= {self.high:g}" if self.low == -math.inf else f"{self.low:g} .. {self.high:g}"


def above(low: float) -> Expected:
    """At least so much."""
    return Expected(low=low)


def below(high: float) -> Expected:
    """At most so much."""
    return Expected(high=high)


def within(low: float, high: float) -> Expected:
    """From so much to so much."""
    return Expected(low, high)


@dataclass(frozen=True)
class Claim:
    """One statement of a figure, and how a run decides it.

    Attributes:
        sentence: What the document says, in our words.
        measured: What the number is, in words.
        measure: ``measure(datasets) -> number, or [seeds]``; NaN where a seed's run failed.
        expected: Where it lies if the sentence is true.
        exact: Whether one number stands for itself, without an interval.
        explanation: Our best explanation where it does not hold, with the item of docs/theory.md.
        afterwards: What was written or changed after a first run; empty where nothing was.
    """

    sentence: str
    measured: str
    measure: Callable[[Any], ArrayLike]
    expected: Expected
    exact: bool = False
    explanation: str = ""
    afterwards: str = ""


@dataclass(frozen=True)
class Verdict:
    """A claim, decided on a run.

    Attributes:
        sentence, measured, explanation, afterwards: The claim's.
        expected: Its range, as text.
        value: The mean over the seeds.
        low, high: The interval's ends; NaN where there is none.
        seeds: How many the mean is taken over.
        failed: How many have no number.
        outcome: What follows.
    """

    sentence: str
    measured: str
    expected: str
    value: float
    low: float
    high: float
    seeds: int
    failed: int
    outcome: Outcome
    explanation: str
    afterwards: str

    def told(self) -> str:
        """The number with its interval, as it stands in tables."""
        if self.seeds == 0:
            return "no run"
        if self.low == self.high or math.isnan(self.low):
            return f"{self.value:.3g}"
        return f"{self.value:.3g} ({self.low:.3g} .. {self.high:.3g})"


def decide(claim: Claim, datasets: Any) -> Verdict:
    """What datasets say of a claim."""
    values = np.atleast_1d(np.asarray(claim.measure(datasets), float)).ravel()
    there = values[np.isfinite(values)]
    low, high = _interval(there, claim.exact)
    return Verdict(
        claim.sentence, claim.measured, str(claim.expected),
        float(there.mean()) if len(there) else math.nan, low, high,
        len(there), len(values) - len(there), _outcome(claim.expected, low, high),
        claim.explanation, claim.afterwards,
    )  # fmt: skip


def _interval(values: np.ndarray, exact: bool) -> tuple[float, float]:
    from scipy import stats

    if len(values) == 0 or (len(values) == 1 and not exact):
        return math.nan, math.nan
    if len(values) == 1:
        return float(values[0]), float(values[0])
    spread = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = spread * float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return float(values.mean()) - reach, float(values.mean()) + reach


def _outcome(expected: Expected, low: float, high: float) -> Outcome:
    if expected.low <= low and high <= expected.high:
        return Outcome.HOLDS
    if high < expected.low or low > expected.high:
        return Outcome.FAILS
    return Outcome.UNDECIDED
