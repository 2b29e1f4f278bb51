"""How much memory a run takes: counted by hand, and refused before anything is computed."""

import importlib

import numpy as np
import pytest

from references import LINEAR, problem, start
from rhoflow import dynamics

rows_of = importlib.import_module("rhoflow.dynamics.memory")
WEIGHTS = 4 * 5 + 5 * 3 + 3 * 1


def estimate(members=4, looks=64, **more):
    moves = dynamics.gradient_descent(problem(), 0.1)
    return dynamics.memory(
        moves, [start(LINEAR, seed) for seed in range(members)],
        times=0.1 * np.arange(1, looks + 1), observe=dynamics.observe("rho", "margins"), **more,
    )  # fmt: skip


def test_rows_are_what_is_looked_at_at_every_look_of_every_member():
    numbers = 1 + 12
    assert estimate().rows == 2 * 4 * 64 * numbers * 8
    assert estimate(looks=640).rows == 10 * estimate().rows


def test_states_hold_the_positions_of_all_members_and_no_looks():
    one, four = estimate(members=2), estimate(members=4)
    assert four.states == 2 * one.states
    assert one.states >= 2 * 2 * 8 * (1 + WEIGHTS)
    assert estimate(looks=640).states == estimate().states


def test_members_that_run_together_need_more_to_work():
    together = estimate(members=64, batching="vmap").work
    assert together > 4 * estimate(members=64, batching="vmap", together=1).work
    assert estimate(members=64).work < together


def test_what_does_not_fit_is_refused_before_it_runs(monkeypatch):
    monkeypatch.setattr(rows_of, "available", lambda: 10_000)
    moves, times = dynamics.gradient_descent(problem(), 0.1), 0.1 * np.arange(1, 1001)
    with pytest.raises(ValueError, match=r"fits into 10 kB .* 32 kB of rows.*fewer looks"):
        dynamics.simulate(moves, start(), times=times)
    with pytest.raises(ValueError, match="fewer members at a time"):
        dynamics.ensemble(moves, [start()] * 32, times=times[:3], observe=dynamics.observe("rho"))
    dynamics.simulate(moves, start(), times=times[:3])


def test_memory_is_told_in_words():
    assert str(dynamics.Memory(2_000, 3_500_000, 0)) == (
        "3.5 MB (states 2 kB, rows 3.5 MB, work 0 bytes)"
    )
    assert rows_of.available() > 1e6
