"""Statements of section 3: un-normalised layers, their norms, and rho with mu and M frozen."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .... import models
from ....dynamics import normalisation as kinds
from ....dynamics.observables import moments
from ....dynamics.reduced import equilibria, logistic
from ..statement import CONSTRUCTION, Statement
from .binary import mean_over_samples, parts, tangent
from .residuals import relative

RADII = (0.7, 1.3, 0.9)


def _uneven(view: models.View) -> models.LayerPolar:
    """The view's directions with a different radius for every layer."""
    return models.LayerPolar(jnp.asarray(RADII[: len(view.directions)]), view.directions)


def _weights_and_speed(
    problem: models.Problem, view: models.View, decay: str = "layers"
) -> tuple[models.Weights, models.Weights]:
    weights = models.to_weights(_uneven(view))
    return weights, kinds.field(kinds.free(decay=decay), problem, weights)


def _by_chain_rule(problem: models.Problem, view: models.View, sign: float) -> Array:
    weights, moves = _weights_and_speed(problem, view)
    at = parts(problem, _uneven(view))
    found = tuple(
        sign * 2 * at.rho / radius * mean_over_samples(at.residuals, slope)
        - 2 * problem.decay * layer
        for radius, slope, layer in zip(RADII, at.slopes, weights, strict=False)
    )
    return relative(tuple(moves), found)


def flow_of_weights(problem: models.Problem, view: models.View) -> Array:
    """W_k' = (2/N) sum l_n d gbar_n / dW_k - 2 lambda W_k."""
    return _by_chain_rule(problem, view, 1.0)


def flow_of_weights_flipped(problem: models.Problem, view: models.View) -> Array:
    """The same with the data's term flipped."""
    return _by_chain_rule(problem, view, -1.0)


def flow_of_radii(problem: models.Problem, view: models.View) -> Array:
    """rho_k' = 2 (rho/rho_k)(mu - rho M) - 2 lambda rho_k; V_k' slowed by rho_k^2."""
    uneven = _uneven(view)
    moves, at = kinds.field(kinds.layerwise(), problem, uneven), parts(problem, uneven)
    drive = at.mu - at.rho * at.moment
    radii = 2 * at.rho / uneven.radii * drive - 2 * problem.decay * uneven.radii
    turns = tangent(2 * at.rho * at.residuals, at)
    slowed = tuple(turn / radius**2 for turn, radius in zip(turns, uneven.radii, strict=True))
    terms = [at.rho * jnp.abs(slope) for slope in at.slopes]
    return relative((moves.radii, tuple(moves.directions)), (radii, slowed), *terms)


def _speed_of_rho(problem: models.Problem, view: models.View, factor: float) -> Array:
    uneven = _uneven(view)
    moves, at = kinds.field(kinds.layerwise(), problem, uneven), parts(problem, uneven)
    rate = jnp.sum(at.rho / uneven.radii * moves.radii)
    drive = 2 * at.rho**2 * jnp.sum(uneven.radii**-2.0) * (at.mu - at.rho * at.moment)
    shrink = 2 * problem.decay * len(uneven.radii) * at.rho
    return relative(rate, factor * drive - shrink, drive)


def speed_of_rho(problem: models.Problem, view: models.View) -> Array:
    """Rho' = 2 rho^2 (sum rho_k^-2)(mu - rho M) - 2 lambda L rho."""
    return _speed_of_rho(problem, view, 1.0)


def speed_of_rho_as_printed(problem: models.Problem, view: models.View) -> Array:
    """The same with a spurious L in front."""
    return _speed_of_rho(problem, view, float(len(view.directions)))


def _norm_rates(problem: models.Problem, view: models.View, factor: float) -> Array:
    weights, moves = _weights_and_speed(problem, view)
    at = parts(problem, _uneven(view))
    rates = jnp.stack([2 * jnp.sum(w * m) for w, m in zip(weights, moves, strict=True)])
    drive = at.rho * (at.mu - at.rho * at.moment)
    found = factor * drive - 4 * problem.decay * models.layer_norms(weights) ** 2
    return relative(rates, found, drive)


