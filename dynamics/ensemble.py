"""Many starts, or many values of a parameter, or other data for each, in one compiled program.

`dynamics.placement` says where members run: one after another on every core, or vmapped on every
accelerator. ``batching=`` overrules it, and the trajectory says which it was. A member that is
mapped takes exactly the steps that it would take alone; whichever way, none disturbs another.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Key, PyTree

from ..models.checks import is_traced, refusal
from ..models.network import Weights
from ..models.polar import Polar
from .checkpoint import Checkpoint
from .host import is_key, numbers_of, with_numbers
from .memory import COPIES, Memory, bytes_of
from .observe import Observe, observe
from .placement import Fill, Placement, gathered, own_share, placement, share, spread, unit
from .ranges import DATA, check_data
from .requests import check_times, expect_run, resume
from .simulate import (
    LOOKS_PER_CHUNK,
    Carry,
    Progress,
    Watch,
    chunk_of,
    drive,
    run_looks,
    start_alone,
)
from .stopping import Condition
from .trajectory import Trajectory, raise_failure
from .types import Dynamics, State, Status, one_problem, replaced


def ensemble(
    dynamics: Dynamics,
    starts: Polar | Weights | State,
    *,
    times: ArrayLike,
    observe: Observe = observe("loss", "rho"),
    key: Key[Array, ""] | None = None,
    over: Mapping[str, ArrayLike] | None = None,
    stop: Condition | None = None,
    batching: str = "auto",
    together: int | None = None,
    throw: bool = False,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Trajectory:
    """Runs many members of one dynamics.

    Args:
        dynamics: Any dynamics.
        starts: Positions with a leading axis of members, a list of positions, one position for
            all (with ``over``), or the ``final`` states of an earlier ensemble, from which the same
            dynamics goes on, with the same ``over``.
        times: Increasing times ``[T]``, or ``[members, T]`` where members differ in them.
        observe: What to look at.
        key: Drives whatever is random; member i has ``fold_in(key, i)``.
        over: What differs besides the start: arrays ``[members]`` by parameter name, such as
            ``{"decay": decays, "learning_rate": rates}``; data too, as ``inputs`` and ``targets``
            with a leading axis of members (subsets of equal size, noisy labels).
        stop: A stopping condition; each member stops by itself.
        batching: ``"map"``, ``"vmap"`` or ``"auto"``, see `dynamics.placement`.
        together: How many members to vmap at a time on each device; the fewer, the less memory.
        throw: Whether to raise when a member fails.
        progress: Wraps the chunks, see `dynamics.simulate`.
        checkpoint: Keeps what has come, see `dynamics.simulate`.

    Returns:
        A trajectory whose arrays have the members first; ``status`` is a list.

    Raises:
        ValueError: If leading axes differ, a parameter is unknown, or times cannot be reached.
        RuntimeError: With ``throw=True``, if a member failed.

    >>> from rhoflow import dynamics, models
    >>> problem = models.Problem(models.mlp((2, 1)), [[0.6, 0.8], [-1.0, 0.0]], [1.0, -1.0], 0.1)
    >>> start = models.to_polar(([[0.0], [1.0]],), rho=0.5)
    >>> descent = dynamics.gradient_descent(problem, learning_rate=0.1)
    >>> many = ensemble(descent, start, times=[0.0, 100.0], over={"decay": [0.1, 0.2]})
    >>> [round(float(rho), 3) for rho in many["rho"][:, -1]]
    [0.994, 0.894]
    """
    expect_run(dynamics, observe, stop, key)
    starts = _stacked(starts)
    if isinstance(starts, State):
        starts = resume(dynamics, starts, members=True)
    values = {name: jnp.asarray(value) for name, value in (over or {}).items()}
    members = _count(dynamics, starts, values)
    place = placement(batching, together)
    varied = replaced(dynamics, **{name: values[name] for name in values if name not in DATA})
    asked = check_times(times, starts if isinstance(starts, State) else None)
    stops, reached = varied.stops(varied.parameters, asked)
    stops = jax.tree.map(lambda leaf: _for_each(leaf, members), stops)
    numbers = share(place, members)
    if _leading(dynamics, starts) is not None:
        starts = own_share(place, members, starts)
    values, stops = own_share(place, members, (values, stops))
    watch = Watch(observe, stop)
    carry = _first_carries(dynamics, starts, values, numbers, key, watch, place)
    run = spread(_chunk_of_member, place)
    fill = Fill(len(numbers), -len(numbers) % unit(place))
    values = fill.up(values)

    def run_chunk(carry: Carry, looks: PyTree) -> tuple[Carry, PyTree]:
        own = (values, fill.up(looks))
        return fill.off(run((dynamics, watch), own, _filled(fill, carry)))

    carry, rows = drive(run_chunk, carry, stops, axis=1, progress=progress, checkpoint=checkpoint)
    rows, state = gathered(place, members, (rows, carry.state))
    reached = np.broadcast_to(reached, (members, np.shape(reached)[-1]))
    statistics = jax.vmap(dynamics.statistics)(state)
    trajectory = Trajectory(reached, rows, state, statistics, str(place))
    if throw:
        raise_failure(trajectory)
    return trajectory


def memory(
    dynamics: Dynamics,
    starts: Polar | Weights | State,
    *,
    times: ArrayLike,
    observe: Observe = observe("loss", "rho"),
    over: Mapping[str, ArrayLike] | None = None,
    stop: Condition | None = None,
    batching: str = "auto",
    together: int | None = None,
) -> Memory:
    """The memory that `ensemble` would take, in bytes; it compiles, but does not run.

    Arguments are those of `ensemble`. ``work`` is what the compiler says, zero where it says
    nothing.

    Raises:
        ValueError: As `ensemble`.
    """
    expect_run(dynamics, observe, stop)
    starts = _stacked(starts)
    values = {name: jnp.asarray(value) for name, value in (over or {}).items()}
    members = _count(dynamics, starts, values)
    place, watch = placement(batching, together), Watch(observe, stop)
    filled = members + -members % unit(place)
    own = {name: value[0] for name, value in values.items()}
    one = starts if _leading(dynamics, starts) is None else jax.tree.map(lambda x: x[0], starts)
    moves = replaced(dynamics, **own)
    carry = jax.eval_shape(start_alone, moves, one, jax.random.key(0), watch)
    asked = np.atleast_2d(check_times(times))[0]
    stops, _ = moves.stops(moves.parameters, asked)
    parts = (own, chunk_of(stops, axis=0), carry)
    own, chunk, carry = (_many(tree, filled) for tree in parts)
    program = spread(_chunk_of_member, place)
    given = ((dynamics, watch), (own, chunk), carry)
    _, rows = jax.eval_shape(program, *given)
    analysis = program.lower(*given).compile().memory_analysis()
    work = 0 if analysis is None else analysis.temp_size_in_bytes
    recorded = bytes_of(rows) * len(asked) // LOOKS_PER_CHUNK
    return Memory(COPIES * bytes_of(carry), COPIES * recorded, work * place.devices)


def _many(tree: PyTree, members: int) -> PyTree:
    """Shapes of many members from one."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((members, *leaf.shape), leaf.dtype), tree)


