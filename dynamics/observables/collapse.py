"""Neural collapse: NC1 to NC4 in every variant of the documents, and what goes with them.

NC1: samples gather at their class means. NC2: class means form a simplex, equally long and at
equal angles cos = -1/(C-1) about their centre. NC3: classifier vectors are parallel to class means.
NC4: the network decides for the nearest class mean. Each metric is zero where its part of the
collapse is complete, but for those marked 1. Symbols are those of `class_moments`; M has the rows
mu_c - mu_G, W the rows V_L^c; |.| is the Frobenius norm.

| | what | of | observable |
|---|---|---|---|
| NC1 | Tr Sigma_W | [Dyn] 5 | `nc1_within` |
| | Tr(Sigma_W Sigma_B^+) | figures of [Dyn], [M117]; [NCWD] 3 | `nc1_ratio` |
| | Tr Sigma_W / Tr Sigma_B | [Wide] 3, 6 | `nc1_traces` |
| NC2 | std / mean of the norms | figures of [Dyn], [M117] | `nc2_norms` |
| | variance of the norms | [NCWD] 3 | `nc2_norm_variance` |
| | std / mean of the inner products | figure of [Dyn] | `nc2_products` |
| | mean abs(cos + 1/(C-1)) | [Dyn], [NCWD] 3, [M117] K | `nc2_angles` |
| | std of the cosines | [M117] K | `nc2_angle_spread` |
| | s_1 / s_C of the *uncentred* class means (1) | [Wide] 3, 6 | `nc2_condition` |
| NC3 | abs(W/abs(W) - M/abs(M)) | [Dyn], [M117], [NCWD] | `nc3_duality` |
| | mean cos(h_n, W_c) (1) | theorem of [Wide] | `nc3_sample_cosine` |
| | mean cos(mu_c, W_c) (1) | [Wide] 6 | `nc3_mean_cosine` |
| NC4 | disagreement of argmax_c f_c with argmin_c abs(h - mu_c) | all but [Wide] | `nc4` |

Options by `class_moments.with_options`: ``layer`` of NC1, NC2 and NC4; ``of`` = "classifiers" asks
NC2 of the classifier vectors. NC3 is about the features only: below them there are no classifiers.

**Two classes.** Centred class means then satisfy NC2 for *any* features (their norms are equal,
their cosine is -1), so that NC2 says something of the classifiers only, and of those only with two
outputs. Unbalanced classes are handled: classes weigh the same (`class_moments`), and NC4 is a
share of samples.

Printed forms that differ: Sigma_B has rank at most C - 1, so that its "inverse" is the
pseudo-inverse (Papyan et al. divide by C as well: ``divided_by_classes``); std/mean of
"1/(C-1) + cos" ([M117] K) is 0/0 at collapse, so that mean and std stand apart; the norms of NC2 in
[NCWD] are those of mu_c - mu_G, and its products are C/(C-1) delta_cc' - 1/(C-1) of centred means.

Source: [Dyn] 5 and figures 5, 6; [M117] K and figure 6; [NCWD] 3; [Wide] 3 and 6.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models.checks import is_traced, refusal
from ...models.problem import Problem
from ...models.views import View
from . import decompositions, moments
from .balance import condition
from .class_moments import class_moments, classifiers, membership
from .margins import margins


def nc1_within(problem: Problem, view: View, layer: int = -1) -> Float[Array, ""]:
    """Tr Sigma_W of the normalised network's features. Source: [Dyn] section 5."""
    at = class_moments(problem, view, layer)
    return at.weights @ jnp.sum(at.deviations**2, axis=1)


def nc1_ratio(
    problem: Problem, view: View, layer: int = -1, divided_by_classes: bool = False
) -> Float[Array, ""]:
    """Tr(Sigma_W Sigma_B^+), in the span of the centred class means.

    Sigma_B = M^T M / C is not formed: with the singular vectors u_k and values s_k of M it is
    C sum_k (mean of <h_n - mu_c, u_k>^2) / s_k^2. Values that are zero to round-off are left out.

    Args:
        problem: Whose training samples.
        view: Where.
        layer: Which hidden layer.
        divided_by_classes: Whether to divide by C, as Papyan et al. do.
    """
    at = class_moments(problem, view, layer)
    classes = len(at.means)
    _, sizes, directions = decompositions.svd(at.centred)
    sizes, directions = sizes[: classes - 1], directions[: classes - 1]
    none = sizes <= max(at.means.shape) * jnp.finfo(sizes.dtype).eps * sizes[0]
    spreads = at.weights @ (at.deviations @ directions.T) ** 2
    ratios = jnp.where(none, 0, spreads / jnp.where(none, 1, sizes) ** 2)
    return jnp.sum(ratios) * (1 if divided_by_classes else classes)


def nc1_traces(problem: Problem, view: View, layer: int = -1) -> Float[Array, ""]:
    """Tr Sigma_W / Tr Sigma_B. Source: [Wide] section 3."""
    at = class_moments(problem, view, layer)
    spread = at.weights @ jnp.sum(at.deviations**2, axis=1)
    return spread / jnp.mean(jnp.sum(at.centred**2, axis=1))


