"""Running an experiment, and opening what a run has left.

record = experiments.run(experiments.preset("quickstart", "tiny"))
record = experiments.run(record.config, record.folder)     goes on if it was stopped
record = experiments.open("runs/quickstart-20260102-030405")
record.datasets["flow"]["rho"], record.table(), record.draw()
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import catalogue, storage
from .compiling import make_room
from .experiment import Datasets, Row, Session
from .provenance import provenance
from .showing import Facts, Shown
from .tables import as_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUNS = Path("runs")


@dataclass(frozen=True, repr=False)
class Record(Shown):
    """One run of an experiment.

    Attributes:
        name: The experiment's name.
        config: Its configuration.
        folder: Where it is stored.
        provenance: Versions, devices, command, commit; ``finished`` says whether all is there.
        datasets: What it found, by name, labelled.
    """

    name: str
    config: Any
    folder: Path
    provenance: dict[str, Any]
    datasets: Datasets

    def _facts(self) -> Facts:
        rows = tuple(
            (name, ", ".join(f"{dim} {size}" for dim, size in data.sizes.items()), _first(data))
            for name, data in self.datasets.items()
        )
        done = "finished" if self.provenance.get("finished") else "not finished: run it again there"
        seconds = float(self.provenance.get("seconds", 0.0))
        title = f"Record of {self.name} in {self.folder}: {done}, {seconds:.0f} seconds"
        return title, rows, ("dataset", "sizes", "variables") if rows else ()

    def rows(self) -> list[Row]:
        """The table's rows."""
        return catalogue.find(self.name).table(self.config, self.datasets)

    def table(self) -> str:
        """The table as text."""
        return as_text(self.rows())

    def draw(self) -> "Figure":
        """The picture, drawn anew from the stored numbers."""
        return catalogue.find(self.name).draw(self.config, self.datasets)


def _first(data: Any, most: int = 6) -> str:
    """The names of some variables, and how many there are more."""
    names = [str(name) for name in data.data_vars if not str(name).startswith("count_")]
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def run(
    config: Any,
    output: str | Path | None = None,
    progress: Callable[..., Any] | None = None,
    *,
    pictures: bool = True,
    checkpoint_every: float = 10.0,
) -> Record:
    """Runs an experiment and stores it; one that was stopped goes on in its folder.

    Args:
        config: A configuration, from `preset` or built by hand.
        output: A folder that does not exist or is empty, or that of the same configuration, where
            nothing that is stored is computed again; ``runs/NAME-DATE-TIME`` unless given.
        progress: Wraps iterations, for example ``tqdm.auto.tqdm``.
        pictures: Whether to leave the table and the picture in the folder.
        checkpoint_every: Seconds of work that a kill may cost.

    Returns:
        What was found. The folder holds the same, with the table and the picture.

    Raises:
        UsageError: If the folder is taken, written by another process or cannot be written.
    """
    name = catalogue.name_of(config)
    folder = folder_of(name) if output is None else Path(output)
    with storage.alone(folder):
        origin = provenance() | {"finished": False, "datasets": [], "seconds": 0.0}
        origin, datasets = storage.claim(folder, name, config, origin)
        record = Record(name, config, folder, origin, datasets)
        if not origin["finished"]:
            _compute(record, progress, checkpoint_every)
            if pictures:
                _show_in_folder(record)
    return record


def folder_of(name: str) -> Path:
    """A folder for a run that begins now."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return RUNS / f"{name}-{stamp}"


def _compute(record: Record, progress: Callable[..., Any] | None, every: float) -> None:
    """Computes and stores the parts that are not there yet."""
    try:
        for key, part in catalogue.find(record.name).parts(record.config).items():
            if key in record.datasets:
                continue
            make_room()
            began = time.perf_counter()
            kept = storage.checkpoint_of(record.folder, key)
            dataset = part(Session(progress, kept, every))
            storage.write_dataset(record.folder, key, dataset)
            record.datasets[key] = dataset
            spent = record.provenance["seconds"] + time.perf_counter() - began
            told = {"datasets": list(record.datasets), "seconds": round(spent, 1)}
            record.provenance.update(told)
            storage.write_provenance(record.folder, record.provenance)
    except BaseException:
        if not record.datasets:
            storage.discard(record.folder)
        raise
    record.provenance["finished"] = True
    storage.write_provenance(record.folder, record.provenance)


def open_run(folder: str | Path) -> Record:
    """Opens a stored run; ``experiments.open`` is this.

    Args:
        folder: Where it is.

    Returns:
        The record, finished or not.

    Raises:
        UsageError: If the folder holds no run, or cannot be read.
    """
    name, config, origin, datasets = storage.read(Path(folder))
    return Record(name, config, Path(folder), origin, datasets)


def _show_in_folder(record: Record) -> None:
    from .plotting import save

    (record.folder / "table.txt").write_text(record.table() + "\n")
    figure = record.draw()
    for ending in ("png", "svg"):
        save(figure, record.folder / f"picture.{ending}")
