"""Separability: the table on runs that are built by hand, and a small run through the storage."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from rhoflow import experiments
from rhoflow.experiments.studies import separability, two_classes

TIMES = np.array([0.0, 1.0, 2.0, 4.0])
RHO = 50.0


def constructed(reached):
    """A dataset of one group whose margins rho fbar_n are given, [member, time, sample]."""
    reached = np.asarray(reached, float)
    members, looks, _ = reached.shape
    lead = ("member", "time")
    each = np.ones((members, looks))
    return xr.Dataset(
        {
            "margins": ((*lead, "sample"), reached / RHO),
            "rho": (lead, RHO * each),
            "rho_eq": (lead, 1.25 * RHO * each),
            "loss": (lead, 0.5 * each),
            "gap": (lead, 0.25 * each),
            "train_error": (lead, np.mean(reached <= 0, axis=2)),
            "test_error": (lead, 0.125 * each),
            "status": ("member", np.zeros(members, int)),
            "count_steps": ("member", np.full(members, 40)),
            "seconds": ("member", np.full(members, 3.0)),
        },
        {
            "time": TIMES,
            "seed": ("member", np.arange(members)),
            "initial_rho": ("member", np.full(members, RHO)),
            "decay": ("member", np.full(members, 1e-3)),
        },
        {"source": "Made by hand."},
    )


# Two samples over four looks.
SEPARATED = [[-1.0, 0.2], [0.3, 0.5], [0.8, 1.0], [0.95, 1.05]]
LOST_AGAIN = [[-1.0, 0.2], [0.3, 0.5], [-0.1, 1.0], [0.5, 1.5]]
NEVER = [[-1.0, 0.2], [-0.3, 0.5], [-0.2, 1.0], [-0.1, 1.0]]
ON_THE_LINE = [[-1.0, 0.2], [0.3, 0.5], [0.8, 1.0], [0.0, 1.0]]


def row(*members):
    config = experiments.preset("separability", "tiny")
    (found,) = separability.table(config, {"sgd": constructed(members)})
    return found


def test_separable_from_the_first_look_after_which_no_margin_is_lost():
    data = constructed([SEPARATED, LOST_AGAIN, NEVER, ON_THE_LINE])
    np.testing.assert_array_equal(two_classes.separable_from(data), [1.0, 4.0, np.nan, np.nan])


def test_a_separated_run_is_told_with_its_margins():
    found = row(SEPARATED)
    assert (found["separable"], found["from t"]) == ("1 of 1", "1.0")
    assert (found["least margin"], found["within 0.1 of 1"]) == ("0.950", "100%")
    assert (found["train err"], found["test err"]) == ("0.00%", "12.5%")
    assert (found["rho"], found["mu/(M+lambda)"], found["off by"]) == ("50.0", "62.5", "2e-01")


def test_a_run_that_separates_nothing_says_so():
    found = row(NEVER)
    assert (found["separable"], found["from t"]) == ("0 of 1", "nan")
    assert (found["least margin"], found["train err"]) == ("-0.100", "50.00%")


def test_one_seed_that_fails_is_not_hidden_by_the_others():
    found = row(SEPARATED, SEPARATED, NEVER)
    assert (found["separable"], found["from t"]) == ("2 of 3", "nan")
    assert (found["least margin"], found["train err"]) == ("-0.100", "50.00%")


def test_a_run_that_diverged_has_no_least_margin():
    data = constructed([SEPARATED, SEPARATED])
    for name in ("margins", "rho", "train_error"):
        data[name][1, 2:] = np.nan
    data["status"][1] = 3
    (found,) = separability.table(None, {"sgd": data})
    assert (found["separable"], found["least margin"]) == ("1 of 2", "nan")
    assert found["train err"] == "nan%"


def test_groups_have_rows_and_pictures_of_their_own():
    small = constructed([SEPARATED])
    large = small.assign_coords(decay=("member", [1e-2]))
    both = {"sgd": xr.concat([small, large], "member").assign_attrs(small.attrs)}
    config = experiments.preset("separability", "tiny")
    assert [found["lambda"] for found in separability.table(config, both)] == ["0.01", "0.001"]
    titles = [axes.get_title(loc="left") for axes in separability.draw(config, both).axes]
    assert len(titles) == 8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"coordinates": "cartesian"}, "among layerwise, sphere"),
        ({"final_rate": 1.5}, "final_rate in"),
        ({"looks": 1000}, "at least one step of SGD apart"),
        ({"epochs": 0}, "epochs > 0"),
    ],
)
def test_what_no_run_could_satisfy_is_refused(change, words):
    with pytest.raises(experiments.UsageError, match=words):
        dataclasses.replace(experiments.preset("separability", "tiny"), **change)


@pytest.mark.slow
def test_a_small_run_is_stored_and_is_what_its_final_weights_say(tmp_path):
    tiny = experiments.preset("separability", "tiny")
    config = dataclasses.replace(tiny, note="Said by the test.")
    record = experiments.run(config, tmp_path / "run")
    again = experiments.open(record.folder)
    assert again.table() == record.table()
    assert again.draw().get_supxlabel().endswith("Said by the test.")
    sgd = again.datasets["sgd"]
    np.testing.assert_array_equal(sgd.count_steps, tiny.epochs * 2)
    (end,) = separability.subjects(again.config, again.datasets)
    last = sgd.isel(member=0, time=-1)
    np.testing.assert_allclose(end.view.rho, last.rho, rtol=1e-12)
    seen = last.margins[: separability.AUDITED]
    np.testing.assert_allclose(margins_of(end), seen, rtol=0, atol=1e-12 * float(abs(seen).max()))


def margins_of(end):
    """The margins of a subject."""
    outputs = end.view.evaluate(end.problem.network, end.problem.inputs)
    signs = np.asarray(end.problem.targets)
    return np.sum(outputs * signs, axis=1) / 2
