"""Figures of landscapes and of the logistic equation: what their claims measure, made by hand."""

import numpy as np
import pytest
import xarray as xr

from rhoflow.experiments.figures import coastline, landscape, logistic
from rhoflow.experiments.figures.claims import Outcome, decide

SEEDS, RADII, DECAYS = 3, np.array([1.0, 2.0, 4.0, 8.0]), np.array([1e-2, 1e-3, 1e-4])
NOISE = 1 + 1e-6 * np.arange(SEEDS)


def outcomes(name, figures, datasets):
    return [decide(claim, datasets).outcome for claim in figures[name].claims]


def with_seeds(row):
    return np.multiply.outer(NOISE, np.asarray(row, float))


def coast(loss, rho_eq, loss_eq=(0.1, 0.01, 0.001)):
    """The same branch from every seed, with mu and M such that rho rests where it should."""
    second = np.full(len(DECAYS), 0.05)
    branch = ("seed", "decay")
    return xr.Dataset(
        {
            "loss": (("rho", "seed"), with_seeds(loss).T),
            "rho_eq": (branch, with_seeds(rho_eq)),
            "mu": (branch, np.tile(np.asarray(rho_eq) * (second + DECAYS), (SEEDS, 1))),
            "second_moment": (branch, np.tile(second, (SEEDS, 1))),
            "loss_eq": (branch, with_seeds(loss_eq)),
        },
        {"rho": RADII, "decay": DECAYS, "seed": range(SEEDS)},
    )


def between(mu, second, along=(0.0, 0.5, 1.0)):
    """Loss of given moments along the way, the ends being minima at the largest radius."""
    rho = np.linspace(0, 8, 9)
    mu, second = (np.asarray(part, float)[:, None] for part in (mu, second))
    loss = 1 - 2 * rho * mu + rho**2 * second
    ends = np.tile(loss[[0, -1], -1], (SEEDS, 1))
    return xr.Dataset(
        {
            "loss": (("seed", "along", "rho"), NOISE[:, None, None] * loss[None]),
            "end": (("seed", "which"), ends),
        },
        {"along": list(along), "rho": rho, "seed": range(SEEDS)},
    )


def origin(share):
    signs = np.where(np.arange(100) < 100 * share, 1.0, -1.0)
    return xr.Dataset({"mu": (("seed", "direction"), np.tile(signs, (SEEDS, 1)))})


VALLEY, LOCAL = (0.5, 1e-9, 1e-9, 1e-9), (0.5, 1e-9, 1e-9, 0.3)
INTERPOLATING = ([1 / 8, 0.05, 1 / 8], [1 / 64, 1 / 64, 1 / 64])
CONNECTED = ([1 / 8, 1 / 8, 1 / 8], [1 / 64, 1 / 64, 1 / 64])


def test_the_saddle_and_the_valley():
    datasets = {"origin": origin(0.5), "coastline": coast(VALLEY, (1, 1.5, 1.9))}
    assert outcomes("dyn-2", landscape.FIGURES, datasets) == [Outcome.HOLDS] * 2
    datasets = {"origin": origin(0.9), "coastline": coast(LOCAL, (1, 1.5, 1.9))}
    assert outcomes("dyn-2", landscape.FIGURES, datasets) == [Outcome.FAILS] * 2


def test_barriers_between_minima():
    datasets = {"coastline": coast(VALLEY, (1, 1.5, 1.9)), "between": between(*INTERPOLATING)}
    assert outcomes("m117-7", landscape.FIGURES, datasets) == [Outcome.HOLDS] * 2
    datasets = {"coastline": coast(LOCAL, (1, 1.5, 1.9)), "between": between(*CONNECTED)}
    assert outcomes("m117-7", landscape.FIGURES, datasets) == [Outcome.FAILS] * 2


def test_moments_are_read_off_the_loss():
    mu, second = landscape.moments({"between": between(*INTERPOLATING)})
    np.testing.assert_allclose(mu.isel(seed=0), INTERPOLATING[0], rtol=1e-12)
    np.testing.assert_allclose(second.isel(seed=0), INTERPOLATING[1], rtol=1e-12)


def test_rest_with_decay():
    good = {"coastline": coast(VALLEY, (1.0, 1.5, 1.9))}
    assert outcomes("m117-8", landscape.FIGURES, good) == [Outcome.HOLDS] * 2
    assert outcomes("m117-9", landscape.FIGURES, good) == [Outcome.HOLDS]
    bad = {"coastline": coast(VALLEY, (1.9, 1.5, 1.0))}
    bad["coastline"]["mu"] = 2 * bad["coastline"].mu
    assert outcomes("m117-8", landscape.FIGURES, bad) == [Outcome.FAILS] * 2
    assert outcomes("m117-9", landscape.FIGURES, bad) == [Outcome.FAILS]


def test_equilibria_on_the_coastline():
    rho = np.array([1.0, 2.0, 4.0])
    pull = DECAYS * rho
    falls = (pull[1:] + pull[:-1]) * np.diff(rho)
    on = 0.5 - np.concatenate([[0.0], np.cumsum(falls)])
    good = {"coastline": coast((*on, on[-1]), rho, on)}
    assert outcomes("x-coastline", coastline.FIGURES, good) == [Outcome.HOLDS] * 3
    bad = {"coastline": coast((0.1, 0.05, 0.2, 0.1), rho, (0.9, 0.5, 0.4))}
    assert outcomes("x-coastline", coastline.FIGURES, bad) == [Outcome.FAILS] * 3


def rise(layers, middles, width, predicted=True):
    """Sigmoids with their middles at given times, from starts .01 and .1."""
    times = np.linspace(0, 40, 401)
    rho = 2 / (1 + np.exp(-(times - np.asarray(middles)[:, None]) / width))
    return xr.Dataset(
        {
            "rho": (("member", "time"), rho),
            "predicted": (("member", "time"), rho if predicted else rho + 0.1),
        },
        {"time": times, "initial_rho": ("member", [0.01, 0.1])},
        {"layers": layers, "limit": 2.0},
    )


def test_plateaus_by_depth_and_start():
    law = [2 * 0.01 ** -(1 - 2 / 3), 2 * 0.1 ** -(1 - 2 / 3)]
    good = {"2": rise(2, (5, 3), 0.3), "3": rise(3, law, 0.3)}
    assert outcomes("m117-10", logistic.FIGURES, good) == [Outcome.HOLDS] * 5
    flat = {"2": rise(2, (9, 12), 0.3, predicted=False), "3": rise(3, (5, 6), 20.0)}
    assert outcomes("m117-10", logistic.FIGURES, flat) == [Outcome.FAILS] * 5


def test_the_time_to_half_lies_between_looks():
    found = logistic.halves({"2": rise(2, (5.03, 3.08), 0.3)})
    np.testing.assert_allclose(found.values, [[5.03, 3.08]], atol=1e-3)


@pytest.mark.parametrize("rho", [VALLEY, LOCAL])
def test_rho_0_is_the_first_radius_without_loss(rho):
    assert (
        landscape.first_reached({"coastline": coast(rho, (1, 1, 1))}).values.tolist() == [2.0] * 3
    )
