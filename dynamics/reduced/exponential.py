"""Equal margins under the exponential loss.

When every sample has the same margin m, Loss = e^(-m rho) + lambda rho^2 and on the spheres

    rho' = m e^(-m rho) - 2 lambda rho.

Without decay rho grows as the logarithm of time, for ever; with decay it rests at a finite rho,
given by Lambert's W (`lambert`). One rho does not fix the margins: a single sample is at rest where
e^(-rho f) f = 2 lambda rho, which has *two* roots f, so that rest on every batch of one does not
force equal margins.

Here rho multiplies the network's output and time is the running sum of the learning rates, for the
mean loss. Shapes broadcast; good to 1e-12 in double precision.

Source: [M117] J.2, (80)-(81); [M112] (46)-(47). Printed forms differ: [M117] J.2 has -lambda rho
where the objective's gradient is -2 lambda rho, and rho_k for rho.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from . import arguments
from .lambert import lambert_w


class Margins(NamedTuple):
    """The two margins at which one sample is at rest; NaN if there are none.

    Attributes:
        smaller: -W_0(-c) / rho, c = 2 lambda rho^2.
        larger: -W_{-1}(-c) / rho; infinite without decay.
    """

    smaller: Float[Array, "..."]
    larger: Float[Array, "..."]


def speed(rho: ArrayLike, *, margin: ArrayLike, decay: ArrayLike = 0.0) -> Float[Array, "..."]:
    """The right-hand side: rho' = m e^(-m rho) - 2 lambda rho.

    Args:
        rho: The radius.
        margin: m, of the normalised network.
        decay: lambda.

    >>> float(speed(0.0, margin=0.5))
    0.5
    """
    radius, m, lam = arguments.floating(rho, margin, decay)
    return m * jnp.exp(-m * radius) - 2 * lam * radius


def rho(times: ArrayLike, *, start: ArrayLike, margin: ArrayLike) -> Float[Array, "..."]:
    """Rho without decay: (1/m) ln(m^2 t + e^(m rho_0)).

    Args:
        times: Not negative.
        start: rho at time zero.
        margin: m, positive.

    Raises:
        ValueError: If a time is negative or m not positive.

    >>> round(float(rho(1.0, start=0.0, margin=1.0)), 6)  # ln 2
    0.693147
    """
    arguments.not_negative("times", times, "start at time zero")
    arguments.positive("margin", margin, "pass the margin of the normalised network")
    t, first, m = arguments.floating(times, start, margin)
    return first + jnp.log1p(m**2 * t * jnp.exp(-m * first)) / m


def rho_eq(margin: ArrayLike, decay: ArrayLike) -> Float[Array, "..."]:
    """Where rho rests with decay: W_0(m^2 / (2 lambda)) / m.

    Args:
        margin: m, positive.
        decay: lambda, positive: without decay rho never rests.

    Raises:
        ValueError: If m or lambda is not positive.

    >>> round(float(rho_eq(1.0, 0.5)), 6)  # the omega constant, w e^w = 1
    0.567143
    """
    arguments.positive("margin", margin, "pass the margin of the normalised network")
    arguments.positive("decay", decay, "without it rho grows for ever, see exponential.rho")
    m, lam = arguments.floating(margin, decay)
    return lambert_w(m**2 / (2 * lam)) / m


def resting_margins(rho: ArrayLike, decay: ArrayLike) -> Margins:
    """Both margins f with e^(-rho f) f = 2 lambda rho; there are none for 2 lambda rho^2 > 1/e.

    Args:
        rho: The radius, positive.
        decay: lambda.

    Raises:
        ValueError: If rho is not positive or lambda negative.

    Source: [M117] (81), with 2 lambda for the printed lambda.

    >>> [round(float(margin), 6) for margin in resting_margins(2.0, 0.025)]
    [0.129586, 1.271321]
    """
    arguments.positive("rho", rho, "pass the radius at rest")
    arguments.not_negative("decay", decay, "pass the decay of rho")
    radius, lam = arguments.floating(rho, decay)
    c = 2 * lam * radius**2
    return Margins(-lambert_w(-c) / radius, -lambert_w(-c, -1) / radius)
