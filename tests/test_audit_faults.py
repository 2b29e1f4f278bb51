"""A fault that is planted in the library turns the rows that ask for it."""

import pytest

from rhoflow import models
from rhoflow.dynamics.observables import bounds, collapse, constraints
from rhoflow.experiments import audit
from rhoflow.experiments.audit import CONSTRUCTION, Statement, Verdict
from rhoflow.experiments.audit.sections import collapsed

RIGHT = {Verdict.HOLDS, Verdict.CORRECTED}


@pytest.fixture(autouse=True)
def afresh():
    """What the library says is asked again, and forgotten afterwards."""
    forget()
    yield
    forget()


def forget():
    for cache in (collapsed.facts, collapsed.program):
        cache.cache_clear()


def verdict(item, place, own=None):
    """What the audit answers today."""
    forget()
    (entry,) = [s for s in audit.STATEMENTS if (s.item, s.place) == (item, place)]
    built = entry.asked_of == (CONSTRUCTION,)
    (found,) = audit.ask([entry], () if built else (own,), own_run=not built)
    return found.verdict


def turns(monkeypatch, module, name, wrong, row, own=None):
    """Whether a row that was right is contested with another function in the library."""
    before = verdict(*row, own)
    monkeypatch.setattr(module, name, wrong(getattr(module, name)))
    return before in RIGHT and verdict(*row, own) is Verdict.CONTESTED


def scaled(factor):
    return lambda right: lambda *args, **kwargs: factor * right(*args, **kwargs)


def shifted(by):
    return lambda right: lambda *args, **kwargs: right(*args, **kwargs) + by


def test_a_negative_residual_does_not_hold():
    below = Statement("0.0", "here", "a test", lambda: -1.0, asked_of=(CONSTRUCTION,))
    assert audit.ask([below], ())[0].verdict is Verdict.CONTESTED


@pytest.mark.slow
@pytest.mark.parametrize("place", ["[M117] K", "[NCWD] NC2, cosines"])
def test_angles_that_are_one_too_small_turn_the_rows_of_nc2(monkeypatch, place):
    assert turns(monkeypatch, collapse, "nc2_angles", shifted(-1.0), ("7.2", place))


def test_another_complexity_of_trees_turns_its_row(monkeypatch):
    row = ("9.4", "[Dyn] Thm 4, (19)")
    assert turns(monkeypatch, bounds, "tree_complexity", scaled(2.0), row)


def test_a_tree_that_reads_two_inputs_a_layer_turns_the_row_of_its_inputs(monkeypatch):
    assert verdict("9.4", "[Dyn] Thm 4") is Verdict.FAILS
    monkeypatch.setattr(models, "tree", lambda layers: models.deep_linear((2 * layers, 1)))
    assert verdict("9.4", "[Dyn] Thm 4") is Verdict.CONTESTED


@pytest.mark.parametrize("wrong", [(1.0, 2.0), (2.0, 1.0), (1.0, -1.0)])
def test_another_solution_of_diagonal_networks_turns_its_row(monkeypatch, wrong):
    def other(right):
        def solution(*args):
            values, output = right(*args)
            return wrong[0] * values, wrong[1] * output

        return solution

    assert turns(monkeypatch, constraints, "diagonal_solution", other, ("11.3", "[M112] (57)"))
