"""What drawing batches is made of: streams of randomness, and one function for each way to draw.

All randomness comes from the run's key and the count of steps or epochs, never from what was drawn
before: ``fold_in(fold_in(key, stream), count)``. `dynamics.descents.batches` puts an ``order``,
drawn once per epoch, and a ``pick``, made at every step, together to `Batches`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

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


def stream(key: Key[Array, ""], number: int, count: Array) -> Key[Array, ""]:
    """The key of one draw: of stream ``number``, at a count of steps or epochs.

    Args:
        key: Of the run.
        number: Of the stream, one for each thing that is random.
        count: Steps or epochs so far.
    """
    return jax.random.fold_in(jax.random.fold_in(key, number), count)


def no_order(data: PyTree, key: Key[Array, ""]) -> PyTree:
    """Nothing is drawn per epoch."""
    del data, key
    return ()


def permutation(samples: int, data: PyTree, key: Key[Array, ""]) -> Int[Array, "samples"]:
    """A permutation of the samples."""
    del data
    return jax.random.permutation(key, samples).astype(jnp.int32)


def permute_each(data: tuple[Array, ...], key: Key[Array, ""]) -> tuple[Array, ...]:
    """A permutation of each class's samples."""
    keys = jax.random.split(key, len(data))
    return tuple(jax.random.permutation(k, c) for k, c in zip(keys, data, strict=True))


def everything(data: Any, order: Any, key: Any, step: Array) -> Batch:
    """All samples."""
    del data, order, key, step
    return Batch()


def piece(size: int, data: Any, order: Array, key: Any, step: Array) -> Batch:
    """The next piece of the epoch's permutation."""
    del data, key
    return Batch(indices=jax.lax.dynamic_slice_in_dim(order, step * size, size))


def piece_of_each(each: int, data: Any, order: Any, key: Any, step: Array) -> Batch:
    """The next piece of each class."""
    del data, key
    pieces = [jax.lax.dynamic_slice_in_dim(c, step * each, each) for c in order]
    return Batch(indices=jnp.concatenate(pieces))


def independent(
    samples: int, size: int, data: Any, order: Any, key: Key[Array, ""], step: Array
) -> Batch:
    """Independent uniform draws."""
    del data, order
    draws = jax.random.randint(stream(key, STEP_STREAM, step), (size,), 0, samples)
    return Batch(indices=draws.astype(jnp.int32))


def row(data: Array, order: Any, key: Any, step: Array) -> Batch:
    """The next row of what was written down."""
    del order, key
    return Batch(indices=data[step])


def gamma_weights(samples: int, data: Array, order: Any, key: Key[Array, ""], step: Array) -> Batch:
    """All samples, with gamma weights of mean one and variance ``data``."""
    del order
    draws = jax.random.gamma(stream(key, STEP_STREAM, step), 1 / data, (samples,))
    return Batch(weights=data * draws)


def gaussian_weights(
    samples: int, isotropic: bool, data: Array, order: Any, key: Key[Array, ""], step: Array
) -> Batch:
    """All samples, with Gaussian weights of variance ``data`` and a mean of exactly one."""
    del order
    draws = jax.random.normal(stream(key, STEP_STREAM, step), (samples,), data.dtype)
    turn = stream(key, TURN_STREAM, step) if isotropic else None
    return Batch(weights=1 + jnp.sqrt(data) * (draws - jnp.mean(draws)), turn=turn)
