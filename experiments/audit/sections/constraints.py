"""Statements of section 11: the constraint equations V_k f = d_k f of [M112] appendix H."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .... import dynamics, models
from ....dynamics import normalisation as kinds
from ....dynamics.observables import constraints, likeness, spectra
from ..statement import CONSTRUCTION, Statement
from .rank_examples import chain
from .residuals import relative

WIDTH = 5


def _problem(inputs: np.ndarray, network: models.Network) -> models.Problem:
    return models.Problem(network, inputs, np.ones(len(inputs)))


@jax.jit
def _residuals(problem: models.Problem, view: models.View) -> Array:
    return constraints.constraint_residuals(problem, view)


def _square(layer: np.ndarray, top: np.ndarray, inputs: np.ndarray) -> Array:
    """The worst residual of (48) with two hidden layers alike and a top vector, linear."""
    network = models.deep_linear((WIDTH, WIDTH, WIDTH, 1))
    view = models.to_polar(tuple(map(jnp.asarray, (layer, layer, top[:, None]))))
    return jnp.max(_residuals(_problem(inputs, network), view))


def _unit(seed: int, count: int = 1) -> np.ndarray:
    """Orthonormal columns, ``[WIDTH, count]``."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((WIDTH, count)))[0]


def _chain_residual(inputs: np.ndarray) -> Array:
    """The worst residual of (48) of aligned chains, with ReLU and linear."""
    networks = (models.mlp((3, 4, 6, 1)), models.deep_linear((3, 4, 6, 1)))
    made = [chain(inputs, np.ones(len(inputs)), 1.0, network) for network in networks]
    return jnp.max(jnp.stack([jnp.max(_residuals(*one)) for one in made]))


def aligned_chain() -> Array:
    """V_k = u_k u_{k-1}^T with u_0 = x / |x| satisfies (48), and f = |x|."""
    inputs = np.array([[0.3, -0.4, 0.5]])
    problem, view = chain(inputs, np.ones(1), 1.0, models.mlp((3, 4, 6, 1)))
    output = view.evaluate(problem.network, problem.inputs)
    return jnp.maximum(_chain_residual(inputs), relative(output, np.linalg.norm(inputs)))


def parallel_inputs() -> Array:
    """At several samples at once, whose inputs are parallel."""
    return _chain_residual(np.array([[0.9], [0.3], [0.6]]) * np.array([0.48, 0.6, 0.64]))


def any_inputs() -> Array:
    """At several samples whose inputs are not."""
    return _chain_residual(np.array([[0.48, 0.6, 0.64], [0.6, 0.64, 0.48]]))


def rank_one_projection() -> Array:
    """V_k = u u^T, V_L = u^T and x parallel to u satisfy (48)."""
    along = _unit(1)[:, 0]
    return _square(np.outer(along, along), along, 0.7 * along[None])


def any_projection() -> Array:
    """A projection of rank one with another x, and one of rank two."""
    along, plane, other = _unit(1)[:, 0], _unit(2, 2), _unit(3)[:, 0]
    off_line = _square(np.outer(along, along), along, 0.7 * other[None])
    inside = plane @ np.array([0.6, 0.8])
    return jnp.minimum(off_line, _square(plane @ plane.T, inside, inside[None]))


def orthogonal_matrices() -> Array:
    """Orthogonal V_k, with a top along what they make of x."""
    turn, x = _unit(4, WIDTH), _unit(5)[:, 0]
    return _square(turn, turn.T @ turn.T @ x, x[None])


@functools.cache
def _trained_free() -> tuple[models.Problem, models.View]:
    """Square linear layers, all free and drawn apart, after descent with decay to rest."""
    network = models.deep_linear((WIDTH, WIDTH, WIDTH, WIDTH, 1))
    rng = np.random.default_rng(10)
    inputs = rng.standard_normal((12, WIDTH))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    targets = np.where(inputs @ rng.standard_normal(WIDTH) > 0, 1.0, -1.0)
    problem = models.Problem(network, inputs, targets, decay=0.02)
    steps = dynamics.gradient_descent(problem, 0.05, normalisation=kinds.free())
    ran = dynamics.simulate(steps, network.init(jax.random.key(0)), times=np.array([600.0]))
    return problem, models.to_layers(ran.final.position)


