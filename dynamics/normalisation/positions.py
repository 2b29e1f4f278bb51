"""What moves under each normalisation, how it is seen, projected and brought back."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ...models.batch_norm import TrackedPolar, first_statistics, tracked_polar
from ...models.display import shown
from ...models.linearised import Linearised
from ...models.network import Network, Statistics, Weights
from ...models.polar import (
    LayerPolar,
    Polar,
    normalise,
    project,
    require_radius,
    to_layers,
    to_polar,
    to_weights,
)

Start = Polar | Weights

Radius = Callable[[Float[Array, ""], Float[Array, ""]], Float[Array, ""]]
"""A schedule of the radius: ``radius(time, initial_rho) -> rho``."""


@shown
class Gained(NamedTuple):
    """Weight norm: W_k = gains_k v_k / norm(v_k), with vectors of any norms."""

    gains: Float[Array, "layers"]
    vectors: Weights


@shown
class Tracked(NamedTuple):
    """Weights of a network with batch norm, and the running statistics of its hidden layers."""

    weights: Weights
    statistics: tuple[Statistics, ...]


@shown
class Timed(NamedTuple):
    """Directions under a radius that time prescribes.

    Attributes:
        time: Where the schedule of the radius stands.
        initial_rho: The start's radius, for schedules that begin there; it stays.
        directions: Unit directions.
    """

    time: Float[Array, ""]
    initial_rho: Float[Array, ""]
    directions: Weights


TIME_MASS = 2.0**60
"""How heavy a `Timed` position's time is: only the force of its own, as large, moves it."""


OF_LAYERS = ("directions", "weights", "vectors", "radii", "gains")
"""Parts of a position that have one entry per layer."""


def hold(frozen: tuple[int, ...], here: PyTree, moving: PyTree) -> PyTree:
    """A moving position with the frozen layers of another one, of which it is no function.

    A derivative in ``moving`` does not see frozen layers; one in whatever ``here`` depends on does.

    Args:
        frozen: Layers that do not move, by their numbers.
        here: The position that they have.
        moving: The position of all others.
    """
    if not frozen:
        return moving
    if not hasattr(moving, "_fields"):
        return _pick(frozen, here, moving)
    parts = {
        name: _pick(frozen, getattr(here, name), getattr(moving, name))
        for name in OF_LAYERS
        if name in moving._fields
    }
    return moving._replace(**parts)


def _pick(frozen: tuple[int, ...], here: PyTree, moving: PyTree) -> PyTree:
    """Layer by layer: of a tuple of layers, or of an array of their radii."""
    if isinstance(moving, tuple):
        pairs = enumerate(zip(here, moving, strict=True))
        return tuple(own if number in frozen else new for number, (own, new) in pairs)
    return jnp.where(jnp.isin(jnp.arange(len(moving)), jnp.asarray(frozen)), here, moving)


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
    return to_layers(weights_of(start))


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


def tracked_of(standardised: int, start: Start) -> Tracked:
    """A start as weights; of a polar one the top layer holds the radius.

    Args:
        standardised: How many of the first layers have batch norm.
        start: The start.
    """
    weights = top_weights_of(start) if isinstance(start, Polar) else start
    return Tracked(weights, first_statistics(weights[:standardised]))


def by_degrees(network: Network, prepare: Callable[[Start], PyTree], start: Start) -> PyTree:
    """The position of a start whose radius is not the product of its layers' norms."""
    return prepare(start if isinstance(start, Polar) else to_polar(start, network=network))


def plain_of(network: Network, start: Start) -> Weights:
    """A start as weights of a network that is not of degree one in every layer."""
    if not isinstance(start, Polar):
        return start
    require_radius(network, "start from weights, network.init(key)")
    return to_weights(start, network)


def timed_of(start: Start) -> Timed:
    """A start at time zero of its radius's schedule."""
    polar = polar_of(start)
    return Timed(jnp.zeros_like(polar.rho), polar.rho, polar.directions)


def view_gained(position: Gained) -> LayerPolar:
    """The gains as radii."""
    return LayerPolar(position.gains, normalise(position.vectors))


def view_tracked(position: Tracked) -> TrackedPolar:
    """The top layer's norm, unit directions and their statistics."""
    return tracked_polar(position.weights, position.statistics)


def averages_of_tracked(position: Tracked) -> Tracked:
    """Which parts are running averages."""
    del position
    return Tracked(False, True)  # type: ignore[arg-type]


def view_timed(radius: Radius, position: Timed) -> Polar:
    """The radius of now."""
    return Polar(radius(position.time, position.initial_rho), position.directions)


def everything(position: PyTree, gradient: PyTree) -> PyTree:
    """The whole gradient."""
    del position
    return gradient


def tangent(polar: Polar, gradient: Polar) -> Polar:
    """The part along the spheres; off the spheres, what the literal multiplier gives."""
    return Polar(gradient.rho, project(polar.directions, gradient.directions))


def tangent_alone(polar: Polar, gradient: Polar) -> Polar:
    """The part along the spheres; rho stays."""
    return tangent(polar, gradient)._replace(rho=jnp.zeros_like(gradient.rho))


def tangent_in_time(position: Timed, gradient: Timed) -> Timed:
    """The part along the spheres, and time divided by its mass; the start's radius stays."""
    return Timed(
        gradient.time / TIME_MASS,
        jnp.zeros_like(gradient.initial_rho),
        project(position.directions, gradient.directions),
    )


def tangent_by_radius(position: LayerPolar, gradient: LayerPolar) -> LayerPolar:
    """The part along the spheres, divided by each layer's squared radius."""
    tangent = project(position.directions, gradient.directions)
    scaled = (part / radius**2 for part, radius in zip(tangent, position.radii, strict=True))
    return LayerPolar(gradient.radii, tuple(scaled))


def retract_layers(position: LayerPolar) -> LayerPolar:
    """Back to unit directions."""
    return LayerPolar(position.radii, normalise(position.directions))


def retract_timed(position: Timed) -> Timed:
    """Back to unit directions."""
    return position._replace(directions=normalise(position.directions))


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


def bend_timed(position: Timed, velocity: Timed) -> Timed:
    """The centripetal acceleration of each direction; time's space is flat."""
    flat = jnp.zeros_like(velocity.time), jnp.zeros_like(velocity.initial_rho)
    return Timed(*flat, _centripetal(position.directions, velocity.directions))


def bend_hidden(weights: Weights, velocity: Weights) -> Weights:
    """The centripetal acceleration of the hidden layers."""
    hidden = _centripetal(weights[:-1], velocity[:-1])
    return (*hidden, jnp.zeros_like(velocity[-1]))


def _centripetal(directions: Weights, velocities: Weights) -> Weights:
    pairs = zip(directions, velocities, strict=True)
    return tuple(-jnp.sum(velocity**2) * direction for direction, velocity in pairs)
