"""Bounds on the test error of a network with unit directions, and what they are made of.

With F the networks of unit directions and rho the radius, with probability 1 - delta over the
training set, for all rho and a gamma fixed beforehand,

    error <= mean_n ramp_gamma(rho fbar_n) + (2 (rho + 1) / gamma) R(F)
             + 3 sqrt(log(2 (rho + 1)(rho + 2) / delta) / (2 N)),

ramp_gamma(z) being 1 for z <= 0, 1 - z/gamma up to gamma and 0 beyond. A grid of G values of gamma
costs delta / G each. The Rademacher complexity R(F) has upper bounds that know only depth and
norms, and is estimated from below by ascent over the spheres (`rademacher_estimate`). With L layers
and s = sqrt(sum |x_n|^2) / N,

| bound on R(F) | of | observable of a network |
|---|---|---|
| (sqrt(2 L log 2) + 1) s | dense layers | `dense_complexity` |
| 2^(L-1) s | binary trees | `tree_complexity` |
| 2^(L-1) s prod_k overlap_k | kernels, patches may overlap | `kernel_complexity` |
| 2^(L-1) s prod_k sqrt(P_k) | the same as Toeplitz matrices: naive | `naive_complexity` |

for activations that act on each unit by itself, with slopes in [0, 1] and a kink at zero at most. A
kernel that passes over P patches is a matrix of Frobenius norm sqrt(P) |w|; where patches overlap
it can stretch its input (`overlap_factor`, `Network.output_bound`). The proof for kernels that are
shared among patches is a sketch in its source.

The bound on the error is a theorem about two classes. With two outputs its function is
(f_1 - f_0) / d, d the difference of the targets, which can be sqrt(2) / d times as large as one
output of unit directions.

Source: [Dyn] Theorems 3 and 4, (12)-(25). Printed forms differ: (16) has log(2 (log rho + 1)^2 /
delta), delta_t = delta / (t (t + 1)) is undefined at t = 0, (19) has 2^L for 2^(L-1), (24) is for
one layer and one dimension, (25) counts patches where it must count their square roots.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from ...models.activations import linear
from ...models.binding import bind
from ...models.checks import refusal, single
from ...models.inputs import input_norms
from ...models.layers import Layer
from ...models.network import Network
from ...models.polar import normalise
from ...models.problem import Problem
from ...models.views import View
from .margins import margins

GAMMAS = tuple(2.0**-power for power in range(6))


def ramp(values: Float[Array, "samples"], gamma: float) -> Float[Array, "samples"]:
    """One for values up to 0, none beyond ``gamma``, linear between."""
    return jnp.clip(1 - values / gamma, 0, 1)


def ramp_loss(gamma: float = 1.0) -> Callable[[Problem, View], Float[Array, ""]]:
    """An observable: the mean ramp loss of rho fbar_n, which vanishes beyond ``gamma``.

    Raises:
        ValueError: If gamma is not positive.
    """
    return bind(_ramp_loss, *_grid((gamma,)))


def complexity(problem: Problem) -> Float[Array, ""]:
    """The bound on R(F) of this network: `dense_complexity`, or `kernel_complexity` with kernels.

    Raises:
        ValueError: As these.
    """
    chosen = dense_complexity if _is_dense(problem.network) else kernel_complexity
    return chosen(problem)


def dense_complexity(problem: Problem) -> Float[Array, ""]:
    """The bound (sqrt(2 L log 2) + 1) sqrt(sum |x_n|^2) / N on R(F) of an output of dense layers.

    Raises:
        ValueError: If a layer is a kernel, layers are not known, or one has batch norm or another
            activation than ReLU, leaky ReLU and none.
    """
    network = problem.network
    _require_peeling(network)
    if not _is_dense(network):
        raise refusal("dense layers", network.name, "ask for kernel_complexity, or complexity")
    return (math.sqrt(2 * len(network.layers) * math.log(2)) + 1) * _spread(problem)


def kernel_complexity(problem: Problem) -> Float[Array, ""]:
    """The bound 2^(L-1) prod_k overlap_k sqrt(sum |x_n|^2) / N on R(F) of an output.

    Raises:
        ValueError: As `dense_complexity`, but that layers may be kernels.
    """
    _require_peeling(problem.network)
    return _halves(problem.network) * problem.network.output_bound * _spread(problem)


def naive_complexity(problem: Problem) -> Float[Array, ""]:
    """The bound of `kernel_complexity` with norms of Toeplitz matrices: prod_k sqrt(P_k) in it.

    Raises:
        ValueError: As `kernel_complexity`.
    """
    _require_peeling(problem.network)
    patches = math.prod(_patches(layer) for layer in problem.network.layers)
    return _halves(problem.network) * math.sqrt(patches) * _spread(problem)


def tree_complexity(layers: int, problem: Problem) -> Float[Array, ""]:
    """2^(L-1) sqrt(sum |x_n|^2) / N of binary trees of L = ``layers``, kernels and strides of two.

    Raises:
        ValueError: If the network is no binary tree of so many layers.
    """
    network = problem.network
    nodes = [layer.gives[0] if len(layer.gives) == 2 else 0 for layer in network.layers]
    if nodes != [2**level for level in reversed(range(layers))]:
        raise refusal(f"a binary tree of {layers} layers", network.name, "see models.tree")
    return kernel_complexity(problem)


def overlap_factor(kernel: Sequence[int], stride: Sequence[int]) -> float:
    """How far a unit kernel stretches: prod sqrt(ceil(k / s)) over ``kernel`` sizes and ``stride``.

    >>> overlap_factor((3, 3), (1, 1)), overlap_factor((3,), (3,))
    (3.0, 1.0)
    """
    sizes = zip(kernel, stride, strict=True)
    return math.sqrt(math.prod(math.ceil(k / s) for k, s in sizes))


def naive_factor(layers: int) -> float:
    """2^(L (L-1) / 4), the Toeplitz matrices' norms multiplied, of a tree of L = ``layers``."""
    return 2.0 ** (layers * (layers - 1) / 4)


