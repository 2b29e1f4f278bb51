"""Sweeps: grids, what is done stays done, one dataset with the grid as dimensions, refusals."""

import concurrent.futures
import dataclasses
import json

import numpy as np
import pytest
import xarray as xr

from rhoflow import experiments
from rhoflow.dynamics import Status
from rhoflow.experiments import catalogue, grid, gridded, storage
from rhoflow.experiments.__main__ import main

TINY = experiments.preset("quickstart", "tiny")
CONFIG = dataclasses.replace(
    TINY, seeds=2, hidden=(4, 4), duration=2.0, looks=3, initial_rho=(1.0,), decay=(0.0,)
)
GRID = {"decay": [0, 0.1], "initial_rho": [0.5, 2.0]}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweeps") / "one"
    return experiments.sweep(CONFIG, GRID, folder)


def counted(monkeypatch):
    """Which points are computed from now on, by their configurations."""
    experiment, asked = catalogue.find("quickstart"), []

    def parts(config):
        asked.append((*config.decay, *config.initial_rho))
        return experiment.parts(config)

    monkeypatch.setattr(catalogue, "find", lambda _: dataclasses.replace(experiment, parts=parts))
    return asked


def test_a_sweep_is_one_dataset_with_the_grid_as_dimensions(done):
    data = done.dataset("sgd")
    assert data.rho.dims == ("decay", "initial_rho", "member", "time")
    assert data.rho.shape == (2, 2, 2, 3)
    assert data.decay.values.tolist() == [0.0, 0.1]
    assert data.seed.dims == ("member",)
    np.testing.assert_allclose(data.rho.isel(time=0).sel(initial_rho=2.0), 2.0, rtol=1e-6)
    assert done.missing == 0


def test_every_point_is_the_run_of_its_configuration(done, tmp_path):
    config = dataclasses.replace(CONFIG, decay=(0.1,), initial_rho=(2.0,))
    alone = experiments.run(config, tmp_path / "alone", pictures=False)
    for part in ("flow", "sgd"):
        one = done.dataset(part).sel(decay=0.1, initial_rho=2.0)
        for name in ("rho", "loss", "margins", "final_layer_1"):
            np.testing.assert_array_equal(one[name], alone.datasets[part][name])


def test_what_is_done_is_not_computed_again(done, monkeypatch):
    asked = counted(monkeypatch)
    larger = {"decay": [0, 0.1, 0.2], "initial_rho": [0.5, 2.0]}
    again = experiments.sweep(CONFIG, larger, done.folder)
    assert asked == [(0.2, 0.5), (0.2, 2.0)]
    first = again.dataset("flow").sel(decay=[0.0, 0.1])
    xr.testing.assert_identical(first.rho, done.dataset("flow").rho)


def test_a_sweep_that_was_stopped_shows_what_is_there_and_goes_on(tmp_path, monkeypatch):
    def two(jobs, total):
        assert total == 4
        for number, job in enumerate(jobs):
            yield job
            if number == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        experiments.sweep(CONFIG, GRID, tmp_path / "sweep", progress=two)
    half = experiments.open_sweep(tmp_path / "sweep")
    assert half.missing == 2
    rho = half.dataset("flow").rho
    assert np.isfinite(rho.sel(decay=0.0)).all()
    assert np.isnan(rho.sel(decay=0.1)).all()
    half.draw()
    asked = counted(monkeypatch)
    assert experiments.sweep(CONFIG, GRID, tmp_path / "sweep").missing == 0
    assert asked == [(0.1, 0.5), (0.1, 2.0)]


@pytest.mark.slow
def test_points_of_other_shapes_and_fields_inside_fields(tmp_path):
    found = experiments.sweep(CONFIG, {"data.train": [10, 20], "batch_size": [5]}, tmp_path / "s")
    assert found.dataset("sgd").rho.dims == ("data.train", "batch_size", "member", "time")
    margins = found.dataset("sgd").margins
    assert margins.sizes["sample"] == 20
    there = np.isfinite(margins).all(["batch_size", "member", "time"])
    assert there.sum("sample").values.tolist() == [10, 20]


def test_other_times_count_the_looks(tmp_path):
    found = experiments.sweep(CONFIG, {"duration": [2.0, 3.0]}, tmp_path / "s").dataset("flow")
    assert found.time_reached.sel(duration=3.0).values.tolist() == [0.0, 1.5, 3.0]


@pytest.mark.slow
def test_jobs_can_be_given_to_an_executor(done, tmp_path):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = experiments.sweep(CONFIG, GRID, tmp_path / "s", executor=pool)
    xr.testing.assert_identical(found.dataset("sgd").rho, done.dataset("sgd").rho)


def test_a_job_that_fails_leaves_the_others(tmp_path):
    with pytest.raises(experiments.UsageError, match=r"1 of 2 runs failed.*batch size"):
        experiments.sweep(CONFIG, {"batch_size": [5, 500]}, tmp_path / "sweep")
    assert experiments.open_sweep(tmp_path / "sweep").missing == 1


