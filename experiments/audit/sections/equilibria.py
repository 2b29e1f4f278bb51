"""Statements of section 2, continued: kinks, the spheres' stability, where flows go and end."""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .... import dynamics, models
from ....dynamics import monotony
from ....dynamics import normalisation as kinds
from ....dynamics.observables import margins, moments
from ....dynamics.reduced import ridge
from ..statement import CONSTRUCTION, Statement
from .binary import ANY_TARGETS, POLAR, SCALAR, means, parts, slopes
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
    sizes = models.layer_norms(slopes(problem, view).directions)
    moved = (
        (here, kinds.field(kinds.sphere(), problem, here)),
        (longer, kinds.field(kinds.frozen_gain(), problem, longer)),
    )
    products = [
        relative(jnp.sum(v * m), 0.0, jnp.linalg.norm(v) * s)
        for point, speed in moved
        for v, m, s in zip(point.directions, speed.directions, sizes, strict=True)
    ]
    return jnp.max(jnp.stack(products))


def ridge_at_rest(problem: models.Problem, view: models.View) -> Array:
    """Rho V_L ... V_1 is the ridge solution, for every depth."""
    return _against_ridge(problem, view.rho * functools.reduce(jnp.matmul, view.directions))


def ridge_over_rho(problem: models.Problem, view: models.View) -> Array:
    """The same with the spurious 1/rho."""
    return _against_ridge(problem, functools.reduce(jnp.matmul, view.directions))


def _against_ridge(problem: models.Problem, found: Array) -> Array:
    inputs = problem.inputs.reshape(len(problem.inputs), -1)
    return relative(found[:, 0], ridge.solution(inputs, problem.targets, problem.decay).weights)


def rest_of_rho_stops_directions(problem: models.Problem, view: models.View) -> Array:
    """At lambda = 0, rho' = 0 is said to imply V_k' = 0: |V_k'| at rho = mu / M."""
    at = parts(problem, view)
    moves = kinds.field(kinds.sphere(), problem, models.Polar(at.mu / at.moment, view.directions))
    return jnp.max(models.layer_norms(moves.directions))


def rho_falls_beyond_equilibrium(problem: models.Problem, view: models.View) -> Array:
    """Rho decreases if and only if rho > mu / (M + lambda)."""
    at = means(problem, view)
    there = at.mu / (at.moment + problem.decay)
    wrong = []
    for rho in (there - 0.1, there + 0.1):
        moves = kinds.field(kinds.sphere(), problem, models.Polar(rho, view.directions))
        wrong.append((moves.rho < 0) != (rho > there))
    return jnp.any(jnp.stack(wrong))


def _single(rho: float, residual: float) -> tuple[Array, Array]:
    """|V'| of one linear unit and one sample with this residual, and a bound 2 rho sqrt(Loss)."""
    margin = (1 - residual) / rho
    direction = jnp.asarray([[margin], [jnp.sqrt(1 - margin**2)]])
    problem = models.Problem(models.deep_linear((2, 1)), jnp.asarray([[1.0, 0.0]]), jnp.ones(1))
    view = models.Polar(jnp.asarray(rho), (direction,))
    speed = jnp.linalg.norm(kinds.field(kinds.sphere(), problem, view).directions[0])
    return speed, 2 * rho * jnp.sqrt(models.data_loss(problem, view))


def directions_stop_at_bounded_radius() -> Array:
    """|V'| <= 2 rho sqrt(Loss): it vanishes with the loss while rho stays bounded."""
    cases = [_single(rho, 10.0**-power) for rho in (3.0, 1e6) for power in (2, 4, 8)]
    return jnp.max(jnp.stack([excess(*case) for case in cases]))


def directions_stop_with_the_loss() -> Array:
    """|V'| at losses 1e-4, 1e-8 with rho = 1e4, 1e8: it grows."""
    return jnp.min(jnp.stack([_single(1e4, 1e-2)[0], _single(1e8, 1e-4)[0]]))


