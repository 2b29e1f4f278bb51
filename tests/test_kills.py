"""Runs and sweeps that are killed and started again end in the same numbers, bit for bit."""

import random

import pytest

from references import benchmark


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run", "sweep"])
def test_what_was_killed_goes_on_to_the_same_bits(name, tmp_path):
    assert benchmark("kills").survives(name, 2, random.Random(1), tmp_path)
