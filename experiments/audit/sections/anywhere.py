"""Statements of sections 1, 3, 7 and 9 that hold at any point: metrics of collapse, rows, bounds.

What the metrics are is written out from the features; the library is asked at every call, so that a
changed one is noticed.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .... import models
from ....dynamics.observables import bounds, class_moments, collapse, margins
from ..statement import Statement
from .free_flow import weights_and_speed
from .residuals import excess, relative


class Classes(NamedTuple):
    """Features by class, from the network alone.

    Attributes:
        features: h_n of the directions.
        deviations: h_n less its class's mean.
        shares: 1/(C N_c), which adds up to one over samples.
        centred: mu_c - mu_G.
    """

    features: Float[Array, "samples width"]
    deviations: Float[Array, "samples width"]
    shares: Float[Array, "samples"]
    centred: Float[Array, "classes width"]


def _classes(problem: models.Problem, view: models.View) -> Classes:
    targets = problem.targets
    signs = jnp.stack([targets < 0, targets > 0], axis=1) if targets.ndim == 1 else targets == 1
    member = signs.astype(targets.dtype)
    features = problem.network.features(view.directions, problem.inputs)
    counts = jnp.sum(member, axis=0)
    found = member.T @ features / counts[:, None]
    shares = member @ (1 / (len(counts) * counts))
    centred = found - jnp.mean(found, axis=0)[None]
    return Classes(features, features - member @ found, shares, centred)


def _rows(problem: models.Problem, view: models.View) -> Float[Array, "classes width"]:
    """V_L^c; -V_L and V_L for targets +-1."""
    top = view.directions[-1].T
    return jnp.concatenate([-top, top]) if problem.targets.ndim == 1 else top


def traces(problem: models.Problem, view: models.View) -> Array:
    """Tr Sigma_W and Tr Sigma_W / Tr Sigma_B from deviations, and from the covariances."""
    at = _classes(problem, view)
    spread = at.shares @ jnp.sum(at.deviations**2, axis=1)
    apart = jnp.mean(jnp.sum(at.centred**2, axis=1))
    by_covariance = (
        jnp.trace(class_moments.within(problem, view)),
        jnp.trace(class_moments.between(problem, view)),
    )
    said = (collapse.nc1_within(problem, view), collapse.nc1_traces(problem, view))
    return jnp.maximum(
        relative(by_covariance, (spread, apart)),
        jnp.maximum(relative(said[0], spread), relative(said[1], spread / apart)),
    )


def ratio(problem: models.Problem, view: models.View) -> Array:
    """Tr(Sigma_W Sigma_B^+) = C sum_n |M^+T (h_n - mu_c)|^2 / (C N_c), M of rank C - 1."""
    at = _classes(problem, view)
    inverse = jnp.linalg.pinv(at.centred, rtol=1e-10)
    written = len(at.centred) * (at.shares @ jnp.sum((at.deviations @ inverse) ** 2, axis=1))
    return relative(collapse.nc1_ratio(problem, view), written)


def cosines(problem: models.Problem, view: models.View) -> Array:
    """Mean |cos + 1/(C-1)| and std(cos) of different mu_c - mu_G, and std/mean of their norms."""
    at = _classes(problem, view)
    norms = jnp.linalg.norm(at.centred, axis=1)
    unit = at.centred / norms[:, None]
    values = (unit @ unit.T)[jnp.triu_indices(len(unit), 1)]
    written = (
        jnp.mean(jnp.abs(values + 1 / (len(unit) - 1))),
        jnp.std(values),
        jnp.std(norms) / jnp.mean(norms),
    )
    said = (collapse.nc2_angles, collapse.nc2_angle_spread, collapse.nc2_norms)
    return relative(tuple(metric(problem, view) for metric in said), written, 1.0)


def two_classes(problem: models.Problem, view: models.View) -> Array:
    """NC2 of the centred means of two classes, whatever the features."""
    said = (collapse.nc2_angles, collapse.nc2_angle_spread, collapse.nc2_norms)
    return jnp.max(jnp.abs(jnp.stack([metric(problem, view) for metric in said])))


def duality(problem: models.Problem, view: models.View) -> Array:
    """|W/|W| - M/|M||^2 = 2 - 2 <W, M> / (|W| |M|)."""
    rows, at = _rows(problem, view), _classes(problem, view).centred
    cosine = jnp.sum(rows * at) / (jnp.linalg.norm(rows) * jnp.linalg.norm(at))
    return relative(collapse.nc3_duality(problem, view) ** 2, 2 - 2 * cosine, 2.0)


def growth_of_rows(problem: models.Problem, view: models.View) -> Array:
    """d|W_L^c|^2/dt = (4/N) sum (y - f)_c f_c - 4 lambda |W_L^c|^2 of free layers."""
    weights, moves = weights_and_speed(problem, view)
    outputs = problem.network.apply(weights, problem.inputs).reshape(len(problem.inputs), -1)
    apart = problem.targets.reshape(outputs.shape) - outputs
    pulled = 4 * jnp.mean(apart * outputs, axis=0)
    shrunk = 4 * problem.decay * jnp.sum(weights[-1] ** 2, axis=0)
    found = 2 * jnp.sum(weights[-1] * moves[-1], axis=0)
    return relative(found, pulled - shrunk, pulled, shrunk)


def last_layer_at_rest(problem: models.Problem, view: models.View) -> Array:
    """Lambda rho V_L = (1/N) sum (y - rho f) h^T."""
    features = problem.network.features(view.directions, problem.inputs)
    apart = (problem.targets - models.outputs(problem, view)).reshape(len(features), -1)
    pulled = features.T @ apart / len(features)
    return relative(problem.decay * view.rho * view.directions[-1], pulled)


def outputs_within_gain(problem: models.Problem, view: models.View) -> Array:
    """|f_V(x)| <= |x| times the product of the layers' gains, sqrt(ceil(k/s)) by dimension."""
    outputs = view.evaluate(problem.network, problem.inputs)
    sizes = jnp.linalg.norm(outputs.reshape(len(outputs), -1), axis=1)
    largest = problem.network.output_bound * models.input_norms(problem.inputs)
    return jnp.max(jnp.stack([excess(a, b) for a, b in zip(sizes, largest, strict=True)]))


