"""Reproducing figures: the runs that they share, the picture, the verdicts, all in one folder.

    figure = experiments.reproduce("dyn-3", "laptop")
    figure.table(), figure.verdicts

    shared/STUDY-DIGEST     runs (`experiments.runs`), named by study and configuration
    dyn-3/picture.png, .svg
    dyn-3/figure.json       the figure's claims, verdicts, configuration, and where its run lies

A run that is there is not computed again: the figure is drawn anew from it.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cattrs

from . import storage
from .errors import UsageError
from .figures import registry
from .figures.claims import Outcome, Verdict, decide
from .figures.reproduction import Reproduction
from .json_files import digest, write_json
from .plotting import save
from .runs import Record, run
from .showing import Facts, Shown

ROOT, SHARED, FIGURE = Path("runs/figures"), "shared", "figure.json"


@dataclass(frozen=True, repr=False)
class Reproduced(Shown):
    """A figure with what its run says.

    Attributes:
        name: The figure's id.
        figure: Its definition.
        record: The run that it looks at.
        folder: Where picture and verdicts are.
        verdicts: One for each claim.
    """

    name: str
    figure: Reproduction
    record: Record
    folder: Path
    verdicts: tuple[Verdict, ...]

    def _facts(self) -> Facts:
        rows = tuple(
            (one.outcome.value, one.sentence, f"{one.measured}: {one.told()}", one.expected)
            for one in self.verdicts
        )
        title = f"Reproduced {self.name} in {self.folder}: {self.counts()}"
        return title, rows, ("verdict", "claim", "measured", "expected") if rows else ()

    def table(self) -> str:
        """The verdicts as text, two or three lines for each."""
        told = [
            f"{verdict.outcome.value.ljust(9)}  {verdict.sentence}\n"
            f"{'':11}{verdict.measured}: {verdict.told()}, expected {verdict.expected}"
            + (f"\n{'':11}after a first run: {verdict.afterwards}" if verdict.afterwards else "")
            for verdict in self.verdicts
        ]
        return "\n".join(told) or f"{self.name} makes no claim"

    def counts(self) -> str:
        """How many claims hold, fail and are undecided, as text."""
        return counts([verdict.outcome.value for verdict in self.verdicts])

    @property
    def seconds(self) -> float:
        """How long its run took, whenever that was."""
        return float(self.record.provenance["seconds"])


def counts(outcomes: list[str]) -> str:
    """How many there are of each outcome, as text.

    >>> counts(["holds", "fails", "holds"])
    '2 hold, 1 fails'
    """
    several = {Outcome.HOLDS: "hold", Outcome.FAILS: "fail"}
    numbers = {one: outcomes.count(one.value) for one in Outcome}
    told = [
        f"{count} {one.value if count == 1 else several.get(one, one.value)}"
        for one, count in numbers.items()
        if count
    ]
    return ", ".join(told) or "no claim"


def reproduce(
    name: str,
    preset: str = "laptop",
    root: str | Path = ROOT,
    progress: Callable[..., Any] | None = None,
    *,
    config: Any = None,
    checkpoint_every: float = 10.0,
) -> Reproduced:
    """Runs what a figure looks at, unless it is there, draws it and decides its claims.

    Args:
        name: The figure's id, such as ``"dyn-3"``.
        preset: ``"tiny"``, ``"laptop"`` or ``"paper"``.
        root: The folder of all figures and of the runs that they share.
        progress: Wraps iterations, as ``tqdm.auto.tqdm`` does.
        config: Another configuration of the figure's study, in place of the preset's.
        checkpoint_every: Seconds of work that a kill may cost.

    Returns:
        The figure with its run and its verdicts; its folder holds the picture and the verdicts.

    Raises:
        UsageError: If there is no such figure or preset, or a folder cannot be written.
    """
    figure = registry.find(name)
    chosen = registry.configured(name, preset) if config is None else config
    shared = Path(root) / SHARED / f"{figure.study}-{digest(cattrs.unstructure(chosen))}"
    record = run(chosen, shared, progress, pictures=False, checkpoint_every=checkpoint_every)
    verdicts = tuple(decide(claim, record.datasets) for claim in figure.claims)
    reproduced = Reproduced(name, figure, record, Path(root) / name, verdicts)
    _store(reproduced, preset if config is None else "own")
    return reproduced


def _store(reproduced: Reproduced, preset: str) -> None:
    figure, record, folder = reproduced.figure, reproduced.record, reproduced.folder
    picture = figure.draw(record.config, record.datasets)
    told = {
        "name": reproduced.name,
        "document": figure.document,
        "caption": figure.caption,
        "setup": figure.setup,
        "study": figure.study,
        "preset": preset,
        "config": cattrs.unstructure(record.config),
        "run": str(Path("..") / SHARED / record.folder.name),
        "provenance": record.provenance,
        "verdicts": [
            asdict(verdict) | {"outcome": verdict.outcome.value, "told": verdict.told()}
            for verdict in reproduced.verdicts
        ],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for ending in ("png", "svg"):
            save(picture, folder / f"picture.{ending}")
        write_json(folder / FIGURE, told)
    except OSError as error:
        raise storage.cannot_write(folder, error) from error


def stored_figures(root: str | Path = ROOT) -> list[dict[str, Any]]:
    """What `reproduce` has stored in a folder, in the registry's order.

    Returns:
        The content of each ``figure.json``, with ``folder``.

    Raises:
        UsageError: If there is none, or one cannot be read.
    """
    found = []
    for name in registry.REGISTRY:
        file = Path(root) / name / FIGURE
        if not file.is_file():
            continue
        try:
            found.append(json.loads(file.read_text()) | {"folder": file.parent})
        except storage.READING_FAILS as error:
            raise UsageError(
                f"cannot read '{file}' ({type(error).__name__}): run the figure again"
            ) from error
    if not found:
        raise UsageError(f"'{root}' holds no figures: 'rhoflow run all' makes them")
    return found
