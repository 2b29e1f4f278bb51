"""What an interruption says: how the run that it has stopped goes on."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def telling_how_to_go_on(command: str) -> Iterator[None]:
    """Has an interruption, by Ctrl-C or by SIGTERM, say with which command the run goes on.

    Args:
        command: What the ``KeyboardInterrupt`` that leaves says.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt as interruption:
        raise KeyboardInterrupt(command) from interruption
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
