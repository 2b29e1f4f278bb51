"""Asking statements: which subjects they apply to, the worst residual, the verdict.

The residual of a statement is its largest over all subjects that it applies to: a right form must
hold on every one, a wrong one be caught on one at least. A verdict that is not the expected one
becomes *contested*, with its number. Asked of somebody's own run, a printed form may well hold
there; then only a right form that fails is contested.
"""

import functools
import os
from collections import ChainMap
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ... import models
from ..compiling import quick_options
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


_Residuals = dict[tuple[Measure, int | None], float | None]
"""By measure and the ``id`` of the subject that it was asked of, None for constructions: names of
subjects need not differ."""


def ask(
    statements: Iterable[Statement], subjects: Sequence[Subject], *, own_run: bool = False
) -> list[Answer]:
    """Asks statements of subjects.

    All measures of subjects that are built alike are one compiled program, which takes a fraction
    of the time that they take one by one; constructions are asked meanwhile, by another thread.

    Args:
        statements: What to ask.
        subjects: Whom; constructions need none.
        own_run: Whether the subjects are somebody's run, where constructions are not asked and
            printed forms need not fail.
    """
    asked = list(statements)
    precise = jnp.zeros(()).dtype == jnp.float64

    def done(task: Callable[[], _Residuals]) -> _Residuals:
        with jax.enable_x64(precise):  # each thread has a setting of its own
            return task()

    built = [] if own_run else [entry for entry in asked if entry.asked_of == (CONSTRUCTION,)]
    tasks = [functools.partial(_of_constructions, built)]
    tasks += [functools.partial(_of_subjects, asked, alike) for alike in _alike(subjects)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        residuals = dict(ChainMap(*threads.map(done, tasks)))
    return [_answer(entry, subjects, residuals, own_run) for entry in asked]


def _forms(statements: Iterable[Statement]) -> list[Measure]:
    """Both forms of statements, each measure once."""
    forms = (form for entry in statements for form in (entry.corrected, entry.printed))
    return list(dict.fromkeys(form for form in forms if form is not None))


def _alike(subjects: Sequence[Subject]) -> list[list[Subject]]:
    """Subjects in groups that share compiled programs: one network, one encoding, one shape."""
    groups: dict[Any, list[Subject]] = {}
    for subject in subjects:
        tree = (subject.problem, subject.view)
        shapes = tuple(jnp.shape(leaf) for leaf in jax.tree.leaves(tree))
        encoding = models.encoding_of(subject.problem.targets)
        groups.setdefault((jax.tree.structure(tree), shapes, encoding), []).append(subject)
    return list(groups.values())


def _of_subjects(statements: Sequence[Statement], subjects: Sequence[Subject]) -> _Residuals:
    measures = _forms(
        entry for entry in statements if any(_fits(entry, subject) for subject in subjects)
    )

    @functools.partial(jax.jit, compiler_options=quick_options())
    def measured(problem: models.Problem, view: models.View) -> list[Any]:
        return [measure(problem, view) for measure in measures]

    return {
        (measure, id(subject)): _number(residual)
        for subject in subjects
        for measure, residual in zip(measures, measured(subject.problem, subject.view), strict=True)
    }


def _of_constructions(statements: Sequence[Statement]) -> _Residuals:
    return {(measure, None): _number(measure()) for measure in _forms(statements)}


def _fits(statement: Statement, subject: Subject) -> bool:
    return set(statement.asked_of) <= subject.properties


def _answer(
    statement: Statement, subjects: Sequence[Subject], residuals: _Residuals, own_run: bool
) -> Answer:
    corrected, where = _worst(statement, statement.corrected, subjects, residuals)
    printed, place = _worst(statement, statement.printed, subjects, residuals)
    verdict = _verdict(statement, printed, corrected)
    if not own_run and verdict not in (statement.expected, Verdict.NOT_APPLICABLE):
        verdict = Verdict.CONTESTED
    return Answer(statement, verdict, printed, corrected, where or place)


def _worst(
    statement: Statement,
    measure: Measure | None,
    subjects: Sequence[Subject],
    residuals: _Residuals,
) -> tuple[float | None, str]:
    """The largest residual and where; NaN, which no tolerance admits, counts as the largest."""
    if measure is None:
        return None, ""
    places: dict[int | None, str] = {None: CONSTRUCTION}
    places |= {id(subject): subject.name for subject in subjects if _fits(statement, subject)}
    found = [
        (residual, name)
        for place, name in places.items()
        if (residual := residuals.get((measure, place))) is not None
    ]
    return max(found, key=lambda pair: np.inf if np.isnan(pair[0]) else pair[0], default=(None, ""))


def _number(residual: object) -> float | None:
    """The size of a residual: one that is negative is a fault of its measure, and does not hold."""
    return None if residual is None else float(np.max(np.abs(np.asarray(residual))))


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
