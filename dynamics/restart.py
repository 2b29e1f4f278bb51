"""Starting again where rho came to rest too early.

The documents assume that a run which rests with a loss that is not small is started anew ([Dyn]
section 3.4: "restart"). The rule here: rho at rest and the unregularised loss above a value.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
from jaxtyping import Array, ArrayLike, Key

from ..models.checks import refusal
from ..models.polar import Polar
from ..models.problem import data_loss
from .observe import Observe, observe
from .simulate import simulate
from .stopping import Condition
from .trajectory import Trajectory
from .types import FAILURES, Dynamics, Status


class Attempts(NamedTuple):
    """What became of restarting.

    Attributes:
        trajectory: The last attempt, the one that counts.
        losses: Unregularised loss at the end of every attempt.
        accepted: Whether the last attempt passed; else attempts were used up.
    """

    trajectory: Trajectory
    losses: tuple[float, ...]
    accepted: bool


def simulate_with_restarts(
    dynamics: Dynamics,
    draw: Callable[[Key[Array, ""]], Polar],
    *,
    times: ArrayLike,
    key: Key[Array, ""],
    stop: Condition,
    loss_above: float,
    observe: Observe = observe("loss", "rho"),
    attempts: int = 10,
) -> Attempts:
    """Runs from new starts until one neither fails nor comes to rest above a loss.

    Args:
        dynamics: Any dynamics.
        draw: ``draw(key) -> Polar`` makes a start.
        times: Increasing times ``[T]`` of looking, at which rest is judged.
        key: Attempt i draws and runs with keys folded from it.
        stop: What counts as rest, `dynamics.at_rest`.
        loss_above: Unregularised loss above which a run at rest is started anew.
        observe: What to look at.
        attempts: At most so many.

    Returns:
        The last run, the losses at the ends of all, and whether the last one passed.

    Raises:
        ValueError: If no attempt is allowed.
    """
    if attempts < 1:
        raise refusal("at least one attempt", attempts, "pass for example attempts=10")
    losses: list[float] = []
    for attempt in range(attempts):
        key_start, key_run = jax.random.split(jax.random.fold_in(key, attempt))
        trajectory = simulate(
            dynamics, draw(key_start), times=times, observe=observe, key=key_run, stop=stop
        )
        view = dynamics.view(trajectory.final.position)
        losses.append(float(data_loss(dynamics.problem, view)))
        rested_above = trajectory.status is Status.AT_REST and losses[-1] > loss_above
        failed = trajectory.status in FAILURES
        if not (rested_above or failed):
            return Attempts(trajectory, tuple(losses), accepted=True)
    return Attempts(trajectory, tuple(losses), accepted=False)
