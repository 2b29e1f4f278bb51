"""Sweeps: one experiment at every point of a grid, as fast and as far as it comes, in one dataset.

    sweep = experiments.sweep(config, {"decay": [0, 1e-4, 1e-3], "initial_rho": [0.5, 2]})
    sweep.dataset("sgd")                        dimensions decay, initial_rho, member, time, ...
    experiments.bands(sweep.dataset("sgd").rho)         quantiles over the members

Every point is a run of its own (`experiments.runs`), in a folder named by the digest of its
configuration and of the code, so that whatever is done stays done: called again, a sweep goes on
where it was, and a larger one begins with what a smaller one has left in the same folder. Points
that differ in numbers alone share their compiled programs; points of other shapes compile anew.

    sweep.json     the experiment, its configuration, the grid, and each point's run
    runs/DIGEST    the runs

Jobs are given to any `concurrent.futures.Executor`, or run one by one in this process.
"""

import concurrent.futures
import functools
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cattrs

from . import catalogue, storage
from .errors import UsageError
from .experiment import Row
from .grid import Grid, checked, points, replaced
from .json_files import digest, write_json
from .provenance import code
from .runs import Record, open_run, run
from .showing import Facts, Shown
from .tables import as_text

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

SWEEPS, PLAN, RUNS = Path("sweeps"), "sweep.json", "runs"

ONE_AT_A_TIME = threading.Lock()
"""Jobs of one process take turns. Each has all devices anyhow, and programs that two threads launch
on several devices can wait for each other for ever."""


@dataclass(frozen=True, repr=False)
class Sweep(Shown):
    """A grid of runs, all there or not.

    Attributes:
        name: The experiment's.
        folder: Where it is stored.
        config: What the points have in common.
        grid: Values by field, the dimensions of `dataset` in this order.
        records: The runs that are finished, by the values at their point.
    """

    name: str
    folder: Path
    config: Any
    grid: Grid
    records: dict[tuple[Any, ...], Record]

    def _facts(self) -> Facts:
        rows = tuple((field, ", ".join(map(str, values))) for field, values in self.grid.items())
        there = f"{len(self.records)} of {len(self.records) + self.missing} points"
        return f"Sweep of {self.name} in {self.folder}: {there}", rows, ()

    @property
    def missing(self) -> int:
        """How many points are not there yet."""
        return len(list(points(self.grid))) - len(self.records)

    def dataset(self, part: str) -> "xarray.Dataset":
        """One part of all runs, with the grid as its first dimensions.

        Args:
            part: Of the experiment, such as ``"flow"``.

        Returns:
            Variables ``[*grid, member, time, ...]``. Members that failed, and points that are
            missing, are NaN; ``status`` says how members ended, NaN where a point is missing.

        Raises:
            UsageError: If the experiment has no such part, or no point is there.
        """
        from .gridded import combined

        found = {values: record.datasets for values, record in self.records.items()}
        if not found:
            raise UsageError(f"'{self.folder}' has no finished run: run the sweep again")
        known = next(iter(found.values()))
        if part not in known:
            raise UsageError(f"unknown part '{part}': choose one of {', '.join(known)}")
        return combined(self.grid, {values: parts[part] for values, parts in found.items()})

    def rows(self) -> list[Row]:
        """The runs' tables, one after another, with the grid's values first."""
        return [
            {"run": _told(self.grid, values), **row}
            for values, record in self.records.items()
            for row in record.rows()
        ]

    def table(self) -> str:
        """The table as text."""
        return as_text(self.rows())

    def draw(self) -> "Figure":
        """Rho(t) as bands over the members, and final rho against mu/(M+lambda).

        Raises:
            UsageError: If none of the experiment's parts observes rho.
        """
        from .sweep_picture import draw

        parts = next(iter(self.records.values())).datasets if self.records else {}
        shown = {part: self.dataset(part) for part in parts}
        shown = {part: data for part, data in shown.items() if {"rho", "rho_eq"} <= set(data)}
        if not shown:
            raise UsageError(f"a sweep of {self.name} has no rho to draw: draw a dataset yourself")
        return draw(list(self.grid), shown)


