"""Statements of section 7, continued: the metrics of collapse, and how they are printed."""

import functools

import numpy as np

from ..statement import CONSTRUCTION, Statement
from .collapsed import METRICS, apart, centred, facts, orthogonal_frame, random_features, simplex

OF_FRAMES = ("nc2_condition", "nc3_sample_cosine", "nc3_mean_cosine")


def vanish_at_collapse() -> float:
    """Every metric of NC1 to NC4 that is zero at collapse."""
    names = set(METRICS) - set(OF_FRAMES)
    return max(abs(facts(centred, classes)[name]) for name in names for classes in (2, 3, 10))


def frame_of_wide() -> float:
    """The condition of the uncentred means and both cosines are 1 on an orthogonal frame."""
    return max(abs(facts(orthogonal_frame)[name] - 1) for name in OF_FRAMES)


def pseudo_inverse() -> float:
    """Tr(Sigma_W Sigma_B^+), with Sigma_B^+ written out."""
    at = facts(random_features, 3)
    found = np.linalg.pinv(at["between"], rcond=1e-10, hermitian=True)
    return apart(at["nc1_ratio"], np.trace(at["within"] @ found))


def inverse() -> float:
    """Sigma_B^-1 Sigma_B = I, where the rank of Sigma_B is at most C - 1."""
    means = facts(random_features, 3)["between"]
    try:
        return apart(np.linalg.inv(means) @ means, np.eye(len(means)))
    except np.linalg.LinAlgError:
        return np.inf


def two_classes_always() -> float:
    """NC2 of the centred means of two classes, on random features."""
    at = facts(random_features, 2)
    return max(abs(at[name]) for name in ("nc2_norms", "nc2_angles", "nc2_angle_spread"))


def two_classes_of_classifiers() -> float:
    """The same of the norms of the classifier vectors, which it does constrain."""
    return facts(random_features, 2)["of_classifiers"]


def distances(factor: float) -> float:
    """|mu_c - mu_c'| = factor |mu_c' - mu_G|."""
    at = facts(centred, 3)
    between = np.linalg.norm(at["means"][0] - at["means"][1])
    return apart(between, factor * np.linalg.norm(at["centred"][1]))


def equal_norms() -> float:
    """|mu_c - mu_G| = |mu_c' - mu_G|, and |mu_c - mu_c'| is sqrt(2C/(C-1)) times that."""
    return max(distances(np.sqrt(3)), abs(facts(centred, 3)["nc2_norms"]))


def products_of_means(shift: float) -> float:
    """<mu_c, mu_c'> / |mu|^2 = C/(C-1) delta_cc' - shift, of centred means."""
    vectors = facts(centred, 3)["centred"]
    products = vectors @ vectors.T / np.sum(vectors[0] ** 2)
    return apart(products, 3 / 2 * np.eye(3) - shift)


def cosine_with_centre() -> float:
    """cos(mu_c, mu_G) = -1/(C-1)."""
    at = facts(centred, 3)
    norms = np.linalg.norm(at["means"], axis=1) * np.linalg.norm(at["centre"])
    return apart(at["means"] @ at["centre"] / norms, -1 / 2)


def cosine_between_classes() -> float:
    """cos(mu_c - mu_G, mu_c' - mu_G) = -1/(C-1)."""
    return facts(centred, 3)["nc2_angles"]


def frame() -> float:
    """K* K*^T is 1 on the diagonal and -1/(C-1) off it."""
    return max(
        apart(simplex(c) @ simplex(c).T, c / (c - 1) * np.eye(c) - 1 / (c - 1))
        for c in (2, 3, 5, 10)
    )


def ratio_at_collapse() -> float:
    """std/mean of 1/(C-1) + cos, whose numerator and denominator both vanish: 0/0."""
    values = 1 / 2 + np.full(3, -1 / 2)
    with np.errstate(invalid="ignore"):
        return float(np.std(values) / np.mean(values))


def parts_at_collapse() -> float:
    """std(cos) and mean |cos + 1/(C-1)| by themselves."""
    at = facts(centred, 3)
    return max(abs(at["nc2_angle_spread"]), abs(at["nc2_angles"]))


BUILT = (CONSTRUCTION,)
bound = functools.partial
STATEMENTS = (
    Statement(
        "7.2", "[Dyn] 5, [M117] K, [NCWD] 3", "NC1-NC4 vanish at collapse", vanish_at_collapse,
        asked_of=BUILT,
    ),
    Statement(
        "7.2", "[Wide] 3, 6", "kappa and cosines are 1 on an orthogonal frame", frame_of_wide,
        asked_of=BUILT,
    ),
    Statement(
        "7.2", "[Dyn], [M117], [NCWD] 3: NC1", "Tr(Sigma_W Sigma_B^+)", pseudo_inverse, inverse,
        tolerance=1e-9, asked_of=BUILT, note="print has Sigma_B^-1, which is singular",
    ),
    Statement(
        "7.2", "[M117] K", "std(cos) and mean |cos + 1/(C-1)| vanish at collapse",
        parts_at_collapse, ratio_at_collapse, asked_of=BUILT,
        note="print has std/mean of 1/(C-1) + cos, 0/0 at collapse",
    ),
    Statement(
        "7.2", "figures with C = 2", "NC2 of centred class means holds for any features",
        two_classes_always, asked_of=BUILT,
    ),
    Statement(
        "7.2", "figures with C = 2, classifiers", "NC2 of classifiers too holds for any features",
        printed=two_classes_of_classifiers, tolerance=1e-3, asked_of=BUILT,
    ),
    Statement(
        "7.2", "[NCWD] NC2, norms", "|mu_c - mu_G| = |mu_c' - mu_G|", equal_norms,
        bound(distances, 1.0), asked_of=BUILT, note="print has |mu_c - mu_c'| on the left",
    ),
    Statement(
        "7.2", "[NCWD] NC2, products", "<mu_c, mu_c'> ~ C/(C-1) delta_cc' - 1/(C-1), centred",
        bound(products_of_means, 1 / 2), bound(products_of_means, 1 / 3), asked_of=BUILT,
        note="print has -1/C",
    ),
    Statement(
        "7.2", "[NCWD] NC2, cosines", "cos between two centred class means is -1/(C-1)",
        cosine_between_classes, cosine_with_centre, asked_of=BUILT,
        note="print has cos(mu_c, mu_G)",
    ),
    Statement("7.2", "[NCWD]", "K* K*^T: 1 on, -1/(C-1) off the diagonal", frame, asked_of=BUILT),
)  # fmt: skip
