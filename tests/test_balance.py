"""Balance, negativity, the linear head's conditioning and Gram matrices against NumPy.

Source: [Wide] sections 3 and 6.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow import dynamics, models
from rhoflow.dynamics.observables import balance, class_moments, with_options

NETWORK = models.mlp((5, 9, 7, 6, 3), linear_layers=1)
NAMES = ("balance", "imbalances", "negativity", "class_mean_gram")


def drawn(network=NETWORK, seed=0):
    """A problem, weights with norms of their own, and the same as a view."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((9, 5))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    shapes = [layer.shape for layer in jax.eval_shape(network.init, jax.random.key(0))]
    weights = [np.exp(rng.uniform(-1, 1)) * rng.standard_normal(shape) for shape in shapes]
    problem = models.Problem(network, inputs, models.encode(np.arange(9) % 3, "one_hot"))
    return problem, weights, models.to_layers(tuple(map(jnp.asarray, weights)))


@jax.jit
def see(look, problem, view):
    """What an `Observe` sees, compiled."""
    return look(problem, view)


def size(matrix):
    return np.linalg.svd(matrix, compute_uv=False)[0]


def pairs(weights):
    """W_{l+1}^T W_{l+1} and W_l W_l^T in [Wide]'s orientation, the transposes of ours."""
    rows = [w.T for w in weights]
    return [(high.T @ high, low @ low.T) for low, high in itertools.pairwise(rows)]


@pytest.mark.parametrize("seed", [0, 1])
def test_balance_and_negativity_are_those_of_numpy(seed):
    problem, weights, view = drawn(seed=seed)
    seen = see(dynamics.observe(*NAMES), problem, view)
    gaps = [size(a - b) for a, b in pairs(weights)]
    shares = [size(a - b) / min(size(a), size(b)) for a, b in pairs(weights)]
    np.testing.assert_allclose(seen["imbalances"], gaps, rtol=1e-11)
    np.testing.assert_allclose(seen["balance"], shares, rtol=1e-11)
    passed, negative = np.asarray(problem.inputs), []
    for depth, layer in enumerate(weights[:-1]):
        values = passed @ layer
        negative.append(size(values - np.maximum(values, 0)) / size(values))
        passed = np.maximum(values, 0) if depth < 2 else values
    np.testing.assert_allclose(seen["negativity"], negative, rtol=1e-11)


def test_a_polar_point_shares_its_radius_equally():
    problem, weights, _ = drawn()
    view = models.to_polar(weights)
    share = float(view.rho) ** (1 / 4)
    equal = [share * w / np.linalg.norm(w) for w in weights]
    gaps = [size(a - b) for a, b in pairs(equal)]
    np.testing.assert_allclose(balance.imbalances(problem, view), gaps, rtol=1e-11)


def test_balanced_layers_have_no_imbalance():
    """W_k with equal singular values in shared bases: W_{l+1}^T W_{l+1} = W_l W_l^T."""
    rng = np.random.default_rng(0)
    bases = [np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(4)]
    sizes = np.diag([2.0, 1.5, 0.7, 0.1])
    weights = [low @ sizes @ high.T for low, high in itertools.pairwise(bases)]
    network = models.deep_linear((4, 4, 4, 4))
    problem = models.Problem(network, 0.5 * np.eye(4), models.encode(np.arange(4), "one_hot"))
    view = models.to_layers(tuple(map(jnp.asarray, weights)))
    assert np.max(balance.balance(problem, view)) < 1e-12
    conditions = balance.head_condition(problem, view, linear_layers=2)
    np.testing.assert_allclose(conditions, [20.0**3, 20.0**2, 20.0], rtol=1e-9)


def test_a_layer_that_lets_all_pass_has_no_negativity():
    """And one that lets nothing pass has negativity one."""
    network = models.mlp((3, 4, 4, 2))
    ones = jnp.ones
    problem = models.Problem(
        network, 0.5 * np.eye(3)[[0, 1, 2, 0]], models.encode([0, 1, 0, 1], "one_hot")
    )
    view = models.to_layers((ones((3, 4)), -ones((4, 4)), ones((4, 2))))
    np.testing.assert_allclose(balance.negativity(problem, view), [0.0, 1.0], atol=1e-14)


def test_conditions_of_the_head_are_those_of_its_products():
    problem, weights, view = drawn()
    found = with_options(balance.head_condition, linear_layers=1)(problem, view)
    for value, product in zip(found, (weights[2] @ weights[3], weights[3]), strict=True):
        sizes = np.linalg.svd(product, compute_uv=False)
        np.testing.assert_allclose(value, sizes[0] / sizes[-1], rtol=1e-11)


def test_a_head_narrower_than_its_outputs_has_no_finite_condition():
    network = models.deep_linear((5, 2, 3))
    problem, _, view = drawn(network)
    assert np.isinf(balance.head_condition(problem, view)[0])


def test_one_layer_has_no_pairs_and_no_hidden_layer():
    problem, _, view = drawn(models.deep_linear((5, 3)))
    for measure in (balance.balance, balance.imbalances, balance.negativity):
        assert measure(problem, view).shape == (0,)


def test_the_gram_matrix_is_that_of_class_means():
    problem, _, view = drawn()
    means = np.asarray(class_moments.class_means(problem, view, layer=0))
    found = balance.class_mean_gram(problem, view, layer=0, centred=True)
    centred = means - means.mean(axis=0)
    np.testing.assert_allclose(found, centred @ centred.T, rtol=1e-10, atol=1e-14)


def test_balance_of_many_views_is_that_of_each():
    problem, _, first = drawn(seed=0)
    second = drawn(seed=1)[2]
    both = jax.tree.map(lambda a, b: jnp.stack([a, b]), first, second)
    every = dynamics.observe(*NAMES, "head_condition")
    mapped = jax.jit(jax.vmap(every, in_axes=(None, 0)))(problem, both)
    alone = see(every, problem, second)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[1], b, rtol=1e-9), mapped, alone)


def test_what_has_no_balance_is_refused():
    problem, _, view = drawn()
    with pytest.raises(ValueError, match="between 0 and 3 linear layers"):
        balance.head_condition(problem, view, linear_layers=4)
    kernels = models.Polar(view.rho, (jnp.ones((3, 3, 5, 9)), *view.directions[1:]))
    assert np.isnan(balance.balance(problem, kernels)).tolist() == [True, False, False]
    with pytest.raises(ValueError, match="dense layers that fit"):
        balance.head_condition(problem, kernels, linear_layers=3)
    normed, _, standardised = drawn(models.mlp((5, 9, 3), batch_norm=True))
    with pytest.raises(ValueError, match="without batch norm"):
        balance.negativity(normed, standardised)
