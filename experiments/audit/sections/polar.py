"""Statements of section 1: polar coordinates and the loss in them."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .... import models
from ....dynamics.observables import moments
from ..statement import Statement
from .residuals import relative


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


def bounded_outputs(problem: models.Problem, view: models.View) -> Array:
    """|f_V(x)| - |x|, which is not positive for dense layers."""
    outputs = view.evaluate(problem.network, problem.inputs)
    sizes = jnp.linalg.norm(outputs.reshape(len(problem.inputs), -1), axis=1)
    return jnp.max(jnp.maximum(sizes - models.input_norms(problem.inputs), 0))


STATEMENTS = (
    Statement(
        "1.1", "[Dyn] 3.2, [M117] 3.3, [M112] 2.1", "f_W = (prod rho_k) f_V", homogeneity,
        tolerance=1e-13,
    ),
    Statement(
        "1.2", "[Dyn] Lemma 2, [M117] Lemma 6, [M112] (1)", "<W_k, df/dW_k> = f, every k",
        structural_lemma,
    ),
    Statement(
        "1.5", "[Dyn] (11), (28)", "Loss = 1 - 2 rho mu + rho^2 (M + lambda)", loss,
        asked_of=("signs",),
    ),
    Statement(
        "1.6", "[Dyn] 3.5", "|f_V(x)| <= |x| for dense layers", bounded_outputs, tolerance=0.0,
    ),
)  # fmt: skip
