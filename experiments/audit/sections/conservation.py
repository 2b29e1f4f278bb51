"""Statements of section 3, continued: norms of free layers, and what is conserved of them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .... import models
from ....dynamics import normalisation as kinds
from ..statement import CONSTRUCTION, Statement
from .binary import means
from .free_flow import FREE, uneven, weights_and_speed
from .residuals import relative


def _norm_rates(problem: models.Problem, view: models.View, factor: float) -> Array:
    weights, moves = weights_and_speed(problem, view)
    at, rho = means(problem, view), uneven(view).rho
    rates = jnp.stack([2 * jnp.sum(w * m) for w, m in zip(weights, moves, strict=True)])
    drive = rho * (at.mu - rho * at.moment)
    found = factor * drive - 4 * problem.decay * models.layer_norms(weights) ** 2
    return relative(rates, found, drive)


def norm_rates(problem: models.Problem, view: models.View) -> Array:
    """d|W_k|^2/dt = 4 rho (mu - rho M) - 4 lambda |W_k|^2."""
    return _norm_rates(problem, view, 4.0)


def norm_rates_as_printed(problem: models.Problem, view: models.View) -> Array:
    """The same with -2 for 4."""
    return _norm_rates(problem, view, -2.0)


def squared_speeds(problem: models.Problem, view: models.View) -> Array:
    """|W_k'|^2 in place of d|W_k|^2/dt."""
    weights, moves = weights_and_speed(problem, view)
    at, rho = means(problem, view), uneven(view).rho
    found = 4 * rho * (at.mu - rho * at.moment)
    found -= 4 * problem.decay * models.layer_norms(weights) ** 2
    return relative(models.layer_norms(moves) ** 2, found)


def _growth_by_outputs(problem: models.Problem, view: models.View, factor: float) -> Array:
    """d|W_k|^2/dt = factor ((1/N) sum y g - (1/N) sum g^2) at lambda = 0."""
    bare = models.Problem(problem.network, problem.inputs, problem.targets)
    weights, moves = weights_and_speed(bare, view)
    outputs = bare.network.apply(weights, bare.inputs)
    rates = jnp.stack([2 * jnp.sum(w * m) for w, m in zip(weights, moves, strict=True)])
    count = len(bare.targets)
    pulled, pushed = jnp.sum(bare.targets * outputs) / count, jnp.sum(outputs**2) / count
    return relative(rates, jnp.full_like(rates, factor * (pulled - pushed)), pulled, pushed)


def growth_by_outputs(problem: models.Problem, view: models.View) -> Array:
    """The factor is 4."""
    return _growth_by_outputs(problem, view, 4.0)


def growth_by_outputs_as_printed(problem: models.Problem, view: models.View) -> Array:
    """Minus 2, as taken."""
    return _growth_by_outputs(problem, view, -2.0)


def _difference_rates(problem: models.Problem, view: models.View, decay: str) -> Array:
    weights, moves = weights_and_speed(problem, view, decay)
    rates = jnp.stack([2 * jnp.sum(w * m) for w, m in zip(weights, moves, strict=True)])
    return jnp.diff(rates)


def layer_decay_balances(problem: models.Problem, view: models.View) -> Array:
    """d/dt (|W_k|^2 - |W_j|^2) = -4 lambda (|W_k|^2 - |W_j|^2)."""
    found = -4 * problem.decay * jnp.diff(uneven(view).radii ** 2)
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
    weights, moves = weights_and_speed(problem, view)
    wrong = []
    for k in range(len(weights) - 1):
        into, out = jnp.sum(weights[k] ** 2, axis=0), jnp.sum(weights[k + 1] ** 2, axis=1)
        rate = 2 * (
            jnp.sum(weights[k + 1] * moves[k + 1], axis=1) - jnp.sum(weights[k] * moves[k], axis=0)
        )
        wrong.append(relative(rate, -4 * problem.decay * (out - into), jnp.ones(())))
    return jnp.max(jnp.stack(wrong))


