"""The same start under several dynamics, on one time axis, and how far they come apart.

Distances to the reference (the first dynamics) at each time:

- ``rho``: |rho - rho_ref|;
- ``outputs``: root mean square over samples of rho f_V(x_n) - rho_ref f_V,ref(x_n), the distance
  in function space;
- ``directions``: |V_k - V_k,ref| of each layer, at most 2.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, ArrayLike, Float, Key, PyTree

from ..models.checks import unknown
from ..models.display import Card, Shown, numbers, shape, told
from ..models.network import Weights
from ..models.polar import Polar
from ..models.problem import Problem, outputs
from ..models.views import View
from .checkpoint import Checkpoint
from .lockstep import together
from .observe import Observe, observe
from .simulate import Progress, simulate
from .trajectory import Trajectory
from .types import Dynamics, told_status


class Comparison(Shown, eqx.Module):
    """Several trajectories from one start on one time axis.

    Attributes:
        times: The times reached, ``[T]``.
        trajectories: By name, each with its observations, final state and statistics.
        distances: By name, ``rho`` ``[T]``, ``outputs`` ``[T]`` and ``directions``
            ``[T, layers]``: distances to the reference.
        reference: Whose distances are zero.
    """

    times: Float[Array, "times"] | Float[np.ndarray, "times"]
    trajectories: dict[str, Trajectory]
    distances: dict[str, dict[str, Float[Array, "times ..."]]]
    reference: str = eqx.field(static=True)

    def _card(self) -> Card:
        times = numbers(self.times)
        span = shape(self.times) if times is None else f"{times.shape[-1]} times to {times.max():g}"
        measures = list(self.distances[self.reference])
        rows = tuple(
            (name, *(told(_last(self.distances[name], measure)) for measure in measures),
             told_status(getattr(one.final, "status", None)))
            for name, one in self.trajectories.items()
        )  # fmt: skip
        title = f"Comparison: {span}, last distances to '{self.reference}'"
        return Card(title, rows, ("", *measures, "status"))

    def __getitem__(self, name: str) -> Trajectory:
        if name not in self.trajectories:
            raise unknown("member", name, self.trajectories)
        return self.trajectories[name]


def compare(
    members: dict[str, Dynamics],
    start_from: Polar | Weights,
    *,
    times: ArrayLike,
    observe: Observe = observe("loss", "rho"),
    key: Key[Array, ""] | None = None,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Comparison:
    """Runs several dynamics from one start in lockstep and measures distances between them.

    Args:
        members: Dynamics by name; the first is the reference.
        start_from: The common start.
        times: Increasing times ``[T]``; where members are discrete, the times nearest to these
            that their steps reach, which must be the same for all of them.
        observe: What to look at in each of them.
        key: Drives whatever is random, the same for all.
        progress: Wraps the chunks, see `dynamics.simulate`.
        checkpoint: Keeps what has come, see `dynamics.simulate`.

    Returns:
        The trajectories by name on their common times, and distances to the reference.

    Raises:
        ValueError: If the discrete members reach no common times.

    >>> from rhoflow import dynamics, models
    >>> problem = models.Problem(models.mlp((2, 1)), [[0.6, 0.8], [-1.0, 0.0]], [1.0, -1.0], 0.1)
    >>> start = models.to_polar(([[0.0], [1.0]],), rho=0.5)
    >>> rates = {"slow": 0.1, "fast": 0.5}
    >>> both = {name: dynamics.gradient_descent(problem, rate) for name, rate in rates.items()}
    >>> compare(both, start, times=[0.0, 1.0, 10.0]).distances["fast"]["rho"].shape
    (3,)
    """
    joint = together(members)
    reference = next(iter(members))
    look = joint_observe(reference, observe)
    whole = simulate(
        joint, start_from, times=times, observe=look, key=key, progress=progress,
        checkpoint=checkpoint,
    )  # fmt: skip
    return split(members, reference, whole)


def joint_observe(reference: str, look: Observe) -> Observe:
    """What to look at in a product: each member's observations, and distances to the reference."""
    return observe(
        members=Partial(_of_members, look), distances=Partial(_distances, _Name(reference))
    )


def split(members: dict[str, Dynamics], reference: str, whole: Trajectory) -> Comparison:
    """A product's trajectory, or an ensemble of them, as one trajectory per member."""
    trajectories = {
        name: Trajectory(
            whole.times,
            whole.observations["members"][name],
            whole.final.memory[name],
            member.statistics(whole.final.memory[name]),
            whole.placement,
        )
        for name, member in members.items()
    }
    return Comparison(whole.times, trajectories, whole.observations["distances"], reference)


def _last(distances: dict[str, Any], measure: str) -> Any:
    """The last row that holds numbers; the array itself where it cannot be looked at."""
    values = numbers(distances[measure])
    if values is None:
        return distances[measure]
    seen = np.flatnonzero(np.isfinite(values).reshape(len(values), -1).any(axis=1))
    return values[seen[-1] if seen.size else -1]


class _Name(eqx.Module):
    """A name as structure of a pytree, not a leaf."""

    text: str = eqx.field(static=True)


def _of_members(
    look: Observe, problems: dict[str, Problem], views: dict[str, View]
) -> dict[str, dict[str, PyTree]]:
    return {name: look(problems[name], view) for name, view in views.items()}


def _distances(
    reference: _Name, problems: dict[str, Problem], views: dict[str, View]
) -> dict[str, dict[str, Array]]:
    return {name: distance(problems[name], views[name], views[reference.text]) for name in views}


def distance(problem: Problem, view: View, other: View) -> dict[str, Any]:
    """How far apart two points are: in rho, in function space and in each direction."""
    apart = outputs(problem, view) - outputs(problem, other)
    moved = [
        jnp.sqrt(jnp.sum((a - b) ** 2))
        for a, b in zip(view.directions, other.directions, strict=True)
    ]
    return {
        "rho": jnp.abs(view.rho - other.rho),
        "outputs": jnp.sqrt(jnp.mean(jnp.sum(apart.reshape(apart.shape[0], -1) ** 2, axis=1))),
        "directions": jnp.stack(moved),
    }
