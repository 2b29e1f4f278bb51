"""Local minima of the objective on the spheres, found directly rather than by running a flow.

A flow needs a time of the order 1 / lambda to come to rest. What it comes to rest at is a local
minimum of U(rho, V) = Loss + lambda rho^2 over rho and the unit directions, or over the directions
alone where rho is held; a method of second order finds it in some ten or hundred steps, whatever
lambda is.

The method is the *trust region on a manifold*. About a point x, with g the projected gradient and H
the projected derivative of g, the model

    m(s) = U(x) + <g, s> + <s, H s> / 2,     |s| <= radius, s tangent,

is descended by conjugate gradients, which stop at the region's edge or where H bends downwards.
The step is retracted to the spheres and kept where U falls by more than a tenth of what the model
foretold; the radius grows and shrinks by how well it foretold. Where a change of U is below
rounding, the gradient judges instead. H is only ever applied to vectors, by forward over reverse
differentiation: memory and time grow like those of a gradient (10^4 weights and 200 samples take
a second or two for each equilibrium). Close to a minimum convergence is quadratic, also where
minima form a continuum, as they do by the symmetries of a network.

It finds *a* local minimum, from a saddle that it hits exactly not even that: begin from several
starts. On networks with kinks (ReLU) minima lie on kinks, where the gradient never vanishes and
every local model is wrong: the search jams early, with rho off by percents. It warns, and the
outcome is ``STUCK``. Take the same network with `models.activations.smoothed_relu(1e-3)`, whose
minima it finds and whose rho is off by the order of that width. A smoothed network's second
derivative still jumps: a search may creep where many units are within their kinks, and then ends
with ``BUDGET_SPENT`` and the slope that is left.

Source: the equilibria are [Dyn] (7)-(9); the method is that of Absil, Baker and Gallivan (2007),
"Trust-region methods on Riemannian manifolds".
"""

import enum
import functools
import warnings
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from ..models.checks import expect, is_traced, refusal, single
from ..models.polar import Polar
from ..models.problem import Problem
from .normalisation import Normalisation, Start, field, fitting, sphere
from .ranges import in_range
from .truncated import Vector, descend_model, norm
from .types import check_position

ROUNDING = 100.0
"""Changes of U below this many units of rounding say nothing."""


class Outcome(enum.IntEnum):
    """How a search ended; ``.sentence`` names the cure."""

    CONVERGED = 0
    BUDGET_SPENT = 1
    STUCK = 2

    @property
    def sentence(self) -> str:
        """What happened, and what to do about it."""
        return _SENTENCES[self]


_SENTENCES = {
    Outcome.CONVERGED: "the gradient is below the tolerance",
    Outcome.BUDGET_SPENT: "spent its steps: raise max_steps, or accept the slope that is reported",
    Outcome.STUCK: (
        "no step descends though there is a slope: on a network with kinks smooth them with "
        "models.activations.smoothed_relu, on a smooth one raise the tolerance"
    ),
}


class Minimum(NamedTuple):
    """Where a search ended.

    Attributes:
        position: The point.
        loss: The objective there, with decay.
        slope: Norm of the projected gradient of the objective: what does not vanish.
        steps: How many were tried.
        outcome: An `Outcome`, a scalar integer.
    """

    position: Polar
    loss: Float[Array, ""]
    slope: Float[Array, ""]
    steps: Int[Array, ""]
    outcome: Int[Array, ""]


def minimise(
    problem: Problem,
    start: Start,
    *,
    radius: str = "moving",
    frozen: tuple[int, ...] = (),
    tolerance: ArrayLike | None = None,
    max_steps: int = 500,
) -> Minimum:
    """A local minimum of the objective, from a start.

    Args:
        problem: What is learned, with any loss; with the square loss the minimum is an equilibrium,
            rho = mu / (M + lambda).
        start: A point in polar coordinates, or weights.
        radius: ``"moving"``, or ``"held"`` at the start's.
        frozen: Layers that do not move, by their numbers from 0.
        tolerance: Norm of the projected gradient below which it has converged; one more step is
            made there. The precision's epsilon to the power 2/3 unless given: 4e-11 in double.
        max_steps: Steps after which it gives up.

    Returns:
        The minimum; its ``outcome`` says whether it is one.

    Raises:
        ValueError: If the start is none of the network's, the tolerance not positive, the steps no
            whole number above zero, or the radius no such word.
    """
    kind = kind_of(problem, radius, frozen)
    cast = jax.tree.map(lambda leaf: jnp.asarray(leaf, problem.inputs.dtype), start)
    check_position(problem, cast)
    return search(kind, problem, kind.prepare(cast), *limits(problem, tolerance, max_steps))


def kind_of(problem: Problem, radius: str, frozen: tuple[int, ...]) -> Normalisation:
    """The coordinates of a search; warns where the network has kinks."""
    expect(problem, Problem, "a problem", "pass models.Problem(network, inputs, targets)")
    if not problem.network.smooth:
        message = (
            f"minima of {problem.network.name} lie on kinks, where the search jams with rho off by "
            "percents: smooth them with activation=models.activations.smoothed_relu(1e-3)"
        )
        warnings.warn(message, stacklevel=3)
    return fitting(problem, sphere(frozen, radius))


