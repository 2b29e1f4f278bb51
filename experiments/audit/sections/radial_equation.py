"""Statements of section 5, continued: the second-order equation in polar coordinates."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .... import models
from ..statement import CONSTRUCTION, Statement
from .residuals import relative

RATE = 0.3


def _polar_curve(time: Array) -> tuple[Array, Array]:
    """Some smooth rho(t) and V(t) on a sphere."""
    raw = jnp.stack([jnp.sin(time), jnp.cos(2 * time), 1 + time**2, jnp.exp(-time)])
    return 1.3 + jnp.sin(1.7 * time), raw / jnp.linalg.norm(raw)


def _second_derivatives(factor: float) -> tuple[Array, Array]:
    at = jnp.asarray(0.4)
    first = jax.jacfwd(_polar_curve)
    (rho, v), (speed, turn) = _polar_curve(at), first(at)
    bend, turned = jax.jacfwd(first)(at)
    whole = jax.jacfwd(jax.jacfwd(lambda t: jnp.multiply(*_polar_curve(t))))(at)
    return whole, factor * rho * turned + (3 - factor) * speed * turn + bend * v


def second_derivative_of_product() -> Array:
    """W_L'' = rho V_L'' + 2 rho' V_L' + rho'' V_L."""
    return relative(*_second_derivatives(1.0))


def second_derivative_of_product_as_printed() -> Array:
    """W_L'' = 2 rho V'' + rho' V' + rho'' V."""
    return relative(*_second_derivatives(2.0))


def _radial_part(with_centrifugal: bool) -> Array:
    at = jnp.asarray(0.4)
    first = jax.jacfwd(_polar_curve)
    (rho, v), (_, turn) = _polar_curve(at), first(at)
    bend, _ = jax.jacfwd(first)(at)
    whole, _ = _second_derivatives(1.0)
    found = bend - rho * jnp.sum(turn**2) if with_centrifugal else bend
    return relative(jnp.sum(whole * v), found)


def centrifugal() -> Array:
    """<V_L, W_L''> = rho'' - rho |V_L'|^2."""
    return _radial_part(True)


def centrifugal_as_printed() -> Array:
    """Without the centrifugal term."""
    return _radial_part(False)


def radial_equation(over_both: bool) -> Array:
    """<V, (eta/2) W'' + W'>: (eta/2)(rho'' - rho |V'|^2) + rho', or eta/2 before rho'' alone."""
    at = jnp.asarray(0.4)
    first = jax.jacfwd(_polar_curve)
    (rho, v), (speed, turn) = _polar_curve(at), first(at)
    bend, _ = jax.jacfwd(first)(at)
    moved = jax.jacfwd(lambda t: jnp.multiply(*_polar_curve(t)))(at)
    whole = jnp.sum(v * (RATE / 2 * _second_derivatives(1.0)[0] + moved))
    pulled = rho * jnp.sum(turn**2)
    share = RATE / 2 if over_both else 1.0
    return relative(whole, RATE / 2 * bend - share * pulled + speed)


def decay_of_top_layer(as_a_product: bool) -> Array:
    """The decay's part of the loss is lambda |W_L|^2, or lambda tr(W_L W_L)."""
    network = models.deep_linear((4, 3, 3))
    rng = np.random.default_rng(2)
    layers = tuple(jnp.asarray(rng.standard_normal(shape)) for shape in ((4, 3), (3, 3)))
    targets = models.encode(np.arange(6) % 3, "centred")
    inputs = models.scale_inputs(rng.standard_normal((6, 4)))
    problem = models.Problem(network, inputs, targets, decay=0.2)
    view = models.to_polar(layers, rho=1.7)
    top = view.rho * view.directions[-1]
    square = jnp.trace(top @ top) if as_a_product else jnp.sum(top**2)
    found = models.objective(problem, view) - models.data_loss(problem, view)
    return relative(found, problem.decay * square)


BUILT, bound = (CONSTRUCTION,), functools.partial
STATEMENTS = (
    Statement(
        "5.5", "[M117] (29)", "W_L'' = rho V_L'' + 2 rho' V_L' + rho'' V_L",
        second_derivative_of_product, second_derivative_of_product_as_printed, asked_of=BUILT,
        note="print: 2 rho V'' + rho' V' + rho'' V",
    ),
    Statement(
        "5.5", "[M117] (23), (31)", "the radial part has a centrifugal term -rho |V_L'|^2",
        centrifugal, centrifugal_as_printed, asked_of=BUILT, note="print has none",
    ),
    Statement(
        "5.5", "[M117] (30)", "(eta/2)(rho'' - rho |V_L'|^2) + rho' = -dLoss/drho",
        bound(radial_equation, True), bound(radial_equation, False), asked_of=BUILT,
        note="taken as printed: the parenthesis closed after rho''",
    ),
    Statement(
        "5.5", "[M117] (27)", "the decay of the top layer is lambda |W_L|^2",
        bound(decay_of_top_layer, False), bound(decay_of_top_layer, True), asked_of=BUILT,
        note="print has W_L^2, taken as tr(W_L W_L) of a square W_L",
    ),
)  # fmt: skip
