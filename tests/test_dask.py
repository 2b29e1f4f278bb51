"""A sweep on a Dask cluster one of whose workers is killed in the middle."""

import dataclasses
import os
import signal
import threading
import time

import pytest
import xarray as xr

from rhoflow import experiments

CONFIG = dataclasses.replace(
    experiments.preset("quickstart", "tiny"),
    seeds=1, hidden=(4, 4), duration=2.0, looks=3, initial_rho=(1.0,),
)  # fmt: skip
GRID = {"decay": [0.0, 0.01, 0.02, 0.03]}


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing_but_time(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_ENABLE_X64", "1")  # the workers', as it is here
    distributed = pytest.importorskip("distributed", reason="comes with the extra 'sweeps'")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs="CRITICAL"
    )
    victim = cluster.workers[0].pid

    def kill_when_it_works():
        while not list((tmp_path / "sweep").glob("runs/*/config.json")):
            time.sleep(0.1)
        os.kill(victim, signal.SIGKILL)

    with cluster, distributed.Client(cluster) as client:
        killer = threading.Thread(target=kill_when_it_works)
        killer.start()
        jobs = client.get_executor(retries=3, pure=False)
        found = experiments.sweep(CONFIG, GRID, tmp_path / "sweep", executor=jobs)
        killer.join()
    assert found.missing == 0
    alone = experiments.sweep(CONFIG, GRID, tmp_path / "alone")
    xr.testing.assert_allclose(found.dataset("sgd").rho, alone.dataset("sgd").rho, rtol=1e-10)
