"""Which normalisation a problem gets, and what a network with batch norm has to refuse.

Most normalisations assume that every layer scales the output. With batch norm only the top layer
does (`models.batch_norm`), so that those which multiply the layers' norms do not hold there, and
`lagrange` loses its certificate: hidden layers stay at any norm, the top one does not.
"""

import dataclasses

import jax

from ...models.binding import bind
from ...models.checks import expect, refusal
from ...models.problem import Problem, require_separate
from . import positions
from .choices import sphere
from .kind import Normalisation


def fitting(problem: Problem, normalisation: Normalisation | None) -> Normalisation:
    """The normalisation for a problem: `sphere` unless one is given, refused where it does not fit.

    On a network with batch norm, a start given as weights has the top layer's norm as its radius.

    Raises:
        ValueError: If the normalisation and the network do not fit, see `Normalisation.coupled`,
            or a frozen layer does not exist.
    """
    chosen = sphere() if normalisation is None else normalisation
    expect(chosen, Normalisation, "a normalisation", "pass for example normalisation.free()")
    network = problem.network
    chosen = dataclasses.replace(chosen, frozen=_layers_of(problem, chosen.frozen))
    if chosen.coupled is None:
        read = bind(positions.by_top_layer, chosen.prepare)
        return dataclasses.replace(chosen, prepare=read) if network.couples else chosen
    if chosen.coupled and not network.couples:
        raise refusal(
            f"a network with batch norm for {chosen.name}",
            network.name,
            "make it with batch_norm=True, or use free()",
        )
    if network.couples and not chosen.coupled:
        raise refusal(
            f"a normalisation that fits {network.name}",
            chosen.name,
            "use batch_norm(), sphere(), scheduled(), frozen_gain() or top_free()",
        )
    return chosen


def _layers_of(problem: Problem, frozen: tuple[int, ...]) -> tuple[int, ...]:
    """Frozen layers by their numbers from 0."""
    count = len(jax.eval_shape(problem.network.init, jax.random.key(0)))
    if frozen and not -count <= min(frozen) <= max(frozen) < count:
        raise refusal(
            f"frozen layers from 0 to {count - 1} of {problem.network.name}, or -1 for the top",
            frozen,
            "change frozen",
        )
    return tuple(sorted({number % count for number in frozen}))


def samples_apart(problem: Problem, purpose: str) -> None:
    """Refuses a network whose samples have no gradients of their own.

    Raises:
        ValueError: If the network has batch norm.
    """
    require_separate(
        problem,
        f"{purpose}, which needs gradients of single samples",
        "use sgd, which draws the batches themselves",
    )
