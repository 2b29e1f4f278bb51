"""Asking statements: which subjects they apply to, the worst residual, the verdict.

The residual of a statement is its largest over all subjects that it applies to: a right form must
hold on every one, a wrong one be caught on one at least. A verdict that is not the expected one
becomes *contested*, with its number. Asked of somebody's own run, a printed form may well hold
there; then only a right form that fails is contested.
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import jax
import numpy as np

from .statement import CONSTRUCTION, Measure, Statement, Verdict
from .subjects import Subject


@dataclass(frozen=True)
class Answer:
    """What became of a statement.

    Attributes:
        statement: What was asked.
        verdict: The answer.
        printed: The worst residual of the printed form, None where it was not measured.
        corrected: The worst residual of the right form, likewise.
        subject: Where the right form (or the only one) had its worst residual.
    """

    statement: Statement
    verdict: Verdict
    printed: float | None
    corrected: float | None
    subject: str


def ask(
    statements: Iterable[Statement], subjects: Sequence[Subject], *, own_run: bool = False
) -> list[Answer]:
    """Asks statements of subjects.

    Args:
        statements: What to ask.
        subjects: Whom; constructions need none.
        own_run: Whether the subjects are somebody's run, where constructions are not asked and
            printed forms need not fail.

    Returns:
        Answers in the order of the statements, which are asked by several threads: most of the time
        goes into compiling, which they do side by side.
    """
    precise = bool(jax.config.jax_enable_x64)

    def one(statement: Statement) -> Answer:
        with jax.enable_x64(precise):  # each thread has a setting of its own
            return _answer(statement, subjects, own_run)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(one, statements))


def _answer(statement: Statement, subjects: Sequence[Subject], own_run: bool) -> Answer:
    corrected, where = _worst(statement, statement.corrected, subjects, own_run)
    printed, place = _worst(statement, statement.printed, subjects, own_run)
    verdict = _verdict(statement, printed, corrected)
    if not own_run and verdict not in (statement.expected, Verdict.NOT_APPLICABLE):
        verdict = Verdict.CONTESTED
    return Answer(statement, verdict, printed, corrected, where or place)


def _worst(
    statement: Statement, measure: Measure | None, subjects: Sequence[Subject], own_run: bool
) -> tuple[float | None, str]:
    """The largest residual and where; NaN, which no tolerance admits, counts as the largest."""
    if measure is None:
        return None, ""
    if statement.asked_of == (CONSTRUCTION,):
        return (None, "") if own_run else (_number(measure()), CONSTRUCTION)
    found = [
        (residual, subject.name)
        for subject in subjects
        if set(statement.asked_of) <= subject.properties
        and (residual := _number(measure(subject.problem, subject.view))) is not None
    ]
    return max(found, key=lambda pair: np.inf if np.isnan(pair[0]) else pair[0], default=(None, ""))


def _number(residual: object) -> float | None:
    return None if residual is None else float(np.max(np.asarray(residual)))


def _verdict(statement: Statement, printed: float | None, corrected: float | None) -> Verdict:
    if printed is None and corrected is None:
        return Verdict.NOT_APPLICABLE
    right = corrected is None or corrected <= statement.tolerance
    as_printed = printed is None or printed <= statement.tolerance
    if not right:
        return Verdict.CONTESTED
    if statement.vacuous:
        return Verdict.VACUOUS
    if as_printed:
        return Verdict.HOLDS
    return Verdict.FAILS if statement.corrected is None else Verdict.CORRECTED
