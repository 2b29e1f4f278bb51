"""One ensemble on 1, 2 and 8 devices and on two processes: the same numbers, and it says where."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow.dynamics.placement import Fill, placement, spread
from rhoflow.experiments import use_every_core

SCRIPT = Path(__file__).with_name("spread.py")
BOUND = {"single": 1e-5, "double": 1e-12}
"""Relative, after 200 steps: programs for other numbers of devices may round differently."""


def free_port():
    with socket.socket() as listening:
        listening.bind(("localhost", 0))
        return listening.getsockname()[1]


def stored(folder, devices, processes, precision):
    """What the ensemble has found on so many devices of so many processes."""
    file, port = folder / f"{devices}-{processes}-{precision}.npz", free_port()
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    started = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT)]
            + [str(word) for word in (file, devices, processes, rank, port, precision)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in range(processes)
    ]  # fmt: skip
    for process in started:
        told, _ = process.communicate(timeout=300)
        assert process.returncode == 0, told
    with np.load(file) as found:
        return dict(found)


@pytest.mark.slow
@pytest.mark.parametrize("precision", BOUND)
def test_members_are_the_same_on_any_number_of_devices_and_processes(precision, tmp_path):
    found = {
        (devices, processes): stored(tmp_path, devices, processes, precision)
        for devices, processes in ((1, 1), (2, 1), (8, 1), (2, 2))
    }
    told = {where: str(one.pop("placement")) for where, one in found.items()}
    assert told == {
        (1, 1): "map on 1 device",
        (2, 1): "map on 2 devices",
        (8, 1): "map on 8 devices",
        (2, 2): "map on 2 devices in each of 2 processes",
    }
    for one in found.values():
        for name, values in found[1, 1].items():
            assert len(values) == 5
            apart = np.max(np.abs(one[name] - values)) / np.max(np.abs(values))
            assert apart <= BOUND[precision], name


UNEVEN = """
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", 2)
from references import LINEAR, problem, start
from rhoflow import dynamics
steps = dynamics.gradient_descent(problem(), 1e-6)
times = 1e-6 * np.array([[1, 2], [1, 2], [400_000, 400_001]])
runs = dynamics.ensemble(steps, [start(LINEAR, seed) for seed in range(3)], times=times)
print(runs.status)
"""
IMPATIENT = "--xla_cpu_collective_call_terminate_timeout_seconds=1"


@pytest.mark.slow
def test_a_device_that_is_done_early_waits_for_the_others():
    """XLA ends a process where a device has waited too long, 40 seconds unless told otherwise."""
    done = subprocess.run(
        [sys.executable, "-c", UNEVEN], cwd=SCRIPT.parent, timeout=300, check=False,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": IMPATIENT},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("FINISHED") == 3


def sines(_, count, value):
    """So many of them, which takes a while."""
    return jax.lax.fori_loop(0, count, lambda _, y: jnp.sin(y), value)


def test_copies_are_taken_off_when_all_members_are_there():
    """What is cut from them before waits on one device for the other."""
    counts = jnp.array([1, 1, 20_000_000, 20_000_000])
    members = spread(sines, placement("map"))(None, counts, jnp.ones((4, 3)))
    assert not members.is_ready()
    cut = Fill(3, 1).off(members)
    assert members.is_ready()
    assert cut.shape == (3, 3)


CORES = """
import os, jax, threadpoolctl
from rhoflow import experiments
experiments.use_every_core({count})
blas = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()
        if pool["user_api"] == "blas"]
print(jax.local_device_count(), os.cpu_count(), *set(blas))
"""


@pytest.mark.parametrize("count", ["", "3"])
def test_each_core_is_a_device_with_one_thread_of_blas(count):
    told = subprocess.check_output(
        [sys.executable, "-c", CORES.format(count=count)], text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    devices, cores, *threads = map(int, told.split())
    assert devices == (int(count) if count else cores)
    assert threads == [1]


def test_no_number_of_devices_but_a_whole_one_is_taken():
    with pytest.raises(ValueError, match="count"):
        use_every_core(0)
