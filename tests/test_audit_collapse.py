"""The audit of sections 7 and 8 notices a formula that was changed."""

import pytest

from rhoflow.dynamics.observables import balance, class_moments, collapse
from rhoflow.experiments.audit import Verdict, ask
from rhoflow.experiments.audit.sections import (
    collapse as closed,
)
from rhoflow.experiments.audit.sections import (
    collapse_metrics,
    collapsed,
    wide,
    wide_examples,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("afresh")]


@pytest.fixture
def afresh():
    """What the library says is asked again, and forgotten afterwards."""
    forget()
    yield
    forget()


def forget():
    for cache in (collapsed.facts, collapsed.program, wide_examples.trained):
        cache.cache_clear()


def verdicts(module, place):
    found = [s for s in module.STATEMENTS if s.place == place]
    assert found
    return {answer.verdict for answer in ask(found, ())}


def centred_by_samples(at):
    return at.means - 1.1 * at.centre[None, :]


def test_a_wrong_centre_turns_the_closed_forms(monkeypatch):
    assert verdicts(closed, "[Dyn] (42)") == {Verdict.HOLDS}
    forget()
    wrong = property(centred_by_samples)
    monkeypatch.setattr(class_moments.ClassMoments, "centred", wrong)
    assert verdicts(closed, "[Dyn] (42)") == {Verdict.CONTESTED}
    assert verdicts(collapse_metrics, "[Dyn] 5, [M117] K, [NCWD] 3") == {Verdict.CONTESTED}


def test_a_wrong_sign_of_the_angle_turns_its_row(monkeypatch):
    right = collapse._cosines
    monkeypatch.setattr(collapse, "_cosines", lambda vectors: -right(vectors))
    assert verdicts(closed, "[Dyn] (45)") == {Verdict.CONTESTED}


def test_a_balance_of_sums_turns_section_six(monkeypatch):
    def sums(problem, view):
        return balance._of_pairs(lambda a, b: balance.operator_norm(a + b), problem, view)

    monkeypatch.setattr(balance, "imbalances", sums)
    assert Verdict.CONTESTED in verdicts(wide, "[Wide] 6")
