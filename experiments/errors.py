"""What a user did wrong, in one line: the command line prints it and exits with status 2."""


class UsageError(ValueError):
    """A request that cannot be met; the message says what to do instead."""
