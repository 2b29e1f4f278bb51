"""The flow that gradient descent really follows: the modified loss.

Descent with step eta follows, to second order in eta, the flow of

    U + (m / 2) |grad U|^2,     m = eta (1 + beta) / (2 (1 - beta)^2),

with heavy-ball momentum beta; for beta = 0 this is U + (eta / 4) |grad U|^2. On the spheres the
gradient is the Riemannian one, |grad U|^2 = rho'^2 + sum_k |V_k'|^2. Minibatches of B out of N,
drawn without replacement, add on average over shuffles

    (eta / (4 (1 - beta))) (N - B) / (B (N - 1)) tr Sigma,

with Sigma the covariance of the per-sample gradients; with momentum, for epochs of many more than
1 / (1 - beta) batches and a buffer that starts warm. Time is in units of the effective rate,
learning_rate / (1 - momentum) per step, as for descent.

The correction is good while eta times the top curvature stays below about 1/2; the edge of
stability, eta h ~ 2, is outside it, and this flow neither oscillates nor diverges there.

Source: [M117] section 5 (Barrett and Dherin's modified loss); batches, Smith et al.
"""

from typing import Unpack

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from ...models.binding import bind
from ...models.checks import is_traced, refusal, single
from ...models.problem import Problem, take
from ..normalisation import Normalisation, fitting, gradient
from ..normalisation.fitting import samples_apart
from ..normalisation.kind import prepare
from ..normalisation.positions import hold
from ..ranges import check_batch_size
from ..types import Dynamics
from .build import Integration, build
from .motion import Motion


def corrected_flow(
    problem: Problem,
    learning_rate: ArrayLike,
    *,
    momentum: ArrayLike = 0.0,
    batch_size: int | None = None,
    normalisation: Normalisation | None = None,
    **integration: Unpack[Integration],
) -> Dynamics:
    """The modified-loss flow of gradient descent, or on average of SGD.

    Args:
        problem: What is learned.
        learning_rate: eta of the descent that is followed; zero gives the plain flow.
        momentum: Its heavy-ball momentum.
        batch_size: Its batch size, for the minibatch term; none for full batches.
        normalisation: Which coordinates move; the product of spheres unless given.
        **integration: See `dynamics.gradient_flow`.

    Raises:
        ValueError: If the rate is negative, the momentum outside [0, 1), or the batch size is not
            in 1..samples, or one is given for a network with batch norm, or the normalisation
            does not fit the network.
    """
    chosen = fitting(problem, normalisation)
    if chosen.bend is None:
        raise refusal(
            "a normalisation in which descent follows a modified loss to second order",
            chosen.name,
            "use free() for the motion of layerwise(), sphere() for that of lagrange()",
        )
    _check_batch(problem, batch_size)
    motion = Motion(
        name="corrected flow",
        field=bind(_field, chosen, batch_size),
        prepare=bind(prepare, chosen),
        view=chosen.view,
        retract=chosen.retract,
        smooth=chosen.smooth,
    )
    return build(problem, motion, rates(problem, learning_rate, momentum), **integration)


def rates(
    problem: Problem, learning_rate: ArrayLike, momentum: ArrayLike, *, positive: bool = False
) -> dict[str, Array]:
    """The settings of a flow that follows a descent: its rate and its momentum.

    Raises:
        ValueError: If they are not single numbers, the rate is negative or the momentum is outside
            [0, 1).
    """
    for name, value in (("learning_rate", learning_rate), ("momentum", momentum)):
        single(name, value)
    eta, beta = (jnp.asarray(x, problem.inputs.dtype) for x in (learning_rate, momentum))
    least = "> 0" if positive else ">= 0"
    if not is_traced((eta, beta)) and not (
        (eta > 0 if positive else eta >= 0) and eta < jnp.inf and 0 <= beta < 1
    ):
        raise refusal(
            f"a finite learning_rate {least} and momentum in [0, 1)",
            f"{learning_rate} and {momentum}",
            "take those of the descent that is followed",
        )
    return {"learning_rate": eta, "momentum": beta}


def inertia(settings: dict[str, Array]) -> Float[Array, ""]:
    """The mass m = eta (1 + beta) / (2 (1 - beta)^2), in units of time.

    Source: [M117] section 5.
    """
    eta, beta = settings["learning_rate"], settings["momentum"]
    return eta * (1 + beta) / (2 * (1 - beta) ** 2)


def modified_potential(
    normalisation: Normalisation,
    batch_size: int | None,
    problem: Problem,
    settings: dict[str, Array],
    position: PyTree,
) -> Float[Array, ""]:
    """U + (m / 2) |grad U|^2, and the minibatch term where there is a batch size."""
    slope = gradient(normalisation, problem, position)
    value = normalisation.potential(problem, position, None)
    value += inertia(settings) / 2 * _square(normalisation, position, slope)
    if batch_size is None:
        return value
    samples = problem.inputs.shape[0]
    share = (samples - batch_size) / (batch_size * max(samples - 1, 1))
    spread = _gradient_spread(normalisation, problem, position, slope)
    rate = settings["learning_rate"] / (1 - settings["momentum"])
    return value + rate / 4 * share * spread


def _field(
    normalisation: Normalisation,
    batch_size: int | None,
    problem: Problem,
    settings: dict[str, Array],
    position: PyTree,
) -> PyTree:
    here = normalisation.retract(position)

    def modified(moving: PyTree) -> Float[Array, ""]:
        held = hold(normalisation.frozen, here, moving)
        return modified_potential(normalisation, batch_size, problem, settings, held)

    return jax.tree.map(jnp.negative, normalisation.project(here, jax.grad(modified)(here)))


def _square(normalisation: Normalisation, position: PyTree, slope: PyTree) -> Float[Array, ""]:
    """|grad|^2 in the metric of the coordinates: the gradient's product with its projection."""
    parts = jax.tree.map(
        lambda own, moved: jnp.sum(own * moved),
        slope,
        normalisation.project(position, slope),
    )
    return jnp.sum(jnp.stack(jax.tree.leaves(parts)))


def _gradient_spread(
    normalisation: Normalisation, problem: Problem, position: PyTree, mean: PyTree
) -> Float[Array, ""]:
    """The trace of Sigma: the mean over samples of |g_n - g|^2, one sample after another."""

    def distance(index: Array) -> Float[Array, ""]:
        alone = gradient(normalisation, take(problem, index[None]), position)
        return _square(normalisation, position, jax.tree.map(jnp.subtract, alone, mean))

    return jnp.mean(jax.lax.map(distance, jnp.arange(problem.inputs.shape[0])))


def _check_batch(problem: Problem, batch_size: int | None) -> None:
    if batch_size is not None:
        samples_apart(problem, "the minibatch term")
        check_batch_size(batch_size, problem.inputs.shape[0])
