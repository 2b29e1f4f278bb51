"""Where the flow on the spheres ends for a deep linear network: the ridge solution.

A deep linear network computes f_W(x) = <w, x>. At the equilibrium of rho and the directions, with
the decay lambda rho^2, the layers are aligned and of rank one, rho = |w|, and for *every* depth

    w = (X^T X / N + lambda I)^(-1) X^T y / N,

with its limit, the least-squares solution of minimum norm, at lambda = 0. So with decay the end
does not depend on the start, up to signs and the saddle at f = 0. It is one of the few exact
answers to lay under a run of any depth.

Inputs are ``[samples, features]`` and targets ``[samples]``; one output, since with more the
product of the layers' norms is no norm of w. lambda belongs to the mean normalisation; N lambda is
that of the sum.

Source: [M112] E.2 for one layer, whose (32) has a spurious 1/rho; all depths: no document, derived
from [Dyn] (9).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ...models.checks import refusal
from . import arguments


class Ridge(NamedTuple):
    """The ridge solution.

    Attributes:
        weights: w, of the features: the network computes <w, x>.
        rho: |w|, the radius at rest.
    """

    weights: Float[Array, "features"]
    rho: Float[Array, ""]


def solution(inputs: ArrayLike, targets: ArrayLike, decay: ArrayLike = 0.0) -> Ridge:
    """The ridge solution; the one of minimum norm for decay zero.

    It is the pseudo-inverse of the inputs stacked on sqrt(N lambda) I, which stays accurate where
    the normal equations do not. The derivative with respect to decay is infinite at zero decay.

    Args:
        inputs: ``[samples, features]``.
        targets: ``[samples]``, for one output.
        decay: lambda, a scalar.

    Raises:
        ValueError: If the shapes do not fit or the decay is negative.

    >>> ridge = solution([[1.0, 0.0], [0.0, 0.5]], [1.0, -1.0], decay=0.5)
    >>> [round(float(value), 6) for value in ridge.weights]
    [0.5, -0.4]
    """
    x, y, lam = arguments.floating(jnp.asarray(inputs), jnp.asarray(targets), decay)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise refusal(
            "inputs [samples, features] and targets [samples]",
            f"shapes {x.shape} and {y.shape}",
            "flatten the inputs and take one output",
        )
    if lam.ndim:
        raise refusal("a scalar decay", f"shape {lam.shape}", "use jax.vmap for many decays")
    arguments.not_negative("decay", decay, "pass decay=0.0 for the minimum norm")
    samples, features = x.shape
    added = jnp.sqrt(samples * lam) * jnp.eye(features, dtype=x.dtype)
    stacked = jnp.concatenate([x, added])
    noise = max(stacked.shape) * float(jnp.finfo(x.dtype).eps)
    weights = jnp.linalg.pinv(stacked, rtol=noise)[:, :samples] @ y
    return Ridge(weights, jnp.sqrt(jnp.sum(weights**2)))
