"""Statements of section 2: the flow of rho and unit directions, its energy and its equilibria."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .... import models
from ....dynamics import normalisation as kinds
from ....dynamics.observables import moments
from ..statement import Statement
from .binary import Parts, mean_over_samples, parts, tangent
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


def flow_of_rho(problem: models.Problem, view: models.View) -> Array:
    """Rho' = 2 (mu - rho (M + lambda))."""
    at = parts(problem, view)
    return relative(_field(problem, view).rho, 2 * (at.mu - at.rho * (at.moment + at.decay)))


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


def rate_of_mu(problem: models.Problem, view: models.View) -> Array:
    """Mu' = sum_k 2 rho |d_k mu|^2 - rho^2 <d_k mu, d_k M> - 2 L rho mu (mu - rho M)."""
    at, ones = parts(problem, view), jnp.ones_like(view.evaluate(problem.network, problem.inputs))
    slopes = [mean_over_samples(ones, s) for s in at.slopes]
    seconds = [2 * mean_over_samples(at.margins, s) for s in at.slopes]
    total = -2 * len(slopes) * at.rho * at.mu * (at.mu - at.rho * at.moment)
    for first, second in zip(slopes, seconds, strict=True):
        total += 2 * at.rho * jnp.sum(first**2) - at.rho**2 * jnp.sum(first * second)
    terms = [jnp.sum(slope**2) for slope in slopes]
    return relative(_rate(moments.mu, problem, view), total, *terms)


def energy(problem: models.Problem, view: models.View) -> Array:
    """dLoss/dt = -rho'^2 - sum_k |V_k'|^2."""
    moves = _field(problem, view)
    dissipated = moves.rho**2 + sum(jnp.sum(v**2) for v in moves.directions)
    terms = [jnp.sum(term**2) for term in _terms(problem, view)]
    return relative(_rate(models.objective, problem, view), -dissipated, *terms)


def loss_by_speed(problem: models.Problem, view: models.View) -> Array:
    """Loss = 1 - rho (rho' / 2 + mu)."""
    at = parts(problem, view)
    found = 1 - at.rho * (_field(problem, view).rho / 2 + at.mu)
    return relative(models.objective(problem, view), found, jnp.ones(()))


def equilibrium(problem: models.Problem, view: models.View) -> Array:
    """Rho = mu / (M + lambda) at rest."""
    return relative(view.rho, moments.rho_eq(problem, view))


def equilibrium_as_printed(problem: models.Problem, view: models.View) -> Array:
    """Rho = sum fbar / (lambda + sum fbar^2), without the N in front of lambda."""
    at = parts(problem, view)
    return relative(at.rho, jnp.sum(at.margins) / (at.decay + jnp.sum(at.margins**2)))


def _at_equilibrium(problem: models.Problem, view: models.View) -> models.Polar:
    rho = moments.rho_eq(problem, view)
    return models.Polar(rho, view.directions)


def gap_is_the_loss(problem: models.Problem, view: models.View) -> Array:
    """Eps = (sigma^2 + lambda) / (mu^2 + sigma^2 + lambda) = Loss(rho_eq)."""
    at, there = parts(problem, view), _at_equilibrium(problem, view)
    spread = at.moment - at.mu**2 + at.decay
    return relative(models.objective(problem, there), spread / (at.mu**2 + spread), jnp.ones(()))


def gap_as_difference(problem: models.Problem, view: models.View) -> Array:
    """The description "(rho_0 - rho_lambda) mu", which assumes sigma = 0."""
    at, there = parts(problem, view), _at_equilibrium(problem, view)
    described = (at.mu / at.moment - there.rho) * at.mu
    return relative(models.objective(problem, there), described)


def _directions_at_rest(
    at: Parts, residuals: Array, slopes: tuple[Array, ...], scale: Array
) -> Array:
    found = tuple(mean_over_samples(residuals, slope) / scale for slope in slopes)
    return relative(tuple(at.directions), found)


def directions_at_rest(problem: models.Problem, view: models.View) -> Array:
    """V_k = sum l_n d_k fbar_n / sum l_n fbar_n."""
    at = parts(problem, view)
    scale = jnp.mean(at.residuals * at.margins)
    return _directions_at_rest(at, at.residuals, at.slopes, scale)


