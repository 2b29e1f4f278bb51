"""Where rho comes to rest while the mean margin mu and the second moment M stay as they are.

On the spheres, with decay lambda rho^2, the loss is 1 - 2 rho mu + rho^2 (M + lambda) and

    rho_eq = mu / (M + lambda),    gap = 1 - rho_eq mu = Loss(rho_eq).

Without normalisation, with L layers of equal norms and decay lambda sum_k |W_k|^2, rho rests where

    rho^(1 - 2/L) (mu - rho M) = lambda.

One layer: mu / (M + lambda). Two: (mu - lambda) / M if mu > lambda, else none above zero. **Three
or more are bistable**: zero attracts whatever starts below the smaller root, the *separatrix*
~ (lambda/mu)^(L/(L-2)), the larger root attracts the rest, and both vanish together where lambda
exceeds `largest_decay`. A very small start with layer-wise decay collapses; on the spheres it never
does. The roots are good to 1e-12 in double precision, except where the two nearly meet: there to
about 1e-8.

With equal margins m (M = m^2): rho = m / (m^2 + lambda), Loss = lambda / (m^2 + lambda).

Shapes: every argument broadcasts. lambda is that of the mean normalisation.

Source: [Dyn] (7), (8), Lemma 1; [M117] Lemma 2; layer-wise decay: from [M117] (46), (51), with
decay. Printed forms differ: [M117] (11), middle, lacks N beside lambda; [M117] Lemma 2 prints
eps = 1 - rho_0/rho_lambda = lambda rho_0 for lambda rho_0^2 / (1 + lambda rho_0^2).
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from . import arguments
from .root import increasing_root


class Rest(NamedTuple):
    """An equilibrium.

    Attributes:
        rho: The radius.
        loss: The objective there, decay included.
    """

    rho: Float[Array, "..."]
    loss: Float[Array, "..."]


class Bistable(NamedTuple):
    """The equilibria above zero of an un-normalised network with layer-wise decay.

    Attributes:
        stable: The larger root; NaN where there is none, and the flow ends at zero.
        separatrix: The smaller root: starts below it collapse to zero. NaN where there is none,
            zero with one or two layers.
    """

    stable: Float[Array, "..."]
    separatrix: Float[Array, "..."]


def on_spheres(mean_margin: ArrayLike, second_moment: ArrayLike, decay: ArrayLike = 0.0) -> Rest:
    """rho_eq = mu / (M + lambda), and the gap to interpolation, which is the loss there.

    Args:
        mean_margin: mu.
        second_moment: M, positive.
        decay: lambda, of rho.

    Raises:
        ValueError: If M is not positive or lambda negative.

    Source: [Dyn] (7), (8).

    >>> rest = on_spheres(0.5, 0.5, decay=0.125)
    >>> float(rest.rho), round(float(rest.loss), 6)
    (0.800000011920929, 0.6)
    """
    _check(mean_margin, second_moment, decay)
    mu, moment, lam = arguments.floating(mean_margin, second_moment, decay)
    radius = mu / (moment + lam)
    return Rest(radius, (moment - mu**2 + lam) / (moment + lam))


def equal_margins(margin: ArrayLike, decay: ArrayLike = 0.0) -> Rest:
    """The equilibrium on the spheres when every sample has the same margin.

    In the documents' rho_0 = 1/m and a = lambda rho_0^2: rho = rho_0 / (1+a), Loss = a / (1+a).

    Args:
        margin: m, of the normalised network, positive.
        decay: lambda.

    Raises:
        ValueError: If m is not positive or lambda negative.

    Source: [Dyn] Lemma 1, [M117] Lemma 2 (41)-(42); its printed eps = lambda rho_0 is wrong.

    >>> float(equal_margins(0.5, decay=0.25).rho)
    1.0
    """
    return stuck_margins(1.0, margin, decay)


def stuck_margins(fraction: ArrayLike, margin: ArrayLike, decay: ArrayLike) -> Rest:
    """A fraction of the samples has the margin m, the rest interpolate: their margins are 1/rho.

    rho = rho_0 / (1 + lambda rho_0^2 / fraction) with rho_0 = 1/m, Loss = lambda rho_0 rho; the
    two margins differ by lambda rho_0 / fraction.

    Args:
        fraction: Of the samples that are stuck, above zero and at most one.
        margin: m, positive.
        decay: lambda.

    Raises:
        ValueError: If an argument is out of its range.

    Source: [M117] Lemma 2 (43), in the mean normalisation. [Dyn] Lemma 6 excludes it by assumption.
    """
    arguments.refuse_unless(
        "0 < fraction <= 1",
        fraction,
        lambda share: (share > 0) & (share <= 1),
        "pass the share of samples that are stuck",
    )
    arguments.positive("margin", margin, "pass the margin of the normalised network")
    arguments.not_negative("decay", decay, "pass decay=0.0 for none")
    share, m, lam = arguments.floating(fraction, margin, decay)
    radius = share * m / (share * m**2 + lam)
    return Rest(radius, lam * radius / m)


def with_layer_decay(
    mean_margin: ArrayLike, second_moment: ArrayLike, decay: ArrayLike, layers: int
) -> Bistable:
    """The equilibria above zero of the un-normalised flow with equal norms.

    Args:
        mean_margin: mu.
        second_moment: M, positive.
        decay: lambda, of every layer.
        layers: L, static.

    Raises:
        ValueError: If M is not positive, lambda negative or L no positive integer.

    >>> rests = with_layer_decay(1.0, 0.5, decay=0.05, layers=3)
    >>> round(float(rests.stable), 4), round(float(rests.separatrix) * 1e4, 4)
    (1.9195, 1.2502)
    """
    _check(mean_margin, second_moment, decay)
    arguments.depth(layers)
    mu, moment, lam = jnp.broadcast_arrays(*arguments.floating(mean_margin, second_moment, decay))
    there = exists(mu, moment, lam, layers)
    if layers <= 2:
        radius = mu / (moment + lam) if layers == 1 else (mu - lam) / moment
        return Bistable(jnp.where(there, radius, jnp.nan), jnp.where(there, 0.0, jnp.nan))
    return _deep(mu, moment, lam, layers, there)


def largest_decay(
    mean_margin: ArrayLike, second_moment: ArrayLike, layers: int
) -> Float[Array, "..."]:
    """The decay above which all rho collapse to zero, the maximum of rho^(1-2/L) (mu - rho M).

    It is taken at rho = (mu/M) (L-2) / (2L-2); mu with two layers, infinite with one.

    Args:
        mean_margin: mu, positive.
        second_moment: M, positive.
        layers: L, static.

    Raises:
        ValueError: If an argument is out of its range.

    >>> round(float(largest_decay(1.0, 0.5, layers=4)), 6)
    0.544331
    """
    arguments.positive("mean_margin", mean_margin, "without a margin rho always collapses")
    arguments.positive("second_moment", second_moment, "pass mean |f_V|^2 of the run")
    arguments.depth(layers)
    mu, moment = jnp.broadcast_arrays(*arguments.floating(mean_margin, second_moment))
    return _largest_decay(mu, moment, layers)


def exists(
    mean_margin: ArrayLike, second_moment: ArrayLike, decay: ArrayLike, layers: int
) -> Bool[Array, "..."]:
    """Whether there is an equilibrium above zero; arguments are those of `with_layer_decay`.

    >>> bool(exists(1.0, 0.5, 0.5, layers=4)), bool(exists(1.0, 0.5, 0.6, layers=4))
    (True, False)
    """
    _check(mean_margin, second_moment, decay)
    arguments.depth(layers)
    mu, moment, lam = arguments.floating(mean_margin, second_moment, decay)
    positive = jnp.where(mu > 0, mu, 1.0)
    limit = _largest_decay(positive, moment, layers)
    return (mu > 0) & (lam < limit if layers == 2 else lam <= limit)


def _largest_decay(
    mu: Float[Array, "..."], moment: Float[Array, "..."], layers: int
) -> Float[Array, "..."]:
    if layers == 1:
        return jnp.full_like(mu, jnp.inf)
    return mu * (mu / moment) ** (1 - 2 / layers) * _peak(layers)


def _peak(layers: int) -> float:
    """Maximum of u^(1-2/L) (1 - u) over 0 <= u <= 1."""
    at = (layers - 2) / (2 * layers - 2)
    return at ** (1 - 2 / layers) * (1 - at)


@functools.partial(jax.jit, static_argnames="layers")
def _deep(
    mu: Float[Array, "..."],
    moment: Float[Array, "..."],
    lam: Float[Array, "..."],
    layers: int,
    there: Bool[Array, "..."],
) -> Bistable:
    """Both roots of u^a (1 - u) = c, for u = rho M / mu and a = 1 - 2/L.

    The larger is sought in (1 - u) / c, the smaller in u^a / c. In these both start from one, and
    the functions are increasing and concave up to the maximum of the left side.
    """
    a = 1 - 2 / layers
    limit = jnp.where(there, mu / moment, 1.0)
    c = jnp.where(there, lam / (limit * moment * limit**a), 0.0)
    one, widest = jnp.ones_like(c), jnp.where(c > 0, c, 1.0)
    top = (layers - 2) / (2 * layers - 2)
    rest = increasing_root(
        lambda x: x * _power(1 - c * x, a) - 1, one, jnp.maximum((1 - top) / widest, 1)
    )
    power = increasing_root(
        lambda x: x * (1 - _power(c * x, 1 / a)) - 1, one, jnp.maximum(top**a / widest, 1)
    )
    stable, separatrix = limit * (1 - c * rest), limit * _power(c * power, 1 / a)
    return Bistable(*(jnp.where(there, root, jnp.nan) for root in (stable, separatrix)))


def _power(base: Float[Array, "..."], exponent: float) -> Float[Array, "..."]:
    """A power of a number that rounding may have put below zero."""
    return jnp.maximum(base, 0.0) ** exponent


def _check(mean_margin: ArrayLike, second_moment: ArrayLike, decay: ArrayLike) -> None:
    arguments.finite("mean_margin", mean_margin, "pass the mean margin of the run")
    arguments.positive("second_moment", second_moment, "pass mean |f_V|^2 of the run")
    arguments.not_negative("decay", decay, "pass decay=0.0 for none")
