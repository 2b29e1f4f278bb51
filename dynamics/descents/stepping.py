"""The loop of a descent: whole steps, the epoch's order drawn once, nothing that looking changes.

A run is an integer count of steps. The compiled loop over steps runs within a loop over epochs that
draws each epoch's order; all randomness comes from the key and the counts
(`dynamics.descents.drawing`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from ...models.checks import refusal
from ...models.problem import Problem, take
from ..normalisation import Normalisation, gradient
from ..types import State, Status
from . import drawing
from .batches import Batches
from .clock import Schedule, Stop
from .constrained import constrained
from .drawing import Batch


class DescentParameters(eqx.Module):
    """A descent: its problem, optimiser and batches.

    Attributes:
        problem: The problem whose network moves.
        learning_rate: A scalar; under a schedule, the factor in front of it.
        label_noise: Standard deviation of what is added to targets at every step, or None.
        hyperparameters: The optimiser's other numbers, by name.
        batches: Which samples each step sees.
        optimiser: ``optimiser(learning_rate, **hyperparameters)`` makes an optax transformation.
        normalisation: Which coordinates move.
        schedule: Rate of each step, or None.
        warm: Whether the momentum buffer starts on its slow manifold.
    """

    problem: Problem
    learning_rate: Float[Array, ""]
    label_noise: Float[Array, ""] | None
    hyperparameters: dict[str, Array]
    batches: Batches
    optimiser: Callable[..., optax.GradientTransformation] = eqx.field(static=True)
    normalisation: Normalisation = eqx.field(static=True)
    schedule: Schedule | None = eqx.field(static=True)
    warm: bool = eqx.field(static=True)

    @property
    def tied(self) -> tuple[str, ...]:
        """Names of numbers that the batches were made for, which do not change alone."""
        return self.batches.tied


class DescentMemory(NamedTuple):
    """What a descent carries: the count, the optimiser's state, the key and the epoch's order."""

    step: Int[Array, ""]
    optimiser: PyTree
    key: Key[Array, ""]
    order: PyTree


def init(parameters: DescentParameters, position: PyTree, key: Key[Array, ""] | None) -> State:
    """The state of a descent before its first step."""
    if key is None and (parameters.batches.random or parameters.label_noise is not None):
        raise refusal("a key, since something is drawn", None, "pass key=jax.random.key(0)")
    key = jax.random.key(0) if key is None else key
    normalisation = parameters.normalisation
    position = normalisation.retract(normalisation.prepare(position))
    batches = parameters.batches
    order = jax.eval_shape(batches.order, batches.data, key)
    memory = DescentMemory(
        step=jnp.zeros((), jnp.int32),
        optimiser=_first_optimiser_state(parameters, position),
        key=key,
        order=jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), order),
    )
    zero = jnp.zeros((), parameters.problem.inputs.dtype)
    return State(zero, position, memory, jnp.asarray(Status.FINISHED, jnp.int32))


def _first_optimiser_state(parameters: DescentParameters, position: PyTree) -> PyTree:
    """The optimiser's state at the start: empty, or warmed by one step with the whole buffer."""
    optimiser = _optimiser(parameters)
    state = optimiser.init(position)
    if not parameters.warm:
        return state
    share = 1 - parameters.hyperparameters["momentum"]
    gradients = _gradients(parameters, position, Batch(), None)
    buffer = jax.tree.map(lambda leaf: leaf / share, gradients)
    warmed = optimiser.update(buffer, state, position)[1]
    return jax.tree.map(_unless_a_count, warmed, state)


def _unless_a_count(warmed: Array, fresh: Array) -> Array:
    """Counts of steps begin at zero, whatever warmed the buffers."""
    return fresh if jnp.issubdtype(fresh.dtype, jnp.integer) else warmed


