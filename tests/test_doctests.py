"""Every example in a docstring of the library runs and prints what it says.

They run in single precision, as they do for a reader who pastes one into a fresh session.
`pytest --doctest-modules` would import the files under their folders' names; here each module is
imported under its installed name.
"""

import doctest
import importlib
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("models", "dynamics", "experiments")
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def module_names(root=ROOT):
    """The installed name of every module, found by file so that none is forgotten."""
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            yield ".".join(("rhoflow", *parts)).removesuffix(".__init__")


def failures(module):
    """What the examples of a module print where they go wrong; empty if all is well."""
    report = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for example in doctest.DocTestFinder(exclude_empty=True).find(module):
        runner.run(example, out=report.append)
    return "".join(report)


@pytest.mark.parametrize("name", list(module_names()))
def test_the_examples_of_a_module_print_what_they_say(name):
    with jax.enable_x64(False):
        report = failures(importlib.import_module(name))
    assert not report, report


def test_a_wrong_example_is_reported():
    module = type(doctest)("planted", ">>> 1 + 1\n3\n")
    assert "Expected:\n    3\nGot:\n    2" in failures(module)
