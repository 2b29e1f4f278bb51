"""One row of the errata index."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Erratum:
    """A place of a document that was looked at.

    Attributes:
        document: Which, such as ``"[Dyn]"``.
        place: Where in it.
        what: What is wrong there, or what was confirmed, in one line.
        statements: Item and place of the statements that measure it.
        right: Whether the place is right as printed.
        why: Why there is nothing to compute, where there is not.
    """

    document: str
    place: str
    what: str
    statements: tuple[tuple[str, str], ...] = ()
    right: bool = False
    why: str = ""
