"""Landscapes of rho: the least loss at each radius, and equilibria followed over the decay.

**The coastline.** L*(rho) = min over unit directions of the mean loss of rho f_V, without decay: no
dynamics under any normalisation gets below it, and a flow of the directions with rho held ends on
it. It falls until rho can interpolate. With decay, the equilibrium of least loss is where

    L*(rho) + lambda rho^2

is least, so that equilibria are the points at which the coastline has the slope -2 lambda rho.

**Equilibria over the decay.** With rho and the directions moving, rho rests at mu / (M + lambda).
`continuation` follows one equilibrium from decay to decay, each search starting where the last one
ended. By the envelope theorem dLoss/dlambda = rho^2 along such a branch, so that the loss falls
with lambda and rho rises. A jump in rho says that the branch ended and another was found.

Both find local minima by `dynamics.minimise`, to rounding for smooth networks, and report what
they could not: read ``outcome``. On networks with kinks they warn and are off by percents.
Nothing here knows time.

Source: [Dyn] (7), (8) and section 3.5; [M117] section 3 for the picture of the landscape; [M112]
6.1 for the directions under a prescribed rho. L* and its relation to the equilibria: ours.
"""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ..models.checks import is_traced, refusal
from ..models.polar import Polar
from ..models.problem import Problem, objective
from .minimise import Minimum, kind_of, limits, search
from .normalisation import Normalisation, Start
from .observables import moments
from .placement import Placement, over_members, placement
from .types import check_position


class LeastLoss(NamedTuple):
    """The least loss at each radius, over starts.

    Attributes:
        radii: ``[radii]``.
        loss: ``[radii]``, the mean loss without decay, the least over starts.
        position: Where it is attained, with the radii first.
        losses: ``[radii, starts]``, of each start's own local minimum.
        slopes: ``[radii, starts]``, norms of the projected gradient there.
        outcomes: ``[radii, starts]``, each a `dynamics.Outcome`.
    """

    radii: Float[Array, "radii"]
    loss: Float[Array, "radii"]
    position: Polar
    losses: Float[Array, "radii starts"]
    slopes: Float[Array, "radii starts"]
    outcomes: Int[Array, "radii starts"]


class Equilibria(NamedTuple):
    """Equilibria at each decay, in the order in which they were followed.

    Attributes:
        decays: lambda, ``[decays]``.
        rho: Radius at rest.
        mu: Mean margin of the normalised network.
        second_moment: M.
        loss: With decay; for the square loss S - rho mu, the gap to interpolation.
        position: The points, with the decays first.
        slope: Norm of the projected gradient.
        off: How far rho is from where it would rest if the directions stayed: for the square loss
            rho - mu / (M + lambda), for others a Newton step.
        outcome: A `dynamics.Outcome` each.
    """

    decays: Float[Array, "decays"]
    rho: Float[Array, "decays"]
    mu: Float[Array, "decays"]
    second_moment: Float[Array, "decays"]
    loss: Float[Array, "decays"]
    position: Polar
    slope: Float[Array, "decays"]
    off: Float[Array, "decays"]
    outcome: Int[Array, "decays"]


def least_loss(
    problem: Problem,
    starts: list[Start] | Polar,
    radii: ArrayLike,
    *,
    frozen: tuple[int, ...] = (),
    tolerance: ArrayLike | None = None,
    max_steps: int = 500,
) -> LeastLoss:
    """L*(rho): the least mean loss at each radius.

    Each start is taken to each radius and descends there by itself, so that neighbouring radii
    may end in different minima; more starts make the coastline truer.

    Args:
        problem: What is learned, with any loss; its decay is not used.
        starts: A list of points or weights, or a `Polar` with a leading axis; their radii are not
            used.
        radii: ``[radii]``, in any order.
        frozen: Layers that do not move.
        tolerance: See `dynamics.minimise`.
        max_steps: Likewise, for each start at each radius.

    Raises:
        ValueError: If radii are not finite numbers ``[radii]``, there are no starts, or one is none
            of the network's.
    """
    kind = kind_of(problem, "held", frozen)
    dtype = problem.inputs.dtype
    values = jnp.asarray(radii, dtype)
    if values.ndim != 1 or (not is_traced(values) and not np.all(np.isfinite(values))):
        raise refusal("finite radii [radii]", radii, "pass for example jnp.linspace(0.1, 10, 50)")
    alone = eqx.tree_at(lambda whole: whole.decay, problem, jnp.zeros((), dtype))
    ended = _at_radii(
        kind, placement(), alone, _stacked(kind, problem, starts), values,
        *limits(problem, tolerance, max_steps),
    )  # fmt: skip
    best = jnp.nanargmin(ended.loss, axis=1)
    rows = jnp.arange(values.size)
    position = jax.tree.map(lambda leaf: leaf[rows, best], ended.position)
    return LeastLoss(
        values, ended.loss[rows, best], position, ended.loss, ended.slope, ended.outcome
    )


