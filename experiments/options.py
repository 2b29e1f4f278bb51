"""What the command line understands: its commands, and the fields of configurations as options."""

import argparse
import contextlib
import difflib
import io
import itertools
import re
from typing import Any

from .errors import UsageError

COMMON = "[--preset tiny|laptop|paper] [--output FOLDER] [--checkpoint-every SECONDS]"
USAGES = {
    "run": f"rhoflow run {{name}} {COMMON}",
    "sweep": f"rhoflow sweep {{name}} --grid FIELD=VALUE,VALUE [--grid ...] {COMMON}",
}
"""How commands are used that take the fields of a configuration, too."""

HELP = ("-h", "--help")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise UsageError(f"{message}: see '{self.prog} --help'")


def parser(description: str) -> argparse.ArgumentParser:
    """Of the command line; what it has parsed says by ``command`` what to do."""
    whole = _Parser(prog="rhoflow", description=description)
    commands = whole.add_subparsers(
        required=True, metavar="list | run | sweep | show | explore | audit | report",
        parser_class=_Parser,
    )  # fmt: skip
    listing = commands.add_parser("list", help="what can be run")
    listing.set_defaults(command="list")
    run = commands.add_parser(
        "run", help="run an experiment or reproduce a figure", add_help=False, allow_abbrev=False
    )
    _add_what_to_run(run)
    run.set_defaults(command="run")
    sweep = commands.add_parser(
        "sweep", help="run an experiment at every point of a grid", add_help=False,
        allow_abbrev=False,
    )  # fmt: skip
    _add_what_to_run(sweep)
    sweep.add_argument("--grid", action="append", default=[])
    sweep.set_defaults(command="sweep")
    show = commands.add_parser("show", help="show a stored run or sweep")
    show.add_argument("folder")
    show.set_defaults(command="show")
    explore = commands.add_parser("explore", help="a page with a slider, of a stored run")
    explore.add_argument("folder")
    explore.add_argument("--output", default=None)
    explore.set_defaults(command="explore")
    audit = commands.add_parser("audit", help="which statements of the documents hold")
    audit.add_argument("folder", nargs="?", default=None)
    audit.set_defaults(command="audit")
    report = commands.add_parser("report", help="a page of all figures that were reproduced")
    report.add_argument("folder", nargs="?", default=None)
    report.add_argument("--output", default=None)
    report.set_defaults(command="report")
    return whole


def _add_what_to_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("name")
    command.add_argument("--preset", default="laptop")
    command.add_argument("--output", default=None)
    command.add_argument("--checkpoint-every", type=float, default=10.0)


def usage(command: str, name: str = "NAME") -> str:
    """How a command is used, as a line."""
    return f"usage: {USAGES[command].format(name=name)} [--field value]"


def configured(command: str, name: str, default: Any, arguments: list[str]) -> Any:
    """A configuration with its fields set from options; None after ``--help``.

    Args:
        command: ``"run"`` or ``"sweep"``.
        name: What is to be run.
        default: The configuration to start from.
        arguments: The options.

    Raises:
        UsageError: If an option is unknown or its value cannot be read.
    """
    import tyro

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            config, unknown = tyro.cli(
                type(default), args=arguments, default=default, return_unknown_args=True,
                prog=USAGES[command].format(name=name),
            )  # fmt: skip
    except SystemExit as end:
        if not end.code:
            return None
        told = _sentence(said.getvalue())
        raise UsageError(f"{told} (see 'rhoflow {command} {name} --help')") from end
    refuse(unknown, _options_of(default))
    return config


def refuse(unknown: list[str], known: list[str] | None = None) -> None:
    """Refuses options that nobody knows, with the nearest that somebody does.

    Raises:
        UsageError: If there are any.
    """
    if not unknown:
        return
    option = unknown[0].split("=")[0].replace("_", "-")
    near = difflib.get_close_matches(option, [*(known or []), "--preset", "--output"], n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    raise UsageError(f"unknown option '{unknown[0]}'{hint}: '--help' lists all")


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
