"""Statements of section 8: collapse of wide networks with a linear head, from balance and fit."""

import functools
from collections.abc import Callable

import numpy as np

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
    least,
    operator_norm,
    start,
    tangent_kernel,
    trained,
)


def _both(measure: Callable[[Wide], float]) -> float:
    """The worse of a point that is balanced and one that is not yet."""
    return max(measure(trained(EARLY)), measure(trained(LATE)))


def distance_to_pseudo_inverse() -> float:
    """|Z_{L-1} - W_L^+ Y| <= Psi."""

    def measure(at: Wide) -> float:
        found = np.linalg.norm(at.passed[-2] - np.linalg.pinv(at.layers[-1]) @ at.targets)
        return above(float(found), at.spread)

    return _both(measure)


def bound_of_nc1() -> float:
    """NC1 <= (r^2/N) Psi^2 / (sqrt((K-1)/K) - 2 eps_1/sqrt N)^2."""

    def measure(at: Wide) -> float:
        classes, count = at.targets.shape
        below = np.sqrt((classes - 1) / classes) - 2 * at.error / np.sqrt(count)
        return above(float(at.metrics["nc1"]), at.size**2 / count * at.spread**2 / below**2)

    return _both(measure)


def _error_of_power(at: Wide, count: float) -> float:
    """count/2 r^{2 (L_2 - 1)} eps_2."""
    return count / 2 * at.size ** (2 * (LINEAR - 1)) * at.imbalance


def _condition_bound(at: Wide, tight: bool) -> float:
    """(19) of kappa(W_L), with q the measured s_K of the head squared; infinite without q > E."""
    large, q = _error_of_power(at, LINEAR**2), least(at.head) ** 2
    if q <= large:
        return np.inf
    error, condition = large / (q - large), at.conditions[0]
    if tight:
        return (condition**2 * (1 + error) + error) ** (1 / (2 * LINEAR))
    power = 1 / LINEAR
    return condition**power * (1 + error) ** power + condition ** (power - 1) * error


def bound_of_condition(tight: bool) -> float:
    """kappa(W_L) <= (c_3^2 (1 + e) + e)^{1/(2 L_2)}, and its looser consequence in print."""
    return above(trained(LATE).conditions[-1], _condition_bound(trained(LATE), tight))


def printed_is_looser() -> float:
    """The tight form is below the printed one."""
    at = trained(LATE)
    return above(_condition_bound(at, True), _condition_bound(at, False))


def size_of_relu(frobenius: bool) -> float:
    """|s(A)|_op <= |A|_op, or <= |A|_F: A = ((1, 1), (1, -1))."""
    matrix = np.array([[1.0, 1.0], [1.0, -1.0]])
    larger = np.linalg.norm(matrix) if frobenius else operator_norm(matrix)
    return above(operator_norm(np.maximum(matrix, 0)), float(larger))


def _head_floor(first: np.ndarray, inputs: np.ndarray, form: str) -> float:
    """s_K(head)^2 against the q of each form, one ReLU layer and a head that interpolates Y = I."""
    hidden = np.maximum(first @ inputs, 0)
    found = least(np.linalg.inv(hidden)) ** 2
    wide = {
        "printed": operator_norm(inputs),  # r of the head alone, which may be split to have r = 1
        "operator": operator_norm(inputs) * operator_norm(first),
        "frobenius": float(np.linalg.norm(inputs)) * operator_norm(first),
        "measured": operator_norm(hidden),
    }[form]
    return above(1 / wide**2, found)


def floor_of_head(form: str) -> float:
    """q = (s_K(Y) - eps_1)^2 / (what bounds |Z_{L_1}|_op)^2 is below s_K(head)^2."""
    kinked = np.array([[1.0, 1.0], [1.0, -1.0]])
    cases = ((10 * np.eye(2), np.eye(2)), (np.eye(2), kinked))
    if form == "operator":
        return _head_floor(*cases[1], form)
    return max(_head_floor(first, inputs, form) for first, inputs in cases)


def bound_of_nc2() -> float:
    """kappa(Zbar) <= (kappa(W_L) + t) / (1 - t), t = r Psi / s_K(Y) < 1."""
    at = trained(LATE)
    share = at.size * at.spread / at.smallest
    larger = (at.conditions[-1] + share) / (1 - share)
    return above(float(at.metrics["nc2"]), larger) if share < 1 else np.inf


def transpose_for_inverse(samples: bool) -> float:
    """|(W'^+ - W'^T) Y|_F <= sqrt(N or K) (kappa - 1/kappa), W' = diag(1, 2, 2), s_K(W') = 1."""
    rows, targets = np.diag([1.0, 2.0, 2.0]), np.eye(3)[:, np.arange(12) % 3]
    found = np.linalg.norm((np.linalg.pinv(rows) - rows.T) @ targets)
    return above(float(found), np.sqrt(12 if samples else 3) * (2 - 1 / 2))


