"""What an experiment is: a configuration, the parts it computes, the table and the picture.

Computing and drawing are apart: each of `parts` computes one named dataset, which is stored as it
comes, and `table` and `draw` read only those, so that a stored run can be shown and drawn again
without running. When a run goes on, a part that is stored is not computed again, and one that was
stopped goes on where its checkpoint says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

    from .audit.subjects import Subject
    from .checkpoint import FolderCheckpoint

Datasets = dict[str, "xarray.Dataset"]
Row = dict[str, Any]


@dataclass(frozen=True)
class Session:
    """What a run lends to the part that is being computed.

    Attributes:
        progress: Wraps iterations, as ``tqdm.auto.tqdm`` does; None for silence.
        folder: Where the part may keep what has come; None where nothing is stored.
        every: Seconds between two writings there, at least.
    """

    progress: Callable[..., Any] | None = None
    folder: Path | None = None
    every: float = 10.0

    def checkpoint(self) -> "FolderCheckpoint | None":
        """Keeps the part's one long run, see `dynamics.simulate`."""
        from .checkpoint import FolderCheckpoint

        return None if self.folder is None else FolderCheckpoint(self.folder, self.every)


Part = Callable[[Session], "xarray.Dataset"]


@dataclass(frozen=True)
class Experiment:
    """One question, from its configuration to its picture.

    Attributes:
        config: The frozen dataclass of its fields; they are options of the command line.
        presets: Configurations by name: ``tiny`` (seconds), ``laptop`` (the default) and
            ``paper``.
        parts: ``parts(config) -> {name: part, ...}``, with ``part(session) -> dataset``, in the
            order in which they are computed.
        table: ``table(config, datasets) -> rows``, one dict per row, all with the same keys.
        draw: ``draw(config, datasets) -> Figure``.
        subjects: ``subjects(config, datasets)``: points of a stored run, for ``rhoflow audit``.
    """

    config: type
    presets: dict[str, Any]
    parts: Callable[[Any], dict[str, Part]]
    table: Callable[[Any, Datasets], list[Row]]
    draw: Callable[[Any, Datasets], "Figure"]
    subjects: Callable[[Any, Datasets], list["Subject"]] | None = None