def nc2_norms(problem: Problem, view: View, layer: int = -1, of: str = "means") -> Float[Array, ""]:
    """Standard deviation over mean of the vectors' norms."""
    norms = jnp.linalg.norm(_vectors(problem, view, layer, of), axis=1)
    return jnp.std(norms) / jnp.mean(norms)


def nc2_norm_variance(
    problem: Problem, view: View, layer: int = -1, of: str = "means"
) -> Float[Array, ""]:
    """Variance of the norms, of the features of W_k = rho_k V_k or of W_L. Source: [NCWD] 3.

    It has a scale, and so depends on how rho is shared among the layers (`View.radii`).
    """
    if of == "classifiers":
        vectors = view.radii[-1] * classifiers(problem, view)
    else:
        vectors = class_moments(problem, view, layer, normalised=False).centred
    return jnp.var(jnp.linalg.norm(vectors, axis=1))


def nc2_products(
    problem: Problem, view: View, layer: int = -1, of: str = "means"
) -> Float[Array, ""]:
    """Standard deviation over |mean| of the inner products of different vectors."""
    vectors = _vectors(problem, view, layer, of)
    products = _pairs(vectors @ vectors.T)
    return jnp.std(products) / jnp.abs(jnp.mean(products))


def nc2_angles(
    problem: Problem, view: View, layer: int = -1, of: str = "means"
) -> Float[Array, ""]:
    """Mean of |cos + 1/(C-1)| over pairs of different vectors."""
    vectors = _vectors(problem, view, layer, of)
    return jnp.mean(jnp.abs(_cosines(vectors) + 1 / (len(vectors) - 1)))


def nc2_angle_spread(
    problem: Problem, view: View, layer: int = -1, of: str = "means"
) -> Float[Array, ""]:
    """Standard deviation of the cosines between different vectors."""
    return jnp.std(_cosines(_vectors(problem, view, layer, of)))


def nc2_condition(problem: Problem, view: View, layer: int = -1) -> Float[Array, ""]:
    """s_1 / s_C of the uncentred class means: 1 for an orthogonal frame. Source: [Wide] section 3.

    Infinite where the layer is narrower than C, as `balance.head_condition` is.
    """
    return condition(class_moments(problem, view, layer).means.T)


def nc3_duality(problem: Problem, view: View, centred: bool = True) -> Float[Array, ""]:
    """|W/|W| - M/|M||, between 0 and 2.

    Args:
        problem: Whose training samples.
        view: Where.
        centred: Whether M holds mu_c - mu_G, else mu_c: the duality of orthogonal frames, to which
            one-hot targets lead.
    """
    at = class_moments(problem, view)
    means, rows = at.centred if centred else at.means, classifiers(problem, view)
    return jnp.linalg.norm(rows / jnp.linalg.norm(rows) - means / jnp.linalg.norm(means))


def nc3_sample_cosine(problem: Problem, view: View) -> Float[Array, ""]:
    """Mean over classes and their samples of cos(h_n, V_L^c), 1 at collapse. Source: [Wide] 3."""
    at = class_moments(problem, view)
    own = membership(problem) @ classifiers(problem, view)
    return at.weights @ jnp.sum(_unit(at.features) * _unit(own), axis=1)


def nc3_mean_cosine(problem: Problem, view: View) -> Float[Array, ""]:
    """Mean over classes of cos(mu_c, V_L^c), uncentred, 1 at collapse. Source: [Wide] 6."""
    means = class_moments(problem, view).means
    return jnp.mean(jnp.sum(_unit(means) * _unit(classifiers(problem, view)), axis=1))


def nc4(problem: Problem, view: View, layer: int = -1) -> Float[Array, ""]:
    """Share of samples that the network puts in another class than the nearest class mean does.

    NaN where a class has no samples, as everything that is made of class means.
    """
    at = class_moments(problem, view, layer)
    sizes = jnp.sum(at.means**2, axis=1)
    nearest = jnp.argmin(sizes[None, :] - 2 * at.features @ at.means.T, axis=1)
    scores = class_moments(problem, view).features @ classifiers(problem, view).T
    share = jnp.mean(jnp.argmax(scores, axis=1) != nearest, dtype=scores.dtype)
    return jnp.where(jnp.all(jnp.isfinite(sizes)), share, jnp.nan)


def quasi_interpolation(problem: Problem, view: View) -> dict[str, Float[Array, ""]]:
    """How far the outputs rho f_V are from alpha e~_c with the best alpha.

    e~_c is the centred code of class c (1 at c, -1/(C-1) elsewhere; y_n for targets +-1), whatever
    the problem's targets.

    Returns:
        ``alpha``, and ``distance`` = |rho f - alpha e~| / |rho f| over all samples: the sine of the
        angle between them, 0 at symmetric quasi-interpolation and at most 1.

    Source: [Dyn] section 5, Assumption 1.
    """
    codes = _codes(problem)
    outputs = view.rho * moments.normalised_outputs(problem, view)
    alpha = jnp.sum(outputs * codes) / jnp.sum(codes**2)
    apart = jnp.linalg.norm(outputs - alpha * codes)
    return {"alpha": alpha, "distance": apart / jnp.linalg.norm(outputs)}