def bound_of_nc3() -> float:
    """NC3 >= [(sqrtN - e)^2 + N/k^2 - (r Psi + sqrtN (k^2 - 1))^2] / (2 N k (1 + e)), e = eps_1."""

    def measure(at: Wide) -> float:
        root, k = np.sqrt(at.targets.shape[1]), at.conditions[-1]
        loss = (at.size * at.spread + root * (k**2 - 1)) ** 2
        above_ = (root - at.error) ** 2 + root**2 / k**2 - loss
        return above(above_ / (2 * root**2 * k * (1 + at.error)), float(at.metrics["nc3"]))

    return _both(measure)


def kantorovich() -> float:
    """NC3 >= 2 kappa / (1 + kappa^2) at eps_1 = eps_2 = 0: z_c = W_L^+ y_c, 50 random W_L."""
    rng, worst = np.random.default_rng(4), 0.0
    for _ in range(50):
        rows = rng.standard_normal((3, 8))
        means, sizes = np.linalg.pinv(rows), np.linalg.svd(rows, compute_uv=False)
        norms = np.linalg.norm(means, axis=0) * np.linalg.norm(rows, axis=1)
        condition = sizes[0] / sizes[-1]
        worst = max(worst, above(2 * condition / (1 + condition**2), float(np.mean(1 / norms))))
    return worst


def power_of_last_layer(count: float) -> float:
    """|(W_L W_L^T)^{L_2} - head head^T|_op <= (count/2) eps_2 r^{2 (L_2 - 1)}."""

    def measure(at: Wide) -> float:
        power = np.linalg.matrix_power(at.layers[-1] @ at.layers[-1].T, LINEAR)
        return above(operator_norm(power - at.head @ at.head.T), _error_of_power(at, count))

    return _both(measure)


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
    early, late = trained(EARLY), trained(LATE)
    fitted = above(early.error, 1.2 * late.error)
    ratio = late.imbalance / early.imbalance
    return max(fitted, apart(np.asarray(ratio), np.asarray((1 - RATE * DECAY) ** 34_000)))


def kernel_bound(form: str) -> float:
    """|Theta|_op >= ((s_K(Y) - eps_1)^2 / (K r)^2) sum_l kappa(W_{L:l})^2, (17), without K^2."""
    at, classes = trained(LATE), len(trained(LATE).targets)
    scale = (at.smallest - at.error) ** 2 / at.size**2
    smaller = {
        "conditions": scale / classes**2 * float(np.sum(at.conditions**2)),
        "printed": scale / classes**2 * LINEAR,
        "sharper": scale * LINEAR,
    }[form]
    return above(smaller, tangent_kernel(LATE))


def metrics_of_section_six() -> float:
    """Balance |D|_op / min(...) and negativity |Z - s(Z)|_op / |Z|_op, written out in NumPy."""
    at = trained(EARLY)
    squares = [(w.T @ w, v @ v.T) for v, w in zip(at.layers[:-1], at.layers[1:], strict=True)]
    written = [operator_norm(a - b) / min(operator_norm(a), operator_norm(b)) for a, b in squares]
    values = [w @ z for w, z in zip(at.layers[:-1], at.passed[:-2], strict=True)]
    negative = [operator_norm(z - np.maximum(z, 0)) / operator_norm(z) for z in values]
    return max(
        apart(at.metrics["balance"], np.array(written)),
        apart(at.metrics["negativity"], np.array(negative)),
    )


def linear_pairs_balance() -> float:
    """After training the balance of linear pairs is below a hundredth of that of the others."""
    found = trained(LATE).metrics["balance"]
    return above(100 * float(np.max(found[NONLINEAR:])), float(np.min(found[:NONLINEAR])))


BUILT = (CONSTRUCTION,)
bound = functools.partial
STATEMENTS = (
    Statement("8.1", "[Wide] (23)", "|Z_{L-1} - W_L^+ Y| <= Psi", distance_to_pseudo_inverse,
              tolerance=0.0, asked_of=BUILT),
    Statement("8.2", "[Wide] (18)", "NC1 <= (r^2/N) Psi^2/(...)^2", bound_of_nc1, tolerance=0.0,
              asked_of=BUILT),
    Statement(
        "8.3", "[Wide] (19)", "kappa(W_L) <= (c_3^2 (1+e) + e)^{1/(2 L_2)}, q measured",
        bound(bound_of_condition, True), tolerance=0.0, asked_of=BUILT,
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
    Statement("8.4", "[Wide] (20)", "NC2 <= (kappa(W_L) + t)/(1 - t)", bound_of_nc2,
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
        bound(power_of_last_layer, LINEAR**2), tolerance=0.0, asked_of=BUILT,
    ),
    Statement(
        "8.6", "in place of [Wide] Lemma C.2", "the same with L_2 (L_2 - 1)/2",
        bound(power_of_last_layer, LINEAR * (LINEAR - 1)), tolerance=0.0, asked_of=BUILT,
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
        bound(kernel_bound, "conditions"), tolerance=0.0, asked_of=BUILT,
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