@functools.partial(jax.jit, static_argnames="steps")
def _drift(problem: models.Problem, weights: models.Weights, steps: int) -> Array:
    """How far differences of squared norms moved in two units of time, by Runge-Kutta steps."""
    size = 2.0 / steps

    def ahead(weights: models.Weights, moves: models.Weights, time: float) -> models.Weights:
        return jax.tree.map(lambda w, m: w + time * m, weights, moves)

    def step(_: Array, here: models.Weights) -> models.Weights:
        field = functools.partial(kinds.field, kinds.free(), problem)
        first = field(here)
        second = field(ahead(here, first, size / 2))
        third = field(ahead(here, second, size / 2))
        fourth = field(ahead(here, third, size))
        return jax.tree.map(
            lambda w, a, b, c, d: w + size / 6 * (a + 2 * b + 2 * c + d),
            here, first, second, third, fourth,
        )  # fmt: skip

    squares = [
        models.layer_norms(w) ** 2 for w in (weights, jax.lax.fori_loop(0, steps, step, weights))
    ]
    return jnp.max(jnp.abs(jnp.diff(squares[1] - squares[0])))


@functools.cache
def _order(network: models.Network) -> float:
    """Slope of the drift over three halvings of the step."""
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal((12, 5))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    problem = models.Problem(network, inputs, np.where(np.arange(12) % 2, 1.0, -1.0))
    shapes = [layer.shape for layer in jax.eval_shape(network.init, jax.random.key(0))]
    weights = tuple(jnp.asarray(1.3 * rng.standard_normal(s) / np.sqrt(s[0])) for s in shapes)
    drifts = [float(_drift(problem, weights, steps)) for steps in (50, 400)]
    return float(np.log2(drifts[0] / drifts[1]) / 3)


def order_of_integrator() -> Array:
    """Runge-Kutta keeps the conservation to order four on linear layers, to order one on ReLU."""
    orders = _order(models.deep_linear((5, 16, 8, 1))), _order(models.mlp((5, 16, 8, 1)))
    return jnp.max(jnp.abs(jnp.asarray(orders) - jnp.asarray([4.0, 1.0])))


LAYERS = ("degree_one", "deep")
STATEMENTS = (
    Statement(
        "3.3", "[M117] (49), (50)", "d|W_k|^2/dt = 4 rho (mu - rho M) - 4 lambda |W_k|^2",
        norm_rates, norm_rates_as_printed, asked_of=FREE,
        note="print has the other sign and 2 for 4",
    ),
    Statement(
        "3.3", "[M117] (49), (50), left side",
        "d|W_k|^2/dt = 4 rho (mu - rho M) - 4 lambda |W_k|^2",
        norm_rates, squared_speeds, asked_of=FREE, note="print has |W_k'|^2 on the left",
    ),
    Statement(
        "3.3", "[M112] (26)", "d|W_k|^2/dt = (4/N) sum y g - (4/N) sum g^2, lambda = 0",
        growth_by_outputs, growth_by_outputs_as_printed, asked_of=FREE,
        note="taken as printed: -2 for 4, as in [M117] (49)",
    ),
    Statement(
        "3.4", "[M112] 2.2", "layer decay: differences of squared norms decay at 4 lambda",
        layer_decay_balances, asked_of=LAYERS,
    ),
    Statement(
        "3.4", "[M117] 3.5, product decay", "product decay conserves differences of squared norms",
        product_decay_conserves, product_decay_breaks, asked_of=LAYERS,
        note="the document says the opposite",
    ),
    Statement(
        "3.4", "[M117] 3.5, equal growth", "equal norms grow alike, with decay too",
        equal_norms_grow_alike_under_decay, equal_norms_part_under_decay, asked_of=LAYERS,
        note='print: "does not hold in the case of weight decay"',
    ),
    Statement("3.4", "ours", "each hidden unit keeps its own balance", units_balance,
              asked_of=(*LAYERS, "dense", "pointwise")),
    Statement(
        "3.5", "ours", "Runge-Kutta conserves to order 4 on linear layers, to order 1 on ReLU",
        order_of_integrator, tolerance=0.15, asked_of=(CONSTRUCTION,),
    ),
)  # fmt: skip
