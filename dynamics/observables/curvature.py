"""Curvature: top eigenvalues of the objective's Hessian and of the tangent kernel.

In polar coordinates a point is (rho, V_1, ..., V_L) with every V_k on its unit sphere, and the
Hessian is that of the motion: minus the derivative of the flow's field along tangent directions,

    H xi = S D(S grad U)[xi],    S the projection to the tangent space,

the Riemannian Hessian. In weights it is the plain one of `models.objective`: U = data loss +
lambda rho^2, rho = `models.radius` of the weights, each norm to its layer's degree; at a
`models.Unnormalised` view, the one of a network without radius, U = data loss + lambda sum_k
|W_k|^2. Along kinks of ReLU networks it is the Hessian almost everywhere. Its parts are

    whole = gauss_newton + residual + decay,
    gauss_newton = J^T loss''(f) J,   J the derivative of the outputs f_W(x_n),
    residual = sum_n <loss'(f_n), Hess f_n>,   decay = that of lambda's term,

for the square loss [Wide] (16) in the mean normalisation. The tangent kernel is J J^T, of size
samples times outputs. Blocks are one layer (its number from 0), ``"radial"`` (rho alone) and
``"tangential"`` (all V_k); the last two exist in polar coordinates.

Plain descent with step eta is stable where the sharpness, the top eigenvalue, stays below 2/eta.

Eigenvalues come by Lanczos from products alone (`lanczos`), each with its residual and whether it
has converged; a product costs about two gradients. Vectors are given in orthonormal coordinates of
the block's tangent space, so that nothing outside of it is ever found, and a block of d dimensions
takes at most d products.

Source: [Wide] (16), section 5; [M117] section 5; the bound 2/eta is that of explicit Euler.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, ArrayLike, Float

from ...models.binding import bind
from ...models.checks import refusal, unknown, whole
from ...models.polar import Polar
from ...models.problem import Problem, outputs
from ...models.views import View
from . import curvature_parts
from .curvature_parts import COORDINATES, PARTS, Block
from .lanczos import eigenvalues


class _Choice(NamedTuple):
    """What is asked for, all of it static."""

    wanted: int
    products: int
    part: str
    block: Block
    coordinates: str
    smallest: bool


def hessian_eigenvalues(
    count: int = 1,
    products: int = 40,
    part: str = "whole",
    block: Block = "all",
    coordinates: str = "polar",
    smallest: bool = False,
) -> Callable[[Problem, View], dict[str, Array]]:
    """An observable: extreme eigenvalues of the objective's Hessian, in units of 1/time.

    Args:
        count: How many.
        products: How many products with the Hessian at most, 40 unless given; more if it says that
            it has not converged.
        part: ``"whole"``, ``"gauss_newton"``, ``"residual"`` or ``"decay"``.
        block: ``"all"``, ``"radial"``, ``"tangential"``, or a layer's number from 0.
        coordinates: ``"polar"`` or ``"weights"``.
        smallest: Whether the smallest are wanted, most negative first, not the largest.

    Returns:
        An observable with ``values``, ``residuals`` and ``converged``, ``[count]`` each, and
        ``radial_share`` ``[count]``, how much of each unit eigenvector's square lies in rho (zero
        in weights). Equal arguments return the same one.

    Raises:
        ValueError: If a name is unknown, a count not positive or not whole, or a block is of other
            coordinates; when it is evaluated, which is when the network is known, if it has no
            such layer, or no radius where coordinates are polar or the decay is of one.
    """
    return bind(_hessian, _checked(_Choice(count, products, part, block, coordinates, smallest)))


def kernel_eigenvalues(
    count: int = 1, products: int = 40, block: Block = "all", coordinates: str = "weights"
) -> Callable[[Problem, View], dict[str, Array]]:
    """An observable: largest eigenvalues of the tangent kernel J J^T, not divided by the samples.

    Args:
        count: How many.
        products: How many products with the kernel.
        block: As for `hessian_eigenvalues`: J with respect to this part alone.
        coordinates: ``"weights"`` or ``"polar"``.

    Returns:
        An observable with ``values``, ``residuals`` and ``converged``, ``[count]`` each.

    Raises:
        ValueError: As for `hessian_eigenvalues`.
    """
    return bind(_kernel, _checked(_Choice(count, products, "whole", block, coordinates, False)))


def sharpness(learning_rate: ArrayLike, products: int = 40, coordinates: str = "polar") -> Partial:
    """An observable: the top eigenvalue beside 2/eta.

    Args:
        learning_rate: eta, a leaf: the step in time.
        products: How many products with the Hessian.
        coordinates: ``"polar"`` or ``"weights"``.

    Returns:
        An observable with ``sharpness``, ``stability`` (eta sharpness / 2, above one where plain
        descent is not stable) and ``converged``.

    Raises:
        ValueError: If the coordinates are unknown or products is not positive; when it is
            evaluated, as `hessian_eigenvalues`.
    """
    choice = _checked(_Choice(1, products, "whole", "all", coordinates, False))
    return Partial(bind(_sharpness, choice), jnp.asarray(learning_rate, float))


def _checked(choice: _Choice) -> _Choice:
    whole((choice.wanted, choice.products), "count and products")
    if choice.part not in PARTS:
        raise unknown("part", choice.part, PARTS)
    if choice.coordinates not in COORDINATES:
        raise unknown("coordinates", choice.coordinates, COORDINATES)
    if choice.wanted < 1 or choice.products < 1:
        raise refusal(
            "at least one eigenvalue and one product",
            f"count {choice.wanted} and products {choice.products}",
            "pass for example count=1, products=40",
        )
    if isinstance(choice.block, str):
        known = ("all", "radial", "tangential") if choice.coordinates == "polar" else ("all",)
        if choice.block not in known:
            raise unknown("block", choice.block, known)
    elif whole((choice.block,), "a layer's number")[0] < 0:
        raise refusal("a layer's number from 0", choice.block, "count layers from 0")
    return choice


def _start(size: int, dtype: Any) -> Float[Array, "size"]:
    """A vector to which nothing in a network is orthogonal, the same at every call."""
    return jax.random.normal(jax.random.key(0), (size,), dtype)


def _hessian(choice: _Choice, problem: Problem, view: View) -> dict[str, Array]:
    at = curvature_parts.position(choice.coordinates, problem, view)
    multiply = curvature_parts.product(choice.part, problem, view, at)
    dimension, vector = curvature_parts.vectors(choice.block, at)
    start = _start(dimension, view.rho.dtype)
    back = jax.linear_transpose(vector, start)

    def product(coordinates: Array) -> Array:
        return back(multiply(vector(coordinates)))[0]

    found = eigenvalues(product, start, choice.wanted, choice.products, choice.smallest)
    vectors, radial = found.pop("vectors"), choice.block in ("all", "radial")
    seen = radial and isinstance(at, Polar)
    share = vectors[:, 0] ** 2 if seen else jnp.zeros(choice.wanted, start.dtype)
    return {**found, "radial_share": share}


def _kernel(choice: _Choice, problem: Problem, view: View) -> dict[str, Array]:
    at = curvature_parts.position(choice.coordinates, problem, view)
    dimension, vector = curvature_parts.vectors(choice.block, at)

    def function(coordinates: Array) -> Array:
        moved = jax.tree.map(jnp.add, at, vector(coordinates))
        return outputs(problem, moved).reshape(-1)

    here = jnp.zeros(dimension, view.rho.dtype)
    values, back = jax.vjp(function, here)

    def product(pull: Array) -> Array:
        return jax.jvp(function, (here,), back(pull))[1]

    start = _start(values.size, values.dtype)
    found = eigenvalues(product, start, choice.wanted, choice.products)
    del found["vectors"]
    return found


def _sharpness(
    choice: _Choice, learning_rate: Array, problem: Problem, view: View
) -> dict[str, Array]:
    found = _hessian(choice, problem, view)
    top = found["values"][0]
    return {
        "sharpness": top,
        "stability": learning_rate * top / 2,
        "converged": found["converged"][0],
    }
