"""The statements as a table for `docs/theory.md`, so that the page cannot go stale.

A test compares the page with this table; `python -m rhoflow.experiments.audit.document` renews it.
"""

from collections.abc import Sequence
from pathlib import Path

from .sections import STATEMENTS
from .statement import Statement

BEGIN, END = "<!-- statements: begin -->", "<!-- statements: end -->"
PAGE = Path("docs") / "theory.md"


def table(statements: Sequence[Statement] = STATEMENTS) -> str:
    """All statements in the order of their items, as markdown."""
    header = ["| item | where | what it says | verdict | |", "|---|---|---|---|---|"]
    ordered = sorted(statements, key=lambda entry: tuple(map(int, entry.item.split("."))))
    return "\n".join(header + [_row(entry) for entry in ordered])


def renewed(page: str) -> str:
    """A page with the table between its marks renewed."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _row(entry: Statement) -> str:
    cells = (entry.item, entry.place, entry.claim, entry.expected.value, entry.note)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