@functools.cache
def _risen() -> tuple[monotony.Falls, dynamics.Trajectory]:
    """A flow from rho = 0.05 of one linear unit without decay, and where rho fell on the way."""
    rng = np.random.default_rng(16)
    inputs = rng.standard_normal((6, 3))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    targets = np.where(np.arange(6) % 2, 1.0, -1.0)
    problem = models.Problem(models.deep_linear((3, 1)), inputs, targets)
    start = models.to_polar((jnp.asarray(rng.standard_normal((3, 1))),), rho=0.05)
    flow = dynamics.gradient_flow(problem, rtol=1e-8, atol=1e-10)
    look = dynamics.observe("rho", "rho_eq", "mu", "margins")
    ran = dynamics.simulate(flow, start, times=np.linspace(0, 20, 401), observe=look)
    found = monotony.falls(ran.times, ran["rho"], ran["mu"], ran["margins"], tolerance=1e-6)
    return found, ran


def rho_never_falls() -> Array:
    """The intervals in which rho fell, on its way up from a small start."""
    return jnp.asarray(float(_risen()[0].number))


def rho_falls_as_mu_rises() -> Array:
    """One fall by more than 0.01, where rho > mu/(M + lambda) > 0, while mu rose."""
    found, ran = _risen()
    inside = (ran.times > found.starts[0]) & (ran.times < found.ends[0])
    right = found.number == 1 and found.depths[0] > 0.01 and bool(np.all(found.mu_rose == 1))
    return jnp.asarray(float(not (right and np.all((ran["rho"] > ran["rho_eq"])[inside]))))


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
    """|fbar_n| <= 1, as |x_n| <= 1; at most the longest input where one is longer."""
    longest = jnp.max(models.input_norms(problem.inputs))
    return excess(jnp.abs(parts(problem, view).margins), jnp.maximum(longest, 1.0))


STATEMENTS = (
    Statement(
        "2.7", "[Dyn] 3.4", "at rest the field vanishes", printed=vanishing_field, tolerance=1e-3,
        asked_of=(*POLAR, "kinked", "rest"),
        note="ReLU flows slide along kinks: rho and the loss rest, the field does not vanish",
    ),
    Statement(
        "2.8", "[M117] (7), H.2", "the literal multiplier: d|V_k|^2/dt = 4 nu (1 - |V_k|^2)",
        literal_norms, literal_norms_conserved, tolerance=1e-10, asked_of=("square", "degree_one"),
        note="print: Lagrange dynamics does not change the norm",
    ),
    Statement(
        "2.8", "[M112] 6.1", "the multiplier constrains V_k to the sphere",
        printed=sphere_attracts, tolerance=0.0, asked_of=SCALAR, note="it repels for rho > mu/M",
    ),
    Statement(
        "2.8", "[M117] H.2", "projected and weight-normed fields keep |V_k|", projected_norms,
        asked_of=("homogeneous",),
    ),
    Statement(
        "2.10", "[Dyn] Lemma 3", "at zero loss |fbar_n| = 1", printed=margins_at_interpolation,
        asked_of=(CONSTRUCTION,),
    ),
    Statement(
        "2.10", "[Dyn] Lemma 3, in its place", "|fbar_n| <= 1", margins_at_most_one,
        asked_of=("signs", "unit_gain"),
    ),
    Statement(
        "2.10", "[Dyn] Lemma 3, V_k'", "V_k' vanishes with the loss where rho is bounded",
        directions_stop_at_bounded_radius, directions_stop_with_the_loss, tolerance=1e-9,
        asked_of=(CONSTRUCTION,), note="print leaves the bound of rho out",
    ),
    Statement(
        "2.11", "[M112] (32), E.2", "a deep linear network ends in the ridge solution",
        ridge_at_rest, ridge_over_rho, tolerance=1e-6,
        asked_of=(*SCALAR, "linear", "dense", "decay", "smooth_rest"),
        note="print has a spurious 1/rho",
    ),
    Statement(
        "2.12", "[M117] after Lemma 1", "at lambda = 0, rho' = 0 implies V_k' = 0",
        printed=rest_of_rho_stops_directions, tolerance=1e-3, asked_of=(*POLAR, "no_decay"),
        note="only at interpolation",
    ),
    Statement(
        "2.12", "[M112] Obs. 1; [M117], [Dyn] 3.5",
        "from a small start rho may fall on the way, while mu rises",
        rho_falls_as_mu_rises, rho_never_falls, tolerance=0.0, asked_of=(CONSTRUCTION,),
        note="the documents disagree; the printed form, [M112]'s, is a rho that only grows",
    ),
    Statement(
        "2.12", "[Dyn] 3.5", "rho falls if and only if rho > mu/(M + lambda)",
        rho_falls_beyond_equilibrium, tolerance=0.0, asked_of=ANY_TARGETS,
    ),
)  # fmt: skip
