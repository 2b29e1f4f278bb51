"""Statements of section 7, continued: one-hot labels, weight decay on every layer, identities."""

import functools
from typing import Any

import jax
import numpy as np

from .... import models
from ....dynamics.observables import class_moments
from ....dynamics.observables import collapse as metrics
from ..statement import CONSTRUCTION, Statement
from . import descending
from .collapsed import DECAY, Residues, apart, facts, nonnegative_binary, residues
from .descending import Trained

NETWORK, RATE, STEPS = models.mlp((6, 24, 24, 3)), 0.2, 40_000
CASES = ((3, 0.1, 0.02), (3, 0.1, 0.0), (4, 0.2, 0.03), (3, 0.5, -0.25))
"""Classes, residual at the own class, residual elsewhere; the last is a simplex."""


@functools.cache
def example(encoding: str, batch: int = 0) -> Trained:
    """A trained ReLU network of three classes, lambda = 2e-3, its last layer at rest."""
    problem, start = descending.drawn(NETWORK, encoding, 2e-3, scale=1.4)
    weights = descending.descend(problem, start, RATE / 2 if batch else RATE, STEPS, batch)
    return descending.with_last_layer_at_rest(Trained(problem, start, weights))


@functools.cache
def seen(encoding: str, batch: int = 0) -> dict[str, Any]:
    """What the library says of it, and its outputs and slopes."""
    trained = example(encoding, batch)
    at = jax.jit(lambda *where: _seen(*where))(trained.problem, trained.view, trained.weights)
    before = jax.jit(lambda *where: metrics.nc1_traces(*where))(
        trained.problem, models.to_layers(trained.start)
    )
    named = jax.tree.map(np.asarray, at)
    return {**named, "before": float(before), "decay": float(trained.problem.decay)}


def _seen(problem: models.Problem, view: models.View, weights: models.Weights) -> dict[str, Any]:
    return {
        "centre": class_moments.class_moments(problem, view, normalised=False).centre,
        "rows": weights[-1].T,
        "outputs": problem.network.apply(weights, problem.inputs),
        "targets": problem.targets,
        "slope": jax.grad(descending.cost, argnums=1)(problem, weights)[-1].T,
        "nc1": metrics.nc1_traces(problem, view),
        "angles": metrics.nc2_angles(problem, view, of="classifiers"),
        "centred": metrics.nc3_duality(problem, view),
        "uncentred": metrics.nc3_duality(problem, view, centred=False),
    }


def outputs_cannot_sum_to_one() -> float:
    """Outputs that sum to 1 leave the last layer's rows no sum to decay, though it is not zero.

    sum_c of the data's pull (1/N) sum (y - f) h^T vanishes; lambda sum_c W^c, which it must equal
    at rest, does not, because <sum_c W^c, h> = 1.
    """
    rng = np.random.default_rng(2)
    classes, own = 4, 0.1
    targets = np.eye(classes)[np.arange(8) % classes]
    outputs = targets * (1 - own) + (1 - targets) * own / (classes - 1)
    features = np.abs(rng.standard_normal((8, 12)))
    rows = np.linalg.lstsq(features, outputs, rcond=None)[0].T
    pull = (targets - outputs).T @ features / 8
    sums = features @ rows.sum(axis=0)
    return max(np.max(np.abs(pull.sum(axis=0))) / np.max(np.abs(pull)), apart(sums, np.ones(8)))


def rows_sum_to_zero(encoding: str) -> float:
    """|sum_c W^c| / |W| of the trained network."""
    rows = seen(encoding)["rows"]
    return float(np.linalg.norm(rows.sum(axis=0)) / np.linalg.norm(rows))


def rows_sum_to_outputs() -> float:
    """<sum_c W^c, mu_G> is the mean of the outputs' sum, and no less than 0.9."""
    at = seen("one_hot")
    total = np.mean(np.sum(at["outputs"], axis=1))
    return max(apart(at["rows"].sum(axis=0) @ at["centre"], total), 0.9 - total, 0.0)


def centre_is_orthogonal() -> float:
    """|<W^c, mu_G>| of centred labels."""
    at = seen("centred")
    return float(np.max(np.abs(at["rows"] @ at["centre"])))


def simplex_of_rows() -> float:
    """Mean |cos + 1/(C-1)| of the rows, of centred labels."""
    return float(seen("centred")["angles"])


def better_duality(encoding: str, better: str, worse: str) -> float:
    """By how much the one form of NC3 exceeds the other."""
    at = seen(encoding)
    return float(max(at[better] - at[worse], 0.0))


