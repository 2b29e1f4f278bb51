"""A run's folder: what was asked, what it came from, and what it found.

    config.json        the resolved configuration and the experiment's name
    provenance.json    versions, devices, command, commit, and whether the run was finished
    NAME.zarr          one dataset each, stored as soon as it was computed
    table.txt          the table, as printed
    picture.png, .svg  the picture

Datasets are written beside their place and moved there when whole, so that a run that is killed
leaves whole datasets or none.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cattrs

from .catalogue import find
from .errors import UsageError

if TYPE_CHECKING:
    import xarray

CONFIG, PROVENANCE = "config.json", "provenance.json"
READING_FAILS = (
    OSError,
    ValueError,  # among them bad JSON, bad text and bad zarr chunks
    TypeError,
    KeyError,
    RuntimeError,
    cattrs.BaseValidationError,
)


def create(folder: Path, name: str, config: Any, provenance: dict[str, Any]) -> None:
    """Makes a run's folder with its configuration and provenance.

    Raises:
        UsageError: If the folder exists and is not empty, or cannot be made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"output folder '{folder}' exists and is not empty: "
            "name another with --output, or remove it first"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_json(folder / CONFIG, {"experiment": name, "config": cattrs.unstructure(config)})
        write_provenance(folder, provenance)
    except OSError as error:
        raise UsageError(
            f"cannot write to '{folder}' ({error.strerror}): name another folder with --output"
        ) from error


def discard(folder: Path) -> None:
    """Takes back what `create` made, where nothing was computed."""
    for name in (CONFIG, PROVENANCE):
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def write_provenance(folder: Path, provenance: dict[str, Any]) -> None:
    """Writes or renews the provenance."""
    _write_json(folder / PROVENANCE, provenance)


def write_dataset(folder: Path, name: str, dataset: "xarray.Dataset") -> None:
    """Stores one dataset, whole or not at all."""
    unfinished = folder / f"{name}.zarr.unfinished"
    dataset.to_zarr(unfinished, mode="w", consolidated=False)
    unfinished.rename(folder / f"{name}.zarr")


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


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n")