def norm_rates(problem: models.Problem, view: models.View) -> Array:
    """d|W_k|^2/dt = 4 rho (mu - rho M) - 4 lambda |W_k|^2."""
    return _norm_rates(problem, view, 4.0)


def norm_rates_as_printed(problem: models.Problem, view: models.View) -> Array:
    """The same with -2 for 4."""
    return _norm_rates(problem, view, -2.0)


def _difference_rates(problem: models.Problem, view: models.View, decay: str) -> Array:
    weights, moves = _weights_and_speed(problem, view, decay)
    rates = jnp.stack([2 * jnp.sum(w * m) for w, m in zip(weights, moves, strict=True)])
    return jnp.diff(rates)


def layer_decay_balances(problem: models.Problem, view: models.View) -> Array:
    """d/dt (|W_k|^2 - |W_j|^2) = -4 lambda (|W_k|^2 - |W_j|^2)."""
    found = -4 * problem.decay * jnp.diff(jnp.asarray(RADII[: len(view.directions)]) ** 2)
    return relative(_difference_rates(problem, view, "layers"), found, jnp.ones(()))


def product_decay_conserves(problem: models.Problem, view: models.View) -> Array:
    """With lambda rho^2 the differences of squared norms stand still."""
    return jnp.max(jnp.abs(_difference_rates(problem, view, "product")))


def product_decay_breaks(problem: models.Problem, view: models.View) -> Array:
    """The opposite: one where the differences stand still."""
    return (product_decay_conserves(problem, view) < 1e-9).astype(float)


def equal_norms_grow_alike_under_decay(problem: models.Problem, view: models.View) -> Array:
    """From equal norms all norms keep growing alike, with layer decay too."""
    equal = models.LayerPolar(jnp.full(len(view.directions), 0.9), view.directions)
    weights = models.to_weights(equal)
    moves = kinds.field(kinds.free(), problem, weights)
    rates = jnp.stack([jnp.sum(w * m) for w, m in zip(weights, moves, strict=True)])
    return jnp.max(jnp.abs(jnp.diff(rates)))


def equal_norms_part_under_decay(problem: models.Problem, view: models.View) -> Array:
    """The opposite: one where they grow alike."""
    return (equal_norms_grow_alike_under_decay(problem, view) < 1e-9).astype(float)


def units_balance(problem: models.Problem, view: models.View) -> Array:
    """For each hidden unit |outgoing|^2 - |incoming|^2 decays at the rate 4 lambda."""
    weights, moves = _weights_and_speed(problem, view)
    wrong = []
    for k in range(len(weights) - 1):
        into, out = jnp.sum(weights[k] ** 2, axis=0), jnp.sum(weights[k + 1] ** 2, axis=1)
        rate = 2 * (
            jnp.sum(weights[k + 1] * moves[k + 1], axis=1) - jnp.sum(weights[k] * moves[k], axis=0)
        )
        wrong.append(relative(rate, -4 * problem.decay * (out - into), jnp.ones(())))
    return jnp.max(jnp.stack(wrong))


def equal_norms(problem: models.Problem, view: models.View) -> Array:
    """Rho' = 2 L rho^(2-2/L) (mu - rho M) - 2 lambda L rho from equal norms."""
    weights = models.to_weights(view)
    layers, moves = len(weights), kinds.field(kinds.free(), problem, weights)
    _, rate = jax.jvp(lambda w: models.to_layers(w).rho, (weights,), (tuple(moves),))
    mu, moment = moments.mu(problem, view), moments.second_moment(problem, view)
    drive = 2 * layers * view.rho ** (2 - 2 / layers) * (mu - view.rho * moment)
    return relative(rate, drive - 2 * problem.decay * layers * view.rho, drive, view.rho)


def logistic_solution() -> Array:
    """The closed forms of rho(t) obey their equation, for one to four layers."""
    times, wrong = jnp.linspace(0.1, 3.0, 7), []
    for layers in (1, 2, 3, 4):
        constants = {"mean_margin": 1.0, "second_moment": 0.5, "layers": layers}
        curve = lambda t, c=constants: logistic.rho(t, start=0.2, **c)  # noqa: E731
        values, speeds = jax.jvp(curve, (times,), (jnp.ones_like(times),))
        law = 2 * layers * values ** (2 - 2 / layers) * (1.0 - 0.5 * values)
        wrong.append(relative(speeds, law))
    return jnp.max(jnp.stack(wrong))


