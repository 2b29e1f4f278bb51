"""The programs of the pages in docs/ run as they stand, those of a page one after another."""

import inspect
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rhoflow import dynamics

DOCS = Path(__file__).resolve().parent.parent / "docs"


def run(page):
    """The names that a page's programs leave behind."""
    programs = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    space = {"print": lambda *_: None}
    for program in programs:
        exec(compile(program, page, "exec"), space)
    return space


def test_what_one_adds_is_taken_everywhere():
    space = run("extending.md")
    flow, signs = space["both"]["flow"], space["both"]["signs"]
    assert float(flow["loss"][-1]) < float(flow["loss"][0])
    assert float(signs["loss"][-1]) < float(signs["loss"][0])
    end = space["both"]["flow"].final.position
    outputs = np.asarray(space["network"].apply(end.directions, space["inputs"]))
    margins = np.sign(space["inputs"][:, 0]) * outputs
    np.testing.assert_allclose(flow["unevenness"][-1], margins.std() / margins.mean(), rtol=1e-9)


@pytest.mark.slow
def test_each_task_ends_where_its_text_says():
    space = run("coming-from.md")
    np.testing.assert_allclose(space["times"], 0.2 * np.arange(0, 2001, 100), rtol=1e-6)
    same, path = space["same"], space["path"]
    assert float(space["run"]["loss"][-1]) < float(space["run"]["loss"][0])
    misfit = space["frozen"]["unregularised_loss"]
    assert float(misfit[-1]) < float(misfit[0])
    assert np.isfinite(same["rho"]).all()
    assert np.isfinite(path["rho"]).all()
    assert space["end"].outcome == dynamics.Outcome.CONVERGED


ROOT = DOCS.parent
WRITTEN = [*ROOT.glob("*.md"), *DOCS.glob("*.md"), *ROOT.glob("notebooks/**/*.md")]


@pytest.mark.parametrize("page", sorted(WRITTEN), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_files_that_a_page_names_are_there(page):
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    named = re.findall(r"\[[^\]]*\]\(([^)#:]+)(?:#[^)]*)?\)", prose)
    assert [name for name in named if not (page.parent / name).exists()] == []


def test_the_pages_count_the_verdicts_as_the_table_does():
    rows = (DOCS / "figures" / "verdicts.md").read_text().splitlines()[2:]
    outcomes = Counter(row.split(" | ")[-1].strip(" |") for row in rows)
    holds, fails, undecided = (outcomes[name] for name in ("holds", "fails", "undecided"))
    told = (f"{len(rows)} claims", f"{holds} hold, {fails} fail and {undecided} are undecided")
    for page in (ROOT / "README.md", DOCS / "figures.md"):
        text = " ".join(page.read_text().split())
        assert [words for words in told if words not in text] == []


def test_the_page_of_observables_tells_what_each_is_and_costs():
    page = (DOCS / "observables.md").read_text()
    rows = re.findall(r"^\| (\w+) \| (.*) \| (?:\d+|-) \| (?:[\d.]+|-) \|$", page, re.MULTILINE)
    told = {name: summary.replace(r"\|", "|") for name, summary in rows}
    assert set(told) == set(dynamics.observables.BY_NAME)
    for name, observable in dynamics.observables.BY_NAME.items():
        text = inspect.getdoc(getattr(observable, "func", observable)) or "\n"
        assert told[name] == text.splitlines()[0]
