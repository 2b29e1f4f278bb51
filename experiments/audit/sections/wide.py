"""Statements of section 8: collapse of wide networks with a linear head, from balance and fit."""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from .... import models
from ....dynamics.observables import wide, wide_conditioning
from ..statement import CONSTRUCTION, Statement
from . import descending
from .collapsed import apart
from .wide_examples import (
    DECAY,
    EARLY,
    LATE,
    LINEAR,
    NONLINEAR,
    RATE,
    Wide,
    above,
    operator_norm,
    over,
    start,
    trained,
    under,
)


def _both(measure: Callable[[Wide], float]) -> float:
    """The worse of a point that is balanced and one that is not yet."""
    return max(measure(trained(EARLY)), measure(trained(LATE)))


def from_above(name: str, form: str = "bound") -> float:
    """A bound of `dynamics.observables.wide` from above, at both points."""
    return _both(lambda at: over(at.said[name], form))


def when_balanced(name: str, form: str = "bound") -> float:
    """The same where its premise holds: at the balanced point alone."""
    return over(trained(LATE).said[name], form)


def printed_is_looser() -> float:
    """Print's c_3^{1/L_2} (1+e)^{1/L_2} + c_3^{1/L_2 - 1} e is above the tight form."""
    said = trained(LATE).said
    condition, power = float(said["quantities"]["c_3"]), 1 / LINEAR
    tight = float(said["condition"]["bound"])
    error = (tight ** (2 * LINEAR) - condition**2) / (1 + condition**2)
    printed = condition**power * (1 + error) ** power + condition ** (power - 1) * error
    return above(tight, printed)


def size_of_relu(frobenius: bool) -> float:
    """|s(A)|_op <= |A|_op, or <= |A|_F: A = ((1, 1), (1, -1))."""
    matrix = np.array([[1.0, 1.0], [1.0, -1.0]])
    larger = np.linalg.norm(matrix) if frobenius else operator_norm(matrix)
    return above(operator_norm(np.maximum(matrix, 0)), float(larger))


def _head_floor(first: np.ndarray, inputs: np.ndarray, form: str) -> float:
    """s_K(head)^2 against the q of each form, one ReLU layer and a head that interpolates Y = I."""
    network = models.mlp((2, 2, 2, 2), linear_layers=1)
    problem = models.Problem(network, inputs.T, models.encode(np.arange(2), "one_hot"))
    weights = (first.T, np.linalg.inv(np.maximum(first @ inputs, 0)).T, np.eye(2))
    said = wide_conditioning.floor(problem, models.to_layers(tuple(map(jnp.asarray, weights))))
    if form == "measured":
        return under(said)
    size = {
        "printed": operator_norm(inputs),  # r of the head alone, which may be split to have r = 1
        "operator": operator_norm(inputs) * operator_norm(first),
        "frobenius": float(np.linalg.norm(inputs)) * operator_norm(first),
    }[form]
    return above(1 / size, float(said["measured"]))


def floor_of_head(form: str) -> float:
    """q = (s_K(Y) - eps_1)^2 / (what bounds |Z_{L_1}|_op)^2 is below s_K(head)^2."""
    kinked = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    cases = ((10 * np.eye(2), np.eye(2)), (np.eye(2), kinked))
    if form == "operator":
        return _head_floor(*cases[1], form)
    return max(_head_floor(first, inputs, form) for first, inputs in cases)


def _last_layer(rows: np.ndarray, samples: int) -> tuple[models.Problem, models.LayerPolar]:
    """A network of two linear layers with this W_L, on inputs e_1 and as many samples."""
    classes, width = rows.shape
    network = models.deep_linear((1, width, classes))
    labels = np.arange(samples) % classes
    problem = models.Problem(network, np.ones((samples, 1)), models.encode(labels, "one_hot"))
    return problem, models.to_layers((jnp.ones((1, width)), jnp.asarray(rows.T)))


def transpose_for_inverse(samples: bool) -> float:
    """|(W'^+ - W'^T) Y|_F <= sqrt(N or K) (kappa - 1/kappa), W_L = diag(1, 2, 2), N = 12, K = 3."""
    said = wide.transpose(*_last_layer(np.diag([1.0, 2.0, 2.0]), 12))
    share = 1.0 if samples else np.sqrt(3 / 12)
    return above(float(said["measured"]), share * float(said["bound"]))


