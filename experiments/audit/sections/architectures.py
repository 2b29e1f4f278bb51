"""Statements of section 4, continued: batch norm, and the size of the documents' network."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .... import models
from ..statement import CONSTRUCTION, Statement
from .residuals import relative


def _batch_normed() -> tuple[models.Problem, models.Weights]:
    network = models.mlp((5, 6, 4, 1), batch_norm=models.BatchNorm(epsilon=0.0))
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal((11, 5))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    problem = models.Problem(network, inputs, np.where(np.arange(11) % 2, 1.0, -1.0))
    return problem, tuple(jnp.asarray(rng.standard_normal(s)) for s in ((5, 6), (6, 4), (4, 1)))


def units_without_scale() -> Array:
    """<W_k[i, :], dLoss / dW_k[i, :]> = 0 for every unit that feeds a batch norm."""
    problem, weights = _batch_normed()

    def loss(layers: models.Weights) -> Array:
        outputs = problem.network.apply(layers, problem.inputs)
        return jnp.mean((outputs - problem.targets) ** 2)

    slopes = jax.grad(loss)(weights)
    pairs = list(zip(weights[:-1], slopes[:-1], strict=True))
    products = [jnp.max(jnp.abs(jnp.sum(w * s, axis=0))) for w, s in pairs]
    return jnp.max(jnp.stack(products)) / jnp.max(jnp.abs(slopes[0]))


def _normed_slope(with_centring: bool) -> Array:
    """D zhat / dz of one unit against (I - zhat zhat^T/N [- 1 1^T/N]) / sigma."""
    values = jnp.asarray(np.random.default_rng(4).standard_normal(9))
    count = len(values)

    def normed(z: Array) -> Array:
        centred = z - jnp.mean(z)
        return centred / jnp.sqrt(jnp.mean(centred**2))

    hat = normed(values)
    found = jnp.eye(count) - jnp.outer(hat, hat) / count
    found = found - 1.0 / count if with_centring else found
    return relative(jax.jacfwd(normed)(values), found / jnp.std(values))


def batch_norm_slope() -> Array:
    """With the centring."""
    return _normed_slope(True)


def batch_norm_slope_as_printed() -> Array:
    """Without it."""
    return _normed_slope(False)


def parameter_count() -> Array:
    """Convolutions of 3x3 with 32, 64, 128, 128 channels, then 3200-1024-2, six g and one rho."""
    channels = (3, 32, 64, 128, 128)
    kernels = sum(9 * a * b for a, b in itertools.pairwise(channels))
    return jnp.abs(kernels + 3200 * 1024 + 1024 * 2 + 6 + 1 - 3_519_335.0)


BUILT = (CONSTRUCTION,)
STATEMENTS = (
    Statement(
        "4.7", "[M112] A.2, [M117] H.1", "batch norm: units have no scale", units_without_scale,
        asked_of=BUILT,
    ),
    Statement(
        "4.7", "[M112] A.2", "d Xhat/dX = (I - 11^T/N - Xhat Xhat^T/N)/sigma",
        batch_norm_slope, batch_norm_slope_as_printed, asked_of=BUILT, note="print lacks 11^T/N",
    ),
    Statement(
        "4.8", "[Dyn] Fig. 6", "3 519 335 parameters: weights, six gains and rho",
        parameter_count, tolerance=0.0, asked_of=BUILT,
    ),
)  # fmt: skip