def error_bound(
    delta: float = 0.05,
    gammas: Sequence[float] = (1.0,),
    of_class: Callable[[Problem], Float[Array, ""]] = complexity,
) -> Callable[[Problem, View], Float[Array, ""]]:
    """An observable: the bound on the test error of two classes, the least over gammas.

    Args:
        delta: The probability with which it may fail.
        gammas: A grid chosen beforehand; `GAMMAS` is one.
        of_class: The bound on R(F): `complexity`, which goes by the network, unless given;
            `naive_complexity` for example.

    Raises:
        ValueError: If delta is not in (0, 1), there is no gamma or one is not positive; when it is
            evaluated, if there are more than two classes, or ``of_class`` refuses the network.
    """
    grid = _grid(gammas)
    single("delta", delta)
    if not 0 < delta < 1:
        raise refusal("delta in (0, 1)", delta, "pass for example delta=0.05")
    return bind(_error_bound, float(delta), grid, of_class)


def of_rho(
    rho: ArrayLike, complexity: ArrayLike, samples: int, delta: float, gamma: float = 1.0
) -> Float[Array, ""]:
    """The bound beyond the empirical ramp loss, from ``rho`` and R(F) = ``complexity`` alone.

    Of N = ``samples``, with probability 1 - ``delta``, for the ramp up to ``gamma``.

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

    f_V is the first output.

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


def _grid(gammas: Sequence[float]) -> tuple[float, ...]:
    """Gammas as numbers, checked."""
    if not isinstance(gammas, Sequence) or not gammas:
        raise refusal("a grid of gammas", gammas, "pass for example (1.0,)")
    for gamma in gammas:
        single("gamma", gamma)
    if not min(gammas) > 0:
        raise refusal("positive gammas", gammas, "pass for example (1.0,)")
    return tuple(map(float, gammas))


def _require_peeling(network: Network) -> None:
    """Refuses what a bound by depth and norms does not hold for."""
    used = {layer.activation for layer in network.layers} - {linear}
    if any(activation.smooth for activation in used) or not math.isfinite(network.output_bound):
        raise refusal(
            "layers that are known, without batch norm, with ReLU, leaky ReLU or no activation",
            network.name,
            "no bound on its complexity is known here",
        )


def _is_dense(network: Network) -> bool:
    """Whether every layer is one matrix."""
    return all(len(layer.shape) == 2 for layer in network.layers)


def _halves(network: Network) -> float:
    """Each layer but one costs two: the positive and the negative half of the sign's supremum."""
    return 2.0 ** (len(network.layers) - 1)


def _patches(layer: Layer) -> int:
    """Over how many patches the layer's kernel passes: one where each place has its own weights."""
    shared = len(layer.shape) == len(layer.gives) + 1
    return math.prod(layer.gives[:-1]) if shared else 1


def _spread(problem: Problem) -> Float[Array, ""]:
    norms = input_norms(problem.inputs)
    return jnp.sqrt(jnp.sum(norms**2)) / len(norms)


def _ramp_loss(gamma: float, problem: Problem, view: View) -> Float[Array, ""]:
    return jnp.mean(ramp(jnp.abs(view.rho) * margins(problem, view), gamma))


def _error_bound(
    delta: float,
    gammas: tuple[float, ...],
    of_class: Callable[[Problem], Float[Array, ""]],
    problem: Problem,
    view: View,
) -> Float[Array, ""]:
    samples, found = problem.inputs.shape[0], _stretch(problem) * of_class(problem)
    share = delta / len(gammas)
    each = [
        _ramp_loss(gamma, problem, view) + of_rho(view.rho, found, samples, share, gamma)
        for gamma in gammas
    ]
    return jnp.min(jnp.stack(each))


def _stretch(problem: Problem) -> Float[Array, ""]:
    """The most that the function whose sign decides can be of one output: sqrt(2)/d with two."""
    if problem.targets.ndim == 1:
        return jnp.ones((), problem.targets.dtype)
    if problem.targets.shape[1] != 2:
        raise refusal(
            "two classes, of which the bound speaks",
            f"{problem.targets.shape[1]} outputs",
            "ask of each pair of classes by itself",
        )
    return math.sqrt(2) / jnp.abs(problem.targets[0, 1] - problem.targets[0, 0])
