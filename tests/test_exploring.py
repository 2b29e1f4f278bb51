"""Looking around in a run: what the views show, against NumPy, and what the page holds of it."""

import itertools
import json
import re
import sys

import jax
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from rhoflow import dynamics, experiments, models
from rhoflow.dynamics.observables.simplex import means_in_plane, polygon
from rhoflow.experiments.__main__ import main
from rhoflow.experiments.exploring.drawing import Picture
from rhoflow.experiments.exploring.page import page_of
from rhoflow.experiments.exploring.views import scene
from rhoflow.experiments.labelled_runs import datasets_of, one

ROUND_OFF = 1e-12
KEY = jax.random.key(0)


def problem(classes=3):
    rng = np.random.default_rng(0)
    labels = np.arange(18) % classes
    inputs = rng.standard_normal((18, 5)) + 2 * rng.standard_normal((classes, 5))[labels]
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    network = models.mlp((5, 8, 8, 1 if classes == 2 else classes))
    encoding = "signs" if classes == 2 else "centred"
    return models.Problem(network, inputs, models.encode(labels, encoding), decay=0.01)


def run(classes=3, look=None):
    ours = problem(classes)
    start = models.to_polar(ours.network.init(KEY), rho=1.0)
    look = look or dynamics.observe(*experiments.EXPLORED, "M", "mu", "class_means")
    steps = dynamics.sgd(ours, 0.1, batch_size=6)
    return dynamics.simulate(steps, start, times=np.linspace(0, 4, 9), observe=look, key=KEY)


@pytest.fixture(scope="module")
def three():
    return run()


@pytest.fixture(scope="module")
def views(three):
    return scene(one(three)).views


def marks(view, label):
    return next(mark for mark in view.marks if mark.label.startswith(label))


@pytest.mark.parametrize("classes", [2, 3, 4, 10])
def test_a_simplex_anywhere_in_space_is_seen_as_a_regular_polygon(classes):
    rng = np.random.default_rng(classes)
    frame = np.linalg.qr(rng.standard_normal((12, classes)))[0]
    simplex = 3.7 * (np.eye(classes) - 1 / classes) @ frame.T + rng.standard_normal(12)
    corners = polygon(classes)
    np.testing.assert_allclose(means_in_plane(simplex), corners, rtol=0, atol=ROUND_OFF)
    if classes > 2:
        sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
        radius = np.sqrt(2 / (classes - 1))
        np.testing.assert_allclose(np.linalg.norm(corners, axis=1), radius, rtol=ROUND_OFF)
        np.testing.assert_allclose(sides, 2 * radius * np.sin(np.pi / classes), rtol=ROUND_OFF)


def test_three_means_are_seen_without_distortion_and_as_near_as_any_turn_brings_them():
    means = np.random.default_rng(1).standard_normal((3, 7))
    centred = means - means.mean(axis=0)
    seen, corners = means_in_plane(means), polygon(3)
    # One scale makes all distances in the plane those in space.
    gram = centred @ centred.T
    ratio = gram / (seen @ seen.T)
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-9)
    distance = np.linalg.norm(seen - corners)
    for angle in np.linspace(0, 2 * np.pi, 60):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        for mirror in (np.eye(2), np.diag([1.0, -1.0])):
            assert np.linalg.norm(seen @ turn @ mirror - corners) >= distance - ROUND_OFF


def test_samples_have_their_classes_means_and_no_more_spread_than_in_space(three):
    plane = {name: np.asarray(values[-1]) for name, values in three["simplex_plane"].items()}
    own = np.arange(18) % 3
    np.testing.assert_array_equal(plane["classes"], own)
    by_class = np.stack([plane["samples"][own == c].mean(axis=0) for c in range(3)])
    np.testing.assert_allclose(by_class, plane["means"], rtol=0, atol=1e-10)
    means = np.asarray(three["class_means"][-1])
    np.testing.assert_allclose(plane["means"], means_in_plane(means), rtol=0, atol=1e-10)


def test_two_classes_lie_on_a_line_at_minus_one_and_one():
    seen = run(2, dynamics.observe("simplex_plane"))["simplex_plane"]
    np.testing.assert_allclose(seen["means"][..., 0], [[-1.0, 1.0]] * 9, atol=1e-10)
    assert seen["samples"].shape == (9, 18, 1)


def test_the_line_laid_over_rho_is_mu_over_m_plus_lambda(three, views):
    expected = np.asarray(three["mu"]) / (np.asarray(three["M"]) + 0.01)
    drawn = marks(views["rho"], "mu/(M+lambda)")
    assert drawn.predicted
    np.testing.assert_allclose(drawn.y, expected, rtol=1e-12)
    np.testing.assert_array_equal(marks(views["rho"], "rho").y, three["rho"])
    gap = 1.5 - expected * np.asarray(three["mu"])  # S = C/(C-1) of centred targets
    np.testing.assert_allclose(marks(views["loss"], "gap").y, gap, rtol=1e-12)


def test_the_bars_count_every_margin(three, views):
    margins, bars = np.asarray(three["margins"]), marks(views["margins"], "samples")
    for row in range(9):
        x, y = bars.at(row)
        inside = [
            np.sum((margins[row] >= a) & (margins[row] < b)) for a, b in itertools.pairwise(x)
        ]
        np.testing.assert_allclose(y, np.array(inside) / 18)
        assert y.sum() == pytest.approx(1.0)
    met = marks(views["margins"], "met at")
    assert met.value(8) == pytest.approx(1 / float(three["rho"][-1]))


