"""What each normalisation descends: the data's loss, and the decay of what grows."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models.checks import unknown
from ...models.linearised import Linearised
from ...models.network import Weights
from ...models.polar import LayerPolar, Polar, normalise, retract, squared_norms
from ...models.problem import Problem, data_loss
from .positions import TIME_MASS, Gained, Radius, Timed, Tracked, view_timed

SampleWeights = Float[Array, "samples"] | None


def grows_by_layer(decay: str) -> bool:
    """Whether the decay is each layer's own, so that differences of norms decay too."""
    if decay not in ("layers", "product"):
        raise unknown("decay", decay, ("layers", "product"))
    return decay == "layers"


def _penalty(decay: str, squares: Float[Array, "layers"]) -> Float[Array, ""]:
    return jnp.sum(squares) if decay == "layers" else jnp.prod(squares)


def radial(problem: Problem, polar: Polar, sample_weights: SampleWeights) -> Float[Array, ""]:
    """Data loss, and decay of rho."""
    return data_loss(problem, polar, sample_weights) + problem.decay * polar.rho**2


def of_scaled_vectors(
    problem: Problem, polar: Polar, sample_weights: SampleWeights
) -> Float[Array, ""]:
    """As `radial`, of the vectors' directions."""
    return radial(problem, retract(polar), sample_weights)


def of_time(
    radius: Radius,
    problem: Problem,
    position: Timed,
    sample_weights: SampleWeights,
) -> Float[Array, ""]:
    """As `radial`, at the radius of now; and a force on time that lets it pass at unit speed.

    The force adds nothing to the potential's value. That time is heavy, rather than driven from
    outside, makes everything that is built of gradients right for a potential that changes: the
    corrected flow follows a descent to second order here too.
    """
    passed = position.time - jax.lax.stop_gradient(position.time)
    now = radial(problem, view_timed(radius, position), sample_weights)
    return now - TIME_MASS * passed


def of_weights(
    decay: str,
    problem: Problem,
    weights: Weights,
    sample_weights: SampleWeights,
) -> Float[Array, ""]:
    """Data loss, and decay of weights."""
    penalty = _penalty(decay, squared_norms(weights))
    return _data(problem, weights, sample_weights) + problem.decay * penalty


def of_layers(
    decay: str,
    problem: Problem,
    position: LayerPolar,
    sample_weights: SampleWeights,
) -> Float[Array, ""]:
    """Data loss and decay, in radii and directions of layers."""
    polar = Polar(jnp.prod(position.radii), position.directions)
    penalty = _penalty(decay, position.radii**2)
    return data_loss(problem, polar, sample_weights) + problem.decay * penalty


def of_gains(
    decay: str,
    problem: Problem,
    position: Gained,
    sample_weights: SampleWeights,
) -> Float[Array, ""]:
    """As `of_layers`, of gains and the vectors' directions."""
    layers = LayerPolar(position.gains, normalise(position.vectors))
    return of_layers(decay, problem, layers, sample_weights)


def of_top(problem: Problem, weights: Weights, sample_weights: SampleWeights) -> Float[Array, ""]:
    """Data loss, and decay of the top layer; that of unit layers is constant."""
    return _data(problem, weights, sample_weights) + problem.decay * jnp.sum(weights[-1] ** 2)


def of_linearised(
    decay: str,
    problem: Problem,
    position: Linearised,
    sample_weights: SampleWeights,
) -> Float[Array, ""]:
    """Data loss of the expansion, and decay of the moving weights."""
    penalty = _penalty(decay, squared_norms(position.weights))
    return data_loss(problem, position, sample_weights) + problem.decay * penalty


def of_tracked(
    decay: str,
    memory: float,
    problem: Problem,
    position: Tracked,
    sample_weights: SampleWeights,
) -> Float[Array, ""]:
    """Data loss, decay, and a spring that draws running statistics to those of the batch."""
    assert problem.network.statistics is not None
    squares = squared_norms(position.weights)
    penalty = squares[-1] if decay == "top" else jnp.sum(squares)
    # Without its derivative: the statistics follow the weights and do not pull at them.
    batch = jax.lax.stop_gradient(problem.network.statistics(position.weights, problem.inputs))
    apart = jax.tree.map(lambda own, new: jnp.sum((own - new) ** 2), position.statistics, batch)
    spring = jnp.sum(jnp.stack(jax.tree.leaves(apart))) / (2 * memory)
    return _data(problem, position.weights, sample_weights) + problem.decay * penalty + spring


def _data(problem: Problem, weights: Weights, sample_weights: SampleWeights) -> Float[Array, ""]:
    return data_loss(problem, Polar(jnp.ones((), weights[0].dtype), weights), sample_weights)
