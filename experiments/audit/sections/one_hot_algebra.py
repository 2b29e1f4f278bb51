"""Statements of section 7, continued: formulas of the theorems on one-hot labels, as algebra.

With residuals eps at the own class and eps/(C-1) elsewhere (Assumption 1), F the outputs of the
classes, E = I - F and M their means, stationarity of W_L gives W = E M / (C lambda) and
C lambda W W^T = F E. That no network is there (`one_hot`) does not make the algebra wrong.
"""

import functools

import numpy as np

from ..statement import CONSTRUCTION, Statement
from .collapsed import DECAY, apart, simplex


def _assumed(classes: int, own: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outputs F and errors E = I - F of Assumption 1, and C lambda W W^T = F E."""
    other = own / (classes - 1)
    outputs = (1 - own - other) * np.eye(classes) + other * np.ones((classes, classes))
    errors = np.eye(classes) - outputs
    return outputs, errors, outputs @ errors


def assumed_rows() -> float:
    """E M / (C lambda) = eps/(lambda (C-1)) (mu_c - mu_G), for any class means M."""
    means = np.random.default_rng(0).standard_normal((4, 6))
    rows = _assumed(4, 0.1)[1] @ means / (4 * DECAY)
    return apart(rows, 0.1 / (DECAY * 3) * (means - means.mean(axis=0)))


def assumed_lengths() -> float:
    """|W^c|^2 = (1/(C lambda)) (eps - C eps^2/(C-1))."""
    return apart(np.diag(_assumed(4, 0.1)[2]), np.full(4, 0.1 - 4 * 0.01 / 3))


def assumed_cosine(factor: float) -> float:
    """cos(W^c, W^c') = -factor (1 - C eps/(C-1)) eps / (C lambda |W|^2 (C-1))."""
    products = _assumed(4, 0.1)[2]
    found = -factor * (1 - 4 * 0.1 / 3) / (3 * products[0, 0])
    return apart(products[0, 1] / products[0, 0], np.asarray(found))


def assumed_products(normalised: bool) -> float:
    """-1/(C-1), of the products of W^c / |W^c| or of W^c."""
    products = _assumed(4, 0.1)[2] / (4 * DECAY)
    scale = products[0, 0] if normalised else 1.0
    return apart(products[0, 1] / scale, np.asarray(-1 / 3))


def normalised_rows(divided: float) -> float:
    """V_L^c = rho/((C-1)(1 - divided eps/(C-1))) (mu_c - mu_G), from nu V_L = rho E M / C."""
    outputs, errors, _ = _assumed(4, 0.1)
    nu = np.mean(np.sum(outputs * errors, axis=1))
    from_multiplier = (0.1 * 4 / 3) / (4 * nu)
    return apart(np.asarray(from_multiplier), np.asarray(1 / (3 * (1 - divided * 0.1 / 3))))


def length_by_margin() -> float:
    """|W^c|^2 = rho_0^2 margin, with eps = lambda_S rho_0^2 / N, N samples a class."""
    per_class, classes, own = 7, 4, 0.1
    summed = per_class * classes * DECAY
    squares = np.diag(_assumed(classes, own)[2]) / (classes * DECAY)
    margin = 1 - own - own / (classes - 1)
    return apart(squares, own * per_class / summed * margin * np.ones(classes))


def _collapsed_loss(alpha: float, shift: float) -> float:
    """(1/2) mean |y - f|^2 of outputs alpha e~_c + shift, one-hot labels, C = 4."""
    outputs = alpha * np.sqrt(4 / 3) * simplex(4) + shift
    return float(np.sum((np.eye(4) - outputs) ** 2) / 8)


def loss_of_alpha() -> float:
    """(1/2)[(1 - alpha)^2 + alpha^2/(C-1)], least 1/(2C) at alpha = (C-1)/C."""
    alphas = np.linspace(0, 1, 101)
    found = np.array([_collapsed_loss(a, 0.0) for a in alphas])
    written = ((1 - alphas) ** 2 + alphas**2 / 3) / 2
    least = abs(alphas[np.argmin(found)] - 3 / 4)
    return max(apart(found, written), least, abs(np.min(found) - 1 / 8))


def loss_with_any_centre() -> float:
    """No collapsed solution lies below 1/(2C): by how much one with <W^c, mu_G> = 1/C does."""
    return max(1 / 8 - _collapsed_loss(3 / 4, 1 / 4), 0.0) * 8


BUILT = (CONSTRUCTION,)
bound = functools.partial
STATEMENTS = (
    Statement(
        "7.6", "[M117] (33)", "W^c = eps/(lambda (C-1)) (mu_c - mu_G)", assumed_rows,
        asked_of=BUILT,
    ),
    Statement(
        "7.6", "[NCWD] (3), [M117] (34)", "|W^c|^2 = (1/(C lambda)) (eps - C eps^2/(C-1))",
        assumed_lengths, asked_of=BUILT,
    ),
    Statement(
        "7.6", "[NCWD] (4)", "cos(W^c, W^c') = -1/(C-1)", bound(assumed_cosine, 0.1),
        bound(assumed_cosine, 1.0), asked_of=BUILT, note="print lacks a factor eps",
    ),
    Statement(
        "7.6", "[M117] (36)", "cos(W^c, W^c') = -1/(C-1)", bound(assumed_products, True),
        bound(assumed_products, False), asked_of=BUILT,
        note="print has the product of W^c, not of W^c/|W^c|",
    ),
    Statement(
        "7.6", "[M117] (76)", "V_L^c = rho/((C-1)(1 - C eps/(C-1))) (mu_c - mu_G)",
        bound(normalised_rows, 4.0), bound(normalised_rows, 1.0), asked_of=BUILT,
        note="print has 1 - eps/(C-1); (78) has the right one",
    ),
    Statement(
        "7.6", "[M117] after (36)", "|W^c|^2 = rho_0^2 margin, eps = lambda_S rho_0^2/N",
        length_by_margin, asked_of=BUILT,
    ),
    Statement(
        "7.7", "[NCWD] Lemma 2.1", "if W mu_G = 0 the loss is least, 1/(2C), at alpha = (C-1)/C",
        loss_of_alpha, loss_with_any_centre, asked_of=BUILT,
        note="without W mu_G = 0 the same geometry interpolates",
    ),
)  # fmt: skip
