"""Every public name says what it is: help() of each is a page that one can work from.

Public is what `__all__` of a package names, and of a module among those names its own functions and
classes. The docstring of each, and of the public methods of the classes, keeps these rules.

- It opens with a sentence.
- ``Args:`` has an entry for every parameter, and for nothing else. Obvious are, and need none:
  a problem and a view, which is what every observable is asked of, and its options where the page
  of its module names them in ``code``; a parameter of a type of ours or of a stated shape, where
  there are no more than two; one that the text names in ``code``; all, where the text says whose
  "arguments are those of"; and those of a method that a protocol asks for (`IMPLEMENTED`).
- What it returns is in ``Returns:``, or it opens by naming it: a noun, no verb.
- ``Raises:`` is there where its own body raises.
"""

import ast
import importlib
import inspect
import re
import textwrap
from types import ModuleType

import pytest

PACKAGES = (
    "models",
    "dynamics",
    "dynamics.normalisation",
    "dynamics.observables",
    "dynamics.reduced",
    "experiments",
)

OBSERVABLE = {"problem", "view"}
IMPLEMENTED = {"evaluate", "predict", "begin", "keep", "order"}
"""Methods of `models.View`, of `dynamics.Checkpoint` and of diffrax's solvers."""

PLAIN = re.compile(r"\b(ArrayLike|float|int|str|bool|Any|Callable|Mapping|Sequence|Iterable)\b")
"""Types that say nothing of what a value means."""

VERBS = re.compile(
    r"(Adds|Brings|Builds|Checks|Chooses|Computes|Divides|Draws|Finds|Flattens|Follows|Gives|Makes|"
    r"Measures|Opens|Reads|Refuses|Reproduces|Runs|Scales|Solves|Stops|Takes|Wraps|Writes)\b"
)


def own_names(module):
    """Functions and classes that a module without `__all__` defines."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
        and (inspect.isfunction(value) or inspect.isclass(value))
    ]


def public(module):
    """Every public function and class under a module, by its dotted name."""
    for name in getattr(module, "__all__", None) or own_names(module):
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            yield from public(value)
        elif inspect.isfunction(value) or inspect.isclass(value):
            yield f"{value.__module__.removeprefix('rhoflow.')}.{value.__qualname__}", value


def functions(values):
    """The functions among these, and the public methods of the classes, by name."""
    for name, value in values.items():
        if inspect.isfunction(value):
            yield name, value
            continue
        for method, inner in vars(value).items():
            if inspect.isfunction(inner) and not method.startswith("_"):
                yield f"{name}.{method}", inner


def documented(doc):
    """The names with an entry in the section ``Args:``."""
    found = re.search(r"^Args:\n((?:    .*\n?|\n)*)", doc, re.MULTILINE)
    entries = re.findall(r"^    (\S[^:\n]*):", found.group(1), re.MULTILINE) if found else []
    return {name.strip().lstrip("*") for entry in entries for name in entry.split(",")}


def obvious(name, function, parameters, doc):
    """Of these parameters, those that need no entry."""
    delegated = re.search(r"arguments (and errors )?are those of `", doc, re.IGNORECASE)
    if delegated or name.split(".")[-1] in IMPLEMENTED:
        return set(parameters)
    page = doc
    if set(parameters) >= OBSERVABLE:
        page += inspect.getmodule(function).__doc__ or ""
    told = {one for one in parameters if f"``{one}``" in page}
    typed = {
        one
        for one, value in parameters.items()
        if not PLAIN.search(inspect.formatannotation(value.annotation))
    }
    few = len(set(parameters) - OBSERVABLE) <= 2
    return OBSERVABLE | told | (typed if few else set())


def complaints(name, function):
    """What the docstring of a function lacks."""
    doc, signature = inspect.getdoc(function) or "", inspect.signature(function)
    parameters = {
        one: value
        for one, value in signature.parameters.items()
        if one not in ("self", "cls") and not one.startswith("_")
    }
    summary = doc.split("\n\n")[0]
    found = [] if summary.rstrip().endswith((".", ":", "?")) else ["opens without a sentence"]
    missing = set(parameters) - documented(doc) - obvious(name, function, parameters, doc)
    found += [f"no entry for {one}" for one in sorted(missing)]
    found += [f"{one} is no parameter" for one in sorted(documented(doc) - set(parameters))]
    if signature.return_annotation not in (None, "None") and not re.search(r"^Returns:", doc, re.M):
        found += ["says not what it returns"] if VERBS.match(summary) else []
    if raises(function) and not re.search(r"^Raises:", doc, re.M):
        found += ["raises, and does not say so"]
    return found


def raises(function):
    """Whether the body of a function raises, that of functions inside it left aside."""
    waiting = list(ast.parse(textwrap.dedent(inspect.getsource(function))).body[0].body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise):
            return not (isinstance(node.exc, ast.Name) and node.exc.id == "NotImplementedError")
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))
    return False


NAMES = {
    name: value
    for package in PACKAGES
    for name, value in public(importlib.import_module(f"rhoflow.{package}"))
}


def test_there_are_as_many_names_as_one_would_think():
    assert len(NAMES) > 250
    assert "dynamics.simulate.simulate" in NAMES
    assert "dynamics.reduced.equilibria.on_spheres" in NAMES


@pytest.mark.parametrize("package", sorted({name.rpartition(".")[0] for name in NAMES}))
def test_the_functions_of_a_module_are_documented(package):
    here = {name: value for name, value in NAMES.items() if name.rpartition(".")[0] == package}
    found = {name: told for name, value in functions(here) if (told := complaints(name, value))}
    assert not found, "\n".join(f"{name}: {', '.join(told)}" for name, told in found.items())


@pytest.mark.parametrize("name", [name for name, value in NAMES.items() if inspect.isclass(value)])
def test_a_class_says_what_it_is_and_what_its_fields_are(name):
    value = NAMES[name]
    doc = inspect.getdoc(value) or ""
    fields = [one for one in getattr(value, "__annotations__", {}) if not one.startswith("_")]
    assert doc.split("\n\n")[0].rstrip().endswith((".", ":"))
    if len(fields) > 2:
        section = doc[doc.find("Attributes:") :] if "Attributes:" in doc else ""
        told = {part.strip() for line in re.findall(r"^ +([\w, ]+):", section, re.M)
                for part in line.split(",")}  # fmt: skip
        assert set(fields) <= told


# The rules see an offence.


def planted(scale: float) -> float:
    """Divides one by a number.

    Args:
        scales: Another name.
    """
    if scale == 0:
        raise ValueError
    return 1 / scale


def test_a_page_that_says_too_little_is_seen():
    assert complaints("planted", planted) == [
        "no entry for scale",
        "scales is no parameter",
        "says not what it returns",
        "raises, and does not say so",
    ]
