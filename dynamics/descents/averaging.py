"""Running averages beside an optimiser: they take plain steps, whatever moves the weights.

A normalisation may carry averages, S' = (S_batch - S) / memory, in its position (batch norm's
running statistics). Adam would normalise this force and a heavy ball let it overshoot. So averages
move by plain descent at the effective rate, learning_rate / (1 - momentum), the time that a step
takes, which makes them the exponential moving averages that they are meant to be.
"""

from collections.abc import Callable
from typing import Any

import optax
from jaxtyping import ArrayLike, PyTree

from ...models.binding import bind
from ..normalisation import Normalisation
from .clock import Schedule

Optimiser = Callable[..., optax.GradientTransformation]
"""``optimiser(learning_rate, **hyperparameters)``, as optax's own."""


def averaging(normalisation: Normalisation, optimiser: Optimiser) -> Optimiser:
    """The optimiser for a normalisation's positions; the same one where they hold no averages.

    Args:
        normalisation: Which coordinates move.
        optimiser: Of what is no average.
    """
    labels = normalisation.averages
    return optimiser if labels is None else bind(_averaging, labels, optimiser)


def _averaging(
    labels: Callable[[PyTree], PyTree],
    optimiser: Optimiser,
    learning_rate: ArrayLike | Schedule,
    **hyperparameters: Any,
) -> optax.GradientTransformation:
    momentum = hyperparameters.get("momentum")
    share = 1 - (0.0 if momentum is None else momentum)
    effective = (
        (lambda count: learning_rate(count) / share)
        if callable(learning_rate)
        else learning_rate / share
    )
    moved = optimiser(learning_rate, **hyperparameters)
    return optax.partition({False: moved, True: optax.sgd(effective)}, labels)
