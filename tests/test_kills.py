"""Runs and sweeps that are killed and started again end in the same numbers, bit for bit."""

import importlib.util
import random
from pathlib import Path

import pytest

PLACE = Path(__file__).parent.parent / "benchmarks" / "kills.py"


def script():
    specification = importlib.util.spec_from_file_location("kills", PLACE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run", "sweep"])
def test_what_was_killed_goes_on_to_the_same_bits(name, tmp_path):
    assert script().survives(name, 2, random.Random(1), tmp_path)
