"""Compiling quickly: XLA is told in time, in words that it knows, and the user has the last one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rhoflow import experiments

PROGRAM = """
import os, jax
from rhoflow import experiments
experiments.compile_quickly()
os.environ["XLA_FLAGS"] += " {more}"
print(jax.jit(lambda x: x @ x)(jax.numpy.ones((3, 3))).sum())
"""


def computed(more=""):
    """What a process prints whose flags are set after JAX was imported, with more of them."""
    environment = {**os.environ, "XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"}
    program = PROGRAM.format(more=more)
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )


def test_flags_are_known_and_read_though_jax_is_imported_already():
    assert float(computed().stdout) == 27
    wrong = computed("--xla_no_such_flag=1")
    assert wrong.returncode != 0
    assert "xla_no_such_flag" in wrong.stderr


def test_flags_that_are_set_already_win(monkeypatch):
    mine = "--xla_backend_optimization_level=2"
    monkeypatch.setenv("XLA_FLAGS", mine)
    experiments.compile_quickly()
    flags = os.environ["XLA_FLAGS"].split()
    assert flags[-1] == mine
    assert "--xla_backend_optimization_level=0" in flags[:-1]


CACHED = """
import jax
from rhoflow.experiments import compiling
compiling.keep_programs()
print(jax.jit(lambda x: (x @ x).sum())(jax.numpy.ones((3, 3))))
"""


def test_programs_are_kept_in_the_cache_folder(tmp_path):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "JAX_PLATFORMS": "cpu"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)

    def kept():
        subprocess.run([sys.executable, "-c", CACHED], env=environment, check=True)
        return {path.name for path in tmp_path.rglob("*-cache")}

    first = kept()
    assert first
    assert kept() == first


CROWDED = """
from pathlib import Path
import jax
from rhoflow.experiments.compiling import make_room
def maps():
    return Path("/proc/self/maps").read_bytes().count(b"\\n")
programs = [jax.jit(lambda x, k=k: (x @ x) ** k) for k in range(100)]
given = jax.numpy.ones((3, 3))
found = [program(given).sum() for program in programs]
held = maps()
make_room(0.99)
print(held - maps())
make_room(0)
print(held - maps(), programs[2](given).sum())
"""


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="Linux limits memory maps")
def test_programs_are_forgotten_before_there_are_too_many():
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    told = subprocess.check_output([sys.executable, "-c", CROWDED], env=environment, text=True)
    before, (after, again) = (line.split() for line in told.splitlines())
    assert int(before[0]) <= 0
    assert int(after) >= 100
    assert float(again) == 81
