"""What moves under each normalisation, how it is seen, projected and brought back."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ...models.linearised import Linearised
from ...models.network import Weights
from ...models.polar import Polar, layer_norms, normalise, project, to_polar, to_weights

Start = Polar | Weights


class LayerPolar(NamedTuple):
    """Each layer's own radius rho_k ``[layers]`` and its unit direction."""

    radii: Float[Array, "layers"]
    directions: Weights


class Gained(NamedTuple):
    """Weight norm: W_k = gains_k v_k / norm(v_k), with vectors of any norms."""

    gains: Float[Array, "layers"]
    vectors: Weights


def same(position: PyTree) -> PyTree:
    """The position itself."""
    return position


def polar_of(start: Start) -> Polar:
    """A start as radius and directions."""
    return start if isinstance(start, Polar) else to_polar(start)


def weights_of(start: Start) -> Weights:
    """A start as weights; a polar one shares its radius equally."""
    return to_weights(start) if isinstance(start, Polar) else start


def layer_polar_of(start: Start) -> LayerPolar:
    """A start as radii and directions of layers."""
    weights = weights_of(start)
    return LayerPolar(layer_norms(weights), normalise(weights))


def gained_of(start: Start) -> Gained:
    """A start as gains and unit vectors."""
    return Gained(*layer_polar_of(start))


def top_weights_of(start: Start) -> Weights:
    """A start as unit hidden layers and a top layer that holds the radius."""
    polar = polar_of(start)
    *hidden, top = polar.directions
    return (*hidden, polar.rho * top)


def linearised_of(start: Start) -> Linearised:
    """A start as the anchor of its own expansion."""
    weights = weights_of(start)
    return Linearised(weights, weights)


def view_layers(position: LayerPolar) -> Polar:
    """One radius, the product."""
    return Polar(jnp.prod(position.radii), position.directions)


def view_gained(position: Gained) -> Polar:
    """One radius, the product of the gains."""
    return Polar(jnp.prod(position.gains), normalise(position.vectors))


def everything(position: PyTree, gradient: PyTree) -> PyTree:
    """The whole gradient."""
    del position
    return gradient


def tangent(polar: Polar, gradient: Polar) -> Polar:
    """The part along the spheres; off the spheres, what the literal multiplier gives."""
    return Polar(gradient.rho, project(polar.directions, gradient.directions))


def tangent_by_radius(position: LayerPolar, gradient: LayerPolar) -> LayerPolar:
    """The part along the spheres, divided by each layer's squared radius."""
    tangent = project(position.directions, gradient.directions)
    scaled = (part / radius**2 for part, radius in zip(tangent, position.radii, strict=True))
    return LayerPolar(gradient.radii, tuple(scaled))


def retract_layers(position: LayerPolar) -> LayerPolar:
    """Back to unit directions."""
    return LayerPolar(position.radii, normalise(position.directions))


def hidden_tangent(weights: Weights, gradient: Weights) -> Weights:
    """The part along the hidden layers' spheres."""
    return (*project(weights[:-1], gradient[:-1]), gradient[-1])


def without_anchor(position: Linearised, gradient: Linearised) -> Linearised:
    """The whole gradient in the weights; the anchor stays."""
    del position
    return Linearised(gradient.weights, jax.tree.map(jnp.zeros_like, gradient.anchor))


def retract_hidden(weights: Weights) -> Weights:
    """Back to unit hidden layers."""
    return (*normalise(weights[:-1]), weights[-1])


def bend_nothing(position: PyTree, velocity: PyTree) -> PyTree:
    """No acceleration: positions fill a flat space."""
    del position
    return jax.tree.map(jnp.zeros_like, velocity)


def bend_spheres(polar: Polar, velocity: Polar) -> Polar:
    """The centripetal acceleration of each direction; rho's space is flat."""
    return Polar(jnp.zeros_like(velocity.rho), _centripetal(polar.directions, velocity.directions))


def bend_hidden(weights: Weights, velocity: Weights) -> Weights:
    """The centripetal acceleration of the hidden layers."""
    hidden = _centripetal(weights[:-1], velocity[:-1])
    return (*hidden, jnp.zeros_like(velocity[-1]))


def _centripetal(directions: Weights, velocities: Weights) -> Weights:
    pairs = zip(directions, velocities, strict=True)
    return tuple(-jnp.sum(velocity**2) * direction for direction, velocity in pairs)