def test_every_layer_has_its_singular_values(three, views):
    for k, values in enumerate(three["singular_values"]):
        x, y = views["singular_values"].marks[k].at(8)
        np.testing.assert_array_equal(y, values[8])
        np.testing.assert_array_equal(x, 1 + np.arange(len(y)))


def test_what_was_not_observed_is_left_out_and_nothing_at_all_is_refused():
    assert set(scene(one(run(look=dynamics.observe("rho", "mu")))).views) == {"rho"}
    with pytest.raises(experiments.UsageError, match=r"experiments\.EXPLORED"):
        experiments.explore(run(look=dynamics.observe("mu")))


def test_rows_that_were_not_looked_at_show_the_last_one_that_was():
    look = dynamics.observe("rho") | dynamics.observe("singular_values").every(4)
    seen = run(look=look)
    drawn = scene(one(seen)).views["singular_values"].marks[0]
    np.testing.assert_array_equal(drawn.at(7)[1], seen["singular_values"][0][4])
    np.testing.assert_array_equal(drawn.at(8)[1], seen["singular_values"][0][8])


def test_a_run_that_broke_off_is_seen_until_then(three):
    broken = one(three).copy(deep=True)
    broken = broken.where(broken.time <= broken.time[4])
    assert len(scene(broken).times) == 5


def test_the_page_holds_the_numbers_of_the_views(three, views):
    page = page_of(datasets_of(three), "ours </script> & theirs")
    assert "</script> & theirs" not in page
    (told,) = json.loads(re.search(r'id="runs">(.*?)</script>', page, re.DOTALL)[1])
    assert [view["name"] for view in told["views"]] == list(views)
    for view, drawn in zip(told["views"], views.values(), strict=True):
        for mark, ours in zip(view["marks"], drawn.marks, strict=True):
            span = drawn.y.high - drawn.y.low
            wanted = np.where(np.isfinite(ours.y), ours.y, np.nan)
            close = {"rtol": 5e-4, "atol": 1e-3 * span}
            np.testing.assert_allclose(np.array(mark["y"], float), wanted, **close)


def test_members_are_told_apart_and_those_that_are_not_there_refused(three):
    ours = problem()
    steps = dynamics.sgd(ours, 0.1, batch_size=6)
    starts = [models.to_polar(ours.network.init(KEY), rho=rho) for rho in (1.0, 2.0)]
    both = dynamics.ensemble(
        steps, starts, times=[0.0, 1.0], observe=dynamics.observe("rho"), key=KEY
    )
    for member, rho in enumerate((1.0, 2.0)):
        drawn = scene(one(both, member=member)).views["rho"].marks[0]
        assert drawn.y[0] == pytest.approx(rho)
    page = page_of(datasets_of(both), "two")
    assert '"member 1"' in page
    with pytest.raises(experiments.UsageError, match=r"expected a member in 0\.\.1, got 2"):
        one(both, member=2)
    with pytest.raises(experiments.UsageError, match="expected a trajectory"):
        experiments.explore(3)
    with pytest.raises(ValueError, match="did you mean 'margins'"):
        experiments.animate(three, "margin")


def test_without_ipywidgets_there_is_a_figure_with_every_view(three, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    figure = experiments.explore(three)
    assert len(figure.axes) == 5
    assert figure.get_suptitle() == "time 4"


def test_moving_a_picture_moves_every_panel(three):
    picture = Picture(scene(one(three)))
    FigureCanvasAgg(picture.figure)

    def shown():
        picture.figure.canvas.draw()
        return [np.asarray(picture.figure.canvas.buffer_rgba())[at].copy() for at in boxes]

    picture.figure.canvas.draw()
    height = picture.figure.canvas.buffer_rgba().shape[0]
    boxes = []
    for axes in picture.figure.axes:
        box = axes.get_window_extent()
        rows = slice(int(height - box.y1), int(height - box.y0))
        boxes.append((rows, slice(int(box.x0), int(box.x1))))
    last = shown()
    picture.move(1)
    assert all(np.any(one != other) for one, other in zip(last, shown(), strict=True))


def test_the_slider_moves_the_widgets_picture(three):
    widgets = pytest.importorskip("ipywidgets")
    box = experiments.explore(three)
    slider, image = box.children[0].children[1], box.children[-1]
    assert isinstance(image, widgets.Image)
    last = image.value
    slider.value = 2
    assert image.value != last


def test_a_film_is_shown_in_a_notebook_and_saved(three, tmp_path):
    from PIL import Image

    film = experiments.animate(three, "class_means", frames=3)
    assert film._repr_html_().count("data:image/png;base64") >= 3
    film.save(tmp_path / "film.gif", writer="pillow", fps=5, dpi=40)
    with Image.open(tmp_path / "film.gif") as saved:
        assert saved.n_frames == 3


def test_the_command_says_what_is_wrong_in_one_line(tmp_path, capsys):
    assert main(["explore", str(tmp_path)]) == 2
    assert "is no run's folder" in capsys.readouterr().err


def test_one_look_is_a_scene_too():
    alone = run().to_xarray().isel(time=slice(1))
    seen = scene(alone)
    assert all(
        view.x.high > view.x.low and view.y.high > view.y.low for view in seen.views.values()
    )
    assert "NaN" not in page_of({"run": alone}, "one look")


def test_a_film_of_no_frames_is_refused():
    with pytest.raises(ValueError, match="frames"):
        experiments.animate(run(), "rho", frames=0)