def advance(parameters: DescentParameters, state: State, until: Stop) -> State:
    """Steps until the count of ``until``, or until something ends the run."""
    batches = parameters.batches
    last = until.step if batches.steps is None else jnp.minimum(until.step, batches.steps)

    def going(carry: tuple[PyTree, DescentMemory]) -> Array:
        position, memory = carry
        return (memory.step < last) & jnp.isfinite(_witness(position))

    def epoch(carry: tuple[PyTree, DescentMemory]) -> tuple[PyTree, DescentMemory]:
        position, memory = carry
        memory = memory._replace(order=_order(batches, memory))
        end = (memory.step // batches.steps_per_epoch + 1) * batches.steps_per_epoch
        within = (lambda c: going(c) & (c[1].step < end)) if batches.by_epoch else going
        return jax.lax.while_loop(within, lambda c: _step(parameters, *c), (position, memory))

    position, memory = jax.lax.while_loop(going, epoch, (state.position, state.memory))
    time = jnp.where(memory.step == until.step, until.time, state.time).astype(state.time.dtype)
    return State(time, position, memory, _status(position, memory, until, state.status))


def step(parameters: DescentParameters, state: State) -> State:
    """One step; its time is not counted, since only `advance` knows which stop it belongs to."""
    memory = state.memory._replace(order=_order(parameters.batches, state.memory))
    position, memory = _step(parameters, state.position, memory)
    return state._replace(position=position, memory=memory)


def _witness(position: PyTree) -> Float[Array, ""]:
    """A number that is lost one step after any other: the sum of the smallest array, cheaply."""
    return jnp.sum(min(jax.tree.leaves(position), key=lambda leaf: leaf.size))


def _order(batches: Batches, memory: DescentMemory) -> PyTree:
    """The epoch's order: drawn where the epoch begins, else the one in memory."""
    if not batches.by_epoch:
        return memory.order
    epoch = memory.step // batches.steps_per_epoch

    def draw() -> PyTree:
        key = drawing.stream(memory.key, drawing.EPOCH_STREAM, epoch)
        return batches.order(batches.data, key)

    begins = memory.step % batches.steps_per_epoch == 0
    return jax.lax.cond(begins, draw, lambda: memory.order)


def _step(
    parameters: DescentParameters, position: PyTree, memory: DescentMemory
) -> tuple[PyTree, DescentMemory]:
    batches = parameters.batches
    count = memory.step % batches.steps_per_epoch if batches.by_epoch else memory.step
    batch = batches.pick(batches.data, memory.order, memory.key, count)
    gradients = _gradients(parameters, position, batch, memory)
    updates, optimiser = _optimiser(parameters).update(gradients, memory.optimiser, position)
    position = optax.apply_updates(position, updates)
    return position, memory._replace(step=memory.step + 1, optimiser=optimiser)


def _gradients(
    parameters: DescentParameters, position: PyTree, batch: Batch, memory: DescentMemory | None
) -> PyTree:
    problem = parameters.problem
    seen = problem if batch.indices is None else take(problem, batch.indices)
    if parameters.label_noise is not None and memory is not None:
        key = drawing.stream(memory.key, drawing.LABEL_STREAM, memory.step)
        noise = jax.random.normal(key, seen.targets.shape, seen.targets.dtype)
        noisy = seen.targets + parameters.label_noise * noise
        seen = eqx.tree_at(lambda whole: whole.targets, seen, noisy)
    normalisation = parameters.normalisation
    weighted = gradient(normalisation, seen, position, batch.weights)
    if batch.turn is None:
        return weighted
    mean = gradient(normalisation, seen, position)
    noise = jax.tree.map(jnp.subtract, weighted, mean)
    turned = _turned(normalisation, position, noise, batch.turn)
    return jax.tree.map(jnp.add, mean, turned)


def _turned(
    normalisation: Normalisation, position: PyTree, noise: PyTree, key: Key[Array, ""]
) -> PyTree:
    """A vector of the noise's length in a random direction of the space where positions move."""
    leaves, shape = jax.tree.flatten(noise)
    keys = jax.random.split(key, len(leaves))
    draws = [
        jnp.where(_moves(leaf), jax.random.normal(k, leaf.shape, leaf.dtype), 0)
        for k, leaf in zip(keys, leaves, strict=True)
    ]
    tangent = normalisation.project(position, jax.tree.unflatten(shape, draws))
    size = optax.tree.norm(normalisation.project(position, noise))
    length = optax.tree.norm(tangent)
    share = jnp.where(length > 0, size / jnp.where(length > 0, length, 1), 0)
    return jax.tree.map(lambda leaf: share * leaf, tangent)


def _moves(noise: Array) -> Bool[Array, "..."]:
    """Which entries ever feel noise: not those of frozen layers, whose gradient is zero."""
    return jnp.any(noise != 0) if noise.ndim > 1 else noise != 0


def _status(
    position: PyTree, memory: DescentMemory, until: Stop, status: Int[Array, ""]
) -> Int[Array, ""]:
    finite = jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(position)])
    used_up = jnp.where(memory.step < until.step, Status.BATCHES_USED_UP, status)
    return jnp.where(jnp.all(finite), used_up, Status.DIVERGED).astype(jnp.int32)


def _optimiser(parameters: DescentParameters) -> optax.GradientTransformation:
    rate, schedule = parameters.learning_rate, parameters.schedule
    asked = rate if schedule is None else lambda count: rate * schedule(count)
    made = parameters.optimiser(asked, **parameters.hyperparameters)
    return constrained(made, parameters.normalisation)


def statistics(state: State) -> dict[str, Any]:
    """How many steps were made."""
    return {"steps": state.memory.step}
