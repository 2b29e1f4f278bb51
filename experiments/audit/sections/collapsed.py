"""Exact configurations of collapse that the statements of section 7 are asked of.

They are last layers on their own: networks without hidden layers, whose inputs are the features h,
so that the flow of the library can be asked whether they are at rest. What the library says of a
configuration is asked once, in one compiled program (`facts`); the rest is NumPy.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .... import models
from ....dynamics import normalisation as kinds
from ....dynamics.observables import class_moments, moments
from ....dynamics.observables import collapse as metrics

MARGIN, DECAY = 0.2, 0.03


class Example(NamedTuple):
    """A problem and a point of it."""

    problem: models.Problem
    view: models.Polar


def simplex(classes: int) -> np.ndarray:
    """K* = sqrt(C/(C-1)) (I - 11^T/C): unit rows at cosines -1/(C-1)."""
    return np.sqrt(classes / (classes - 1)) * (np.eye(classes) - 1 / classes)


@functools.cache
def centred(classes: int) -> Example:
    """Symmetric quasi-interpolation of centred labels, 2 samples a class, at rest.

    V_L^c is K*_c / sqrt(C), class means are (C-1) mu V_L^c about a centre across all of them.
    """
    rows = np.hstack([simplex(classes) / np.sqrt(classes), np.zeros((classes, 1))])
    means = (classes - 1) * MARGIN * rows + 0.3 * np.eye(classes + 1)[-1]
    labels = np.arange(2 * classes) % classes
    problem = _last_layer(means[labels], labels, "centred")
    rho = MARGIN / (MARGIN**2 * (classes - 1) / classes + DECAY)
    return Example(problem, _point(rho, rows.T))


@functools.cache
def nonnegative_binary() -> Example:
    """Equal margins at rest with features h >= 0 that vary in the null space of V_L."""
    direction = np.array([1.0, -1.0, 0.0, 0.0]) / np.sqrt(2)
    signs = np.array([1.0, 1.0, -1.0, -1.0])
    centre, across = np.array([0.3, 0.3, 0.3, 0.3]), np.array([0.0, 0.0, 1.0, 0.5])
    wiggle = 0.2 * np.array([1.0, -1.0, 1.0, -1.0])
    features = centre + MARGIN * signs[:, None] * direction + wiggle[:, None] * across
    problem = _last_layer(features, (signs > 0).astype(int), "signs")
    rho = MARGIN / (MARGIN**2 + DECAY)
    return Example(problem, _point(rho, direction[:, None]))


@functools.cache
def orthogonal_frame() -> Example:
    """Class means r e_c and classifiers along them: collapse in the sense of [Wide]."""
    labels = np.arange(6) % 3
    problem = _last_layer(0.8 * np.eye(3, 4)[labels], labels, "one_hot")
    return Example(problem, _point(2.0, np.eye(4, 3) / np.sqrt(3)))


@functools.cache
def random_features(classes: int) -> Example:
    """Non-negative random features and a random classifier, in the shapes of `centred`."""
    rng = np.random.default_rng(5)
    features = np.abs(rng.standard_normal((2 * classes, classes + 1))) / 10
    problem = _last_layer(features, np.arange(2 * classes) % classes, "centred")
    rows = rng.standard_normal((classes + 1, classes))
    return Example(problem, _point(1.5, rows / np.linalg.norm(rows)))


def apart(left: Any, right: Any) -> float:
    """`residuals.relative` of two arrays, in NumPy: nothing to compile for each shape."""
    scale = max(np.max(np.abs(left)), np.max(np.abs(right)))
    return float(np.max(np.abs(left - right)) / (scale or 1.0))


METRICS = (
    "nc1_within", "nc1_ratio", "nc1_traces", "nc2_norms", "nc2_norm_variance", "nc2_products",
    "nc2_angles", "nc2_angle_spread", "nc2_condition", "nc3_duality", "nc3_sample_cosine",
    "nc3_mean_cosine", "nc4",
)  # fmt: skip


@functools.cache
def facts(make: Callable[..., Example], *arguments: int) -> dict[str, Any]:
    """What the library says of a configuration, as NumPy arrays by name.

    A changed library is noticed once this cache and that of `program` are cleared.
    """
    return jax.tree.map(np.asarray, program()(*make(*arguments)))


@functools.cache
def program() -> Callable[..., dict[str, Any]]:
    """`_facts` compiled, once for each shape: configurations of as many classes share it."""
    return jax.jit(lambda *example: _facts(*example))


def _facts(problem: models.Problem, view: models.Polar) -> dict[str, Any]:
    at = class_moments.class_moments(problem, view)
    moves = kinds.field(kinds.sphere(), problem, view)
    return {
        "features": at.features,
        "means": at.means,
        "centre": at.centre,
        "centred": at.centred,
        "within": class_moments.within(problem, view),
        "between": class_moments.between(problem, view),
        "classifiers": class_moments.classifiers(problem, view),
        "of_classifiers": metrics.nc2_norms(problem, view, of="classifiers"),
        "speed": jnp.maximum(jnp.abs(moves.rho), jnp.max(jnp.abs(moves.directions[0]))),
        "rho": view.rho,
        "outputs": moments.normalised_outputs(problem, view),
        "targets": moments.targets(problem),
        "mu": moments.mu(problem, view),
        "M": moments.second_moment(problem, view),
        "gap": moments.gap(problem, view),
        "alpha": metrics.quasi_interpolation(problem, view)["alpha"],
        "forms": metrics.closed_forms(problem, view),
        **{name: getattr(metrics, name)(problem, view) for name in METRICS},
    }


class Residues(NamedTuple):
    """One-hot labels with equal residuals: eps at the own class, delta at the others.

    ``means`` and ``classifiers`` are those of a critical point of [NCWD]'s last layer, where it
    exists; ``products`` are C lambda W W^T, which the algebra gives in any case.
    """

    problem: models.Problem
    weights: models.Weights
    means: np.ndarray
    classifiers: np.ndarray
    products: np.ndarray


@functools.cache
def residues(classes: int, own: float, other: float) -> Residues:
    """Class means with lambda C E G = F, where F are outputs, E = I - F and G their Gram matrix.

    All three commute, so that M = sqrt(lambda C E^+ F) has them and W = E M / (lambda C).
    """
    ones = np.ones((classes, classes))
    outputs = (1 - own - other) * np.eye(classes) + other * ones
    errors = np.eye(classes) - outputs
    values, vectors = np.linalg.eigh(DECAY * classes * np.linalg.solve(errors, outputs))
    means = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    classifiers = errors @ means / (DECAY * classes)
    labels = np.arange(2 * classes) % classes
    problem = _last_layer(means[labels], labels, "one_hot")
    weights = (jnp.asarray(classifiers.T),)
    return Residues(problem, weights, means, classifiers, outputs @ errors)


def _point(rho: float, layer: np.ndarray) -> models.Polar:
    return models.Polar(jnp.asarray(rho, float), (jnp.asarray(layer),))


def _last_layer(features: np.ndarray, labels: np.ndarray, encoding: str) -> models.Problem:
    targets = models.encode(labels, encoding)
    outputs = 1 if targets.ndim == 1 else targets.shape[1]
    network = models.deep_linear((features.shape[1], outputs))
    return models.Problem(network, features, targets, decay=DECAY)
