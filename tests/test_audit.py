"""The audit: what its verdicts mean, that nothing is missing, and that a wrong formula is seen."""

from pathlib import Path

import jax.numpy as jnp
import pytest

from rhoflow import dynamics, models
from rhoflow.dynamics.observables import moments
from rhoflow.experiments import audit
from rhoflow.experiments.__main__ import main
from rhoflow.experiments.audit import CONSTRUCTION, Statement, Subject, Verdict, document

NUMBERS = {0: 1, 1: 9, 2: 12, 3: 9, 4: 8, 5: 9, 6: 7, 7: 9, 8: 12, 9: 9, 10: 5, 11: 4, 12: 3}
"""Items of each section; 0 are the conventions and 12 what the figures show."""


def nothing(problem, view):
    del problem, view
    return 0.0


def point(name, rho):
    """A subject that has its name as a property."""
    problem = models.Problem(models.deep_linear((2, 1)), jnp.eye(2), jnp.asarray([1.0, -1.0]))
    view = models.Polar(jnp.asarray(rho), (jnp.asarray([[1.0], [0.0]]),))
    return Subject(name, frozenset({name}), problem, view)


def answer(statement, subjects=(), own_run=False):
    return audit.ask([statement], subjects, own_run=own_run)[0].verdict


def statement(**measures):
    fields = {name: (lambda value=value: value) for name, value in measures.items()}
    return Statement("0.0", "here", "a test", **fields, asked_of=(CONSTRUCTION,))


@pytest.mark.parametrize(
    ("measures", "verdict"),
    [
        ({"corrected": 0.0}, Verdict.HOLDS),
        ({"corrected": 1.0}, Verdict.CONTESTED),
        ({"corrected": float("nan")}, Verdict.CONTESTED),
        ({"corrected": None}, Verdict.NOT_APPLICABLE),
        ({"corrected": 0.0, "printed": 1.0}, Verdict.CORRECTED),
        ({"corrected": 0.0, "printed": 0.0}, Verdict.CONTESTED),
        ({"printed": 1.0}, Verdict.FAILS),
        ({"printed": 0.0}, Verdict.CONTESTED),
    ],
)
def test_a_verdict_follows_from_the_residuals(measures, verdict):
    assert answer(statement(**measures)) is verdict


def test_a_vacuous_statement_is_one_whose_premises_never_hold():
    empty = Statement("0.0", "here", "a test", lambda: 0.0, asked_of=(CONSTRUCTION,), vacuous=True)
    assert answer(empty) is Verdict.VACUOUS


def test_on_ones_own_run_a_printed_form_may_hold_and_constructions_are_not_asked():
    subject = point("mine", 1.0)
    lucky = Statement("0.0", "here", "a test", nothing, nothing)
    assert answer(lucky, [subject], own_run=True) is Verdict.HOLDS
    assert answer(statement(corrected=0.0), [subject], own_run=True) is Verdict.NOT_APPLICABLE


def test_the_worst_subject_decides_and_only_those_that_fit_are_asked():
    subjects = [point("a", 0.0), point("b", 1.0)]
    asked = Statement("0.0", "here", "a test", lambda _, view: view.rho)
    found = audit.ask([asked], subjects)[0]
    assert (found.verdict, found.subject) == (Verdict.CONTESTED, "b")
    only = Statement("0.0", "here", "a test", asked.corrected, asked_of=("a",))
    assert answer(only, subjects) is Verdict.HOLDS


def test_of_two_subjects_with_one_name_neither_is_forgotten():
    asked = Statement("0.0", "here", "a test", lambda _, view: view.rho)
    for first, second in ((0.0, 1.0), (1.0, 0.0)):
        subjects = [point("a", first), point("a", second)]
        assert answer(asked, subjects) is Verdict.CONTESTED


def test_every_item_of_the_theory_is_asked_and_no_other():
    asked = {entry.item for entry in audit.STATEMENTS}
    wanted = {f"{section}.{n}" for section, last in NUMBERS.items() for n in range(1, last + 1)}
    assert asked == wanted


@pytest.fixture
def quick():
    """A subject that costs nothing, and the statements that it can be asked."""
    problem = models.Problem(
        models.deep_linear((3, 2, 1)),
        jnp.eye(3),
        jnp.asarray([1.0, -1.0, 1.0]),
        decay=0.1,
    )
    view = models.to_polar((jnp.ones((3, 2)) + jnp.eye(3, 2), jnp.ones((2, 1))), rho=0.7)
    return Subject("quick", audit.properties_of(problem), problem, view)


def row(item, place, subject):
    (entry,) = [s for s in audit.STATEMENTS if (s.item, s.place) == (item, place)]
    return answer(entry, [subject], own_run=True)


def test_one_flipped_sign_in_the_library_turns_its_row(quick, monkeypatch):
    place = "[Dyn] (8)"
    assert row("2.5", place, quick) is Verdict.CORRECTED
    right = moments.rho_eq
    monkeypatch.setattr(moments, "rho_eq", lambda problem, view: -right(problem, view))
    assert row("2.5", place, quick) is Verdict.CONTESTED


def test_one_flipped_sign_of_the_field_turns_the_rows_of_the_flow(quick, monkeypatch):
    from rhoflow.experiments.audit.sections import normalised_flow

    places = [("2.1", "[Dyn] (2), [M117] (3)"), ("2.3", "[Dyn] 3.4")]
    assert [row(*place, quick) for place in places] == [Verdict.HOLDS] * 2
    right = normalised_flow.kinds.field

    def wrong(kind, problem, position):
        moves = right(kind, problem, position)
        return models.Polar(-moves.rho, moves.directions)

    monkeypatch.setattr(dynamics.normalisation, "field", wrong)
    assert [row(*place, quick) for place in places] == [Verdict.CONTESTED] * 2


def test_a_folder_that_is_no_run_is_refused_in_one_line(capsys, tmp_path):
    assert main(["audit", str(tmp_path)]) == 2
    assert "is no run's folder" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_audit_contests_nothing():
    answers = audit.audit()
    contested = [a for a in answers if a.verdict is Verdict.CONTESTED]
    assert contested == []
    assert len(answers) == len(audit.STATEMENTS)


def test_the_table_in_the_theory_is_the_audits():
    page = (Path(__file__).resolve().parent.parent / document.PAGE).read_text()
    assert page == document.renewed(page), "run python -m rhoflow.experiments.audit.document"
