"""Which samples a step of descent sees.

All randomness comes from the run's key and the count of steps or epochs, never from what was drawn
before: ``fold_in(fold_in(key, stream), count)``. So a run that is resumed in the middle of an epoch
goes on with the very batches that it would have had.

Source: reshuffled batches, [Dyn] section 6; class-balanced ones, [Dyn] Theorem 6; random sample
weights of mean one, [M117] appendix D.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Key, PyTree

from ...models.binding import bind
from ...models.checks import is_traced, refusal, unknown
from ...models.targets import classes_of

EPOCH_STREAM, STEP_STREAM, LABEL_STREAM, TURN_STREAM = 0, 1, 2, 3


class Batch(NamedTuple):
    """What one step sees.

    Attributes:
        indices: Some of the samples, or None for all.
        weights: Their weights, of mean one, or None where all count alike.
        turn: A key by which the weights' noise is turned to a random direction, or None.
    """

    indices: Int[Array, "batch"] | None = None
    weights: Float[Array, "samples"] | None = None
    turn: Key[Array, ""] | None = None


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


def full_batch() -> Batches:
    """All samples at every step: gradient descent."""
    return Batches((), _no_order, _everything, steps_per_epoch=1, random=False)


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
    _check_size(size, samples)
    return Batches(
        (), bind(_permutation, samples), bind(_piece, size), samples // size, by_epoch=True,
        samples=samples,
    )  # fmt: skip


def with_replacement(samples: int, size: int) -> Batches:
    """Independent uniform draws at every step; an epoch is samples // size steps by convention.

    Args:
        samples: How many there are.
        size: Of a batch.

    Raises:
        ValueError: If the size is not in 1..samples.
    """
    _check_size(size, samples)
    pick = bind(_independent, samples, size)
    return Batches((), _no_order, pick, samples // size, samples=samples)


def balanced(targets: ArrayLike, size: int) -> Batches:
    """As many samples of every class in each batch, each class reshuffled every epoch.

    An epoch ends when the smallest class is used up; larger classes are then drawn anew too.

    Args:
        targets: Encoded training targets.
        size: Samples in a batch, a multiple of the number of classes.

    Raises:
        ValueError: If the size is no multiple of the number of classes, or too large.
    """
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
        members, _permute_each, bind(_piece_of_each, each), per_epoch, by_epoch=True,
        samples=len(labels),
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
        table, _no_order, _row, per_epoch, steps=rows.shape[0], random=False, samples=samples
    )


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
        jnp.asarray(variance), _no_order, bind(_gamma_weights, samples), 1, samples=samples
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
    pick = bind(_gaussian_weights, samples, isotropic)
    return Batches(jnp.asarray(variance), _no_order, pick, 1, samples=samples, isotropic=isotropic)


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


def stream(key: Key[Array, ""], number: int, count: Array) -> Key[Array, ""]:
    """The key of one draw: of stream ``number``, at a count of steps or epochs.

    Args:
        key: Of the run.
        number: Of the stream, one for each thing that is random.
        count: Steps or epochs so far.
    """
    return jax.random.fold_in(jax.random.fold_in(key, number), count)


def _check_size(size: int, samples: int) -> None:
    if not 1 <= size <= samples:
        raise refusal(f"a batch size in 1..{samples}", size, "change batch_size")


def _no_order(data: PyTree, key: Key[Array, ""]) -> PyTree:
    del data, key
    return ()


def _permutation(samples: int, data: PyTree, key: Key[Array, ""]) -> Int[Array, "samples"]:
    del data
    return jax.random.permutation(key, samples).astype(jnp.int32)


def _permute_each(data: tuple[Array, ...], key: Key[Array, ""]) -> tuple[Array, ...]:
    keys = jax.random.split(key, len(data))
    return tuple(jax.random.permutation(k, c) for k, c in zip(keys, data, strict=True))


def _everything(data: Any, order: Any, key: Any, step: Array) -> Batch:
    del data, order, key, step
    return Batch()


def _piece(size: int, data: Any, order: Array, key: Any, step: Array) -> Batch:
    del data, key
    return Batch(indices=jax.lax.dynamic_slice_in_dim(order, step * size, size))


def _piece_of_each(each: int, data: Any, order: Any, key: Any, step: Array) -> Batch:
    del data, key
    pieces = [jax.lax.dynamic_slice_in_dim(c, step * each, each) for c in order]
    return Batch(indices=jnp.concatenate(pieces))


def _independent(
    samples: int, size: int, data: Any, order: Any, key: Key[Array, ""], step: Array
) -> Batch:
    del data, order
    draws = jax.random.randint(stream(key, STEP_STREAM, step), (size,), 0, samples)
    return Batch(indices=draws.astype(jnp.int32))


def _row(data: Array, order: Any, key: Any, step: Array) -> Batch:
    del order, key
    return Batch(indices=data[step])


def _gamma_weights(
    samples: int, data: Array, order: Any, key: Key[Array, ""], step: Array
) -> Batch:
    del order
    draws = jax.random.gamma(stream(key, STEP_STREAM, step), 1 / data, (samples,))
    return Batch(weights=data * draws)


def _gaussian_weights(
    samples: int, isotropic: bool, data: Array, order: Any, key: Key[Array, ""], step: Array
) -> Batch:
    del order
    draws = jax.random.normal(stream(key, STEP_STREAM, step), (samples,), data.dtype)
    turn = stream(key, TURN_STREAM, step) if isotropic else None
    return Batch(weights=1 + jnp.sqrt(data) * (draws - jnp.mean(draws)), turn=turn)
