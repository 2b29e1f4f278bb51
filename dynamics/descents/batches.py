"""Which samples a step of descent sees.

All randomness comes from the run's key and the count of steps or epochs, never from what was drawn
before (`dynamics.descents.drawing`). So a run that is resumed in the middle of an epoch
goes on with the very batches that it would have had.

Source: reshuffled batches, [Dyn] section 6; class-balanced ones, [Dyn] Theorem 6; random sample
weights of mean one, [M117] appendix D.
"""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Key, PyTree

from ...models.binding import bind
from ...models.checks import is_traced, refusal, unknown, whole
from ...models.targets import classes_of
from ..ranges import check_batch_size
from . import drawing
from .drawing import Batch


class Batches(eqx.Module):
    """A way of drawing batches.

    Attributes:
        data: Arrays that drawing needs, leaves.
        order: ``order(data, key) -> pytree``: what is drawn once per epoch.
        pick: ``pick(data, order, key, step) -> Batch``; step counts from 0 within the epoch, or
            from the run's start where nothing is drawn per epoch.
        steps_per_epoch: Steps in one pass over the data.
        by_epoch: Whether an order is drawn for each epoch.
        steps: How many steps there are batches for, None without limit.
        random: Whether a key is needed.
        samples: Of how many training samples, None for any.
        isotropic: Whether the noise of weights is turned to random directions.
        size: Samples in a batch, None for all.
        tied: Names of a dynamics' numbers that the batches were made for, which do not change
            alone: the targets of balanced ones.
    """

    data: PyTree
    order: Callable[[PyTree, Key[Array, ""]], PyTree] = eqx.field(static=True)
    pick: Callable[[PyTree, PyTree, Key[Array, ""], Array], Batch] = eqx.field(static=True)
    steps_per_epoch: int = eqx.field(static=True)
    by_epoch: bool = eqx.field(static=True, default=False)
    steps: int | None = eqx.field(static=True, default=None)
    random: bool = eqx.field(static=True, default=True)
    samples: int | None = eqx.field(static=True, default=None)
    isotropic: bool = eqx.field(static=True, default=False)
    size: int | None = eqx.field(static=True, default=None)
    tied: tuple[str, ...] = eqx.field(static=True, default=())


def full_batch() -> Batches:
    """All samples at every step: gradient descent."""
    return Batches((), drawing.no_order, drawing.everything, steps_per_epoch=1, random=False)


def reshuffled(samples: int, size: int) -> Batches:
    """Consecutive pieces of a permutation that is drawn anew each epoch.

    Where the size does not divide the number of samples, the epoch's last, incomplete piece is
    left out.

    Args:
        samples: Number of training samples.
        size: Samples in a batch.

    Raises:
        ValueError: If the size is not in 1..samples.
    """
    check_batch_size(size, samples)
    return Batches(
        (), bind(drawing.permutation, samples), bind(drawing.piece, size), samples // size,
        by_epoch=True, samples=samples, size=size,
    )  # fmt: skip


