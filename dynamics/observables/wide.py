"""Collapse of networks with a linear head, as bounded by fit and balance: predicted and measured.

In the symbols of [Wide], Z_0 = X is [features, samples], W_l is [fan_out, fan_in] and Z_l is what
layer l passes on, Z_L the outputs; the last L_2 = ``linear_layers`` + 1 layers are linear, with
Z_{L_1} below them, and *head* = W_L ... W_{L_1+1}. K classes, N samples, Y the one-hot targets,
s_K the K-th singular value. With operator norms but for |Z_L - Y|, which is Frobenius,

    eps_1 = |Z_L - Y|,   eps_2 = max |W_{l+1}^T W_{l+1} - W_l W_l^T| over pairs of the head,
    r     = max(|Z_{L-2}|, |Z_{L-1}|, |W_l| of the head),      c_3 = s_1 / s_K of the head,
    Psi   = r (eps_1 / (s_K(Y) - eps_1) + sqrt(n_{L-1} eps_2)),

at any point of weight space, trained or not, on balanced classes:

| observable | measured | bound | [Wide] |
|---|---|---|---|
| `distance` | abs(Z_{L-1} - W_L^+ Y), Frobenius | at most Psi | (23) |
| `nc1` | tr Sigma_W / tr Sigma_B | at most (r Psi)^2 / (sqrt(N (K-1)/K) - 2 eps_1)^2 | (18) |
| `condition` | kappa(W_L) | at most (c_3^2 (1+e) + e)^(1/(2 L_2)), e = E/(q - E) | (19) |
| `nc2` | kappa of the class means | at most (kappa(W_L) + t)/(1 - t), t = r Psi/s_K(Y) | (20) |
| `transpose` | abs((W'^+ - W'^T) Y), W' = W_L/s_K | at most sqrt N (kappa - 1/kappa) | for (21) |
| `nc3` | mean cos(z_n, W_c) | at least the one of `nc3` | (21) |
| `nc3_balanced` | the same of W_L^+ Y for Z_{L-1} | at least 2 kappa/(1 + kappa^2) | ours |
| `power` | abs((W_L W_L^T)^L_2 - head head^T) | at most E | Lemma C.2 |

with E = (L_2^2/2) r^(2 (L_2-1)) eps_2 and q = (s_K(Y) - eps_1)^2 / |Z_{L_1}|^2. Each observable
gives ``measured`` and ``bound``, some a ``sharper`` bound as well, in the same units. A bound whose
premise fails says nothing: an upper one is then infinite, a lower one -infinity. Unbalanced classes
are not covered; centred targets have s_K(Y) = 0, where nothing is bounded.

``linear_layers`` is that of `models.mlp` and set by `class_moments.with_options`; a smaller one
asks of the end of the head alone, and 1, the default, of the last two layers. Names in
`observables.BY_NAME` begin with ``wide_``.

Printed forms that differ: (19) has r of the head alone and |X| for q; (21) sqrt K for sqrt N, and
lengths of z_n as if they lay in the row space of W_L, which is so where eps_2 = 0. (19) is printed
with exponents that are valid and looser, Lemma C.2 with an L_2^2 of which L_2 (L_2 - 1) is enough.

Source: [Wide] Theorems 3.1 and B.1, Lemma C.2, with corrected constants.
"""

import functools
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models.checks import refusal
from ...models.network import Weights
from ...models.polar import to_weights
from ...models.problem import Problem
from ...models.views import View
from . import balance, collapse
from .decompositions import operator_norm, pinv, singular_values

Bounded = dict[str, Float[Array, ""]]
"""``measured`` and ``bound``, and where there is one a ``sharper`` bound."""


class Head(NamedTuple):
    """The linear head and what it sees; weights are [fan_in, fan_out], samples are rows.

    Attributes:
        layers: W_{L_1+1}, ..., W_L.
        passed: Z_{L_1}, ..., Z_{L-1}.
        outputs: Z_L.
        targets: Y.
        fit: eps_1.
        imbalance: eps_2.
        size: r.
        conditions: kappa(W_L ... W_l), from the whole head to W_L alone; c_3 is the first.
        reach: s_K(Y) - eps_1, below which s_K(Z_L) cannot be.
    """

    layers: Weights
    passed: tuple[Float[Array, "samples width"], ...]
    outputs: Float[Array, "samples classes"]
    targets: Float[Array, "samples classes"]
    fit: Float[Array, ""]
    imbalance: Float[Array, ""]
    size: Float[Array, ""]
    conditions: Float[Array, "head"]
    reach: Float[Array, ""]

    @property
    def product(self) -> Float[Array, "fan_in classes"]:
        """W_L ... W_{L_1+1}."""
        return functools.reduce(jnp.matmul, self.layers)

    @property
    def psi(self) -> Float[Array, ""]:
        """Psi of (23), infinite where eps_1 >= s_K(Y)."""
        unfit = jnp.where(self.reach > 0, self.fit / self.reach, jnp.inf)
        return self.size * (unfit + jnp.sqrt(len(self.layers[-1]) * self.imbalance))

    def error_of_power(self, count: int) -> Float[Array, ""]:
        """(``count`` / 2) r^(2 (L_2 - 1)) eps_2: E where count is L_2^2."""
        return count / 2 * self.size ** (2 * (len(self.layers) - 1)) * self.imbalance


