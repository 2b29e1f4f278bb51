"""Statements of sections 0 and 1: moments of the margins, polar coordinates, the loss in them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .... import models
from ....dynamics import normalisation as kinds
from ....dynamics.observables import moments
from ..statement import CONSTRUCTION, Statement
from .binary import POLAR, parts
from .rank_examples import chain
from .residuals import relative


def variance(problem: models.Problem, view: models.View) -> Array:
    """sigma^2 = (1/N) sum fbar^2 - mu^2."""
    at = parts(problem, view)
    return relative(moments.variance(problem, view), at.moment - at.mu**2, at.moment)


def variance_of_sums(problem: models.Problem, view: models.View, twice: bool) -> Array:
    """sigma^2 as sum fbar^2 less mu^2; where 1/N is missing twice, less (sum fbar)^2."""
    at = parts(problem, view)
    centre = jnp.sum(at.margins) if twice else at.mu
    return relative(moments.variance(problem, view), jnp.sum(at.margins**2) - centre**2)


def homogeneity(problem: models.Problem, view: models.View) -> Array:
    """Scaling every layer multiplies the output by the product of the scales."""
    scales = jnp.arange(2.0, 2.0 + len(view.directions))
    scaled = tuple(s * layer for s, layer in zip(scales, view.directions, strict=True))
    apart = problem.network.apply(scaled, problem.inputs)
    return relative(apart, jnp.prod(scales) * view.evaluate(problem.network, problem.inputs))


def structural_lemma(problem: models.Problem, view: models.View) -> Array:
    """<V_k, d f / d V_k> = f for every layer and output."""
    slopes = jax.jacrev(lambda v: problem.network.apply(v, problem.inputs))(view.directions)
    outputs = view.evaluate(problem.network, problem.inputs)
    products = [
        jnp.sum(slope * layer, axis=tuple(range(outputs.ndim, slope.ndim)))
        for slope, layer in zip(
            slopes,
            [layer.reshape((1,) * outputs.ndim + layer.shape) for layer in view.directions],
            strict=True,
        )
    ]
    return jnp.max(jnp.stack([relative(product, outputs) for product in products]))


def loss(problem: models.Problem, view: models.View) -> Array:
    """Loss = S - 2 rho mu + rho^2 (M + lambda), with S = 1 for targets +-1."""
    mu, moment = moments.mu(problem, view), moments.second_moment(problem, view)
    parabola = 1 - 2 * view.rho * mu + view.rho**2 * (moment + problem.decay)
    return relative(models.objective(problem, view), parabola, view.rho * mu, view.rho**2 * moment)


def loss_of_one_sample(problem: models.Problem, view: models.View) -> Array:
    """l_n^2 + lambda rho^2, or l_n^2/N + lambda rho^2, without the sum: of the nearest sample."""
    at, whole = parts(problem, view), models.objective(problem, view)
    share = jnp.asarray([[1.0], [1 / len(at.margins)]])
    alone = share * at.residuals[None] ** 2 + at.decay * at.rho**2
    return jnp.min(jnp.abs(alone / whole - 1))


def bounded_outputs(problem: models.Problem, view: models.View) -> Array:
    """|f_V(x)| - |x|, which is not positive for dense layers."""
    outputs = view.evaluate(problem.network, problem.inputs)
    sizes = jnp.linalg.norm(outputs.reshape(len(problem.inputs), -1), axis=1)
    return jnp.max(jnp.maximum(sizes - models.input_norms(problem.inputs), 0))


DECAY = 0.1
CASES = ((1.0, 1.0), (0.2, 0.5, 0.9, 0.4))


def _rates_of_rho(margins: tuple[float, ...], rho: Array) -> Array:
    """Rho' of one linear unit at these margins, for several rho."""
    values = np.asarray(margins)
    targets = np.where(np.arange(len(values)) % 2, 1.0, -1.0)
    inputs = targets[:, None] * np.stack([values, np.sqrt(1 - values**2)], axis=1)
    problem = models.Problem(models.deep_linear((2, 1)), inputs, targets, decay=DECAY)
    unit = (jnp.asarray([[1.0], [0.0]]),)
    return jax.vmap(lambda r: kinds.field(kinds.sphere(), problem, models.Polar(r, unit)).rho)(rho)


def rho_grows_with_decay() -> Array:
    """Rho' >= 2 mu (1 - rho) - 2 lambda rho > 0 below mu/(mu + lambda), margins in [0, 1]."""
    below = []
    for margins in CASES:
        mu = np.mean(margins)
        rho = jnp.linspace(0, mu / (mu + DECAY), 20, endpoint=False)
        least = 2 * mu * (1 - rho) - 2 * DECAY * rho
        below += [jnp.max(least - _rates_of_rho(margins, rho)), -jnp.min(least)]
    return jnp.maximum(jnp.max(jnp.stack(below)), 0)


