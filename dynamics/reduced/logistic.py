"""Rho of an un-normalised network while its directions stay: a logistic equation for each depth.

    rho' = 2 L rho^(2 - 2/L) (mu - rho M) - 2 L lambda rho

for L layers of equal norms, rho_k = rho^(1/L), which the flow of `normalisation.free` keeps. With
mu = ``mean_margin``, M = ``second_moment``, lambda = ``decay`` (lambda sum_k |W_k|^2 in the loss)
frozen it has solutions in closed form:

| L | decay | rho(t) |
|---|---|---|
| 1 | any | limit + (rho_0 - limit) e^(-2 (M + lambda) t), limit = mu / (M + lambda) |
| 2 | any | limit / (1 + (limit/rho_0 - 1) e^(-4 (mu - lambda) t)), limit = (mu - lambda) / M |
| > 2 | 0 | the inverse of t = (G(u) - G(u_0)) / (2 L mu limit^(1 - 2/L)), limit = mu / M |

where u = rho / limit and G(u) = (u^p / p) 2F1(1, p; p + 1; u) with p = 2/L - 1, below the limit.
Above it 2F1 has a cut; there G(u) = B_(1-p)(1/u) (`beta`), which the documents do not mention. The
inverse is taken in the logit of u, or of 1/u above the limit, which has a simple equation of motion
and is well-conditioned at both ends.

**Range.** In double precision rho(t) and t(rho) are good to 1e-8 (relative) for u_0 from 1e-6 to
1e6 and L up to 20. From still smaller starts the end of the plateau is known as well as the time,
to rounding; t(rho) near the limit is known as well as limit - rho. With decay and L > 2 there is no
closed form: see `equilibria` for where it ends.

From a small start rho sits on a plateau, longer with more layers: `plateau_time`.

Time is the running sum of the learning rates, in the mean normalisation of the loss.

Source: [M117] (51), (53), figure 10; [M112] (28), appendix D, in the sum over samples without
decay. [M117] (16) has the sign flipped.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ...models.checks import is_traced, refusal
from . import arguments
from .beta import incomplete_beta
from .functions import relative_expm1, relative_log1p
from .root import increasing_root

SATURATED = 100.0
"""A logit at which u is one in any precision."""


def speed(
    rho: ArrayLike,
    *,
    mean_margin: ArrayLike,
    second_moment: ArrayLike,
    layers: int,
    decay: ArrayLike = 0.0,
) -> Float[Array, "..."]:
    """The right-hand side: rho' per unit of time.

    Args:
        rho: The radius, not negative unless there is one layer.
        mean_margin: mu, frozen.
        second_moment: M, frozen.
        layers: L, static.
        decay: lambda, of every layer.

    >>> float(speed(1.0, mean_margin=1.0, second_moment=0.5, layers=3))
    3.0
    """
    arguments.depth(layers)
    radius, mu, moment, lam = arguments.floating(rho, mean_margin, second_moment, decay)
    share = radius ** (2 - 2 / layers)
    return 2 * layers * (share * (mu - radius * moment) - lam * radius)


def rho(
    times: ArrayLike,
    *,
    start: ArrayLike,
    mean_margin: ArrayLike,
    second_moment: ArrayLike,
    layers: int,
    decay: ArrayLike = 0.0,
) -> Float[Array, "..."]:
    """Rho at given times, for any number of layers.

    Args:
        times: Not negative.
        start: rho at time zero, positive; with one layer any number.
        mean_margin: mu, frozen; positive with more than two layers.
        second_moment: M, frozen, positive.
        layers: L, static.
        decay: lambda; zero with more than two layers.

    Returns:
        rho, of the shape that the arguments broadcast to.

    Raises:
        ValueError: If an argument is out of its range.

    >>> at = jnp.array([0.0, 1.0, 9.0])
    >>> curve = rho(at, start=0.1, mean_margin=1.0, second_moment=0.5, layers=3)
    >>> [round(float(value), 4) for value in curve]
    [0.1, 1.7466, 2.0]
    """
    arguments.not_negative("times", times, "start at time zero")
    _check(start, mean_margin, second_moment, layers, decay)
    t, first, mu, moment, lam = arguments.floating(times, start, mean_margin, second_moment, decay)
    if layers == 1:
        rate = 2 * (moment + lam)
        return first * jnp.exp(-rate * t) + 2 * mu * t * relative_expm1(rate * t)
    if layers == 2:
        rate = 4 * (mu - lam)
        return first / (jnp.exp(-rate * t) + 4 * moment * first * t * relative_expm1(rate * t))
    return _deep_rho(t, first, mu, moment, layers)


def time(
    rho: ArrayLike,
    *,
    start: ArrayLike,
    mean_margin: ArrayLike,
    second_moment: ArrayLike,
    layers: int,
    decay: ArrayLike = 0.0,
) -> Float[Array, "..."]:
    """When rho is reached, the inverse of `rho`; known as well as rho differs from its limit.

    Args:
        rho: The radius that is asked for.
        start: As in `rho`.
        mean_margin: As in `rho`.
        second_moment: As in `rho`.
        layers: L, static.
        decay: As in `rho`.

    Returns:
        The time; negative if rho lies behind the start, infinite at the limit, NaN beyond it.

    Raises:
        ValueError: If an argument is out of its range.

    >>> at = time(1.0, start=0.1, mean_margin=1.0, second_moment=0.5, layers=2)
    >>> round(float(at), 6)  # ln(19) / 4
    0.73611
    """
    _check(start, mean_margin, second_moment, layers, decay)
    if layers > 1:
        arguments.positive("rho", rho, "it moves away from zero in infinite time only")
    last, first, mu, moment, lam = arguments.floating(rho, start, mean_margin, second_moment, decay)
    if layers == 1:
        rate = moment + lam
        return jnp.log((mu - rate * first) / (mu - rate * last)) / (2 * rate)
    if layers == 2:
        return _time_of_two(last, first, mu - lam, moment)
    clock, above = _deep_rate(mu, moment, layers), first * moment > mu
    begin, end = (_deep_clock(_logit(r, mu, moment, above), layers, above) for r in (first, last))
    return (end - begin) / clock


def _time_of_two(
    last: Float[Array, "..."],
    first: Float[Array, "..."],
    growth: Float[Array, "..."],
    moment: Float[Array, "..."],
) -> Float[Array, "..."]:
    """Of two layers, ln(1 + y) / (4 growth), where growth = mu - lambda may be zero or small.

    With y = growth (last - first) / (first (growth - moment last)) the growth goes out where y is
    small. Where it is not, ln(1 + y) is that of a product without differences of last and first.
    """
    left = growth - moment * last
    excess = growth * (last - first) / (first * left)
    near = jnp.abs(excess) < 0.5
    gap = 4 * first * jnp.where(near, left, 1.0)
    close = (last - first) / gap * relative_log1p(jnp.where(near, excess, 0.0))
    ratio = jnp.where(near, 1.0, last / first * (growth - moment * first) / left)
    return jnp.where(near, close, jnp.log(ratio) / (4 * jnp.where(near, 1.0, growth)))


def plateau_time(start: ArrayLike, *, mean_margin: ArrayLike, layers: int) -> Float[Array, "..."]:
    """How long rho stays small, to leading order in a small start and without decay.

    ln(1/rho_0) / (4 mu) for two layers, rho_0^(-(1 - 2/L)) / (2 mu (L - 2)) for more. For the
    exact time to half of the limit, ask `time` for it.

    Args:
        start: rho_0, positive and small.
        mean_margin: mu, positive; with decay and two layers pass mu - lambda.
        layers: L >= 2, static; one layer has no plateau.

    Raises:
        ValueError: If an argument is out of its range.

    >>> [round(float(plateau_time(1e-4, mean_margin=1.0, layers=L)), 2) for L in (2, 3, 4)]
    [2.3, 10.77, 25.0]
    """
    arguments.depth(layers, least=2)
    arguments.positive("start", start, "pass the small rho of time zero")
    arguments.positive("mean_margin", mean_margin, "without a margin rho does not grow")
    first, mu = arguments.floating(start, mean_margin)
    if layers == 2:
        return -jnp.log(first) / (4 * mu)
    return first ** (2 / layers - 1) / (2 * mu * (layers - 2))


def _deep_rate(
    mu: Float[Array, "..."], moment: Float[Array, "..."], layers: int
) -> Float[Array, "..."]:
    """What turns time into the clock G."""
    return 2 * layers * mu * (mu / moment) ** (1 - 2 / layers)


@functools.partial(jax.jit, static_argnames="layers")
def _deep_rho(
    t: Float[Array, "..."],
    first: Float[Array, "..."],
    mu: Float[Array, "..."],
    moment: Float[Array, "..."],
    layers: int,
) -> Float[Array, "..."]:
    """Inverts the clock in the logit, whose motion bounds it: its speed is monotone."""
    t, first, mu, moment = jnp.broadcast_arrays(t, first, mu, moment)
    limit, above = mu / moment, first * moment > mu
    begin = jnp.minimum(_logit(first, mu, moment, above), SATURATED)
    passed = _deep_rate(mu, moment, layers) * t
    goal = _deep_clock(begin, layers, above) + passed
    fastest = jnp.where(above, (first / limit) ** (2 - 2 / layers), 1.0)
    logit = increasing_root(
        lambda logit: _deep_clock(logit, layers, above) - goal,
        jax.lax.stop_gradient(begin),
        jax.lax.stop_gradient(begin + passed * fastest),
    )
    share = jax.nn.sigmoid(logit)
    return jnp.where(above, limit / share, limit * share)


def _logit(
    rho: Float[Array, "..."],
    mu: Float[Array, "..."],
    moment: Float[Array, "..."],
    above: Float[Array, "..."],
) -> Float[Array, "..."]:
    """Logit of u, or of 1/u above the limit: large near the limit, from either side."""
    target = mu / moment
    small = jnp.where(above, target, rho)
    return jnp.log(small) - jnp.log(jnp.where(above, rho - target, target - rho))


def _deep_clock(
    logit: Float[Array, "..."], layers: int, above: Float[Array, "..."]
) -> Float[Array, "..."]:
    """G, up to a constant, as a function of the logit: integral of u^(p-1) / (1-u), p = 2/L - 1."""
    p = 2 / layers - 1
    below = jnp.exp(-p * jax.nn.softplus(-logit)) / p + incomplete_beta(p + 1, logit)
    return jnp.where(above, incomplete_beta(1 - p, logit), below)


def _check(
    start: ArrayLike,
    mean_margin: ArrayLike,
    second_moment: ArrayLike,
    layers: int,
    decay: ArrayLike,
) -> None:
    arguments.depth(layers)
    arguments.not_negative("decay", decay, "pass decay=0.0 for none")
    arguments.positive("second_moment", second_moment, "pass mean |f_V|^2 of the run")
    if layers == 1:
        arguments.finite("start", start, "pass rho at time zero")
        arguments.finite("mean_margin", mean_margin, "pass the mean margin of the run")
        return
    arguments.positive("start", start, "zero is an equilibrium of two layers or more")
    if layers == 2:
        arguments.finite("mean_margin", mean_margin, "pass the mean margin of the run")
        return
    arguments.positive("mean_margin", mean_margin, "the closed form needs one with layers > 2")
    if is_traced(decay) or bool(np.any(np.asarray(decay) != 0)):
        raise refusal("decay=0.0 with layers > 2", decay, "integrate logistic.speed instead")
