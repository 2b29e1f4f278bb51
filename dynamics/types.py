"""What a dynamics is: a value that says how a position moves, and the state that it carries.

Gradient flow and stochastic gradient descent are two *values* of one type, `Dynamics`; one driver
(`dynamics.simulate`) runs them all, and `dynamics.compare` lays them on one time axis.

**Units of time.** Time is the running sum of the learning rates (with heavy ball, of
learning_rate / (1 - momentum)), in the mean normalisation of the loss (`models.problem`): flow and
descent share it. A discrete dynamics moves in whole steps; what it carries is the integer count.

**When we look never changes what happens.** ``advance`` may step past ``until`` and remember it;
randomness is derived from the count of steps and epochs, never from the times of looking.
"""

import enum
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Key, PyTree

from ..models.checks import refusal, single, unknown
from ..models.display import Card, Shown, html, numbers, text, told
from ..models.polar import Polar
from ..models.problem import Problem
from .ranges import DATA, check_data, in_range


class Status(enum.IntEnum):
    """Why a run stands where it stands, one number per member; ``.sentence`` names the cure."""

    FINISHED = 0
    CONDITION_MET = 1
    AT_REST = 2
    DIVERGED = 3
    BUDGET_SPENT = 4
    BATCHES_USED_UP = 5

    @property
    def sentence(self) -> str:
        """What happened, and what to do about it."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.FINISHED: "every time asked for was reached",
    Status.CONDITION_MET: "stopped by its condition",
    Status.AT_REST: "came to rest",
    Status.DIVERGED: (
        "diverged: lower the learning rate (descent); for a flow look at the start, "
        "lower the floor or use double precision"
    ),
    Status.BUDGET_SPENT: "spent its budget of steps: raise max_steps or shorten the times",
    Status.BATCHES_USED_UP: "used up the batches that were given: give more, or stop earlier",
}


def told_status(codes: Any) -> str:
    """Statuses as words: one as its name, several with how many there are of each."""
    found = numbers(codes)
    if found is None:
        return "status unknown here"
    kinds, counts = np.unique(found.astype(int), return_counts=True)
    names = [Status(kind).name.lower().replace("_", " ") for kind in kinds]
    if found.ndim == 0:
        return names[0]
    return ", ".join(f"{count} {name}" for count, name in zip(counts, names, strict=True))


FAILURES = (Status.DIVERGED, Status.BUDGET_SPENT, Status.BATCHES_USED_UP)
"""How a run can end without reaching what was asked."""


class State(NamedTuple):
    """Where a run is, and all that it needs to go on.

    Attributes:
        time: The time of `position`, a scalar. Where a run ended early: of a flow, the solver's
            own time, up to which it has come; of a descent, the last time of looking that it
            reached, while its position is that of the last step.
        position: What moves; each dynamics has its own kind (`Polar` on the spheres).
        memory: What else the dynamics carries: optimiser state, key, the step under way.
        status: A `Status`, a scalar integer.
    """

    time: Float[Array, ""]
    position: PyTree
    memory: PyTree
    status: Int[Array, ""]

    def __repr__(self) -> str:
        return text(self._card()._replace(rows=()))

    def _repr_html_(self) -> str:
        return html(self._card())

    def _card(self) -> Card:
        time, status = told(self.time), told_status(self.status)
        rows = (
            ("time", time),
            ("position", str(self.position)),
            ("memory", type(self.memory).__name__),
            ("status", status),
        )
        return Card(f"State(time {time}, {self.position}, {status})", rows)


class Dynamics(Shown, eqx.Module):
    """How a position moves, as pure functions and their parameters.

    A pytree: the parameters (the problem, rates, tolerances) are its leaves, the functions are
    static. Two dynamics built alike with other numbers share all compiled code.

    Attributes:
        name: How the dynamics is called in tables and pictures.
        parameters: A pytree with an attribute ``problem``.
        init: ``init(parameters, position, key) -> State`` at time zero.
        advance: ``advance(parameters, state, until) -> State``; called again, it goes on.
            ``until`` is one entry of what ``stops`` makes of times.
        view: ``view(position)``, what observables see: a `models.View`, mostly a `Polar`.
        step: ``step(parameters, state) -> State``, one step of its own, None where it has none;
            what `dynamics.endpoint` repeats.
        stops: ``stops(parameters, times[..., T]) -> (stops, times reached)``, before compilation.
        statistics: ``statistics(state) -> dict`` of counts.
        carries: The type of its states' memory.
    """

    parameters: PyTree
    name: str = eqx.field(static=True)
    init: Callable[[PyTree, PyTree, Key[Array, ""] | None], State] = eqx.field(static=True)
    advance: Callable[[PyTree, State, PyTree], State] = eqx.field(static=True)
    view: Callable[[PyTree], Any] = eqx.field(static=True)
    step: Callable[[PyTree, State], State] | None = eqx.field(static=True)
    stops: Callable[[PyTree, Any], tuple[PyTree, Any]] = eqx.field(static=True)
    statistics: Callable[[State], dict[str, Any]] = eqx.field(static=True)
    carries: type = eqx.field(static=True)

    @property
    def problem(self) -> Problem:
        """The problem whose network moves."""
        return self.parameters.problem

    def _card(self) -> Card:
        own = {name: at[0] for name, at in _paths(self).items() if name not in ("decay", *DATA)}
        rows = tuple((name, told(_follow(self, path))) for name, path in own.items())
        return Card(f"Dynamics({self.name} of {one_problem(self)})", rows)


def replace(dynamics: Dynamics, **values: ArrayLike) -> Dynamics:
    """The same dynamics with other numbers, sharing its compiled code.

    Args:
        dynamics: Any dynamics.
        **values: New values by name: ``decay``, ``inputs`` or ``targets`` (of its problem, of the
            same shape as the old), ``learning_rate``, ``momentum`` or whatever its parameters hold.

    Raises:
        ValueError: If there is no such parameter or it does not stand alone (the rate of a
            diffusion, which its noise knows), a number is no single one or out of the range that
            its constructor asks for, or data are of another shape, not finite or in no encoding
            that the loss takes.
    """
    for name, value in values.items():
        for *owner, _ in _places(dynamics, name):
            if name in DATA:
                check_data(_follow(dynamics, owner), name, jnp.asarray(value))
            else:
                single(name, value)
    return replaced(dynamics, **values)


def replaced(dynamics: Dynamics, **values: ArrayLike) -> Dynamics:
    """As `replace`, where numbers may be many members', and data are known to be right.

    Raises:
        ValueError: If there is no such parameter, it does not stand alone, or a number is out of
            range.
    """
    for name, value in values.items():
        for path in _places(dynamics, name):
            in_range(name, value)
            new = jnp.asarray(value, _follow(dynamics, path).dtype)
            dynamics = eqx.tree_at(functools.partial(_follow, path=path), dynamics, new)
    return dynamics


def start(dynamics: Dynamics, position: PyTree, key: Key[Array, ""] | None = None) -> State:
    """The state of a dynamics at time zero, its numbers cast to the problem's precision.

    Args:
        dynamics: Any dynamics.
        position: Where it starts, a `Polar` or weights.
        key: Drives whatever is random.

    Raises:
        ValueError: If the position does not fit the network, or a key is missing.
    """
    problem = one_problem(dynamics)
    cast = jax.tree.map(lambda leaf: jnp.asarray(leaf, problem.inputs.dtype), position)
    check_position(problem, cast)
    return dynamics.init(dynamics.parameters, cast, key)


def one_problem(dynamics: Dynamics) -> Problem:
    """The dynamics' problem; of a product, the first member's: all start from one position."""
    return jax.tree.leaves(dynamics.problem, is_leaf=lambda leaf: isinstance(leaf, Problem))[0]


def check_position(problem: Problem, position: PyTree) -> None:
    """Refuses what is no start of the problem's network.

    Args:
        problem: Whose network.
        position: A `Polar`, or a tuple of weights.

    Raises:
        ValueError: If it is of another kind or shape.
    """
    if not isinstance(position, Polar) and type(position) is not tuple:
        raise refusal(
            "a start in polar coordinates, or weights",
            type(position).__name__,
            "make one with models.to_polar(network.init(key), rho=1.0)",
        )
    layers = position.directions if isinstance(position, Polar) else position
    radius = position.rho.shape if isinstance(position, Polar) else ()
    wanted = jax.eval_shape(problem.network.init, jax.random.key(0))
    shapes, found = [layer.shape for layer in wanted], [layer.shape for layer in layers]
    if shapes != found or radius:
        raise refusal(
            f"one start of {problem.network.name} with layers {shapes}",
            f"rho {radius} and layers {found}",
            "draw it from the same network (many starts go to dynamics.ensemble)",
        )


_Path = tuple[str, ...]


def _places(dynamics: Dynamics, name: str) -> list[_Path]:
    """Where a number lives that may be replaced."""
    if name in _tied(dynamics.parameters):
        raise refusal(
            f"parameters that stand alone in {dynamics.name}", name, "build it anew with it"
        )
    paths = _paths(dynamics)
    if name not in paths:
        raise unknown("parameter", name, paths)
    return paths[name]


def _paths(dynamics: Dynamics) -> dict[str, list[_Path]]:
    """Where the numbers live, as attribute and item names; in several places in a product."""
    paths: dict[str, list[_Path]] = {}
    for field, value in vars(dynamics.parameters).items():
        if isinstance(value, Problem):
            found: dict[str, list[_Path]] = {name: [(field, name)] for name in ("decay", *DATA)}
        elif isinstance(value, jax.Array | np.ndarray):
            found = {field: [(field,)]}
        elif isinstance(value, dict):
            found = _paths_of_items(field, value)
        else:
            found = {}
        for name, places in found.items():
            paths.setdefault(name, []).extend(("parameters", *place) for place in places)
    return paths


def _paths_of_items(field: str, items: dict[str, Any]) -> dict[str, list[_Path]]:
    found: dict[str, list[_Path]] = {}
    for item, value in items.items():
        if isinstance(value, Dynamics):
            for name, places in _paths(value).items():
                found.setdefault(name, []).extend((field, item, *place) for place in places)
        else:
            found[item] = [(field, item)]
    return found


def _follow(tree: PyTree, path: Sequence[str]) -> Any:
    for name in path:
        tree = tree[name] if isinstance(tree, dict) else getattr(tree, name)
    return tree


def _tied(parameters: Any) -> set[str]:
    """Names of numbers that others were computed from, also of a product's members."""
    members: dict[str, Dynamics] = getattr(parameters, "members", {})
    own = set(getattr(parameters, "tied", ()))
    return own.union(*(_tied(member.parameters) for member in members.values()))
