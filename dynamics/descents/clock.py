"""Steps and times: when a discrete dynamics is where.

One step of descent takes learning_rate units of time; with heavy ball
learning_rate / (1 - momentum), its effective rate; under a schedule each step its own rate. All of
it is computed on the host in float64 from the integer count of steps: time that is accumulated in
float32 over a million steps is wrong by a percent.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ...models.checks import is_traced, refusal

Schedule = Callable[[Array], Array]
"""``schedule(step) -> learning rate``, as optax makes them."""

LONGEST_SCHEDULE = 10_000_000


class Clock(NamedTuple):
    """How long steps take.

    Attributes:
        learning_rate: A number, or one per member ``[members]``; under a schedule, its factor.
        momentum: Of the heavy ball, zero for others.
        schedule: Rate of each step, or None for a constant one.
    """

    learning_rate: Any
    momentum: Any
    schedule: Schedule | None


class Stop(NamedTuple):
    """Where a discrete dynamics is asked to stop: a count of steps, and the time that it is."""

    step: Int[Array, "*looks"]
    time: Float[Array, "*looks"]


def times_of_steps(clock: Clock, steps: np.ndarray) -> Float[np.ndarray, "..."]:
    """Time after so many steps, float64, with members' axis first where rates differ."""
    unit = _unit(clock)[..., None]
    if clock.schedule is None:
        return unit * steps
    elapsed = np.concatenate([[0.0], np.cumsum(_rates(clock.schedule, int(np.max(steps))))])
    return unit * elapsed[steps]


def steps_at_times(clock: Clock, times: np.ndarray) -> Int[np.ndarray, "..."]:
    """Nearest whole steps to times.

    Raises:
        ValueError: If a learning rate is zero, two times fall on one step, or the schedule never
            gets there.
    """
    unit = _unit(clock)[..., None]
    if not np.all(unit > 0):
        raise refusal("a positive learning rate", np.min(unit), "time is the sum of the rates")
    scaled = times / unit
    steps = (
        np.rint(scaled)
        if clock.schedule is None
        else _steps_under_schedule(clock.schedule, scaled, float(np.max(unit)))
    ).astype(np.int64)
    if np.any(np.diff(steps, axis=-1) <= 0):
        raise _too_fine(times, steps, unit)
    return steps


def stops(clock: Clock, times: np.ndarray, dtype: jnp.dtype) -> tuple[Stop, np.ndarray]:
    """The stops nearest to times, and the times that they are.

    Under jit with a traced rate the steps are computed there, without refusals.

    Raises:
        ValueError: As `steps_at_times`.
    """
    if is_traced((clock.learning_rate, clock.momentum, times)):
        if clock.schedule is not None:
            raise refusal(
                "a learning rate that is not traced with a schedule",
                "a traced one",
                "call simulate outside jit",
            )
        unit = clock.learning_rate / (1 - clock.momentum)
        nearest = jnp.rint(times / unit).astype(jnp.int32)
        return Stop(nearest, (nearest * unit).astype(dtype)), nearest * unit
    steps = steps_at_times(clock, times)
    reached = np.stack(
        [times_of_steps(_of_member(clock, i), row) for i, row in enumerate(np.atleast_2d(steps))]
    ).reshape(steps.shape)
    return Stop(jnp.asarray(steps, jnp.int32), jnp.asarray(reached, dtype)), reached


def _of_member(clock: Clock, index: int) -> Clock:
    rate, momentum = np.asarray(clock.learning_rate), np.asarray(clock.momentum)
    pick = [x[index] if x.ndim else x for x in (rate, momentum)]
    return Clock(pick[0], pick[1], clock.schedule)


def _unit(clock: Clock) -> np.ndarray:
    return _decimal(clock.learning_rate) / (1 - _decimal(clock.momentum))


def _decimal(values: Array) -> np.ndarray:
    """The shortest decimals that the numbers stand for: 0.03 for the float32 0.029999999329."""
    array = np.asarray(values)
    return np.array([float(str(value)) for value in array.ravel()]).reshape(array.shape)


def _rates(schedule: Schedule, count: int) -> np.ndarray:
    return np.asarray(jax.vmap(schedule)(jnp.arange(max(count, 1))), np.float64)


def _steps_under_schedule(schedule: Schedule, scaled: np.ndarray, unit: float) -> np.ndarray:
    count = 1024
    while True:
        elapsed = np.concatenate([[0.0], np.cumsum(_rates(schedule, count))])
        if elapsed[-1] >= scaled.max():
            break
        if count > LONGEST_SCHEDULE:
            raise refusal(
                f"times up to {unit * elapsed[-1]:g}, which the schedule reaches in {count} steps",
                f"{unit * float(scaled.max()):g}",
                "shorten the times",
            )
        count *= 4
    after = np.searchsorted(elapsed, scaled)
    before = np.maximum(after - 1, 0)
    return np.where(scaled - elapsed[before] <= elapsed[after] - scaled, before, after)


def _too_fine(times: np.ndarray, steps: np.ndarray, unit: np.ndarray) -> ValueError:
    where = np.argwhere(np.diff(steps, axis=-1) <= 0)[0]
    row = np.broadcast_to(times, steps.shape)[tuple(where[:-1])]
    first, second = row[where[-1]], row[where[-1] + 1]
    return refusal(
        f"times at least one step apart ({np.max(unit):g} units of time)",
        f"{first:g} and {second:g}, which no two steps reach",
        "space the times wider, or use dynamics.times_at",
    )
