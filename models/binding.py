"""Functions with arguments bound, equal whenever function and arguments are.

``functools.partial`` objects compare by identity, so that two equal ones make JAX compile twice.
"""

import functools
from collections.abc import Callable
from typing import Any


@functools.cache
def bind(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """``functools.partial(function, *arguments)``, the same object for equal arguments.

    Args:
        function: Any function defined in a module.
        *arguments: Hashable values.

    >>> bind(pow, 2) is bind(pow, 2), bind(pow, 2)(3)
    (True, 8)
    """
    return functools.partial(function, *arguments)
