"""What a network should say: class labels as target values.

Three encodings of a class c among C, by name:

- ``"signs"``: one output, +1 for class 1 and -1 for class 0 (two classes only; [Dyn] section 3);
- ``"centred"``: C outputs, 1 at c and -1/(C-1) elsewhere ([Dyn] section 5, e~_c);
- ``"one_hot"``: C outputs, 1 at c and 0 elsewhere ([NCWD], [Wide]).
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from .checks import refusal, unknown

ENCODINGS = ("signs", "centred", "one_hot")


def encode(
    labels: ArrayLike, encoding: str, classes: int | None = None
) -> Float[Array, "samples ..."]:
    """Target values of integer class labels.

    Args:
        labels: Integers ``[samples]`` in 0..classes-1.
        encoding: ``"signs"``, ``"centred"`` or ``"one_hot"``.
        classes: Number of classes, else the largest label plus one.

    Returns:
        ``[samples]`` for signs, else ``[samples, classes]``.

    Raises:
        ValueError: If the encoding is unknown, labels are no integers in range, or there are
            not two classes for signs.

    >>> encode([0, 1, 1], "signs").tolist()
    [-1.0, 1.0, 1.0]
    >>> encode([0, 2], "centred").tolist()
    [[1.0, -0.5, -0.5], [-0.5, -0.5, 1.0]]
    """
    if encoding not in ENCODINGS:
        raise unknown("encoding", encoding, ENCODINGS)
    values = np.asarray(labels)
    if values.size == 0:
        raise refusal("at least one label", values.shape, "pass labels [samples]")
    if not np.issubdtype(values.dtype, np.integer):
        raise refusal("integer labels [samples]", f"{values.dtype}{values.shape}", "cast them")
    count = int(values.max()) + 1 if classes is None else classes
    if values.ndim != 1:
        raise refusal("integer labels [samples]", f"{values.dtype}{values.shape}", "flatten them")
    if encoding == "centred" and count < 2:
        raise refusal("at least two classes for centred targets", count, "pass classes=2")
    if values.min() < 0 or values.max() >= count:
        span = f"labels from {values.min()} to {values.max()}"
        raise refusal(f"labels in 0..{count - 1}", span, "number the classes from 0")
    if encoding == "signs":
        return _signs(values, count)
    one_hot = jnp.eye(count)[values]
    return one_hot if encoding == "one_hot" else (count * one_hot - 1.0) / (count - 1)


def _signs(labels: np.ndarray, classes: int) -> Float[Array, "samples"]:
    if classes > 2:
        raise refusal(
            "two classes for signs, numbered 0 and 1",
            f"labels up to {classes - 1}",
            "number them so, or use encoding='centred'",
        )
    return 2.0 * jnp.asarray(labels, float) - 1.0


def encoding_of(targets: Float[Array, "samples ..."]) -> str | None:
    """Name of the encoding that the targets are in, None where they are in none."""
    values = np.asarray(targets)
    if values.ndim == 1:
        return "signs" if np.all(np.abs(values) == 1) else None
    count = values.shape[1]
    if count < 2 or not np.all((values == 1).sum(axis=1) == 1):
        return None
    rest = values[values != 1]
    if np.all(rest == 0):
        return "one_hot"
    return "centred" if np.allclose(rest, -1 / (count - 1), rtol=0, atol=1e-6) else None


def classes_of(targets: Float[Array, "samples ..."]) -> Int[Array, "samples"]:
    """Class numbers ``[samples]`` of encoded targets: the inverse of `encode`."""
    if targets.ndim == 1:
        return (targets > 0).astype(int)
    return jnp.argmax(targets, axis=1)