def sweep(
    config: Any,
    grid: Mapping[str, Sequence[Any]],
    output: str | Path | None = None,
    *,
    executor: concurrent.futures.Executor | None = None,
    progress: Callable[..., Any] | None = None,
    checkpoint_every: float = 10.0,
) -> Sweep:
    """Runs an experiment at every point of a grid and stores everything.

    Args:
        config: What the points have in common, from `preset` or built by hand.
        grid: Values by field of the configuration, ``"data.train"`` for one inside another. A field
            that is a tuple takes one value at a time.
        output: A folder for this sweep; ``sweeps/NAME-DIGEST`` unless given. Called again, it goes
            on there.
        executor: Runs the jobs: a pool of processes, a Dask client's ``get_executor()``. Its
            workers must see the folder. One by one in this process unless given.
        progress: Wraps the iteration over jobs, as ``tqdm.auto.tqdm`` does.
        checkpoint_every: Seconds of work of one run that a kill may cost.

    Returns:
        The sweep, as `open_sweep` opens it.

    Raises:
        UsageError: If the grid is empty, names no field, mixes types or has a point that no run
            could satisfy; if the folder is taken; at the end, if runs have failed.
    """
    name = catalogue.name_of(config)
    wanted = checked(config, grid)
    configs = [replaced(config, wanted, values) for values in points(wanted)]
    plan = _plan(name, config, wanted, configs)
    folder = SWEEPS / f"{name}-{digest(plan)}" if output is None else Path(output)
    with storage.alone(folder):
        _claim(folder, plan)
        places = [folder / RUNS / place for place in plan["runs"]]
        jobs = [
            functools.partial(_job, one, place, checkpoint_every)
            for one, place in zip(configs, places, strict=True)
        ]
        failures = _run_all(jobs, executor, progress)
    if failures:
        raise UsageError(
            f"{len(failures)} of {len(configs)} runs failed, the others are in '{folder}'; the "
            f"first: {failures[0]}"
        )
    return open_sweep(folder)


def open_sweep(folder: str | Path) -> Sweep:
    """Opens a stored sweep, whole or not.

    Args:
        folder: Where it is.

    Returns:
        The sweep, with the runs that are finished.

    Raises:
        UsageError: If the folder holds none, or cannot be read.
    """
    root = Path(folder)
    plan = _read_plan(root)
    try:
        config: Any = cattrs.structure(plan["config"], catalogue.find(plan["experiment"]).config)
        grid = {field: tuple(values) for field, values in plan["grid"].items()}
        places = dict(zip(points(grid), plan["runs"], strict=True))
    except storage.READING_FAILS as error:
        raise _damaged(root, error) from error
    opened = {
        values: open_run(root / RUNS / place)
        for values, place in places.items()
        if storage.holds_run(root / RUNS / place)
    }
    records = {at: record for at, record in opened.items() if record.provenance["finished"]}
    return Sweep(plan["experiment"], root, config, grid, records)


def _read_plan(folder: Path) -> dict[str, Any]:
    if not is_sweep(folder):
        raise UsageError(f"'{folder}' is no sweep's folder: name one 'rhoflow sweep' has written")
    try:
        return dict(json.loads((folder / PLAN).read_text()))
    except storage.READING_FAILS as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> UsageError:
    return UsageError(
        f"cannot read the sweep in '{folder}' ({type(error).__name__}): it was damaged or "
        "written by another version; run it again in another folder"
    )


def is_sweep(folder: str | Path) -> bool:
    """Whether a folder is a sweep's."""
    return (Path(folder) / PLAN).is_file()


def _plan(name: str, config: Any, grid: Grid, configs: list[Any]) -> dict[str, Any]:
    return {
        "experiment": name,
        "config": cattrs.unstructure(config),
        "grid": {field: list(values) for field, values in grid.items()},
        "code": code(),
        "runs": [digest([name, cattrs.unstructure(one), code()]) for one in configs],
    }


def _claim(folder: Path, plan: dict[str, Any]) -> None:
    """Takes a folder for a sweep: a new one, or one of the same experiment and code."""
    if is_sweep(folder):
        before = _read_plan(folder)
        if (before.get("experiment"), before.get("code")) != (plan["experiment"], plan["code"]):
            raise UsageError(
                f"'{folder}' holds a sweep of another experiment or of other code: "
                "name another folder with --output"
            )
    elif any(path.name != storage.LOCK for path in folder.iterdir()):
        raise UsageError(
            f"output folder '{folder}' exists and is not empty: "
            "name another with --output, or remove it first"
        )
    try:
        write_json(folder / PLAN, plan)
    except OSError as error:
        raise storage.cannot_write(folder, error) from error


def _run_all(
    jobs: Sequence[Callable[[], None]],
    executor: concurrent.futures.Executor | None,
    progress: Callable[..., Any] | None,
) -> list[str]:
    """Runs all jobs; a job that fails leaves the others alone. Returns what went wrong."""
    results: Iterator[str | None]
    if executor is None:
        results = (_outcome(job) for job in jobs)
    else:
        futures = [executor.submit(job) for job in jobs]
        done = concurrent.futures.as_completed(futures)
        results = (_outcome(future.result) for future in done)
    watched = results if progress is None else progress(results, total=len(jobs))
    return [told for told in watched if told is not None]


def _job(config: Any, folder: Path, checkpoint_every: float) -> None:
    with ONE_AT_A_TIME:
        run(config, folder, pictures=False, checkpoint_every=checkpoint_every)


def _outcome(act: Callable[[], Any]) -> str | None:
    """None where a job succeeds, else its error in one line."""
    try:
        act()
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None


def _told(grid: Mapping[str, Any], values: tuple[Any, ...]) -> str:
    return ", ".join(f"{field} {value}" for field, value in zip(grid, values, strict=True))
