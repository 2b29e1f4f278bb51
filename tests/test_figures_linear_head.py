"""Figures of linear heads: what their claims measure, on runs made by hand."""

import math

import numpy as np
import pytest
import xarray as xr

from rhoflow.dynamics import Status
from rhoflow.experiments.figures import head_rate, head_training, linear_head, wide_depth
from rhoflow.experiments.figures.claims import Outcome, decide

SEEDS = 3
TIMES = np.linspace(0.0, 1000.0, 51)


def run(linear, nonlinear=2, decay=(2e-3,), rate=0.03, **values):
    """Members at the same numbers but for a little noise; values [time, own axis] by name."""
    seeds, decays = (g.ravel() for g in np.meshgrid(range(SEEDS), decay, indexing="ij"))
    axes = {"imbalances": "pair", "balance": "pair", "head_condition": "head"}
    noise = 1 + 1e-3 * np.random.default_rng(0).normal(size=len(seeds))
    variables = {
        name: (
            ("member", "time", axes.get(name, "hidden"))[: 1 + np.ndim(value)],
            noise.reshape(-1, *[1] * np.ndim(value)) * np.asarray(value, float)[None],
        )
        for name, value in values.items()
    }
    variables["status"] = ("member", np.full(len(seeds), int(Status.FINISHED)))
    coordinates = {
        "seed": ("member", seeds), "decay": ("member", decays), "time": TIMES,
        "step": ("time", (10 * TIMES).astype(int)),
    }  # fmt: skip
    attributes = {
        "linear": linear, "nonlinear": nonlinear, "learning_rate": rate, "falls_at": 800.0,
    }  # fmt: skip
    return xr.Dataset(variables, coordinates, attributes)


def still(row):
    """The same numbers at all times."""
    return np.tile(np.asarray(row, float), (len(TIMES), 1))


def outcomes(claims, datasets):
    return [decide(claim, datasets).outcome for claim in claims]


def heads(last, first, nc1, conditions):
    """One run for each length of head, 1, 2 and 3."""
    found = {}
    for linear, (end, begin, one, kappa) in enumerate(
        zip(last, first, nc1, conditions, strict=True), 1
    ):
        row = [7.0] + [begin] * linear
        row[-1] = end
        found[str(linear)] = run(
            linear, decay=(1e-3, 3e-3), nc2=still(row), nc1=still([one] * (linear + 1)),
            head_condition=still([kappa] * linear),
        )  # fmt: skip
    return found


def test_collapse_against_the_length_of_the_head():
    good = heads((4, 2, 1.5), (4, 4.5, 5), (0.01, 0.009, 0.008), (4, 4, 1.5**3))
    assert outcomes(linear_head.DEPTH_CLAIMS, good) == [Outcome.HOLDS] * 4
    bad = heads((2, 3, 4), (2, 3, 1), (0.01, 0.1, 0.2), (9, 900, 9000))
    assert outcomes(linear_head.DEPTH_CLAIMS, bad) == [Outcome.FAILS] * 4


def training(imbalance, nc1, nc2):
    pairs = np.stack([np.ones_like(TIMES), imbalance, imbalance], axis=1)
    return {"a": run(3, decay=(2e-3,), imbalances=pairs, nc1=nc1, nc2=still(nc2))}


def test_balance_and_collapse_over_time():
    law = np.maximum(np.exp(-8e-3 * TIMES), 1e-2) * np.where(TIMES > 900, 0.5, 1)
    falling = np.tile(np.exp(-TIMES / 200)[:, None], (1, 4))
    good = training(law, falling, (9, 5, 3, 2))
    assert outcomes(head_training.CLAIMS, good) == [Outcome.HOLDS] * 5
    slow = np.exp(-3e-3 * TIMES)
    slow = np.where(TIMES > 800, slow[TIMES <= 800][-1], slow)
    bad = training(slow, still([1] * 4), (9, 2, 3, 2))
    assert outcomes(head_training.CLAIMS, bad) == [Outcome.FAILS] * 5