def head(problem: Problem, view: View, linear_layers: int = 1) -> Head:
    """The head at a point, in the symbols of the module.

    Args:
        problem: Whose network, inputs and one-hot targets.
        view: Where; layers have the view's own radii.
        linear_layers: How many linear layers stand below the last one.

    Raises:
        ValueError: If targets are +-1, the network has batch norm or convolutions, the head is
            longer than the network or has less than two layers, or a layer of it has kinks. A
            smooth activation in the head is not seen.
    """
    conditions = balance.head_condition(problem, view, linear_layers)
    weights = to_weights(view, problem.network)
    below = len(weights) - 1 - linear_layers
    _check(problem, linear_layers, below)
    flat = problem.inputs.reshape(len(problem.inputs), -1)
    passed = (flat, *problem.network.hidden(weights, problem.inputs))
    layers, outputs = weights[below:], passed[-1] @ weights[-1]
    fit = jnp.linalg.norm(outputs - problem.targets)
    return Head(
        layers=layers,
        passed=passed[below:],
        outputs=outputs,
        targets=problem.targets,
        fit=fit,
        imbalance=jnp.max(balance.imbalances(problem, view)[below:]),
        size=jnp.max(jnp.stack([operator_norm(part) for part in (*passed[-2:], *layers)])),
        conditions=conditions,
        reach=least(problem.targets, problem.targets.shape[1]) - fit,
    )


def quantities(problem: Problem, view: View, linear_layers: int = 1) -> dict[str, Float[Array, ""]]:
    """``eps_1``, ``eps_2``, ``r``, ``c_3`` and ``psi``: what the bounds are made of."""
    at = head(problem, view, linear_layers)
    return {
        "eps_1": at.fit,
        "eps_2": at.imbalance,
        "r": at.size,
        "c_3": at.conditions[0],
        "psi": at.psi,
    }


def distance(problem: Problem, view: View, linear_layers: int = 1) -> Bounded:
    """|Z_{L-1} - W_L^+ Y| <= Psi; infinite where eps_1 >= s_K(Y). Source: [Wide] (23)."""
    at = head(problem, view, linear_layers)
    collapsed = at.targets @ pinv(at.layers[-1])
    return {"measured": jnp.linalg.norm(at.passed[-1] - collapsed), "bound": at.psi}


def nc1(problem: Problem, view: View, linear_layers: int = 1) -> Bounded:
    """NC1 by traces from above; infinite where 2 eps_1/sqrt N >= sqrt((K-1)/K). Source: (18)."""
    at = head(problem, view, linear_layers)
    samples, classes = at.targets.shape
    apart = jnp.sqrt((classes - 1) / classes) - 2 * at.fit / jnp.sqrt(samples)
    bound = (at.size * at.psi) ** 2 / samples / apart**2
    return {
        "measured": collapse.nc1_traces(problem, view),
        "bound": jnp.where(apart > 0, bound, jnp.inf),
    }


def condition(problem: Problem, view: View, linear_layers: int = 1) -> Bounded:
    """kappa(W_L) from above; infinite where q <= E. Source: [Wide] (19).

    ``sharper`` has L_2 (L_2 - 1) in E, and for q the head's own s_K^2.
    """
    at = head(problem, view, linear_layers)
    count, classes = len(at.layers), at.targets.shape[1]
    by_fit = (jnp.maximum(at.reach, 0) / operator_norm(at.passed[0])) ** 2

    def bound(error: Float[Array, ""], q: Float[Array, ""]) -> Float[Array, ""]:
        share = error / (q - error)
        powered = at.conditions[0] ** 2 * (1 + share) + share
        return jnp.where(q > error, powered ** (1 / (2 * count)), jnp.inf)

    return {
        "measured": at.conditions[-1],
        "bound": bound(at.error_of_power(count**2), by_fit),
        "sharper": bound(at.error_of_power(count * (count - 1)), least(at.product, classes) ** 2),
    }


def nc2(problem: Problem, view: View, linear_layers: int = 1) -> Bounded:
    """kappa of the uncentred class means from above; infinite where t >= 1. Source: (20)."""
    at = head(problem, view, linear_layers)
    share = at.size * at.psi / (at.reach + at.fit)
    bound = (at.conditions[-1] + share) / (1 - share)
    return {
        "measured": collapse.nc2_condition(problem, view),
        "bound": jnp.where(share < 1, bound, jnp.inf),
    }


