"""What stays constant along the flow of each normalisation.

A frozen layer's norm stays by itself, and is no part of a balance between layers that move.
"""

import itertools

import jax.numpy as jnp
import numpy as np
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
    grows: bool,
    frozen: tuple[int, ...],
    problem: Problem,
    time: Float[Array, ""],
    weights: Weights,
) -> Float[Array, "pairs_and_frozen"]:
    """Differences of squared norms of neighbours among the layers that move, their decay taken out.

    The squared norms of the frozen ones follow, which do not decay.
    """
    polar = LayerPolar(layer_norms(weights), weights)
    return balance_of_radii(grows, frozen, problem, time, polar)


def balance_by_degrees(
    degrees: tuple[int, ...],
    frozen: tuple[int, ...],
    problem: Problem,
    time: Float[Array, ""],
    weights: Weights,
) -> Float[Array, "pairs_and_frozen"]:
    """As `balance` under layers' own decay, of |W_k|^2 / d_k where layer k is of degree d_k.

    Where d_k = 0, |W_k|^2 itself comes first, which the loss does not change. Empty for a network
    without degrees, where whole layers have nothing to compare. (A part of it may: of the two
    convolutions of a residual block, each of degree one in what the block adds, the difference
    |K_b|^2 - |K_a|^2 stays.)
    """
    squares = squared_norms(weights)
    moving, held = _moving_and_held(frozen, len(weights))
    free = [(squares[number], degrees[number]) for number in moving if degrees]
    alone = [square for square, degree in free if degree == 0]
    shares = [square / degree for square, degree in free if degree > 0]
    kept = [*alone, *(high - low for low, high in itertools.pairwise(shares))]
    stacked = jnp.stack(kept) if kept else jnp.zeros(0, squares.dtype)
    return jnp.append(stacked * jnp.exp(4 * problem.decay * time), squares[held])


def balance_of_radii(
    grows: bool,
    frozen: tuple[int, ...],
    problem: Problem,
    time: Float[Array, ""],
    position: LayerPolar,
) -> Float[Array, "pairs_and_frozen"]:
    """As `balance`, of radii."""
    rate = 4 * problem.decay if grows else jnp.zeros_like(problem.decay)
    squares = position.radii**2
    moving, held = _moving_and_held(frozen, len(squares))
    return jnp.append(jnp.diff(squares[moving]) * jnp.exp(rate * time), squares[held])


def ratios_of_excess(
    frozen: tuple[int, ...], problem: Problem, time: Float[Array, ""], polar: Polar
) -> Float[Array, "others_and_frozen"]:
    """Ratios of 1 - norm^2 to that of the first layer that moves; undefined on the sphere.

    The squared norms of the frozen ones follow.
    """
    del problem, time
    squares = squared_norms(polar.directions)
    moving, held = _moving_and_held(frozen, len(squares))
    excess = 1 - squares[moving]
    return jnp.append(excess[1:] / excess[:1], squares[held])


def _moving_and_held(frozen: tuple[int, ...], layers: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the layers that move, and of the frozen ones."""
    held = np.isin(np.arange(layers), [number % layers for number in frozen])
    return np.flatnonzero(~held), np.flatnonzero(held)


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
    grown = jnp.exp(4 * problem.decay * time)
    _, held = _moving_and_held(frozen, len(position.weights))
    standardised = position.weights[: len(position.statistics)]
    return jnp.concatenate(
        [
            jnp.sum(layer.reshape(-1, layer.shape[-1]) ** 2, axis=0)
            * (grown if grows and number not in held else 1)
            for number, layer in enumerate(standardised)
        ]
    )
