"""Bounds on the test error of a network with unit directions, and what they are made of.

With F the networks of unit directions and rho the radius, with probability 1 - delta over the
training set, for all rho and a gamma fixed beforehand,

    error <= mean_n ramp_gamma(rho fbar_n) + (2 (rho + 1) / gamma) R(F)
             + 3 sqrt(log(2 (rho + 1)(rho + 2) / delta) / (2 N)),

ramp_gamma(z) being 1 for z <= 0, 1 - z/gamma up to gamma and 0 beyond. A grid of G values of gamma
costs delta / G each. The Rademacher complexity R(F) has upper bounds that know only depth and
norms, and is estimated from below by ascent over the spheres (`rademacher_estimate`).

Source: [Dyn] Theorems 3 and 4, (12)-(25). Printed forms differ: (16) has log(2 (log rho + 1)^2 /
delta), delta_t = delta / (t (t + 1)) is undefined at t = 0, (19) has 2^L for 2^(L-1), (24) is for
one layer and one dimension, (25) counts patches where it must count their square roots.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from ...models.binding import bind
from ...models.checks import refusal
from ...models.inputs import input_norms
from ...models.polar import normalise
from ...models.problem import Problem
from ...models.views import View
from .margins import margins

GAMMAS = tuple(2.0**-power for power in range(6))


def ramp(values: Float[Array, "samples"], gamma: float) -> Float[Array, "samples"]:
    """One for values up to 0, none beyond gamma, linear between."""
    return jnp.clip(1 - values / gamma, 0, 1)


def ramp_loss(gamma: float = 1.0) -> Callable[[Problem, View], Float[Array, ""]]:
    """An observable: the mean ramp loss of rho fbar_n.

    Raises:
        ValueError: If gamma is not positive.
    """
    if not gamma > 0:
        raise refusal("a positive gamma", gamma, "pass for example gamma=1.0")
    return bind(_ramp_loss, gamma)


def dense_complexity(problem: Problem) -> Float[Array, ""]:
    """The bound (sqrt(2 L log 2) + 1) sqrt(sum |x_n|^2) / N on R(F) of dense layers."""
    layers = len(jax.eval_shape(problem.network.init, jax.random.key(0)))
    return (math.sqrt(2 * layers * math.log(2)) + 1) * _spread(problem)


def tree_complexity(layers: int, problem: Problem) -> Float[Array, ""]:
    """The bound 2^(L-1) sqrt(sum |x_n|^2) / N of binary trees, kernels of size and stride two."""
    return 2.0 ** (layers - 1) * _spread(problem)


def overlap_factor(kernel: Sequence[int], stride: Sequence[int]) -> float:
    """How far one unit kernel can stretch: the product over dimensions of sqrt(ceil(k / s)).

    >>> overlap_factor((3, 3), (1, 1)), overlap_factor((3,), (3,))
    (3.0, 1.0)
    """
    sizes = zip(kernel, stride, strict=True)
    return math.sqrt(math.prod(math.ceil(k / s) for k, s in sizes))


def naive_factor(layers: int) -> float:
    """The product of the Toeplitz matrices' Frobenius norms of a binary tree: 2^(L (L-1) / 4)."""
    return 2.0 ** (layers * (layers - 1) / 4)


def error_bound(
    delta: float = 0.05, gammas: Sequence[float] = (1.0,)
) -> Callable[[Problem, View], Float[Array, ""]]:
    """An observable: the bound on the test error of a dense network, the least over gammas.

    Args:
        delta: The probability with which it may fail.
        gammas: A grid chosen beforehand; `GAMMAS` is one.

    Raises:
        ValueError: If delta is not in (0, 1) or a gamma not positive.
    """
    if not 0 < delta < 1 or not min(gammas) > 0:
        raise refusal("delta in (0, 1) and positive gammas", f"{delta} and {gammas}", "change them")
    return bind(_error_bound, float(delta), tuple(gammas))


def of_rho(
    rho: ArrayLike, complexity: ArrayLike, samples: int, delta: float, gamma: float = 1.0
) -> Float[Array, ""]:
    """The bound beyond the empirical ramp loss, from rho alone.

    >>> complexity = (math.sqrt(12 * math.log(2)) + 1) / 100
    >>> round(float(of_rho(100.0, complexity, 10_000, 0.05)), 1)
    7.9
    """
    radius = jnp.abs(jnp.asarray(rho))
    confidence = jnp.log(2 * (radius + 1) * (radius + 2) / delta) / (2 * samples)
    return 2 * (radius + 1) / gamma * complexity + 3 * jnp.sqrt(confidence)


def rademacher_estimate(
    problem: Problem, key: Key[Array, ""], *, draws: int = 20, starts: int = 4, steps: int = 100
) -> Float[Array, ""]:
    """R(F) from below: the mean over random signs of the largest sum_n s_n f_V(x_n) / N found.

    Each step sets every V_k to the direction of its gradient, where a linear network of one layer
    is at its largest at once; the best value on the way counts.

    Args:
        problem: Its network and inputs; targets play no part.
        key: Draws signs and starts.
        draws: Of signs.
        starts: Of ascent, for each draw.
        steps: Of each ascent.
    """
    samples = problem.inputs.shape[0]

    def ascend(member: Key[Array, ""], signs: Float[Array, "samples"]) -> Float[Array, ""]:
        def gain(directions: tuple[Array, ...]) -> Float[Array, ""]:
            values = problem.network.apply(directions, problem.inputs)
            return jnp.abs(jnp.mean(signs * values.reshape(samples, -1)[:, 0]))

        def move(_: Array, carry: tuple[tuple[Array, ...], Array]) -> tuple[tuple, Array]:
            directions, best = carry
            value, slope = jax.value_and_grad(gain)(directions)
            ahead = tuple(1e-9 * v + g for v, g in zip(directions, slope, strict=True))
            return normalise(ahead), jnp.maximum(best, value)

        begin = (normalise(problem.network.init(member)), jnp.zeros((), problem.inputs.dtype))
        return jax.lax.fori_loop(0, steps, move, begin)[1]

    def supremum(draw: Key[Array, ""]) -> Float[Array, ""]:
        sign_key, start_key = jax.random.split(draw)
        signs = jax.random.rademacher(sign_key, (samples,), problem.inputs.dtype)
        members = jax.random.split(start_key, starts)
        return jnp.max(jax.lax.map(lambda member: ascend(member, signs), members))

    return jnp.mean(jax.lax.map(supremum, jax.random.split(key, draws)))


def _spread(problem: Problem) -> Float[Array, ""]:
    norms = input_norms(problem.inputs)
    return jnp.sqrt(jnp.sum(norms**2)) / len(norms)


def _ramp_loss(gamma: float, problem: Problem, view: View) -> Float[Array, ""]:
    return jnp.mean(ramp(jnp.abs(view.rho) * margins(problem, view), gamma))


def _error_bound(
    delta: float, gammas: tuple[float, ...], problem: Problem, view: View
) -> Float[Array, ""]:
    samples, complexity = problem.inputs.shape[0], dense_complexity(problem)
    share = delta / len(gammas)
    each = [
        _ramp_loss(gamma, problem, view) + of_rho(view.rho, complexity, samples, share, gamma)
        for gamma in gammas
    ]
    return jnp.min(jnp.stack(each))