def test_the_longest_head_of_at_most_four_layers_and_the_largest_lambda_are_looked_at():
    runs = {str(n): run(n, decay=(1e-3, 3e-3), nc1=still([1] * (n + 1))) for n in (1, 4, 5)}
    found = head_training.chosen(runs)
    assert found.attrs["linear"] == 4
    assert float(found.decay) == 3e-3


def depths(balance, negativity, last):
    return {
        str(depth): run(
            1, nonlinear=depth, decay=(0.01 / depth,),
            balance=still([9.0] * 2 + [b] * (depth - 3) + [99.0]),
            negativity=still([0.9] * 2 + [n] * (depth - 3) + [last]),
        )
        for depth, b, n in zip((4, 6, 8), balance, negativity, strict=True)
    }  # fmt: skip


def test_balance_and_negativity_against_depth():
    claims = wide_depth.FIGURES["wide-3"].claims
    good = depths((1.0, 0.5, 0.2), (0.5, 0.3, 0.1), last=0.6)
    assert outcomes(claims, good) == [Outcome.HOLDS] * 5
    bad = depths((0.2, 0.5, 1.0), (0.01, 0.3, 0.5), last=0.1)
    found = outcomes(claims, bad)
    assert found[:2] == [Outcome.FAILS] * 2
    assert (
        found[2:] == [Outcome.FAILS, Outcome.UNDECIDED, Outcome.FAILS]
        or found[2:] == [Outcome.FAILS] * 3
    )


def phases(of_fit, of_balance):
    """Runs at two rates and two lambdas; the loss and |D| fall as e^(-t / length)."""
    found = {}
    for rate in (0.01, 0.02):
        parts = []
        for decay in (2e-3, 4e-3):
            fall = np.exp(-TIMES / of_fit(rate, decay))
            imbalance = np.exp(-TIMES / of_balance(rate, decay))
            pairs = np.stack([np.ones_like(TIMES), imbalance], axis=1)
            part = run(2, decay=(decay,), rate=rate, unregularised_loss=fall, imbalances=pairs)
            parts.append(part)
        found[str(rate)] = xr.concat(parts, "member", data_vars="minimal", coords="minimal",
                                     compat="override", combine_attrs="override")  # fmt: skip
    return found


def test_the_lengths_of_two_phases():
    claims = head_rate.FIGURES["x-two-phases"].claims
    good = phases(lambda eta, _: 1 / eta, lambda eta, lam: 1e-2 / (eta * lam) / 5)
    assert outcomes(claims, good) == [Outcome.HOLDS] * 4
    bad = phases(lambda _, lam: 0.4 / lam, lambda *_: 100.0)
    assert outcomes(claims, bad) == [Outcome.FAILS] * 4


def test_steps_to_a_level_lie_between_looks():
    values = xr.DataArray(
        [[4.0, 2.0, 0.0], [4.0, 3.0, 2.0]], dims=("seed", "time"),
        coords={"time": [0, 1, 2], "step": ("time", [0, 10, 30])},
    )  # fmt: skip
    found = head_rate.steps_to(values, 1.0)
    assert found.values[0] == pytest.approx(20.0)
    assert math.isnan(found.values[1])


@pytest.mark.parametrize(("better", "outcome"), [(True, Outcome.HOLDS), (False, Outcome.FAILS)])
def test_conditioning_against_the_rate(better, outcome):
    claims = head_rate.FIGURES["x-head-rate"].claims
    sign = -1 if better else 1
    runs = {
        f"{linear}-{rate}": run(
            linear, rate=rate / linear,
            head_condition=still([rate**sign] * (linear - 1) + [linear**sign]),
        )
        for linear in (2, 4)
        for rate in (0.01, 0.1)
    }  # fmt: skip
    assert outcomes(claims, runs) == [outcome] * 2