def limits(
    problem: Problem, tolerance: ArrayLike | None, max_steps: int
) -> tuple[Float[Array, ""], Int[Array, ""]]:
    """The numbers that end a search.

    Raises:
        ValueError: If the tolerance is not one positive number, or the steps no whole number above
            zero.
    """
    single("max_steps", max_steps)
    in_range("max_steps", max_steps)
    if tolerance is not None:
        single("tolerance", tolerance)
    dtype = problem.inputs.dtype
    lowest = jnp.asarray(jnp.finfo(dtype).eps ** (2 / 3) if tolerance is None else tolerance, dtype)
    if not is_traced(lowest) and not lowest > 0:
        raise refusal("a positive tolerance", tolerance, "pass for example tolerance=1e-8")
    return lowest, jnp.asarray(max_steps, jnp.int32)


class _Landscape(NamedTuple):
    """The objective over flat coordinates: its value, projected gradient and its derivative."""

    retract: Callable[[Vector], Vector]
    value: Callable[[Vector], Float[Array, ""]]
    gradient: Callable[[Vector], Vector]
    bend: Callable[[Vector, Vector], Vector]


class _Here(NamedTuple):
    point: Vector
    value: Float[Array, ""]
    gradient: Vector
    radius: Float[Array, ""]
    steps: Int[Array, ""]
    polished: Bool[Array, ""]


@functools.partial(jax.jit, static_argnames="kind")
def search(
    kind: Normalisation,
    problem: Problem,
    start: Polar,
    tolerance: Float[Array, ""],
    max_steps: Int[Array, ""],
) -> Minimum:
    """The compiled search, from a position of a normalisation of spheres."""
    flat, unravel = ravel_pytree(start)
    land = _landscape(kind, problem, unravel)
    smallest = jnp.finfo(flat.dtype).eps

    def goes_on(here: _Here) -> Bool[Array, ""]:
        return ~here.polished & (here.steps < max_steps) & (here.radius > smallest)

    begin = land.retract(flat)
    none = jnp.zeros((), jnp.int32)
    here = _Here(
        begin, land.value(begin), land.gradient(begin), jnp.ones((), flat.dtype), none, none == 1
    )
    end = jax.lax.while_loop(goes_on, lambda here: _step(land, here, tolerance), here)
    slope = norm(end.gradient)
    failed = jnp.where(end.steps < max_steps, Outcome.STUCK, Outcome.BUDGET_SPENT)
    outcome = jnp.where(slope <= tolerance, Outcome.CONVERGED, failed).astype(jnp.int32)
    return Minimum(unravel(end.point), end.value, slope, end.steps, outcome)


def _landscape(
    kind: Normalisation, problem: Problem, unravel: Callable[[Vector], Polar]
) -> _Landscape:
    def gradient(point: Vector) -> Vector:
        return -ravel_pytree(field(kind, problem, unravel(point)))[0]

    def bend(point: Vector, step: Vector) -> Vector:
        change = unravel(jax.jvp(gradient, (point,), (step,))[1])
        return ravel_pytree(kind.project(unravel(point), change))[0]

    return _Landscape(
        retract=lambda point: ravel_pytree(kind.retract(unravel(point)))[0],
        value=lambda point: kind.potential(problem, unravel(point), None),
        gradient=gradient,
        bend=bend,
    )


def _step(land: _Landscape, here: _Here, tolerance: Float[Array, ""]) -> _Here:
    """One step of the trust region, kept or not."""
    step, bent = descend_model(
        lambda vector: land.bend(here.point, vector), here.gradient, here.radius
    )
    there = land.retract(here.point + step)
    value, gradient = land.value(there), land.gradient(there)
    foretold = -(jnp.vdot(here.gradient, step) + jnp.vdot(step, bent) / 2)
    fallen = jnp.where(jnp.isfinite(value), here.value - value, -jnp.inf)
    flatter = (norm(gradient) < norm(here.gradient)).astype(value.dtype)
    told = foretold > _rounding(here.value)
    ratio = jnp.where(told, fallen / jnp.where(told, foretold, 1.0), flatter)
    length = norm(step)
    radius = jnp.where(ratio < 0.25, jnp.minimum(here.radius, length) / 4, here.radius)
    radius = jnp.where((ratio > 0.75) & (length > 0.99 * here.radius), 2 * here.radius, radius)
    kept = ratio > 0.1
    return _Here(
        point=jnp.where(kept, there, here.point),
        value=jnp.where(kept, value, here.value),
        gradient=jnp.where(kept, gradient, here.gradient),
        radius=radius,
        steps=here.steps + 1,
        polished=norm(here.gradient) <= tolerance,
    )


def _rounding(value: Float[Array, ""]) -> Float[Array, ""]:
    """The noise of an objective: of its sum, and of residuals that are differences of order 1."""
    return ROUNDING * jnp.finfo(value.dtype).eps * jnp.maximum(value, jnp.sqrt(jnp.abs(value)))
