"""The sources of images, by name. To add one, write a file with a `read` and add a line here.

>>> sorted(SOURCES)
['cifar10', 'digits', 'mnist', 'mnist5k']
>>> find_source("digits").__module__
'rhoflow.experiments.data.digits'
"""

from difflib import get_close_matches

from . import cifar10, digits, mnist, mnist5k
from .errors import refusal
from .pool import Source

SOURCES: dict[str, Source] = {
    "digits": digits.read,
    "mnist5k": mnist5k.read,
    "mnist": mnist.read,
    "cifar10": cifar10.read,
}


def find_source(name: str) -> Source:
    """Returns the function that reads the source called `name`.

    Raises:
      DataError: there is no such source.
    """
    if name in SOURCES:
        return SOURCES[name]
    close = get_close_matches(name.lower(), SOURCES, n=1)
    remedy = f"did you mean {close[0]}?" if close else "choose one of these with --data.name"
    raise refusal(expected=f"one of {', '.join(SOURCES)} as name", got=repr(name), remedy=remedy)
