"""`experiments.plot`: what it draws is what was observed, and what theory says of it."""

import jax
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from rhoflow import dynamics, experiments, models

TIMES = np.arange(0.0, 41.0, 2.0)
NETWORK = models.mlp((5, 8, 1))
LOOK = dynamics.observe("rho", "loss", "rho_eq", "gap", "margins", "singular_values")
LOOK |= dynamics.observe("mu").every(3)


def problem():
    inputs = np.random.default_rng(0).standard_normal((12, 5))
    inputs = inputs / np.linalg.norm(inputs, axis=1).max()
    return models.Problem(NETWORK, inputs, np.sign(inputs[:, 0]), decay=0.01)


def descent(rate=0.5):
    return dynamics.gradient_descent(problem(), rate)


def start(seed=0):
    return models.to_polar(NETWORK.init(jax.random.key(seed)), rho=1.0)


@pytest.fixture(scope="module")
def run():
    return dynamics.simulate(descent(), start(), times=TIMES, observe=LOOK)


@pytest.fixture(scope="module")
def many():
    starts = [start(seed) for seed in range(5)]
    over = {"decay": [0.01, 0.01, 0.01, 0.01, 1e6]}  # the last one diverges
    return dynamics.ensemble(descent(), starts, times=TIMES, over=over)


@pytest.fixture(scope="module")
def both():
    members = {"half": descent(), "quarter": descent(0.25)}
    return dynamics.compare(members, start(), times=TIMES)


def lines(axes, style="-"):
    return [line for line in axes.get_lines() if line.get_linestyle() == style]


def words(axes):
    return {text.get_text() for text in axes.texts}


def test_a_panel_for_each_name_with_the_observed_numbers_on_the_axis_of_time(run):
    figure = experiments.plot(run, "rho", "loss")
    assert [axes.get_ylabel() for axes in figure.axes] == ["rho", "loss"]
    for axes in figure.axes:
        (line,) = lines(axes)
        np.testing.assert_allclose(line.get_xdata(), TIMES)
        np.testing.assert_allclose(line.get_ydata(), run[axes.get_ylabel()])
        assert axes.get_xlabel() == "time (running sum of learning rates)"
    assert lines(figure.axes[0])[0].get_color() != lines(figure.axes[1])[0].get_color()


@pytest.mark.parametrize(
    ("name", "label", "expected"),
    [
        ("rho", "mu/(M+lambda)", lambda run: run["rho_eq"]),
        ("loss", "gap", lambda run: run["gap"]),
        ("margins", "1/rho", lambda run: 1 / np.asarray(run["rho"])),
    ],
)
def test_what_theory_says_is_dashed_and_named_unless_it_is_not_wanted(run, name, label, expected):
    axes = experiments.plot(run, name).axes[0]
    (dashed,) = lines(axes, "--")
    np.testing.assert_allclose(dashed.get_ydata(), expected(run), rtol=1e-6)
    assert label in words(axes)
    bare = experiments.plot(run, name, theory=False).axes[0]
    assert not lines(bare, "--")
    assert label not in words(bare)


def test_the_axis_is_that_of_what_was_measured_not_of_a_predictions_transient(run):
    axes = experiments.plot(run, "rho").axes[0]
    low, high = axes.get_ylim()
    shown = np.asarray([*run["rho"], run["rho_eq"][-1]])
    assert low <= shown.min()
    assert high >= shown.max()
    assert high - low < 1.3 * np.ptp(shown)


def test_ones_own_prediction_is_laid_over():
    look = dynamics.observe("mu", mu_predicted=lambda _, view: 0.5 * view.rho)
    run = dynamics.simulate(descent(), start(), times=TIMES, observe=look)
    (dashed,) = lines(experiments.plot(run, "mu").axes[0], "--")
    np.testing.assert_allclose(dashed.get_ydata(), run["mu_predicted"])


def test_margins_are_their_median_and_bands(run):
    axes = experiments.plot(run, "margins", theory=False).axes[0]
    margins = np.asarray(run["margins"])
    (line,) = lines(axes)
    np.testing.assert_allclose(line.get_ydata(), np.median(margins, axis=1), atol=1e-6)
    inner, outer = (area.get_paths()[0].vertices for area in axes.collections)
    assert outer[:, 1].max() == pytest.approx(margins.max(), rel=1e-5)
    assert inner[:, 1].max() == pytest.approx(np.quantile(margins, 0.9, axis=1).max(), rel=1e-5)


