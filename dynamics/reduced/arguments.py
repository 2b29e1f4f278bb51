"""What the closed forms share: arguments made into arrays of one precision, and checked.

Checks look at values, so they pass whatever is being traced.
"""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from ...models.checks import is_traced, refusal


def floating(*values: ArrayLike) -> tuple[Float[Array, "..."], ...]:
    """The values as arrays of one floating precision, the highest among the arrays.

    >>> [str(value.dtype) for value in floating(1, jnp.float32(2))]
    ['float32', 'float32']
    """
    arrays = [jnp.asarray(value) for value in values]
    dtype = jnp.result_type(*arrays)
    if not jnp.issubdtype(dtype, jnp.floating):
        dtype = jnp.result_type(float)
    return tuple(array.astype(dtype) for array in arrays)


def refuse_unless(
    expected: str,
    value: ArrayLike,
    accepts: Callable[[np.ndarray], Bool[np.ndarray, "..."]],
    remedy: str,
) -> None:
    """Refuses values that a condition does not accept, and shows the first of them."""
    if is_traced(value):
        return
    array = np.asarray(value)  # jax.numpy would trace even constants inside of a compiled function
    bad = ~np.asarray(accepts(array))
    if bad.any():
        raise refusal(expected, array[bad].flat[0], remedy)


def finite(name: str, value: ArrayLike, remedy: str) -> None:
    """Refuses NaN and infinity."""
    refuse_unless(f"a finite {name}", value, np.isfinite, remedy)


def positive(name: str, value: ArrayLike, remedy: str) -> None:
    """Refuses what is not a finite number above zero."""
    refuse_unless(
        f"a positive {name}", value, lambda array: np.isfinite(array) & (array > 0), remedy
    )


def not_negative(name: str, value: ArrayLike, remedy: str) -> None:
    """Refuses what is not a finite number, zero or above."""
    refuse_unless(f"{name} >= 0", value, lambda array: np.isfinite(array) & (array >= 0), remedy)


def integer(name: str, value: ArrayLike, remedy: str) -> None:
    """Refuses what is not of an integer type, traced or not."""
    dtype = jnp.asarray(value).dtype
    if not jnp.issubdtype(dtype, jnp.integer):
        raise refusal(f"integer {name}", dtype, remedy)


def depth(layers: int, least: int = 1) -> None:
    """Refuses a number of layers that is no integer, or below the least."""
    if isinstance(layers, bool) or not isinstance(layers, int | np.integer) or layers < least:
        raise refusal(
            f"layers, an integer >= {least}", layers, "count the weight matrices of the network"
        )
