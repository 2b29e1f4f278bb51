"""The errata index: every row is measured, nothing wrong goes without a row, nothing goes stale."""

import jax
import jax.numpy as jnp
import pytest

from rhoflow import models
from rhoflow.dynamics.observables import moments
from rhoflow.experiments import audit
from rhoflow.experiments.audit import CONSTRUCTION, Subject, Verdict, errata
from rhoflow.experiments.audit.errata import ERRATA

MEASURED = [row for row in ERRATA if not row.why]
EACH = pytest.mark.parametrize("row", MEASURED, ids=lambda row: f"{row.document} {row.place}")
DOCUMENTS = ("[Dyn]", "[M117]", "[NCWD]", "[M112]", "[Wide]")


def entries(reference):
    return [entry for entry in audit.STATEMENTS if (entry.item, entry.place) == reference]


@EACH
def test_every_row_names_statements_that_exist(row):
    assert row.statements
    assert all(entries(reference) for reference in row.statements)


@EACH
def test_a_wrong_place_is_measured_as_printed_and_a_right_one_holds(row):
    verdicts = [{entry.expected for entry in entries(reference)} for reference in row.statements]
    if row.right:
        assert all(found == {Verdict.HOLDS} for found in verdicts)
    else:
        assert all(found & errata.WRONG for found in verdicts)


def test_what_is_wrong_as_printed_has_a_row():
    wrong = {(e.item, e.place) for e in audit.STATEMENTS if e.expected in errata.WRONG}
    rows = {reference for row in ERRATA if not row.right for reference in row.statements}
    assert wrong - rows == set()


def test_each_statement_can_be_told_from_others_with_a_printed_form():
    told = [(e.item, e.place) for e in audit.STATEMENTS if e.expected in errata.WRONG]
    assert len(told) == len(set(told))


def test_every_document_has_rows_and_no_row_stands_twice():
    assert {row.document for row in ERRATA} == set(DOCUMENTS)
    assert len({(row.document, row.place, row.what) for row in ERRATA}) == len(ERRATA)


def test_only_a_caption_has_nothing_to_compute():
    assert [(row.document, row.place) for row in ERRATA if row.why] == [
        ("[Wide]", "caption of Fig. 1")
    ]


@pytest.fixture
def afresh():
    """Programs compiled with a changed library are forgotten, before and after."""
    jax.clear_caches()
    yield
    jax.clear_caches()


def point():
    problem = models.Problem(
        models.deep_linear((3, 2, 1)), jnp.eye(3), jnp.asarray([1.0, -1.0, 1.0]), decay=0.1
    )
    view = models.to_polar((jnp.ones((3, 2)) + jnp.eye(3, 2), jnp.ones((2, 1))), rho=0.7)
    return Subject("point", audit.properties_of(problem), problem, view)


def verdicts(document, place):
    """What the audit answers today to the statements of the rows of a place."""
    rows = [row for row in ERRATA if (row.document, row.place) == (document, place)]
    asked = [entry for row in rows for entry in errata.named(row)]
    built = [entry for entry in asked if entry.asked_of == (CONSTRUCTION,)]
    others = [entry for entry in asked if entry not in built]
    answers = audit.ask(built, ()) + audit.ask(others, [point()], own_run=True)
    return {answer.verdict for answer in answers}


@pytest.mark.usefixtures("afresh")
def test_a_flipped_sign_of_the_variance_turns_the_rows_of_sigma(monkeypatch):
    places = ("sigma^2 in 3.4.1", "sigma^2 in 3.5.1")
    assert [verdicts("[M117]", place) for place in places] == [{Verdict.CORRECTED}] * 2
    right = moments.variance
    monkeypatch.setattr(moments, "variance", lambda problem, view: -right(problem, view))
    assert [verdicts("[M117]", place) for place in places] == [{Verdict.CONTESTED}] * 2


@pytest.mark.slow
@pytest.mark.usefixtures("afresh")
def test_decay_of_the_other_sign_turns_the_row_of_the_decay(monkeypatch):
    from rhoflow.experiments.audit.sections import radial_equation

    assert verdicts("[M117]", "(27)") == {Verdict.CORRECTED}

    def wrong(problem, view):
        return models.data_loss(problem, view) - problem.decay * view.rho**2

    monkeypatch.setattr(radial_equation.models, "objective", wrong)
    assert verdicts("[M117]", "(27)") == {Verdict.CONTESTED}


@pytest.mark.slow
def test_where_rho_grows_until_one_its_row_is_contested(monkeypatch):
    from rhoflow.experiments.audit.sections import polar

    assert verdicts("[Dyn]", "3.5") == {Verdict.CORRECTED}
    monkeypatch.setattr(polar, "DECAY", 0.0)
    assert verdicts("[Dyn]", "3.5") == {Verdict.CONTESTED}
