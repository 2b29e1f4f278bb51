"""Many starts, or many values of a parameter, in one compiled program.

On a CPU ``vmap`` is the wrong way to run many networks, except tiny ones: a batched product of
matrices is slower than a plain one. Members are therefore *mapped*: one after another, each
compiled as if alone, on every device in parallel. (``jax.config.update("jax_num_cpu_devices", n)``
before anything runs makes devices of n cores; the command line does so.) On accelerators members
are vmapped. `placement` decides, ``batching=`` overrules it, and the trajectory says which it was.

A mapped member takes exactly the steps that it would take alone, and no member waits for another.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, PartitionSpec
from jaxtyping import Array, ArrayLike, Key, PyTree

from ..models.checks import expect, refusal, unknown
from ..models.network import Weights
from ..models.polar import Polar
from .observe import Observe, observe
from .simulate import (
    Carry,
    Progress,
    Watch,
    check_times,
    drive,
    expect_watch,
    raise_failure,
    resume,
    run_looks,
    start_alone,
)
from .stopping import Condition
from .trajectory import Trajectory
from .types import Dynamics, State, Status, one_problem, replace

BATCHINGS = ("auto", "map", "vmap")


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
    throw: bool = False,
    progress: Progress | None = None,
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
            ``{"decay": decays, "learning_rate": rates}``.
        stop: A stopping condition; each member stops by itself.
        batching: ``"map"``, ``"vmap"`` or ``"auto"``, see `placement`.
        throw: Whether to raise when a member fails.
        progress: Wraps the chunks, see `dynamics.simulate`.

    Returns:
        A trajectory whose arrays have the members first; ``status`` is a list.

    Raises:
        ValueError: If leading axes differ, a parameter is unknown, or times cannot be reached.
        RuntimeError: With ``throw=True``, if a member failed.
    """
    expect(dynamics, Dynamics, "a dynamics", "pass for example dynamics.gradient_flow(problem)")
    expect_watch(observe, stop)
    starts = _stacked(starts)
    if isinstance(starts, State):
        starts = resume(dynamics, starts, members=True)
    values = {name: jnp.asarray(value) for name, value in (over or {}).items()}
    members = _count(dynamics, starts, values)
    how = placement(batching)
    watch = Watch(observe, stop)
    varied = replace(dynamics, **values)
    carry = _first_carries(dynamics, starts, values, members, key, watch, how)
    stops, reached = varied.stops(varied.parameters, check_times(times, carry.state))
    stops = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (members, leaf.shape[-1])), stops)
    extra = -members % _devices(how)
    carry, values, stops = _padded(carry, values, stops, extra)
    run = functools.partial(_program(how), dynamics, values, watch)
    carry, rows = drive(run, carry, stops, axis=1, progress=progress)
    state, rows = jax.tree.map(lambda leaf: leaf[:members], (carry.state, rows))
    reached = np.broadcast_to(reached, (members, np.shape(reached)[-1]))
    told = f"{how} on {_devices(how)} device{'s' if _devices(how) > 1 else ''}"
    trajectory = Trajectory(reached, rows, state, jax.vmap(dynamics.statistics)(state), told)
    if throw:
        raise_failure(trajectory)
    return trajectory


def placement(batching: str = "auto") -> str:
    """How members run: "map" on CPUs and "vmap" on accelerators, unless it is said.

    Raises:
        ValueError: If the batching is unknown.
    """
    if batching not in BATCHINGS:
        raise unknown("batching", batching, BATCHINGS)
    if batching != "auto":
        return batching
    return "map" if jax.default_backend() == "cpu" else "vmap"


def _devices(how: str) -> int:
    """Mapped members use every device; vmapped ones the first."""
    return jax.device_count() if how == "map" else 1


_OverMembers = Callable[[Callable[[Any], Any], Any], Any]


def _over_members(how: str) -> _OverMembers:
    return jax.lax.map if how == "map" else lambda function, tree: jax.vmap(function)(tree)


@functools.cache
def _program(how: str) -> Callable[..., tuple[Carry, PyTree]]:
    """The compiled program of one chunk for all members, each device taking its share."""

    def run(dynamics: Dynamics, values: PyTree, watch: Watch, carry: Carry, looks: PyTree) -> Any:
        def one(member: tuple[PyTree, Carry, PyTree]) -> tuple[Carry, PyTree]:
            own, state, own_looks = member
            return run_looks(replace(dynamics, **own), state, own_looks, watch)

        return _over_members(how)(one, (values, carry, looks))

    if _devices(how) == 1:
        return jax.jit(run)
    mesh = Mesh(np.array(jax.devices()), ("member",), axis_types=(AxisType.Auto,))
    same, split = PartitionSpec(), PartitionSpec("member")
    specs = (same, split, same, split, split)
    return jax.jit(jax.shard_map(run, mesh=mesh, in_specs=specs, out_specs=split, check_vma=False))


def _first_carries(
    dynamics: Dynamics,
    starts: Polar | Weights | State,
    values: dict[str, Array],
    members: int,
    key: Key[Array, ""] | None,
    watch: Watch,
    how: str,
) -> Carry:
    if isinstance(starts, State):
        return _carry_all(dynamics, starts, values, None, watch, how)
    if _leading(dynamics, starts) is None:
        starts = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (members, *leaf.shape)), starts)
    keys = None if key is None else jax.vmap(lambda i: jax.random.fold_in(key, i))(
        jnp.arange(members)
    )  # fmt: skip
    return _carry_all(dynamics, starts, values, keys, watch, how)


def _carry_all(
    dynamics: Dynamics, starts: PyTree, values: PyTree, keys: PyTree, watch: Watch, how: str
) -> Carry:
    """Every member's carry; mapped members begin one by one, by the program that runs one alone."""

    def one(member: tuple[PyTree, PyTree, PyTree]) -> Carry:
        own, begin, key = member
        return start_alone(replace(dynamics, **own), begin, key, watch)

    members = (values, starts, keys)
    if how == "vmap":
        return jax.vmap(one)(members)
    count = jax.tree.leaves(starts)[0].shape[0]
    carries = [one(jax.tree.map(lambda leaf, i=i: leaf[i], members)) for i in range(count)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *carries)


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
        if value.ndim != 1:
            raise refusal(f"one {name} per member [members]", f"shape {value.shape}", "pass a list")
        counts[name] = value.shape[0]
    if len(set(counts.values())) != 1:
        raise refusal(
            "one number of members",
            counts or "a single start and nothing in over=",
            "give starts and all of over= the same leading axis",
        )
    return next(iter(counts.values()))


def _padded(
    carry: Carry, values: PyTree, stops: PyTree, extra: int
) -> tuple[Carry, PyTree, PyTree]:
    """Idle members up to a multiple of the devices: copies of the last that never move."""
    if extra == 0:
        return carry, values, stops
    carry, values, stops = jax.tree.map(
        lambda leaf: jnp.concatenate([leaf, jnp.repeat(leaf[-1:], extra, axis=0)]),
        (carry, values, stops),
    )
    idle = carry.state.status.at[-extra:].set(Status.CONDITION_MET)
    return carry._replace(state=carry.state._replace(status=idle)), values, stops
