"""Losses of one sample as a function of the network's outputs and the targets.

A loss is static: a name, a pure function, and the encodings of the targets that it understands.
The objective that moves a network is the *mean* over samples plus the decay of rho
(`models.problem`). With f_n the outputs rho f_V(x_n), and m_n = y_n f_n for labels +-1:

| loss | per sample | targets |
|---|---|---|
| `square` | |y_n - f_n|^2, summed over outputs | +-1, centred, one-hot |
| `exponential` | exp(-m_n) | +-1 |
| `logistic` | log(1 + exp(-m_n)) | +-1 |
| `cross_entropy` | log sum_c exp(f_nc) - f_n,own | one-hot |
| `one_sided_square` | max(0, 1 - m_n)^2 | +-1 |

All are convex in the outputs and continuously differentiable, so that whether a flow has kinks is
a matter of the network alone. `exponential`, `logistic` and `cross_entropy` are never at rest
without decay: rho then grows like log t. `one_sided_square` asks of a margin that it be *at least*
one: with vanishing decay it tends to the minimum-norm classification, y_n f_n >= 1, where `square`
tends to the minimum-norm regression, y_n f_n = 1, which in general is another and a larger one.

The cross-entropy of two classes with outputs (f, 0) is the logistic loss of f. The observables
``rho_eq``, ``gap`` and ``loss_parts`` know the square loss only and refuse the others.

Source: [Dyn] (1), (28); exponential loss, [M117] appendix J.2 and (81), [M112] (46); regression
and classification of minimum norm, [M112] (24) and (25).
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .checks import unknown
from .targets import ENCODINGS


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss per sample.

    Attributes:
        name: How it is called in tables and pictures.
        per_sample: ``per_sample(outputs, targets) -> [samples]``; outputs and targets are
            ``[samples]`` or ``[samples, outputs]``.
        encodings: Which encodings of the targets it takes (`models.targets`), all unless given;
            a `models.Problem` refuses the others.
    """

    name: str
    per_sample: Callable[
        [Float[Array, "samples ..."], Float[Array, "samples ..."]], Float[Array, "samples"]
    ]
    encodings: tuple[str, ...] = ENCODINGS


def _squared_error(
    outputs: Float[Array, "samples ..."], targets: Float[Array, "samples ..."]
) -> Float[Array, "samples"]:
    squares = (targets - outputs) ** 2
    return jnp.sum(squares.reshape(squares.shape[0], -1), axis=1)


def _exponential(
    outputs: Float[Array, "samples"], targets: Float[Array, "samples"]
) -> Float[Array, "samples"]:
    return jnp.exp(-targets * outputs)


def _logistic(
    outputs: Float[Array, "samples"], targets: Float[Array, "samples"]
) -> Float[Array, "samples"]:
    return jax.nn.softplus(-targets * outputs)


def _cross_entropy(
    outputs: Float[Array, "samples outputs"], targets: Float[Array, "samples outputs"]
) -> Float[Array, "samples"]:
    own = targets == 1
    others = jax.nn.logsumexp(jnp.where(own, -jnp.inf, outputs), axis=1)
    return jax.nn.softplus(others - jnp.sum(jnp.where(own, outputs, 0), axis=1))


def _squared_shortfall(
    outputs: Float[Array, "samples"], targets: Float[Array, "samples"]
) -> Float[Array, "samples"]:
    return jax.nn.relu(1 - targets * outputs) ** 2


square = Loss("square", _squared_error)
"""The square loss, |y_n - f_W(x_n)|^2, summed over outputs. For labels +-1 it is
(1 - rho fbar_n)^2. Source: [Dyn] (1), in the mean normalisation."""

exponential = Loss("exponential", _exponential, ("signs",))
"""The exponential loss, exp(-rho fbar_n). With equal margins m it is at rest at
rho = W_0(m^2 / (2 lambda)) / m, W_0 the Lambert function. Source: [M117] J.2, whose -lambda rho
is our -2 lambda rho."""

logistic = Loss("logistic", _logistic, ("signs",))
"""The logistic loss, log(1 + exp(-rho fbar_n)), exact for margins of any size."""

cross_entropy = Loss("cross_entropy", _cross_entropy, ("one_hot",))
"""The cross-entropy of the softmax of the outputs, in nats: the logistic loss of the own output
minus the logsumexp of the others, exact for outputs of any size. Centred targets are no
probabilities and are refused."""

one_sided_square = Loss("one_sided_square", _squared_shortfall, ("signs",))
"""The squared shortfall of the margin, max(0, 1 - rho fbar_n)^2: a margin above one costs nothing.
Source: the constraints of [M112] (25), penalised."""

BY_NAME = {
    loss.name: loss for loss in (square, exponential, logistic, cross_entropy, one_sided_square)
}


def named(name: str) -> Loss:
    """The loss of that name.

    Args:
        name: A key of `BY_NAME`.

    Raises:
        ValueError: If there is none of that name.

    >>> named("logistic") is logistic
    True
    """
    if name not in BY_NAME:
        raise unknown("loss", name, BY_NAME)
    return BY_NAME[name]
