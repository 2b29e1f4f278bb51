"""When a run may stop: conditions on what is observed, asked at the times of looking.

A condition is a small fold: it remembers something, sees each look, and says a `Status`, which is
``FINISHED`` (zero) to go on. Conditions are pytrees, so that thresholds cost no compilation.

- `separated`: training error is zero and the loss is below a value;
- `at_rest`: rho, the loss and the directions have hardly moved over a window of time. The field's
  size is *not* asked: the flow of a ReLU network slides along kinks where the field does not
  vanish at rest. Nor is one flat moment: a plateau can end; choose the window accordingly;
- `best`: an observation (the test error) has not improved for some time.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from ..models.checks import expect, is_traced, refusal, single
from ..models.problem import Problem, objective
from ..models.views import View
from .types import Status


class Look(NamedTuple):
    """What a condition sees: the problem, the time, the view and the observations there."""

    problem: Problem
    time: Float[Array, ""]
    view: Any
    observations: dict[str, PyTree]


class Condition(eqx.Module):
    """A stopping condition.

    Attributes:
        settings: Thresholds, the leaves.
        needs: Observations that it reads, each one number.
        remember: ``remember(settings, look) -> memory`` at the first look.
        decide: ``decide(settings, memory, look) -> (memory, status)``.
    """

    settings: PyTree
    needs: tuple[str, ...] = eqx.field(static=True)
    remember: Callable[[PyTree, Look], PyTree] = eqx.field(static=True)
    decide: Callable[[PyTree, PyTree, Look], tuple[PyTree, Int[Array, ""]]] = eqx.field(static=True)

    def __repr__(self) -> str:
        return f"Condition({self.decide.__name__.strip('_')}, {self.settings})"


def separated(loss_below: float) -> Condition:
    """Stops when every training sample is on its side and the loss is below a value.

    Needs the observations ``"train_error"`` and ``"loss"``.

    Args:
        loss_below: The loss below which it stops.

    Returns:
        A condition for ``stop=`` of `dynamics.simulate` and `dynamics.ensemble`.

    Raises:
        ValueError: If the loss is not one number from zero on.
    """
    single("loss_below", loss_below)
    if not is_traced(loss_below) and not loss_below >= 0:
        raise refusal("a loss_below that is not negative", loss_below, "pass for example 0.01")
    return Condition(jnp.asarray(loss_below), ("train_error", "loss"), _nothing, _separated)


def at_rest(window: float, tolerance: float = 1e-4) -> Condition:
    """Stops when rho, the loss and all directions stayed put over a window.

    Args:
        window: In units of time; windows follow each other without overlap.
        tolerance: Largest relative change of rho and of the loss, and largest displacement of
            any unit direction, over the window; sizes below the tolerance count as that.

    Returns:
        A condition for ``stop=`` of `dynamics.simulate` and `dynamics.ensemble`.

    Raises:
        ValueError: If the window or the tolerance is not positive.
    """
    for name, value in (("window", window), ("tolerance", tolerance)):
        _check_positive(name, value)
    return Condition((jnp.asarray(window), jnp.asarray(tolerance)), (), _anchor, _rests)


def best(name: str, patience: float) -> Condition:
    """Stops when an observation has not reached a new minimum for a while.

    Args:
        name: An observation that is one number, for example ``"test_error"``.
        patience: In units of time.

    Returns:
        A condition for ``stop=`` of `dynamics.simulate` and `dynamics.ensemble`.

    Raises:
        ValueError: If the name is no word, or the patience not one positive number.
    """
    expect(name, str, "the name of an observation", "pass for example 'test_error'")
    _check_positive("patience", patience)
    return Condition((_Name(name), jnp.asarray(patience)), (name,), _first_best, _no_better)


def _check_positive(name: str, value: Any) -> None:
    single(name, value)
    if not is_traced(value) and not value > 0:
        raise refusal(f"a positive {name}", value, f"pass for example {name}=10.0")


class _Name(eqx.Module):
    text: str = eqx.field(static=True)


def _verdict(stop: Array, status: Status) -> Int[Array, ""]:
    return jnp.where(stop, status, Status.FINISHED).astype(jnp.int32)


def _nothing(settings: PyTree, look: Look) -> tuple[()]:
    del settings, look
    return ()


def _separated(settings: PyTree, memory: PyTree, look: Look) -> tuple[PyTree, Int[Array, ""]]:
    seen = look.observations
    stop = (seen["train_error"] == 0) & (seen["loss"] < settings)
    return memory, _verdict(stop, Status.CONDITION_MET)


class _Anchor(NamedTuple):
    time: Float[Array, ""]
    loss: Float[Array, ""]
    view: View


def _anchor(settings: PyTree, look: Look) -> _Anchor:
    del settings
    return _Anchor(look.time, objective(look.problem, look.view), look.view)


def _rests(settings: PyTree, memory: _Anchor, look: Look) -> tuple[_Anchor, Int[Array, ""]]:
    window, tolerance = settings
    now = _anchor(settings, look)
    moved = [
        jnp.sqrt(jnp.sum((new - old) ** 2))
        for new, old in zip(now.view.directions, memory.view.directions, strict=True)
    ]
    changes = jnp.stack(
        [
            _relative(now.view.rho, memory.view.rho, tolerance),
            _relative(now.loss, memory.loss, tolerance),
            *moved,
        ]
    )
    over = now.time - memory.time >= window
    kept = _Anchor(*(_choose(over, new, old) for new, old in zip(now, memory, strict=True)))
    return kept, _verdict(over & jnp.all(changes <= tolerance), Status.AT_REST)


def _relative(new: Array, old: Array, tolerance: Array) -> Float[Array, ""]:
    """The change relative to the size; below the tolerance itself sizes count as that."""
    return jnp.abs(new - old) / jnp.maximum(jnp.abs(old), tolerance)


def _first_best(settings: PyTree, look: Look) -> tuple[Array, Array]:
    return look.observations[settings[0].text], look.time


def _no_better(
    settings: PyTree, memory: tuple[Array, Array], look: Look
) -> tuple[tuple[Array, Array], Int[Array, ""]]:
    (name, patience), (lowest, since) = settings, memory
    value = look.observations[name.text]
    better = value < lowest
    memory = (jnp.where(better, value, lowest), jnp.where(better, look.time, since))
    return memory, _verdict(look.time - memory[1] >= patience, Status.CONDITION_MET)


def _choose(condition: Array, new: PyTree, old: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
