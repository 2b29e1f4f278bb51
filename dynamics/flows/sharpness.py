"""The largest curvature at a point, by a few power iterations on the vector field.

An explicit step h is stable where h times the largest eigenvalue of the loss's Hessian stays below
about 2. The field's Jacobian is minus that Hessian, so Jacobian-vector products of the field are
all that is needed; finite differences of the field must not be used, since across an activation
boundary of a ReLU network they give 1/h. Power iteration finds the largest *absolute* eigenvalue,
which is on the safe side.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

Field = Callable[[PyTree], PyTree]


def probe_like(position: PyTree) -> PyTree:
    """A unit vector shaped like a position that no structure of a network is orthogonal to.

    Its entries are sin(1), sin(2), ...: as good as random here, and compiled in no time.
    """
    waves = [
        jnp.sin(jnp.arange(1, leaf.size + 1, dtype=leaf.dtype)).reshape(leaf.shape)
        for leaf in jax.tree.leaves(position)
    ]
    return _scaled(jax.tree.unflatten(jax.tree.structure(position), waves))[0]


def sharpness(
    field: Field, position: PyTree, probe: PyTree, iterations: int
) -> tuple[Float[Array, ""], PyTree]:
    """Estimates the largest absolute eigenvalue of a field's Jacobian.

    Args:
        field: ``field(position) -> velocity``, both of one shape.
        position: Where.
        probe: Where the iteration starts: the last estimate's vector, or `probe_like`.
        iterations: How many products; each costs about two evaluations of the field.

    Returns:
        The estimate, in units of 1/time, and the vector to start from next time.
    """

    def multiply(_: Array, carry: tuple[Array, PyTree]) -> tuple[Array, PyTree]:
        _, vector = carry
        _, product = jax.jvp(field, (position,), (vector,))
        unit, size = _scaled(product)
        return size, jax.tree.map(lambda new, old: jnp.where(size > 0, new, old), unit, vector)

    zero = jnp.zeros((), jax.tree.leaves(position)[0].dtype)
    return jax.lax.fori_loop(0, iterations, multiply, (zero, probe))


def _scaled(vector: PyTree) -> tuple[PyTree, Float[Array, ""]]:
    size = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(vector)))
    return jax.tree.map(lambda leaf: leaf / size, vector), size
