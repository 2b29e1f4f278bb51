"""Rho with all directions fixed: one quadratic mode, moved in five ways.

The loss is a parabola in rho, so its gradient is h (rho - rho_eq) with

    h = 2 (M + lambda),    rho_eq = mu / (M + lambda).

| motion | equation, with x = rho - rho_eq | it rings where |
|---|---|---|
| `flow` | x' = -h x | never |
| `modified_flow` | x' = -(h + m h^2) x, of Loss + (m/2) norm(grad Loss)^2 | never |
| `second_order` | m x'' + x' = -h x | 4 m h > 1 |
| `descent` | x+ = x - eta h x + beta (x - x-) | (1-sqrt beta)^2 < eta h < (1+sqrt beta)^2 |

eta is the learning rate, beta the momentum and m the `inertia` eta (1+beta) / (2 (1-beta)^2), eta/2
without momentum. `modified_flow` and `second_order` describe descent to O(eta^2), as long as m h is
small: the second-order equation rings from eta h > (1-beta)^2 / (2 (1+beta)) on and never diverges,
the modified flow does neither, while descent alternates in sign from (1+sqrt beta)^2 and diverges
from 2 (1+beta) on (`thresholds`). Without momentum rho alone rings in the equation iff
4 eta (M + lambda) > 1.

Times are running sums of the learning rates: step n of descent stands at n eta / (1 - beta). Shapes
broadcast. The closed forms are good to 1e-10 in double precision.

Source: [M117] section 5, (23)-(31), in the mean normalisation; heavy ball: the modified equation of
Kovachki & Stuart. Printed forms differ: [M117] has the frequency as 4 (M + 2 lambda) / eta for
sqrt(4 (M + lambda) / eta - 1 / eta^2), and the condition as 1 > sqrt(2 M + 2 lambda).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from . import arguments
from .functions import safe_sqrt
from .fundamental import damped, powers


class Mode(NamedTuple):
    """One quadratic mode, made by `radial_mode`.

    Attributes:
        centre: Where it rests: rho_eq.
        curvature: h, the slope of the gradient.
    """

    centre: Float[Array, "..."]
    curvature: Float[Array, "..."]


class Oscillation(NamedTuple):
    """How the second-order equation moves.

    Attributes:
        damping_rate: 1 / (2 m), of the envelope where it rings.
        natural_frequency: sqrt(h / m), omega_0.
        damping_ratio: zeta = 1 / (2 sqrt(m h)).
        rings: Whether zeta < 1.
        frequency: sqrt(h/m - 1/(4 m^2)), zero where it does not ring; in radians per time.
    """

    damping_rate: Float[Array, "..."]
    natural_frequency: Float[Array, "..."]
    damping_ratio: Float[Array, "..."]
    rings: Bool[Array, "..."]
    frequency: Float[Array, "..."]


class Thresholds(NamedTuple):
    """Where a mode changes its kind of motion, in learning rate times curvature.

    Attributes:
        rings: Heavy ball oscillates from here on: (1 - sqrt beta)^2. Equals ``alternates`` without
            momentum: then it never rings.
        alternates: It changes sign at every step from here on: (1 + sqrt beta)^2.
        diverges: It grows from here on: 2 (1 + beta).
        equation_rings: The second-order equation rings from here on:
            (1 - beta)^2 / (2 (1 + beta)); it never diverges.
    """

    rings: Float[Array, "..."]
    alternates: Float[Array, "..."]
    diverges: Float[Array, "..."]
    equation_rings: Float[Array, "..."]


def radial_mode(mean_margin: ArrayLike, second_moment: ArrayLike, decay: ArrayLike = 0.0) -> Mode:
    """The mode of rho: centre mu / (M + lambda), curvature 2 (M + lambda).

    Args:
        mean_margin: mu, of fixed directions.
        second_moment: M, positive.
        decay: lambda, of rho.

    Raises:
        ValueError: If M is not positive or lambda negative.

    >>> [float(number) for number in radial_mode(0.5, 0.75, decay=0.25)]
    [0.5, 2.0]
    """
    arguments.finite("mean_margin", mean_margin, "pass the mean margin of the run")
    arguments.positive("second_moment", second_moment, "pass mean |f_V|^2 of the run")
    arguments.not_negative("decay", decay, "pass decay=0.0 for none")
    mu, moment, lam = arguments.floating(mean_margin, second_moment, decay)
    return Mode(mu / (moment + lam), 2 * (moment + lam))


def inertia(learning_rate: ArrayLike, momentum: ArrayLike = 0.0) -> Float[Array, "..."]:
    """The mass m = eta (1 + beta) / (2 (1 - beta)^2) that finite steps give to the motion.

    Args:
        learning_rate: eta, positive.
        momentum: beta of heavy ball, 0 <= beta < 1.

    Raises:
        ValueError: If an argument is out of its range.

    >>> round(float(inertia(0.01, momentum=0.9)), 6)
    0.95
    """
    _check_descent(learning_rate, momentum)
    eta, beta = arguments.floating(learning_rate, momentum)
    return eta * (1 + beta) / (2 * (1 - beta) ** 2)


def oscillation(mode: Mode, *, inertia: ArrayLike) -> Oscillation:
    """Frequencies and damping of the second-order equation.

    Args:
        mode: See `radial_mode`.
        inertia: m, positive, see `inertia`.

    Raises:
        ValueError: If m is not positive.

    >>> ring = oscillation(radial_mode(0.5, 0.5), inertia=1.0)
    >>> bool(ring.rings), round(float(ring.frequency), 6)
    (True, 0.866025)
    """
    arguments.positive("inertia", inertia, "make one with oscillator.inertia(learning_rate)")
    _, h, m = arguments.floating(*mode, inertia)
    excess = h / m - 1 / (4 * m**2)
    return Oscillation(
        1 / (2 * m), jnp.sqrt(h / m), 1 / (2 * jnp.sqrt(m * h)), 4 * m * h > 1, safe_sqrt(excess)
    )


def thresholds(momentum: ArrayLike = 0.0) -> Thresholds:
    """Where heavy ball rings, alternates and diverges, in learning rate times curvature.

    Args:
        momentum: beta, 0 <= beta < 1.

    Raises:
        ValueError: If beta is out of its range.

    >>> [round(float(value), 5) for value in thresholds(0.9)]
    [0.00263, 3.79737, 3.8, 0.00263]
    """
    _check_descent(1.0, momentum)
    (beta,) = arguments.floating(momentum)
    root, half = jnp.sqrt(beta), 2 * (1 + beta)
    # (1 - sqrt beta)^2 without cancellation.
    return Thresholds(((1 - beta) / (1 + root)) ** 2, (1 + root) ** 2, half, (1 - beta) ** 2 / half)


def flow(times: ArrayLike, *, mode: Mode, start: ArrayLike) -> Float[Array, "..."]:
    """Rho by gradient flow: rho_eq + (rho_0 - rho_eq) e^(-h t).

    Args:
        times: t, in units of the running sum of learning rates.
        mode: The mode, with its centre rho_eq and its curvature h.
        start: rho_0.

    >>> round(float(flow(1.0, mode=radial_mode(0.5, 0.5), start=0.0)), 6)  # 1 - 1/e
    0.632121
    """
    centre, h, t, first = arguments.floating(*mode, times, start)
    return centre + (first - centre) * jnp.exp(-h * t)


def modified_flow(
    times: ArrayLike, *, mode: Mode, start: ArrayLike, inertia: ArrayLike
) -> Float[Array, "..."]:
    """Rho by the flow of Loss + (m/2) norm(grad Loss)^2: the rate is h (1 + m h).

    Args:
        times: Where to look.
        mode: See `radial_mode`.
        start: rho at time zero.
        inertia: m, see `inertia`.

    Raises:
        ValueError: If m is negative.
    """
    arguments.not_negative("inertia", inertia, "make one with oscillator.inertia(learning_rate)")
    centre, h, m = arguments.floating(*mode, inertia)
    return flow(times, mode=Mode(centre, h * (1 + m * h)), start=start)


def second_order(
    times: ArrayLike,
    *,
    mode: Mode,
    start: ArrayLike,
    inertia: ArrayLike,
    velocity: ArrayLike | None = None,
) -> Float[Array, "..."]:
    """Rho by m rho'' + rho' = -h (rho - rho_eq).

    Args:
        times: Not negative.
        mode: See `radial_mode`.
        start: rho at time zero.
        inertia: m, positive; `inertia` of the learning rate, half of it without momentum.
        velocity: rho' at time zero; the flow's, -h (rho - rho_eq), unless given. From rest (zero)
            the equation is off descent by O(eta) instead of O(eta^2).

    Raises:
        ValueError: If m is not positive or a time negative.

    >>> mode = radial_mode(0.5, 0.5)
    >>> rho = second_order(jnp.array([0.0, 3.0]), mode=mode, start=0.0, inertia=1.0, velocity=0.0)
    >>> [round(float(value), 4) for value in rho]
    [0.0, 1.1244]
    """
    arguments.positive("inertia", inertia, "make one with oscillator.inertia(learning_rate)")
    arguments.not_negative("times", times, "start at time zero")
    centre, h, t, first, m = arguments.floating(*mode, times, start, inertia)
    x = first - centre
    v = -h * x if velocity is None else arguments.floating(velocity, x)[0]
    even, odd = damped(t, h / m, 1 / (2 * m))
    return centre + x * even + (v + x / (2 * m)) * odd


def descent(
    steps: ArrayLike,
    *,
    mode: Mode,
    start: ArrayLike,
    learning_rate: ArrayLike,
    momentum: ArrayLike = 0.0,
    previous: ArrayLike | None = None,
) -> Float[Array, "..."]:
    """Rho after steps of gradient descent, or heavy ball, without looping.

    rho+ = rho - eta h (rho - rho_eq) + beta (rho - rho-); for beta = 0 the distance to rho_eq is
    multiplied by 1 - eta h at every step.

    Args:
        steps: How many, integers not negative.
        mode: See `radial_mode`.
        start: rho at step zero.
        learning_rate: eta, positive.
        momentum: beta, 0 <= beta < 1.
        previous: rho one step before the start; the start itself unless given, which is an
            optimiser's empty buffer. ``start + eta / (1 - beta) h (start - rho_eq)`` begins on
            the slow manifold.

    Returns:
        rho, in floating precision.

    Raises:
        ValueError: If an argument is out of its range.

    >>> mode = radial_mode(1.0, 1.0)
    >>> rho = descent(jnp.arange(4), mode=mode, start=0.0, learning_rate=0.25)
    >>> [float(value) for value in rho]
    [0.0, 0.5, 0.75, 0.875]
    """
    _check_descent(learning_rate, momentum)
    arguments.integer("steps", steps, "count the steps from zero")
    arguments.not_negative("steps", steps, "count the steps from zero")
    centre, h, first, eta, beta = arguments.floating(*mode, start, learning_rate, momentum)
    before = first if previous is None else arguments.floating(previous, first)[0]
    n, x = jnp.asarray(steps), first - centre
    half = (1 + beta - eta * h) / 2
    after = 2 * half * x - beta * (before - centre)
    even, odd = powers(n, half, beta)
    return centre + x * even + (after - half * x) * odd


def _check_descent(learning_rate: ArrayLike, momentum: ArrayLike) -> None:
    arguments.positive("learning_rate", learning_rate, "pass for example learning_rate=0.1")
    arguments.refuse_unless(
        "0 <= momentum < 1",
        momentum,
        lambda beta: (beta >= 0) & (beta < 1),
        "pass momentum=0.0 for none",
    )