def rho_grows_to_one() -> Array:
    """Rho' > 0 up to rho = 1: by how much it is violated."""
    rho = jnp.linspace(0, 1, 20, endpoint=False)
    falls = jnp.stack([jnp.max(-_rates_of_rho(margins, rho)) for margins in CASES])
    return jnp.maximum(jnp.max(falls), 0)


def _aligned() -> tuple[tuple[models.Problem, models.Polar], ...]:
    """Features h_n = y_n |h_n| V_L with rho |h_n| = 1: signed ones, and of one class with ReLU."""
    along, signs = np.array([[0.48, 0.6, 0.64]]) / 2, np.array([[1.0], [-1.0], [1.0]])
    signed = chain(signs * along, signs[:, 0], 2.0, models.deep_linear((3, 4, 5, 1)))
    alike = chain(np.abs(signs) * along, np.ones(3), 2.0, models.mlp((3, 4, 5, 1)))
    return signed, alike


def aligned_outputs(power: int) -> Array:
    """y_n <V_L, h_n> = |h_n|^power."""
    worst = []
    for problem, view in _aligned():
        features = problem.network.features(view.directions, problem.inputs)
        products = problem.targets * (features @ view.directions[-1])[:, 0]
        worst.append(relative(products, jnp.linalg.norm(features, axis=1) ** power))
    return jnp.max(jnp.stack(worst))


def rotated_top_layer() -> Array:
    """A top layer V' with <V_L, V'> = alpha: (rho/alpha) <V', h_n> = y_n."""
    worst = []
    for problem, view in _aligned():
        top = view.directions[-1]
        across = models.project((top,), (jnp.ones_like(top),))
        turned = 0.6 * top + 0.8 * models.normalise(across)[0]
        outputs = problem.network.apply((*view.directions[:-1], turned), problem.inputs)
        worst.append(relative(view.rho / 0.6 * outputs, problem.targets))
    return jnp.max(jnp.stack(worst))


bound, BUILT, SIGNS = functools.partial, (CONSTRUCTION,), ("signs",)
STATEMENTS = (
    Statement(
        "0.1", "[M117] 3.4.1", "sigma^2 = (1/N) sum fbar^2 - mu^2", variance,
        bound(variance_of_sums, twice=False), asked_of=SIGNS,
        note="taken as printed: no 1/N before sum fbar^2",
    ),
    Statement(
        "0.1", "[M117] 3.5.1", "sigma^2 = (1/N) sum fbar^2 - mu^2", variance,
        bound(variance_of_sums, twice=True), asked_of=SIGNS,
        note="taken as printed: no 1/N twice, sum fbar^2 - (sum fbar)^2",
    ),
    Statement(
        "1.1", "[Dyn] 3.2, [M117] 3.3, [M112] 2.1", "f_W = (prod rho_k) f_V", homogeneity,
        tolerance=1e-13, asked_of=("degree_one",),
    ),
    Statement(
        "1.2", "[Dyn] Lemma 2, [M117] Lemma 6, [M112] (1)", "<W_k, df/dW_k> = f, every k",
        structural_lemma, asked_of=("degree_one",),
    ),
    Statement(
        "1.5", "[Dyn] (11), (28)", "Loss = 1 - 2 rho mu + rho^2 (M + lambda)", loss,
        asked_of=POLAR,
    ),
    Statement(
        "1.5", "[Dyn] (11), second line", "Loss = (1/N) sum_n (1 - rho fbar_n)^2 + lambda rho^2",
        loss, loss_of_one_sample, asked_of=POLAR,
        note="print lacks sum_n: taken as l_n^2 or l_n^2/N of the nearest sample",
    ),
    Statement(
        "1.7", "[Dyn] 3.5, rho grows", "margins in [0, 1]: rho grows until mu/(mu + lambda)",
        rho_grows_with_decay, rho_grows_to_one, asked_of=BUILT, note="print: until rho = 1",
    ),
    Statement(
        "1.8", "[Dyn] Lemma 5", "features along V_L: y_n <V_L, h_n> = |h_n|",
        bound(aligned_outputs, 1), bound(aligned_outputs, 2), asked_of=BUILT,
        note="print has |h_n|^2; with ReLU only one class can have such features",
    ),
    Statement(
        "1.8", "[Dyn] Lemma 5, rotated", "rho |h_n| = 1, <V_L, V'> = alpha: (rho/alpha) f' = y_n",
        rotated_top_layer, asked_of=BUILT,
    ),
    Statement(
        "1.6", "[Dyn] 3.5", "|f_V(x)| <= |x| for dense layers", bounded_outputs, tolerance=0.0,
        asked_of=("unit_gain",),
    ),
)  # fmt: skip
