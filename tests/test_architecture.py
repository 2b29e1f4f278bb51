"""The rules of the house, read from the source: imports, sizes, docstrings, purity, packaging.

    models <- dynamics <- experiments, never backwards.

Each rule is a function from source text to a list of complaints. It is applied to every module of
the library, and to planted offences, so that a rule that has gone blind is noticed.
"""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("models", "dynamics", "experiments")  # in the direction of the imports
PURE = ("models", "dynamics")
LONGEST_MODULE = 300
LONGEST_FUNCTION = 50

FORBIDDEN_CALLS = {"print", "open", "input"}
FORBIDDEN_ATTRIBUTES = {"os.environ", "os.getenv", "jax.config"}
FORBIDDEN_IMPORTS = {"time", "datetime", "jax.config", "os.environ", "os.getenv"}

MODULES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
EACH_MODULE = pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))

Function = ast.FunctionDef | ast.AsyncFunctionDef


# The rules.


def package_of(path):
    """The package in which the relative imports of a module start: ("dynamics", "observables")."""
    return Path(path).parts[:-1]


def imported_modules(source, path):
    """Every import as (line, dotted name, level); `from . import a` counts as package.a."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, 0
        elif isinstance(node, ast.ImportFrom):
            package = package_of(path)
            start = package[: len(package) - node.level + 1] if node.level else ()
            for alias in node.names:
                name = ".".join((*start, *filter(None, [node.module]), alias.name))
                yield node.lineno, name, node.level


def backward_imports(source, path):
    """Imports of a folder that stands further along the arrow, relative or absolute."""
    place = FOLDERS.index(Path(path).parts[0])
    return [
        f"{path}:{line} imports {name}"
        for line, name, _ in imported_modules(source, path)
        if name.removeprefix("rhoflow.").split(".")[0] in FOLDERS[place + 1 :]
    ]


def absolute_imports(source, path):
    """Own modules under an absolute name: the same file would be loaded twice."""
    return [
        f"{path}:{line} imports {name}: write it relative"
        for line, name, level in imported_modules(source, path)
        if level == 0 and name.split(".")[0] in ("rhoflow", *FOLDERS)
    ]


def missing_module_docstring(source, path):
    """A module opens with a page for the newcomer."""
    return [] if ast.get_docstring(ast.parse(source)) else [f"{path} opens without a docstring"]


def docstring_lines(node):
    """How many lines a function's docstring takes."""
    if ast.get_docstring(node) is None:
        return 0
    return node.body[0].end_lineno - node.body[0].lineno + 1


def too_long(source, path):
    """Modules over their limit, and functions; their docstrings, the manual, do not count."""
    found = []
    lines = len(source.splitlines())
    if lines > LONGEST_MODULE:
        found.append(f"{path} has {lines} lines")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            lines = node.end_lineno - node.lineno + 1 - docstring_lines(node)
            if lines > LONGEST_FUNCTION:
                found.append(f"{path}:{node.lineno} {node.name} has {lines} lines")
    return found