def bound_of_nc3() -> float:
    """NC3 is at least its corrected bound, where that says something."""
    return under(trained(LATE).said["nc3"])


def kantorovich() -> float:
    """NC3 >= 2 kappa / (1 + kappa^2) at eps_1 = eps_2 = 0: z_c = W_L^+ y_c, 10 random W_L."""
    rng = np.random.default_rng(4)
    drawn = [_last_layer(rng.standard_normal((3, 8)), 3) for _ in range(10)]
    return max(under(wide.nc3_balanced(*example)) for example in drawn)


def _gap(layers: list[np.ndarray], pair: int) -> np.ndarray:
    """D of layers ``pair`` and ``pair + 1``, [fan_in, fan_out] each."""
    return layers[pair + 1] @ layers[pair + 1].T - layers[pair].T @ layers[pair]


def recursion(pair: int) -> float:
    """D^+ = (1 - eta lambda)^2 D + eta^2 (T_{l+1}^T T_{l+1} - T_l T_l^T), one step of descent."""
    problem, weights = start()
    moved = descending.descend(problem, weights, RATE, 1)
    before, after = [[np.asarray(w) for w in point] for point in (weights, moved)]
    pulls = [np.asarray(t) for t in descending.data_gradient(problem, weights)]
    written = (1 - RATE * DECAY) ** 2 * _gap(before, pair) + RATE**2 * _gap(pulls, pair)
    return apart(_gap(after, pair), written)


def decay_of_balance() -> float:
    """D' = -2 lambda D along the flow, hence D = D_0 e^{-2 lambda t}."""
    problem, weights = start()
    slopes = descending.gradient(problem, weights)
    layers, speeds = [[np.asarray(w) for w in p] for p in (weights, slopes)]
    worst = 0.0
    for pair in range(NONLINEAR, NONLINEAR + LINEAR - 1):
        moved = -speeds[pair + 1] @ layers[pair + 1].T + speeds[pair].T @ layers[pair]
        worst = max(worst, apart(moved + moved.T, -2 * DECAY * _gap(layers, pair)))
    return worst


def two_phases() -> float:
    """The fit is reached long before balance, which then goes as (1 - eta lambda)^{2k}."""
    early, late = trained(EARLY).said["quantities"], trained(LATE).said["quantities"]
    fitted = above(float(early["eps_1"]), 1.2 * float(late["eps_1"]))
    ratio = late["eps_2"] / early["eps_2"]
    return max(fitted, apart(np.asarray(ratio), np.asarray((1 - RATE * DECAY) ** 34_000)))


def kernel_bound(form: str) -> float:
    """|Theta|_op >= ((s_K(Y) - eps_1)^2 / (K r)^2) sum_l kappa(W_{L:l})^2, or L_2, without K^2."""
    said = trained(LATE).said["kernel"]
    if form == "printed":
        return above(
            float(said["sharper"]) / len(trained(LATE).layers[-1]) ** 2, float(said["measured"])
        )
    return under(said, form)


def metrics_of_section_six() -> float:
    """Balance |D|_op / min(...) and negativity |Z - s(Z)|_op / |Z|_op, written out in NumPy."""
    at = trained(EARLY)
    squares = [(w.T @ w, v @ v.T) for v, w in zip(at.layers[:-1], at.layers[1:], strict=True)]
    written = [operator_norm(a - b) / min(operator_norm(a), operator_norm(b)) for a, b in squares]
    values = [w @ z for w, z in zip(at.layers[:-1], at.passed[:-2], strict=True)]
    negative = [operator_norm(z - np.maximum(z, 0)) / operator_norm(z) for z in values]
    return max(
        apart(at.said["balance"], np.array(written)),
        apart(at.said["negativity"], np.array(negative)),
    )


def linear_pairs_balance() -> float:
    """After training the balance of linear pairs is below a hundredth of that of the others."""
    found = trained(LATE).said["balance"]
    return above(100 * float(np.max(found[NONLINEAR:])), float(np.min(found[:NONLINEAR])))