def free_layers_alike() -> Array:
    """How far free linear layers are from equal up to rotations, after descent with decay."""
    return jnp.max(likeness.rotated_layer_distances(*_trained_free())[:-1])


def free_layers_equal() -> Array:
    """How far they are from equal."""
    return jnp.max(likeness.layer_distances(*_trained_free())[:-1])


def _mean_slope_rank(outputs: int) -> Array:
    """The largest rank of sum_n d_k <f_n, y_n> of a linear network at random weights."""
    rng = np.random.default_rng(6)
    network = models.deep_linear((WIDTH, WIDTH, WIDTH, outputs))
    labels = np.arange(12) % max(outputs, 2)
    targets = models.encode(labels, "signs" if outputs == 1 else "centred")
    inputs = rng.standard_normal((12, WIDTH))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    shapes = [w.shape for w in jax.eval_shape(network.init, jax.random.key(0))]
    view = models.to_polar(tuple(rng.standard_normal(shape) for shape in shapes))
    ranks = spectra.gradient_rank(np.arange(12), 1e-6)(
        models.Problem(network, inputs, targets), view
    )
    return jnp.max(ranks[1:]) if outputs > 1 else jnp.max(ranks)


def averaged_rank() -> Array:
    """The right side averaged over samples has rank 1, and at most C with C outputs."""
    over = [jnp.maximum(_mean_slope_rank(outputs) - outputs, 0) for outputs in (1, 2, 3)]
    return jnp.max(jnp.stack(over))


CHANNELS = np.array([0.9, -0.5, 0.3, 0.7])


def _diagonal(values: Array, output: Array, depth: int) -> Array:
    """How far |v| is from one, fhat v_i^2 from |xhat_i| v_i^L, and fhat from the net's output."""
    sizes = jnp.abs(jnp.asarray(CHANNELS))
    layers = (*[jnp.diag(values)] * (depth - 1), values[:, None])
    made = models.diagonal(len(sizes), depth).apply(layers, sizes[None])[0]
    equation = relative(output * values**2, sizes * values**depth)
    wrong = (jnp.abs(jnp.sum(values**2) - 1), equation, relative(made, output))
    return jnp.max(jnp.stack(wrong))


def diagonal_fixed_points() -> Array:
    """V_i = (fhat/|xhat_i|)^(1/(L-2)) on the active channels, at L = 3, 4, 5."""
    every, some = None, np.array([True, False, True, True])
    found = [
        _diagonal(*constraints.diagonal_solution(CHANNELS, depth, active), depth)
        for depth in (3, 4, 5)
        for active in (every, some)
    ]
    return jnp.max(jnp.stack(found))


def diagonal_fixed_points_as_printed() -> Array:
    """V_i = (|xhat_i|/fhat)^(1/(L-2)), the same fhat: its least residual over L = 3, 4, 5."""
    found = []
    for depth in (3, 4, 5):
        _, output = constraints.diagonal_solution(CHANNELS, depth)
        inverted = (jnp.abs(jnp.asarray(CHANNELS)) / output) ** (1 / (depth - 2))
        found.append(_diagonal(inverted, output, depth))
    return jnp.min(jnp.stack(found))


@functools.cache
def _ascended() -> Array:
    """Equal layers v, L = 4, after ascent of sum |xhat_i| v_i^L from 20 random starts."""
    sizes = jnp.abs(jnp.asarray(CHANNELS))

    def climb(_: Array, v: Array) -> Array:
        moved = v + 0.1 * 4 * sizes[None, :] * v**3
        return moved / jnp.linalg.norm(moved, axis=1, keepdims=True)

    starts = np.random.default_rng(8).uniform(0.1, 1, (20, len(CHANNELS)))
    starts /= np.linalg.norm(starts, axis=1, keepdims=True)
    return jax.lax.fori_loop(0, 3000, climb, jnp.asarray(starts))


def one_channel_attracts() -> Array:
    """Ascent ends in a single channel."""
    return jnp.max(1 - jnp.max(_ascended() ** 2, axis=1))


