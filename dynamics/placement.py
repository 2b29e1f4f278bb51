"""Where the members of an ensemble run: on which devices, and how on each.

On a CPU ``vmap`` is the wrong way to run many networks, except tiny ones: a batched product of
matrices is slower than a plain one. Members are therefore *mapped*: one after another, each
compiled as if alone, on every device in parallel. (``jax.config.update("jax_num_cpu_devices", n)``
before anything runs makes devices of n cores; `experiments.use_every_core` and the command line do
so.) A mapped member takes
exactly the steps that it would take alone, and no member waits for another. On accelerators members
are vmapped, all at once or so many ``together``, again on every device.

Several processes (`jax.distributed`) share the members; each runs its own on its own devices, and
all of them get the whole at the end. No member talks to another, so nothing travels before.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, PartitionSpec
from jaxtyping import PyTree

from ..models.checks import counts, refusal, unknown
from .host import numbers_of, with_numbers

BATCHINGS = ("auto", "map", "vmap")


class Placement(NamedTuple):
    """How members run.

    Attributes:
        how: ``"map"`` or ``"vmap"``.
        devices: How many of this process's devices take a share.
        together: How many members are vmapped at a time on a device, None for all.
        processes: How many processes share the members.
    """

    how: str
    devices: int
    together: int | None
    processes: int

    def __str__(self) -> str:
        at_a_time = "" if self.together is None else f" of {self.together} at a time"
        processes = f" in each of {self.processes} processes" if self.processes > 1 else ""
        plural = "s" if self.devices > 1 else ""
        return f"{self.how}{at_a_time} on {self.devices} device{plural}{processes}"


def placement(batching: str = "auto", together: int | None = None) -> Placement:
    """Where members run: mapped on CPUs, vmapped on accelerators, unless it is said.

    Args:
        batching: ``"map"``, ``"vmap"`` or ``"auto"``.
        together: How many members to vmap at a time on each device; the fewer, the less memory.

    Raises:
        ValueError: If the batching is unknown, or ``together`` is no positive number or not wanted.
    """
    if batching not in BATCHINGS:
        raise unknown("batching", batching, BATCHINGS)
    automatic = "map" if jax.default_backend() == "cpu" else "vmap"
    how = automatic if batching == "auto" else batching
    if together is not None:
        if how == "map":
            raise refusal("batching='vmap' with together=", "members that are mapped", "drop it")
        together = counts((together,), "together")[0]
    return Placement(how, jax.local_device_count(), together, jax.process_count())


def over_members(place: Placement) -> Callable[[Callable[[Any], Any], Any], Any]:
    """``over(function, tree)`` on one device: the function of every member of a tree."""
    if place.how == "map":
        return jax.lax.map
    if place.together is None:
        return lambda function, tree: jax.vmap(function)(tree)
    return functools.partial(jax.lax.map, batch_size=place.together)


@functools.cache
def spread(function: Callable[[Any, Any, Any], Any], place: Placement) -> jax.stages.Wrapped:
    """The compiled program of a function for all members, each device taking its share.

    Args:
        function: ``function(shared, own, moving)``; the first is the same for all members, the
            others are one member's.
        place: Where.

    Returns:
        ``run(shared, own, moving)`` with the members' axis first in the last two, a multiple of
        ``unit``. The buffers of ``moving`` are given away.
    """

    def run(shared: PyTree, own: PyTree, moving: PyTree) -> Any:
        return over_members(place)(lambda member: function(shared, *member), (own, moving))

    if place.devices > 1:
        mesh = Mesh(np.array(jax.local_devices()), ("member",), axis_types=(AxisType.Auto,))
        same, split = PartitionSpec(), PartitionSpec("member")
        run = jax.shard_map(
            run, mesh=mesh, in_specs=(same, split, split), out_specs=split, check_vma=False
        )
    return jax.jit(run, donate_argnums=2)


def unit(place: Placement) -> int:
    """The number of members that a program takes is a multiple of this."""
    return place.devices * (place.together or 1)


class Fill(NamedTuple):
    """Copies of the last member, up to what a program takes.

    Attributes:
        members: How many there are.
        extra: How many copies.
    """

    members: int
    extra: int

    def up(self, tree: PyTree) -> PyTree:
        """The tree of all members with the copies at its end."""
        if self.extra == 0:
            return tree
        return jax.tree.map(
            lambda leaf: jnp.concatenate([leaf, jnp.repeat(leaf[-1:], self.extra, axis=0)]), tree
        )

    def off(self, tree: PyTree) -> PyTree:
        """The tree without them, once it is there on every device.

        What is done across devices begins on each as soon as it is done with its own share, and XLA
        ends the process where one has waited 40 seconds for the others.
        """
        ready = jax.block_until_ready(tree)
        if self.extra == 0:
            return ready
        return jax.tree.map(lambda leaf: leaf[: self.members], ready)


def share(place: Placement, members: int) -> np.ndarray:
    """The numbers of the members that this process runs; the last one again where there are none.

    All processes run equally many, so that their results can be laid side by side.
    """
    each = -(-members // place.processes)
    first = each * jax.process_index()
    return np.minimum(np.arange(first, first + each), members - 1)


def own_share(place: Placement, members: int, tree: PyTree) -> PyTree:
    """What belongs to the members that this process runs, of what belongs to all."""
    if place.processes == 1:
        return tree
    numbers = share(place, members)
    return jax.tree.map(lambda leaf: leaf[numbers], tree)


def gathered(place: Placement, members: int, tree: PyTree) -> PyTree:
    """What all processes have found, in the order of the members, on every one of them."""
    if place.processes == 1:
        return tree
    return jax.tree.map(lambda leaf: _gathered(leaf)[:members], tree)


def _gathered(leaf: Any) -> Any:
    return with_numbers(multihost_utils.process_allgather(numbers_of(leaf), tiled=True), leaf)
