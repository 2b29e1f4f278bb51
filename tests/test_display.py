"""How things show themselves: in a terminal, in a notebook, and in compiled code."""

import html.parser

import jax
import numpy as np
import pytest

from rhoflow import dynamics, experiments, models

TIMES = np.arange(0.0, 11.0)
NETWORK = models.mlp((5, 8, 1))
LOOK = dynamics.observe("rho", "margins", "nc2_norms") | dynamics.observe("mu").every(3)


def problem():
    inputs = np.random.default_rng(0).standard_normal((12, 5))
    inputs = inputs / np.linalg.norm(inputs, axis=1).max()
    return models.Problem(NETWORK, inputs, np.sign(inputs[:, 0]), decay=0.01)


def start(seed=0, rho=1.0):
    return models.to_polar(NETWORK.init(jax.random.key(seed)), rho=rho)


@pytest.fixture(scope="module")
def run():
    descent = dynamics.gradient_descent(problem(), 0.1)
    return dynamics.simulate(descent, start(), times=TIMES, observe=LOOK)


@pytest.fixture(scope="module")
def many():
    descent = dynamics.gradient_descent(problem(), 0.1)
    starts = [start(seed) for seed in range(2)]
    over = {"decay": [0.01, 1e5]}  # the second one diverges
    return dynamics.ensemble(descent, starts, times=[0.0, 10.0, 20.0], over=over)


@pytest.fixture(scope="module")
def both():
    flow, descent = dynamics.gradient_flow(problem()), dynamics.gradient_descent(problem(), 0.1)
    return dynamics.compare({"flow": flow, "gd": descent}, start(), times=TIMES, observe=LOOK)