def largest_channel_attracts() -> Array:
    """And in the channel of the largest |xhat_i|: the share of starts that end elsewhere."""
    largest = np.argmax(np.abs(CHANNELS))
    return jnp.mean(jnp.argmax(_ascended(), axis=1) != largest)


def _diagonal_start() -> tuple[models.Problem, models.Polar]:
    rng = np.random.default_rng(9)
    network = models.deep_linear((WIDTH, WIDTH, WIDTH, 1))
    layers = (np.diag(rng.uniform(0.5, 1, WIDTH)), np.diag(rng.uniform(0.5, 1, WIDTH)))
    inputs = rng.uniform(0.1, 0.4, (6, WIDTH))
    targets = np.where(np.arange(6) % 2, 1.0, -1.0)
    weights = tuple(map(jnp.asarray, (*layers, rng.uniform(0.5, 1, (WIDTH, 1)))))
    view = models.to_polar(weights, rho=2.0)
    return models.Problem(network, inputs, targets), view


def _after_a_step(problem: models.Problem, view: models.Polar, masked: bool) -> models.Polar:
    def loss(layers: models.Weights) -> Array:
        if masked:
            layers = (*(w * jnp.eye(WIDTH) for w in layers[:-1]), layers[-1])
        return models.objective(problem, models.Polar(view.rho, layers))

    slopes = jax.grad(loss)(view.directions)
    moved = tuple(v - 0.1 * s for v, s in zip(view.directions, slopes, strict=True))
    return models.retract(models.Polar(view.rho, moved))


def masked_stays_diagonal() -> Array:
    """Diagonal layers stay so where the other entries are no parameters."""
    problem, view = _diagonal_start()
    return jnp.max(constraints.off_diagonal(problem, _after_a_step(problem, view, True))[:-1])


def dense_stays_diagonal() -> Array:
    """They are said to stay so in dense layers: what is off the diagonal after one step."""
    problem, view = _diagonal_start()
    return jnp.max(constraints.off_diagonal(problem, _after_a_step(problem, view, False))[:-1])


MADE = (CONSTRUCTION,)
STATEMENTS = (
    Statement(
        "11.1", "[M112] (48)", "aligned chains of rank one satisfy V_k f = d_k f at one sample",
        aligned_chain, asked_of=MADE,
    ),
    Statement(
        "11.1", "[M112] (48), samples", "at several samples only if their inputs are parallel",
        parallel_inputs, any_inputs, asked_of=MADE,
        note="the printed form, every sample, is asked of two inputs that are not",
    ),
    Statement(
        "11.2", "[M112] H.1", "projections of rank one along x satisfy (48)",
        rank_one_projection, any_projection, asked_of=MADE, note="print: any projection",
    ),
    Statement(
        "11.2", "[M112] H.1, layers", "free linear layers with decay end equal up to rotations",
        free_layers_alike, free_layers_equal, tolerance=1e-6, asked_of=MADE, note="print: equal",
    ),
    Statement(
        "11.2", "[M112] H.2", "orthogonal matrices satisfy (48)", printed=orthogonal_matrices,
        tolerance=1e-3, asked_of=MADE, note="left side of full rank, right side of rank one",
    ),
    Statement(
        "11.2", "[M112] H", "averaged over samples the right side has rank at most C",
        averaged_rank, tolerance=0.0, asked_of=MADE,
    ),
    Statement(
        "11.3", "[M112] (57)", "diagonal networks: v_i = 0 or (fhat/|xhat_i|)^(1/(L-2))",
        diagonal_fixed_points, diagonal_fixed_points_as_printed, asked_of=MADE,
        note="print has the inverse",
    ),
    Statement(
        "11.3", "[M112] H.3", "ascent ends in one channel, not always the largest",
        one_channel_attracts, largest_channel_attracts, tolerance=1e-9, asked_of=MADE,
        note="the printed form: the largest",
    ),
    Statement(
        "11.4", "[M112] (55), (56)", "descent keeps diagonal layers diagonal if others are masked",
        masked_stays_diagonal, dense_stays_diagonal, asked_of=MADE,
        note="print: of dense layers",
    ),
)  # fmt: skip
