"""Statements of section 2, continued: where rho and the directions rest, with equal margins too."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .... import models
from ....dynamics import normalisation as kinds
from ....dynamics.observables import moments
from ....dynamics.reduced import equilibria
from ..statement import CONSTRUCTION, Statement
from .binary import POLAR, SCALAR, Parts, mean_over_samples, parts
from .residuals import excess, relative


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


def _equal_margins(margin: float, decay: float) -> tuple[Array, Array]:
    """Where the flow of one linear unit with equal margins rests, and the loss there.

    Rho' is linear in rho, so that its value at 0 and at 1 says where it vanishes.
    """
    targets = np.where(np.arange(4) % 2, 1.0, -1.0)
    inputs = targets[:, None] * np.asarray([[margin, math.sqrt(1 - margin**2)]])
    problem = models.Problem(models.deep_linear((2, 1)), inputs, targets, decay=decay)
    unit = (jnp.asarray([[1.0], [0.0]]),)

    def speed(rho: float) -> Array:
        return kinds.field(kinds.sphere(), problem, models.Polar(jnp.asarray(rho), unit)).rho

    rho = speed(0.0) / (speed(0.0) - speed(1.0))
    return rho, models.objective(problem, models.Polar(rho, unit))


def equal_margins() -> Array:
    """Margins 1/rho_0: rho_lambda = rho_0/(1 + a), eps = a/(1 + a), a = lambda rho_0^2."""
    rho, loss = _equal_margins(1 / 7.0, 0.03)
    a = 0.03 * 7.0**2
    return relative((rho, loss), (7.0 / (1 + a), a / (1 + a)))


def equal_margins_as_printed() -> Array:
    """Eps = lambda rho_0."""
    return relative(_equal_margins(1 / 7.0, 0.03)[1], 0.03 * 7.0)


def never_zero_with_decay() -> Array:
    """Lemma 1: the least loss is lambda / (mu^2 + lambda), so never zero."""
    rho, loss = _equal_margins(0.2, 0.01)
    return relative((rho, loss), (0.2 / (0.04 + 0.01), 0.01 / (0.04 + 0.01)))


def _rest_of(margins: tuple[float, ...], decay: float = 0.0) -> equilibria.Rest:
    """The library's equilibrium at these margins."""
    values = jnp.asarray(margins)
    return equilibria.on_spheres(jnp.mean(values), jnp.mean(values**2), decay)


def radius_with_decay() -> Array:
    """Equal margins 1/rho_0 rest at rho_0/(1 + lambda rho_0^2) in the mean normalisation."""
    found = (_equal_margins(1 / 7.0, 0.03)[0], _rest_of((1 / 7.0,) * 12, 0.03).rho)
    return relative(found, (7.0 / (1 + 0.03 * 7.0**2),) * 2)


def radius_with_decay_over_samples() -> Array:
    """The same with lambda/N, which is lambda_S/N of the sum over samples: N = 12."""
    return relative(_equal_margins(1 / 7.0, 0.03)[0], 7.0 / (1 + 0.03 * 7.0**2 / 12))


def _some_stuck(samples: int, stuck: int, summed: float) -> tuple[tuple[Array, ...], ...]:
    """Rho, Loss_S and the spread of the margins: the library's and [M117]'s, rho_0 = 7."""
    rest = equilibria.stuck_margins(stuck / samples, 1 / 7.0, summed / samples)
    a = summed * 7.0**2 / stuck
    told = (7.0 / (1 + a), summed * 7.0**2 / (1 + a), summed * 7.0 / stuck)
    curve = jnp.asarray([stuck / 49 + summed, -2 * stuck / 7.0, float(stuck)])
    assert abs(float(jnp.polyval(curve, rest.rho)) - float(told[1])) < 1e-10
    found = (rest.rho, samples * rest.loss, 1 / rest.rho - 1 / 7.0)
    return found, tuple(map(jnp.asarray, told))


def summed_loss_of_equal_margins() -> Array:
    """(42): Loss_S = lambda_S rho_0^2/(1 + lambda_S rho_0^2/N)."""
    return relative(*_some_stuck(12, 12, 0.3))


def summed_loss_of_stuck_margins() -> Array:
    """(43): M' of N samples stuck at 1/rho_0, the others interpolate: M' for N, and the spread."""
    return relative(*_some_stuck(12, 5, 0.3))


