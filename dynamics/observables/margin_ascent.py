"""The largest equal margin that a network can have on its data, found from below by ascent.

The loss that remains where rho is at rest, the gap of `moments`, is for targets +-1

    eps = (sigma^2 + lambda) / (mu^2 + sigma^2 + lambda) = 1 / (1 + q),
    q   = mu^2 / (sigma^2 + lambda),

so that directions of the least gap are those of the largest q. As lambda goes to zero, q lambda
goes to the square of the largest margin that all samples can have alike, where there is one.

The gap does not change with the scale of any layer, so that it is descended in free weights, by
L-BFGS (optax). On networks with kinks the search ends on some of them: what it finds is a value
from below, and how far the starts agree says how far to trust it.

Source: [Dyn] (29), the problem that V solves.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key

from ...models.network import Weights
from ...models.polar import Polar, normalise, require_radius
from ...models.problem import Problem
from . import moments


class LargestMargin(NamedTuple):
    """What the ascent found.

    Attributes:
        view: The best point, at its own rho_eq.
        mu: Its mean margin.
        sigma: The spread of its margins.
        ratio: q = mu^2 / (sigma^2 + lambda).
        gaps: The least gap from each start ``[starts]``.
    """

    view: Polar
    mu: Float[Array, ""]
    sigma: Float[Array, ""]
    ratio: Float[Array, ""]
    gaps: Float[Array, "starts"]


def largest_margin(
    problem: Problem, key: Key[Array, ""], *, starts: int = 8, steps: int = 300
) -> LargestMargin:
    """The directions of the largest mu^2 / (sigma^2 + lambda) found from random starts.

    Args:
        problem: With the square loss; its decay is lambda.
        key: Draws the starts, by the network's own initialisation.
        starts: How many.
        steps: Of L-BFGS from each.

    Raises:
        ValueError: If the loss is not the square one, or the network is not homogeneous in every
            layer, so that the gap changes with the scale.
    """
    require_radius(problem.network, "take one without biases, of activations that scale")

    def descend(member: Key[Array, ""]) -> tuple[Weights, Float[Array, ""]]:
        return _least_gap(problem, problem.network.init(member), steps)

    found, gaps = jax.lax.map(descend, jax.random.split(key, starts))
    best = jnp.argmin(gaps)
    directions = normalise(jax.tree.map(lambda leaf: leaf[best], found))
    side = jnp.where(moments.mu(problem, _at(directions)) < 0, -1.0, 1.0)
    at = _at((*directions[:-1], side * directions[-1]))
    mean, spread = moments.mu(problem, at), moments.sigma(problem, at)
    view = Polar(moments.rho_eq(problem, at), at.directions)
    return LargestMargin(view, mean, spread, mean**2 / (spread**2 + problem.decay), gaps)


def _at(directions: Weights) -> Polar:
    """Directions as a point; moments do not know its radius."""
    return Polar(jnp.ones(()), directions)


def _least_gap(problem: Problem, start: Weights, steps: int) -> tuple[Weights, Float[Array, ""]]:
    """The best point on the way, and its gap. Its logarithm is what descends: gaps get small."""
    search = optax.lbfgs()

    def height(weights: Weights) -> Float[Array, ""]:
        return jnp.log(moments.gap(problem, _at(normalise(weights))))

    value_and_slope = optax.value_and_grad_from_state(height)

    def move(carry: tuple, _: None) -> tuple[tuple, None]:
        weights, state, best = carry
        value, slope = value_and_slope(weights, state=state)
        better = value < best[1]
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), (weights, value), best)
        updates, state = search.update(
            slope, state, weights, value=value, grad=slope, value_fn=height
        )
        return (optax.apply_updates(weights, updates), state, best), None

    begin = (start, search.init(start), (start, jnp.full_like(start[0].ravel()[0], jnp.inf)))
    (_, _, (weights, value)), _ = jax.lax.scan(move, begin, length=steps)
    return weights, jnp.exp(value)
