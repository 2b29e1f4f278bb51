"""Moments of the normalised outputs, and where they put the equilibrium of rho.

With f_n = f_V(x_n) the outputs of the *normalised* network and y_n the targets,

    mu = mean <f_n, y_n>,   M = mean |f_n|^2,   S = mean |y_n|^2,   sigma^2 = M - mu^2 / S,

where S is 1 for targets +-1 and for one-hot ones and C/(C-1) for centred ones; sigma^2 >= 0
vanishes only where all outputs are one multiple of the targets. The square loss is

    Loss = S - 2 rho mu + rho^2 mu^2 / S + rho^2 sigma^2 + lambda rho^2,

at rest in rho where rho_eq = mu / (M + lambda), and there Loss = S - rho_eq mu, the *gap* to
interpolation. What is true of the square loss only (`rho_eq`, `gap`, `loss_parts`) refuses a
problem with another loss; the rest holds for any.

Source: [Dyn] (7), (8), (28), (33); with C outputs, [Dyn] section 5.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models import losses
from ...models.checks import refusal
from ...models.problem import Problem, data_loss, objective
from ...models.views import View


def normalised_outputs(problem: Problem, view: View) -> Float[Array, "samples outputs"]:
    """f_V(x_n) as ``[samples, outputs]``, one column for a scalar network."""
    values = view.evaluate(problem.network, problem.inputs)
    return values.reshape(values.shape[0], -1)


def targets(problem: Problem) -> Float[Array, "samples outputs"]:
    """Targets as ``[samples, outputs]``."""
    return problem.targets.reshape(problem.targets.shape[0], -1)


def loss(problem: Problem, view: View) -> Float[Array, ""]:
    """Mean loss plus decay times rho squared.

    Under a normalisation that penalises each layer it is not what descends; nor are `rho_eq` and
    `gap` then equilibria (`dynamics.reduced.equilibria.with_layer_decay` has those).
    """
    return objective(problem, view)


def unregularised_loss(problem: Problem, view: View) -> Float[Array, ""]:
    """Mean loss over the samples, without decay."""
    return data_loss(problem, view)


def rho(problem: Problem, view: View) -> Float[Array, ""]:
    """The radius."""
    del problem
    return view.rho


def mu(problem: Problem, view: View) -> Float[Array, ""]:
    """Mean margin mu = mean <f_n, y_n>."""
    return jnp.mean(jnp.sum(normalised_outputs(problem, view) * targets(problem), axis=1))


def second_moment(problem: Problem, view: View) -> Float[Array, ""]:
    """M = mean |f_n|^2."""
    return jnp.mean(jnp.sum(normalised_outputs(problem, view) ** 2, axis=1))


def target_moment(problem: Problem) -> Float[Array, ""]:
    """S = mean |y_n|^2."""
    return jnp.mean(jnp.sum(targets(problem) ** 2, axis=1))


def variance(problem: Problem, view: View) -> Float[Array, ""]:
    """sigma^2 = M - mu^2 / S, computed as a mean of squares so that it cannot be negative."""
    shift = mu(problem, view) / target_moment(problem)
    deviations = normalised_outputs(problem, view) - shift * targets(problem)
    return jnp.mean(jnp.sum(deviations**2, axis=1))


def sigma(problem: Problem, view: View) -> Float[Array, ""]:
    """Spread of the margins, the square root of `variance`."""
    return jnp.sqrt(variance(problem, view))


def rho_eq(problem: Problem, view: View) -> Float[Array, ""]:
    """Where rho would rest if the directions stayed: mu / (M + lambda). Source: [Dyn] (7).

    Raises:
        ValueError: If the loss is not the square one.
    """
    _require_square_loss(problem, "rho_eq")
    return mu(problem, view) / (second_moment(problem, view) + problem.decay)


def gap(problem: Problem, view: View) -> Float[Array, ""]:
    """Gap to interpolation at the equilibrium of rho, S - rho_eq mu, which equals the loss there.

    For targets +-1 it is (sigma^2 + lambda) / (mu^2 + sigma^2 + lambda). Source: [Dyn] (8).

    Raises:
        ValueError: If the loss is not the square one.
    """
    _require_square_loss(problem, "gap")
    return target_moment(problem) - rho_eq(problem, view) * mu(problem, view)


def loss_parts(problem: Problem, view: View) -> dict[str, Float[Array, ""]]:
    """The square loss's parts, which add up to it.

    Returns:
        ``constant`` S, ``fit`` -2 rho mu, ``mean`` rho^2 mu^2 / S, ``spread`` rho^2 sigma^2 and
        ``decay`` lambda rho^2.

    Raises:
        ValueError: If the loss is not the square one.
    """
    _require_square_loss(problem, "loss_parts")
    mean, radius, size = mu(problem, view), view.rho, target_moment(problem)
    return {
        "constant": size,
        "fit": -2 * radius * mean,
        "mean": radius**2 * mean**2 / size,
        "spread": radius**2 * variance(problem, view),
        "decay": problem.decay * radius**2,
    }


def _require_square_loss(problem: Problem, name: str) -> None:
    if problem.loss != losses.square:
        raise refusal(
            f"the square loss for {name}",
            f"the {problem.loss.name} loss",
            "observe loss, rho, mu, M, sigma or margins instead",
        )