def test_singular_values_are_a_line_each_in_the_colour_of_their_layer(run):
    axes = experiments.plot(run, "singular_values").axes[0]
    first, second = (np.asarray(layer) for layer in run["singular_values"])
    drawn = np.array([line.get_ydata() for line in lines(axes)])
    np.testing.assert_allclose(drawn, np.concatenate([first, second], axis=1).T, rtol=1e-6)
    colours = [line.get_color() for line in lines(axes)]
    assert len(set(colours[:5])) == 1
    assert colours[5] != colours[0]
    assert {"[0]", "[1]"} <= words(axes)


def test_an_ensemble_is_the_mean_and_a_band_of_members_that_did_not_fail(many):
    assert many.status[-1] == dynamics.Status.DIVERGED
    axes = experiments.plot(many, "rho").axes[0]
    kept = np.asarray(many["rho"])[:4]
    np.testing.assert_allclose(lines(axes)[0].get_ydata(), kept.mean(axis=0), rtol=1e-5)
    (area,) = axes.collections
    highest = np.quantile(kept, 0.9, axis=0).max()
    assert area.get_paths()[0].vertices[:, 1].max() == pytest.approx(highest, rel=1e-5)


def test_a_run_that_failed_is_drawn_up_to_where_it_did():
    broken = dynamics.simulate(descent(1e4), start(), times=1e4 * np.arange(0.0, 100.0))
    assert broken.status == dynamics.Status.DIVERGED
    (line,) = lines(experiments.plot(broken, "rho", theory=False).axes[0])
    found = np.asarray(broken["rho"])
    assert np.isfinite(found).any()
    np.testing.assert_allclose(line.get_ydata(), found[np.isfinite(found)])


def test_members_that_stopped_stay_where_they_did():
    stopped = np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0], [np.nan] * 3])
    data = xr.Dataset(
        {"rho": (("member", "time"), stopped), "status": ("member", [1, 0, 0])},
        {"time": [0.0, 1.0, 2.0]},
    )
    axes = experiments.plot(data, "rho").axes[0]
    np.testing.assert_allclose(lines(axes)[0].get_ydata(), [2.0, 3.0, 3.5])
    assert axes.get_title(loc="left") == "rho: mean and 10..90% of 2 members"


def test_a_comparison_has_a_colour_and_a_name_for_each_and_its_distances(both):
    figure = experiments.plot(both, "rho", "distance_rho")
    rho, distance = figure.axes
    assert {"half", "quarter"} <= words(rho)
    assert len({line.get_color() for line in lines(rho)}) == 2
    drawn = [line.get_ydata() for line in lines(distance)]
    np.testing.assert_allclose(drawn[1], both.distances["quarter"]["rho"])


def test_trajectories_and_datasets_by_name(run, many):
    figure = experiments.plot({"one": run, "many": many.to_xarray()}, "rho")
    assert {"one", "many"} <= words(figure.axes[0])


def test_rows_that_were_not_looked_at_leave_no_holes(run):
    (line,) = lines(experiments.plot(run, "mu").axes[0])
    np.testing.assert_allclose(line.get_xdata(), TIMES[::3])


def test_without_names_all_single_numbers_are_drawn(run):
    titles = {axes.get_ylabel() for axes in experiments.plot(run).axes}
    assert titles == {"rho", "loss", "rho_eq", "gap", "mu"}


def test_what_was_not_observed_is_refused_with_the_nearest_name(run):
    with pytest.raises(ValueError, match=r"unknown observation 'roh' .*'rho'"):
        experiments.plot(run, "roh")
    with pytest.raises(experiments.UsageError, match=r"expected a trajectory.*got a int"):
        experiments.plot(3)


def test_pyplot_and_its_settings_are_left_as_they_were(run):
    before, settings = plt.get_fignums(), dict(mpl.rcParams)
    experiments.plot(run, "rho")
    with pytest.raises(ValueError, match="nothing"):
        experiments.plot(run, "nothing")
    assert plt.get_fignums() == before
    assert dict(mpl.rcParams) == settings
