"""Figures of collapse: what their claims measure, on runs made by hand that satisfy or violate."""

import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from rhoflow.dynamics import Status
from rhoflow.experiments.figures import collapse_drawing, registry
from rhoflow.experiments.figures.claims import Outcome, decide
from rhoflow.experiments.figures.collapse import frame_duality

SEEDS = 3
JITTER = 1 + 0.01 * np.arange(SEEDS)
"""Factors by which seeds differ, so little that they leave every claim decided."""


def way(curves, decays=(0.0,), shares=(0.0,), rho=10.0):
    """A dataset whose variables are given over time, for each lambda and share of random labels.

    A curve is a list over time, or a dict of them by (lambda, share).
    """
    members = list(itertools.product(range(SEEDS), decays, shares))
    values = {
        name: (
            ("member", "time"),
            np.array([JITTER[seed] * _curve(given, kind) for seed, *kind in members]),
        )
        for name, given in curves.items()
    }
    looks = len(next(iter(values.values()))[1][0])
    seed, decay, share = (list(axis) for axis in zip(*members, strict=True))
    lead = "member"
    return xr.Dataset(
        values | {"status": (lead, np.full(len(members), int(Status.FINISHED)))},
        {
            "time": np.arange(looks, dtype=float),
            "seed": (lead, seed),
            "decay": (lead, decay),
            "label_noise": (lead, share),
            "initial_rho": (lead, np.full(len(members), rho)),
        },
    )


def _curve(given, kind):
    return np.asarray(given[tuple(kind)] if isinstance(given, dict) else given, float)


def outcomes(name, datasets):
    """What the claims of a figure say of datasets, in their order."""
    return [decide(claim, datasets).outcome for claim in registry.find(name).claims]


HOLDS, FAILS = Outcome.HOLDS, Outcome.FAILS
METRICS = ("nc1_ratio", "nc2_norms", "nc2_angles", "nc3_duality", "nc3_uncentred")


def with_and_without(loss, error, metric, uncentred):
    """A run of [NCWD] in which every metric ends at so much, by lambda."""
    decays = (0.0, 1e-4, 3e-4)
    curves = {name: {(d, 0.0): [2.0, metric[d]] for d in decays} for name in METRICS}
    curves["nc3_uncentred"] = {(d, 0.0): [2.0, uncentred] for d in decays}
    curves["unregularised_loss"] = {(d, 0.0): [1.0, loss[d]] for d in decays}
    curves["train_error"] = {(d, 0.0): [0.9, error] for d in decays}
    return {"square-50-free": way(curves, decays)}


@pytest.mark.parametrize("name", ["ncwd-1", "ncwd-2"])
def test_lower_metrics_and_a_similar_loss_with_decay_hold(name):
    loss = {0.0: 1e-4, 1e-4: 5e-4, 3e-4: 2e-3}
    metric = {0.0: 1.0, 1e-4: 0.5, 3e-4: 0.4}
    assert set(outcomes(name, with_and_without(loss, 0.0, metric, 0.2))) == {HOLDS}


def test_metrics_that_decay_does_not_lower_fail():
    loss = {0.0: 1e-4, 1e-4: 5e-4, 3e-4: 0.2}
    metric = {0.0: 1.0, 1e-4: 1.1, 3e-4: 1.2}
    assert set(outcomes("ncwd-2", with_and_without(loss, 0.02, metric, 1.1))) == {FAILS}


def test_an_orthogonal_frame_has_the_duality_that_is_drawn():
    for classes in (2, 3, 10):
        rows, means = np.eye(classes), np.eye(classes) - 1 / classes
        apart = rows / np.linalg.norm(rows) - means / np.linalg.norm(means)
        assert frame_duality(classes) == pytest.approx(np.linalg.norm(apart))


def two_classes(first, last, means=0.0):
    """A run of two classes: every metric from so much to so much, NC2 of the means apart."""
    names = ("nc1_ratio", "nc3_duality", "nc2_norms_classifiers", "nc2_angles_classifiers")
    curves = {name: [first, last] for name in names}
    curves |= {"nc2_norms": [means, means], "nc2_angles": [means, means]}
    return {"square-50-weight_norm": way(curves, (1e-6,))}


@pytest.mark.parametrize("name", ["dyn-9", "m117-6"])
def test_two_classes_that_collapse_hold_and_that_do_not_fail(name):
    assert set(outcomes(name, two_classes(1.0, 0.01))) == {HOLDS}
    assert set(outcomes(name, two_classes(1.0, 0.9, means=0.1))) == {FAILS}


def random_labels(true, random, rho, nearest):
    """A run with true labels and with random ones, whose metrics end at so much."""
    curves = {
        name: {(1e-4, 0.0): [2.0, true], (1e-4, 1.0): [2.0, random]}
        for name in ("nc1_ratio", "nc2_norms", "nc2_angles", "nc3_duality")
    }
    curves["rho"] = {(1e-4, 0.0): [10.0, 100.0], (1e-4, 1.0): [10.0, rho]}
    curves["nc4"] = [0.5, nearest]
    return {"square-50-free": way(curves, (1e-4,), (0.0, 1.0))}


def test_collapse_on_random_labels_whatever_the_margin_holds_and_none_fails():
    name = "x-collapse-random-labels"
    assert set(outcomes(name, random_labels(0.02, 0.03, 300.0, 0.0))) == {HOLDS}
    assert set(outcomes(name, random_labels(0.1, 1.9, 100.0, 0.3))) == {FAILS}


def descents(ends):
    """Two losses with three batch sizes, whose NC1 falls from one to so much."""
    found = {}
    for loss, (size, end) in itertools.product(("square", "exponential"), ends.items()):
        data = way({"nc1_ratio": [1.0, end]}, (1e-5,)).assign_attrs(samples=100)
        found[f"{loss}-{size}-lagrange"] = data
    return found


