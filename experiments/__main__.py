"""The command line: ``rhoflow list | run NAME | sweep NAME | show FOLDER | audit [FOLDER]``.

    rhoflow list                                what can be run
    rhoflow run quickstart                      runs it, prints its table, stores its picture
    rhoflow run quickstart --preset tiny --seeds 2 --data.train 50 --output here
    rhoflow sweep quickstart --grid decay=0,1e-3 --grid initial_rho=0.5,2 --seeds 10
    rhoflow show runs/quickstart-...            the table and the configuration of a stored run
    rhoflow audit                               which statements of the documents hold
    rhoflow audit runs/quickstart-...           which of them hold on a stored run

Fields of the configuration are options; ``rhoflow run NAME --help`` lists them. A request that
cannot be met ends in one line on standard error and exit status 2.
"""

import argparse
import contextlib
import difflib
import functools
import io
import itertools
import os
import re
import sys
from collections.abc import Callable
from typing import Any

from . import catalogue
from .compiling import compile_quickly, keep_programs
from .data import DataError
from .errors import UsageError
from .interruption import telling_how_to_go_on

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
        options, rest = _parser().parse_known_args(given)
        return options.command(options, rest)
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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise UsageError(f"{message}: see '{self.prog} --help'")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="rhoflow", description=DESCRIPTION)
    commands = parser.add_subparsers(
        required=True, metavar="list | run | sweep | show | audit", parser_class=_Parser
    )
    listing = commands.add_parser("list", help="what can be run")
    listing.set_defaults(command=_list)
    run = commands.add_parser("run", help="run an experiment", add_help=False, allow_abbrev=False)
    run.add_argument("name")
    run.add_argument("--preset", default="laptop")
    run.add_argument("--output", default=None)
    run.add_argument("--checkpoint-every", type=float, default=10.0)
    run.set_defaults(command=_run)
    sweep = commands.add_parser(
        "sweep", help="run an experiment at every point of a grid", add_help=False,
        allow_abbrev=False,
    )  # fmt: skip
    sweep.add_argument("name")
    sweep.add_argument("--grid", action="append", default=[])
    sweep.add_argument("--preset", default="laptop")
    sweep.add_argument("--output", default=None)
    sweep.set_defaults(command=_sweep)
    show = commands.add_parser("show", help="show a stored run or sweep")
    show.add_argument("folder")
    show.set_defaults(command=_show)
    audit = commands.add_parser("audit", help="which statements of the documents hold")
    audit.add_argument("folder", nargs="?", default=None)
    audit.set_defaults(command=_audit)
    return parser


def _list(_: argparse.Namespace, rest: list[str]) -> int:
    _refuse(rest)
    width = max(map(len, catalogue.CATALOGUE))
    for name, entry in catalogue.CATALOGUE.items():
        print(f"{name.ljust(width)}  {entry.question}")
    return 0


RUN_USAGE = (
    "usage: rhoflow run NAME [--preset tiny|laptop|paper] [--output FOLDER] "
    "[--checkpoint-every SECONDS] [--field value]"
)
SWEEP_USAGE = (
    "usage: rhoflow sweep NAME --grid FIELD=VALUE,VALUE [--grid ...] "
    "[--preset tiny|laptop|paper] [--output FOLDER] [--field value]"
)


def _run(options: argparse.Namespace, rest: list[str]) -> int:
    config = _asked(options, rest, RUN_USAGE)
    if config is None:
        return 0
    _prepare()
    from .runs import folder_of, run

    folder = options.output or folder_of(options.name)
    with telling_how_to_go_on(f"rhoflow run {options.name} ... --output {folder}"):
        every = options.checkpoint_every
        record = run(config, folder, _progress(), checkpoint_every=every)
    _print_record(record)
    return 0


def _sweep(options: argparse.Namespace, rest: list[str]) -> int:
    config = _asked(options, rest, SWEEP_USAGE)
    if config is None:
        return 0
    from .grid import parsed

    grid = parsed(config, options.grid)
    _prepare()
    from .sweeps import sweep

    with telling_how_to_go_on("the same command"):
        _print_sweep(sweep(config, grid, options.output, progress=_progress()))
    return 0


def _asked(options: argparse.Namespace, rest: list[str], usage: str) -> Any:
    """The configuration that is asked for; None where only help was."""
    if options.name in ("-h", "--help"):
        print(usage)
        return None
    return _configured(options.name, catalogue.preset(options.name, options.preset), rest)


def _print_sweep(found: Any) -> None:
    print(found.table())
    print()
    missing = f"; {found.missing} runs are missing, run it again" if found.missing else ""
    print(f"{len(found.records)} runs in {found.folder}{missing}")
    picture = found.folder / "picture.png"
    found.draw().savefig(picture)
    print(f"picture: {picture}")


def _show(options: argparse.Namespace, rest: list[str]) -> int:
    _refuse(rest)
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


def _audit(options: argparse.Namespace, rest: list[str]) -> int:
    _refuse(rest)
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
        raise UsageError(f"a run of {record.name} keeps no weights: audit one of quickstart")
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


def _configured(name: str, default: Any, arguments: list[str]) -> Any:
    """The configuration with its fields set from options; None after ``--help``."""
    import tyro

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            config, unknown = tyro.cli(
                type(default), args=arguments, default=default, return_unknown_args=True,
                prog=f"rhoflow run {name} [--preset tiny|laptop|paper] [--output FOLDER]",
            )  # fmt: skip
    except SystemExit as end:
        if not end.code:
            return None
        raise UsageError(f"{_sentence(said.getvalue())} (see 'rhoflow run {name} --help')") from end
    _refuse(unknown, _options_of(default))
    return config


def _sentence(box: str) -> str:
    """The sentence that begins with "Error" in the frame that tyro draws, without the frame."""
    lines = [re.sub("[│|╭╮╰╯─]|-{3,}", "", line).strip() for line in box.splitlines()]
    after = itertools.dropwhile(lambda line: not line.startswith("Error"), lines)
    words = " ".join(itertools.takewhile(bool, after))
    return re.sub(r"^Error parsing \w+Config: ", "", words) or "options that cannot be read"


def _options_of(config: Any, prefix: str = "--") -> list[str]:
    """Options of a configuration and of the configurations in it."""
    found: list[str] = []
    for name, value in vars(config).items():
        option = prefix + name.replace("_", "-")
        nested = hasattr(value, "__dataclass_fields__")
        found += _options_of(value, f"{option}.") if nested else [option]
    return found


def _refuse(unknown: list[str], known: list[str] | None = None) -> None:
    if not unknown:
        return
    option = unknown[0].split("=")[0].replace("_", "-")
    near = difflib.get_close_matches(option, [*(known or []), "--preset", "--output"], n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    raise UsageError(f"unknown option '{unknown[0]}'{hint}: '--help' lists all")


def _prepare() -> None:
    """Makes each CPU core a device, and keeps compiled programs: before the first computation."""
    import jax

    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
    keep_programs()


def _progress() -> Callable[..., Any] | None:
    """A bar where somebody sees it: on a terminal."""
    if not sys.stderr.isatty():
        return None
    from tqdm.auto import tqdm

    return functools.partial(tqdm, leave=False, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
