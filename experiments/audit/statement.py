"""A statement of the documents, as something that can be asked and answered with a number.

A *measure* is a small pure function that returns a residual: how far the statement is from holding,
relative to its largest term, for an inequality by how much it is violated. A statement holds where
its residual is at most its tolerance. Where print is wrong there are two measures, of the printed
and of the corrected form; the first must fail somewhere, the second hold everywhere.

A measure of a *point* is called with a problem and a view; one of a *construction* with nothing: it
builds the example that it needs. It returns None where the statement says nothing (a one-hot
statement of a problem with targets +-1). Measures of a point are compiled.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Measure = Callable[..., Any]
"""``measure(problem, view)``, or ``measure()`` of a construction: a residual, or None."""


class Verdict(enum.Enum):
    """What became of a statement."""

    HOLDS = "holds"
    CORRECTED = "fails as printed, holds corrected"
    FAILS = "fails"
    VACUOUS = "vacuous"
    CONTESTED = "contested"
    NOT_APPLICABLE = "not applicable here"


CONSTRUCTION = "construction"
"""In place of properties of a subject: the measures build their own example."""


@dataclass(frozen=True)
class Statement:
    """One claim.

    Attributes:
        item: Where this project's theory treats it, such as ``"2.5"`` (`docs/theory.md`).
        place: Document and place, such as ``"[Dyn] (7)"``.
        claim: What it says, in one line.
        corrected: Measures the form that is right; None where the claim is wrong as a whole.
        printed: Measures the printed form where that differs from the right one.
        tolerance: Largest residual with which a form holds.
        asked_of: Properties that a subject must have (`experiments.audit.subjects`), or
            ``(CONSTRUCTION,)``.
        vacuous: Whether what ``corrected`` measures is that no case satisfies the premises.
        note: What to know when reading the row, in one line.
    """

    item: str
    place: str
    claim: str
    corrected: Measure | None = None
    printed: Measure | None = None
    tolerance: float = 1e-12
    asked_of: tuple[str, ...] = ()
    vacuous: bool = False
    note: str = ""

    @property
    def expected(self) -> Verdict:
        """What the theory says will become of it."""
        if self.vacuous:
            return Verdict.VACUOUS
        if self.printed is None:
            return Verdict.HOLDS
        return Verdict.FAILS if self.corrected is None else Verdict.CORRECTED