def features_may_vary() -> float:
    """Tr Sigma_W / Tr Sigma_B of an equilibrium of the full batch."""
    at = facts(nonnegative_binary)
    return float(at["nc1_traces"] + at["speed"])


def shrinks(batch: int) -> float:
    """NC1 after over NC1 before, of centred labels."""
    at = seen("centred", batch)
    return float(at["nc1"] / at["before"])


def needs_batches() -> float:
    """The claim that NC1 stays without batches, as what has vanished of it."""
    return 1 - shrinks(0)


def _worst(measure: Any) -> float:
    return max(float(measure(residues(*case), *case)) for case in CASES)


def rest_of_residues() -> float:
    """Lambda W^c = (1/C)[(eps + delta) mu_c - delta C mu_G], where the library's slope is zero."""

    def measure(at: Residues, classes: int, own: float, other: float) -> float:
        slope = descending.gradient(at.problem, at.weights)[0].T
        centre = at.means.mean(axis=0)
        written = ((own + other) * at.means - other * classes * centre) / classes
        scale = np.max(np.abs(written))
        return max(np.max(np.abs(slope)) / scale, apart(DECAY * at.classifiers, written))

    return _worst(measure)


def lengths_of_residues() -> float:
    """Lambda |W^c|^2 = (1/C)[eps (1 - eps) - (C-1) delta^2]."""
    return _worst(
        lambda at, c, own, other: apart(
            DECAY * np.sum(at.classifiers**2, axis=1),
            (own * (1 - own) - (c - 1) * other**2) / c,
        )
    )


def _cosine(classes: int, own: float, other: float) -> float:
    above = other * (own - (1 - own) - (classes - 2) * other)
    return above / (own * (1 - own) - (classes - 1) * other**2)


def cosines_of_residues() -> float:
    """cos(W^c, W^c') as the general identity has it; 0 at delta = 0, -1/(C-1) at a simplex."""

    def measure(at: Residues, classes: int, own: float, other: float) -> float:
        cosine = at.classifiers[0] @ at.classifiers[1] / np.sum(at.classifiers[0] ** 2)
        return abs(cosine - _cosine(classes, own, other))

    return max(_worst(measure), abs(_cosine(3, 0.1, 0.0)), abs(_cosine(3, 0.5, -0.25) + 1 / 2))


def loss_by_growth() -> float:
    """Loss = -(1/4) d|W_l|^2/dt + (lambda/2) sum_{k != l} |W_k|^2 + (1/2N) sum <y, y - f>."""
    problem, start, _ = example("one_hot")
    slopes, loss = descending.gradient(problem, start), float(descending.cost(problem, start))
    outputs, targets = problem.network.apply(start, problem.inputs), problem.targets
    rest = float(np.sum(targets * (targets - outputs)) / (2 * len(targets)))
    squares = np.array([float(np.sum(np.square(w))) for w in start])
    growths = [-2 * float(np.sum(np.multiply(w, s))) for w, s in zip(start, slopes, strict=True)]
    decay = float(problem.decay) / 2
    written = [
        -g / 4 + decay * (squares.sum() - s) + rest for g, s in zip(growths, squares, strict=True)
    ]
    return apart(np.array(written), np.full(3, loss))


def critical_points_do_not_interpolate() -> float:
    """(1/N) sum <f, y - f> = lambda |W_L|^2 > 0 at rest."""
    at = seen("one_hot")
    products = np.sum(at["outputs"] * (at["targets"] - at["outputs"])) / len(at["outputs"])
    return apart(products, at["decay"] * np.sum(at["rows"] ** 2))


def growth_of_rows() -> float:
    """d|W_L^c|^2/dt = (2/N) sum (y - f)_c f_c - 2 lambda |W_L^c|^2, at the start."""
    problem, start, _ = example("one_hot")
    rows, slope = np.asarray(start[-1]).T, np.asarray(descending.gradient(problem, start)[-1]).T
    outputs = np.asarray(problem.network.apply(start, problem.inputs))
    pulls = np.mean((np.asarray(problem.targets) - outputs) * outputs, axis=0)
    decayed = float(problem.decay) * np.sum(rows**2, axis=1)
    return apart(-2 * np.sum(rows * slope, axis=1), 2 * pulls - 2 * decayed)


def last_layer_at_rest() -> float:
    """Lambda W_L = (1/N) sum (y - f) h^T at the ridge solution: the slope there is zero."""
    at = seen("one_hot")
    return float(np.max(np.abs(at["slope"])) / (at["decay"] * np.max(np.abs(at["rows"]))))


