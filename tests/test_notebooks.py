"""Every chapter in notebooks/ runs without a warning, and its showcases are what they claim."""

import ast
import importlib.util
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
CHAPTERS = sorted(FOLDER.glob("[0-9]_*.py"))
QUICK = ("1",)
"""Chapters that the quick tests execute too."""

DIFFERENCES = 1e-4
"""Central differences of step 1e-5, of a field whose slope has kinks: 1e-6 measured."""


@pytest.fixture(scope="module")
def render():
    """The script of `make notebooks`, as a module."""
    specification = importlib.util.spec_from_file_location("render", FOLDER / "render.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def cells(number, tag):
    """Sources of the cells of a chapter that carry a tag."""
    (chapter,) = (path for path in CHAPTERS if path.stem[0] == number)
    found = jupytext.read(chapter).cells
    return [cell.source for cell in found if tag in cell.metadata.get("tags", ())]


@pytest.mark.parametrize(
    "chapter",
    [
        pytest.param(path, id=path.stem, marks=[] if path.stem[0] in QUICK else pytest.mark.slow)
        for path in CHAPTERS
    ],
)
def test_the_chapter_runs_without_a_warning(chapter, render):
    notebook = render.execute(chapter)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", ()) for output in outputs)


def test_a_chapter_that_warns_is_refused(render, tmp_path):
    loud = tmp_path / "0_loud.py"
    loud.write_text("# %%\nimport warnings\n\nwarnings.warn('mind the gap')\n")
    with pytest.raises(RuntimeError, match=r"0_loud.py warns(.|\n)*mind the gap"):
        render.execute(loud)


@pytest.mark.parametrize(("tag", "lines"), [("own-network", 20), ("own-observable", 15)])
def test_what_is_ones_own_takes_one_short_cell(tag, lines):
    (source,) = cells("7", tag)
    ast.parse(source)
    assert len([line for line in source.splitlines() if line.strip()]) < lines


def test_every_chapter_has_its_page_and_its_row():
    table = (FOLDER / "README.md").read_text()
    for chapter in CHAPTERS:
        page = FOLDER / "rendered" / f"{chapter.stem}.md"
        assert f"rendered/{chapter.stem}.md" in table
        text = page.read_text()
        for cell in jupytext.read(chapter).cells:
            first = cell.source.strip().splitlines()[0].rstrip()
            assert first in text, f"run make notebooks: {page.name} lacks {first!r}"
        assert "Warning" not in text
        assert str(FOLDER.parent) not in text


@pytest.mark.slow
def test_the_decay_for_a_wanted_rho_is_found_and_its_derivative_is_right():
    """Chapter 9: Newton steps through the flow, against the flow itself and central differences."""
    space = {"print": lambda *_: None}
    with plt.rc_context():
        for source in cells("9", "newton"):
            exec(compile(source, "chapter 9", "exec"), space)
    decay, final_rho = space["decay"], space["final_rho"]
    assert abs(float(final_rho(decay)) - space["wanted"]) < 1e-4
    _, slope = space["with_slope"](decay)
    step = 1e-5
    differences = (final_rho(decay + step) - final_rho(decay - step)) / (2 * step)
    np.testing.assert_allclose(slope, differences, rtol=DIFFERENCES)
    assert abs(float(slope)) > 1
