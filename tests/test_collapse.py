"""Neural collapse: every metric against NumPy, at a constructed simplex, and off it.

Source: [Dyn] section 5, [M117] K, [NCWD] 3, [Wide] 3 and 6.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import as_numpy
from rhoflow import dynamics, models
from rhoflow.dynamics.observables import BY_NAME, collapse, with_options

ROUND_OFF = 1e-12
CLASSES = 3
LABELS = {
    "balanced": np.arange(12) % 3,
    "unbalanced": np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 0]),
}
DEEP = models.mlp((5, 9, 7, 8, 3), linear_layers=1)
BINARY = models.mlp((5, 9, 7, 8, 1), linear_layers=1)
PAIR = models.mlp((5, 9, 7, 8, 2), linear_layers=1)
CASES = [
    (DEEP, "centred", "balanced"),
    (DEEP, "one_hot", "unbalanced"),
    (BINARY, "signs", "unbalanced"),
    (PAIR, "centred", "balanced"),
]


def drawn(network, encoding, balance, seed=0):
    """A problem and a point whose layers have norms of their own."""
    rng = np.random.default_rng(seed)
    labels = LABELS[balance]
    if network is not DEEP:
        labels = np.minimum(labels, 1)
    inputs = rng.standard_normal((12, 5))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    shapes = [layer.shape for layer in jax.eval_shape(network.init, jax.random.key(0))]
    weights = tuple(np.exp(rng.uniform(-1, 1)) * rng.standard_normal(s) for s in shapes)
    problem = models.Problem(network, inputs, models.encode(labels, encoding), decay=0.04)
    return problem, models.to_layers(tuple(map(jnp.asarray, weights))), labels


def hidden_by_hand(layers, inputs, layer):
    """h of the hidden layer: two ReLU layers, then a linear one."""
    values = inputs
    for depth, weights in enumerate(layers[: (layer % 3) + 1]):
        values = values @ weights
        values = np.maximum(values, 0) if depth < 2 else values
    return values


def by_hand(problem, view, labels, layer):
    """All metrics from loops over classes, with nothing of the library."""
    _, directions = as_numpy(view)
    weights = [r * v for r, v in zip(np.asarray(view.radii), directions, strict=True)]
    count = int(labels.max()) + 1
    inputs = np.asarray(problem.inputs)
    at = moments_by_hand(hidden_by_hand(directions, inputs, layer), labels, count)
    top = moments_by_hand(hidden_by_hand(directions, inputs, -1), labels, count)
    long = moments_by_hand(hidden_by_hand(weights, inputs, layer), labels, count)
    rows = directions[-1].T
    rows = np.concatenate([-rows, rows]) if len(rows) == 1 else rows
    inverse = np.linalg.pinv(at["B"], rcond=1e-11, hermitian=True)
    scores = np.argmax(top["h"] @ rows.T, axis=1)
    gaps = np.linalg.norm(at["h"][:, None] - at["means"][None], axis=2)
    sizes = np.linalg.svd(at["means"], compute_uv=False)
    return {
        "Sigma_W": at["W"],
        "Sigma_B": at["B"],
        "Sigma_T": at["T"],
        "class_means": at["means"],
        "global_mean": at["means"].mean(axis=0),
        "nc1_within": np.trace(at["W"]),
        "nc1_ratio": np.trace(at["W"] @ inverse),
        "nc1_traces": np.trace(at["W"]) / np.trace(at["B"]),
        "nc2_norm_variance": np.var(np.linalg.norm(centre(long["means"]), axis=1)),
        "nc2_condition": sizes[0] / sizes[-1],
        **second_by_hand(centre(at["means"])),
        "nc3_duality": np.linalg.norm(unit(rows) - unit(centre(top["means"]))),
        "nc3_mean_cosine": np.mean([cosine(m, w) for m, w in zip(top["means"], rows, strict=True)]),
        "nc3_sample_cosine": np.mean(
            [
                np.mean([cosine(h, rows[c]) for h in top["h"][labels == c]])
                for c in range(count)
            ]
        ),
        "nc4": np.mean(scores != np.argmin(gaps, axis=1)),
        "class_mean_gram": at["means"] @ at["means"].T,
    }  # fmt: skip


def centre(means):
    return means - means.mean(axis=0)


def unit(matrix):
    return matrix / np.linalg.norm(matrix)


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def moments_by_hand(features, labels, count):
    means = np.stack([features[labels == c].mean(axis=0) for c in range(count)])
    middle = means.mean(axis=0)
    width = features.shape[1]
    spread = {"W": np.zeros((width, width)), "B": np.zeros((width, width)), "T": 0}
    for c in range(count):
        own = features[labels == c]
        for h in own:
            spread["W"] += np.outer(h - means[c], h - means[c]) / len(own) / count
            spread["T"] = spread["T"] + np.outer(h - middle, h - middle) / len(own) / count
        spread["B"] += np.outer(means[c] - middle, means[c] - middle) / count
    return {"h": features, "means": means, **spread}


def second_by_hand(vectors):
    count = len(vectors)
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    norms = np.linalg.norm(vectors, axis=1)
    products = [vectors[a] @ vectors[b] for a, b in pairs]
    cosines = [cosine(vectors[a], vectors[b]) for a, b in pairs]
    return {
        "nc2_norms": np.std(norms) / np.mean(norms),
        "nc2_products": np.std(products) / abs(np.mean(products)),
        "nc2_angles": np.mean(np.abs(np.array(cosines) + 1 / (count - 1))),
        "nc2_angle_spread": np.std(cosines),
    }


@jax.jit
def see(look, problem, view):
    """What an `Observe` sees, compiled."""
    return look(problem, view)


@jax.jit
def look(problem, view):
    return {n: BY_NAME[n](problem, view) for n in NAMES}


@jax.jit
def look_lower(problem, view):
    return {n: with_options(BY_NAME[n], layer=1)(problem, view) for n in LAYERED}


NAMES = [
    "Sigma_W", "Sigma_B", "Sigma_T", "class_means", "global_mean", "class_mean_gram",
    "nc1_within", "nc1_ratio", "nc1_traces", "nc2_norm_variance", "nc2_condition", "nc2_norms",
    "nc2_products", "nc2_angles", "nc2_angle_spread", "nc3_duality", "nc3_mean_cosine",
    "nc3_sample_cosine", "nc4",
]  # fmt: skip
OF_FRAMES = ("nc2_condition", "nc3_mean_cosine", "nc3_sample_cosine")
LAYERED = [name for name in NAMES if not name.startswith("nc3")]


@pytest.mark.parametrize(("network", "encoding", "balance"), CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_metric_is_that_of_numpy(network, encoding, balance, seed):
    problem, view, labels = drawn(network, encoding, balance, seed)
    # The lower layer is compiled for one network only, to save time.
    lower = look_lower(problem, view) if network is DEEP else {}
    for layer, found in ((-1, look(problem, view)), (1, lower)):
        expected = by_hand(problem, view, labels, layer)
        for name in found:
            np.testing.assert_allclose(
                found[name], expected[name], rtol=1e-9, atol=ROUND_OFF, err_msg=name
            )


def test_metrics_of_classifiers_are_those_of_their_rows():
    problem, view, _ = drawn(DEEP, "centred", "balanced")
    expected = second_by_hand(np.asarray(view.directions[-1]).T)
    rows = {name: with_options(BY_NAME[name], of="classifiers") for name in expected}
    seen = see(dynamics.observe(**rows), problem, view)
    for name, value in expected.items():
        np.testing.assert_allclose(seen[name], value, rtol=1e-12, err_msg=name)
    lengths = np.linalg.norm(np.asarray(view.radii[-1] * view.directions[-1]), axis=0)
    variance = collapse.nc2_norm_variance(problem, view, of="classifiers")
    np.testing.assert_allclose(variance, np.var(lengths), rtol=1e-12)


# A last layer on its own: inputs are the features.

FRAME = np.sqrt(3 / 2) * (np.eye(3) - 1 / 3)


def last_layer(features, encoding="centred", decay=0.03, rho=2.0, rows=FRAME):
    network = models.deep_linear((features.shape[1], len(rows)))
    targets = models.encode(np.arange(len(features)) % 3, encoding)
    problem = models.Problem(network, features, targets, decay=decay)
    return problem, models.to_polar((jnp.asarray(rows.T),), rho=rho)


def test_metrics_are_zero_on_a_simplex_about_any_centre():
    features = 0.4 * np.tile(FRAME, (4, 1)) + np.array([0.3, 0.3, 0.3])
    seen = look(*last_layer(features))
    for name in {n for n in NAMES if n.startswith("nc")} - set(OF_FRAMES):
        assert abs(float(seen[name])) < ROUND_OFF, name


def test_wide_metrics_are_one_on_an_orthogonal_frame():
    problem, view = last_layer(0.7 * np.tile(np.eye(3), (4, 1)), "one_hot", rows=np.eye(3))
    seen = look(problem, view)
    for name in OF_FRAMES:
        assert abs(float(seen[name]) - 1) < ROUND_OFF, name
    assert collapse.nc3_duality(problem, view, centred=False) < ROUND_OFF
    # The centred frame is a simplex too, but one that the rows do not follow.
    apart = seen["nc3_duality"]
    np.testing.assert_allclose(apart, np.sqrt(2 - 2 * np.sqrt(2 / 3)), rtol=1e-12)


def test_within_class_noise_of_known_size_is_seen():
    """+-d along mu_0 - mu_G: Tr Sigma_W = d^2, and the ratio is C d^2/(3/2 s^2), s the radius."""
    size, step = 0.4, 0.05
    noise = step * np.repeat([1, -1], 6)[:, None] * FRAME[0][None, :]
    problem, view = last_layer(size * np.tile(FRAME, (4, 1)) + noise)
    np.testing.assert_allclose(collapse.nc1_within(problem, view), step**2, rtol=1e-12)
    np.testing.assert_allclose(collapse.nc1_traces(problem, view), step**2 / size**2, rtol=1e-12)
    ratio = 3 * step**2 / (3 / 2 * size**2)
    np.testing.assert_allclose(collapse.nc1_ratio(problem, view), ratio, rtol=1e-12)
    divided = collapse.nc1_ratio(problem, view, divided_by_classes=True)
    np.testing.assert_allclose(divided, ratio / 3, rtol=1e-12)


def test_a_turned_classifier_has_the_duality_of_its_angle():
    """Rows turned by 0.2 in the plane of the simplex: |W - M| = 2 sin(0.1)."""
    axes = np.linalg.svd(FRAME)[2][:2]
    turn = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    problem, view = last_layer(0.4 * np.tile(FRAME, (4, 1)), rows=FRAME @ axes.T @ turn @ axes)
    found = collapse.nc3_duality(problem, view)
    np.testing.assert_allclose(found, 2 * np.sin(0.1), rtol=1e-12)


def test_an_equilibrium_of_centred_labels_has_its_closed_forms():
    """Class means 2 mu K*/sqrt 3, rho = mu/(2 mu^2/3 + lambda): every difference vanishes."""
    mu, decay = 0.2, 0.03
    features = 2 * mu / np.sqrt(3) * np.tile(FRAME, (4, 1)) + 0.2
    rho = mu / (2 * mu**2 / 3 + decay)
    problem, view = last_layer(features, decay=decay, rho=rho)
    for name, value in collapse.closed_forms(problem, view).items():
        assert abs(float(value)) < ROUND_OFF, name
    there = collapse.quasi_interpolation(problem, view)
    np.testing.assert_allclose(there["alpha"], rho * mu * 2 / 3, rtol=1e-12)
    assert there["distance"] < ROUND_OFF
    lengths = collapse.classifier_lengths(problem, view)
    np.testing.assert_allclose(lengths["squared_lengths"], np.full(3, rho**2 / 3), rtol=1e-12)
    np.testing.assert_allclose(lengths["margins"], np.full(3, there["alpha"]), rtol=1e-12)
    off = collapse.closed_forms(problem, view._replace(rho=1.1 * view.rho))
    np.testing.assert_allclose(off["rho"], 0.1, rtol=1e-9)


def test_closed_forms_are_those_of_numpy_where_the_mean_margin_is_negative():
    problem, view, labels = drawn(DEEP, "centred", "balanced")
    view = view._replace(directions=(*view.directions[:-1], -view.directions[-1]))
    directions, rho = as_numpy(view)[1], float(view.rho)
    features = hidden_by_hand(directions, np.asarray(problem.inputs), -1)
    means = np.stack([features[labels == c].mean(axis=0) for c in range(3)])
    rows = directions[-1].T
    codes = np.where(labels[:, None] == np.arange(3)[None, :], 1.0, -0.5)
    outputs = features @ rows.T
    mu = np.mean(np.sum(outputs * codes, axis=1))
    sign = -1 if mu > 0 else 1
    if sign < 0:
        view = view._replace(directions=(*view.directions[:-1], -view.directions[-1]))
    rows, mu = sign * rows, sign * mu
    alpha = sign * rho * np.sum(outputs * codes) / np.sum(codes**2)
    lengths = np.sum(rows**2, axis=1)
    expected = {
        "rho": rho * (mu**2 / 1.5 + 0.04) / mu - 1,
        "alpha": mu**2 / 1.5 / (0.04 + mu**2 / 1.5) / alpha - 1,
        "classifiers": np.linalg.norm(rows - centre(means) / (2 * mu)) / np.linalg.norm(rows),
        "lengths": np.max(np.abs(lengths / lengths.mean() - 1)),
        "centre": np.max(np.abs(rows @ means.mean(axis=0))) / abs(mu),
        "angles": second_by_hand(rows)["nc2_angles"],
    }
    assert mu < 0
    found = collapse.closed_forms(problem, view)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-10, err_msg=name)


def test_closed_forms_of_one_hot_targets_are_refused_or_marked():
    problem, view, _ = drawn(PAIR, "one_hot", "balanced")
    with pytest.raises(ValueError, match=r"targets \+-1 or centred, got one-hot ones"):
        collapse.closed_forms(problem, view)
    assert np.isnan(jax.tree.leaves(jax.jit(collapse.closed_forms)(problem, view))).all()


def test_lengths_of_classifiers_stand_beside_their_classes_margins():
    problem, view, labels = drawn(DEEP, "one_hot", "unbalanced")
    directions, rho = as_numpy(view)[1], float(view.rho)
    outputs = hidden_by_hand(directions, np.asarray(problem.inputs), -1) @ directions[-1]
    others = np.where(labels[:, None] == np.arange(3)[None, :], -np.inf, outputs)
    reached = rho * (outputs[np.arange(12), labels] - others.max(axis=1))
    margins = [reached[labels == c].mean() for c in range(3)]
    squares = float(view.radii[-1]) ** 2 * np.sum(directions[-1] ** 2, axis=0)
    found = collapse.classifier_lengths(problem, view)
    np.testing.assert_allclose(found["margins"], margins, rtol=1e-10)
    np.testing.assert_allclose(found["squared_lengths"], squares, rtol=1e-12)
    np.testing.assert_allclose(found["ratio"], squares / margins, rtol=1e-10)


def test_the_distance_to_quasi_interpolation_is_a_sine():
    problem, view, labels = drawn(DEEP, "one_hot", "unbalanced")
    seen = collapse.quasi_interpolation(problem, view)
    codes = np.where(labels[:, None] == np.arange(3)[None, :], 1.0, -0.5)
    outputs = float(view.rho) * np.asarray(view.evaluate(problem.network, problem.inputs))
    turned = cosine(outputs.ravel(), codes.ravel())
    np.testing.assert_allclose(seen["distance"], np.sqrt(1 - turned**2), rtol=1e-12)
    np.testing.assert_allclose(seen["alpha"], np.sum(outputs * codes) / np.sum(codes**2))


def test_a_negative_rho_turns_the_classifiers():
    problem, view, _ = drawn(BINARY, "signs", "balanced")
    turned = models.Polar(-view.rho, (*view.directions[:-1], -view.directions[-1]))
    same = models.Polar(view.rho, view.directions)
    names = ("nc3_duality", "nc3_mean_cosine", "nc4", "closed_forms", "quasi_interpolation")
    seen = dynamics.observe(*names)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11),
        see(seen, problem, turned),
        see(seen, problem, same),
    )


# Options, and what is refused.


def test_equal_options_are_the_same_observable():
    one = with_options(collapse.nc1_ratio, layer=0, divided_by_classes=True)
    assert one is with_options(collapse.nc1_ratio, divided_by_classes=True, layer=0)
    assert one is not with_options(collapse.nc1_ratio, layer=1, divided_by_classes=True)


@pytest.mark.parametrize(
    ("function", "options", "says"),
    [
        (collapse.nc1_ratio, {"layr": 0}, "did you mean 'layer'"),
        (collapse.nc1_ratio, {"layer": 0.5}, "a whole number for layer"),
        (collapse.nc2_norms, {"of": "mean"}, "did you mean 'means'"),
        (collapse.nc3_duality, {"layer": 0}, "unknown option of nc3_duality"),
    ],
)
def test_unknown_options_are_refused(function, options, says):
    with pytest.raises(ValueError, match=says):
        with_options(function, **options)


def test_a_layer_that_is_not_there_is_refused():
    problem, view, _ = drawn(DEEP, "centred", "balanced")
    with pytest.raises(ValueError, match="one of the 3 hidden layers"):
        collapse.nc1_within(problem, view, layer=3)


def test_a_class_without_samples_has_no_metrics():
    """But what is of the outputs alone: rho f = e_c is 1/sqrt 3 from alpha e~_c, a sine."""
    network = models.deep_linear((3, 3))
    targets = models.encode(np.array([0, 1, 0, 1]), "centred", classes=3)
    problem = models.Problem(network, np.eye(3)[[0, 1, 0, 1]], targets)
    view = models.to_polar((np.eye(3),))
    for name in {n for n in NAMES if n.startswith("nc")}:
        assert np.isnan(BY_NAME[name](problem, view)), name
    there = collapse.quasi_interpolation(problem, view)
    np.testing.assert_allclose(there["alpha"], 2 / 3, rtol=1e-12)
    np.testing.assert_allclose(there["distance"], 1 / np.sqrt(3), rtol=1e-12)


def test_fewer_units_than_classes_have_no_finite_condition():
    problem, view = last_layer(0.4 * np.tile(FRAME[:, :2], (4, 1)), rows=FRAME[:, :2])
    assert np.isinf(collapse.nc2_condition(problem, view))
    assert np.isinf(BY_NAME["head_condition"](problem, view)[0])


# Along a trajectory, and mapped.


@pytest.mark.slow
def test_metrics_along_a_trajectory_are_those_of_its_weights():
    problem, view, _ = drawn(DEEP, "centred", "balanced")
    metrics = {"lower": with_options(collapse.nc1_traces, layer=0)}
    run = dynamics.simulate(
        dynamics.gradient_descent(problem, learning_rate=0.1),
        models.Polar(view.rho, view.directions),
        times=np.array([0.5, 1.0]),
        observe=dynamics.observe("rho", "nc1_ratio", "nc4", all=directions, **metrics),
    )
    seen = dynamics.observe("nc1_ratio", "nc4", **metrics)
    for row in range(2):
        layers = tuple(layer[row] for layer in run.observations["all"])
        for name, value in seen(
            problem, models.Polar(run.observations["rho"][row], layers)
        ).items():
            np.testing.assert_allclose(run.observations[name][row], value, rtol=1e-9)
    assert run.observations["lower"][0] != run.observations["lower"][1]


def directions(problem, view):
    del problem
    return view.directions


def test_metrics_of_many_views_are_those_of_each():
    problem, first, _ = drawn(DEEP, "centred", "balanced", seed=0)
    second = drawn(DEEP, "centred", "balanced", seed=1)[1]
    both = jax.tree.map(lambda a, b: jnp.stack([a, b]), first, second)
    names = ("nc1_ratio", "nc2_angles", "nc3_duality", "nc4", "closed_forms")
    every = dynamics.observe(*names)
    mapped = jax.jit(jax.vmap(every, in_axes=(None, 0)))(problem, both)
    for member, view in enumerate((first, second)):
        alone = see(every, problem, view)
        jax.tree.map(
            lambda a, b, m=member: np.testing.assert_allclose(a[m], b, rtol=1e-9), mapped, alone
        )