def closed_forms(problem: Problem, view: View) -> dict[str, Float[Array, ""]]:
    """What holds at symmetric quasi-interpolation, each as a relative difference from it.

    At an equilibrium of the square loss with centred targets (or +-1) and balanced classes where
    rho f_V = alpha e~_c, with mu the mean margin and S = |e~_c|^2:

        rho = mu / (mu^2/S + lambda),   1 - alpha = lambda / (lambda + mu^2/S),
        V_L^c = (mu_c - mu_G) / ((C-1) mu),   equal |V_L^c|,   <V_L^c, mu_G> = 0,
        cos(V_L^c, V_L^c') = -1/(C-1).

    Anywhere else the differences say how far from it the network is.

    Returns:
        ``rho``, ``alpha``, ``classifiers``, ``lengths``, ``centre`` (relative to |mu|) and
        ``angles``. NaN where compiled code meets other targets.

    Raises:
        ValueError: If the targets are one-hot.

    Source: [Dyn] (30), (42)-(45), where V_L^c = rho/(alpha C) (mu_c - mu_G), the same.
    """
    at, rows, codes = class_moments(problem, view), classifiers(problem, view), _codes(problem)
    apart = jnp.max(jnp.abs(moments.targets(problem) - codes))
    centred = apart <= jnp.sqrt(jnp.finfo(codes.dtype).eps)
    if not is_traced(centred) and not centred:
        raise refusal("targets +-1 or centred", "one-hot ones", "encode the labels as 'centred'")
    radius, sign = jnp.abs(view.rho), jnp.copysign(jnp.ones_like(view.rho), view.rho)
    size = jnp.sum(codes[0] ** 2)
    mu = sign * jnp.mean(jnp.sum(moments.normalised_outputs(problem, view) * codes, axis=1))
    alpha = quasi_interpolation(problem, view)["alpha"]
    reference = at.centred / ((len(rows) - 1) * mu)
    lengths = jnp.sum(rows**2, axis=1)
    found = {
        "rho": radius * (mu**2 / size + problem.decay) / mu - 1,
        "alpha": (1 - problem.decay / (problem.decay + mu**2 / size)) / alpha - 1,
        "classifiers": jnp.linalg.norm(rows - reference) / jnp.linalg.norm(rows),
        "lengths": jnp.max(jnp.abs(lengths / jnp.mean(lengths) - 1)),
        "centre": jnp.max(jnp.abs(rows @ at.centre)) / jnp.abs(mu),
        "angles": nc2_angles(problem, view, of="classifiers"),
    }
    return {name: jnp.where(centred, value, jnp.nan) for name, value in found.items()}


def classifier_lengths(problem: Problem, view: View) -> dict[str, Float[Array, "classes"]]:
    """Squared length of each classifier vector against its class's mean margin.

    Returns:
        ``squared_lengths`` |W_L^c|^2 with W_L = rho_L V_L, ``margins`` the mean of rho fbar_n by
        class, which is 1 at interpolation, and their ``ratio``: the same for all classes where
        squared length is proportional to the margin.

    Source: [M117] after Theorem 3.
    """
    squares = view.radii[-1] ** 2 * jnp.sum(classifiers(problem, view) ** 2, axis=1)
    member = membership(problem)
    reached = jnp.abs(view.rho) * margins(problem, view)
    by_class = (reached @ member) / jnp.sum(member, axis=0)
    return {"squared_lengths": squares, "margins": by_class, "ratio": squares / by_class}


def _vectors(problem: Problem, view: View, layer: int, of: str) -> Float[Array, "classes width"]:
    if of == "classifiers":
        return classifiers(problem, view)
    return class_moments(problem, view, layer).centred


def _codes(problem: Problem) -> Float[Array, "samples outputs"]:
    """e~_c of each sample, one column of +-1 for a scalar network."""
    if problem.targets.ndim == 1:
        return problem.targets[:, None]
    member = membership(problem)
    return (member.shape[1] * member - 1) / (member.shape[1] - 1)


def _unit(rows: Float[Array, "rows width"]) -> Float[Array, "rows width"]:
    return rows / jnp.linalg.norm(rows, axis=1, keepdims=True)


def _cosines(vectors: Float[Array, "classes width"]) -> Float[Array, "pairs"]:
    return _pairs(_unit(vectors) @ _unit(vectors).T)


def _pairs(products: Float[Array, "classes classes"]) -> Float[Array, "pairs"]:
    """What stands above the diagonal."""
    return products[jnp.triu_indices(len(products), 1)]
