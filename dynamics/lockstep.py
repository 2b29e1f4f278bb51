"""Several dynamics as one: a state of states, moved together and viewed together.

The product of dynamics is a dynamics again, so that one driver runs it, one ensemble maps it, and
observables that look at all of its members at once (distances between them) need no stored
weights. A member that fails stops alone; the others go on.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree

from ..models.checks import refusal
from ..models.problem import Problem
from .types import Dynamics, State, Status

SAME_TIME = 1e-6


class LockstepParameters(eqx.Module):
    """The members by name; their order is that of their names."""

    members: dict[str, Dynamics]

    @property
    def problem(self) -> dict[str, Problem]:
        """The members' problems by name."""
        return {name: member.problem for name, member in self.members.items()}


def together(members: dict[str, Dynamics]) -> Dynamics:
    """The product of several dynamics, all started from one position.

    Its view and its problem are dicts by the members' names.

    Args:
        members: At least one dynamics, by name.

    Raises:
        ValueError: If there is none, or their networks or inputs differ.
    """
    if not members:
        raise refusal("at least one dynamics", members, "pass {'flow': flow, 'sgd': sgd}")
    (first, one), *others = members.items()
    for name, other in others:
        same = other.problem.network is one.problem.network
        if not same or other.problem.inputs.shape != one.problem.inputs.shape:
            raise refusal(
                f"one network and one set of inputs for '{first}' and '{name}'",
                f"{one.problem} and {other.problem}",
                "build both dynamics on the same network and data",
            )
    return Dynamics(
        parameters=LockstepParameters(dict(members)),
        name=" and ".join(members),
        init=_init,
        advance=_advance,
        view=_same,
        step=None,
        stops=_stops,
        statistics=_statistics,
        carries=dict,
    )


def _init(parameters: LockstepParameters, position: PyTree, key: Key[Array, ""] | None) -> State:
    states = {
        name: member.init(member.parameters, position, key)
        for name, member in parameters.members.items()
    }
    return _joined(parameters, states)


def _advance(parameters: LockstepParameters, state: State, until: dict[str, PyTree]) -> State:
    states = {}
    for name, member in parameters.members.items():
        states[name] = jax.lax.cond(
            state.memory[name].status == Status.FINISHED,
            lambda s, member=member, name=name: member.advance(member.parameters, s, until[name]),
            lambda s: s,
            state.memory[name],
        )
    return _joined(parameters, states)


def _joined(parameters: LockstepParameters, states: dict[str, State]) -> State:
    """Views by name as the position; finished while one member is. A failed one shows NaN."""
    views = {
        name: _or_nan(states[name], member.view(states[name].position))
        for name, member in parameters.members.items()
    }
    statuses = jnp.stack([state.status for state in states.values()])
    time = jnp.max(jnp.stack([state.time for state in states.values()]))
    return State(time, views, states, jnp.min(statuses))


def _or_nan(state: State, view: PyTree) -> PyTree:
    going = state.status == Status.FINISHED
    return jax.tree.map(lambda leaf: jnp.where(going, leaf, jnp.nan), view)


def _same(position: PyTree) -> PyTree:
    return position


def _stops(parameters: LockstepParameters, times: Any) -> tuple[dict[str, PyTree], Any]:
    """Discrete members say which times they reach; flows stop there."""
    reached = times
    for member in parameters.members.values():
        _, reached = member.stops(member.parameters, reached)
    stops = {}
    for name, member in parameters.members.items():
        stops[name], own = member.stops(member.parameters, reached)
        _check_same(name, own, reached)
    return stops, reached


def _check_same(name: str, own: Any, reached: Any) -> None:
    if isinstance(own, np.ndarray) and not np.allclose(own, reached, rtol=SAME_TIME, atol=0):
        where = np.argmax(np.abs(own - reached))
        raise refusal(
            "times that are whole steps of all dynamics",
            f"{reached.flat[where]:g}, which '{name}' only comes near to at {own.flat[where]:g}",
            "choose multiples of every step, for example with dynamics.times_at",
        )


def _statistics(state: State) -> dict[str, Any]:
    return {name: {"status": member.status} for name, member in state.memory.items()}
