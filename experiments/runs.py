"""Running an experiment, and opening what a run has left.

record = experiments.run(experiments.preset("quickstart", "tiny"))
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
from .experiment import Datasets, Row
from .provenance import provenance
from .tables import as_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUNS = Path("runs")


@dataclass(frozen=True)
class Record:
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

    def rows(self) -> list[Row]:
        """The table's rows."""
        return catalogue.find(self.name).table(self.config, self.datasets)

    def table(self) -> str:
        """The table as text."""
        return as_text(self.rows())

    def draw(self) -> "Figure":
        """The picture, drawn anew from the stored numbers."""
        return catalogue.find(self.name).draw(self.config, self.datasets)


def run(
    config: Any, output: str | Path | None = None, progress: Callable[..., Any] | None = None
) -> Record:
    """Runs an experiment and stores it.

    Args:
        config: A configuration, from `preset` or built by hand.
        output: A folder that does not exist or is empty; ``runs/NAME-DATE-TIME`` unless given.
        progress: Wraps iterations, for example ``tqdm.auto.tqdm``.

    Returns:
        What was found. The folder holds the same, with the table and the picture.

    Raises:
        UsageError: If the folder is taken or cannot be written.
    """
    name = catalogue.name_of(config)
    experiment = catalogue.find(name)
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder = RUNS / f"{name}-{stamp}" if output is None else Path(output)
    origin = provenance() | {"finished": False, "datasets": []}
    storage.create(folder, name, config, origin)
    datasets: Datasets = {}
    began = time.perf_counter()
    try:
        for key, dataset in experiment.compute(config, progress):
            storage.write_dataset(folder, key, dataset)
            datasets[key] = dataset
            origin["datasets"] = list(datasets)
            storage.write_provenance(folder, origin)
    except BaseException:
        if not datasets:
            storage.discard(folder)
        raise
    origin |= {"finished": True, "seconds": round(time.perf_counter() - began, 1)}
    storage.write_provenance(folder, origin)
    record = Record(name, config, folder, origin, datasets)
    _show_in_folder(record)
    return record


def open_run(folder: str | Path) -> Record:
    """Opens a stored run; ``experiments.open`` is this.

    Raises:
        UsageError: If the folder holds no run, or cannot be read.
    """
    name, config, origin, datasets = storage.read(Path(folder))
    return Record(name, config, Path(folder), origin, datasets)


def _show_in_folder(record: Record) -> None:
    (record.folder / "table.txt").write_text(record.table() + "\n")
    figure = record.draw()
    for ending in ("png", "svg"):
        figure.savefig(record.folder / f"picture.{ending}")