def test_members_that_failed_are_left_out_of_bands():
    status = np.array([Status.FINISHED, Status.DIVERGED, Status.FINISHED])
    rho = np.array([[1.0, 2.0], [7.0, 9.0], [3.0, 4.0]])
    data = xr.Dataset(
        {"rho": (("member", "time"), rho), "status": ("member", status)}, {"time": [0.0, 1.0]}
    )
    whole = gridded.combined({"decay": [0.1, 0.2]}, {(0.1,): data})
    assert np.isnan(whole.rho.sel(decay=0.1, member=1)).all()
    assert whole.status.sel(decay=0.1).values.tolist() == [0.0, 3.0, 0.0]
    assert np.isnan(whole.status.sel(decay=0.2)).all()
    low, middle, high = experiments.bands(whole.rho.sel(decay=0.1), quantiles=(0, 0.5, 1))
    assert (low.values.tolist(), high.values.tolist()) == ([1.0, 2.0], [3.0, 4.0])
    assert middle.values.tolist() == [2.0, 3.0]


def test_the_command_line_sweeps_and_shows(tmp_path, capsys):
    folder = str(tmp_path / "sweep")
    arguments = [
        "--preset",
        "tiny",
        "--seeds",
        "1",
        "--duration",
        "2",
        "--looks",
        "3",
        "--hidden",
        "4",
        "4",
    ]
    swept = ["sweep", "quickstart", "--grid", "initial-rho=0.5,2", *arguments, "--output", folder]
    assert main(swept) == 0
    said = capsys.readouterr().out
    assert "2 runs in" in said
    assert (tmp_path / "sweep" / "picture.png").exists()
    assert main(["show", folder]) == 0
    assert "initial_rho 0.5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "expected a grid, got none"),
        (["decay"], "expected --grid FIELD=VALUE,VALUE"),
        (["decay="], "expected --grid FIELD=VALUE,VALUE"),
        (["deacy=0"], "did you mean 'decay'"),
        (["data.trian=5"], "did you mean 'data.train'"),
        (["decay=0,many"], "values of 'decay' to be float, got 'many'"),
        (["seeds=1,2.5"], "values of 'seeds' to be int, got '2.5'"),
        (["decay=0,1,0"], "twice"),
        (["decay=0", "decay=1"], "two grids"),
        (["decay=0,-1"], "not negative in decay"),
        (["data.train=0"], "train"),
    ],
)
def test_grids_that_cannot_be_are_one_line(words, told, capsys):
    given = [part for word in words for part in ("--grid", word)]
    assert main(["sweep", "quickstart", *given]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "expected a grid"),
        ({"decay": []}, "expected a list of values for 'decay'"),
        ({"decay": "0.1"}, "expected a list of values for 'decay'"),
        ({"decay": 0.1}, "expected a list of values for 'decay'"),
        ({"decay": [0.1, "a"]}, "values of 'decay' to be float, got 'a'"),
        ({"seeds": [1, 2.5]}, "values of 'seeds' to be int, got 2.5"),
        ({"seeds": [True]}, "values of 'seeds' to be int, got True"),
    ],
)
def test_grids_from_python_that_cannot_be(wrong, told):
    with pytest.raises(experiments.UsageError, match=told):
        grid.checked(CONFIG, wrong)


def test_values_of_numpy_are_taken():
    assert grid.checked(CONFIG, {"decay": np.array([0.0, 0.5]), "seeds": np.arange(1, 3)}) == {
        "decay": (0.0, 0.5),
        "seeds": (1, 2),
    }


def test_folders_that_are_taken_are_refused(done, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(experiments.UsageError, match="exists and is not empty"):
        experiments.sweep(CONFIG, GRID, tmp_path)
    with pytest.raises(experiments.UsageError, match="no sweep's folder"):
        experiments.open_sweep(tmp_path)
    with storage.alone(done.folder), pytest.raises(experiments.UsageError, match="another process"):
        experiments.sweep(CONFIG, GRID, done.folder)


def test_a_sweep_whose_plan_is_damaged_says_so(tmp_path):
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(experiments.UsageError, match="damaged or written by another version"):
        experiments.sweep(CONFIG, GRID, tmp_path)
    with pytest.raises(experiments.UsageError, match="damaged or written by another version"):
        experiments.open_sweep(tmp_path)


def test_a_sweep_of_other_code_is_refused(tmp_path):
    plan = {"experiment": "quickstart", "code": "another"}
    (tmp_path / "sweep.json").write_text(json.dumps(plan))
    with pytest.raises(experiments.UsageError, match="other code"):
        experiments.sweep(CONFIG, GRID, tmp_path)
    with pytest.raises(experiments.UsageError, match="damaged or written by another version"):
        experiments.open_sweep(tmp_path)
