"""What the statements about targets +-1 are made of, at one point."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .... import models


class Parts(NamedTuple):
    """A point in the documents' symbols.

    Attributes:
        rho: The radius.
        margins: fbar_n, ``[samples]``.
        residuals: l_n = 1 - rho fbar_n, ``[samples]``.
        outputs: f_n = f_V(x_n), ``[samples]``.
        directions: V_k.
        slopes: d_k fbar_n, for every layer ``[samples, *layer]``.
        mu: Mean margin.
        moment: M, the mean square margin.
        decay: lambda.
    """

    rho: Float[Array, ""]
    margins: Float[Array, "samples"]
    residuals: Float[Array, "samples"]
    outputs: Float[Array, "samples"]
    directions: models.Weights
    slopes: tuple[Array, ...]
    mu: Float[Array, ""]
    moment: Float[Array, ""]
    decay: Float[Array, ""]


def parts(problem: models.Problem, view: models.View) -> Parts:
    """The parts at a view, by reverse mode and nothing else of the library."""

    def margins(directions: models.Weights) -> Array:
        return problem.targets * problem.network.apply(directions, problem.inputs)

    values, slopes = margins(view.directions), jax.jacrev(margins)(view.directions)
    return Parts(
        rho=view.rho,
        margins=values,
        residuals=1 - view.rho * values,
        outputs=problem.targets * values,
        directions=view.directions,
        slopes=slopes,
        mu=jnp.mean(values),
        moment=jnp.mean(values**2),
        decay=problem.decay,
    )


def mean_over_samples(weights: Float[Array, "samples"], values: Array) -> Array:
    """Mean over n of weights_n values_n."""
    return jnp.tensordot(weights, values, axes=1) / len(weights)


def tangent(weights: Float[Array, "samples"], at: Parts) -> tuple[Array, ...]:
    """Mean over n of weights_n (d_k fbar_n - V_k fbar_n), for every layer."""
    radial = jnp.mean(weights * at.margins)
    return tuple(
        mean_over_samples(weights, slope) - radial * direction
        for slope, direction in zip(at.slopes, at.directions, strict=True)
    )