def error_below_ramp(problem: models.Problem, view: models.View) -> Array:
    """The share of samples that are classified wrongly is at most the mean ramp loss."""
    error = margins.train_error(problem, view)
    over = [excess(error, bounds.ramp_loss(gamma)(problem, view)) for gamma in (0.25, 1.0, 4.0)]
    return jnp.max(jnp.stack(over))


def correlation_with_signs(problem: models.Problem, view: models.View) -> Array:
    """Mean over 64 draws of signs of |(1/N) sum s_n f_V(x_n)|, which is below R(F)."""
    outputs = view.evaluate(problem.network, problem.inputs).reshape(len(problem.inputs), -1)
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (64, len(outputs)))
    met = jnp.mean(jnp.abs(jnp.asarray(signs) @ outputs / len(outputs)), axis=0)
    return excess(met, bounds.dense_complexity(problem))


CLASSES = ("every_class",)
ROWS = ("square", "degree_one", "dense_top")
STATEMENTS = (
    Statement(
        "7.2", "[Dyn] 5, [Wide] 3, anywhere", "Tr Sigma_W and Tr Sigma_W/Tr Sigma_B, written out",
        traces, tolerance=1e-9, asked_of=CLASSES,
    ),
    Statement(
        "7.2", "[NCWD] 3, anywhere", "Tr(Sigma_W Sigma_B^+) = C Tr(M^+T Sigma_W M^+)", ratio,
        tolerance=1e-7, asked_of=CLASSES,
    ),
    Statement(
        "7.2", "[M117] K, anywhere", "mean |cos + 1/(C-1)|, std(cos), std/mean norm, written out",
        cosines, tolerance=1e-9, asked_of=CLASSES,
    ),
    Statement(
        "7.2", "figures with C = 2, anywhere", "NC2 of centred class means holds for any features",
        two_classes, tolerance=1e-9, asked_of=(*CLASSES, "two_classes"),
    ),
    Statement(
        "7.2", "[Dyn] 5, NC3, anywhere", "|W/|W| - M/|M||^2 = 2 - 2 <W, M>/(|W| |M|)", duality,
        asked_of=(*CLASSES, "dense_top"),
    ),
    Statement(
        "7.9", "[NCWD] 2, anywhere", "d|W_L^c|^2/dt = (4/N) sum (y - f)_c f_c - 4 lambda |W_L^c|^2",
        growth_of_rows, asked_of=ROWS, note="in the mean normalisation, free layers",
    ),
    Statement(
        "7.9", "[NCWD] 2, at rest", "lambda rho V_L = (1/N) sum (y - rho f) h^T",
        last_layer_at_rest, tolerance=1e-6, asked_of=(*ROWS, "decay", "smooth_rest"),
        note="in the mean normalisation, on the spheres",
    ),
    Statement(
        "1.6", "[Dyn] abs(f) <= 1, anywhere", "|f_V(x)| <= |x| prod sqrt(ceil(k/s)), kernel norms",
        outputs_within_gain, asked_of=("bounded",),
    ),
    Statement(
        "9.1", "[Dyn] Thm 3, anywhere", "the training error is at most the mean ramp loss",
        error_below_ramp, tolerance=0.0,
    ),
    Statement(
        "9.4", "[Dyn] Thm 3, anywhere", "mean over signs of |(1/N) sum s_n f_V(x_n)| <= that bound",
        correlation_with_signs, tolerance=0.0, asked_of=("dense", "pointwise", "homogeneous"),
        note="what one network contributes to R(F), below the dense bound on it",
    ),
)  # fmt: skip
