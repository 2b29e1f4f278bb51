"""Which numbers and data a dynamics takes, wherever they come from.

The same number is given to a constructor, to `dynamics.replace`, and for many members at a time to
``over=`` of an ensemble; the same data to the last two. What is asked of them stands here. Values
that are traced cannot be looked at: of those only shapes are checked.
"""

import numpy as np
from jaxtyping import Array, ArrayLike

from ..models.checks import is_traced, refusal, whole
from ..models.problem import Problem
from ..models.targets import encoding_of

DATA = ("inputs", "targets")
"""What is replaced beside single numbers: data of the same shape as the old."""

NOT_NEGATIVE = ("decay", "learning_rate", "label_noise")
POSITIVE = ("rtol", "atol", "floor", "step", "stable", "max_steps")


def in_range(name: str, value: ArrayLike) -> None:
    """Refuses numbers outside of the range that their name asks for.

    Args:
        name: Of a parameter; any number will do where it is none of those above.
        value: A number, or one for each member.

    Raises:
        ValueError: As said.
    """
    if is_traced(value):
        return
    least, most = np.min(np.asarray(value)), np.max(np.asarray(value))
    if name in NOT_NEGATIVE and not least >= 0:
        raise refusal(f"{name} that is not negative", least, "pass zero or more")
    if name in POSITIVE and not least > 0:
        raise refusal(f"a positive {name}", least, "pass a positive number")
    if name in (*NOT_NEGATIVE, *POSITIVE) and not most < np.inf:
        raise refusal(f"a finite {name}", most, "pass a number")
    if name == "max_steps" and np.any(np.asarray(value) % 1):
        raise refusal("whole numbers of steps", value, "pass for example max_steps=1000")
    if name == "momentum" and not 0 <= least <= most < 1:
        worst = least if least < 0 else most
        raise refusal("a momentum in [0, 1)", worst, "pass for example 0.9")


def check_batch_size(size: int, samples: int) -> None:
    """Refuses what is no number of samples in a batch.

    Args:
        size: Of a batch.
        samples: How many there are.

    Raises:
        ValueError: If the size is no whole number in 1..samples.
    """
    if not 1 <= whole((size,), "a batch size")[0] <= samples:
        raise refusal(f"a batch size in 1..{samples}", size, "change batch_size")


def check_data(problem: Problem, name: str, value: Array, *, members: bool = False) -> None:
    """Refuses data that cannot take the place of a problem's own.

    Args:
        problem: Whose data are replaced.
        name: ``"inputs"`` or ``"targets"``.
        value: Of the shape that they have, with a leading axis where they are many members'.
        members: Whether they are.

    Raises:
        ValueError: If the shape is another one, a value is not finite, or targets are in no
            encoding that the loss takes.
    """
    wanted = getattr(problem, name).shape
    if (value.shape[1:] if members else value.shape) != wanted:
        axes = ", ".join(map(str, wanted))
        raise refusal(
            f"{name} of every member [members, {axes}]" if members else f"{name} [{axes}]",
            f"shape {value.shape}",
            "give each member as many samples as the problem has"
            if members
            else "pass data of the old shape, or build the dynamics anew",
        )
    if is_traced(value):
        return
    if not np.all(np.isfinite(value)):
        raise refusal(f"finite {name}", "NaN or infinity", "remove or repair them")
    encodings = problem.loss.encodings
    if name == "targets" and encoding_of(value.reshape(-1, *wanted[1:])) not in encodings:
        raise refusal(
            f"targets in {' or '.join(encodings)} for the {problem.loss.name} loss",
            "another encoding",
            f"encode class labels with models.encode(labels, '{encodings[0]}')",
        )