def impurities(source, path):
    """Files, the screen, the clock, the environment or global flags in a pure folder."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in FORBIDDEN_CALLS:
                found.append(f"{path}:{node.lineno} calls {node.func.id}")
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in FORBIDDEN_ATTRIBUTES:
            found.append(f"{path}:{node.lineno} uses {ast.unparse(node)}")
    for line, name, level in imported_modules(source, path):
        prefixes = {name, name.split(".")[0], ".".join(name.split(".")[:2])}
        if level == 0 and prefixes & FORBIDDEN_IMPORTS:
            found.append(f"{path}:{line} imports {name}")
    return found


def public_names(source):
    """What a package shows: the names in `__all__`, and those that it imports relatively."""
    names = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = (node.level, node.module or "", alias.name)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            for name in ast.literal_eval(node.value):
                names.setdefault(name, None)
    return {name: origin for name, origin in names.items() if not name.startswith("_")}


def definition(source, name):
    """The function or class of that name in a module; None for a value or a type alias."""
    for node in ast.parse(source).body:
        if isinstance(node, Function | ast.ClassDef) and node.name == name:
            return node
    return None


def undocumented(package, root=ROOT):
    """Public functions and classes of a package folder that have no docstring."""
    found = []
    init = root / package / "__init__.py"
    for public, origin in public_names(init.read_text()).items():
        file, name = init, public
        if origin is not None:
            level, module, name = origin
            folder = init.parents[level - 1]
            file = folder.joinpath(*module.split(".")) if module else folder
            file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        node = definition(file.read_text(), name)
        if node is not None and not ast.get_docstring(node):
            found.append(f"{file.relative_to(root)}:{node.lineno} {name} has no docstring")
    return found


def unlisted_packages(listed, root=ROOT):
    """Folders that the wheel would silently lack, and listed ones that are not there."""
    folders = {file.parent for folder in FOLDERS for file in (root / folder).rglob("*.py")}
    there = {".".join(("rhoflow", *folder.relative_to(root).parts)) for folder in folders}
    return sorted(there ^ set(listed))


# The rules hold in the library.


@EACH_MODULE
@pytest.mark.parametrize(
    "rule", [backward_imports, absolute_imports, missing_module_docstring, too_long]
)
def test_a_module_keeps_the_rule(rule, file):
    found = rule(file.read_text(), file.relative_to(ROOT))
    assert not found


@EACH_MODULE
def test_models_and_dynamics_are_pure(file):
    path = file.relative_to(ROOT)
    found = impurities(file.read_text(), path) if path.parts[0] in PURE else []
    assert not found


PACKAGES = sorted({str(file.parent.relative_to(ROOT)) for file in MODULES})


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_a_docstring(package):
    assert not undocumented(package)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_opens_and_is_typed(package):
    assert (ROOT / package / "__init__.py").is_file()
    assert (ROOT / package / "py.typed").is_file()


def test_every_package_is_listed_for_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert not unlisted_packages(project["tool"]["setuptools"]["packages"])


# The rules see an offence.


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("models/a.py", "from ..dynamics.types import State"),
        ("models/a.py", "from .. import dynamics"),
        ("models/a.py", "import rhoflow.experiments"),
        ("dynamics/observables/a.py", "from ...experiments import run"),
        ("dynamics/a.py", "from rhoflow import experiments"),
        ("dynamics/a.py", "def f():\n    import experiments"),
    ],
)
def test_a_backward_import_is_seen(path, source):
    assert backward_imports(source, path)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("dynamics/a.py", "from ..models.polar import Polar"),
        ("dynamics/observables/a.py", "from ... import models\nfrom ..types import State"),
        ("experiments/data/a.py", "from ...dynamics import simulate\nfrom .. import config"),
        ("models/experiments.py", "from .dynamics import x"),  # an own module of that name
    ],
)
def test_a_forward_import_passes(path, source):
    assert not backward_imports(source, path)
    assert not absolute_imports(source, path)


@pytest.mark.parametrize(
    "source",
    ["import rhoflow.models", "from rhoflow import models", "from models.polar import Polar"],
)
def test_an_absolute_import_of_our_own_is_seen(source):
    assert absolute_imports(source, "experiments/a.py")


def test_a_missing_docstring_is_seen():
    assert missing_module_docstring("import jax", "models/a.py")
    assert not missing_module_docstring('"""A page."""', "models/a.py")


def test_a_long_module_and_a_long_function_are_seen():
    body = "    x = 1\n"
    assert not too_long("def f():\n" + body * (LONGEST_FUNCTION - 1), "models/a.py")
    assert too_long("def f():\n" + body * LONGEST_FUNCTION, "models/a.py")
    assert not too_long("x = 1\n" * LONGEST_MODULE, "models/a.py")
    assert too_long("x = 1\n" * (LONGEST_MODULE + 1), "models/a.py")


@pytest.mark.parametrize(
    "source",
    [
        "print(1)",
        "open('a')",
        "os.environ['A'] = 'b'",
        "jax.config.update('jax_enable_x64', True)",
        "from jax import config",
        "import jax.config",
        "import time",
        "from datetime import datetime",
        "from os import environ",
    ],
)
def test_an_impurity_is_seen(source):
    assert impurities(source, "models/a.py")


def test_pure_source_passes():
    source = "import jax\nfrom .time import later\njax.debug.print('{}', x)\nself.config.open()"
    assert not impurities(source, "models/a.py")


def test_an_undocumented_public_name_is_seen(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text(
        "from .a import bare, told, Alias\n__all__ = ['bare', 'own']\ndef own(): pass\n"
    )
    (tmp_path / "models" / "a.py").write_text(
        "Alias = int\ndef bare(): pass\ndef told():\n    'Tells.'\n"
    )
    found = undocumented("models", tmp_path)
    assert [line.split()[1] for line in found] == ["bare", "own"]


def test_an_unlisted_package_is_seen(tmp_path):
    (tmp_path / "models" / "extra").mkdir(parents=True)
    (tmp_path / "models" / "extra" / "a.py").touch()
    assert unlisted_packages(["rhoflow.models.extra"], tmp_path) == []
    assert unlisted_packages([], tmp_path) == ["rhoflow.models.extra"]
