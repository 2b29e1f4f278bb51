"""Statements of section 2: the flow of rho and unit directions, of mu and M, and its energy."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .... import models
from ....dynamics import normalisation as kinds
from ....dynamics.observables import moments
from ..statement import Statement
from .binary import (
    ANY_TARGETS,
    POLAR,
    SCALAR,
    Parts,
    mean_over_samples,
    means,
    parts,
    slopes,
    tangent,
)
from .residuals import relative


def _field(problem: models.Problem, view: models.View) -> models.Polar:
    return kinds.field(kinds.sphere(), problem, models.Polar(view.rho, view.directions))


def _against_field(problem: models.Problem, view: models.View, moves: tuple[Array, ...]) -> Array:
    return relative(tuple(_field(problem, view).directions), moves, *_terms(problem, view))


def _terms(problem: models.Problem, view: models.View) -> tuple[Array, ...]:
    """The terms that cancel at rest, by which a difference is to be measured."""
    at = parts(problem, view)
    return tuple(at.rho * mean_over_samples(jnp.ones_like(at.margins), s) for s in at.slopes)


def flow_of_directions(problem: models.Problem, view: models.View) -> Array:
    """V_k' = (2 rho / N) sum l_n (d_k fbar_n - V_k fbar_n) is minus the projected gradient."""
    at = parts(problem, view)
    return _against_field(problem, view, tangent(2 * at.rho * at.residuals, at))


def flow_with_unbarred_residuals(problem: models.Problem, view: models.View) -> Array:
    """The same with (1 - rho f_n) in place of (1 - rho fbar_n)."""
    at = parts(problem, view)
    return _against_field(problem, view, tangent(2 * at.rho * (1 - at.rho * at.outputs), at))


def flow_with_flipped_sign(problem: models.Problem, view: models.View) -> Array:
    """The same with a leading minus."""
    at = parts(problem, view)
    return _against_field(problem, view, tangent(-2 * at.rho * at.residuals, at))


def _with_multiplier(at: Parts, multiplier: Array) -> tuple[Array, ...]:
    return tuple(
        2 * at.rho * mean_over_samples(at.residuals, slope) - 2 * multiplier * direction
        for slope, direction in zip(at.slopes, at.directions, strict=True)
    )


def multiplier(problem: models.Problem, view: models.View) -> Array:
    """Nu = rho mu - rho^2 M for every layer."""
    at = parts(problem, view)
    nu = at.rho * at.mu - at.rho**2 * at.moment
    return _against_field(problem, view, _with_multiplier(at, nu))


def multiplier_is_decay(problem: models.Problem, view: models.View) -> Array:
    """-2 lambda V_k where -2 nu V_k is meant."""
    at = parts(problem, view)
    return _against_field(problem, view, _with_multiplier(at, at.decay))


def flow_with_doubled_factor(problem: models.Problem, view: models.View) -> Array:
    """The same with 4 rho/N in front."""
    at = parts(problem, view)
    return _against_field(problem, view, tangent(4 * at.rho * at.residuals, at))


def flow_of_rho(problem: models.Problem, view: models.View) -> Array:
    """Rho' = 2 (mu - rho (M + lambda))."""
    at = means(problem, view)
    right = 2 * (at.mu - view.rho * (at.moment + problem.decay))
    return relative(_field(problem, view).rho, right, at.mu)


def _by_moments(at: Parts, factor: float) -> tuple[Array, ...]:
    ones, nu = jnp.ones_like(at.margins), at.rho * at.mu - at.rho**2 * at.moment
    return tuple(
        2 * at.rho * mean_over_samples(ones, slope)
        - 2 * at.rho**2 * mean_over_samples(at.margins, slope)
        - factor * nu * direction
        for slope, direction in zip(at.slopes, at.directions, strict=True)
    )


def flow_by_moments(problem: models.Problem, view: models.View) -> Array:
    """V_k' = 2 rho d_k mu - rho^2 d_k M - 2 (rho mu - rho^2 M) V_k."""
    return _against_field(problem, view, _by_moments(parts(problem, view), 2.0))


def flow_by_moments_as_printed(problem: models.Problem, view: models.View) -> Array:
    """The same with the terms in V_k halved."""
    return _against_field(problem, view, _by_moments(parts(problem, view), 1.0))


def _rate(function: Callable[..., Array], problem: models.Problem, view: models.View) -> Array:
    """d/dt of an observable along the flow."""
    here = models.Polar(view.rho, view.directions)
    return jax.jvp(lambda v: function(problem, v), (here,), (_field(problem, view),))[1]


def _rates_of_moments(problem: models.Problem, view: models.View, factor: float) -> Array:
    """Mu' and M' as sums over layers of the moments' slopes; ``factor`` of the radial terms."""
    at = parts(problem, view)
    ones, drive = jnp.ones_like(at.margins), at.mu - at.rho * at.moment
    radial = -factor * len(at.slopes) * at.rho * drive
    mu_rate, moment_rate = radial * at.mu, 2 * radial * at.moment
    terms: list[Array] = []
    for slope in at.slopes:
        first = mean_over_samples(ones, slope)
        second = 2 * mean_over_samples(at.margins, slope)
        cross = jnp.sum(first * second)
        terms += [jnp.sum(first**2), jnp.sum(second**2)]
        mu_rate += 2 * at.rho * jnp.sum(first**2) - at.rho**2 * cross
        moment_rate += 2 * at.rho * cross - at.rho**2 * jnp.sum(second**2)
    found = (_rate(moments.mu, problem, view), _rate(moments.second_moment, problem, view))
    return jnp.stack(
        [relative(a, b, *terms) for a, b in zip(found, (mu_rate, moment_rate), strict=True)]
    )


