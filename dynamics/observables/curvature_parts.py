"""The Hessian's parts as products with vectors, on blocks of coordinates: what `curvature` asks of.

A point is `Polar`, with vectors tangent to its spheres, or weights as they are. A block's vectors
come from coordinates in an orthonormal basis, so that an eigenvalue solver meets nothing outside of
the block. Parts and blocks are those of `curvature`.

Source: [Wide] (16); the reflection that makes a basis is Householder's (1958).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ...models.checks import refusal
from ...models.polar import Polar, project, to_layers, to_weights
from ...models.problem import Problem, data_loss, outputs
from ...models.views import View
from .points import point

PARTS = ("whole", "gauss_newton", "residual", "decay")
COORDINATES = ("polar", "weights")
Block = int | str


def position(coordinates: str, problem: Problem, view: View) -> PyTree:
    """Where derivatives are taken: a `Polar`, or weights.

    Args:
        coordinates: ``"polar"`` or ``"weights"``.
        problem: Whose network.
        view: Where.

    Raises:
        ValueError: If the view is of a linearised network, or has no such coordinates.
    """
    polar = point(view)
    return polar if coordinates == "polar" else to_weights(view, problem.network)


def _view(position: PyTree) -> View:
    return position if isinstance(position, Polar) else to_layers(position)


def values(problem: Problem, at: PyTree) -> Float[Array, "samples ..."]:
    """Outputs f_W(x_n) at such a point: ``[samples]`` or ``[samples, outputs]``."""
    return outputs(problem, _view(at))


def vectors(block: Block, at: PyTree) -> tuple[int, Callable[[Array], PyTree]]:
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
    polar = isinstance(at, Polar)
    layers = at.directions if polar else at
    if isinstance(block, int) and block >= len(layers):
        raise refusal(f"a layer from 0 to {len(layers) - 1}", block, "count layers from 0")
    moving = [block in ("all", "tangential", k) for k in range(len(layers))]
    radial = int(polar and block in ("all", "radial"))
    ends = [radial]
    for layer, moves in zip(layers, moving, strict=True):
        ends.append(ends[-1] + (layer.size - polar if moves else 0))

    def vector(coordinates: Float[Array, "dimension"]) -> PyTree:
        made = tuple(
            _layer_vector(layer, coordinates[begin:end], polar) if moves else jnp.zeros_like(layer)
            for layer, moves, begin, end in zip(layers, moving, ends, ends[1:], strict=False)
        )
        if not polar:
            return made
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


def _potential(part: str, problem: Problem, at: PyTree) -> Callable[[PyTree], Array]:
    """Of which the part is the Hessian at a point; not for Gauss-Newton."""

    def decay(position: PyTree) -> Array:
        return problem.decay * _view(position).rho ** 2

    def linear(position: PyTree) -> Array:
        return jnp.sum(pulls * values(problem, position))

    def whole(position: PyTree) -> Array:
        return data_loss(problem, _view(position)) + decay(position)

    pulls = jax.grad(lambda f: _loss_of(problem, f))(values(problem, at))
    return {"decay": decay, "residual": linear, "whole": whole}[part]


def _loss_of(problem: Problem, given: Float[Array, "samples ..."]) -> Array:
    return jnp.mean(problem.loss.per_sample(given, problem.targets))


def product(part: str, problem: Problem, at: PyTree) -> Callable[[PyTree], PyTree]:
    """Multiplication with a part of the Hessian, on tangent vectors, up to what is not tangent.

    Args:
        part: One of `PARTS`.
        problem: Whose objective.
        at: A point, as `position` gives it.

    Returns:
        ``multiply(vector) -> H vector``, both like the point.
    """
    if part == "gauss_newton":
        return lambda vector: _gauss_newton(problem, at, vector)
    potential = _potential(part, problem, at)

    def field(position: PyTree) -> PyTree:
        slope = jax.grad(potential)(position)
        if not isinstance(position, Polar):
            return slope
        return Polar(slope.rho, project(position.directions, slope.directions))

    return lambda vector: jax.jvp(field, (at,), (vector,))[1]


def _gauss_newton(problem: Problem, at: PyTree, vector: PyTree) -> PyTree:
    def function(position: PyTree) -> Array:
        return values(problem, position)

    here, moved = jax.jvp(function, (at,), (vector,))
    pull = jax.jvp(jax.grad(lambda f: _loss_of(problem, f)), (here,), (moved,))[1]
    return jax.vjp(function, at)[1](pull)[0]
