"""Statements of section 4: constraints and weight norm."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .... import models
from ....dynamics import normalisation as kinds
from ....dynamics.reduced import oscillator
from ..statement import CONSTRUCTION, Statement
from .binary import POLAR, SCALAR, mean_over_samples, parts
from .residuals import relative

RHO, DECAY, START = 3.0, 0.1, 0.4


def _solves(curve: Callable[[Array], Array], law: Callable[[Array], Array]) -> Array:
    """Whether rho' = law(rho) along a curve of times 0 to 5."""
    times = jnp.linspace(0.0, 5.0, 6)
    values, speeds = jax.jvp(curve, (times,), (jnp.ones_like(times),))
    return relative(speeds, law(values))


def _shrinking(times: Array) -> Array:
    return START * jnp.exp(-2 * DECAY * times)


def _printed_solution(times: Array) -> Array:
    return 1 - (1 - START) * jnp.exp(-2 * DECAY * times)


def norms_shrink() -> Array:
    """rho_k(0) e^(-2 lambda t) solves (62), rho_k' = -2 lambda rho_k."""
    return _solves(_shrinking, lambda rho: -2 * DECAY * rho)


def norms_approach_one() -> Array:
    """1 - (1 - rho_0) e^(-2 lambda t) is said to solve it."""
    return _solves(_printed_solution, lambda rho: -2 * DECAY * rho)


def what_the_printed_one_solves() -> Array:
    """It solves rho_k' = 2 lambda (1 - rho_k)."""
    return _solves(_printed_solution, lambda rho: 2 * DECAY * (1 - rho))


def constraint_along_shrinking_norms() -> Array:
    """|rho_k |V_k| - 1| with |V_k| = 1 along (62): what is left of it at t = 5."""
    return jnp.abs(_shrinking(jnp.asarray(5.0)) - 1)


def pulls_of_multiplier(joint: bool) -> Array:
    """(56), (58): the pulls 2 nu rho |V|^2 and 2 nu rho^2 V of nu times the constraint of (55)."""
    rho, v = jnp.asarray(0.8), jnp.asarray([0.6, 0.3, -0.7])

    def term(rho: Array, v: Array) -> Array:
        square = jnp.sum(v**2)
        return rho**2 * square - 1 if joint else rho**2 * (square - 1)

    pulled = jax.grad(term, argnums=(0, 1))(rho, v)
    return relative(pulled, (2 * rho * jnp.sum(v**2), 2 * rho**2 * v))


def _top_free(problem: models.Problem, view: models.View) -> tuple[models.Weights, models.Weights]:
    kind = kinds.top_free()
    weights = kind.prepare(models.Polar(jnp.asarray(RHO), view.directions))
    return weights, kinds.field(kind, problem, weights)


def _hidden_speed(problem: models.Problem, view: models.View, power: int) -> Array:
    """Of unit hidden layers: (2/N) sum (1 - gbar)(d gbar/dW_k - rho^power W_k gbar)."""
    _, moves = _top_free(problem, view)
    at = parts(problem, models.Polar(jnp.asarray(RHO), view.directions))
    outputs = at.rho * at.margins
    weight = 2 * (1 - outputs)
    radial = jnp.mean(2 * (1 - outputs * at.rho**power) * outputs)
    found = tuple(
        at.rho * mean_over_samples(weight, slope) - radial * layer
        for slope, layer in zip(at.slopes[:-1], view.directions[:-1], strict=True)
    )
    return relative(tuple(moves[:-1]), found, *[at.rho * slope for slope in at.slopes[:-1]])


def constrained_hidden_layers(problem: models.Problem, view: models.View) -> Array:
    """Decay cancels on normalised layers; nu_k = mean((1 - gbar) gbar) - lambda."""
    return _hidden_speed(problem, view, 0)


def constrained_hidden_layers_as_printed(problem: models.Problem, view: models.View) -> Array:
    """The same with (1 - rho gbar) in the multiplier."""
    return _hidden_speed(problem, view, 1)


def _turning_of_the_top(problem: models.Problem, view: models.View, power: int) -> Array:
    weights, moves = _top_free(problem, view)
    polar = models.Polar(jnp.asarray(RHO), view.directions)
    bound = kinds.field(kinds.sphere(), problem, polar)
    top, speed = view.directions[-1], moves[-1]
    del weights
    radial = jnp.sum(speed * top)
    turning = (speed - radial * top) / RHO
    terms = [RHO * slope for slope in parts(problem, polar).slopes]
    return relative((radial, turning), (bound.rho, bound.directions[-1] / RHO**power), *terms)


def free_top_layer(problem: models.Problem, view: models.View) -> Array:
    """Rho' is that of the spheres; V_L turns slower by rho^2."""
    return _turning_of_the_top(problem, view, 2)


def free_top_layer_equivalent(problem: models.Problem, view: models.View) -> Array:
    """Rho V_L "is equivalent to" a free W_L: the same turning."""
    return _turning_of_the_top(problem, view, 0)


def _slope(errors: list[Array]) -> Array:
    return jnp.log2(errors[-2] / errors[-1])


def _scalar_error(rate: float, inertia_only: bool) -> Array:
    """Of x' = -x: descent against (eta/2) x'' + x' = -x, or against (eta/2) x' + x' = -x."""
    times = rate * jnp.arange(1, round(2 / rate) + 1)
    mode = oscillator.Mode(centre=jnp.asarray(0.0), curvature=jnp.asarray(1.0))
    steps = (1 - rate) ** jnp.arange(1, len(times) + 1)
    if inertia_only:
        found = oscillator.second_order(
            times, mode=mode, start=1.0, velocity=-1.0 - rate / 2, inertia=rate / 2
        )
    else:
        found = jnp.exp(-times / (1 + rate / 2))
    return jnp.max(jnp.abs(found - steps))


