"""What stays constant along the flow of each normalisation."""

import itertools

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models.linearised import Linearised
from ...models.network import Weights
from ...models.polar import LayerPolar, Polar, layer_norms, squared_norms
from ...models.problem import Problem
from .positions import Gained, Timed, Tracked


def norms_of_directions(
    problem: Problem, time: Float[Array, ""], polar: Polar
) -> Float[Array, "layers"]:
    """Norms of the directions."""
    del problem, time
    return layer_norms(polar.directions)


def rho_and_norms(
    problem: Problem, time: Float[Array, ""], polar: Polar
) -> Float[Array, "one_and_layers"]:
    """A radius that is held, and the norms of the directions."""
    return jnp.append(norms_of_directions(problem, time, polar), polar.rho)


def punctuality(
    problem: Problem, time: Float[Array, ""], position: Timed
) -> Float[Array, "two_and_layers"]:
    """Norms of the directions, the start's radius, and how far the position's time is ahead."""
    del problem
    ahead = jnp.stack([position.initial_rho, position.time - time])
    return jnp.concatenate([layer_norms(position.directions), ahead])


def norms_of_vectors(
    problem: Problem, time: Float[Array, ""], position: Gained
) -> Float[Array, "layers"]:
    """Norms of weight norm's vectors."""
    del problem, time
    return layer_norms(position.vectors)


def hidden_norms(
    problem: Problem, time: Float[Array, ""], weights: Weights
) -> Float[Array, "layers"]:
    """Norms of the hidden layers."""
    del problem, time
    return layer_norms(weights[:-1])


def balance(
    grows: bool, problem: Problem, time: Float[Array, ""], weights: Weights
) -> Float[Array, "pairs"]:
    """Differences of squared norms of neighbours, with their decay taken out."""
    return balance_of_radii(grows, problem, time, LayerPolar(layer_norms(weights), weights))


def balance_by_degrees(
    degrees: tuple[int, ...], problem: Problem, time: Float[Array, ""], weights: Weights
) -> Float[Array, "pairs"]:
    """As `balance` under layers' own decay, of |W_k|^2 / d_k where layer k is of degree d_k.

    Where d_k = 0, |W_k|^2 itself comes first, which the loss does not change. Empty for a network
    without degrees, where whole layers have nothing to compare. (A part of it may: of the two
    convolutions of a residual block, each of degree one in what the block adds, the difference
    |K_b|^2 - |K_a|^2 stays.)
    """
    squares = squared_norms(weights)
    still = [squares[number] for number, degree in enumerate(degrees) if degree == 0]
    shares = [squares[number] / degree for number, degree in enumerate(degrees) if degree > 0]
    kept = [*still, *(high - low for low, high in itertools.pairwise(shares))]
    stacked = jnp.stack(kept) if kept else jnp.zeros(0, squares.dtype)
    return stacked * jnp.exp(4 * problem.decay * time)


def balance_of_radii(
    grows: bool, problem: Problem, time: Float[Array, ""], position: LayerPolar
) -> Float[Array, "pairs"]:
    """As `balance`, of radii."""
    rate = 4 * problem.decay if grows else jnp.zeros_like(problem.decay)
    return jnp.diff(position.radii**2) * jnp.exp(rate * time)


def ratios_of_excess(
    problem: Problem, time: Float[Array, ""], polar: Polar
) -> Float[Array, "others"]:
    """Ratios of 1 - norm^2 to the first layer's; undefined on the sphere."""
    del problem, time
    excess = 1 - squared_norms(polar.directions)
    return excess[1:] / excess[0]


def anchor_norms(
    problem: Problem, time: Float[Array, ""], position: Linearised
) -> Float[Array, "layers"]:
    """Norms of the expansion's anchor, which does not move."""
    del problem, time
    return layer_norms(position.anchor)


def norms_of_units(
    grows: bool,
    frozen: tuple[int, ...],
    problem: Problem,
    time: Float[Array, ""],
    position: Tracked,
) -> Float[Array, "units"]:
    """Squared norm of each standardised unit's weights, decay taken out; frozen ones have none.

    Exact for any epsilon: the loss does not change with a unit's scale, so <w, d loss / dw> = 0.
    """
    grown, layers = jnp.exp(4 * problem.decay * time), len(position.weights)
    still = {number % layers for number in frozen}
    standardised = position.weights[: len(position.statistics)]
    return jnp.concatenate(
        [
            jnp.sum(layer.reshape(-1, layer.shape[-1]) ** 2, axis=0)
            * (grown if grows and number not in still else 1)
            for number, layer in enumerate(standardised)
        ]
    )
