"""The driver: moves any dynamics through times and looks at it there.

The times are cut into chunks of a fixed number of looks; one compiled program runs a chunk, the
last one padded, so that no number of times compiles anew. Between chunks the host may show
progress or find that all is over. A run that diverges, rests or spends its budget stops at once,
its later rows are NaN, and its status says why.

Under ``jax.jit`` the numbers are the same bit for bit where dynamics, start and key are arguments
of the compiled function; closed over, constant folding changes last bits.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Int, Key, PyTree

from ..models.checks import refusal
from ..models.network import Weights
from ..models.polar import Polar
from .checkpoint import Checkpoint
from .memory import bytes_of, require_room
from .observe import Observe, observe, or_nan
from .requests import check_times, expect_run, resume
from .stopping import Condition, Look
from .trajectory import Trajectory, raise_failure
from .types import Dynamics, State, Status, start

LOOKS_PER_CHUNK = 32

Progress = Callable[[Iterable[int]], Iterable[int]]
"""Wraps an iteration, as ``tqdm.auto.tqdm`` does."""


class Carry(NamedTuple):
    """What goes from look to look: the state, the stopping condition's memory, the row's number."""

    state: State
    memory: PyTree
    row: Int[Array, ""]


class Watch(NamedTuple):
    """What is looked at, and when to stop."""

    observe: Observe
    stop: Condition | None


def simulate(
    dynamics: Dynamics,
    start_from: Polar | Weights | State,
    *,
    times: ArrayLike,
    observe: Observe = observe("loss", "rho"),
    key: Key[Array, ""] | None = None,
    stop: Condition | None = None,
    throw: bool = False,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Trajectory:
    """Runs one dynamics from one start and looks at given times.

    Args:
        dynamics: A flow, a descent, any `Dynamics`.
        start_from: A position at time zero, or the ``final`` state of an earlier trajectory, from
            which the same dynamics goes on to the same numbers as if it had never stopped. To go
            on under other numbers (another decay), start anew, at time zero, from the ``position``
            of ``final`` where it is a `Polar` or a tuple of weights, else from weights,
            ``models.to_weights(dynamics.view(final.position), network)``: what a position holds
            beside its function (running statistics, an anchor, velocities) then begins anew too.
        times: Increasing times ``[T]`` of looking, in units of the running sum of learning
            rates. A discrete dynamics moves to the nearest whole step and says which time it
            reached; `times_at` gives the times of steps or epochs.
        observe: What to look at, made by `dynamics.observe`; ``observe(...).every(4)`` looks at
            every fourth of the times only.
        key: Drives whatever is random; not needed when going on from a state.
        stop: A condition from `dynamics.stopping`.
        throw: Whether to raise when the run diverges or spends its budget.
        progress: Wraps the iteration over chunks of looks: ``tqdm.auto.tqdm`` shows a bar.
        checkpoint: Keeps what has come, so that the same call goes on after a stop
            (`experiments.FolderCheckpoint`).

    Returns:
        The trajectory; its ``status`` says how the run ended.

    Raises:
        ValueError: If times are not increasing, cannot be reached, or lie before the state, or an
            argument is not what it should be.
        RuntimeError: With ``throw=True``, if the run ended in failure.

    >>> from rhoflow import dynamics, models
    >>> problem = models.Problem(models.mlp((2, 1)), [[0.6, 0.8], [-1.0, 0.0]], [1.0, -1.0], 0.1)
    >>> start = models.to_polar(([[0.0], [1.0]],), rho=0.5)
    >>> descent = dynamics.gradient_descent(problem, learning_rate=0.1)
    >>> simulate(descent, start, times=[0.0, 5.0, 10.0])
    Trajectory: 3 times from 0 to 10; finished
            first  last
      loss  0.705  0.1111
      rho   0.5    0.9938
      steps 100
    """
    watch = Watch(observe, stop)
    expect_run(dynamics, observe, stop, key)
    begin = start_from
    if isinstance(start_from, State):
        begin = resume(dynamics, start_from, members=False)
    carry = start_alone(dynamics, begin, key, watch)
    stops, reached = dynamics.stops(dynamics.parameters, check_times(times, carry.state))
    carry, rows = drive(
        lambda c, looks: _run_chunk(dynamics, c, looks, watch),
        carry, stops, progress=progress, checkpoint=checkpoint,
    )  # fmt: skip
    trajectory = Trajectory(reached, rows, carry.state, dynamics.statistics(carry.state))
    if throw:
        raise_failure(trajectory)
    return trajectory


def drive(
    run_chunk: Callable[[Carry, PyTree], tuple[Carry, PyTree]],
    carry: Carry,
    stops: PyTree,
    *,
    axis: int = 0,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[Carry, dict[str, PyTree]]:
    """Runs all chunks from the host.

    Args:
        run_chunk: ``run_chunk(carry, (stops, wanted)) -> (carry, rows)`` on one chunk.
        carry: Where to begin.
        stops: Leaves with the looks along ``axis``.
        axis: 0 for one member, 1 where members come first.
        progress: Wraps the chunks, see `dynamics.simulate`.
        checkpoint: Where an earlier call has come to, and where to keep what comes.

    Returns:
        The carry at the end and the rows of all looks, along ``axis``.

    Raises:
        ValueError: If there is no memory for the rows.
    """
    count = jax.tree.leaves(stops)[0].shape[axis]
    begun, pieces = 0, []
    _, like = jax.eval_shape(run_chunk, carry, chunk_of(stops, axis=axis))
    require_room(bytes_of(carry), bytes_of(like) * count // LOOKS_PER_CHUNK)
    if checkpoint is not None:
        kept = checkpoint.begin(carry, jax.eval_shape(lambda rows: _looks_first(rows, axis), like))
        if kept is not None:
            begun, carry = kept.looks, kept.carry
            pieces.append(jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, axis), kept.rows))
    chunks: Iterable[int] = range(begun, count, LOOKS_PER_CHUNK)
    try:
        for first in chunks if progress is None else progress(chunks):
            carry, rows = run_chunk(carry, chunk_of(stops, first, axis=axis))
            seen = min(LOOKS_PER_CHUNK, count - first)
            pieces.append(_first_looks(rows, seen, axis))
            if checkpoint is not None:
                checkpoint.keep(first + seen, carry, _looks_first(pieces[-1], axis))
    except BaseException:
        if checkpoint is not None:
            checkpoint.flush()
        raise
    return carry, jax.tree.map(lambda *parts: jnp.concatenate(parts, axis=axis), *pieces)


def _first_looks(rows: PyTree, count: int, axis: int) -> PyTree:
    """Without the rows of a last chunk that nobody has asked for."""
    if count == LOOKS_PER_CHUNK:
        return rows
    return jax.tree.map(lambda leaf: jax.lax.slice_in_dim(leaf, 0, count, axis=axis), rows)


def _looks_first(rows: PyTree, axis: int) -> PyTree:
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, axis, 0), rows)


def run_looks(
    dynamics: Dynamics, carry: Carry, looks: tuple[PyTree, Bool[Array, "looks"]], watch: Watch
) -> tuple[Carry, dict[str, PyTree]]:
    """The pure program of one chunk: a scan over its looks, stopping for good where it must."""
    return jax.lax.scan(lambda c, look: _look(dynamics, c, look, watch), carry, looks)


def first_carry(
    dynamics: Dynamics, begin: Polar | Weights | State, key: Key[Array, ""] | None, watch: Watch
) -> Carry:
    """The carry at a start, or at a state from which a run goes on."""
    state = begin if isinstance(begin, State) else start(dynamics, begin, key)
    row = jnp.zeros((), jnp.int32)
    if watch.stop is None:
        return Carry(state, (), row)
    always = set(watch.observe.functions) - set(dict(watch.observe.strides))
    missing = sorted(set(watch.stop.needs) - always)
    if missing:
        raise refusal(
            f"observations {', '.join(watch.stop.needs)} for the stopping condition, every time",
            f"{watch.observe}",
            f"add {', '.join(missing)} to observe(...)",
        )
    look = _shown_to_condition(dynamics, state, _observed(dynamics, state, watch, row))
    return Carry(state, watch.stop.remember(watch.stop.settings, look), row)


_run_chunk = jax.jit(run_looks)
start_alone = jax.jit(first_carry)


def _look(
    dynamics: Dynamics, carry: Carry, look: tuple[PyTree, Bool[Array, ""]], watch: Watch
) -> tuple[Carry, dict[str, PyTree]]:
    until, wanted = look
    state = jax.lax.cond(
        wanted & (carry.state.status == Status.FINISHED),
        lambda s: dynamics.advance(dynamics.parameters, s, until),
        lambda s: s,
        carry.state,
    )
    seen = wanted & (state.status == Status.FINISHED) & (carry.state.status == Status.FINISHED)
    row = or_nan(seen, lambda s: _observed(dynamics, s, watch, carry.row), state)
    if watch.stop is None:
        return Carry(state, carry.memory, carry.row + 1), row
    shown = _shown_to_condition(dynamics, state, row)
    memory, status = watch.stop.decide(watch.stop.settings, carry.memory, shown)
    status = jnp.where(seen, status, state.status).astype(state.status.dtype)
    return Carry(state._replace(status=status), memory, carry.row + 1), row


def _observed(
    dynamics: Dynamics, state: State, watch: Watch, row: Int[Array, ""]
) -> dict[str, PyTree]:
    return watch.observe(dynamics.problem, dynamics.view(state.position), row)


def _shown_to_condition(dynamics: Dynamics, state: State, row: dict[str, PyTree]) -> Look:
    return Look(dynamics.problem, state.time, dynamics.view(state.position), row)


def chunk_of(stops: PyTree, first: int = 0, *, axis: int) -> tuple[PyTree, Bool[np.ndarray, "..."]]:
    """One chunk's stops, the last repeated up to full length, and which of them are wanted."""
    count = jax.tree.leaves(stops)[0].shape[axis]
    index = np.minimum(np.arange(first, first + LOOKS_PER_CHUNK), count - 1)
    cut = jax.tree.map(lambda leaf: jnp.take(leaf, index, axis=axis), stops)
    wanted = np.arange(first, first + LOOKS_PER_CHUNK) < count
    members = jax.tree.leaves(stops)[0].shape[:axis]
    return cut, np.broadcast_to(wanted, (*members, LOOKS_PER_CHUNK))
