"""Runs and the command line, tried as a user would: what is stored, shown and refused."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from rhoflow import experiments
from rhoflow.experiments import catalogue, storage
from rhoflow.experiments.__main__ import main

CLOSED_FORM = 1e-6
"""Numbers of one run under one formula: the storage is exact, the arithmetic single precision."""


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    return experiments.run(experiments.preset("quickstart", "tiny"), folder)


def said(capsys, *arguments):
    """The exit status and what stood on both streams."""
    status = main(list(arguments))
    out, err = capsys.readouterr()
    return status, out, err


def test_a_run_leaves_config_provenance_data_table_and_picture(record):
    names = {path.name for path in record.folder.iterdir()}
    files = {"config.json", "provenance.json", "table.txt", "picture.png", "picture.svg"}
    assert names == files | {"flow.zarr", "sgd.zarr"}
    origin = json.loads((record.folder / "provenance.json").read_text())
    assert origin["finished"]
    assert origin["versions"]["jax"]
    assert origin["devices"]


def test_a_stored_run_opens_to_the_same_config_and_numbers(record):
    again = experiments.open(record.folder)
    assert again.config == record.config
    for name, data in record.datasets.items():
        assert data.identical(again.datasets[name].assign_attrs(data.attrs))
    assert again.table() == record.table()


def test_members_are_labelled_and_obey_the_loss_formula(record):
    flow = record.datasets["flow"]
    assert set(flow.coords) == {"time", "seed", "initial_rho", "decay"}
    assert flow.sizes["member"] == 4
    second_moment = flow.sigma**2 + flow.mu**2
    loss = 1 - 2 * flow.rho * flow.mu + flow.rho**2 * (second_moment + flow.decay)
    np.testing.assert_allclose(flow.loss, loss, rtol=0, atol=CLOSED_FORM)
    np.testing.assert_allclose(flow.rho.isel(time=0), flow.initial_rho, rtol=CLOSED_FORM)
    np.testing.assert_allclose(
        flow.rho_eq, flow.mu / (second_moment + flow.decay), rtol=1e2 * CLOSED_FORM
    )


def test_flow_and_sgd_are_stored_on_one_time_axis(record):
    flow, sgd = record.datasets["flow"], record.datasets["sgd"]
    np.testing.assert_allclose(flow.time, sgd.time, rtol=0, atol=0.1)
    assert np.all(flow.stated_error_rho >= 0)


@pytest.mark.slow
def test_orders_of_a_linear_network_are_first_second_second_first_first(tmp_path):
    """The tiny preset's two rates: a slope each, within the band of one halving."""
    ran = experiments.run(experiments.preset("order", "tiny"), tmp_path / "order")
    found = ran.datasets["linear"]
    np.testing.assert_allclose(found.order, [1.0, 2.0, 2.0, 1.0, 1.0], atol=0.2)
    flows = ["flow", "modified loss", "second order", "from rest", "wrong sign"]
    assert found.attrs["flows"] == flows
    again = experiments.open(ran.folder)
    assert again.table() == ran.table()


def test_show_prints_the_table_and_the_configuration(record, capsys):
    status, out, _ = said(capsys, "show", str(record.folder))
    assert status == 0
    assert record.table() in out
    assert "learning_rate: 0.02" in out