def transpose(problem: Problem, view: View, linear_layers: int = 1) -> Bounded:
    """How far W'^T Y is from W'^+ Y, W' = W_L / s_K(W_L), of which (21) is made.

        |(W'^+ - W'^T) Y| <= sqrt N (kappa - 1/kappa)

    Infinite where W_L has no rank K. Print has sqrt K.
    """
    at = head(problem, view, linear_layers)
    samples, classes = at.targets.shape
    rows = at.layers[-1] / least(at.layers[-1], classes)
    kappa = at.conditions[-1]
    return {
        "measured": jnp.linalg.norm(at.targets @ (pinv(rows) - rows.T)),
        "bound": jnp.sqrt(samples) * (kappa - 1 / kappa),
    }


def nc3(problem: Problem, view: View, linear_layers: int = 1) -> Bounded:
    """Mean cos(z_n, W_c) from below. Source: [Wide] (21), corrected.

    With kappa of W_L and N samples,

        NC3 >= [(sqrt N - eps_1)^2 + N/kappa^2 - (r Psi + sqrt N (kappa^2 - 1))^2]
               / (2 N (kappa (1 + eps_1) + r^2 sqrt(eps_2))),

    where r^2 sqrt(eps_2) is ours: what z_n has beyond the row space of W_L. ``sharper`` has
    kappa - 1/kappa for kappa^2 - 1. -infinity where the bracket is negative or eps_1 > 1, where
    single cosines might be negative.
    """
    at = head(problem, view, linear_layers)
    root, kappa = jnp.sqrt(len(at.targets)), at.conditions[-1]
    length = kappa * (1 + at.fit) + at.size**2 * jnp.sqrt(at.imbalance)

    def bound(apart: Float[Array, ""]) -> Float[Array, ""]:
        lost = (at.size * at.psi + root * apart) ** 2
        product = (root - at.fit) ** 2 + (root / kappa) ** 2 - lost
        holds = (product >= 0) & (at.fit <= 1)
        return jnp.where(holds, product / (2 * root**2 * length), -jnp.inf)

    return {
        "measured": collapse.nc3_sample_cosine(problem, view),
        "bound": bound(kappa**2 - 1),
        "sharper": bound(kappa - 1 / kappa),
    }


def nc3_balanced(problem: Problem, view: View, linear_layers: int = 1) -> Bounded:
    """Mean cos of W_L^+ e_c and W_c, what NC3 is at eps_1 = eps_2 = 0: at least 2 k/(1 + k^2).

    By Kantorovich's inequality, with k = kappa(W_L); it holds at every point.
    """
    at = head(problem, view, linear_layers)
    rows, kappa = at.layers[-1], at.conditions[-1]
    lengths = jnp.linalg.norm(pinv(rows), axis=1) * jnp.linalg.norm(rows, axis=0)
    return {"measured": jnp.mean(1 / lengths), "bound": 2 / (kappa + 1 / kappa)}


def power(problem: Problem, view: View, linear_layers: int = 1) -> Bounded:
    """How far the head is from a power of its last layer. Source: [Wide] Lemma C.2.

        |(W_L W_L^T)^L_2 - head head^T| <= (L_2^2/2) r^(2 (L_2 - 1)) eps_2

    ``sharper`` has L_2 (L_2 - 1)/2.
    """
    at = head(problem, view, linear_layers)
    count, last = len(at.layers), at.layers[-1]
    powered = jnp.linalg.matrix_power(last.T @ last, count)
    return {
        "measured": operator_norm(powered - at.product.T @ at.product),
        "bound": at.error_of_power(count**2),
        "sharper": at.error_of_power(count * (count - 1)),
    }


def least(matrix: Float[Array, "rows columns"], count: int) -> Float[Array, ""]:
    """The ``count``-th singular value of ``matrix``, zero where there are fewer."""
    if min(matrix.shape) < count:
        return jnp.zeros((), matrix.dtype)
    return singular_values(matrix)[count - 1]


def _check(problem: Problem, linear_layers: int, below: int) -> None:
    network = problem.network
    if problem.targets.ndim == 1:
        raise refusal(
            "one-hot targets", "targets +-1", "pass models.encode(labels, 'one_hot') and K outputs"
        )
    if network.couples:
        raise refusal("a network without batch norm", network.name, "leave batch_norm out")
    if linear_layers < 1:
        raise refusal(
            "at least one linear layer below the last", linear_layers, "pass linear_layers=1"
        )
    if any(layer >= below for layer in network.kinks):
        raise refusal(
            f"{linear_layers} linear layers below the last one",
            network.name,
            "make it with models.mlp(..., linear_layers=...), or pass fewer",
        )
