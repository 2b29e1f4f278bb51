"""Statements of section 10: the exponential loss, and classification against regression."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .... import models
from ....dynamics import normalisation as kinds
from ....dynamics.reduced import exponential
from ..statement import CONSTRUCTION, Statement
from .binary import parts, tangent
from .residuals import relative


def _exponential(problem: models.Problem) -> models.Problem:
    return models.Problem(
        problem.network, problem.inputs, problem.targets, 0.05, models.losses.exponential
    )


def _flow(problem: models.Problem, view: models.View, factor: float) -> Array:
    bound = _exponential(problem)
    here = models.Polar(view.rho, view.directions)
    moves, at = kinds.field(kinds.sphere(), bound, here), parts(bound, here)
    pull = jnp.exp(-at.rho * at.margins)
    radial = jnp.mean(pull * at.margins) - factor * bound.decay * at.rho
    turns = tangent(at.rho * pull, at)
    terms = [at.rho * slope for slope in at.slopes]
    return relative((moves.rho, tuple(moves.directions)), (radial, turns), *terms)


def flow(problem: models.Problem, view: models.View) -> Array:
    """Rho' = mean(e^(-rho fbar) fbar) - 2 lambda rho, and V_k' likewise."""
    return _flow(problem, view, 2.0)


def flow_as_printed(problem: models.Problem, view: models.View) -> Array:
    """The same with -lambda rho."""
    return _flow(problem, view, 1.0)


def free_flow(problem: models.Problem, view: models.View) -> Array:
    """rho_k' = (rho/rho_k) mean(e^(-rho fbar) fbar) of free layers without decay."""
    bare = models.Problem(
        problem.network, problem.inputs, problem.targets, 0.0, models.losses.exponential
    )
    layers = models.LayerPolar(jnp.linspace(0.7, 1.4, len(view.directions)), view.directions)
    moves, at = kinds.field(kinds.layerwise(), bare, layers), parts(bare, layers)
    pull = jnp.mean(jnp.exp(-at.rho * at.margins) * at.margins)
    return relative(moves.radii, at.rho / layers.radii * pull, at.rho)


def equal_margins() -> Array:
    """rho(t) = ln(m^2 t + e^(m rho_0)) / m obeys rho' = m e^(-m rho)."""
    margin, times = 0.3, jnp.linspace(0.0, 50.0, 6)

    def curve(t: Array) -> Array:
        return exponential.rho(t, start=0.5, margin=margin)

    values, speeds = jax.jvp(curve, (times,), (jnp.ones_like(times),))
    return relative(speeds, margin * jnp.exp(-margin * values))


def rest_with_decay() -> Array:
    """rho_eq = W_0(m^2 / (2 lambda)) / m solves m e^(-m rho) = 2 lambda rho."""
    margin, decay = 0.3, 0.01
    rho = exponential.rho_eq(margin, decay)
    return relative(margin * jnp.exp(-margin * rho), 2 * decay * rho)


def _two_margins() -> Array:
    rho, decay = 2.0, 0.02
    found = exponential.resting_margins(rho, decay)
    values = jnp.stack(list(found))
    return values, jnp.exp(-rho * values) * values, 2 * decay * rho  # type: ignore[return-value]


def two_margins() -> Array:
    """e^(-rho f) f = 2 lambda rho has two positive roots, and both solve it."""
    values, sides, wanted = _two_margins()
    return relative(sides, jnp.full_like(sides, wanted)) + (jnp.min(values) <= 0)


def one_margin() -> Array:
    """A batch of one at rest "forces equal margins": how far the two roots are apart."""
    values, _, _ = _two_margins()
    return jnp.ptp(values) / jnp.max(values)


def all_margins_equal() -> Array:
    """Margins of the max-margin solution of x = 1/2 and x = 1 on a line, relative spread."""
    inputs, direction = jnp.asarray([[0.5], [1.0]]), jnp.asarray([[1.0]])
    values = (inputs @ direction)[:, 0]
    return jnp.ptp(values) / jnp.max(values)


def regression_differs() -> Array:
    """One unless least norm with <w, x> = 1 and with <w, x> >= 1 differ, on two points."""
    inputs = jnp.asarray([[1.0, 0.0], [2.0, 0.1]])
    regression = jnp.linalg.pinv(inputs) @ jnp.ones(2)
    classification = jnp.asarray([1.0, 0.0])
    assert bool(jnp.all(inputs @ classification >= 1))
    return (relative(regression, classification) < 1e-2).astype(float)


SIGNS, BUILT = ("signs", "degree_one"), (CONSTRUCTION,)
STATEMENTS = (
    Statement(
        "10.1", "[M117] (80), J.2",
        "exponential loss: rho' = mean(e^(-rho fbar) fbar) - 2 lambda rho",
        flow, flow_as_printed, asked_of=SIGNS, note="print has -lambda rho",
    ),
    Statement(
        "10.1", "[M112] (46)", "free layers, lambda = 0: rho_k' = (rho/rho_k) mean(e^(-g) fbar)",
        free_flow, asked_of=SIGNS,
    ),
    Statement(
        "10.2", "[M117] J.2", "equal margins: rho = ln(m^2 t + e^(m rho_0))/m", equal_margins,
        asked_of=BUILT,
    ),
    Statement(
        "10.2", "ours", "with decay rho rests at W_0(m^2/(2 lambda))/m", rest_with_decay,
        asked_of=BUILT,
    ),
    Statement(
        "10.3", "[M117] (81)", "a batch of one has two margins to rest at", two_margins, one_margin,
        tolerance=1e-10, asked_of=BUILT, note="print: equal margins",
    ),
    Statement(
        "10.4", "[M112] (47), G", "at rho -> infinity all margins are equal",
        printed=all_margins_equal, asked_of=BUILT,
        note="only those of support vectors; a conjecture for trained networks",
    ),
    Statement(
        "10.5", "[M112] C, (24), (25)", "least-norm regression and classification differ",
        regression_differs, tolerance=0.0, asked_of=BUILT,
    ),
)  # fmt: skip
