"""The bounds of [Wide] against NumPy, on starts that meet their premises, and on 100 networks each.

The hundred networks are those of `benchmarks/bounds.py`, which prints how tight each bound is.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import benchmark
from rhoflow import dynamics, models
from rhoflow.dynamics.observables import (
    BY_NAME,
    class_moments,
    wide,
    wide_conditioning,
    wide_descent,
    with_options,
)
from rhoflow.experiments.audit import Verdict, ask
from rhoflow.experiments.audit.sections import wide as of_heads
from rhoflow.experiments.audit.sections import wide_descent as of_descent
from rhoflow.experiments.audit.sections import wide_examples

ROUND_OFF = 1e-9
NETWORK = models.mlp((5, 9, 7, 6, 6, 3), linear_layers=2)
HEAD, NONLINEAR, CLASSES, SAMPLES = 3, 2, 3, 9
LEAKY = models.mlp((5, 10, 6, 4, 3), activation=models.leaky_relu(0.25))


hundred = benchmark("bounds")


def drawn(network=NETWORK, seed=0, decay=1e-3):
    """Balanced one-hot data on the unit sphere, and weights of their own sizes."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((SAMPLES, 5))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    shapes = [layer.shape for layer in jax.eval_shape(network.init, jax.random.key(0))]
    weights = tuple(jnp.asarray(1.3 * rng.standard_normal(s) / np.sqrt(s[0])) for s in shapes)
    targets = models.encode(np.arange(SAMPLES) % CLASSES, "one_hot")
    return models.Problem(network, inputs, targets, decay=decay), weights


def trained(steps):
    """The network after so many steps, as a problem and a view."""
    problem, weights = drawn()
    motion = dynamics.gradient_descent(problem, 0.1, normalisation=dynamics.normalisation.free())
    ran = dynamics.simulate(motion, weights, times=[0.1 * steps], throw=True)
    return problem, models.to_layers(ran.final.position)


@pytest.fixture(scope="module", params=[1_000, 10_000])
def point(request):
    return trained(request.param)


@jax.jit
def see(look, problem, view):
    """What an `Observe` sees, compiled."""
    return look(problem, view)


def seen(problem, view, **asked):
    return jax.tree.map(np.asarray, see(dynamics.observe(**asked), problem, view))


def everything(problem, view):
    names = [name for name in BY_NAME if name.startswith("wide_")]
    asked = {name: with_options(BY_NAME[name], linear_layers=HEAD - 1) for name in names}
    return seen(problem, view, **asked)


# By hand, in [Wide]'s orientation.


def singular(matrix):
    return np.linalg.svd(matrix, compute_uv=False)


