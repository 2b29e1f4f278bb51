"""Statements of section 7: neural collapse and its closed forms."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Array

from .... import models
from ....dynamics.observables import class_moments, moments
from ..statement import CONSTRUCTION, Statement
from .binary import ANY_TARGETS, means
from .collapsed import DECAY, MARGIN, apart, centred, facts, nonnegative_binary
from .residuals import excess, relative

CLASSES = (2, 3, 10)


def total_is_within_and_between(problem: models.Problem, view: models.View) -> Array:
    """Sigma_T = Sigma_W + Sigma_B."""
    parts = class_moments.within(problem, view) + class_moments.between(problem, view)
    return relative(class_moments.total(problem, view), parts)


def at_rest() -> float:
    """The exact configurations are equilibria of the library's flow."""
    return max(facts(nonnegative_binary)["speed"], *(facts(centred, c)["speed"] for c in CLASSES))


def classifier_from_difference() -> float:
    """V_L = (mu_+ - mu_-)/(2 mu), by the library's closed forms too, with h >= 0."""
    at = facts(nonnegative_binary)
    written = (at["means"][1] - at["means"][0]) / (2 * MARGIN)
    return max(apart(at["classifiers"][1], written), at["forms"]["classifiers"])


def opposite_class_means() -> float:
    """Mu_+ = -mu_-."""
    means = facts(nonnegative_binary)["means"]
    return apart(means[1], -means[0])


def feature_along_classifier() -> float:
    """H(x_n) = f_n V_L."""
    at = facts(nonnegative_binary)
    return apart(at["features"], at["outputs"] * at["classifiers"][1])


def opposite_only_without_features() -> float:
    """Means a >= 0 and -a >= 0 leave a = 0: |mu_+ + mu_-| >= |mu_+| for any h >= 0."""
    means = facts(nonnegative_binary)["means"]
    longest = np.max(np.linalg.norm(means, axis=1))
    return max(longest / np.linalg.norm(means[0] + means[1]) - 1, 0.0)


def mean_of_class(factor: float) -> float:
    """Mu_+ = (factor / N) sum_{n in +} h_n, against V_L = (mu_+ - mu_-)/(2 mu)."""
    at = facts(nonnegative_binary)
    difference = factor * np.mean(at["targets"] * at["features"], axis=0)
    return apart(at["classifiers"][1], difference / (2 * MARGIN))


def binary_multiplier() -> float:
    """Nu = rho fbar_n (1 - rho fbar_n), against (rho/N) sum l_n fbar_n."""
    at = facts(nonnegative_binary)
    reached = at["rho"] * at["targets"] * at["outputs"]
    return apart(at["rho"] * at["mu"] - at["rho"] ** 2 * at["M"], reached * (1 - reached))


def binary_gap() -> float:
    """Eps = lambda / (mu^2 + lambda)."""
    return apart(facts(nonnegative_binary)["gap"], DECAY / (MARGIN**2 + DECAY))


def loss_of_outputs(problem: models.Problem, view: models.View) -> Array:
    """Loss = (M + lambda) rho^2 - 2 rho mu + S, with S = C/(C-1) of centred targets."""
    size = means(problem, view).size
    mu, moment = moments.mu(problem, view), moments.second_moment(problem, view)
    parabola = (moment + problem.decay) * view.rho**2 - 2 * view.rho * mu + size
    return relative(models.objective(problem, view), parabola)


def least_loss_of_rho(problem: models.Problem, view: models.View) -> Array:
    """At rho = mu/(M + lambda) the loss is S - mu^2/(M + lambda), likewise."""
    size = means(problem, view).size
    mu, moment = moments.mu(problem, view), moments.second_moment(problem, view)
    there = models.Polar(moments.rho_eq(problem, view), view.directions)
    found = size - mu**2 / (moment + problem.decay)
    return relative(models.objective(problem, there), found, size)


def mean_against_moment(problem: models.Problem, view: models.View) -> Array:
    """mu^2 <= M C/(C-1)."""
    size = problem.targets.shape[1] / (problem.targets.shape[1] - 1)
    return excess(moments.mu(problem, view) ** 2, moments.second_moment(problem, view) * size)