def test_list_shows_every_experiment(capsys):
    status, out, _ = said(capsys, "list")
    assert status == 0
    assert all(name in out for name in catalogue.CATALOGUE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "quikstart"], "did you mean 'quickstart'"),
        (["run", "quickstart", "--sedes", "3"], "did you mean '--seeds'"),
        (["run", "quickstart", "--data.trian", "3"], "did you mean '--data.train'"),
        (["run", "quickstart", "--seeds", "many"], "--seeds"),
        (["run", "quickstart", "--seeds", "0"], "expected seeds > 0, got 0"),
        (["run", "quickstart", "--decay", "-1"], "not negative in decay"),
        (["run", "quickstart", "--data.classes", "3", "8", "9"], "expected two classes"),
        (["run", "quickstart", "--preset", "huge"], "choose one of tiny, laptop, paper"),
        (["run", "quickstart", "--data.name", "mnits"], "did you mean"),
        (["run", "quickstart", "--momentum", "1.5"], "momentum in [0, 1)"),
        (["run", "quickstart", "--looks", "100000"], "at least one step of SGD apart"),
        (["run", "order", "--networks", "lienar"], "choose among linear, smooth, relu"),
        (["run", "order", "--looks", "7"], "whole steps apart"),
        (["show", "nowhere"], "does not exist"),
        (["list", "--all"], "unknown option '--all'"),
        (["sing"], "invalid choice"),
        ([], "required"),
    ],
)
def test_a_request_that_cannot_be_met_is_one_line_and_status_two(arguments, words, capsys):
    status, out, err = said(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("rhoflow: ")
    assert len(err.splitlines()) == 1
    assert words in err


def test_an_output_folder_that_exists_is_refused_and_kept(record, capsys):
    status, _, err = said(capsys, "run", "quickstart", "--output", str(record.folder))
    assert status == 2
    assert "exists and is not empty" in err
    assert (record.folder / "picture.png").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--batch-size", "500"], "batch size in 1..20"),
        (["--data.name", "mnist", "--data.folder", "missing"], "--data.folder"),
        (["--data.train", "100000"], "100000"),
    ],
)
def test_a_run_that_computes_nothing_leaves_no_folder(arguments, words, tmp_path, capsys):
    folder = tmp_path / "run"
    where = ["--preset", "tiny", "--output", str(folder)]
    status, _, err = said(capsys, "run", "quickstart", *where, *arguments)
    assert status == 2
    assert words in err
    assert not folder.exists()


def test_a_damaged_run_says_so(tmp_path, capsys):
    (tmp_path / "config.json").write_text("{")
    status, _, err = said(capsys, "show", str(tmp_path))
    assert status == 2
    assert "damaged" in err


def test_a_run_that_breaks_off_keeps_what_it_computed_and_goes_on(tmp_path, monkeypatch, capsys):
    experiment, asked = catalogue.find("quickstart"), []

    def breaking(config):
        def breaks(_):
            raise KeyboardInterrupt

        return experiment.parts(config) | {"sgd": breaks}

    def counting(config):
        def counted(name, part):
            return lambda session: (asked.append(name), part(session))[1]

        return {name: counted(name, part) for name, part in experiment.parts(config).items()}

    def with_parts(parts):
        changed = dataclasses.replace(experiment, parts=parts)
        monkeypatch.setattr(catalogue, "find", lambda _: changed)

    folder = str(tmp_path / "run")
    arguments = ["run", "quickstart", "--preset", "tiny", "--output", folder]
    with_parts(breaking)
    assert main(arguments) == 130
    assert f"to go on: rhoflow run quickstart ... --output {folder}" in capsys.readouterr().err
    assert (tmp_path / "run" / "flow.zarr").is_dir()
    assert main(["show", folder]) == 2
    assert "unfinished run" in capsys.readouterr().err
    with_parts(counting)
    for _ in range(2):
        assert main(arguments) == 0
        assert asked == ["sgd"]


def test_an_unfinished_run_of_other_code_is_refused(tmp_path, capsys):
    folder = tmp_path / "run"
    experiments.run(experiments.preset("quickstart", "tiny"), folder)
    origin = json.loads((folder / "provenance.json").read_text())
    changed = json.dumps(origin | {"finished": False, "code": "another"})
    (folder / "provenance.json").write_text(changed)
    status, _, err = said(capsys, "run", "quickstart", "--preset", "tiny", "--output", str(folder))
    assert status == 2
    assert "other code" in err


def test_two_runs_do_not_write_to_one_folder(tmp_path):
    with (
        storage.alone(tmp_path / "run"),
        pytest.raises(experiments.UsageError, match="another pro"),
    ):
        experiments.run(experiments.preset("quickstart", "tiny"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(experiments.UsageError, match="cannot write to"):
        experiments.run(experiments.preset("quickstart", "tiny"), tmp_path / "file" / "run")


def test_help_does_not_wait_for_jax():
    code = (
        "import sys, rhoflow.experiments.__main__ as command; "
        "command.main(['list']); sys.exit('jax' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, check=False
    )
    assert answer.returncode == 0, answer.stderr


def test_finding_an_experiment_computes_nothing():
    """The command line makes devices of the cores after it, which JAX refuses once it has begun."""
    code = (
        "import jax; from rhoflow.experiments import catalogue; "
        "[catalogue.find(name) for name in catalogue.CATALOGUE]; "
        "jax.config.update('jax_num_cpu_devices', 2)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert answer.returncode == 0, answer.stderr
