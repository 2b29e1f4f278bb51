"""The README's example runs as it stands and says what the text around it says."""

import re
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).resolve().parent.parent / "README.md"


def examples():
    """The README's programs: the notebook's, and the sweep's."""
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def test_the_notebook_example_settles_near_the_predicted_rho():
    code, _ = examples()
    space = {"print": lambda *_: None}
    exec(compile(code, README.name, "exec"), space)
    both = space["both"]
    assert len([line for line in code.splitlines() if line.strip()]) <= 16
    np.testing.assert_allclose(both["flow"]["rho"][-1], both["flow"]["rho_eq"][-1], rtol=0.1)
    assert float(both.distances["sgd"]["rho"][-1]) < float(both.distances["sgd"]["rho"].max())


@pytest.mark.slow
def test_the_sweep_example_gives_bands_over_the_grid(tmp_path, monkeypatch):
    _, code = examples()
    monkeypatch.chdir(tmp_path)
    smaller = code.replace('preset("quickstart")', 'preset("quickstart", "tiny")')
    space = {}
    exec(compile(smaller, README.name, "exec"), space)
    assert space["rho"].dims == ("decay", "initial_rho", "member", "time")
    assert np.all(space["low"] <= space["middle"])
    assert np.all(space["middle"] <= space["high"])


def test_the_files_that_the_readme_names_are_there():
    named = re.findall(r"\]\((docs/[^)]+)\)", README.read_text())
    assert named
    assert all((README.parent / name).is_file() for name in named)
