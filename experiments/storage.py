"""A run's folder: what was asked, what it came from, and what it found.

    config.json        the resolved configuration and the experiment's name
    provenance.json    versions, devices, command, code, and whether the run was finished
    NAME.zarr          one dataset each, stored as soon as it was computed
    NAME.checkpoint    how far it has come (`experiments.checkpoint`), until it is there
    table.txt          the table, as printed
    picture.png, .svg  the picture

Datasets are written beside their place and moved there when whole, so that a run that is killed
leaves whole datasets or none; the two files are replaced in one step. A run goes on in its folder
where configuration and code are the same.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cattrs

from .catalogue import find
from .errors import UsageError
from .json_files import write_json

if TYPE_CHECKING:
    import xarray

CONFIG, PROVENANCE, LOCK = "config.json", "provenance.json", ".lock"
READING_FAILS = (
    OSError,
    ValueError,  # among them bad JSON, bad text and bad zarr chunks
    TypeError,
    KeyError,
    RuntimeError,
    cattrs.BaseValidationError,
)


def claim(
    folder: Path, name: str, config: Any, provenance: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, "xarray.Dataset"]]:
    """Takes a folder for a run: a new one, or that of the same run, which goes on.

    Returns:
        The run's provenance, and the datasets that are there already.

    Raises:
        UsageError: If the folder holds something else, or cannot be made.
    """
    if holds_run(folder):
        return _claim_again(folder, name, config, provenance)
    if folder.exists() and (not folder.is_dir() or any(_files(folder))):
        raise UsageError(
            f"output folder '{folder}' exists and is not empty: "
            "name another with --output, or remove it first"
        )
    try:
        write_json(folder / CONFIG, {"experiment": name, "config": cattrs.unstructure(config)})
        write_provenance(folder, provenance)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return provenance, {}


def _claim_again(
    folder: Path, name: str, config: Any, provenance: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, "xarray.Dataset"]]:
    its_name, its_config, found, datasets = read(folder)
    if (its_name, its_config) != (name, config):
        raise UsageError(
            f"output folder '{folder}' exists and is not empty: it holds a run of {its_name} with "
            "another configuration; name another with --output, or remove it first"
        )
    if not found["finished"] and found.get("code") != provenance["code"]:
        raise UsageError(
            f"'{folder}' holds an unfinished run of other code ({found.get('commit')}): "
            "go on with that, or name another folder with --output"
        )
    return found, datasets


def holds_run(folder: Path) -> bool:
    """Whether a folder is a run's."""
    return (folder / CONFIG).is_file() and (folder / PROVENANCE).is_file()


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps others from writing to a folder meanwhile; a process that is killed lets go.

    Raises:
        UsageError: If another process writes there, or the folder cannot be made.
    """
    import filelock

    lock = filelock.FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise UsageError(
            f"another process is writing to '{folder}': wait for it, or name another folder "
            "with --output"
        ) from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        lock.release()
        if not any(folder.iterdir()):
            folder.rmdir()


def cannot_write(folder: Path, error: OSError) -> UsageError:
    """What to say of a folder that cannot be written."""
    return UsageError(
        f"cannot write to '{folder}' ({error.strerror or error}): make room there, or name another "
        "folder with --output"
    )


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name != LOCK]


def discard(folder: Path) -> None:
    """Takes back what `claim` wrote, where nothing was computed."""
    if all(path.name in (CONFIG, PROVENANCE) for path in _files(folder)):
        for name in (CONFIG, PROVENANCE):
            (folder / name).unlink(missing_ok=True)


def checkpoint_of(folder: Path, name: str) -> Path:
    """Where a dataset's run keeps how far it has come."""
    return folder / f"{name}.checkpoint"


def write_provenance(folder: Path, provenance: dict[str, Any]) -> None:
    """Writes or renews the provenance."""
    write_json(folder / PROVENANCE, provenance)


def write_dataset(folder: Path, name: str, dataset: "xarray.Dataset") -> None:
    """Stores one dataset, whole or not at all, and removes the checkpoint that led to it.

    Raises:
        UsageError: If it cannot be written.
    """
    unfinished = folder / f"{name}.zarr.unfinished"
    try:
        dataset.to_zarr(unfinished, mode="w", consolidated=False)
        unfinished.rename(folder / f"{name}.zarr")
    except OSError as error:
        raise cannot_write(folder, error) from error
    shutil.rmtree(checkpoint_of(folder, name), ignore_errors=True)


def read(folder: Path) -> tuple[str, Any, dict[str, Any], dict[str, "xarray.Dataset"]]:
    """Everything that a run's folder holds: name, configuration, provenance, datasets.

    Raises:
        UsageError: If the folder is missing or holds no run, or its files cannot be read.
    """
    if not (folder / CONFIG).is_file():
        what = "is no run's folder" if folder.is_dir() else "does not exist"
        raise UsageError(f"'{folder}' {what}: name a folder that 'rhoflow run' has written")
    try:
        asked = json.loads((folder / CONFIG).read_text())
        found = json.loads((folder / PROVENANCE).read_text())
        name = asked["experiment"]
        config: Any = cattrs.structure(asked["config"], find(name).config)
        datasets = _read_datasets(folder)
        absent = sorted(set(found["datasets"]) - set(datasets))
    except READING_FAILS as error:
        raise UsageError(
            f"cannot read the run in '{folder}' ({type(error).__name__}): "
            "it was damaged or written by another version; run it again"
        ) from error
    if absent:
        raise UsageError(f"'{folder}' lacks {', '.join(absent)}: it was damaged; run it again")
    return name, config, found, datasets


def _read_datasets(folder: Path) -> dict[str, "xarray.Dataset"]:
    import xarray as xr

    datasets = {}
    for store in sorted(folder.glob("*.zarr")):
        with xr.open_zarr(store, consolidated=False) as dataset:
            datasets[store.stem] = dataset.load()
    return datasets