def bistable() -> Array:
    """Three and more layers: both rests solve rho^(1-2/L)(mu - rho M) = lambda."""
    wrong = []
    for layers in (3, 4, 6):
        rest = equilibria.with_layer_decay(1.0, 0.5, decay=0.05, layers=layers)
        rho = jnp.stack([rest.stable, rest.separatrix])
        sides = rho ** (1 - 2 / layers) * (1 - 0.5 * rho)
        wrong.append(relative(sides, jnp.full_like(sides, 0.05)))
    return jnp.max(jnp.stack(wrong))


def speeds_of_directions(problem: models.Problem, view: models.View) -> Array:
    """V_k moves with rho^(1-2/L) un-normalised, with rho normalised."""
    shared = models.LayerPolar(view.radii, view.directions)
    free = kinds.field(kinds.layerwise(), problem, shared).directions
    bound = kinds.field(kinds.sphere(), problem, models.Polar(view.rho, view.directions))
    slowed = tuple(v * view.rho ** (-2 / len(view.directions)) for v in bound.directions)
    terms = [view.rho * slope for slope in parts(problem, view).slopes]
    return relative(tuple(free), slowed, *terms)


SIGNS = ("signs",)
STATEMENTS = (
    Statement(
        "3.1", "[M117] (48), (39)", "W_k' = (2/N) sum l_n d gbar_n/dW_k - 2 lambda W_k",
        flow_of_weights, flow_of_weights_flipped, asked_of=SIGNS, note="print flips the sign",
    ),
    Statement(
        "1.3", "[M117] App. G", "df_W/dW_k = (rho/rho_k) d_k f", flow_of_weights, asked_of=SIGNS
    ),
    Statement(
        "3.2", "[M117] (46), (47)", "the flow in (rho_k, V_k)", flow_of_radii, asked_of=SIGNS
    ),
    Statement(
        "3.2", "[M112] (27)", "rho' = 2 rho^2 (sum rho_k^-2)(mu - rho M) - 2 lambda L rho",
        speed_of_rho, speed_of_rho_as_printed, asked_of=SIGNS, note="print has a spurious L",
    ),
    Statement(
        "3.3", "[M117] (49), (50); [M112] (26)",
        "d|W_k|^2/dt = 4 rho (mu - rho M) - 4 lambda |W_k|^2",
        norm_rates, norm_rates_as_printed, asked_of=SIGNS, note="print: wrong sign and factor",
    ),
    Statement(
        "3.4", "[M112] 2.2", "layer decay: differences of squared norms decay at 4 lambda",
        layer_decay_balances, asked_of=SIGNS,
    ),
    Statement(
        "3.4", "[M117] 3.5", "product decay conserves differences of squared norms",
        product_decay_conserves, product_decay_breaks, asked_of=SIGNS,
        note="the document says the opposite",
    ),
    Statement(
        "3.4", "[M117] 3.5", "equal norms grow alike, with decay too",
        equal_norms_grow_alike_under_decay, equal_norms_part_under_decay, asked_of=SIGNS,
        note='print: "does not hold in the case of weight decay"',
    ),
    Statement("3.4", "ours", "each hidden unit keeps its own balance", units_balance,
              asked_of=SIGNS),
    Statement(
        "3.6", "[M117] (51), (53)",
        "equal norms: rho' = 2 L rho^(2-2/L) (mu - rho M) - 2 lambda L rho",
        equal_norms, asked_of=SIGNS,
    ),
    Statement(
        "3.7", "[M117] (51), Fig. 10", "closed forms of the logistic equation, L = 1..4",
        logistic_solution, tolerance=1e-8, asked_of=(CONSTRUCTION,),
    ),
    Statement(
        "3.8", "ours", "L >= 3 with layer decay: a rest and a separatrix", bistable,
        tolerance=1e-10, asked_of=(CONSTRUCTION,),
    ),
    Statement(
        "3.9", "[M117] 3.5.2", "V_k' carries rho^(1-2/L) un-normalised, rho normalised",
        speeds_of_directions, asked_of=SIGNS,
    ),
)  # fmt: skip