def _worst(measure: Callable[[dict[str, Any], int], float]) -> float:
    return max(float(measure(facts(centred, c), c)) for c in CLASSES)


def equality_at_codes() -> float:
    """mu^2 = M C/(C-1) where f_V = const e~."""
    return _worst(lambda at, c: apart(at["mu"] ** 2, at["M"] * c / (c - 1)))


def _form(name: str) -> float:
    return _worst(lambda at, _: abs(at["forms"][name]))


def decay_at_rest() -> float:
    """Lambda rho^2 = alpha (1 - alpha) C/(C-1)."""
    return _worst(
        lambda at, c: apart(DECAY * at["rho"] ** 2, at["alpha"] * (1 - at["alpha"]) * c / (c - 1))
    )


def alpha_by_margin() -> float:
    """Alpha = rho mu (C-1)/C."""
    return _worst(lambda at, c: apart(at["alpha"], at["rho"] * at["mu"] * (c - 1) / c))


def classifiers_from_means(sign: float) -> float:
    """V_L^c = sign rho/(alpha C) (mu_c - mu_G)."""
    return _worst(
        lambda at, c: apart(at["classifiers"], sign * at["rho"] / (at["alpha"] * c) * at["centred"])
    )


def lengths() -> float:
    """|V_L^c|^2 = 1/C."""
    return _worst(lambda at, c: apart(np.sum(at["classifiers"] ** 2, axis=1), 1 / c))


def distance_of_means() -> float:
    """|mu_c - mu_G| = alpha sqrt(C) / rho."""
    return _worst(
        lambda at, c: apart(
            np.linalg.norm(at["centred"], axis=1), at["alpha"] * np.sqrt(c) / at["rho"]
        )
    )


def duality() -> float:
    """V_L^T = M / |M|."""
    return _worst(lambda at, _: at["nc3_duality"])


