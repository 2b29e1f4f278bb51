"""A fault that is planted in the library turns the rows that ask for it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow import dynamics, models
from rhoflow.dynamics.observables import bounds, collapse, constraints, margins, wide
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


def subject(encoding="one_hot"):
    """Nine samples of three classes; the last of two linear layers nearly fits their targets."""
    network = models.mlp((4, 7, 6, 3), linear_layers=1)
    rng = np.random.default_rng(0)
    inputs = models.scale_inputs(rng.standard_normal((9, 4)))
    targets = models.encode(np.arange(9) % 3, encoding)
    weights = network.init(jax.random.key(0))
    last = 0.9 * jnp.linalg.pinv(network.features(weights, inputs)) @ targets
    problem = models.Problem(network, inputs, targets, decay=0.02)
    return audit.own_subject("planted", problem, models.to_polar((*weights[:-1], last)))


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


def bound_scaled(factor):
    def wrong(right):
        def said(*args):
            found = right(*args)
            return {**found, "bound": factor * found["bound"]}

        return said

    return wrong


def test_a_negative_residual_does_not_hold():
    below = Statement("0.0", "here", "a test", lambda: -1.0, asked_of=(CONSTRUCTION,))
    assert audit.ask([below], ())[0].verdict is Verdict.CONTESTED


@pytest.mark.slow
@pytest.mark.parametrize("place", ["[M117] K", "[NCWD] NC2, cosines"])
def test_angles_that_are_one_too_small_turn_the_rows_of_nc2(monkeypatch, place):
    assert turns(monkeypatch, collapse, "nc2_angles", shifted(-1.0), ("7.2", place))


@pytest.mark.parametrize(
    ("item", "place"),
    [("1.9", "[Dyn] Lemma 1"), ("2.9", "[M117] Lemma 2"), ("2.9", "[M117] Lemma 2, rho_lambda")],
)
def test_a_flow_with_half_the_decay_turns_the_rows_of_equal_margins(monkeypatch, item, place):
    def wrong(right):
        def field(kind, problem, position):
            half = models.Problem(
                problem.network, problem.inputs, problem.targets, problem.decay / 2
            )
            return right(kind, half, position)

        return field

    assert turns(monkeypatch, dynamics.normalisation, "field", wrong, (item, place))


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


@pytest.mark.parametrize(
    ("name", "wrong", "place"),
    [
        ("nc1_traces", scaled(2.0), "[Dyn] 5, [Wide] 3, anywhere"),
        ("nc1_ratio", scaled(1 / 3), "[NCWD] 3, anywhere"),
        ("nc2_angles", shifted(-1.0), "[M117] K, anywhere"),
        ("nc3_duality", scaled(-1.1), "[Dyn] 5, NC3, anywhere"),
    ],
)
def test_a_wrong_metric_turns_its_row_at_any_point(monkeypatch, name, wrong, place):
    assert turns(monkeypatch, collapse, name, wrong, ("7.2", place), subject())


@pytest.mark.parametrize("encoding", ["one_hot", "centred"])
@pytest.mark.parametrize(
    ("item", "place"),
    [
        ("2.1", "[Dyn] (2), [M117] (3)"),
        ("2.4", "[Dyn] Lemma 4, [M117] Lemma 9"),
        ("3.3", "[M117] (49), (50)"),
        ("7.9", "[NCWD] 2, anywhere"),
    ],
)
def test_a_flow_of_the_other_sign_turns_the_rows_of_several_outputs(
    monkeypatch, item, place, encoding
):
    def wrong(right):
        return lambda *args: jax.tree.map(jnp.negative, right(*args))

    own = subject(encoding)
    assert turns(monkeypatch, dynamics.normalisation, "field", wrong, (item, place), own)


def test_bounds_that_are_too_small_turn_their_rows(monkeypatch):
    own = subject()
    rows = {
        ("8.1", "[Wide] (23), anywhere"): "distance",
        ("8.5", "[Wide] (21), anywhere"): "transpose",
    }
    for row, name in rows.items():
        assert turns(monkeypatch, wide, name, bound_scaled(1e-6), row, own)
    row = ("9.4", "[Dyn] Thm 3, anywhere")
    assert turns(monkeypatch, bounds, "dense_complexity", scaled(1e-6), row, own)


def test_an_error_above_the_ramp_loss_turns_its_row(monkeypatch):
    row = ("9.1", "[Dyn] Thm 3, anywhere")
    assert turns(monkeypatch, margins, "train_error", shifted(1.0), row, subject())


def test_one_hot_networks_are_asked_the_bounds_of_wide_where_their_head_fits():
    places = {s.place for s in audit.STATEMENTS if "fitted" in s.asked_of}
    assert len(places) == 12
    own = subject()
    assert {"one_hot", "balanced", "linear_head", "fitted"} <= own.properties