def continuation(
    problem: Problem,
    start: Start,
    decays: ArrayLike,
    *,
    frozen: tuple[int, ...] = (),
    tolerance: ArrayLike | None = None,
    max_steps: int = 500,
) -> Equilibria:
    """Follows an equilibrium of rho and the directions over the decay.

    Args:
        problem: What is learned, with any loss; its own decay is not used.
        start: From which the first decay's equilibrium is sought.
        decays: ``[decays]``, increasing or decreasing; from large to small the first search is the
            easiest, ``jnp.logspace(-1, -6, 13)`` for example.
        frozen: Layers that do not move.
        tolerance: See `dynamics.minimise`.
        max_steps: Likewise, for each decay.

    Returns:
        The equilibria, one for each decay, in the order of ``decays``.

    Raises:
        ValueError: If decays are not ``[decays]``, negative, or neither increase nor decrease, or
            the start is none of the network's.
    """
    kind = kind_of(problem, "moving", frozen)
    values = jnp.asarray(decays, problem.inputs.dtype)
    _check_decays(values)
    cast = jax.tree.map(lambda leaf: jnp.asarray(leaf, problem.inputs.dtype), start)
    check_position(problem, cast)
    return _along(kind, problem, kind.prepare(cast), values, *limits(problem, tolerance, max_steps))


@functools.partial(jax.jit, static_argnames=("kind", "place"))
def _at_radii(
    kind: Normalisation,
    place: Placement,
    problem: Problem,
    starts: Polar,
    radii: Float[Array, "radii"],
    tolerance: Float[Array, ""],
    max_steps: Int[Array, ""],
) -> Minimum:
    """Every start's minimum at every radius, members one by one or together as in an ensemble."""
    over = over_members(place)

    def at(radius: Float[Array, ""]) -> Minimum:
        return over(
            lambda start: search(kind, problem, start._replace(rho=radius), tolerance, max_steps),
            starts,
        )

    return over(at, radii)


@functools.partial(jax.jit, static_argnames="kind")
def _along(
    kind: Normalisation,
    problem: Problem,
    start: Polar,
    decays: Float[Array, "decays"],
    tolerance: Float[Array, ""],
    max_steps: Int[Array, ""],
) -> Equilibria:
    def follow(position: Polar, decay: Float[Array, ""]) -> tuple[Polar, Equilibria]:
        here = eqx.tree_at(lambda whole: whole.decay, problem, decay)
        found = search(kind, here, position, tolerance, max_steps)
        return found.position, _seen(here, found)

    return jax.lax.scan(follow, start, decays)[1]


def _seen(problem: Problem, found: Minimum) -> Equilibria:
    def along_rho(rho: Float[Array, ""]) -> Float[Array, ""]:
        return objective(problem, found.position._replace(rho=rho))

    slope, bend = jax.grad(along_rho), jax.grad(jax.grad(along_rho))
    rho = found.position.rho
    return Equilibria(
        decays=problem.decay,
        rho=rho,
        mu=moments.mu(problem, found.position),
        second_moment=moments.second_moment(problem, found.position),
        loss=found.loss,
        position=found.position,
        slope=found.slope,
        off=slope(rho) / bend(rho),
        outcome=found.outcome,
    )


def _stacked(kind: Normalisation, problem: Problem, starts: list[Start] | Polar) -> Polar:
    """The starts' positions, with a leading axis."""
    if isinstance(starts, Polar) and np.ndim(starts.rho):
        for index in range(starts.rho.shape[0]):
            check_position(problem, jax.tree.map(lambda leaf, index=index: leaf[index], starts))
        together = starts
    elif isinstance(starts, list) and starts:
        for start in starts:
            check_position(problem, jax.tree.map(jnp.asarray, start))
        together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(kind.prepare, starts))
    else:
        raise refusal("a list of starts", f"one {type(starts).__name__}", "pass [start]")
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, problem.inputs.dtype), together)


def _check_decays(decays: Float[Array, "decays"]) -> None:
    if decays.ndim != 1 or not decays.size:
        raise refusal("decays [decays]", f"shape {decays.shape}", "pass jnp.logspace(-1, -6, 13)")
    if is_traced(decays):
        return
    steps = np.diff(np.asarray(decays))
    if not (np.all(steps > 0) or np.all(steps < 0)) or not np.all(np.asarray(decays) >= 0):
        raise refusal("decays >= 0 that increase or decrease", decays, "sort them")
