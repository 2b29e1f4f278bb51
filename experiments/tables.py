"""Tables for the terminal: aligned columns from rows of values."""

from .experiment import Row


def as_text(rows: list[Row]) -> str:
    """Rows as aligned text, the header first.

    >>> print(as_text([{"way": "flow", "rho": "1.25"}, {"way": "sgd", "rho": "11.5"}]))
    way    rho
    flow  1.25
    sgd   11.5
    """
    if not rows:
        return "(no rows)"
    header = list(rows[0])
    lines = [header, *([str(row[name]) for name in header] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: list[str], widths: list[int]) -> str:
    """The first column to the left, numbers to the right."""
    first, *rest = (
        cell.rjust(width) if column else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()
