"""Figures of sample size: what their claims measure, on runs made by hand."""

import numpy as np
import pytest
import xarray as xr

from rhoflow.dynamics import Status
from rhoflow.experiments.figures import sample_size
from rhoflow.experiments.figures.claims import Outcome, decide

SEEDS, LOOKS, SIZES = 3, 10, (100, 200, 400)
NOISE = 1 + 1e-3 * np.arange(SEEDS)


def run(images, rho, train, test, bound):
    """Members that have come to rest after the first half of the looks."""
    late = np.where(np.arange(LOOKS) < LOOKS // 2, 7.0, 1.0)
    values = {"rho": rho, "rho_eq": rho, "train_error": train, "test_error": test, "bound": bound}
    variables = {
        name: (("member", "time"), value * NOISE[:, None] * late) for name, value in values.items()
    }
    variables["status"] = ("member", np.full(SEEDS, int(Status.FINISHED)))
    coordinates = {
        "seed": ("member", range(SEEDS)), "decay": ("member", [1e-3] * SEEDS),
        "initial_rho": ("member", [2.0] * SEEDS), "time": np.arange(LOOKS),
    }  # fmt: skip
    return xr.Dataset(variables, coordinates, {"images": images})


def runs(tests, bounds, rho=9.0):
    return {
        str(size): run(size, rho, 0.01, test, bound)
        for size, test, bound in zip(SIZES, tests, bounds, strict=True)
    }


@pytest.mark.parametrize(("name", "scale"), [("dyn-6", 100.0), ("dyn-7", 20.0)])
def test_gap_and_bound_against_the_number_of_images(name, scale):
    claims = sample_size.FIGURES[name].claims
    good = runs((0.2, 0.1, 0.05), [scale / np.sqrt(size) for size in SIZES])
    assert [decide(claim, good).outcome for claim in claims] == [Outcome.HOLDS] * 4
    if name == "dyn-6":
        bad = runs((0.05, 0.1, 0.2), (0.2, 0.01, 0.01))
    else:
        bad = runs((0.05, 4.0, 9.0), (0.02, 0.1, 3.0))
    assert [decide(claim, bad).outcome for claim in claims] == [Outcome.FAILS] * 4


def test_only_the_last_fifth_of_the_looks_counts():
    found = sample_size.by_size(runs((0.2, 0.1, 0.05), (3.0, 2.0, 1.0)))
    np.testing.assert_allclose(found.rho, 9.0 * np.tile(NOISE, (3, 1)), rtol=1e-12)
    assert found.images.values.tolist() == list(SIZES)