class Rows(html.parser.HTMLParser):
    """The text of each row of a page's table; complains of tags that are not closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.rows = [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        assert tag not in ("script", "style")
        assert not {"background", "color"} & {part.split(":")[0].strip() for _, style in attrs
                                              for part in style.split(";")}  # fmt: skip

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "tr" in self.open:
            self.rows[-1].append(data)


def test_a_trajectory_shows_its_times_its_status_and_the_ends_of_its_observations(run):
    title, *lines = repr(run).splitlines()
    assert title == "Trajectory: 11 times from 0 to 10; finished"
    rows = {line.split()[0]: line.split() for line in lines[1:]}
    assert rows["rho"] == ["rho", "1", f"{float(run['rho'][-1]):.4g}"]
    margins = np.asarray(run["margins"])
    assert rows["margins"][:2] == ["margins", "[12]"]
    assert rows["margins"][5:] == [f"{margins[-1].min():.4g}", "..", f"{margins[-1].max():.4g}"]
    # Every third look: the last one that holds a number.
    assert rows["mu"][2] == f"{float(run['mu'][9]):.4g}"
    assert rows["steps"] == ["steps", "100"]


def test_an_ensemble_says_how_many_ended_how_and_what_to_do(many):
    shown = repr(many)
    assert shown.startswith("Trajectory: 2 members, 3 times from 0 to 20; ")
    assert "1 diverged" in shown.splitlines()[0]
    assert dynamics.Status.DIVERGED.sentence in shown


def test_a_comparison_shows_the_last_distances(both):
    assert repr(both).startswith("Comparison: 11 times to 10, last distances to 'flow'")
    line = next(line for line in repr(both).splitlines() if line.split()[0] == "gd").split()
    assert line[-1] == "finished"
    assert line[-2] == f"{float(both.distances['gd']['rho'][-1]):.4g}"


def test_points_problems_and_dynamics_show_shapes_and_numbers():
    assert repr(start(rho=2.5)) == "Polar(rho 2.5, directions ([5, 8], [8, 1]))"
    assert repr(NETWORK).splitlines()[0] == "Network(mlp 5-8-1, 48 weights, with kinks)"
    assert repr(problem()) == (
        "Problem(mlp 5-8-1, inputs [12, 5], targets [12], square loss, decay 0.01)"
    )
    descent = dynamics.sgd(problem(), learning_rate=0.25, momentum=0.5, batch_size=4)
    lines = repr(descent).splitlines()
    assert lines[0] == f"Dynamics(sgd of {problem()})"
    assert [line.split() for line in lines[1:]] == [["learning_rate", "0.25"], ["momentum", "0.5"]]


def test_a_state_shows_where_it_is(run):
    rho = f"{float(run['rho'][-1]):.4g}"
    point = f"Polar(rho {rho}, directions ([5, 8], [8, 1]))"
    assert repr(run.final) == f"State(time 10, {point}, finished)"


def test_tables_are_whole_take_the_pages_colours_and_hold_what_the_text_says(run, many, both):
    for value in (run, many, both, run.final, start(), problem(), NETWORK):
        page = value._repr_html_()
        Rows(page)
    cells = {row[0]: row[1:] for row in Rows(run._repr_html_()).rows}
    assert cells["rho"] == ["1", f"{float(run['rho'][-1]):.4g}"]


def test_names_are_escaped_in_tables():
    look = dynamics.observe(**{"a<b": lambda _, view: view.rho})
    run = dynamics.simulate(
        dynamics.gradient_descent(problem(), 0.1), start(), times=[1.0], observe=look
    )
    assert "a&lt;b" in run._repr_html_()


def test_everything_shows_itself_where_numbers_cannot_be_looked_at(run, both):
    descent = dynamics.gradient_descent(problem(), 0.1)
    seen = []

    @jax.jit
    def inside(*values):
        seen.extend(repr(value) for value in values)
        return [value._repr_html_() for value in values] and 0

    everything = (run, run.final, both, start(), problem(), descent)
    inside(*everything)
    assert "rho" in seen[0]
    assert seen[3] == "Polar(rho [], directions ([5, 8], [8, 1]))"
    for value in everything:
        for other in (lambda _: None, lambda _: object()):
            assert repr(jax.tree.map(other, value))
        assert repr(jax.eval_shape(lambda tree: tree, value))


def test_what_was_given_away_shows_its_shape():
    given = jax.numpy.ones(3)
    given.delete()
    assert repr(models.Polar(given, ())) == "Polar(rho [3], directions ())"


def test_a_labelled_trajectory_has_named_dimensions_and_the_same_numbers(run, many):
    data = run.to_xarray()
    assert data.margins.dims == ("time", "sample")
    np.testing.assert_array_equal(data.margins, run["margins"])
    np.testing.assert_allclose(data.time, TIMES, atol=1e-6)
    assert int(data.status) == dynamics.Status.FINISHED
    assert int(data.count_steps) == 100
    members = many.to_xarray({"decay": [0.01, 1e5]})
    assert members.rho.dims == ("member", "time")
    np.testing.assert_array_equal(members.decay, [0.01, 1e5])


def test_a_record_and_a_sweep_say_what_is_there(tmp_path, run):
    from rhoflow.experiments.runs import Record

    found = {"flow": run.to_xarray()}
    record = Record("quickstart", None, tmp_path, {"finished": True, "seconds": 2.4}, found)
    title, header, row = repr(record).splitlines()
    assert title == f"Record of quickstart in {tmp_path}: finished, 2 seconds"
    assert header.split() == ["dataset", "sizes", "variables"]
    assert "time 11" in row
    assert "sample 12" in row
    grid = {"decay": (0.0, 1e-3), "seed": (1, 2)}
    sweep = experiments.Sweep("quickstart", tmp_path, None, grid, {(0.0, 1): record})
    assert repr(sweep).splitlines() == [
        f"Sweep of quickstart in {tmp_path}: 1 of 4 points",
        "  decay  0.0, 0.001",
        "  seed   1, 2",
    ]
    cells = {row[0]: row[1:] for row in Rows(sweep._repr_html_()).rows}
    assert cells["seed"] == ["1, 2"]


def test_parts_of_an_observation_know_its_name():
    look = dynamics.observe("singular_values", "rho")
    descent = dynamics.gradient_descent(problem(), 0.1)
    data = dynamics.simulate(descent, start(), times=[1.0], observe=look).to_xarray()
    assert data.singular_values_1.attrs == {"observation": "singular_values"}
    assert not data.rho.attrs
