"""Descent under a normalisation: any optax optimiser, made to keep unit directions.

A step on the product of spheres is: project the gradients of the directions to the tangent spaces,
hand them to the optimiser, apply its updates, divide each direction by its norm. To first order in
the learning rate this is the documents' Lagrange multiplier,

    rho <- rho + (2 eta / B) sum l_n fbar_n - 2 eta lambda rho
    V_k <- V_k + (2 eta rho / B) sum l_n d_k fbar_n - 2 eta nu_k V_k,

with nu_k from the batch; the division removes the excess |V_k|^2 = 1 + eta^2 |V_k'|^2. Momentum is
not transported between tangent spaces.

Source: [Dyn] (46). Printed form differs: both data terms have the wrong sign there (ascent), and
the first form of the V step lacks eta.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from ...models.checks import refusal
from ..normalisation import Normalisation, sphere


def on_spheres(optimiser: optax.GradientTransformation) -> optax.GradientTransformation:
    """Wraps an optimiser of `Polar` parameters so that its updates stay on the unit spheres.

    Args:
        optimiser: Any optax transformation.

    Returns:
        A transformation for `optax.apply_updates`; ``update`` needs the parameters.

    >>> from rhoflow import models
    >>> polar = models.Polar(jnp.asarray(1.0), (jnp.array([[1.0], [0.0]]),))
    >>> sphere_sgd = on_spheres(optax.sgd(1.0))
    >>> gradients = models.Polar(jnp.asarray(0.5), (jnp.array([[7.0], [1.0]]),))
    >>> updates, _ = sphere_sgd.update(gradients, sphere_sgd.init(polar), polar)
    >>> new = optax.apply_updates(polar, updates)
    >>> float(new.rho), round(float(jnp.linalg.norm(new.directions[0])), 6)
    (0.5, 1.0)
    """
    return constrained(optimiser, sphere())


def constrained(
    optimiser: optax.GradientTransformation, normalisation: Normalisation
) -> optax.GradientTransformation:
    """Wraps an optimiser of a normalisation's positions: it projects, updates and retracts.

    Args:
        optimiser: Any optax transformation.
        normalisation: Which coordinates move.

    Returns:
        A transformation of positions, whose updates keep what the normalisation keeps.
    """

    def update(gradients: PyTree, state: Any, position: PyTree | None = None) -> tuple[PyTree, Any]:
        if position is None:
            raise refusal("the position as third argument", None, "pass update(g, state, position)")
        tangent = normalisation.project(position, gradients)
        updates, state = optimiser.update(tangent, state, position)
        moved = normalisation.retract(jax.tree.map(jnp.add, position, updates))
        return jax.tree.map(jnp.subtract, moved, position), state

    return optax.GradientTransformation(optimiser.init, update)
