"""How far two sides of an equation are apart."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def relative(left: Any, right: Any, *terms: Any) -> Float[Array, ""]:
    """The largest difference of two trees, relative to the largest entry of them and of terms."""
    apart = _largest(jax.tree.map(lambda a, b: a - b, left, right))
    scale = jnp.max(jnp.stack([_largest(tree) for tree in (left, right, *terms)]))
    return jnp.where(scale > 0, apart / jnp.where(scale > 0, scale, 1), apart)


def excess(smaller: Any, larger: Any) -> Float[Array, ""]:
    """By how much ``smaller <= larger`` is violated, relative to the larger side; else zero."""
    over = jnp.max(jnp.asarray(smaller) - jnp.asarray(larger))
    scale = jnp.maximum(jnp.max(jnp.abs(jnp.asarray(larger))), jnp.finfo(float).tiny)
    return jnp.maximum(over, 0) / scale


def _largest(tree: Any) -> Float[Array, ""]:
    return jnp.max(jnp.stack([jnp.max(jnp.abs(jnp.asarray(x))) for x in jax.tree.leaves(tree)]))