def critical_radius() -> Array:
    """Without decay and with all margins in (0, 1], rho = mu/M >= 1."""
    cases = ((0.2, 0.9, 0.5), (1.0, 1.0), (1e-3, 1.0, 0.1))
    return excess(1.0, jnp.min(jnp.stack([_rest_of(case).rho for case in cases])))


def any_critical_radius() -> Array:
    """Margins 1 and -0.9 rest at rho = 0.055, equal ones with decay at 1/2."""
    others = jnp.stack([_rest_of((1.0, -0.9)).rho, _rest_of((1.0, 1.0), 1.0).rho])
    return excess(1.0, jnp.min(others))


def products_at_rest(problem: models.Problem, view: models.View) -> Array:
    """Sum l_n fbar_n = N lambda rho where rho rests."""
    return _products_at_rest(problem, view, problem.decay)


def products_at_rest_without_decay(problem: models.Problem, view: models.View) -> Array:
    """Sum l_n fbar_n = 0 there, with decay too."""
    return _products_at_rest(problem, view, jnp.zeros(()))


def _products_at_rest(problem: models.Problem, view: models.View, decay: Array) -> Array:
    at = parts(problem, view)
    return relative(jnp.mean(at.residuals * at.margins), decay * at.rho)


REST, BUILT = (*POLAR, "decay", "rest"), (CONSTRUCTION,)
SMOOTH = (*SCALAR, "decay", "smooth_rest")
STATEMENTS = (
    Statement(
        "2.5", "[Dyn] (7), [M117] (11)", "rho_eq = mu / (M + lambda)", equilibrium,
        equilibrium_as_printed, tolerance=1e-2, asked_of=REST,
        note="the middle expression of (11) lacks N",
    ),
    Statement(
        "2.5", "[Dyn] (8)", "eps = (sigma^2 + lambda) / (mu^2 + sigma^2 + lambda) = Loss(rho_eq)",
        gap_is_the_loss, gap_as_difference, asked_of=POLAR,
        note="the text before (8) describes it as (rho_0 - rho_lambda) mu",
    ),
    Statement(
        "2.6", "[Dyn] (9)", "V_k = sum l_n d_k fbar_n / sum l_n fbar_n at rest",
        directions_at_rest, directions_at_rest_unbarred, tolerance=1e-6, asked_of=SMOOTH,
        note="print has f_n beside l_n = 1 - rho fbar_n",
    ),
    Statement(
        "2.6", "[M117] (12)", "V_k = sum l_n d_k fbar_n / sum l_n fbar_n at rest",
        directions_at_rest, directions_at_rest_divided, tolerance=1e-6, asked_of=SMOOTH,
        note="print has a spurious 1/N",
    ),
    Statement(
        "2.9", "[M117] Lemma 2", "equal margins: eps = a/(1+a), a = lambda rho_0^2",
        equal_margins, equal_margins_as_printed, asked_of=(CONSTRUCTION,),
        note="print: eps = lambda rho_0",
    ),
    Statement(
        "1.9", "[Dyn] Lemma 1", "with decay the loss is never zero: lambda/(mu^2 + lambda)",
        never_zero_with_decay, asked_of=(CONSTRUCTION,),
    ),
    Statement(
        "2.6", "[M112] footnote 4", "rho' = 0 if and only if sum l_n fbar_n = N lambda rho",
        products_at_rest, products_at_rest_without_decay, tolerance=2e-2, asked_of=REST,
        note="print has zero on the right, which is lambda = 0",
    ),
    Statement(
        "2.9", "[M117] Lemma 2, rho_lambda", "equal margins: rho = rho_0/(1 + lambda rho_0^2)",
        radius_with_decay, radius_with_decay_over_samples, asked_of=BUILT,
        note="print has lambda/N, the sum's, beside the mean's eps",
    ),
    Statement(
        "2.9", "[M117] (42)", "Loss_S = lambda_S rho_0^2/(1 + lambda_S rho_0^2/N), equal margins",
        summed_loss_of_equal_margins, asked_of=BUILT,
    ),
    Statement(
        "2.9", "[M117] (43)", "M' of N margins stuck at 1/rho_0: the same with M' for N",
        summed_loss_of_stuck_margins, asked_of=BUILT,
    ),
    Statement(
        "2.12", "[M112] footnote 6", "critical rho >= 1 if lambda = 0 and all fbar_n > 0",
        critical_radius, any_critical_radius, tolerance=0.0, asked_of=BUILT,
        note="print: at any critical point",
    ),
)  # fmt: skip