def by_hand(problem, view):
    """Every bound as (measured, bound) by name, in NumPy."""
    layers = [np.asarray(w).T for w in models.to_weights(view)]
    passed = [np.asarray(problem.inputs).T]
    for depth, layer in enumerate(layers):
        values = layer @ passed[-1]
        passed.append(np.maximum(values, 0) if depth < NONLINEAR else values)
    features, last, head = passed[-2], layers[-1], layers[4] @ layers[3] @ layers[2]
    labels = np.arange(SAMPLES) % CLASSES
    target = np.eye(CLASSES)[:, labels]
    eps_1 = np.linalg.norm(passed[-1] - target)
    eps_2 = max(
        singular(layers[k + 1].T @ layers[k + 1] - layers[k] @ layers[k].T)[0] for k in (2, 3)
    )
    r = max(singular(m)[0] for m in (passed[-3], features, *layers[2:]))
    reach = np.sqrt(SAMPLES / CLASSES) - eps_1
    psi = r * (eps_1 / reach + np.sqrt(6 * eps_2))
    kappas = [s[0] / s[-1] for s in map(singular, (head, last @ layers[3], last))]
    means = np.stack([features[:, labels == c].mean(axis=1) for c in range(CLASSES)], axis=1)
    centre = means.mean(axis=1, keepdims=True)
    within = np.sum((features - means[:, labels]) ** 2) / SAMPLES
    between = np.sum((means - centre) ** 2) / CLASSES
    cosine = np.mean(
        np.sum(features * last.T[:, labels], axis=0)
        / np.linalg.norm(features, axis=0)
        / np.linalg.norm(last.T[:, labels], axis=0)
    )
    kappa, root, n = kappas[2], np.sqrt(SAMPLES), SAMPLES
    error = HEAD**2 / 2 * r**4 * eps_2
    q = (reach / singular(passed[2])[0]) ** 2
    share = error / (q - error)
    pulled = last / singular(last)[-1]
    lost = r * psi + root * (kappa**2 - 1)
    length = 2 * n * (kappa * (1 + eps_1) + r**2 * np.sqrt(eps_2))
    low = reach / singular(passed[2])[0]
    squares = sum(np.sum(w**2) for w in layers[2:])
    apart = np.sqrt(2 / 3) - 2 * eps_1 / root
    t = r * psi / np.sqrt(SAMPLES / CLASSES)
    return {
        "distance": (np.linalg.norm(features - np.linalg.pinv(last) @ target), psi),
        "nc1": (within / between, r**2 / n * psi**2 / apart**2),
        "condition": (kappa, (kappas[0] ** 2 * (1 + share) + share) ** (1 / 6)
                      if q > error else np.inf),
        "nc2": (np.divide(*singular(means)[[0, -1]]), (kappa + t) / (1 - t) if t < 1 else np.inf),
        "transpose": (np.linalg.norm((np.linalg.pinv(pulled) - pulled.T) @ target),
                      root * (kappa - 1 / kappa)),
        "nc3": (cosine, ((root - eps_1) ** 2 + n / kappa**2 - lost**2) / length),
        "power": (singular(np.linalg.matrix_power(last @ last.T, 3) - head @ head.T)[0], error),
        "floor": (singular(head)[-1], low),
        "size": (squares, HEAD * np.sum(singular(head) ** (2 / HEAD))),
        "condition_by_size": (kappas[0], (squares / HEAD / low ** (2 / HEAD) - 2) ** 1.5),
        "kernel": (kernel_norm(problem, view), (reach / CLASSES / r) ** 2 * np.sum(
            np.square(kappas))),
    }  # fmt: skip


def kernel_norm(problem, view):
    """The largest squared singular value of the outputs' Jacobian, one sample and layer a time."""
    weights = models.to_weights(view)
    slopes = jax.jacrev(lambda w: problem.network.apply(w, problem.inputs).ravel())(weights)
    return (
        singular(np.hstack([np.asarray(s).reshape(SAMPLES * CLASSES, -1) for s in slopes]))[0] ** 2
    )


def test_every_bound_is_that_of_numpy(point):
    said, expected = everything(*point), by_hand(*point)
    for name, (measured, bound) in expected.items():
        found = said[f"wide_{name}"]
        np.testing.assert_allclose(found["measured"], measured, rtol=1e-7, err_msg=name)
        if name == "nc3" and bound < 0:
            bound = -np.inf
        np.testing.assert_allclose(found["bound"], bound, rtol=1e-7, err_msg=name)


def test_the_sharper_forms_are_sharper(point):
    said = everything(*point)
    for name in ("wide_condition", "wide_power"):
        assert said[name]["measured"] <= said[name]["sharper"] <= said[name]["bound"]
    assert said["wide_nc3"]["measured"] >= said["wide_nc3"]["sharper"] >= said["wide_nc3"]["bound"]
    np.testing.assert_allclose(
        said["wide_power"]["sharper"], said["wide_power"]["bound"] * 2 / 3, rtol=1e-12
    )


def test_a_balanced_head_that_fits_meets_its_bounds_with_equality():
    """W_3 = W_2 = W_1 = I on inputs e_c: eps_1 = eps_2 = 0, kappa = 1, all collapsed."""
    network = models.deep_linear((3, 3, 3, 3))
    labels = np.arange(6) % 3
    problem = models.Problem(network, np.eye(3)[labels], models.encode(labels, "one_hot"))
    view = models.to_layers((jnp.eye(3),) * 3)
    asked = {"nc3": wide.nc3, "nc2": wide.nc2, "nc1": wide.nc1,
             "floor": wide_conditioning.floor, "size": wide_conditioning.size}  # fmt: skip
    options = {name: with_options(one, linear_layers=2) for name, one in asked.items()}
    said = seen(problem, view, **options)
    for name, value in {"nc3": 1, "nc2": 1, "nc1": 0, "floor": 1, "size": 9}.items():
        assert said[name]["measured"] == pytest.approx(value, abs=1e-12), name
        assert said[name]["bound"] == pytest.approx(value, abs=1e-6), name


