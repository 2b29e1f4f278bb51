"""Inputs as the documents assume them: no input longer than one, biases as a constant input."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .checks import is_traced, refusal


def input_norms(inputs: Float[Array, "samples ..."]) -> Float[Array, "samples"]:
    """Euclidean norm of each input over all its axes."""
    return jnp.sqrt(jnp.sum(inputs.reshape(inputs.shape[0], -1) ** 2, axis=1))


def scale_inputs(inputs: ArrayLike, like: ArrayLike | None = None) -> Float[Array, "samples ..."]:
    """Divides all inputs by one number, so that the longest has norm one.

    Args:
        inputs: ``[samples, ...]``.
        like: The inputs whose longest gives the number, itself unless given: pass the training
            inputs when scaling test inputs.

    Returns:
        ``[samples, ...]``, as they came, divided.

    Raises:
        ValueError: If all inputs are zero, or one is not finite.

    >>> scale_inputs([[3.0, 4.0], [0.0, 1.0]]).tolist()[1]
    [0.0, 0.20000000298023224]
    """
    values = jnp.asarray(inputs)
    reference = values if like is None else jnp.asarray(like)
    longest = jnp.max(input_norms(reference))
    if not is_traced(longest) and not bool(jnp.isfinite(longest) & (longest > 0)):
        raise refusal("finite inputs that are not all zero", longest, "look at the data")
    return values / longest


def append_constant(inputs: ArrayLike, value: float = 1.0) -> Float[Array, "samples features"]:
    """Flattens inputs and appends one constant entry: the documents' bias.

    Args:
        inputs: ``[samples, ...]``.
        value: The constant; scale the inputs again afterwards to keep |x| <= 1.

    Returns:
        ``[samples, features + 1]``.
    """
    given = jnp.asarray(inputs)
    values = given if jnp.issubdtype(given.dtype, jnp.floating) else given.astype(float)
    flat = values.reshape(values.shape[0], -1)
    return jnp.concatenate([flat, jnp.full((flat.shape[0], 1), value, flat.dtype)], axis=1)