def directions_at_rest_unbarred(problem: models.Problem, view: models.View) -> Array:
    """The same with f_n and d_k f_n beside l_n = 1 - rho fbar_n."""
    at, y = parts(problem, view), problem.targets
    slopes = tuple(jnp.tensordot(jnp.diag(y), s, axes=1) for s in at.slopes)
    return _directions_at_rest(at, at.residuals, slopes, jnp.mean(at.residuals * at.outputs))


def directions_at_rest_divided(problem: models.Problem, view: models.View) -> Array:
    """The right form with a spurious 1/N on d_k fbar_n."""
    at = parts(problem, view)
    scale = len(at.margins) * jnp.mean(at.residuals * at.margins)
    return _directions_at_rest(at, at.residuals, at.slopes, scale)


SIGNS, REST = ("signs",), ("signs", "decay", "rest")
SMOOTH = ("signs", "decay", "smooth_rest")
STATEMENTS = (
    Statement(
        "2.1", "[Dyn] (4), [M117] (5), last forms",
        "V_k' = (2 rho/N) sum l_n (d_k fbar_n - V_k fbar_n), l_n = 1 - rho fbar_n",
        flow_of_directions, flow_with_unbarred_residuals, asked_of=SIGNS,
        note="print has f_n for fbar_n in l_n",
    ),
    Statement(
        "2.1", "[M117] (16), (18), (24), (25); [Dyn] (48)", "the sign of V_k'",
        flow_of_directions, flow_with_flipped_sign, asked_of=SIGNS,
    ),
    Statement(
        "2.1", "[M112] (21)", "the multiplier's term is -2 nu V_k, nu = rho mu - rho^2 M",
        multiplier, multiplier_is_decay, asked_of=SIGNS, note="print has -2 lambda V_k",
    ),
    Statement(
        "2.1", "[Dyn] (2), [M117] (3)", "rho' = 2 (mu - rho (M + lambda))", flow_of_rho,
        asked_of=SIGNS,
    ),
    Statement(
        "2.2", "[M117] (9)", "V_k' = 2 rho d_k mu - rho^2 d_k M - 2 (rho mu - rho^2 M) V_k",
        flow_by_moments, flow_by_moments_as_printed, asked_of=SIGNS,
        note="print lacks the 2 in front of V_k, and more",
    ),
    Statement("2.2", "[M117] (10)", "mu' by the moments' slopes", rate_of_mu, asked_of=SIGNS),
    Statement(
        "2.3", "[Dyn] 3.4", "dLoss/dt = -rho'^2 - sum_k |V_k'|^2", energy, asked_of=SIGNS
    ),
    Statement(
        "2.4", "[Dyn] Lemma 4, [M117] Lemma 9", "Loss = 1 - rho (rho'/2 + mu) at any time",
        loss_by_speed, asked_of=SIGNS,
    ),
    Statement(
        "2.5", "[Dyn] (7), [M117] (11)", "rho_eq = mu / (M + lambda)", equilibrium,
        equilibrium_as_printed, tolerance=2e-3, asked_of=REST,
        note="the middle expression of (11) lacks N",
    ),
    Statement(
        "2.5", "[Dyn] (8)", "eps = (sigma^2 + lambda) / (mu^2 + sigma^2 + lambda) = Loss(rho_eq)",
        gap_is_the_loss, gap_as_difference, asked_of=SIGNS,
        note="the text before (8) describes it as (rho_0 - rho_lambda) mu",
    ),
    Statement(
        "2.6", "[Dyn] (9)", "V_k = sum l_n d_k fbar_n / sum l_n fbar_n at rest",
        directions_at_rest, directions_at_rest_unbarred, tolerance=1e-7, asked_of=SMOOTH,
    ),
    Statement(
        "2.6", "[M117] (12)", "V_k = sum l_n d_k fbar_n / sum l_n fbar_n at rest",
        directions_at_rest, directions_at_rest_divided, tolerance=1e-7, asked_of=SMOOTH,
    ),
)  # fmt: skip