def with_replacement(samples: int, size: int) -> Batches:
    """Independent uniform draws at every step; an epoch is samples // size steps by convention.

    Args:
        samples: How many there are.
        size: Of a batch.

    Raises:
        ValueError: If the size is not in 1..samples.
    """
    check_batch_size(size, samples)
    pick = bind(drawing.independent, samples, size)
    return Batches((), drawing.no_order, pick, samples // size, samples=samples, size=size)


def balanced(targets: ArrayLike, size: int) -> Batches:
    """As many samples of every class in each batch, each class reshuffled every epoch.

    An epoch ends when the smallest class is used up; larger classes are then drawn anew too.

    Args:
        targets: Encoded training targets.
        size: Samples in a batch, a multiple of the number of classes.

    Raises:
        ValueError: If the size is no multiple of the number of classes, or too large.
    """
    whole((size,), "a batch size")
    labels = np.asarray(classes_of(jnp.asarray(targets)))
    classes, counts = np.unique(labels, return_counts=True)
    each, rest = divmod(size, len(classes))
    if rest or not 1 <= each <= counts.min():
        raise refusal(
            f"a batch size that is a multiple of {len(classes)} classes, at most "
            f"{len(classes) * counts.min()}",
            size,
            "change batch_size",
        )
    members = tuple(jnp.asarray(np.flatnonzero(labels == c), jnp.int32) for c in classes)
    per_epoch = int(counts.min()) // each
    return Batches(
        members, drawing.permute_each, bind(drawing.piece_of_each, each), per_epoch,
        by_epoch=True, samples=len(labels), size=size, tied=("targets",),
    )  # fmt: skip


def given(indices: ArrayLike, samples: int) -> Batches:
    """Batches written down beforehand; the run ends when they are used up.

    Args:
        indices: Integers ``[steps, batch]`` in 0..samples-1.
        samples: Number of training samples.

    Raises:
        ValueError: If the array has another shape or kind, or an index is out of range.
    """
    rows = np.asarray(indices)
    if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.integer) or rows.size == 0:
        raise refusal(
            "integer indices [steps, batch]", f"{rows.dtype}{rows.shape}", "one row per step"
        )
    if rows.min() < 0 or rows.max() >= samples:
        span = f"indices from {rows.min()} to {rows.max()}"
        raise refusal(f"indices in 0..{samples - 1}", span, "number the samples from 0")
    per_epoch = max(samples // rows.shape[1], 1)
    table = jnp.asarray(rows, jnp.int32)
    return Batches(
        table, drawing.no_order, drawing.row, per_epoch, steps=rows.shape[0], random=False,
        samples=samples, size=rows.shape[1],
    )  # fmt: skip


def random_weights(samples: int, variance: float = 1.0) -> Batches:
    """All samples at every step, with independent gamma weights of mean one.

    Args:
        samples: Number of training samples.
        variance: Of a weight; (N - B) / B mimics batches of B out of N.

    Raises:
        ValueError: If the variance is not positive.
    """
    if not is_traced(variance) and not variance > 0:
        raise refusal("a positive variance of the weights", variance, "pass for example 1.0")
    return Batches(
        jnp.asarray(variance),
        drawing.no_order,
        bind(drawing.gamma_weights, samples),
        1,
        samples=samples,
    )


def gaussian_weights(samples: int, variance: ArrayLike, *, isotropic: bool = False) -> Batches:
    """All samples at every step, with weights 1 + xi_n - mean(xi), xi_n Gaussian.

    The gradient of such a loss is the mean gradient plus noise with the covariance of the
    per-sample gradients, Sigma times variance / samples: `dynamics.diffusion` is made of it.

    Args:
        samples: Number of training samples.
        variance: Of xi_n; weights may be negative.
        isotropic: Whether each draw of the noise keeps its length and is turned to a random
            direction: the same trace, spread evenly over all coordinates. Descents refuse it on
            networks with masked layers, whose zeros are no coordinates.
    """
    pick = bind(drawing.gaussian_weights, samples, isotropic)
    return Batches(
        jnp.asarray(variance), drawing.no_order, pick, 1, samples=samples, isotropic=isotropic
    )


def choose(
    targets: Array, size: int | None, sampling: str, batches: Batches | ArrayLike | None
) -> Batches:
    """Batches from ``targets`` and what `dynamics.sgd` is given: arguments are those of `sgd`.

    Raises:
        ValueError: If both or neither of size and batches are given, or sampling is unknown.
    """
    if (size is None) == (batches is None):
        raise refusal("either batch_size or batches", "both or neither", "pass one of them")
    if isinstance(batches, Batches):
        return batches
    samples = targets.shape[0]
    if batches is not None:
        return given(batches, samples)
    assert size is not None
    ways: dict[str, Callable[[], Batches]] = {
        "reshuffled": lambda: reshuffled(samples, size),
        "replacement": lambda: with_replacement(samples, size),
        "balanced": lambda: balanced(targets, size),
    }
    if sampling not in ways:
        raise unknown("sampling", sampling, ways)
    return ways[sampling]()
