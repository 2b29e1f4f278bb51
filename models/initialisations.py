"""Where a network starts: initialisations of one layer's weights.

An initialisation draws one weight array from a key and a shape; a network calls it once per layer.
In polar coordinates only the direction of each layer is kept (`to_polar`), so that the *scale* of
an initialisation matters through the product of the layers' norms, which is the starting rho.

The constructors return the same object for the same arguments (see `models.network`).
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from .binding import bind
from .checks import refusal, single

Initialisation = Callable[[Key[Array, ""], tuple[int, ...]], Array]
"""``initialisation(key, shape) -> Array`` of that shape; all axes but the last are fan-in."""


def gaussian(norm: float = 1.0) -> Initialisation:
    """Gaussian entries, rescaled so that the layer has exactly the given Frobenius norm.

    The initialisation of the experiments of [Dyn] and [M117] ("init" is this norm).

    Args:
        norm: The Frobenius norm of each layer, positive.

    Raises:
        ValueError: If the norm is not positive.

    >>> weights = gaussian(norm=3.0)(jax.random.key(0), (4, 5))
    >>> round(float(jnp.linalg.norm(weights)), 5)
    3.0
    """
    single("norm", norm)
    if not norm > 0:
        raise refusal("a positive layer norm", norm, "pass for example norm=1.0")
    return bind(_draw_gaussian, float(norm))


def lecun() -> Initialisation:
    """Gaussian entries of variance 1/fan_in, which keep the size of pre-activations."""
    return _draw_lecun


def orthogonal(scale: float = 1.0) -> Initialisation:
    """Orthonormal columns (or rows, whichever are fewer), times a scale.

    Args:
        scale: The common singular value of each layer, positive.

    Raises:
        ValueError: If the scale is not positive.
    """
    single("scale", scale)
    if not scale > 0:
        raise refusal("a positive scale", scale, "pass for example scale=1.0")
    return bind(_draw_orthogonal, float(scale))


def _draw_gaussian(norm: float, key: Key[Array, ""], shape: tuple[int, ...]) -> Array:
    raw = jax.random.normal(key, shape)
    return norm * raw / jnp.sqrt(jnp.sum(raw**2))


def _draw_lecun(key: Key[Array, ""], shape: tuple[int, ...]) -> Array:
    return jax.random.normal(key, shape) / math.sqrt(math.prod(shape[:-1]))


def _draw_orthogonal(scale: float, key: Key[Array, ""], shape: tuple[int, ...]) -> Array:
    return jax.nn.initializers.orthogonal(scale)(key, shape)
