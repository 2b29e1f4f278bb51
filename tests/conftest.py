"""What every test runs under: double precision, no silent broadcasting, two CPU devices.

Quick tests run once what they compile, so XLA compiles it quickly; the slow ones (``-m slow``) run
what it optimises, as users do.
"""

import hypothesis
import jax
import pytest

from rhoflow.experiments import compile_quickly, use_every_core
from rhoflow.experiments.compiling import make_room

jax.config.update("jax_enable_x64", True)
# [samples] + [samples, features] is a mistake here, never a convenience.
jax.config.update("jax_numpy_rank_promotion", "raise")
# Before the first computation: ensembles spread over devices are tested on any machine.
use_every_core(2)
# What is tested is compiled here, and nothing is left in anybody's home.
jax.config.update("jax_enable_compilation_cache", False)

# The first example pays for the compilation, so no example has a deadline; and everybody tries the
# same examples, so that a failure elsewhere is a failure here.
hypothesis.settings.register_profile("rhoflow", deadline=None, derandomize=True)
hypothesis.settings.load_profile("rhoflow")


def pytest_configure(config):
    """Before the first computation, in every process of the suite."""
    if config.option.markexpr != "slow":
        compile_quickly()


def pytest_runtest_teardown(item, nextitem):
    """Thousands of tests in one process compile more programs than it can hold."""
    if nextitem is None or nextitem.path != item.path or item.get_closest_marker("slow"):
        make_room()


@pytest.fixture
def key():
    """The random key that a test splits as it likes."""
    return jax.random.key(0)
