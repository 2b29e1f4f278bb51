"""The Hessian's parts as products with vectors, on blocks of coordinates: what `curvature` asks of.

A point is `Polar`, with vectors tangent to its spheres, or `Unnormalised`: weights as they are,
whose outputs are the network's own, whatever its degrees. A block's vectors come from coordinates
in an orthonormal basis, so that an eigenvalue solver meets nothing outside of the block. Parts and
blocks are those of `curvature`.

Source: [Wide] (16); the reflection that makes a basis is Householder's (1958).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models.checks import refusal
from ...models.polar import (
    Polar,
    Unnormalised,
    project,
    radius,
    require_radius,
    squared_norms,
    to_weights,
)
from ...models.problem import Problem, data_loss, outputs
from ...models.views import View
from .points import point, sphere_point

PARTS = ("whole", "gauss_newton", "residual", "decay")
COORDINATES = ("polar", "weights")
Block = int | str
Point = Polar | Unnormalised


def position(coordinates: str, problem: Problem, view: View) -> Point:
    """Where derivatives are taken: a `Polar`, or the weights as they are.

    Args:
        coordinates: ``"polar"`` or ``"weights"``.
        problem: Whose network.
        view: Where.

    Raises:
        ValueError: If the view is of a linearised network, or has no such coordinates.
    """
    if coordinates == "polar":
        return sphere_point(view)
    point(view)
    return Unnormalised(to_weights(view, problem.network))


def vectors(block: Block, at: Point) -> tuple[int, Callable[[Array], Point]]:
    """The dimension of the block's tangent space, and its vectors from orthonormal coordinates.

    Coordinates are those of rho first, where it is in the block, then of each layer.

    Args:
        block: As `curvature.hessian_eigenvalues` has it.
        at: A point, as `position` gives it.

    Returns:
        The dimension, and ``vector(coordinates[dimension])``, like the point.

    Raises:
        ValueError: If there is no such layer.
    """
    polar, layers = isinstance(at, Polar), at.directions
    if isinstance(block, int) and block >= len(layers):
        raise refusal(f"a layer from 0 to {len(layers) - 1}", block, "count layers from 0")
    moving = [block in ("all", "tangential", k) for k in range(len(layers))]
    radial = int(polar and block in ("all", "radial"))
    ends = [radial]
    for layer, moves in zip(layers, moving, strict=True):
        ends.append(ends[-1] + (layer.size - polar if moves else 0))

    def vector(coordinates: Float[Array, "dimension"]) -> Point:
        made = tuple(
            _layer_vector(layer, coordinates[begin:end], polar) if moves else jnp.zeros_like(layer)
            for layer, moves, begin, end in zip(layers, moving, ends, ends[1:], strict=False)
        )
        if not isinstance(at, Polar):
            return Unnormalised(made)
        return Polar(coordinates[0] if radial else jnp.zeros_like(at.rho), made)

    return ends[-1], vector


def _layer_vector(layer: Array, coordinates: Float[Array, "dimension"], tangent: bool) -> Array:
    """The layer's vector; a tangent one by the reflection that takes the first axis to the layer.

    It takes the other axes to an orthonormal basis of the tangent space.
    """
    if not tangent:
        return coordinates.reshape(layer.shape)
    unit, moved = layer.reshape(-1), jnp.pad(coordinates, (1, 0))
    mirror = unit.at[0].add(jnp.copysign(1, unit[0]))
    reflected = moved - 2 * mirror * (mirror @ moved) / (mirror @ mirror)
    return reflected.reshape(layer.shape)


def _potential(part: str, problem: Problem, view: View, at: Point) -> Callable[[Point], Array]:
    """Of which the part is the Hessian at a point; not for Gauss-Newton."""
    if part == "residual":
        pulls = jax.grad(lambda f: _loss_of(problem, f))(outputs(problem, at))
        return lambda here: jnp.sum(pulls * outputs(problem, here))
    decaying = _decaying(problem, view, at)
    if part == "decay":
        return lambda here: problem.decay * decaying(here)
    return lambda here: data_loss(problem, here) + problem.decay * decaying(here)


def _decaying(problem: Problem, view: View, at: Point) -> Callable[[Point], Array]:
    """What lambda multiplies in `models.objective` at the view, at points near it."""
    if isinstance(view, Unnormalised):
        return lambda here: jnp.sum(squared_norms(here.directions))
    if isinstance(at, Polar):
        return lambda here: here.rho**2
    remedy = "pass models.Unnormalised(weights), where lambda is of sum_k |W_k|^2"
    require_radius(problem.network, remedy)
    return lambda here: radius(problem.network, here.directions) ** 2


def _loss_of(problem: Problem, given: Float[Array, "samples ..."]) -> Array:
    return jnp.mean(problem.loss.per_sample(given, problem.targets))


def product(part: str, problem: Problem, view: View, at: Point) -> Callable[[Point], Point]:
    """Multiplication with a part of the Hessian, on tangent vectors, up to what is not tangent.

    Args:
        part: One of `PARTS`.
        problem: Whose objective.
        view: Where, which says what decays.
        at: The same point, as `position` gives it.

    Returns:
        ``multiply(vector) -> H vector``, both like the point.

    Raises:
        ValueError: If decay is of rho and the network has none.
    """
    if part == "gauss_newton":
        return lambda vector: _gauss_newton(problem, at, vector)
    potential = _potential(part, problem, view, at)

    def field(here: Point) -> Point:
        slope = jax.grad(potential)(here)
        if not isinstance(here, Polar):
            return slope
        return Polar(slope.rho, project(here.directions, slope.directions))

    return lambda vector: jax.jvp(field, (at,), (vector,))[1]


def _gauss_newton(problem: Problem, at: Point, vector: Point) -> Point:
    def function(here: Point) -> Array:
        return outputs(problem, here)

    here, moved = jax.jvp(function, (at,), (vector,))
    pull = jax.jvp(jax.grad(lambda f: _loss_of(problem, f)), (here,), (moved,))[1]
    return jax.vjp(function, at)[1](pull)[0]
