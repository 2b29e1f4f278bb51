"""Statements of section 3: un-normalised layers, and rho with mu and M frozen."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .... import models
from ....dynamics import normalisation as kinds
from ....dynamics.observables import moments
from ....dynamics.reduced import equilibria, logistic
from ..statement import CONSTRUCTION, Statement
from .binary import SCALAR, mean_over_samples, means, parts, tangent
from .residuals import relative

RADII = (0.7, 1.3, 0.9)
"""In turn, for networks of any depth: neighbours differ."""


def uneven(view: models.View) -> models.LayerPolar:
    """The view's directions with another radius than its neighbours' for every layer."""
    count = len(view.directions)
    return models.LayerPolar(jnp.resize(jnp.asarray(RADII), (count,)), view.directions)


def equal(view: models.View) -> models.LayerPolar:
    """The view's rho and directions, every layer with the radius rho^(1/L)."""
    return models.LayerPolar(models.Polar(view.rho, view.directions).radii, view.directions)


def weights_and_speed(
    problem: models.Problem, view: models.View, decay: str = "layers"
) -> tuple[models.Weights, models.Weights]:
    """Free weights with these radii, and how they move."""
    weights = models.to_weights(uneven(view))
    return weights, kinds.field(kinds.free(decay=decay), problem, weights)


def _by_chain_rule(problem: models.Problem, view: models.View, sign: float) -> Array:
    weights, moves = weights_and_speed(problem, view)
    layers = uneven(view)
    at = parts(problem, layers)
    found = tuple(
        sign * 2 * at.rho / radius * mean_over_samples(at.residuals, slope)
        - 2 * problem.decay * layer
        for radius, slope, layer in zip(layers.radii, at.slopes, weights, strict=True)
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
    layers = uneven(view)
    moves, at = kinds.field(kinds.layerwise(), problem, layers), parts(problem, layers)
    drive = at.mu - at.rho * at.moment
    radii = 2 * at.rho / layers.radii * drive - 2 * problem.decay * layers.radii
    turns = tangent(2 * at.rho * at.residuals, at)
    slowed = tuple(turn / radius**2 for turn, radius in zip(turns, layers.radii, strict=True))
    terms = [at.rho * jnp.abs(slope) for slope in at.slopes]
    return relative((moves.radii, tuple(moves.directions)), (radii, slowed), *terms)


def _speed_of_rho(problem: models.Problem, view: models.View, factor: float) -> Array:
    layers = uneven(view)
    moves, at = kinds.field(kinds.layerwise(), problem, layers), means(problem, layers)
    rate = jnp.sum(layers.rho / layers.radii * moves.radii)
    drive = 2 * layers.rho**2 * jnp.sum(layers.radii**-2.0) * (at.mu - layers.rho * at.moment)
    shrink = 2 * problem.decay * len(layers.radii) * layers.rho
    return relative(rate, factor * drive - shrink, drive)


def chain_rule(problem: models.Problem, view: models.View) -> Array:
    """df_W/dW_k = (rho/rho_k) d_k f for every layer and output, with different radii."""
    layers = uneven(view)

    def slopes(weights: models.Weights) -> models.Weights:
        return jax.jacrev(lambda w: problem.network.apply(w, problem.inputs))(weights)

    written = tuple(
        layers.rho / radius * slope
        for radius, slope in zip(layers.radii, slopes(layers.directions), strict=True)
    )
    return relative(slopes(models.to_weights(layers)), written)


def speed_of_rho(problem: models.Problem, view: models.View) -> Array:
    """Rho' = 2 rho^2 (sum rho_k^-2)(mu - rho M) - 2 lambda L rho."""
    return _speed_of_rho(problem, view, 1.0)


def speed_of_rho_as_printed(problem: models.Problem, view: models.View) -> Array:
    """The same with a spurious L in front."""
    return _speed_of_rho(problem, view, float(len(view.directions)))


def equal_norms(problem: models.Problem, view: models.View) -> Array:
    """Rho' = 2 L rho^(2-2/L) (mu - rho M) - 2 lambda L rho from equal norms."""
    weights = models.to_weights(equal(view))
    layers, moves = len(weights), kinds.field(kinds.free(), problem, weights)
    _, rate = jax.jvp(lambda w: models.to_layers(w).rho, (weights,), (tuple(moves),))
    mu, moment = moments.mu(problem, view), moments.second_moment(problem, view)
    drive = 2 * layers * view.rho ** (2 - 2 / layers) * (mu - view.rho * moment)
    return relative(rate, drive - 2 * problem.decay * layers * view.rho, drive, view.rho)


def _speed_at_equal_norms(problem: models.Problem, view: models.View, sign: float) -> Array:
    """V_k' = sign (2 rho^(1-2/L)/N) sum l_n (d_k fbar_n - V_k fbar_n), free weights."""
    shared, at = equal(view), parts(problem, view)
    free = kinds.field(kinds.layerwise(), problem, shared).directions
    scale = sign * 2 * at.rho ** (1 - 2 / len(view.directions))
    terms = [scale * slope for slope in at.slopes]
    return relative(tuple(free), tangent(scale * at.residuals, at), *terms)


def speed_at_equal_norms(problem: models.Problem, view: models.View) -> Array:
    """The right sign."""
    return _speed_at_equal_norms(problem, view, 1.0)


def speed_at_equal_norms_flipped(problem: models.Problem, view: models.View) -> Array:
    """With a leading minus."""
    return _speed_at_equal_norms(problem, view, -1.0)


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
    shared = equal(view)
    free = kinds.field(kinds.layerwise(), problem, shared).directions
    bound = kinds.field(kinds.sphere(), problem, models.Polar(view.rho, view.directions))
    slowed = tuple(v * view.rho ** (-2 / len(view.directions)) for v in bound.directions)
    terms = [view.rho * slope for slope in parts(problem, view).slopes]
    return relative(tuple(free), slowed, *terms)


FREE = ("square", "degree_one")
STATEMENTS = (
    Statement(
        "3.1", "[M117] (48), (39)", "W_k' = (2/N) sum l_n d gbar_n/dW_k - 2 lambda W_k",
        flow_of_weights, flow_of_weights_flipped, asked_of=SCALAR,
        note="taken as printed: the data's term with the other sign",
    ),
    Statement(
        "1.3", "[M117] App. G", "df_W/dW_k = (rho/rho_k) d_k f", chain_rule,
        asked_of=("degree_one",),
    ),
    Statement(
        "3.2", "[M117] (46), (47)", "the flow in (rho_k, V_k)", flow_of_radii, asked_of=SCALAR
    ),
    Statement(
        "3.2", "[M112] (27)", "rho' = 2 rho^2 (sum rho_k^-2)(mu - rho M) - 2 lambda L rho",
        speed_of_rho, speed_of_rho_as_printed, asked_of=FREE, note="print has a spurious L",
    ),
    Statement(
        "3.6", "[M117] (16)",
        "equal norms: V_k' = (2 rho^(1-2/L)/N) sum l_n (d_k fbar_n - V_k fbar_n)",
        speed_at_equal_norms, speed_at_equal_norms_flipped, asked_of=SCALAR,
        note="print has a leading minus",
    ),
    Statement(
        "3.6", "[M117] (51), (53)",
        "equal norms: rho' = 2 L rho^(2-2/L) (mu - rho M) - 2 lambda L rho",
        equal_norms, asked_of=FREE,
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
        speeds_of_directions, asked_of=SCALAR,
    ),
)  # fmt: skip
