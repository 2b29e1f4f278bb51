"""Claims: intervals against tabulated values, and what follows from them; what they measure."""

import math

import numpy as np
import pytest
import xarray as xr

from rhoflow.dynamics import Status
from rhoflow.experiments.figures import measures
from rhoflow.experiments.figures.claims import Claim, Outcome, above, below, decide, within

T_OF_FIVE = 2.7764451052  # 97.5 % point of Student's t with 4 degrees of freedom, from tables


def verdict(values, expected, **more):
    return decide(Claim("it is so", "a number", lambda found: found, expected, **more), values)


def test_the_interval_is_students():
    values = np.array([1.0, 2.0, 4.0, 3.0, 7.0])
    reach = T_OF_FIVE * math.sqrt(sum((values - values.mean()) ** 2) / 4 / 5)
    found = verdict(values, above(0))
    np.testing.assert_allclose([found.low, found.high], [3.4 - reach, 3.4 + reach], rtol=1e-9)
    assert (found.value, found.seeds, found.failed) == (pytest.approx(3.4), 5, 0)


@pytest.mark.parametrize(
    ("values", "expected", "outcome"),
    [
        ([2.0, 2.1, 1.9], above(1), Outcome.HOLDS),
        ([2.0, 2.1, 1.9], above(3), Outcome.FAILS),
        ([2.0, 2.1, 1.9], above(2), Outcome.UNDECIDED),
        ([2.0, 2.1, 1.9], below(3), Outcome.HOLDS),
        ([2.0, 2.1, 1.9], below(1), Outcome.FAILS),
        ([2.0, 2.1, 1.9], within(1, 3), Outcome.HOLDS),
        ([2.0, 2.1, 1.9], within(0, 1), Outcome.FAILS),
        ([2.0], above(1), Outcome.UNDECIDED),
        ([], above(1), Outcome.UNDECIDED),
        ([math.nan, math.nan], above(1), Outcome.UNDECIDED),
        ([math.nan, 2.0, 2.0], above(1), Outcome.HOLDS),
    ],
)
def test_a_claim_holds_or_fails_where_the_whole_interval_does(values, expected, outcome):
    assert verdict(values, expected).outcome is outcome


def test_what_depends_on_no_seed_is_its_own_interval():
    assert verdict(2.0, above(1), exact=True).outcome is Outcome.HOLDS
    assert verdict(2.0, below(1), exact=True).outcome is Outcome.FAILS


def test_failed_seeds_are_counted_and_left_out():
    found = verdict([math.nan, 2.0, 4.0], above(1))
    assert (found.value, found.seeds, found.failed) == (3.0, 2, 1)


def runs(rho, failed=()):
    """Members in a mixed order, three seeds at two starts; rho[seed, start]."""
    seeds, starts = np.meshgrid(range(3), (1.0, 5.0), indexing="ij")
    order = np.random.default_rng(0).permutation(6)
    status = np.full(6, int(Status.FINISHED))
    status[list(failed)] = int(Status.DIVERGED)
    return xr.Dataset(
        {
            "rho": (("member", "time"), np.asarray(rho, float).reshape(6, -1)[order]),
            "status": ("member", status[order]),
        },
        {
            "seed": ("member", seeds.ravel()[order]),
            "initial_rho": ("member", starts.ravel()[order]),
            "learning_rate": ("member", np.full(6, 0.1)),
        },
    )


def test_members_become_an_array_over_their_coordinates():
    rho = np.arange(6.0).reshape(3, 2)
    found = measures.cube(runs(rho, failed=[5]), "seed", "initial_rho")
    assert found.rho.dims == ("seed", "initial_rho", "time")
    np.testing.assert_array_equal(found.rho.isel(time=0), [[0, 1], [2, 3], [4, np.nan]])


def test_measures_are_those_of_numpy():
    rng = np.random.default_rng(1)
    x = xr.DataArray([1.0, 2.0, 4.0, 8.0], dims="share")
    y = xr.DataArray(rng.normal(size=(3, 4)), dims=("seed", "share"))
    for seed in range(3):
        line = np.polyfit(x.values, y.values[seed], 1)[0]
        np.testing.assert_allclose(measures.slope(x, y, "share")[seed], line, rtol=1e-10)
        pearson = np.corrcoef(x.values, y.values[seed])[0, 1]
        np.testing.assert_allclose(measures.correlation(x, y, "share")[seed], pearson, rtol=1e-10)
    sizes = xr.DataArray([[1.0, 4.0], [2.0, 3.0]], dims=("seed", "start"))
    np.testing.assert_array_equal(measures.spread(sizes, "start"), [4.0, 1.5])
    moving = xr.DataArray([0.0, 8.0, 9.0, 11.0, 10.0], dims="time")
    assert float(measures.last_change(moving, 0.6)) == pytest.approx(0.2)