BUILT = (CONSTRUCTION,)
bound = functools.partial
STATEMENTS = (
    Statement("8.1", "[Wide] (23)", "|Z_{L-1} - W_L^+ Y| <= Psi", bound(from_above, "distance"),
              tolerance=0.0, asked_of=BUILT),
    Statement("8.2", "[Wide] (18)", "NC1 <= (r^2/N) Psi^2/(...)^2", bound(from_above, "nc1"),
              tolerance=0.0, asked_of=BUILT),
    Statement(
        "8.3", "[Wide] (19)", "kappa(W_L) <= (c_3^2 (1+e) + e)^{1/(2 L_2)}, q measured",
        bound(when_balanced, "condition"), tolerance=0.0, asked_of=BUILT,
    ),
    Statement(
        "8.3", "[Wide] (19)", "its printed exponents: valid, and looser", printed_is_looser,
        tolerance=0.0, asked_of=BUILT,
    ),
    Statement(
        "8.3", "[Wide] (19)", "|s(A)|_op <= |A|_F", bound(size_of_relu, True),
        bound(size_of_relu, False), tolerance=0.0, asked_of=BUILT,
        note="print has |A|_op on the right",
    ),
    Statement(
        "8.3", "[Wide] (19): r", "q with r of every layer and |X|_F is a floor of s_K(head)^2",
        bound(floor_of_head, "frobenius"), bound(floor_of_head, "printed"), tolerance=0.0,
        asked_of=BUILT, note="print has r of the head alone",
    ),
    Statement(
        "8.3", "[Wide] (19): |X|", "q with |Z_{L_1}|_op is a floor of s_K(head)^2",
        bound(floor_of_head, "measured"), bound(floor_of_head, "operator"), tolerance=0.0,
        asked_of=BUILT, note="print has |X|_op",
    ),
    Statement("8.4", "[Wide] (20)", "NC2 <= (kappa(W_L) + t)/(1 - t)", bound(when_balanced, "nc2"),
              tolerance=0.0, asked_of=BUILT),
    Statement(
        "8.5", "[Wide] (21)", "|(W'^+ - W'^T) Y| <= sqrt N (kappa - 1/kappa)",
        bound(transpose_for_inverse, True), bound(transpose_for_inverse, False), tolerance=0.0,
        asked_of=BUILT, note="print has sqrt K",
    ),
    Statement("8.5", "[Wide] (21)", "NC3 >= its corrected bound", bound_of_nc3, tolerance=0.0,
              asked_of=BUILT),
    Statement("8.5", "in place of [Wide] (21)", "NC3 >= 2 kappa/(1 + kappa^2), balanced, exact",
              kantorovich, tolerance=0.0, asked_of=BUILT),
    Statement(
        "8.6", "[Wide] Lemma C.2", "|(W_L W_L^T)^{L_2} - head head^T| <= (L_2^2/2) eps_2 r^..",
        bound(from_above, "power"), tolerance=0.0, asked_of=BUILT,
    ),
    Statement(
        "8.6", "in place of [Wide] Lemma C.2", "the same with L_2 (L_2 - 1)/2",
        bound(from_above, "power", "sharper"), tolerance=0.0, asked_of=BUILT,
    ),
    Statement(
        "8.7", "[Wide] 4", "D^+ = (1 - eta lambda)^2 D + eta^2 (T^T T - T T^T), linear pairs",
        bound(recursion, 2), bound(recursion, 1), tolerance=1e-11, asked_of=BUILT,
        note="not with a nonlinear layer in the pair",
    ),
    Statement("8.7", "[Wide] 4", "D = D_0 e^{-2 lambda t} along the flow", decay_of_balance,
              tolerance=1e-11, asked_of=BUILT),
    Statement("8.7", "[Wide] 4", "two phases: fit, then balance", two_phases, tolerance=1e-2,
              asked_of=BUILT),
    Statement(
        "8.11", "[Wide] Prop 5.3", "|Theta|_op >= (...) sum_l kappa(W_{L:l})^2",
        bound(kernel_bound, "bound"), tolerance=0.0, asked_of=BUILT,
    ),
    Statement("8.11", "[Wide] (17)", "|Theta|_op >= (s_K(Y) - eps_1)^2 L_2/(K^2 r^2)",
              bound(kernel_bound, "printed"), tolerance=0.0, asked_of=BUILT),
    Statement("8.11", "in place of [Wide] (17)", "the same without K^2",
              bound(kernel_bound, "sharper"), tolerance=0.0, asked_of=BUILT),
    Statement("8.12", "[Wide] 6", "balance and negativity by their definitions",
              metrics_of_section_six, asked_of=BUILT),
    Statement("8.12", "[Wide] 6", "weight decay balances linear pairs", linear_pairs_balance,
              tolerance=0.0, asked_of=BUILT),
)  # fmt: skip