def test_the_smaller_the_batch_the_lower_nc1():
    ends = {"5": 0.01, "20": 0.05, "all": 0.2}
    assert set(outcomes("x-collapse-sgd", descents(ends))) == {HOLDS}
    upside_down = {"5": 0.9, "20": 0.8, "all": 0.7}
    assert set(outcomes("x-collapse-sgd", descents(upside_down))) == {FAILS}


def normalised(weight_norm, rho_eq, errors, drift, batch_norm_rho):
    """Four normalisations; rho of the multiplier goes from 5 to 10."""
    rho = {
        "lagrange": [5.0, 10.0],
        "weight_norm": [5.0, weight_norm],
        "batch_norm": [5.0, batch_norm_rho],
        "literal_lagrange": [5.0, 10.0],
    }
    found = {}
    for (coordinates, curve), error in zip(rho.items(), errors, strict=True):
        data = way(
            {
                "rho": curve, "rho_eq": [5.0, rho_eq * curve[1]], "sigma": [1.0, 0.1],
                "mu": [0.1, 0.1], "train_error": [0.5, error], "test_error": [0.5, error],
            },
            (1e-4,),
        )  # fmt: skip
        shape = (data.sizes["member"], 2, 2)
        layers = np.broadcast_to([[0.0, 0.0], [drift, drift]], shape) * JITTER[:, None, None]
        data["norm_drift"] = (("member", "time", "layer"), layers)
        found[f"square-20-{coordinates}"] = data
    return found


def test_normalisations_that_move_alike_hold_and_others_fail():
    alike = normalised(10.1, 1.0, (0.0, 0.0, 0.0, 0.0), 1e-3, 9.9)
    assert set(outcomes("x-normalisations", alike)) == {HOLDS}
    others = normalised(14.0, 1.3, (0.0, 0.1, 0.2, 0.0), 0.1, 2.0)
    assert set(outcomes("x-normalisations", others)) == {FAILS}


def long_times(entropy_rho, square_rho, entropy_error, square_error, with_decay):
    """Both losses over three looks, without decay and with 1e-3 of it."""
    still = [1.0, 5.0, 5.0]

    def of(rho, error):
        return way(
            {
                "rho": {(0.0, 0.2): rho, (1e-3, 0.2): still},
                "test_error": {(0.0, 0.2): error, (1e-3, 0.2): with_decay},
            },
            (0.0, 1e-3), (0.2,),
        )  # fmt: skip

    return {
        "square-20-free": of(square_rho, square_error),
        "cross_entropy-20-free": of(entropy_rho, entropy_error),
    }


def test_overfitting_at_long_times():
    worse, bad, flat = [0.5, 0.1, 0.2], [0.5, 0.1, 0.15], [0.5, 0.1, 0.1]
    expected = long_times([1.0, 5.0, 6.0], [1.0, 5.0, 5.0], worse, bad, flat)
    assert set(outcomes("x-overfitting", expected)) == {HOLDS}
    slight = [0.5, 0.1, 0.11]
    reverse = long_times([1.0, 5.0, 5.0], [1.0, 5.0, 6.0], flat, slight, worse)
    assert set(outcomes("x-overfitting", reverse)) == {FAILS}


def starts(positive, error):
    """Three lots of 1,000 starts at two depths, so many of which have a positive mean margin."""
    lots = [(layers, seed) for layers in (2, 6) for seed in range(SEEDS)]
    mu = np.where(np.arange(1000) < positive, 1.0, -1.0)
    return {
        "starts": xr.Dataset(
            {
                "mu": (("member", "draw"), np.tile(mu, (len(lots), 1))),
                "train_error": (("member", "draw"), np.full((len(lots), 1000), error)),
                "status": ("member", np.full(len(lots), int(Status.FINISHED))),
            },
            {
                "layers": ("member", [layers for layers, _ in lots]),
                "seed": ("member", [seed for _, seed in lots]),
            },
        )
    }


def test_half_of_the_starts_is_half():
    assert set(outcomes("x-half-separable", starts(500, 0.4))) == {HOLDS}
    assert set(outcomes("x-half-separable", starts(900, 0.0))) == {FAILS}


def test_groups_are_what_differs_by_the_seed_alone():
    data = way({"rho": {(0.0, 0.0): [1.0, 2.0], (1e-3, 0.0): [3.0, 4.0]}}, (0.0, 1e-3))
    found = collapse_drawing.group(data, decay=1e-3)
    assert found.rho.dims == ("seed", "time")
    np.testing.assert_allclose(found.rho, JITTER[:, None] * [3.0, 4.0])
    assert collapse_drawing.last(data, decay=0.0).rho.sel(seed=0) == 2.0


def test_every_panel_has_every_group_and_its_prediction():
    data = way({"rho": [1.0, 2.0], "nc4": [0.5, 0.0]})
    panels = (
        collapse_drawing.Panel("rho", "rho", predicted=math.pi),
        collapse_drawing.Panel("nc4", "NC4", linear=True),
    )
    groups = {"one": collapse_drawing.group(data), "other": collapse_drawing.group(data)}
    figure = collapse_drawing.draw_panels(groups, panels, "by hand")
    first, second, empty = figure.axes
    assert len(first.lines) == 2 + 1 + 2  # curves, the dashed line, and the key's own
    assert first.lines[2].get_ydata()[0] == math.pi
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["one", "other"]
    assert (first.get_yscale(), second.get_yscale()) == ("log", "linear")
    assert not empty.axison
    plt.close(figure)
