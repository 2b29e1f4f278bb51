"""How this package says no: one sentence with what was expected, what came and what to do.

Two classes of error leave the package. `DataError` is for a request or a file that makes no sense:
a class that the source does not hold, more images than there are, a truncated file. It is a
`ValueError`, so a command line built with tyro prints it without a traceback. A file or folder that
is not there is Python's own `FileNotFoundError`. Both carry their message on one line:

>>> print(refusal(expected="train >= 1", got="train = 0", remedy="ask for at least one image"))
expected train >= 1, got train = 0; ask for at least one image
"""


class DataError(ValueError):
    """A request for data, or a data file, that makes no sense."""


def refusal(*, expected: str, got: str, remedy: str) -> DataError:
    """Builds the error for a bad request or a damaged file.

    Args:
      expected: what would have been right.
      got: what came instead.
      remedy: what the reader can do about it.

    Returns:
      The error, to be raised by the caller.
    """
    return DataError(_sentence(expected, got, remedy))


def absence(*, expected: str, got: str, remedy: str) -> FileNotFoundError:
    """Builds the error for a file or folder that is not there; arguments as in `refusal`."""
    return FileNotFoundError(_sentence(expected, got, remedy))


def _sentence(expected: str, got: str, remedy: str) -> str:
    return " ".join(f"expected {expected}, got {got}; {remedy}".split())
