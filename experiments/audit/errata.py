"""The errata index: every wrong place of the documents, and the statements that measure it.

One `Erratum` for each place. A wrong place names statements that have a measure of its printed
form, a right one those that hold as printed. Where a formula has nothing to compute, as in the
caption of a figure, the entry says why. The rows are in `errata_dyn` and `errata_others`, in the
order of the documents' places; `table` is what stands in `docs/theory.md`.

>>> [row.place for row in ERRATA if row.why]
['caption of Fig. 1']
"""

from collections.abc import Iterable, Sequence

from .errata_dyn import ROWS as OF_DYN
from .errata_others import ROWS as OF_OTHERS
from .erratum import Erratum
from .sections import STATEMENTS
from .statement import Statement, Verdict

ERRATA: tuple[Erratum, ...] = (*OF_DYN, *OF_OTHERS)

WRONG = frozenset({Verdict.CORRECTED, Verdict.FAILS, Verdict.VACUOUS})
"""What becomes of a statement with a printed form that is wrong."""


def named(row: Erratum, statements: Iterable[Statement] = STATEMENTS) -> list[Statement]:
    """The statements that a row names, in their order."""
    return [entry for entry in statements if (entry.item, entry.place) in row.statements]


def verdict(row: Erratum) -> str:
    """What the audit says of a place: the verdicts of its statements, each once."""
    if row.why:
        return f"nothing to compute: {row.why}"
    found = [entry.expected for entry in named(row)]
    told = found if row.right else [one for one in found if one in WRONG]
    return "; ".join(dict.fromkeys(one.value for one in told))


def cells(rows: Sequence[Erratum] = ERRATA) -> list[tuple[str, ...]]:
    """The rows of the table: document, place, what, items, verdict."""
    return [
        (
            row.document,
            row.place,
            row.what,
            ", ".join(dict.fromkeys(item for item, _ in row.statements)),
            verdict(row),
        )
        for row in rows
    ]
