"""Statements of section 2, continued: kinks, the unit spheres' stability, where flows end."""

import jax.numpy as jnp
from jaxtyping import Array

from .... import models
from ....dynamics import normalisation as kinds
from ....dynamics.observables import margins, moments
from ....dynamics.reduced import ridge
from ..statement import CONSTRUCTION, Statement
from .binary import parts
from .residuals import excess, relative


def vanishing_field(problem: models.Problem, view: models.View) -> Array:
    """|V_1'| at rest, which the documents take to be zero."""
    here = models.Polar(view.rho, view.directions)
    moves = kinds.field(kinds.sphere(), problem, here)
    return jnp.linalg.norm(moves.directions[0])


def _norm_rates(problem: models.Problem, view: models.View, stretch: float) -> tuple[Array, Array]:
    """D |V_k|^2 / dt of the literal field off the sphere, and 4 nu (1 - |V_k|^2)."""
    off = models.Polar(view.rho, tuple(stretch * v for v in view.directions))
    moves = kinds.field(kinds.lagrange(), problem, off)
    rates = jnp.stack(
        [2 * jnp.sum(v * m) for v, m in zip(off.directions, moves.directions, strict=True)]
    )
    nu = off.rho * moments.mu(problem, off) - off.rho**2 * moments.second_moment(problem, off)
    return rates, jnp.full_like(rates, 4 * nu * (1 - stretch**2))


def literal_norms(problem: models.Problem, view: models.View) -> Array:
    """D |V_k|^2 / dt = 4 nu (1 - |V_k|^2) for the literal Lagrange field."""
    return relative(*_norm_rates(problem, view, 1.05))


def literal_norms_conserved(problem: models.Problem, view: models.View) -> Array:
    """The literal field "will not change the initial norm"."""
    rates, _ = _norm_rates(problem, view, 1.05)
    return jnp.max(jnp.abs(rates))


def sphere_attracts(problem: models.Problem, view: models.View) -> Array:
    """The literal multiplier "constrains each V_k to the sphere", also beyond mu / M."""
    ratio = jnp.abs(moments.mu(problem, view) / moments.second_moment(problem, view))
    rates, _ = _norm_rates(problem, models.Polar(3 * ratio + 1, view.directions), 1.05)
    return jnp.maximum(jnp.max(rates), 0)


def projected_norms(problem: models.Problem, view: models.View) -> Array:
    """<V_k, V_k'> = 0 for the projected field, and for weight norm with any |v|."""
    here = models.Polar(view.rho, view.directions)
    longer = models.Polar(view.rho, tuple(2.0 * v for v in view.directions))
    moved = (
        (here, kinds.field(kinds.sphere(), problem, here)),
        (longer, kinds.field(kinds.frozen_gain(), problem, longer)),
    )
    products = [
        jnp.abs(jnp.sum(v * m))
        for point, speed in moved
        for v, m in zip(point.directions, speed.directions, strict=True)
    ]
    return jnp.max(jnp.stack(products))


def _equal_margins(margin: float, decay: float) -> tuple[Array, Array]:
    """Rho_eq and the loss there of equal margins, from the parabola of the loss itself."""
    curve = jnp.asarray([margin**2 + decay, -2 * margin, 1.0])
    rho = -curve[1] / (2 * curve[0])
    return rho, jnp.polyval(curve, rho)


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


def ridge_at_rest(problem: models.Problem, view: models.View) -> Array:
    """Rho V_L ... V_1 is the ridge solution, for every depth."""
    if problem.network.kinks:
        return None  # type: ignore[return-value]
    found = view.rho * jnp.linalg.multi_dot(view.directions)[:, 0]
    return relative(found, ridge.solution(problem.inputs, problem.targets, problem.decay).weights)


def ridge_over_rho(problem: models.Problem, view: models.View) -> Array:
    """The same with the spurious 1/rho."""
    if problem.network.kinks:
        return None  # type: ignore[return-value]
    found = jnp.linalg.multi_dot(view.directions)[:, 0]
    return relative(found, ridge.solution(problem.inputs, problem.targets, problem.decay).weights)