def test_bounds_whose_premises_fail_say_nothing():
    """Weights near zero fit nothing: eps_1 is about sqrt N, above s_K(Y)."""
    problem, weights = drawn()
    said = everything(problem, models.to_layers(tuple(1e-2 * w for w in weights)))
    for name in ("distance", "nc1", "condition", "nc2", "condition_by_size"):
        assert said[f"wide_{name}"]["bound"] == np.inf, name
    assert said["wide_nc3"]["bound"] == -np.inf
    assert said["wide_floor"]["bound"] < 0
    assert said["wide_kernel"]["bound"] == 0


def test_a_shorter_head_is_the_end_of_the_longer_one(point):
    """L_2 = 2 of the same network: eps_2 of the last pair alone, Z_{L-2} one layer up."""
    problem, view = point
    short, long = (jax.jit(wide.head, static_argnums=2)(problem, view, n) for n in (1, 2))
    assert len(short.layers) == 2
    assert short.imbalance <= long.imbalance
    assert short.fit == long.fit
    np.testing.assert_allclose(short.passed[0], long.passed[1])


@pytest.mark.slow
def test_an_ensemble_of_views_gives_each_its_own():
    problem, weights = drawn()
    view = models.to_layers(weights)
    other = models.to_layers(drawn(seed=3)[1])
    both = jax.tree.map(lambda a, b: jnp.stack([a, b]), view, other)
    asked = dynamics.observe(
        nc1=with_options(wide.nc1, linear_layers=2),
        nc3=with_options(wide.nc3, linear_layers=2),
        kernel=with_options(wide_conditioning.kernel, linear_layers=2),
        slope=wide_descent.slope(0.0),
        needs=wide_descent.requirements(0.1, gamma=1.0, fit=0.1, imbalance=0.1),
    )
    mapped = jax.jit(jax.vmap(asked, in_axes=(None, 0)))(problem, both)
    alone = see(asked, problem, other)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[1], b, rtol=1e-7), mapped, alone)


# Descent.


@pytest.mark.slow
def test_the_slope_and_its_floor_are_those_of_numpy():
    problem, weights = drawn(LEAKY)
    layers = [np.asarray(w).T for w in weights]
    first = layers[0] @ problem.inputs.T
    first = np.where(first > 0, first, 0.25 * first)
    factors = [singular(first)[-1], *(singular(layer)[-1] for layer in layers[2:])]
    said = seen(problem, models.to_layers(weights), slope=wide_descent.slope(0.25))["slope"]
    np.testing.assert_allclose(said["bound"], 4 * (0.25**2 * np.prod(factors)) ** 2, rtol=1e-9)

    def cost(w):
        return jnp.sum((problem.network.apply(w, problem.inputs) - problem.targets) ** 2) / 2

    squares = sum(float(jnp.sum(s**2)) for s in jax.grad(cost)(weights))
    np.testing.assert_allclose(said["measured"], 2 * squares / cost(weights), rtol=1e-9)


def test_the_ball_keeps_a_quarter_of_alpha_for_each_factor():
    """Random points on its surface: s_N(Z_1) and s_min(W_l) stay above half of what they were."""
    problem, weights = drawn(LEAKY)
    view = models.to_layers(weights)
    slope = wide_descent.slope(0.25)
    around = wide_descent.ball(0.25)(problem, view)
    here = seen(problem, view, slope=slope)["slope"]["bound"]
    np.testing.assert_allclose(around["alpha"], here / 4**3, rtol=1e-9)
    rng, radius = np.random.default_rng(2), float(around["radius"])
    for _ in range(20):
        moves = [rng.standard_normal(w.shape) for w in weights]
        far = radius / np.sqrt(sum(np.sum(m**2) for m in moves))
        moved = tuple(w + far * m for w, m in zip(weights, moves, strict=True))
        there = seen(problem, models.to_layers(moved), slope=slope)["slope"]
        assert there["measured"] >= there["bound"] >= around["alpha"]


