"""The command line: ``rhoflow list | run | sweep | show | explore | audit | report``.

    rhoflow list                                what can be run
    rhoflow run quickstart                      runs it, prints its table, stores its picture
    rhoflow run quickstart --preset tiny --seeds 2 --data.train 50 --output here
    rhoflow sweep quickstart --grid decay=0,1e-3 --grid initial_rho=0.5,2 --seeds 10
    rhoflow run dyn-3 --preset laptop           reproduces a document's figure, decides its claims
    rhoflow run all --preset laptop             every figure; run again, it goes on where it was
    rhoflow report                              a page of all figures that were reproduced
    rhoflow show runs/quickstart-...            the table and the configuration of a stored run
    rhoflow explore runs/quickstart-...         a page with a slider over time, for any browser
    rhoflow audit                               which statements of the documents hold
    rhoflow audit runs/quickstart-...           which of them hold on a stored run

Fields of the configuration are options; ``rhoflow run NAME --help`` lists them. A request that
cannot be met ends in one line on standard error and exit status 2.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from typing import Any

from . import catalogue
from .compiling import compile_quickly, keep_programs
from .cores import use_every_core
from .data import DataError
from .errors import UsageError
from .figures import registry
from .interruption import telling_how_to_go_on
from .options import HELP, configured, parser, refuse, usage

DESCRIPTION = "Gradient flow and SGD of deep homogeneous networks in polar coordinates."


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: What follows ``rhoflow``; the process's own unless given.

    Returns:
        The exit status: 0, 2 for a request that cannot be met, 130 when interrupted.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options, rest = parser(DESCRIPTION).parse_known_args(given)
        return COMMANDS[options.command](options, rest)
    except Exception as error:
        if not _is_a_refusal(error):
            raise
        print(f"rhoflow: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interruption:
        how = f"; to go on: {interruption}" if interruption.args else ""
        print(f"rhoflow: interrupted{how}", file=sys.stderr)
        return 130


def _is_a_refusal(error: Exception) -> bool:
    """Whether the user can mend it; anything else is a fault of ours and keeps its traceback."""
    if isinstance(error, UsageError | DataError | FileNotFoundError):
        return True
    checks = sys.modules.get(f"{__package__.removesuffix('.experiments')}.models.checks")
    return checks is not None and isinstance(error, checks.Refusal)


def _list(_: argparse.Namespace, rest: list[str]) -> int:
    refuse(rest)
    told = {name: entry.question for name, entry in catalogue.CATALOGUE.items()}
    figures = {name: entry.shows for name, entry in registry.REGISTRY.items()}
    width = max(map(len, [*told, *figures]))
    for title, lines in (("experiments", told), ("figures of the documents", figures)):
        print(f"{title}:")
        for name, says in lines.items():
            print(f"  {name.ljust(width)}  {says}")
    print(
        "rhoflow run NAME [--preset tiny|laptop|paper] runs one, rhoflow run NAME --help tells more"
    )
    return 0


def _run(options: argparse.Namespace, rest: list[str]) -> int:
    if options.name == registry.ALL:
        return _run_all_figures(options, rest)
    if options.name in registry.REGISTRY:
        return _run_figure(options, rest)
    config = _asked(options, rest)
    if config is None:
        return 0
    _prepare()
    from .runs import folder_of, run

    folder = options.output or folder_of(options.name)
    print(f"computing {options.name} in {folder}", file=sys.stderr, flush=True)
    with telling_how_to_go_on(f"rhoflow run {options.name} ... --output {folder}"):
        every = options.checkpoint_every
        record = run(config, folder, _progress(), checkpoint_every=every)
    _print_record(record)
    return 0


def _run_figure(options: argparse.Namespace, rest: list[str]) -> int:
    default = registry.configured(options.name, options.preset)
    config = configured(options.command, options.name, default, rest)
    if config is None:
        return 0
    _prepare()
    from .reproductions import ROOT, reproduce

    with telling_how_to_go_on("the same command"):
        figure = reproduce(
            options.name, options.preset, options.output or ROOT, _progress(),
            config=None if config == default else config,
            checkpoint_every=options.checkpoint_every,
        )  # fmt: skip
    print(figure.table())
    print()
    if options.preset == "tiny":
        print("tiny only shows that everything runs: laptop has the seeds that decide claims")
    print(f"{figure.seconds:g} s of computing in {figure.record.folder}")
    print(f"picture: {figure.folder / 'picture.png'}")
    return 0


def _run_all_figures(options: argparse.Namespace, rest: list[str]) -> int:
    """Every figure; one that cannot be made leaves the others alone, and is told at the end."""
    if set(rest) & set(HELP):
        print(f"{usage(options.command, options.name)}\n\nEvery figure, one after another.")
        return 0
    refuse(rest)
    _prepare()
    from .reproductions import ROOT, reproduce

    missing = []
    with telling_how_to_go_on("the same command"):
        for name in registry.REGISTRY:
            try:
                figure = reproduce(
                    name, options.preset, options.output or ROOT, _progress(),
                    checkpoint_every=options.checkpoint_every,
                )  # fmt: skip
            except Exception as error:
                if not _is_a_refusal(error):
                    raise
                missing.append(f"{name}: {' '.join(str(error).split())}")
            else:
                print(f"{name}: {figure.counts()}", flush=True)
    if missing:
        raise UsageError(f"{len(missing)} figures are missing; {'; '.join(missing)}")
    return 0


def _report(options: argparse.Namespace, rest: list[str]) -> int:
    refuse(rest)
    from .report import write_report
    from .reproductions import ROOT

    print(write_report(options.folder or ROOT, options.output))
    return 0


def _sweep(options: argparse.Namespace, rest: list[str]) -> int:
    config = _asked(options, rest)
    if config is None:
        return 0
    from .grid import parsed

    grid = parsed(config, options.grid)
    _prepare()
    from .sweeps import sweep

    with telling_how_to_go_on("the same command"):
        every = options.checkpoint_every
        _print_sweep(
            sweep(config, grid, options.output, progress=_progress(), checkpoint_every=every)
        )
    return 0


def _asked(options: argparse.Namespace, rest: list[str]) -> Any:
    """The configuration that is asked for; None where only help was."""
    if options.name in HELP:
        print(usage(options.command))
        return None
    return configured(
        options.command, options.name, catalogue.preset(options.name, options.preset), rest
    )


def _print_sweep(found: Any) -> None:
    from .plotting import save

    print(found.table())
    print()
    missing = f"; {found.missing} runs are missing, run it again" if found.missing else ""
    print(f"{len(found.records)} runs in {found.folder}{missing}")
    picture = found.folder / "picture.png"
    save(found.draw(), picture)
    print(f"picture: {picture}")


def _show(options: argparse.Namespace, rest: list[str]) -> int:
    refuse(rest)
    from .runs import open_run
    from .sweeps import is_sweep, open_sweep

    if is_sweep(options.folder):
        _print_sweep(open_sweep(options.folder))
        return 0
    record = open_run(options.folder)
    for name, value in sorted(vars(record.config).items()):
        print(f"{name}: {value}")
    for name, value in record.provenance.items():
        print(f"{name}: {value}")
    print()
    _print_record(record)
    return 0


def _explore(options: argparse.Namespace, rest: list[str]) -> int:
    refuse(rest)
    from .exploring.page import write_page

    print(write_page(options.folder, options.output))
    return 0


def _audit(options: argparse.Namespace, rest: list[str]) -> int:
    refuse(rest)
    compile_quickly()
    import jax

    jax.config.update("jax_enable_x64", True)
    from .audit import audit, rows, summary
    from .tables import as_text

    subjects = None if options.folder is None else _subjects(options.folder)
    answers = audit(subjects)
    print(as_text(rows(answers)))
    print()
    print(summary(answers))
    return 0


def _subjects(folder: str) -> Any:
    from .runs import open_run

    record = open_run(folder)
    find = catalogue.find(record.name).subjects
    if find is None:
        keep = [name for name in catalogue.CATALOGUE if catalogue.find(name).subjects]
        raise UsageError(
            f"a run of {record.name} keeps no weights: audit one of {' or '.join(keep)}"
        )
    return find(record.config, record.datasets)


def _print_record(record: Any) -> None:
    if not record.provenance["finished"]:
        missing = f"'{record.folder}' holds an unfinished run of {record.name}"
        there = ", ".join(sorted(record.datasets)) or "no data"
        raise UsageError(f"{missing} with {there}: run it again with --output {record.folder}")
    print(record.table())
    print()
    print(f"{record.provenance['seconds']:g} s on {record.provenance['platform']}")
    print(f"picture: {record.folder / 'picture.png'}")


def _prepare() -> None:
    """Makes each CPU core a device, and keeps compiled programs: before the first computation."""
    use_every_core()
    keep_programs()


def _progress() -> Callable[..., Any] | None:
    """A bar where somebody sees it: on a terminal."""
    if not sys.stderr.isatty():
        return None
    from tqdm.auto import tqdm

    return functools.partial(tqdm, leave=False, file=sys.stderr)


COMMANDS = {
    "list": _list,
    "run": _run,
    "sweep": _sweep,
    "show": _show,
    "explore": _explore,
    "audit": _audit,
    "report": _report,
}

if __name__ == "__main__":
    sys.exit(main())
