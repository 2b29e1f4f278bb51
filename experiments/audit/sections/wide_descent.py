"""Statements of section 8, continued: how far descent goes, and what nearly optimal points are.

Counter-examples to printed constants of Theorem B.2 are those of networks in which every number is
known; K, r, kappa and eps as in `wide_examples`.
"""

import functools

import numpy as np

from .... import models
from ..statement import CONSTRUCTION, Statement
from . import descending
from .wide_examples import (
    EARLY,
    LATE,
    LINEAR,
    NONLINEAR,
    above,
    least,
    operator_norm,
    trained,
)

SLOPE = 0.5
"""gamma, the least slope of the leaky ReLU."""


def decayed_gradient() -> float:
    """|grad C_lambda|^2 >= (alpha/4)(C_lambda - lambda m_lambda), on a least-squares problem.

    There |grad C_0|^2 >= (alpha/2) C_0 everywhere, with alpha = 4 s_min(X)^2; 200 points of the
    ball of radius r_0 = 8 sqrt(C_lambda(theta_0)/alpha).
    """
    rng = np.random.default_rng(6)
    inputs, targets = rng.standard_normal((8, 5)), rng.standard_normal((3, 5))
    alpha, decay = 4 * least(inputs) ** 2, 0.05

    def cost(point: np.ndarray) -> tuple[float, np.ndarray]:
        apart = point @ inputs - targets
        value = np.sum(apart**2) / 2 + decay / 2 * np.sum(point**2)
        return float(value), apart @ inputs.T + decay * point

    start = rng.standard_normal((3, 8))
    radius = 8 * np.sqrt(cost(start)[0] / alpha)
    floor = (1 + np.sqrt(4 * decay / alpha)) ** 2 * (np.linalg.norm(start) + radius) ** 2
    worst = 0.0
    for share in rng.uniform(0, 1, 200):
        move = rng.standard_normal(start.shape)
        value, slope = cost(start + share * radius * move / np.linalg.norm(move))
        worst = max(worst, above(alpha / 4 * (value - decay * floor), float(np.sum(slope**2))))
    return worst


@functools.cache
def _flat_start() -> tuple[float, float]:
    """2 |grad C_0|^2 / C_0 of a network with W_2 = 0, and the base of alpha."""
    network = models.mlp((4, 8, 7, 6, 5, 3), activation=models.leaky_relu(SLOPE), linear_layers=0)
    problem, weights = descending.drawn(network, "one_hot", 0.0, samples=6, seed=1)
    scaled = (weights[0], 0 * weights[1], *(0.03 * layer for layer in weights[2:]))
    first = np.asarray(network.hidden(scaled, problem.inputs)[0])
    base = SLOPE ** (len(scaled) - 2) * least(first)
    for layer in scaled[2:]:
        base *= least(np.asarray(layer))
    slopes = descending.data_gradient(problem, scaled)
    count = len(problem.inputs)
    squares = count**2 * sum(float(np.sum(np.square(s))) for s in slopes)
    return 2 * squares / (count * float(descending.data_cost(problem, scaled))), base


def constant_of_descent(power: int) -> float:
    """2 |grad C_0|^2 / C_0 >= 4 (gamma^{L-2} s_min(Z_1) prod_{p>=3} s_min(W_p))^power."""
    found, base = _flat_start()
    return above(4 * base**power, found)


def radius_of_ball(divided: bool) -> float:
    """In the ball r_0 = lambda_F/2 (divided by |X|_op) s_min(Z_1) stays above lambda_F/2."""
    inputs, first = np.diag([2.0, 1.0]), np.diag([0.25, 1.0])
    half = least(np.maximum(first @ inputs, 0)) / 2
    radius = half / operator_norm(inputs) if divided else half
    moved = first - radius * np.diag([1.0, 0.0])
    return max(1 - least(np.maximum(moved @ inputs, 0)) / half, 0.0)


def _needed(power: float, squared: bool) -> float:
    """r_0 >= 8 sqrt(2 C_0/alpha) at equality of a condition on p = lambda_F lambda_{3->L}.

    With alpha = [(gamma/2)^{L-2} p]^2, L = 5, r_0 = m/2. The condition reads
    p^(1 or 2) m = 16 sqrt2 (2/gamma)^{power (L-2)} sqrt(C_0).
    """
    product, loss, factor = 3.0, 1.7, (2 / SLOPE) ** 3
    left = product**2 if squared else product
    smallest = 16 * np.sqrt(2 * loss) * factor**power / left
    alpha = (product / factor) ** 2
    return above(8 * np.sqrt(2 * loss / alpha), smallest / 2)


def assumption_eight() -> float:
    """lambda_F lambda_{3->L} min(.) >= 16 sqrt2 (2/gamma)^{L-2} sqrt(C_0) gives the radius."""
    return _needed(1.0, squared=False)


