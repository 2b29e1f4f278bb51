"""Arrays on the host, as NumPy's, random keys included: cheap to slice, to stack and to store."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def is_key(leaf: Any) -> bool:
    """Whether an array holds random keys."""
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def numbers_of(leaf: Any) -> np.ndarray:
    """An array's numbers; of random keys the words that they are made of. Often not a copy."""
    return np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)


def with_numbers(numbers: np.ndarray, like: Any) -> Array:
    """A copy of these numbers as an array: random keys where ``like`` is one."""
    copy = jnp.array(numbers)
    return jax.random.wrap_key_data(copy, impl=jax.random.key_impl(like)) if is_key(like) else copy
