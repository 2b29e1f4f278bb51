"""Statements of section 8 at any point of a network with a linear head: measured against bound.

The head is as long as the network's: all linear layers below the last one, and it. A bound that
says nothing, because a premise fails, is infinite (`dynamics.observables.wide`) and not violated.
"""

import functools
import itertools
from types import ModuleType

import jax.numpy as jnp
from jaxtyping import Array

from .... import models
from ....dynamics.observables import balance, wide, wide_conditioning
from ..properties import linear_layers
from ..statement import Statement
from .free_flow import weights_and_speed
from .residuals import excess, relative


def _said(
    module: ModuleType, name: str, problem: models.Problem, view: models.View
) -> wide.Bounded:
    return getattr(module, name)(problem, view, linear_layers(problem.network))


def from_above(
    module: ModuleType, name: str, form: str, problem: models.Problem, view: models.View
) -> Array:
    """By how much what is measured exceeds an upper bound."""
    at = _said(module, name, problem, view)
    return jnp.where(jnp.isinf(at[form]), 0.0, excess(at["measured"], at[form]))


def from_below(
    module: ModuleType, name: str, form: str, problem: models.Problem, view: models.View
) -> Array:
    """By how much it falls short of a lower one."""
    at = _said(module, name, problem, view)
    return jnp.where(jnp.isinf(at[form]), 0.0, excess(at[form], at["measured"]))


def _operator_norm(matrix: Array) -> Array:
    return jnp.linalg.norm(matrix, ord=2)


def balances(problem: models.Problem, view: models.View) -> Array:
    """|D_l| / min(|W_{l+1}^T W_{l+1}|, |W_l W_l^T|), written out."""
    weights, written = models.to_weights(view, problem.network), []
    for low, high in itertools.pairwise(weights):
        after, before = high @ high.T, low.T @ low
        smaller = jnp.minimum(_operator_norm(after), _operator_norm(before))
        written.append(_operator_norm(after - before) / smaller)
    return relative(balance.balance(problem, view), jnp.stack(written))


def negativities(problem: models.Problem, view: models.View) -> Array:
    """|Z_l - s(Z_l)| / |Z_l| of pre-activations, written out."""
    below = problem.inputs.reshape(len(problem.inputs), -1)
    written = []
    hidden = problem.network.hidden(view.directions, problem.inputs)
    for layer, passed in zip(view.directions, hidden, strict=False):
        values = below @ layer
        written.append(_operator_norm(values - jnp.maximum(values, 0)) / _operator_norm(values))
        below = passed
    return relative(balance.negativity(problem, view), jnp.stack(written), 1.0)


def matrices_balance(problem: models.Problem, view: models.View) -> Array:
    """D_l' = -4 lambda D_l of consecutive linear layers, as whole matrices, with layer decay."""
    weights, moves = weights_and_speed(problem, view)
    count = linear_layers(problem.network) + 1
    pairs = itertools.pairwise(list(zip(weights, moves, strict=True))[-count:])
    wrong = []
    for (low, slow), (high, fast) in pairs:
        rate = high @ fast.T + fast @ high.T - low.T @ slow - slow.T @ low
        wrong.append(
            relative(rate, -4 * problem.decay * (high @ high.T - low.T @ low), high @ fast.T)
        )
    return jnp.max(jnp.stack(wrong))


bound = functools.partial
HEAD, DENSE = ("one_hot", "balanced", "linear_head", "fitted"), ("dense", "deep")
SLACK = 1e-9
"""Some of these are equalities where layers are balanced."""


def _above(item: str, place: str, claim: str, name: str, form: str = "bound") -> Statement:
    measure = bound(from_above, wide, name, form)
    return Statement(item, place, claim, measure, tolerance=SLACK, asked_of=HEAD)


def _below(item: str, place: str, claim: str, module: ModuleType, name: str) -> Statement:
    measure = bound(from_below, module, name, "bound")
    return Statement(item, place, claim, measure, tolerance=SLACK, asked_of=HEAD)


STATEMENTS = (
    _above("8.1", "[Wide] (23), anywhere", "|Z_{L-1} - W_L^+ Y| <= Psi", "distance"),
    _above("8.2", "[Wide] (18), anywhere", "NC1 <= (r^2/N) Psi^2/(...)^2", "nc1"),
    _above("8.3", "[Wide] (19), anywhere", "kappa(W_L) <= (c_3^2 (1+e) + e)^{1/(2 L_2)}",
           "condition"),
    _above("8.4", "[Wide] (20), anywhere", "NC2 <= (kappa(W_L) + t)/(1 - t)", "nc2"),
    _above("8.5", "[Wide] (21), anywhere", "|(W'^+ - W'^T) Y| <= sqrt N (kappa - 1/kappa)",
           "transpose"),
    _below("8.5", "in place of [Wide] (21), anywhere",
           "cos(W_L^+ e_c, W_c) >= 2 kappa/(1 + kappa^2)", wide, "nc3_balanced"),
    _below("8.5", "[Wide] (21), NC3 anywhere",
           "NC3 >= its corrected bound", wide, "nc3"),
    _above("8.6", "[Wide] Lemma C.2, anywhere",
           "|(W_L W_L^T)^{L_2} - head head^T| <= (L_2 (L_2 - 1)/2) eps_2 r^..", "power", "sharper"),
    _below("8.10", "[Wide] (14), anywhere",
           "s_K(head) >= (s_K(Y) - eps_1)/|Z_{L_1}|", wide_conditioning, "floor"),
    _below("8.10", "[Wide] Prop 5.1, anywhere",
           "|theta|^2 >= L_2 sum_i s_i(head)^{2/L_2}", wide_conditioning, "size"),
    Statement(
        "8.10", "[Wide] (15), anywhere",
        "kappa(head)^{2/L_2} <= |theta|^2/(L_2 s^{2/L_2}) - (K - 1)",
        bound(from_above, wide_conditioning, "condition_by_size", "bound"), tolerance=SLACK,
        asked_of=HEAD,
    ),
    _below("8.11", "[Wide] Prop 5.3, anywhere",
           "|Theta| >= (...) sum_l kappa(W_{L:l})^2", wide_conditioning, "kernel"),
    Statement("8.12", "[Wide] 6, balance anywhere", "balance by its definition", balances,
              tolerance=1e-9, asked_of=DENSE),
    Statement("8.12", "[Wide] 6, negativity anywhere", "negativity by its definition", negativities,
              tolerance=1e-9, asked_of=(*DENSE, "separate")),
    Statement("3.4", "ours, matrices", "D_l' = -4 lambda D_l of linear pairs, as whole matrices",
              matrices_balance, asked_of=("degree_one", "linear_head")),
)  # fmt: skip