BUILT = (CONSTRUCTION,)
bound = functools.partial
STATEMENTS = (
    Statement(
        "7.5", "[NCWD] Thm 2.3", "Assumption 1 at rest: outputs that sum to 1",
        outputs_cannot_sum_to_one, asked_of=BUILT, vacuous=True,
        note="stationarity gives sum_c W^c = 0, outputs that sum to 0",
    ),
    Statement(
        "7.5", "[M117] Thm 3 and (33)-(36)", "Assumption 1 at rest: outputs that sum to 1",
        outputs_cannot_sum_to_one, asked_of=BUILT, vacuous=True,
    ),
    Statement(
        "7.5", "[M117] Thm 11 and (76)-(79)", "the same assumption in rho and V",
        outputs_cannot_sum_to_one, asked_of=BUILT, vacuous=True,
    ),
    Statement(
        "7.5", "[NCWD] Thm 2.3, [M117] Thm 3",
        "one-hot, trained: <sum_c W^c, mu_G> is the outputs' sum, near 1",
        rows_sum_to_outputs, bound(rows_sum_to_zero, "one_hot"), tolerance=1e-10, asked_of=BUILT,
        note="print implies sum_c W^c = 0",
    ),
    Statement(
        "7.5", "[Dyn] 5", "centred labels, trained: sum_c W^c = 0",
        bound(rows_sum_to_zero, "centred"), tolerance=1e-10, asked_of=BUILT,
    ),
    Statement(
        "7.5", "[Dyn] (44)", "centred labels, trained: <W^c, mu_G> = 0", centre_is_orthogonal,
        tolerance=2e-2, asked_of=BUILT,
    ),
    Statement(
        "7.5", "[Dyn] (45)", "centred labels, trained: cos(W^c, W^c') near -1/2",
        simplex_of_rows, tolerance=0.2, asked_of=BUILT,
    ),
    Statement(
        "7.5", "[NCWD] NC3", "one-hot, trained: W is along the uncentred class means, rather",
        bound(better_duality, "one_hot", "uncentred", "centred"),
        bound(better_duality, "one_hot", "centred", "uncentred"), tolerance=0.0, asked_of=BUILT,
        note="print has the centred ones",
    ),
    Statement(
        "7.5", "[Dyn] 5", "centred labels, trained: W is along the centred class means, rather",
        bound(better_duality, "centred", "centred", "uncentred"), tolerance=0.0, asked_of=BUILT,
    ),
    Statement(
        "7.5", "[NCWD], [M117] Thm 3, 11: NC1", "f and W_L do not depend on n, so neither does h",
        printed=features_may_vary, tolerance=1e-3, asked_of=BUILT,
        note="h may vary in the null space of W_L, at rest for the full batch",
    ),
    Statement(
        "7.5", "[Dyn] 5, batches", "NC1 needs batches", printed=needs_batches, tolerance=0.5,
        asked_of=BUILT, note="full-batch descent with decay collapsed too",
    ),
    Statement(
        "7.5", "[M117] 6", "NC1 under gradient descent (at most 1% of its start)",
        bound(shrinks, 0), tolerance=1e-2, asked_of=BUILT,
    ),
    Statement(
        "7.5", "[Dyn] Thm 6, [M117] 6", "NC1 under SGD (at most 10% of its start)",
        bound(shrinks, 4), tolerance=0.1, asked_of=BUILT,
    ),
    Statement(
        "7.5", "in place of [NCWD] Thm 2.3",
        "lambda W^c = (1/C)[(eps + delta) mu_c - delta C mu_G]", rest_of_residues, asked_of=BUILT,
    ),
    Statement(
        "7.5", "in place of [NCWD] (3)",
        "lambda |W^c|^2 = (1/C)[eps (1-eps) - (C-1) delta^2]", lengths_of_residues,
        asked_of=BUILT,
    ),
    Statement(
        "7.5", "in place of [NCWD] (4)", "cos(W^c, W^c') of eps and delta", cosines_of_residues,
        asked_of=BUILT,
    ),
    Statement(
        "7.8", "[NCWD] Lemma 2.2", "Loss by the growth of one layer", loss_by_growth,
        asked_of=BUILT,
    ),
    Statement(
        "7.8", "[NCWD] Lemma 2.2", "at rest (1/N) sum <f, y - f> = lambda |W_L|^2 > 0",
        critical_points_do_not_interpolate, tolerance=1e-10, asked_of=BUILT,
    ),
    Statement("7.9", "[NCWD] 2", "d|W_L^c|^2/dt by rows", growth_of_rows, asked_of=BUILT),
    Statement(
        "7.9", "[NCWD] 2", "lambda W_L = (1/NC) sum (y - f) h^T at rest", last_layer_at_rest,
        tolerance=1e-10, asked_of=BUILT,
    ),
)  # fmt: skip
