"""The errata and the statements as tables for `docs/theory.md`, so that the page cannot go stale.

A test compares the page with the tables; `python -m rhoflow.experiments.audit.document` renews it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from . import errata
from .sections import STATEMENTS
from .statement import Statement

PAGE = Path("docs") / "theory.md"
STATEMENT_HEADER = ("item", "where", "what it says", "verdict", "")
ERRATUM_HEADER = ("document", "where", "what", "items", "verdict")


def tables() -> dict[str, str]:
    """The page's tables as markdown, by the names in their marks."""
    return {
        "errata": _table(ERRATUM_HEADER, errata.cells()),
        "statements": _table(STATEMENT_HEADER, map(_cells, _ordered(STATEMENTS))),
    }


def renewed(page: str) -> str:
    """A page with every table between its marks renewed."""
    for name, table in tables().items():
        begin, end = (f"<!-- {name}: {side} -->" for side in ("begin", "end"))
        before, rest = page.split(begin)
        _, after = rest.split(end)
        page = f"{before}{begin}\n{table}\n{end}{after}"
    return page


def _ordered(statements: Sequence[Statement]) -> list[Statement]:
    return sorted(statements, key=lambda entry: tuple(map(int, entry.item.split("."))))


def _cells(entry: Statement) -> tuple[str, ...]:
    return entry.item, entry.place, entry.claim, entry.expected.value, entry.note


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([_row(header), "|---" * len(header) + "|", *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