@pytest.mark.slow
def test_descent_from_a_start_that_meets_them_fits_and_balances_in_the_steps_that_are_said():
    """Two linear layers near a fit, W_1 = 2: (8) holds, and so do eps_1 and eps_2 in the end."""
    network, labels = models.deep_linear((4, 4, 2)), np.arange(4) % 2
    targets = np.eye(2)[labels]
    off = 0.1 * np.array([[1.0, -1.0], [0.5, 0.0], [0.0, 1.0], [-1.0, 0.5]]) / 2
    weights = (2 * jnp.eye(4), jnp.asarray(targets / 2 + off))
    fit, imbalance, decay, rate = 0.3, 1.0, 1e-5, 0.1 * 2
    problem = models.Problem(network, np.eye(4), targets, decay=decay)
    asked = wide_descent.requirements(rate, gamma=1.0, fit=fit, imbalance=imbalance, smoothness=9.0)
    needs = jax.tree.map(float, asked(problem, models.to_layers(weights)))
    assert needs["start"]["measured"] >= needs["start"]["bound"]
    for name in ("decay", "learning_rate"):
        assert needs[name]["measured"] <= needs[name]["bound"], name
    assert needs["decay"]["measured"] == pytest.approx(4e-5)
    assert needs["learning_rate"]["measured"] == pytest.approx(0.1)
    steps = np.array([0, needs["fit_steps"], needs["fit_steps"] + needs["balance_steps"]])
    assert 0 < steps[1] < steps[2] < 1e6
    motion = dynamics.gradient_descent(problem, rate, normalisation=dynamics.normalisation.free())
    look = dynamics.observe("wide_quantities")
    run = dynamics.simulate(motion, weights, times=rate * steps, observe=look)["wide_quantities"]
    assert run["eps_1"][1] <= fit
    assert run["eps_1"][2] <= fit
    assert run["eps_2"][0] > imbalance >= run["eps_2"][2]


def test_steps_are_infinite_where_there_is_no_decay_or_no_slope():
    problem, weights = drawn(LEAKY, decay=0.0)
    view = models.to_layers(weights)
    said = wide_descent.requirements(0.1, gamma=0.25, fit=0.1, imbalance=0.1)(problem, view)
    assert np.isinf(said["balance_steps"])
    narrow, thin = drawn(models.mlp((5, 4, 3)), decay=0.1)
    said = wide_descent.requirements(0.1, gamma=1.0, fit=0.1, imbalance=0.1)(
        narrow, models.to_layers(thin)
    )
    assert np.isinf(said["fit_steps"])
    assert said["decay"]["bound"] == 0
    assert wide_descent.slope(1.0)(narrow, models.to_layers(thin))["bound"] == 0
    assert wide_descent.decayed_slope(1.0)(narrow, models.to_layers(thin))["bound"] == 0


@pytest.mark.parametrize(
    ("network", "layers", "message"),
    [
        (NETWORK, 0, "at least one linear layer"),
        (NETWORK, 3, "3 linear layers below"),
        (NETWORK, 5, "between 0 and 4"),
    ],
)
def test_a_head_that_is_none_is_refused(network, layers, message):
    problem, weights = drawn(network)
    with pytest.raises(ValueError, match=message):
        wide.quantities(problem, models.to_layers(weights), layers)


