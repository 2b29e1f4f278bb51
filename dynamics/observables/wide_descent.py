"""What [Wide] asks of a start and of steps, so that descent is sure to fit and then to balance.

In the symbols of `wide`, with gamma the least slope of the activation and theta all weights,

    C_0 = (1/2) |Z_L - Y|^2,        C_lambda = C_0 + (lambda/2) |theta|^2.

**Dictionary.** This is N/2 times the mean loss of `models.problem` with decay of each layer
(`normalisation.free()`): lambda = N ``problem.decay``, and a learning rate eta of C_lambda is 2/N
of the library's. Gradients here are of C_0 and C_lambda.

At every point (`slope`, `decayed_slope`)

    |grad C_0|^2 >= (alpha/2) C_0,   alpha = 4 [gamma^(L-2) s_N(Z_1) prod_{l>=3} s_min(W_l)]^2,
    |grad C_lambda|^2 >= (alpha/4) (C_lambda - lambda m),   m = (1 + sqrt(4 lambda/alpha))^2 R^2,

with R = |theta|, s_N(Z_1) = 0 where the first layer is narrower than N, and s_min(W_l) = 0 where a
layer widens. Around a start theta_0 with lambda_F = s_N(Z_1), lambda_l = s_min(W_l), in a ball of
radius r_0 the second holds with one alpha, a quarter of it for each factor (`ball`):

    r_0   = (1/2) min(lambda_F/|X|, min_{l>=3} lambda_l),
    alpha = [2^-(L-2) gamma^(L-2) lambda_F prod_{l>=3} lambda_l]^2,      R = |theta_0| + r_0.

Steps eta <= 1/beta, beta a Lipschitz constant of grad C_lambda, lower C_lambda by (eta/2)
|grad C_lambda|^2 at least. So C_lambda - lambda m shrinks by 1 - eta alpha/8 a step, on a path no
longer than 8 sqrt(C_lambda(theta_0)/alpha). What `requirements` makes of this:

- the path stays in the ball if r_0 >= 8 sqrt(2 C_0/alpha) and lambda <= 2 C_0/|theta_0|^2 at the
  start: [Wide]'s assumption (8) on lambda_F prod lambda_l min(lambda_F/|X|, min lambda_l);
- C_lambda <= 2 lambda m after k_1 steps, (12), and eps_1^2 <= 4 lambda m. With lambda <= alpha,
  m <= 9 R^2, so that lambda <= eps_1^2/(36 R^2) is enough;
- then |theta|^2 <= 4 m, and the recursion of the imbalances, D^+ = (1 - eta lambda)^2 D + eta^2
  (T_{l+1}^T T_{l+1} - T_l T_l^T), with a sum of |grad C_lambda|^2 of at most 4 lambda m/eta, gives
  eps_2 <= 4 m (1 - eta lambda)^(2 k_2) + 16 eta lambda m. Both halves of eps_2 suffice.

So k_1 is of the order 1/(eta alpha), k_2 of the order 1/(eta lambda).

Printed forms that differ: alpha lacks its square, r_0 the |X|; (8) goes with another alpha. The
conditions with 36, 16 and k_2 are ours, worked out from the proof of Proposition 4.5 and from the
recursion; [Wide] (27) has constants of its own.

Limits: a Lipschitz constant needs a smooth activation (leaky, for alpha: gamma = 0 bounds
nothing). Worst cases: what the run needs is often far less.

Source: [Wide] Proposition 4.5, (8), (12), (27), Theorem B.2, in corrected form.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, ArrayLike, Float

from ...models.binding import bind
from ...models.checks import refusal
from ...models.network import Weights
from ...models.polar import squared_norms, to_weights
from ...models.problem import Problem
from ...models.views import View
from .decompositions import operator_norm
from .points import point
from .wide import Bounded, least

Quantities = dict[str, Float[Array, ""]]


def slope(gamma: float) -> Callable[[Problem, View], Bounded]:
    """An observable: 2 |grad C_0|^2 / C_0, at least alpha.

    Args:
        gamma: The least slope of the activation: that of `models.leaky_relu`, 1 if linear.

    Raises:
        ValueError: If gamma is not in [0, 1]; when observed, if targets are +-1, the network has
            batch norm or less than two layers, or the view is of a linearised network.
    """
    return bind(_slope, _checked(gamma))


def decayed_slope(gamma: float) -> Callable[[Problem, View], Bounded]:
    """An observable: |grad C_lambda|^2, at least (alpha/4) (C_lambda - lambda m), or zero.

    Arguments and errors are those of `slope`; m is `plateau`, with R = |theta|.
    """
    return bind(_decayed_slope, _checked(gamma))


def ball(gamma: float) -> Callable[[Problem, View], Quantities]:
    """An observable of a start: ``alpha`` in its ball of ``radius`` r_0, ``reach`` R, ``m``.

    Arguments and errors are those of `slope`.
    """
    return bind(_ball, _checked(gamma))


def requirements(
    learning_rate: ArrayLike,
    *,
    gamma: float,
    fit: float,
    imbalance: float,
    smoothness: float | None = None,
) -> Partial:
    """An observable of a start: what descent to eps_1 and eps_2 asks, beside what the run has.

    Args:
        learning_rate: In the library's units, a leaf.
        gamma: The least slope of the activation.
        fit: eps_1 that shall be reached.
        imbalance: eps_2 that shall be reached.
        smoothness: beta, a Lipschitz constant of grad C_lambda; None leaves eta <= 1/beta out.

    Returns:
        An observable with pairs ``measured`` and ``bound``: ``start``, that must be *at least* its
        bound, assumption (8); ``decay``, lambda, and ``learning_rate``, eta, that must be *at most*
        theirs; and the whole numbers ``fit_steps`` k_1 and ``balance_steps`` k_2. Decay and
        learning rate are in [Wide]'s units. eta's bound and the steps are those of the run's lambda
        and eta where they are allowed, else of the largest that are; steps are infinite where alpha
        or lambda vanish.

    Raises:
        ValueError: If a number is out of range; when observed, as `slope`.
    """
    if not (fit > 0 and imbalance > 0 and (smoothness is None or smoothness > 0)):
        raise refusal(
            "positive fit, imbalance and smoothness",
            f"{fit}, {imbalance} and {smoothness}",
            "pass for example fit=0.1, imbalance=0.01",
        )
    wanted = (float(fit), float(imbalance), None if smoothness is None else float(smoothness))
    return Partial(bind(_requirements, _checked(gamma), *wanted), jnp.asarray(learning_rate, float))


def plateau(alpha: ArrayLike, decay: ArrayLike, reach: ArrayLike) -> Float[Array, ""]:
    """m = (1 + sqrt(4 lambda/alpha))^2 R^2: below lambda m descent is not known to go on.

    Of ``alpha``, lambda = ``decay`` (of sum_k |W_k|^2) and R = ``reach``, which broadcast.
    """
    return ((1 + jnp.sqrt(4 * jnp.asarray(decay) / alpha)) * jnp.asarray(reach)) ** 2


def path_length(cost: ArrayLike, alpha: ArrayLike) -> Float[Array, ""]:
    """8 sqrt(C/``alpha``): no longer is the path of descent from a cost C = ``cost``."""
    return 8 * jnp.sqrt(jnp.asarray(cost) / alpha)


def _checked(gamma: float) -> float:
    if not 0 <= gamma <= 1:
        raise refusal("a least slope in [0, 1]", gamma, "pass that of leaky_relu, or 1 if linear")
    return float(gamma)


def _costs(problem: Problem, weights: Weights) -> tuple[Array, Array, Weights]:
    """C_0, lambda, and the gradient of C_0."""
    if problem.targets.ndim == 1 or problem.network.couples or len(weights) < 2:
        raise refusal(
            "one-hot targets and two layers or more without batch norm",
            f"targets {problem.targets.shape} and {problem.network.name}",
            "pass models.encode(labels, 'one_hot') and another network",
        )

    def cost(layers: Weights) -> Array:
        return jnp.sum((problem.network.apply(layers, problem.inputs) - problem.targets) ** 2) / 2

    value, slopes = jax.value_and_grad(cost)(weights)
    return value, len(problem.targets) * problem.decay, slopes


def _sizes(problem: Problem, weights: Weights) -> tuple[Array, Array]:
    """s_N(Z_1), and s_min of W_3, ..., W_L."""
    first = problem.network.hidden(weights, problem.inputs)[0]
    upper = [least(layer, layer.shape[1]) for layer in weights[2:]]
    return least(first, len(first)), jnp.asarray(upper)


def _alpha(gamma: float, problem: Problem, weights: Weights) -> Float[Array, ""]:
    first, upper = _sizes(problem, weights)
    return 4 * (gamma ** (len(weights) - 2) * first * jnp.prod(upper)) ** 2


def _slope(gamma: float, problem: Problem, view: View) -> Bounded:
    point(view)
    weights = to_weights(view, problem.network)
    cost, _, slopes = _costs(problem, weights)
    return {
        "measured": 2 * jnp.sum(squared_norms(slopes)) / cost,
        "bound": _alpha(gamma, problem, weights),
    }


def _decayed_slope(gamma: float, problem: Problem, view: View) -> Bounded:
    point(view)
    weights = to_weights(view, problem.network)
    cost, decay, slopes = _costs(problem, weights)
    size, alpha = jnp.sum(squared_norms(weights)), _alpha(gamma, problem, weights)
    whole = tuple(s + decay * w for s, w in zip(slopes, weights, strict=True))
    above = cost + decay / 2 * size - decay * plateau(alpha, decay, jnp.sqrt(size))
    bound = jnp.where(alpha > 0, jnp.maximum(alpha / 4 * above, 0), 0)
    return {"measured": jnp.sum(squared_norms(whole)), "bound": bound}


def _ball(gamma: float, problem: Problem, view: View) -> Quantities:
    point(view)
    weights = to_weights(view, problem.network)
    _, decay, _ = _costs(problem, weights)
    first, upper = _sizes(problem, weights)
    alpha = _alpha(gamma, problem, weights) / 4 ** (len(weights) - 1)
    inputs = problem.inputs.reshape(len(problem.inputs), -1)
    radius = jnp.min(jnp.append(upper, first / operator_norm(inputs))) / 2
    reach = jnp.sqrt(jnp.sum(squared_norms(weights))) + radius
    return {
        "alpha": alpha, "radius": radius, "reach": reach, "m": plateau(alpha, decay, reach),
    }  # fmt: skip


def _requirements(
    gamma: float,
    fit: float,
    imbalance: float,
    smoothness: float | None,
    learning_rate: Array,
    problem: Problem,
    view: View,
) -> dict[str, Any]:
    weights, around = to_weights(view, problem.network), _ball(gamma, problem, view)
    cost, decay, _ = _costs(problem, weights)
    alpha, size = around["alpha"], jnp.sum(squared_norms(weights))
    first, upper = _sizes(problem, weights)
    share = (gamma / 2) ** (len(weights) - 2)
    rate = 2 * learning_rate / len(problem.targets)
    lambdas = jnp.stack([alpha, 2 * cost / size, (fit / around["reach"]) ** 2 / 36])
    allowed = jnp.minimum(decay, jnp.min(lambdas))
    m = plateau(alpha, allowed, around["reach"])
    steady = imbalance / (32 * allowed * m)
    fastest = steady if smoothness is None else jnp.minimum(steady, 1 / smoothness)
    slower = jnp.minimum(rate, fastest)
    left = (cost + allowed / 2 * size) / (allowed * m) - 1
    return {
        "start": {
            "measured": first * jnp.prod(upper) * 2 * around["radius"],
            "bound": 2 * path_length(2 * cost, share**2),
        },
        "decay": {"measured": decay, "bound": jnp.min(lambdas)},
        "learning_rate": {"measured": rate, "bound": fastest},
        "fit_steps": _steps(left, slower * alpha / 8),
        "balance_steps": _steps(jnp.sqrt(8 * m / imbalance), slower * allowed),
    }


def _steps(excess: Float[Array, ""], lost: Float[Array, ""]) -> Float[Array, ""]:
    """The least k with excess (1 - lost)^k <= 1."""
    needed = jnp.log(jnp.maximum(excess, 1)) / -jnp.log1p(-lost)
    return jnp.where((lost > 0) & (lost < 1), jnp.ceil(needed), jnp.inf)
