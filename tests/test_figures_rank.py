"""Figures of rank: what their claims measure, on runs made by hand that satisfy or violate."""

import itertools

import numpy as np
import pytest
import xarray as xr

from rhoflow.dynamics import Status
from rhoflow.experiments.figures import rank, registry
from rhoflow.experiments.figures.claims import Outcome, decide
from rhoflow.experiments.studies.rank import hidden_rank, name

SEEDS, DECAYS, RATES, BATCHES = 3, (1e-4, 1e-3, 1e-2), (0.005, 0.02), (2, 8, 50)
HOLDS, FAILS = Outcome.HOLDS, Outcome.FAILS


def runs(stable, error=None, mu=None, sharpness=None):
    """Runs whose last look is given by functions of (lambda, rate, batch); seeds differ a little.

    The rank is that of both hidden layers; the last layer has rank one.
    """
    constant = {"error": error, "mu": mu, "sharpness": sharpness}
    given = {key: value or (lambda *_: 1.0) for key, value in constant.items()}
    found = {}
    for batch in BATCHES:
        members = list(itertools.product(range(SEEDS), DECAYS, RATES))
        jitter = np.array([1 + 0.01 * seed for seed, *_ in members])

        def of(function, batch=batch, members=members, jitter=jitter):
            return jitter * np.array([function(decay, rate, batch) for _, decay, rate in members])

        ranks = np.stack([of(stable), of(stable), np.ones(len(members))], axis=1)
        found[name(batch)] = xr.Dataset(
            {
                "ranks_stable": (("member", "time", "ranks_stable_0"), ranks[:, None]),
                "test_error": (("member", "time"), of(given["error"])[:, None]),
                "mu": (("member", "time"), of(given["mu"])[:, None]),
                "sharpness": (("member", "time"), of(given["sharpness"])[:, None]),
                "status": ("member", np.full(len(members), int(Status.FINISHED))),
            },
            {
                "time": [1.0],
                "seed": ("member", [seed for seed, *_ in members]),
                "decay": ("member", [decay for _, decay, _ in members]),
                "learning_rate": ("member", [rate for *_, rate in members]),
                "initial_rho": ("member", np.full(len(members), 10.0)),
            },
        )
    return found


def outcomes(figure, datasets):
    return [decide(claim, datasets).outcome for claim in registry.find(figure).claims]


def low(decay, rate, batch):
    """A rank that falls with lambda and rate, and rises with the batch."""
    return 1.5 * decay**-0.05 * rate**-0.05 * batch**0.1 / 1.4


def test_ranks_that_fall_as_predicted_hold():
    assert outcomes("x-rank", runs(low)) == [HOLDS] * 5


def test_ranks_that_rise_fail():
    found = outcomes("x-rank", runs(lambda *at: 9.0 / low(*at)))
    assert found == [FAILS, FAILS, FAILS, FAILS, HOLDS]
    assert outcomes("x-rank", runs(lambda *_: 1.0))[-1] is FAILS


def test_the_last_layer_does_not_count():
    data = runs(lambda *_: 5.0)[name(2)]
    np.testing.assert_allclose(hidden_rank(data).isel(member=0), 5.0)


def test_members_are_an_array_over_what_they_differ_in():
    found = rank.ends(runs(low))
    assert dict(found["rank"].sizes) == {
        "batch": 3, "seed": SEEDS, "decay": 3, "learning_rate": 2
    }  # fmt: skip
    one = found["rank"].sel(seed=1, decay=1e-3, learning_rate=0.02, batch=8)
    assert float(one) == pytest.approx(1.01 * low(1e-3, 0.02, 8))


def mu(decay, *_):
    return decay**0.3


def unrelated(decay, rate, batch):
    """Takes two values that go with none of the settings."""
    place = DECAYS.index(decay) + RATES.index(rate) + BATCHES.index(batch)
    return 1.0 + place % 2


def test_errors_that_follow_margin_and_rank_hold():
    def error(*at):
        return 0.5 + 0.02 * np.log(mu(*at)) + 0.1 * np.log(low(*at))

    found = runs(low, error, mu, unrelated)
    np.testing.assert_allclose(rank.explained("mu", "rank")(found), 1.0)
    np.testing.assert_allclose(rank.effect_of_rank(found), 0.1, rtol=0.1)
    assert outcomes("x-margin-and-rank", found) == [HOLDS] * 5


def test_errors_that_follow_sharpness_fail():
    def error(*at):
        return 0.1 + 0.05 * np.log(unrelated(*at))

    found = outcomes("x-margin-and-rank", runs(low, error, mu, unrelated))
    assert found[:4] == [FAILS] * 4


def test_errors_that_fall_with_rank_fail():
    def error(*at):
        return 0.5 - 0.1 * np.log(low(*at))

    assert outcomes("x-margin-and-rank", runs(low, error, mu, unrelated))[4] is FAILS


def test_shares_are_adjusted_as_in_the_books():
    rng = np.random.default_rng(0)
    one = xr.Dataset(
        {key: ("setting", rng.uniform(1, 2, 18)) for key in ("mu", "rank", "test_error")}
    )
    design = np.stack([np.ones(18), np.log(one.mu), np.log(one["rank"])], axis=1)
    fitted = design @ np.linalg.pinv(design) @ one.test_error.values
    plain = 1 - np.sum((one.test_error - fitted) ** 2) / (18 * np.var(one.test_error))
    expected = 1 - (1 - float(plain)) * 17 / 15
    assert rank._fit(one, ("mu", "rank"))[0] == pytest.approx(expected)
