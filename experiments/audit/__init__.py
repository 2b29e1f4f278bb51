"""Which statements of the documents hold, and to how many digits.

    answers = audit()                       all statements, on the standard subjects
    answers = audit([subject])              those that can be asked of a point of your own
    print(as_text(rows(answers)))

Every statement is a small function with its place and its tolerance (`experiments.audit.statement`,
one module per section of the theory under ``sections``); `ask` finds its verdict.
"""

from collections.abc import Collection, Sequence

from ...models.checks import unknown
from ..experiment import Row
from .asking import Answer, ask
from .properties import properties_of
from .sections import STATEMENTS
from .statement import CONSTRUCTION, Statement, Verdict
from .subjects import Subject, own_subject, standard

__all__ = [
    "CONSTRUCTION",
    "STATEMENTS",
    "Answer",
    "Statement",
    "Subject",
    "Verdict",
    "ask",
    "audit",
    "own_subject",
    "properties_of",
    "rows",
    "standard",
    "summary",
]


def audit(
    subjects: Sequence[Subject] | None = None, *, places: Collection[str] | None = None
) -> list[Answer]:
    """Asks every statement, or those of some places.

    Args:
        subjects: Points of your own; the standard subjects and all constructions unless given.
        places: Where the statements stand, such as ``"[Dyn] (24)"``; anywhere unless given.

    Raises:
        ValueError: If no statement stands at one of the places.
    """
    known = dict.fromkeys(statement.place for statement in STATEMENTS)
    for place in places or ():
        if place not in known:
            raise unknown("place", place, known)
    chosen = [one for one in STATEMENTS if places is None or one.place in places]
    if subjects is None:
        return ask(chosen, standard())
    return ask(chosen, subjects, own_run=True)


def rows(answers: Sequence[Answer]) -> list[Row]:
    """Answers as rows of a table."""
    return [
        {
            "item": answer.statement.item,
            "place": answer.statement.place,
            "verdict": answer.verdict.value,
            "residual": _short(answer.corrected),
            "as printed": _short(answer.printed),
            "tolerance": f"{answer.statement.tolerance:.0e}",
            "claim": answer.statement.claim,
        }
        for answer in answers
    ]


def summary(answers: Sequence[Answer]) -> str:
    """How many statements there are of each verdict."""
    counts = {verdict: sum(a.verdict is verdict for a in answers) for verdict in Verdict}
    told = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
    return f"{len(answers)} statements: {told}"


def _short(residual: float | None) -> str:
    return "-" if residual is None else f"{residual:.1e}"