def rate_of_mu(problem: models.Problem, view: models.View) -> Array:
    """Mu' = sum_k 2 rho |d_k mu|^2 - rho^2 <d_k mu, d_k M> - 2 L rho mu (mu - rho M)."""
    return _rates_of_moments(problem, view, 2.0)[0]


def rate_of_mu_as_printed(problem: models.Problem, view: models.View) -> Array:
    """What follows from (9) as printed: the term in mu (mu - rho M) halved."""
    return _rates_of_moments(problem, view, 1.0)[0]


def rate_of_moment(problem: models.Problem, view: models.View) -> Array:
    """M' = sum_k 2 rho <d_k M, d_k mu> - rho^2 |d_k M|^2 - 4 L rho M (mu - rho M)."""
    return _rates_of_moments(problem, view, 2.0)[1]


def energy(problem: models.Problem, view: models.View) -> Array:
    """dLoss/dt = -rho'^2 - sum_k |V_k'|^2."""
    moves = _field(problem, view)
    dissipated = moves.rho**2 + sum(jnp.sum(v**2) for v in moves.directions)
    terms = [jnp.sum(slope**2) for slope in jax.tree.leaves(slopes(problem, view))]
    return relative(_rate(models.objective, problem, view), -dissipated, *terms)


def loss_by_speed(problem: models.Problem, view: models.View) -> Array:
    """Loss = S - rho (rho' / 2 + mu)."""
    at = means(problem, view)
    found = at.size - view.rho * (_field(problem, view).rho / 2 + at.mu)
    return relative(models.objective(problem, view), found, at.size)


def needs_small_outputs(problem: models.Problem, view: models.View) -> Array:
    """That it needs rho sum fbar_n < 1: one where it holds at rho sum fbar_n = 2 as well."""
    there = models.Polar(2 / jnp.sum(parts(problem, view).margins), view.directions)
    return (loss_by_speed(problem, there) < 1e-9).astype(float)


STATEMENTS = (
    Statement(
        "2.1", "[Dyn] (4), [M117] (5), last forms",
        "V_k' = (2 rho/N) sum l_n (d_k fbar_n - V_k fbar_n), l_n = 1 - rho fbar_n",
        flow_of_directions, flow_with_unbarred_residuals, asked_of=SCALAR,
        note="print has f_n for fbar_n in l_n",
    ),
    Statement(
        "2.1", "[M117] (16), (18), (24), (25); [Dyn] (48)", "the sign of V_k'",
        flow_of_directions, flow_with_flipped_sign, asked_of=SCALAR, note="print has the other",
    ),
    Statement(
        "2.1", "[M112] (21)", "the multiplier's term is -2 nu V_k, nu = rho mu - rho^2 M",
        multiplier, multiplier_is_decay, asked_of=SCALAR, note="print has -2 lambda V_k",
    ),
    Statement(
        "2.1", "[M112] (23), middle", "the factor of V_k' is 2 rho/N",
        flow_of_directions, flow_with_doubled_factor, asked_of=SCALAR,
        note="taken as printed: 4 rho/N, the 2 counted twice",
    ),
    Statement(
        "2.1", "[Dyn] (2), [M117] (3)", "rho' = 2 (mu - rho (M + lambda))", flow_of_rho,
        asked_of=ANY_TARGETS,
    ),
    Statement(
        "2.2", "[M117] (9)", "V_k' = 2 rho d_k mu - rho^2 d_k M - 2 (rho mu - rho^2 M) V_k",
        flow_by_moments, flow_by_moments_as_printed, asked_of=SCALAR,
        note="taken as printed: the terms in V_k without their 2; the others are scalars there",
    ),
    Statement(
        "2.2", "[M117] (10)",
        "mu' = sum_k 2 rho |d_k mu|^2 - rho^2 <d_k mu, d_k M> - 2 L rho mu (mu - rho M)",
        rate_of_mu, rate_of_mu_as_printed, asked_of=SCALAR,
        note="taken as printed: what follows from its (9), the last term halved",
    ),
    Statement(
        "2.2", "in place of [M117] (10)",
        "M' = sum_k 2 rho <d_k M, d_k mu> - rho^2 |d_k M|^2 - 4 L rho M (mu - rho M)",
        rate_of_moment, asked_of=SCALAR,
    ),
    Statement(
        "2.3", "[Dyn] 3.4", "dLoss/dt = -rho'^2 - sum_k |V_k'|^2", energy,
        asked_of=("homogeneous",),
    ),
    Statement(
        "2.4", "[Dyn] Lemma 4, [M117] Lemma 9", "Loss = 1 - rho (rho'/2 + mu) at any time",
        loss_by_speed, asked_of=ANY_TARGETS, note="mean |y_n|^2 for 1 with C outputs",
    ),
    Statement(
        "2.4", "[M117] Lemma 9, assumption", "it holds at rho sum fbar_n > 1 as well",
        loss_by_speed, needs_small_outputs, asked_of=POLAR,
        note="print assumes rho sum fbar_n < 1",
    ),
)  # fmt: skip