def _pull(at: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Sum (e~ - rho f) h^T, and sum <f, e~ - rho f> times V_L."""
    residuals = at["targets"] - at["rho"] * at["outputs"]
    products = np.sum(at["outputs"] * residuals)
    return residuals.T @ at["features"], products * at["classifiers"]


def multiplier_of_outputs() -> float:
    """nu_L = (rho/B) sum <f, e~ - rho f>: then (rho/B) sum (e~ - rho f) h^T = nu_L V_L."""
    return _worst(lambda at, _: apart(*_pull(at)))


def stationary_rows(bracketed: bool) -> float:
    """(rho/B) sum [(e~ - rho f) h^T - <f, e~ - rho f> V_L] = 0; else the sum ends too early."""

    def measure(at: dict[str, Any], _: int) -> float:
        pull, radial = _pull(at)
        factor = at["rho"] / len(at["features"])
        return apart(factor * pull, (factor if bracketed else 1.0) * radial)

    return _worst(measure)


BUILT, OUTPUTS = (CONSTRUCTION,), (*ANY_TARGETS, "several_outputs")
bound = functools.partial
STATEMENTS = (
    Statement(
        "7.1", "[Dyn] (26)-(27), [M117] (82)-(84), [Wide] 3", "Sigma_T = Sigma_W + Sigma_B",
        total_is_within_and_between, asked_of=("every_class",),
    ),
    Statement(
        "7.3", "[Dyn] 5", "equal margins, V_L and rho as below: an equilibrium of the flow",
        at_rest, asked_of=BUILT,
    ),
    Statement(
        "7.3", "[Dyn] Thm 5, V_L", "V_L = (mu_+ - mu_-)/(2 mu)", classifier_from_difference,
        opposite_class_means, asked_of=BUILT,
        note="print has mu_+ = -mu_-, which no ReLU features have",
    ),
    Statement(
        "7.3", "[Dyn] Thm 5, h", "h(x_n) = f_n V_L at a full-batch equilibrium",
        printed=feature_along_classifier, asked_of=BUILT, note="needs batches of one, and h < 0",
    ),
    Statement(
        "7.3", "[M117] J.2, [M112] Cor. 4", "mu_+ = -mu_- with ReLU features, unless they are zero",
        opposite_only_without_features, opposite_class_means, tolerance=0.0, asked_of=BUILT,
    ),
    Statement(
        "7.3", "[Dyn] Thm 5, mu_+-", "mu_+- = (2/N) sum_{n in +-} h_n", bound(mean_of_class, 2.0),
        bound(mean_of_class, 1.0), asked_of=BUILT, note="print has 1/N",
    ),
    Statement(
        "7.3", "[Dyn] (30)-(32)", "nu = rho fbar_n (1 - rho fbar_n)", binary_multiplier,
        asked_of=BUILT,
    ),
    Statement(
        "7.3", "[Dyn] Lemma 6", "eps = lambda/(mu^2 + lambda)", binary_gap, asked_of=BUILT
    ),
    Statement(
        "7.4", "[Dyn] (33)", "Loss = (M + lambda) rho^2 - 2 rho mu + C/(C-1)",
        loss_of_outputs, asked_of=OUTPUTS, note="one-hot labels: 1 for C/(C-1)",
    ),
    Statement(
        "7.4", "[Dyn] (34)", "least over rho: C/(C-1) - mu^2/(M + lambda)", least_loss_of_rho,
        asked_of=OUTPUTS, note="one-hot labels: 1 for C/(C-1)",
    ),
    Statement(
        "7.4", "[Dyn] Lemma 7", "mu^2 <= M C/(C-1)", mean_against_moment, tolerance=0.0,
        asked_of=("centred",),
    ),
    Statement(
        "7.4", "[Dyn] Lemma 7", "with equality at f_V = const e~", equality_at_codes,
        asked_of=BUILT,
    ),
    Statement(
        "7.4", "[Dyn] (36)", "rho_eq = mu/(mu^2 (C-1)/C + lambda)", bound(_form, "rho"),
        asked_of=BUILT,
    ),
    Statement(
        "7.4", "[Dyn] 5", "1 - alpha = lambda/(lambda + mu^2 (C-1)/C)", bound(_form, "alpha"),
        asked_of=BUILT,
    ),
    Statement("7.4", "[Dyn] 5", "alpha = rho mu (C-1)/C", alpha_by_margin, asked_of=BUILT),
    Statement(
        "7.4", "[Dyn] 5", "lambda rho^2 = alpha (1 - alpha) C/(C-1)", decay_at_rest,
        asked_of=BUILT,
    ),
    Statement(
        "7.4", "[Dyn] (37)", "nu_L = (rho/B) sum <f, e~ - rho f>", multiplier_of_outputs,
        asked_of=BUILT,
    ),
    Statement(
        "7.4", "[Dyn] (38)", "(rho/B) sum [(e~ - rho f) h^T - <f, e~ - rho f> V_L] = 0",
        bound(stationary_rows, True), bound(stationary_rows, False), asked_of=BUILT,
        note="print lacks the bracket",
    ),
    Statement(
        "7.4", "[Dyn] (41), (42)", "V_L^c = rho/(alpha C) (mu_c - mu_G)",
        bound(classifiers_from_means, 1.0), bound(classifiers_from_means, -1.0),
        asked_of=BUILT, note="(41) has the other sign",
    ),
    Statement("7.4", "[Dyn] (42)", "V_L^c, by the library", bound(_form, "classifiers"),
              asked_of=BUILT),
    Statement("7.4", "[Dyn] (43)", "|V_L^c|^2 = 1/C", lengths, asked_of=BUILT),
    Statement("7.4", "[Dyn] (44)", "<V_L^c, mu_G> = 0", bound(_form, "centre"), asked_of=BUILT),
    Statement("7.4", "[Dyn] (45)", "cos(V_L^c, V_L^c') = -1/(C-1)", bound(_form, "angles"),
              asked_of=BUILT),
    Statement("7.4", "[Dyn] 5", "|mu_c - mu_G| = alpha sqrt(C)/rho", distance_of_means,
              asked_of=BUILT),
    Statement("7.4", "[Dyn] 5", "V_L^T = M/|M|", duality, asked_of=BUILT),
)  # fmt: skip