def test_what_has_no_bounds_is_refused():
    problem, weights = drawn(models.mlp((5, 9, 6, 3), linear_layers=1, batch_norm=True))
    with pytest.raises(ValueError, match="without batch norm"):
        wide.nc1(problem, models.to_layers(weights))
    signs = np.where(np.arange(4) % 2, 1.0, -1.0)
    binary = models.Problem(models.deep_linear((4, 3, 1)), np.eye(4), signs)
    point = models.to_layers((jnp.ones((4, 3)), jnp.ones((3, 1))))
    with pytest.raises(ValueError, match="one-hot targets"):
        wide.nc1(binary, point)
    with pytest.raises(ValueError, match="one-hot targets"):
        wide_descent.slope(1.0)(binary, point)
    flat = models.Problem(models.deep_linear((4, 3, 3)), np.eye(4), np.eye(3)[[0, 1, 2, 0]])
    layers = flat.network.init(jax.random.key(0))
    linearised = models.Linearised(layers, layers)
    asked = wide_descent.requirements(0.1, gamma=1.0, fit=0.1, imbalance=0.1)
    for one in (wide_descent.slope(1.0), wide_descent.ball(1.0), asked):
        with pytest.raises(ValueError, match="a linearised network"):
            one(flat, linearised)
    with pytest.raises(ValueError, match="least slope"):
        wide_descent.slope(1.5)
    with pytest.raises(ValueError, match="positive fit"):
        wide_descent.requirements(0.1, gamma=1.0, fit=0.0, imbalance=0.1)


def test_equal_options_are_the_same_observable():
    assert wide_descent.slope(0.5) is wide_descent.slope(0.5)
    options = [class_moments.with_options(wide.nc1, linear_layers=2) for _ in range(2)]
    assert options[0] is options[1]


# A hundred networks each.


@pytest.mark.slow
def test_every_bound_holds_on_a_hundred_trained_networks():
    fitted = hundred.heads()["quantities"]["eps_1"]
    assert len(fitted) == 100
    assert np.max(fitted) < 0.3, "all were trained"
    rows = {name: values for name, values in hundred.table().items() if "printed" not in name}
    assert {name: hundred.violated(values) for name, values in rows.items()} == dict.fromkeys(
        rows, 0
    )
    for name, values in rows.items():
        assert np.mean(np.isfinite(values)) > 0.7, f"{name} is mostly vacuous"


@pytest.mark.slow
def test_wrongly_printed_forms_fail_on_the_hundred():
    rows = hundred.printed()
    assert hundred.violated(rows["transpose, printed: sqrt K"]) == 100
    assert hundred.violated(rows["slope at W_2 = 0, printed: no square"]) > 10
    assert hundred.violated(rows["unit kernels, printed: factor 1"]) == 100


@pytest.mark.slow
def test_the_complexity_of_trees_stays_below_its_bound():
    trained_trees, ascent, bound = hundred.trees().values()
    assert 0 < trained_trees <= ascent <= bound


# The audit asks the library.


def contested():
    """Claims of section 8 that do not come out as the theory says."""
    wide_examples.trained.cache_clear()
    of_descent._start.cache_clear()
    statements = (*of_heads.STATEMENTS, *of_descent.STATEMENTS)
    return {a.statement.claim for a in ask(statements, ()) if a.verdict is Verdict.CONTESTED}


def wrong(name, right):
    """The same observable with bounds on the wrong side of what is measured."""
    share = 10 if name in hundred.LOWER else 0.1

    def said(*arguments):
        found = right(*arguments)
        return {form: found["measured"] * (1 if form == "measured" else share) for form in found}

    return said


@pytest.mark.slow
def test_a_wrong_bound_in_the_library_turns_its_row(monkeypatch):
    for module in (wide, wide_conditioning):
        for name in hundred.ASKED:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, wrong(name, getattr(module, name)))
    alpha, radius = wide_descent._alpha, wide_descent._ball
    monkeypatch.setattr(wide_descent, "_alpha", lambda *at: 1e12 * alpha(*at))
    monkeypatch.setattr(
        wide_descent, "_ball", lambda *at: {k: 3 * v for k, v in radius(*at).items()}
    )
    for name in ("plateau", "path_length"):
        right = getattr(wide_descent, name)
        monkeypatch.setattr(wide_descent, name, lambda *at, right=right: 0.01 * right(*at))
    own = {
        "its printed exponents: valid, and looser",
        "|s(A)|_op <= |A|_F",
        "q with r of every layer and |X|_F is a floor of s_K(head)^2",
        "balance and negativity by their definitions",
        "weight decay balances linear pairs",
    }
    asked = {s.claim for s in (*of_heads.STATEMENTS, *of_descent.STATEMENTS) if s.item != "8.7"}
    turned = contested()
    wide_examples.trained.cache_clear()
    of_descent._start.cache_clear()
    assert asked - turned - own == set()
