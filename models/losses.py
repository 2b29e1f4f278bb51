"""Losses of one sample as a function of the network's outputs and the targets.

A loss is static: a name and a pure function. The objective that moves a network is the *mean* over
samples plus the decay of rho (`models.problem`).
"""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss per sample.

    Attributes:
        name: How it is called in tables and pictures.
        per_sample: ``per_sample(outputs, targets) -> [samples]``; outputs and targets are
            ``[samples]`` or ``[samples, outputs]``.
    """

    name: str
    per_sample: Callable[
        [Float[Array, "samples ..."], Float[Array, "samples ..."]], Float[Array, "samples"]
    ]


def _squared_error(
    outputs: Float[Array, "samples ..."], targets: Float[Array, "samples ..."]
) -> Float[Array, "samples"]:
    squares = (targets - outputs) ** 2
    return jnp.sum(squares.reshape(squares.shape[0], -1), axis=1)


square = Loss("square", _squared_error)
"""The square loss, |y_n - f_W(x_n)|^2, summed over outputs. For labels +-1 it is
(1 - rho fbar_n)^2. Source: [Dyn] (1), in the mean normalisation."""
