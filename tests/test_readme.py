"""The README's example runs as it stands and says what the text around it says."""

import re
from pathlib import Path

import numpy as np

README = Path(__file__).resolve().parent.parent / "README.md"


def test_the_notebook_example_settles_near_the_predicted_rho():
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    space = {"print": lambda *_: None}
    exec(compile(code, README.name, "exec"), space)
    both = space["both"]
    assert len([line for line in code.splitlines() if line.strip()]) <= 16
    np.testing.assert_allclose(both["flow"]["rho"][-1], both["flow"]["rho_eq"][-1], rtol=0.1)
    assert float(both.distances["sgd"]["rho"][-1]) < float(both.distances["sgd"]["rho"].max())


def test_the_files_that_the_readme_names_are_there():
    named = re.findall(r"\]\((docs/[^)]+)\)", README.read_text())
    assert named
    assert all((README.parent / name).is_file() for name in named)