def second_derivative() -> Array:
    """(eta/2) W'' + W' = -F follows descent to second order: what its order lacks to 1.85."""
    return jnp.maximum(1.85 - _slope([_scalar_error(r, True) for r in (0.02, 0.01)]), 0)


def second_derivative_as_printed() -> Array:
    """The same of (eta/2) W' + W' = -F."""
    return jnp.maximum(1.85 - _slope([_scalar_error(r, False) for r in (0.02, 0.01)]), 0)


def weight_norm(problem: models.Problem, view: models.View) -> Array:
    """G' = <v, w'>/|v| and v' = (g/|v|) S w', with w' minus the gradient in weights."""
    longer = kinds.Gained(view.radii, tuple(1.7 * v for v in view.directions))
    moves = kinds.field(kinds.weight_norm(decay="layers"), problem, longer)
    bare = models.Problem(problem.network, problem.inputs, problem.targets)
    force = kinds.field(kinds.free(), bare, models.to_weights(view))
    along = [jnp.sum(v * f) for v, f in zip(view.directions, force, strict=True)]
    gains = jnp.stack(along) - 2 * problem.decay * view.radii
    vectors = tuple(
        g / 1.7 * (f - a * v)
        for g, f, a, v in zip(view.radii, force, along, view.directions, strict=True)
    )
    return relative((moves.gains, tuple(moves.vectors)), (gains, vectors), *force)


def _turning_by_weight_norm(problem: models.Problem, view: models.View, power: int) -> Array:
    """V_k' of weight norm at |v| = 1 against that of free weights times rho_k^power."""
    uneven = models.LayerPolar(jnp.linspace(0.7, 1.4, len(view.directions)), view.directions)
    gained = kinds.field(kinds.weight_norm("layers"), problem, kinds.Gained(*uneven)).vectors
    free = kinds.field(kinds.layerwise(), problem, uneven).directions
    scaled = tuple(r**power * m for r, m in zip(uneven.radii, free, strict=True))
    return relative(tuple(gained), scaled, *parts(problem, uneven).slopes)


def weight_norm_is_not_free(problem: models.Problem, view: models.View) -> Array:
    """Weight norm turns V_k faster than free weights, by rho_k^2."""
    return _turning_by_weight_norm(problem, view, 2)


def weight_norm_is_free(problem: models.Problem, view: models.View) -> Array:
    """The two are mixed: the same V_k'."""
    return _turning_by_weight_norm(problem, view, 0)


def frozen_gain(problem: models.Problem, view: models.View) -> Array:
    """With frozen gains d(v/|v|)/dt is that of the spheres over |v|^2; rho' is the same."""
    longer = models.Polar(view.rho, tuple(2.0 * v for v in view.directions))
    slow = kinds.field(kinds.frozen_gain(), problem, longer)
    bound = kinds.field(kinds.sphere(), problem, models.Polar(view.rho, view.directions))
    found = tuple(v / 4 for v in bound.directions)
    terms = [view.rho * slope for slope in parts(problem, view).slopes]
    return relative((slow.rho, tuple(v / 2 for v in slow.directions)), (bound.rho, found), *terms)


BUILT = (CONSTRUCTION,)
STATEMENTS = (
    Statement(
        "4.1", "[M117] (55)", "(56), (58) follow from nu_k (rho_k^2 |V_k|^2 - 1)",
        functools.partial(pulls_of_multiplier, True), functools.partial(pulls_of_multiplier, False),
        asked_of=BUILT,
        note="print has nu_k rho_k^2 (|V_k|^2 - 1); (56), (58) taken as its slopes when corrected",
    ),
    Statement(
        "4.1", "[M117] (62)", "rho_k(0) e^(-2 lambda t) solves (62)", norms_shrink,
        norms_approach_one, asked_of=BUILT, note="print: 1 - (1 - rho_0) e^(-2 lambda t)",
    ),
    Statement(
        "4.1", "[M117] (62), its printed solution", "that one solves rho_k' = 2 lambda (1 - rho_k)",
        what_the_printed_one_solves, asked_of=BUILT,
    ),
    Statement(
        "4.1", "[M117] (55)-(65)", "rho_k |V_k| = 1 is kept along (62)",
        printed=constraint_along_shrinking_norms, asked_of=BUILT,
        note="the version is inconsistent: rho_k goes to zero",
    ),
    Statement(
        "4.2", "[M117] (66)-(71)", "decay cancels on normalised layers",
        constrained_hidden_layers, constrained_hidden_layers_as_printed,
        asked_of=(*SCALAR, "deep"),
        note="(69) has a spurious rho",
    ),
    Statement(
        "4.3", "[Dyn] 3.2, [M117] H.3.1", "with a free top layer V_L turns slower by rho^2",
        free_top_layer, free_top_layer_equivalent, asked_of=SCALAR,
        note='print: "equivalent"; true of the function and the equilibria',
    ),
    Statement(
        "4.4", "[M117] (72), (73)", "(eta/2) W'' + W' = -F", second_derivative,
        second_derivative_as_printed, tolerance=0.0, asked_of=BUILT, note="print has W' for W''",
    ),
    Statement("4.5", "[M112] (12)-(15)", "weight norm's flow", weight_norm,
              asked_of=("square", "degree_one")),
    Statement(
        "4.5", "[M112] B.1; [M117] H.1", "weight norm turns V_k faster than free W_k, by rho_k^2",
        weight_norm_is_not_free, weight_norm_is_free, asked_of=SCALAR, note="print mixes the two",
    ),
    Statement(
        "4.6", "[Dyn] experiments", "frozen gains: V_k' of the spheres over |v_k|^2", frozen_gain,
        asked_of=POLAR,
    ),
)  # fmt: skip