def _chunk_of_member(
    shared: tuple[Dynamics, Watch], own: tuple[PyTree, PyTree], carry: Carry
) -> tuple[Carry, PyTree]:
    """One member's chunk: the dynamics with its own numbers, at its own looks."""
    dynamics, watch = shared
    values, looks = own
    return run_looks(replaced(dynamics, **values), carry, looks, watch)


def _for_each(leaf: Any, members: int) -> Any:
    """Looks that all members share, ``[T]``, as each member's own ``[members, T]``."""
    return jnp.broadcast_to(leaf, (members, leaf.shape[-1]))


def _filled(fill: Fill, carry: Carry) -> Carry:
    """Carries up to what the program takes; those that fill it up never move."""
    carry = fill.up(carry)
    idle = carry.state.status.at[fill.members :].set(Status.CONDITION_MET)
    return carry._replace(state=carry.state._replace(status=idle)) if fill.extra else carry


def _first_carries(
    dynamics: Dynamics,
    starts: Polar | Weights | State,
    values: dict[str, Array],
    numbers: np.ndarray,
    key: Key[Array, ""] | None,
    watch: Watch,
    place: Placement,
) -> Carry:
    """Every member's carry; mapped members begin one by one, by the program that runs one alone."""
    keys = None
    if not isinstance(starts, State):
        if _leading(dynamics, starts) is None:
            starts = jax.tree.map(
                lambda leaf: jnp.broadcast_to(leaf, (len(numbers), *leaf.shape)), starts
            )
        if key is not None:
            keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.asarray(numbers))

    def one(member: tuple[PyTree, PyTree, PyTree]) -> Carry:
        own, begin, its_key = member
        return start_alone(replaced(dynamics, **own), begin, its_key, watch)

    members = (values, starts, keys)
    if place.how == "vmap":
        # Copied, since the first chunk gives its buffers away and these may be the caller's.
        return jax.tree.map(jnp.copy, jax.vmap(one)(members))
    numbers_of_members = range(len(numbers))
    if is_traced(members):
        each = [one(jax.tree.map(lambda leaf, i=i: leaf[i], members)) for i in numbers_of_members]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
    # On the host, where slicing and stacking cost next to nothing.
    rows = jax.tree.map(numbers_of, members)
    each = [
        one(jax.tree.map(lambda row, leaf, i=i: _row(row, leaf, i), rows, members))
        for i in numbers_of_members
    ]
    return jax.tree.map(
        lambda *leaves: with_numbers(np.stack([numbers_of(leaf) for leaf in leaves]), leaves[0]),
        *each,
    )


