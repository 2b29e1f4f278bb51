"""Runs kept in a folder: stopped anywhere, they go on to the same bits; what is damaged says so."""

import json
import shutil

import jax
import numpy as np
import pytest

from references import LINEAR, LOOK, assert_same_bits, problem, start
from rhoflow import dynamics, experiments
from rhoflow.dynamics.simulate import LOOKS_PER_CHUNK

KEY = jax.random.key(4)
TIMES = 0.2 * np.arange(1, 3 * LOOKS_PER_CHUNK - 10)


class Stops(experiments.FolderCheckpoint):
    """One that is interrupted after so many chunks, before or after it has kept the last."""

    def __init__(self, folder, chunks, every=0.0):
        super().__init__(folder, every)
        self.chunks = chunks

    def keep(self, looks, carry, rows):
        if self.chunks == 0:
            raise KeyboardInterrupt
        self.chunks -= 1
        super().keep(looks, carry, rows)


MAKERS = {
    "sgd": lambda: (dynamics.sgd(problem(), 0.1, momentum=0.5, batch_size=4), KEY),
    "flow": lambda: (dynamics.gradient_flow(problem()), None),
}


def alone(made, checkpoint=None):
    moves, key = MAKERS[made]()
    return dynamics.simulate(
        moves, start(), times=TIMES, observe=LOOK, key=key, checkpoint=checkpoint
    )


def together(made, checkpoint=None):
    moves, key = MAKERS[made]()
    begin = [start(LINEAR, seed) for seed in range(3)]
    return dynamics.ensemble(
        moves, begin, times=TIMES, observe=LOOK, key=key, checkpoint=checkpoint
    )


@pytest.mark.parametrize("made", MAKERS)
@pytest.mark.parametrize("run", [alone, together])
@pytest.mark.parametrize(("chunks", "every"), [(1, 0.0), (2, 1e9)], ids=["written", "flushed"])
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(made, run, chunks, every, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(made, Stops(tmp_path / "kept", chunks, every))
    told = json.loads((tmp_path / "kept" / "progress.json").read_text())
    assert told == {"looks": chunks * LOOKS_PER_CHUNK}
    again, whole = run(made, experiments.FolderCheckpoint(tmp_path / "kept")), run(made)
    assert_same_bits(again.observations, whole.observations)
    assert_same_bits(again.final, whole.final)


def test_rows_beyond_the_counter_are_written_again(tmp_path):
    """As a kill between the rows and the counter leaves them."""
    with pytest.raises(KeyboardInterrupt):
        alone("sgd", Stops(tmp_path / "kept", 2))
    shutil.copytree(tmp_path / "kept" / "rows.zarr", tmp_path / "longer.zarr")
    shutil.rmtree(tmp_path / "kept")
    with pytest.raises(KeyboardInterrupt):
        alone("sgd", Stops(tmp_path / "kept", 1))
    shutil.rmtree(tmp_path / "kept" / "rows.zarr")
    shutil.copytree(tmp_path / "longer.zarr", tmp_path / "kept" / "rows.zarr")
    again = alone("sgd", experiments.FolderCheckpoint(tmp_path / "kept", every=0))
    assert_same_bits(again.observations, alone("sgd").observations)


def test_a_run_shorter_than_the_time_between_writings_leaves_no_folder(tmp_path):
    alone("sgd", experiments.FolderCheckpoint(tmp_path / "kept"))
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    "harm",
    [
        lambda kept: (kept / "progress.json").write_text("{"),
        lambda kept: shutil.rmtree(kept / f"state-{LOOKS_PER_CHUNK}"),
        lambda kept: shutil.rmtree(kept / "rows.zarr" / "0"),
    ],
    ids=["counter", "state", "rows"],
)
def test_what_is_damaged_is_refused(harm, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        alone("sgd", Stops(tmp_path / "kept", 1))
    harm(tmp_path / "kept")
    with pytest.raises(experiments.UsageError, match="it was damaged or belongs to another run"):
        alone("sgd", experiments.FolderCheckpoint(tmp_path / "kept"))


def test_another_run_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        alone("sgd", Stops(tmp_path / "kept", 1))
    with pytest.raises(experiments.UsageError, match="belongs to another run"):
        together("sgd", experiments.FolderCheckpoint(tmp_path / "kept"))


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(experiments.UsageError, match=r"make room or allow writing.*from look 0"):
        alone("sgd", experiments.FolderCheckpoint(tmp_path / "file" / "kept", every=0))
    with pytest.raises(experiments.UsageError, match="every >= 0"):
        experiments.FolderCheckpoint(tmp_path, every=-1)


def test_a_run_of_several_processes_is_not_kept_by_one_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(experiments.UsageError, match="expected one process"):
        alone("sgd", experiments.FolderCheckpoint(tmp_path / "kept"))
