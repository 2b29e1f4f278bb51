"""Descent by any optax optimiser, as compiled steps, under any normalisation.

A run is an integer count of steps; the loop over steps is compiled, within an outer loop over
epochs that draws each epoch's order once. Learning rate, momentum and other hyper-parameters are
leaves: changing them compiles nothing.

**Units of time.** One step takes learning_rate units of time, with heavy ball
learning_rate / (1 - momentum), so that gradient descent follows the gradient flow to first order
(see `dynamics.types`). Adam and others take learning_rate by convention.

Source: [Dyn] (46) and section 6.1, with corrected signs (`dynamics.descents.constrained`).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import ArrayLike, Float

from ...models import losses
from ...models.binding import bind
from ...models.checks import expect, is_traced, refusal, single
from ...models.layers import is_masked
from ...models.network import Weights
from ...models.problem import Problem
from ..normalisation import Normalisation, fitting
from ..ranges import in_range
from ..types import Dynamics
from . import stepping
from .averaging import averaging
from .batches import Batches, full_batch
from .clock import Clock, Schedule, Stop, stops, times_of_steps
from .stepping import DescentMemory, DescentParameters


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
    **hyperparameters: Any,
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
        **hyperparameters: For the optimiser: numbers such as ``b1=0.9`` are leaves, options such
            as ``nesterov=True`` are static.

    Returns:
        A dynamics with statistics ``steps``.

    Raises:
        ValueError: If the rate is negative or infinite, a momentum is outside [0, 1), the
            normalisation does not fit the network, label noise is negative or the loss not the
            square one, batches are of another number of samples, or of one with batch norm, or
            the optimiser takes no such hyper-parameters or needs more than a gradient.
    """
    chosen = fitting(problem, normalisation)
    schedule = learning_rate if callable(learning_rate) else None
    rate = 1.0 if callable(learning_rate) else learning_rate
    _check_rate(rate)
    _check_momentum(hyperparameters.get("momentum"))
    _check_label_noise(problem, label_noise)
    if warm and hyperparameters.get("momentum") is None:
        raise refusal("a momentum that could be warm", sorted(hyperparameters), "pass momentum=0.9")
    options = {k: v for k, v in hyperparameters.items() if not _is_number(v)}
    numbers = {k: v for k, v in hyperparameters.items() if k not in options}
    drawn = full_batch() if batches is None else batches
    dtype = problem.inputs.dtype
    _check_batches(problem, drawn)
    static = tuple(sorted(options.items()))
    _check_optimiser(problem, bind(_with_options, optimiser, static), numbers)
    parameters = DescentParameters(
        problem=problem,
        learning_rate=jnp.asarray(rate, dtype),
        label_noise=None if label_noise is None else jnp.asarray(label_noise, dtype),
        hyperparameters={k: jnp.asarray(v, dtype) for k, v in numbers.items()},
        batches=drawn,
        optimiser=bind(_with_options, averaging(chosen, optimiser), static),
        normalisation=chosen,
        schedule=schedule,
        warm=warm,
    )
    return Dynamics(
        parameters=parameters,
        name=name or str(getattr(optimiser, "__name__", "descent")),
        init=stepping.init,
        advance=stepping.advance,
        view=chosen.view,
        step=stepping.step,
        stops=_stops,
        statistics=stepping.statistics,
        carries=DescentMemory,
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
        ValueError: If the dynamics has no steps, both or neither are given, one is negative, or
            steps are not whole.
    """
    parameters = dynamics.parameters
    if not isinstance(parameters, DescentParameters):
        raise refusal("a descent, which has steps", dynamics.name, "choose times of your own")
    if (steps is None) == (epochs is None):
        raise refusal("either steps or epochs", "both or neither", "pass one of them")
    per_epoch = parameters.batches.steps_per_epoch
    counts = np.asarray(steps) if epochs is None else np.asarray(epochs) * per_epoch
    if not np.all(np.isfinite(counts)) or np.any(counts < 0):
        raise refusal("numbers of steps or epochs from 0 on", counts, "count from the start")
    if steps is not None and np.any(counts % 1):
        raise refusal("whole numbers of steps", counts, "pass epochs= for parts of a pass")
    return times_of_steps(_clock(parameters), np.rint(counts).astype(np.int64))


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool | str) and value is not None and not callable(value)


def _with_options(
    optimiser: Callable[..., optax.GradientTransformation],
    options: tuple[tuple[str, Any], ...],
    learning_rate: ArrayLike | Schedule,
    **hyperparameters: ArrayLike,
) -> optax.GradientTransformation:
    return optimiser(learning_rate, **dict(options), **hyperparameters)


def _clock(parameters: DescentParameters) -> Clock:
    momentum = parameters.hyperparameters.get("momentum", jnp.zeros(()))
    return Clock(parameters.learning_rate, momentum, parameters.schedule)


def _stops(parameters: DescentParameters, times: Any) -> tuple[Stop, Any]:
    return stops(_clock(parameters), times, parameters.problem.inputs.dtype)


def _check_rate(rate: ArrayLike) -> None:
    single("learning_rate", rate)
    if not is_traced(rate) and not np.all(np.asarray(rate) >= 0):
        raise refusal("a learning rate that is not negative", rate, "pass for example 0.03")
    in_range("learning_rate", rate)


def _check_momentum(momentum: ArrayLike | None) -> None:
    if momentum is None:
        return
    single("momentum", momentum)
    if not is_traced(momentum) and not 0 <= float(np.asarray(momentum)) < 1:
        raise refusal("a momentum in [0, 1)", momentum, "pass for example 0.9")


def _check_label_noise(problem: Problem, label_noise: ArrayLike | None) -> None:
    if label_noise is None:
        return
    single("label_noise", label_noise)
    if problem.loss != losses.square:
        remedy = "what Gaussian noise does to targets is known for the square loss"
        raise refusal("the square loss with label noise", f"the {problem.loss.name} loss", remedy)
    if not is_traced(label_noise) and not 0 <= float(np.asarray(label_noise)) < np.inf:
        raise refusal("a label noise that is not negative", label_noise, "pass for example 0.1")


def _check_batches(problem: Problem, batches: Batches) -> None:
    samples, network = problem.inputs.shape[0], problem.network
    expect(batches, Batches, "batches", "pass for example dynamics.batches.given(indices, samples)")
    if batches.samples not in (None, samples):
        raise refusal(f"batches of {samples} samples", f"of {batches.samples}", "make them anew")
    if network.couples and batches.size == 1:
        remedy = "a single sample is its own mean, and every hidden unit would be zero"
        raise refusal("batches of two samples or more with batch norm", "of one", remedy)
    if batches.isotropic and any(map(is_masked, network.layers)):
        raise refusal(
            "a network without masked layers for isotropic noise, which would move their zeros",
            network.name,
            "take noise='anisotropic', or a dense network",
        )


def _check_optimiser(
    problem: Problem,
    optimiser: Callable[..., optax.GradientTransformation],
    numbers: dict[str, ArrayLike],
) -> None:
    """Makes the optimiser and one update of abstract weights."""

    def update(weights: Weights) -> Weights:
        made = optimiser(1.0, **numbers)
        return made.update(weights, made.init(weights), weights)[0]

    try:
        jax.eval_shape(update, jax.eval_shape(problem.network.init, jax.random.key(0)))
    except (TypeError, AttributeError) as error:
        raise refusal(
            "an optax function such as optax.adam, called with a learning rate and its "
            "hyper-parameters, whose updates need a gradient and nothing else",
            error,
            "pass the function itself, or change the hyper-parameters",
        ) from error
