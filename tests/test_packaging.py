"""What a user installs is what the repository holds, and a user's own models.py does no harm."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("models", "dynamics", "experiments")

# Prints where the three packages were found; nothing of them may come from the working folder.
IMPORT = """
import rhoflow.models, rhoflow.dynamics, rhoflow.experiments
for package in (rhoflow.models, rhoflow.dynamics, rhoflow.experiments):
    print(package.__file__)
"""


def tracked_files():
    """The files of the repository that are committed or staged, and still there."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git repository: nothing to compare the wheel with")
    # A container may run the tests as another user than the owner of the clone.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    names = listed.stdout.strip("\0").split("\0")
    return [name for name in names if (ROOT / name).is_file()]


def is_package_file(name):
    return name.split("/")[0] in FOLDERS and name.endswith((".py", "/py.typed", ".html"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The unpacked wheel, built from a copy: an old build folder in the clone cannot leak in."""
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("building the wheel needs setuptools 77: install the extra `test`")
    folder = tmp_path_factory.mktemp("packaging")
    for name in tracked_files():
        target = folder / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", folder, folder / "source"], check=True)
    (built,) = folder.glob("rhoflow-*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


@pytest.fixture
def elsewhere(tmp_path):
    """A user's folder, with files whose names are those of our folders."""
    for folder in FOLDERS:
        (tmp_path / f"{folder}.py").write_text("raise RuntimeError('the wrong file')\n")
    return tmp_path


def places(folder, **environment):
    """Where the three packages come from, seen by a fresh interpreter in a folder."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", IMPORT]
    answer = subprocess.run(
        command, cwd=folder, env=clean | environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return [Path(line).resolve() for line in answer.stdout.splitlines()]


@pytest.mark.slow
def test_the_wheel_holds_every_module_of_the_repository_and_no_other(wheel):
    expected = {name for name in tracked_files() if is_package_file(name)}
    inside = {str(file.relative_to(wheel / "rhoflow")) for file in (wheel / "rhoflow").rglob("*.*")}
    assert inside == expected


@pytest.mark.slow
def test_the_wheel_is_imported_beside_files_of_the_same_names(wheel, elsewhere):
    found = places(elsewhere, PYTHONPATH=str(wheel))
    assert found == [wheel.resolve() / "rhoflow" / folder / "__init__.py" for folder in FOLDERS]


def test_the_clone_is_imported_beside_files_of_the_same_names(elsewhere):
    found = places(elsewhere)
    assert found == [ROOT / folder / "__init__.py" for folder in FOLDERS]
