"""The README's example runs as it stands and says what the text around it says."""

import re
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).resolve().parent.parent / "README.md"


def examples():
    """The README's programs: the notebook's, the sweep's, and the audit's."""
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def test_the_notebook_example_settles_near_the_predicted_rho():
    code, _, _ = examples()
    space = {"print": lambda *_: None}
    exec(compile(code, README.name, "exec"), space)
    both = space["both"]
    told = [float(word) for word in re.search(r"^# ([\d. ]+):", code, re.MULTILINE)[1].split()]
    seen = [both["flow"]["rho"][-1], both["flow"]["rho_eq"][-1], both.distances["sgd"]["rho"].max()]
    np.testing.assert_allclose(np.array(seen, float), told, rtol=0.1)
    assert len([line for line in code.splitlines() if line.strip()]) <= 17
    np.testing.assert_allclose(both["flow"]["rho"][-1], both["flow"]["rho_eq"][-1], rtol=0.1)
    assert float(both.distances["sgd"]["rho"][-1]) < float(both.distances["sgd"]["rho"].max())


@pytest.mark.slow
def test_the_sweep_example_gives_bands_over_the_grid(tmp_path, monkeypatch):
    _, code, _ = examples()
    monkeypatch.chdir(tmp_path)
    smaller = code.replace('preset("quickstart")', 'preset("quickstart", "tiny")')
    space = {}
    exec(compile(smaller, README.name, "exec"), space)
    assert space["rho"].dims == ("decay", "initial_rho", "member", "time")
    assert np.all(space["low"] <= space["middle"])
    assert np.all(space["middle"] <= space["high"])


@pytest.mark.slow
def test_weights_of_another_program_are_audited(tmp_path, monkeypatch):
    _, _, code = examples()
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    shapes = ((64, 64), (64, 64), (64, 1))
    np.savez("trained.npz", *(rng.standard_normal(shape) / 8 for shape in shapes))
    inputs = rng.standard_normal((30, 64)) / 12
    lines = []
    space = {"inputs": inputs, "targets": np.sign(inputs[:, 0])}
    space["print"] = lambda *cells, sep: lines.append(sep.join(cells))
    exec(compile(code, README.name, "exec"), space)
    verdicts = [line.split(" | ")[1] for line in lines]
    assert len(verdicts) > 20
    assert "holds" in verdicts
    assert "contested" not in verdicts
