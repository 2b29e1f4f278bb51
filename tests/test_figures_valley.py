"""A way between minima: its claims on ways made by hand, and what the study computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from rhoflow import experiments
from rhoflow.experiments.figures.claims import Outcome, decide
from rhoflow.experiments.figures.registry import find
from rhoflow.experiments.studies import valley

SEEDS = 5
CONNECTED, LINE, NARROW = find("x-valley").claims


def ways(heights, straight=0.5, end=1e-9):
    """Parts by units, whose ways rise to so much for each pair of minima."""
    along = np.linspace(0, 1, 11)
    bump = np.sin(np.pi * along)
    spread = 1 + 0.01 * np.arange(SEEDS)
    return {
        f"units_{units}": xr.Dataset(
            {
                "loss": (("seed", "along"), height * np.outer(spread, bump)),
                "straight": (("seed", "along"), straight * np.outer(spread, bump)),
                "rho": (("seed", "along"), np.ones((SEEDS, 11))),
                "end": (("seed", "which"), np.full((SEEDS, 2), end)),
            },
            {"seed": range(SEEDS), "along": along},
        )
        for units, height in heights.items()
    }


@pytest.mark.parametrize(
    ("claim", "heights", "straight", "outcome"),
    [
        (CONNECTED, {10: 0.1, 40: 1e-5}, 0.5, Outcome.HOLDS),
        (CONNECTED, {10: 1e-5, 40: 0.1}, 0.5, Outcome.FAILS),
        (NARROW, {10: 0.1, 40: 1e-5}, 0.5, Outcome.HOLDS),
        (NARROW, {10: 1e-5, 40: 1e-5}, 0.5, Outcome.FAILS),
        (LINE, {10: 0.1, 40: 1e-5}, 0.5, Outcome.HOLDS),
        (LINE, {10: 0.1, 40: 1e-5}, 1e-3, Outcome.FAILS),
    ],
)
def test_claims_are_decided_by_the_heights(claim, heights, straight, outcome):
    assert decide(claim, ways(heights, straight)).outcome is outcome


def test_pairs_whose_ends_do_not_fit_are_left_out():
    found = decide(CONNECTED, ways({40: 1e-5}, end=0.5))
    assert (found.outcome, found.seeds, found.failed) == (Outcome.UNDECIDED, 0, SEEDS)


def test_a_broken_line_goes_through_its_knots_and_is_straight_between():
    first, last = jnp.zeros((2, 1)), jnp.full((2, 1), 3.0)
    inner = valley.knots_between(first, last, 2)
    np.testing.assert_allclose(inner[:, 0, 0], [1, 2], atol=1e-12)
    bent = inner.at[0].set(5.0)
    line = valley.joined(first, bent, last, 2)[:, 0, 0]
    np.testing.assert_allclose(line, [0, 2.5, 5, 3.5, 2, 2.5, 3], atol=1e-12)


def test_a_way_begins_and_ends_at_the_minima_and_its_loss_is_numpys():
    config = experiments.preset("valley", "tiny")
    problem = valley.problem_of(config, 4)
    weights = problem.network.init(jax.random.key(0))
    outputs = np.asarray(problem.network.apply(weights, problem.inputs))
    expected = np.mean((outputs - np.asarray(problem.targets)) ** 2)
    np.testing.assert_allclose(valley.loss_of(problem, weights), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("shares", (0.01,), "different numbers of units"),
        ("shares", (0.5, 0.5), "different numbers of units"),
        ("steps", 0, "expected steps > 0"),
    ],
)
def test_what_no_run_could_satisfy_is_refused(field, value, says):
    with pytest.raises(experiments.UsageError, match=says):
        valley.ValleyConfig(**{field: value})
