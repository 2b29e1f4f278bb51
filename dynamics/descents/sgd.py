"""Gradient descent and SGD with heavy ball: the two descents of the documents.

    x <- x - eta project(x, g) + momentum (x - x_before), then retract,

with g the gradient over all samples or over a batch. One step takes eta / (1 - momentum) units of
time, so that both follow the gradient flow to first order in eta.

Source: [Dyn] (46), with corrected signs (`dynamics.descents.constrained`).
"""

import optax
from jaxtyping import ArrayLike

from ...models.problem import Problem
from ..normalisation import Normalisation
from ..types import Dynamics
from .batches import Batches, choose
from .clock import Schedule
from .descent import descent


def gradient_descent(
    problem: Problem,
    learning_rate: ArrayLike | Schedule,
    *,
    momentum: ArrayLike = 0.0,
    normalisation: Normalisation | None = None,
    warm: bool = False,
) -> Dynamics:
    """Full-batch gradient descent with heavy-ball momentum.

    Args:
        problem: What is learned.
        learning_rate: A number, or a schedule ``step -> rate``.
        momentum: In [0, 1); one step takes learning_rate / (1 - momentum) units of time.
        normalisation: Which coordinates move, see `dynamics.normalisation`; the product of
            spheres unless given.
        warm: Whether the momentum buffer starts on its slow manifold, see `dynamics.descent`.

    Raises:
        ValueError: If the rate is negative or the momentum is outside [0, 1).
    """
    return descent(
        problem, optax.sgd, learning_rate, name="gradient descent",
        normalisation=normalisation, warm=warm, momentum=momentum,
    )  # fmt: skip


def sgd(
    problem: Problem,
    learning_rate: ArrayLike | Schedule,
    *,
    momentum: ArrayLike = 0.0,
    batch_size: int | None = None,
    sampling: str = "reshuffled",
    batches: Batches | ArrayLike | None = None,
    normalisation: Normalisation | None = None,
    warm: bool = False,
    label_noise: ArrayLike | None = None,
) -> Dynamics:
    """Stochastic gradient descent with heavy-ball momentum.

    Args:
        problem: What is learned.
        learning_rate: A number, or a schedule ``step -> rate``.
        momentum: In [0, 1); one step takes learning_rate / (1 - momentum) units of time.
        batch_size: Samples in a batch.
        sampling: How they are drawn: ``"reshuffled"`` each epoch, ``"replacement"`` or
            ``"balanced"`` over classes.
        batches: Instead of the two (``sampling`` is then unused): an index array
            ``[steps, batch]``, or `Batches` of your own, such as
            ``dynamics.batches.random_weights(samples)``.
        normalisation: Which coordinates move, see `dynamics.normalisation`; the product of
            spheres unless given.
        warm: Whether the momentum buffer starts on its slow manifold, see `dynamics.descent`.
        label_noise: Standard deviation of noise added to the targets afresh at every step.

    Raises:
        ValueError: If the rate is negative, the momentum outside [0, 1), the batch size or
            sampling unknown, or both or neither of batch_size and batches are given; if the batch
            size is one and the network has batch norm.

    >>> from rhoflow import models
    >>> problem = models.Problem(models.mlp((2, 1)), [[0.6, 0.8], [-1.0, 0.0]], [1.0, -1.0], 0.1)
    >>> print(sgd(problem, 0.1, momentum=0.5, batch_size=1))
    Dynamics(sgd of Problem(...))
      learning_rate  0.1
      momentum       0.5
    """
    drawn = choose(problem.targets, batch_size, sampling, batches)
    return descent(
        problem, optax.sgd, learning_rate, name="sgd", batches=drawn,
        normalisation=normalisation, warm=warm, label_noise=label_noise, momentum=momentum,
    )  # fmt: skip