def assumption_eight_as_printed() -> float:
    """With the lambdas squared, gamma and 2 not: alpha = (gamma/2)^{L-2} p^2 in r_0's condition."""
    return _needed(0.5, squared=False)


def size_of_head(exponent: float) -> float:
    """|theta_lin|^2 >= L_2 sum_i s_i(head)^{2 exponent}, random heads and trained ones."""
    rng = np.random.default_rng(7)
    random = [[rng.standard_normal(shape) for shape in ((10, 16), (8, 10), (3, 8))]
              for _ in range(20)]  # fmt: skip
    heads = [*random, *(list(trained(s).layers[NONLINEAR:]) for s in (EARLY, LATE))]
    worst = 0.0
    for layers in heads:
        product = layers[2] @ layers[1] @ layers[0]
        sizes = np.linalg.svd(product, compute_uv=False)
        squares = sum(float(np.sum(layer**2)) for layer in layers)
        worst = max(worst, above(LINEAR * float(np.sum(sizes ** (2 * exponent))), squares))
    return worst


def balanced_head(exponent: float) -> float:
    """Equality where all layers have the singular values s^{1/L_2} of a shared basis."""
    sizes = np.array([1.7, 1.1, 0.6])
    squares = LINEAR * np.sum(sizes ** (2 / LINEAR))
    return float(abs(LINEAR * np.sum(sizes ** (2 * exponent)) / squares - 1))


def floor_by_fit() -> float:
    """s_K(head) >= (s_K(Y) - eps_1) / |Z_{L_1}|_op."""
    return max(
        above((at.smallest - at.error) / operator_norm(at.passed[NONLINEAR]), least(at.head))
        for at in (trained(EARLY), trained(LATE))
    )


def condition_by_size() -> float:
    """kappa(head)^{2/L_2} <= (|theta_lin|^2/L_2 - (K-1) s^{2/L_2}) / s^{2/L_2}, s = the floor."""

    def measure(steps: int) -> float:
        at = trained(steps)
        floor = (at.smallest - at.error) / operator_norm(at.passed[NONLINEAR])
        squares = sum(float(np.sum(layer**2)) for layer in at.layers[NONLINEAR:])
        share, others = floor ** (2 / LINEAR), len(at.targets) - 1
        return above(at.conditions[0] ** (2 / LINEAR), squares / LINEAR / share - others)

    return max(measure(EARLY), measure(LATE))


BUILT = (CONSTRUCTION,)
bound = functools.partial
STATEMENTS = (
    Statement(
        "8.8", "[Wide] Prop 4.5", "|grad C_lambda|^2 >= (alpha/4)(C_lambda - lambda m_lambda)",
        decayed_gradient, tolerance=0.0, asked_of=BUILT,
    ),
    Statement(
        "8.9", "[Wide] Thm B.2: alpha", "alpha = 4 [gamma^{L-2} s_min(Z_1) prod s_min(W_p)]^2",
        bound(constant_of_descent, 2), bound(constant_of_descent, 1), tolerance=0.0,
        asked_of=BUILT, note="print lacks the square",
    ),
    Statement(
        "8.9", "[Wide] Thm B.2: r_0", "r_0 = (1/2) min(lambda_F/|X|_op, min lambda_l)",
        bound(radius_of_ball, True), bound(radius_of_ball, False), tolerance=0.0,
        asked_of=BUILT, note="print lacks |X|_op",
    ),
    Statement(
        "8.9", "[Wide] (8)", "lambda_F lambda_{3->L} min(.) >= 16 sqrt2 (2/gamma)^{L-2} sqrt C_0",
        assumption_eight, assumption_eight_as_printed, tolerance=0.0, asked_of=BUILT,
        note="print goes with an alpha that squares the lambdas only",
    ),
    Statement(
        "8.10", "[Wide] Prop 5.1", "|theta_lin|^2 >= L_2 sum_i s_i(head)^{2/L_2}",
        bound(size_of_head, 1 / LINEAR), tolerance=0.0, asked_of=BUILT,
    ),
    Statement(
        "8.10", "[Wide] sketch of Prop 5.1", "|theta_lin|^2 = L_2 sum_i s_i^{2/L_2}, balanced",
        bound(balanced_head, 1 / LINEAR), bound(balanced_head, 1 / NONLINEAR), asked_of=BUILT,
        note="the sketch has 1/L_1",
    ),
    Statement(
        "8.10", "[Wide] (14), Thm 5.2", "s_K(head) >= (s_K(Y) - eps_1)/|Z_{L_1}|_op",
        floor_by_fit, tolerance=0.0, asked_of=BUILT,
    ),
    Statement(
        "8.10", "[Wide] Thm 5.2, (15)", "kappa(head) is bounded by |theta_lin| and that floor",
        condition_by_size, tolerance=0.0, asked_of=BUILT,
    ),
)  # fmt: skip