def _row(rows: np.ndarray, leaf: Array, member: int) -> Any:
    """One member's part of what is on the host; a key is a key again."""
    return with_numbers(rows[member], leaf) if is_key(leaf) else np.asarray(rows[member])


def _stacked(starts: Any) -> Polar | Weights | State:
    """A list of starts as one, with a leading axis of members."""
    if isinstance(starts, list) and starts and isinstance(starts[0], tuple):
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    if not isinstance(starts, tuple):
        raise refusal("starts", f"a {type(starts).__name__}", "pass a list of models.Polar")
    return starts


def _leading(dynamics: Dynamics, starts: Polar | Weights | State) -> int | None:
    """How many starts there are, None for a single one."""
    if isinstance(starts, State | Polar):
        shape = (starts.status if isinstance(starts, State) else starts.rho).shape
        return shape[0] if shape else None
    single = jax.eval_shape(one_problem(dynamics).network.init, jax.random.key(0))
    return starts[0].shape[0] if starts[0].ndim > single[0].ndim else None


def _count(dynamics: Dynamics, starts: Polar | Weights | State, values: dict[str, Array]) -> int:
    """How many members there are, by all leading axes alike."""
    lead = _leading(dynamics, starts)
    counts = {} if lead is None else {"starts": lead}
    for name, value in values.items():
        if value.ndim != 1 and name not in DATA:
            raise refusal(f"one {name} per member [members]", f"shape {value.shape}", "pass a list")
        if name in DATA:
            check_data(one_problem(dynamics), name, value, members=True)
        counts[name] = value.shape[0]
    if len(set(counts.values())) != 1:
        raise refusal(
            "one number of members",
            counts or "a single start and nothing in over=",
            "give starts and all of over= the same leading axis",
        )
    return next(iter(counts.values()))
