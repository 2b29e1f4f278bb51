"""What the statements about targets +-1, and about moments, are made of, at one point."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .... import models

SCALAR = ("signs", "square", "degree_one")
"""Of whom the theory of targets +-1 speaks: the square loss, every layer of degree one."""

POLAR = ("signs", "square", "homogeneous")
"""Where it asks no more than f_W = rho f_V."""

ANY_TARGETS = ("square", "homogeneous")
"""Where it holds of C outputs as well, with the moments of `means`."""


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


class Means(NamedTuple):
    """Moments of the normalised outputs for any targets, as scalars.

    Attributes:
        mu: mean <f_n, y_n>.
        moment: M = mean |f_n|^2.
        size: S = mean |y_n|^2, one for targets +-1 and one-hot ones.
    """

    mu: Float[Array, ""]
    moment: Float[Array, ""]
    size: Float[Array, ""]


def means(problem: models.Problem, view: models.View) -> Means:
    """The moments at a view, by nothing else of the library."""
    outputs, targets = problem.network.apply(view.directions, problem.inputs), problem.targets
    products = (outputs * targets, outputs**2, targets**2)
    return Means(*(jnp.sum(product) / len(targets) for product in products))


def slopes(problem: models.Problem, view: models.View) -> models.Polar:
    """The objective's gradient in rho and in the V_k as free matrices: the size of what cancels."""
    here = models.Polar(view.rho, view.directions)
    return jax.grad(lambda polar: models.objective(problem, polar))(here)


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
