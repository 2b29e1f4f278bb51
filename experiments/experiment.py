"""What an experiment is: a configuration, what it computes, the table and the picture.

Computing and drawing are apart: `compute` yields named datasets, which are stored as they come, and
`table` and `draw` read only those, so that a stored run can be shown and drawn again without
running.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

    from .audit.subjects import Subject

Datasets = dict[str, "xarray.Dataset"]
Row = dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """One question, from its configuration to its picture.

    Attributes:
        config: The frozen dataclass of its fields; they are options of the command line.
        presets: Configurations by name: ``tiny`` (seconds), ``laptop`` (the default) and
            ``paper``.
        compute: ``compute(config, progress) -> (name, dataset), ...``.
        table: ``table(config, datasets) -> rows``, one dict per row, all with the same keys.
        draw: ``draw(config, datasets) -> Figure``.
        subjects: ``subjects(config, datasets)``: points of a stored run, for ``rhoflow audit``.
    """

    config: type
    presets: dict[str, Any]
    compute: Callable[[Any, Any], Iterator[tuple[str, "xarray.Dataset"]]]
    table: Callable[[Any, Datasets], list[Row]]
    draw: Callable[[Any, Datasets], "Figure"]
    subjects: Callable[[Any, Datasets], list["Subject"]] | None = None