def rest_of_rho_stops_directions(problem: models.Problem, view: models.View) -> Array:
    """At lambda = 0, rho' = 0 is said to imply V_k' = 0: |V_k'| at rho = mu / M."""
    if float(problem.decay) > 0:
        return None  # type: ignore[return-value]
    at = parts(problem, view)
    moves = kinds.field(kinds.sphere(), problem, models.Polar(at.mu / at.moment, view.directions))
    return jnp.max(models.layer_norms(moves.directions))


def rho_falls_beyond_equilibrium(problem: models.Problem, view: models.View) -> Array:
    """Rho decreases if and only if rho > mu / (M + lambda)."""
    at = parts(problem, view)
    there = at.mu / (at.moment + at.decay)
    wrong = []
    for rho in (there - 0.1, there + 0.1):
        moves = kinds.field(kinds.sphere(), problem, models.Polar(rho, view.directions))
        wrong.append((moves.rho < 0) != (rho > there))
    return jnp.any(jnp.stack(wrong))


def margins_at_interpolation() -> Array:
    """Lemma 3's |fbar_n| = 1 at zero loss: how far 1/rho is from one at rho = 3."""
    inputs, targets = jnp.asarray([[0.6, 0.8]]), jnp.asarray([1.0])
    problem = models.Problem(models.deep_linear((2, 1)), inputs, targets)
    view = models.Polar(jnp.asarray(3.0), (jnp.asarray([[1.0 / 3], [0.0]]),))
    turn = jnp.asarray([[0.6 / 3 - 0.8 * jnp.sqrt(8.0) / 3], [0.8 / 3 + 0.6 * jnp.sqrt(8.0) / 3]])
    view = models.Polar(view.rho, (turn,))
    assert float(models.data_loss(problem, view)) < 1e-20
    return jnp.abs(1 - jnp.max(jnp.abs(margins.margins(problem, view))))


def margins_at_most_one(problem: models.Problem, view: models.View) -> Array:
    """|fbar_n| <= 1, as |x_n| <= 1."""
    return excess(jnp.abs(parts(problem, view).margins), 1.0)


SIGNS = ("signs",)
STATEMENTS = (
    Statement(
        "2.7", "[Dyn] 3.4", "at rest the field vanishes", printed=vanishing_field, tolerance=1e-3,
        asked_of=("signs", "relu", "rest"),
        note="ReLU flows slide along kinks: rho and the loss rest, the field does not vanish",
    ),
    Statement(
        "2.8", "[M117] (7), H.2", "the literal multiplier: d|V_k|^2/dt = 4 nu (1 - |V_k|^2)",
        literal_norms, literal_norms_conserved, tolerance=1e-10, asked_of=SIGNS,
        note="print: Lagrange dynamics does not change the norm",
    ),
    Statement(
        "2.8", "[M112] 6.1", "the multiplier constrains V_k to the sphere",
        printed=sphere_attracts, tolerance=0.0, asked_of=SIGNS, note="it repels for rho > mu/M",
    ),
    Statement(
        "2.8", "[M117] H.2", "projected and weight-normed fields keep |V_k|", projected_norms,
        asked_of=SIGNS,
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
        "2.10", "[Dyn] Lemma 3", "at zero loss |fbar_n| = 1", printed=margins_at_interpolation,
        asked_of=(CONSTRUCTION,),
    ),
    Statement("2.10", "[Dyn] Lemma 3", "|fbar_n| <= 1", margins_at_most_one, asked_of=SIGNS),
    Statement(
        "2.11", "[M112] (32), E.2", "a deep linear network ends in the ridge solution",
        ridge_at_rest, ridge_over_rho, tolerance=1e-6,
        asked_of=("signs", "decay", "smooth_rest"), note="print has a spurious 1/rho",
    ),
    Statement(
        "2.12", "[M117] after Lemma 1", "at lambda = 0, rho' = 0 implies V_k' = 0",
        printed=rest_of_rho_stops_directions, tolerance=1e-3, asked_of=SIGNS,
        note="only at interpolation",
    ),
    Statement(
        "2.12", "[Dyn] 3.5", "rho falls if and only if rho > mu/(M + lambda)",
        rho_falls_beyond_equilibrium, tolerance=0.0, asked_of=SIGNS,
    ),
)  # fmt: skip
