"""Descent by any optax optimiser, as compiled steps, under any normalisation.

A run is an integer count of steps; the loop over steps is compiled, within an outer loop over
epochs that draws each epoch's order once. Learning rate, momentum and other hyper-parameters are
leaves: changing them compiles nothing.

**Units of time.** One step takes learning_rate units of time, with heavy ball
learning_rate / (1 - momentum), so that gradient descent follows the gradient flow to first order
(see `dynamics.types`). Adam and others take learning_rate by convention.

Source: [Dyn] (46) and section 6.1, with corrected signs (`dynamics.constrained`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float, Int, Key, PyTree

from ..models.checks import is_traced, refusal
from ..models.problem import Problem, take
from . import batches as drawing
from .batches import Batch, Batches
from .clock import Clock, Schedule, Stop, stops, times_of_steps
from .constrained import constrained
from .normalisation import Normalisation, sphere
from .types import Dynamics, State, Status


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


class DescentMemory(NamedTuple):
    """What a descent carries: the count, the optimiser's state, the key and the epoch's order."""

    step: Int[Array, ""]
    optimiser: PyTree
    key: Key[Array, ""]
    order: PyTree


def descent(
    problem: Problem,
    optimiser: Callable[..., optax.GradientTransformation],
    learning_rate: ArrayLike | Schedule,
    *,
    name: str | None = None,
    batches: Batches | None = None,
    normalisation: Normalisation | None = None,
    warm: bool = False,
    label_noise: ArrayLike | None = None,
    **hyperparameters: ArrayLike,
) -> Dynamics:
    """Any optax optimiser.

    Args:
        problem: What is learned.
        optimiser: The optax function itself, such as ``optax.adam``; it is called with the
            learning rate and the hyper-parameters where they are traced.
        learning_rate: A number, or a schedule ``step -> rate``.
        name: For tables and pictures, the optimiser's own unless given.
        batches: Which samples each step sees, all unless given.
        normalisation: Which coordinates move; the product of spheres unless given.
        warm: Whether a heavy ball starts with the buffer that it would have had, grad U / (1 -
            momentum), rather than at rest: without it the first 1 / (1 - momentum) steps lag
            behind the flow, an error of first order in the rate.
        label_noise: Standard deviation of Gaussian noise added to the targets afresh at every
            step; needs a key.
        **hyperparameters: Numbers for the optimiser, such as ``b1=0.9``.

    Returns:
        A dynamics with statistics ``steps``.

    Raises:
        ValueError: If the rate is negative or a momentum is outside [0, 1).
    """
    chosen = normalisation or sphere()
    schedule = learning_rate if callable(learning_rate) else None
    rate = 1.0 if callable(learning_rate) else learning_rate
    _check_rate(rate)
    _check_momentum(hyperparameters.get("momentum", 0.0))
    dtype = problem.inputs.dtype
    parameters = DescentParameters(
        problem=problem,
        learning_rate=jnp.asarray(rate, dtype),
        label_noise=None if label_noise is None else jnp.asarray(label_noise, dtype),
        hyperparameters={k: jnp.asarray(v, dtype) for k, v in hyperparameters.items()},
        batches=drawing.full_batch() if batches is None else batches,
        optimiser=optimiser,
        normalisation=chosen,
        schedule=schedule,
        warm=warm,
    )
    return Dynamics(
        parameters=parameters,
        name=name or str(getattr(optimiser, "__name__", "descent")),
        init=_init,
        advance=_advance,
        view=chosen.view,
        stops=_stops,
        statistics=_statistics,
    )


def times_at(
    dynamics: Dynamics, *, steps: ArrayLike | None = None, epochs: ArrayLike | None = None
) -> Float[np.ndarray, "..."]:
    """Times at which a descent has made so many steps, or passes over the data.

    Args:
        dynamics: A descent.
        steps: Whole numbers ``[T]``; or
        epochs: numbers ``[T]``, rounded to whole steps.

    Returns:
        Times ``[T]`` in units of the running sum of learning rates, float64.

    Raises:
        ValueError: If the dynamics has no steps, or both or neither are given.
    """
    parameters = dynamics.parameters
    if not isinstance(parameters, DescentParameters):
        raise refusal("a descent, which has steps", dynamics.name, "choose times of your own")
    if (steps is None) == (epochs is None):
        raise refusal("either steps or epochs", "both or neither", "pass one of them")
    per_epoch = parameters.batches.steps_per_epoch
    counts = np.asarray(steps) if epochs is None else np.asarray(epochs) * per_epoch
    return times_of_steps(_clock(parameters), np.rint(counts).astype(np.int64))


def _init(parameters: DescentParameters, position: PyTree, key: Key[Array, ""] | None) -> State:
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
    return optimiser.update(buffer, state, position)[1]


def _advance(parameters: DescentParameters, state: State, until: Stop) -> State:
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
    return jax.grad(parameters.normalisation.potential, argnums=1)(seen, position, batch.weights)


def _status(
    position: PyTree, memory: DescentMemory, until: Stop, status: Int[Array, ""]
) -> Int[Array, ""]:
    finite = jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(position)])
    used_up = jnp.where(memory.step < until.step, Status.BATCHES_USED_UP, status)
    return jnp.where(jnp.all(finite), used_up, Status.DIVERGED).astype(jnp.int32)


def _optimiser(parameters: DescentParameters) -> optax.GradientTransformation:
    rate, schedule = parameters.learning_rate, parameters.schedule
    if schedule is None:
        return constrained(
            parameters.optimiser(rate, **parameters.hyperparameters), parameters.normalisation
        )

    def scaled(count: Array) -> Array:
        return rate * schedule(count)

    return constrained(
        parameters.optimiser(scaled, **parameters.hyperparameters), parameters.normalisation
    )


def _statistics(state: State) -> dict[str, Any]:
    return {"steps": state.memory.step}


def _clock(parameters: DescentParameters) -> Clock:
    momentum = parameters.hyperparameters.get("momentum", jnp.zeros(()))
    return Clock(parameters.learning_rate, momentum, parameters.schedule)


def _stops(parameters: DescentParameters, times: Any) -> tuple[Stop, Any]:
    return stops(_clock(parameters), times, parameters.problem.inputs.dtype)


def _check_rate(rate: ArrayLike) -> None:
    if not is_traced(rate) and not np.all(np.asarray(rate) >= 0):
        raise refusal("a learning rate that is not negative", rate, "pass for example 0.03")


def _check_momentum(momentum: ArrayLike) -> None:
    if not is_traced(momentum) and not 0 <= float(np.asarray(momentum)) < 1:
        raise refusal("a momentum in [0, 1)", momentum, "pass for example 0.9")
