"""Spectra: ranks of layers, of batches' gradients, of Jacobians, against NumPy and known ranks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import DEEP_RELU, RELU, backward, forward, problem, start
from rhoflow import dynamics, models
from rhoflow.dynamics.observables import constraints, spectra

ROUND_OFF = 1e-12
LOOK = dynamics.observe("singular_values", "stable_rank", "entropy_rank", "condition_numbers")
OBSERVED = jax.jit(lambda ours, view: LOOK(ours, view))


def of_spectrum(values, rows, columns, seed=0):
    """A matrix with these singular values."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.standard_normal((rows, len(values))))[0]
    right = np.linalg.qr(rng.standard_normal((columns, len(values))))[0]
    return left @ np.diag(values) @ right.T


def linear_view(*layers):
    network = models.deep_linear((layers[0].shape[0], *(layer.shape[1] for layer in layers)))
    inputs = np.eye(layers[0].shape[0])
    outputs = layers[-1].shape[1]
    targets = models.encode(
        np.arange(len(inputs)) % max(outputs, 2), "signs" if outputs == 1 else "centred"
    )
    return models.Problem(network, inputs, targets), models.to_polar(layers)


def test_ranks_are_those_of_numpys_singular_values():
    ours, view = problem(DEEP_RELU), start(DEEP_RELU)
    seen = OBSERVED(ours, view)
    for k, layer in enumerate(view.directions):
        values = np.linalg.svd(layer, compute_uv=False)
        shares = values**2 / np.sum(values**2)
        assert seen["singular_values"][k] == pytest.approx(values, rel=ROUND_OFF)
        assert seen["stable_rank"][k] == pytest.approx(1 / values[0] ** 2, rel=ROUND_OFF)
        entropy = -np.sum(shares * np.log(shares))
        assert seen["entropy_rank"][k] == pytest.approx(np.exp(entropy), rel=ROUND_OFF)
        assert seen["condition_numbers"][k] == pytest.approx(values[0] / values[-1], rel=1e-10)


def test_equal_singular_values_have_the_whole_rank_and_one_has_rank_one():
    ours, view = linear_view(of_spectrum([1, 1, 1], 7, 5), of_spectrum([2.0], 5, 6))
    seen = OBSERVED(ours, view)
    assert seen["stable_rank"] == pytest.approx([3, 1], rel=ROUND_OFF)
    assert seen["entropy_rank"] == pytest.approx([3, 1], rel=ROUND_OFF)
    distances = spectra.rank_one_distance(ours, view)
    assert distances[0] == pytest.approx(np.sqrt(2 / 3), rel=ROUND_OFF)
    assert distances[1] <= ROUND_OFF


@pytest.mark.parametrize("cutoffs", [(0.3, 0.03, 3e-4), (0.3, 3e-7, 3e-10)])
def test_the_numerical_rank_counts_what_exceeds_the_cutoff(cutoffs):
    """The second tuple asks for cut-offs that a Gram matrix cannot see."""
    values = np.array([1.0, 0.1, 1e-2, 1e-6, 1e-9, 1e-11])
    ours, view = linear_view(of_spectrum(values, 9, 8), of_spectrum(values[::-1], 8, 6))
    expected = [np.sum(values > cutoff) for cutoff in cutoffs]
    found = spectra.numerical_rank(*cutoffs)(ours, view)
    assert found.tolist() == [expected, expected]


def test_single_precision_decides_small_cutoffs_by_singular_values():
    values = np.array([1.0, 3e-3, 5e-4])
    ours, view = linear_view(of_spectrum(values, 90, 80).astype(np.float32))
    assert view.directions[0].dtype == jnp.float32
    assert spectra.numerical_rank(1e-3)(ours, view).tolist() == [[2]]


def test_a_kernel_counts_as_a_matrix_of_patches():
    kernel = of_spectrum([1, 1, 1, 1], 18, 5).reshape(3, 3, 2, 5)
    view = models.Polar(jnp.ones(()), (jnp.asarray(kernel) / 2,))
    ours, _ = linear_view(kernel.reshape(18, 5))
    assert spectra.stable_rank(ours, view) == pytest.approx([4], rel=ROUND_OFF)


def test_kernels_of_each_pair_are_the_map_that_they_make_of_nodes():
    network = models.tree(3, channels=2, shared=False)
    ours = models.Problem(network, np.eye(8)[:4] / 2, np.array([1.0, -1, 1, -1]))
    view = models.to_polar(network.init(jax.random.key(0)))
    for layer, direction, values in zip(
        network.layers, view.directions, spectra.singular_values(ours, view), strict=True
    ):
        nodes = np.eye(layer.reads[0])
        made = np.asarray(layer.map(direction, nodes)).reshape(len(nodes), -1)
        expected = np.linalg.svd(made, compute_uv=False)
        np.testing.assert_allclose(values, expected, rtol=0, atol=ROUND_OFF)
    assert np.all(np.isfinite(constraints.alignment(ours, view)))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_batch_of_b_has_a_gradient_of_rank_b(size):
    network = models.mlp((9, 16, 12, 1))
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((12, 9))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    ours = models.Problem(network, inputs, models.encode(np.arange(12) % 2, "signs"))
    found = spectra.gradient_rank(np.arange(size), 1e-6)(ours, start(network))
    assert found[:, 0].tolist() == [size, size, 1]


def test_the_rank_of_a_batch_is_that_of_the_gradient_by_hand():
    ours, view = problem(DEEP_RELU, samples=40), start(DEEP_RELU)
    layers, inputs = [np.asarray(v) for v in view.directions], np.asarray(ours.inputs)[:7]
    seen, outputs = forward(layers, inputs, 2)
    slopes = backward(layers, seen, np.asarray(ours.targets)[:7] - 0.5 * outputs, 2)
    found = spectra.gradient_rank(np.arange(7), 1e-8)(ours, view)
    expected = [np.linalg.matrix_rank(slope, rtol=1e-8) for slope in slopes]
    assert found[:, 0].tolist() == expected


def test_every_pair_predicts_a_chain_of_rank_one():
    line = np.array([0.48, 0.6, 0.64])
    layers = (np.outer(line, [0.6, 0.8]), np.array([[0.6], [0.8]]))
    ours = models.Problem(models.mlp((3, 2, 1)), np.outer([0.9, 0.5, 0.7], line), np.ones(3))
    view = models.to_polar(layers, rho=1.3)
    assert np.max(spectra.pair_residual(0, 1)(ours, view)) <= ROUND_OFF
    assert np.max(spectra.pair_residual(0, 1)(problem(RELU), start(RELU))) > 0.1


def test_the_prediction_from_a_pair_is_that_of_backpropagation_by_hand():
    ours, view, rho = problem(DEEP_RELU), start(DEEP_RELU, rho=1.3), 1.3
    layers, inputs = [np.asarray(v) for v in view.directions], np.asarray(ours.inputs)[[2, 5]]
    seen, values = forward(layers, inputs, 2)
    targets = np.asarray(ours.targets)[[2, 5]]
    margins = targets * values
    left = (1 - rho * margins) * np.array([1.0, -1.0])
    slopes = backward(layers, seen, left * targets, 2)
    found = spectra.pair_prediction(ours, view, 2, 5)
    for layer, slope in zip(found, slopes, strict=True):
        np.testing.assert_allclose(layer, slope / np.sum(left * margins), rtol=1e-9, atol=1e-12)
    apart = [np.linalg.norm(np.asarray(a) - b) for a, b in zip(found, layers, strict=True)]
    np.testing.assert_allclose(spectra.pair_residual(2, 5)(ours, view), apart, rtol=1e-9)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda *at: spectra.pair_residual(0, 99)(*at), r"in 0\.\.11, got \[0, 99\]"),
        (lambda *at: spectra.pair_residual(0, -1)(*at), "numbers of samples from 0"),
        (lambda *at: spectra.pair_residual(3, 3)(*at), "two different samples, got 3 twice"),
        (lambda *at: spectra.gradient_rank([99])(*at), r"numbers of samples in 0\.\.11"),
        (lambda *at: spectra.gradient_rank([1.5])(*at), "numbers of samples, whole ones"),
        (lambda *at: spectra.numerical_rank("a")(*at), "a cut-off as a number"),
    ],
)
def test_samples_that_are_not_there_are_refused(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(problem(RELU), start(RELU))


def test_compiled_code_marks_a_batch_with_a_sample_that_is_not_there():
    ours, view = problem(RELU), start(RELU)
    ranks = jax.jit(lambda ask: ask(ours, view))
    assert ranks(spectra.gradient_rank([0, 99], 1e-6)).tolist() == [[-1], [-1]]
    assert ranks(spectra.gradient_rank([0, 1], 1e-6)).tolist() == [[2], [1]]


def test_a_pair_of_three_classes_predicts_nothing():
    network = models.deep_linear((4, 3))
    ours = models.Problem(network, np.eye(3, 4), models.encode([0, 1, 2], "centred"))
    with pytest.raises(ValueError, match=r"the square loss of targets \+-1"):
        spectra.pair_prediction(ours, start(network), 0, 1)


@pytest.mark.slow
def test_where_every_output_is_met_all_but_n_directions_are_flat():
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((5, 8))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    below = rng.standard_normal((8, 9))
    targets = np.array([1.0, -1, 1, -1, 1])
    top = np.linalg.pinv(np.maximum(inputs @ below, 0)) @ targets
    ours = models.Problem(models.mlp((8, 9, 1)), inputs, targets)
    view = models.to_polar((below, top[:, None]))
    found = jax.jit(spectra.flat_directions())(ours, view)
    assert (int(found["near_zero"]), int(found["expected"])) == (81 - 5, 81 - 5)
    assert int(spectra.jacobian_rank()(ours, view)) == 5
    doubled = models.Problem(ours.network, np.repeat(inputs, 2, axis=0), np.repeat(targets, 2))
    assert int(spectra.jacobian_rank()(doubled, view)) == 5
    off = jax.jit(spectra.flat_directions())(ours, view._replace(rho=0.5 * view.rho))
    assert int(off["near_zero"]) < 81 - 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_flat_directions_are_counted_in_either_precision(dtype):
    """P - N = 15 - 3 where a linear network meets three targets."""
    rng = np.random.default_rng(4)
    inputs, targets = rng.standard_normal((3, 4)) / 4, np.array([1.0, -1, 1])
    last, below = rng.standard_normal(3), rng.standard_normal((4, 3))
    below -= np.outer(below @ last - np.linalg.pinv(inputs) @ targets, last) / (last @ last)
    ours = models.Problem(models.deep_linear((4, 3, 1)), inputs.astype(dtype), targets)
    view = models.to_polar((jnp.asarray(below, dtype), jnp.asarray(last[:, None], dtype)))
    found = jax.jit(spectra.flat_directions())(ours, view)
    assert (int(found["near_zero"]), int(found["expected"])) == (12, 12)


def test_all_ranks_from_one_decomposition_are_those_one_by_one():
    ours, view = problem(DEEP_RELU), start(DEEP_RELU)
    found = spectra.ranks()(ours, view)
    alone = dynamics.observe("numerical_rank", "stable_rank", "entropy_rank")(ours, view)
    for name in ("numerical", "stable", "entropy"):
        np.testing.assert_allclose(found[name], alone[f"{name}_rank"], rtol=1e-10)


@pytest.mark.slow
def test_ranks_along_a_run_and_of_many_points_are_those_one_by_one():
    ours = problem(DEEP_RELU)
    look = dynamics.observe("stable_rank", rank=spectra.numerical_rank(0.1))
    flow = dynamics.gradient_flow(ours)
    times = np.array([0.0, 0.5])
    run = dynamics.simulate(flow, start(DEEP_RELU), times=times, observe=look)
    last = look(ours, run.final.position)
    assert run.observations["stable_rank"][-1] == pytest.approx(
        np.asarray(last["stable_rank"]), rel=1e-9
    )
    assert run.observations["rank"].shape == (2, 3, 1)
    many = [start(DEEP_RELU, seed) for seed in (0, 1)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *many)
    together = jax.vmap(lambda view: spectra.stable_rank(ours, view))(stacked)
    apart = [spectra.stable_rank(ours, view) for view in many]
    assert np.asarray(together) == pytest.approx(np.asarray(apart), rel=ROUND_OFF)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ValueError, match="cut-offs between 0 and 1"):
        spectra.numerical_rank(1.5)
    wide = models.mlp((40, 80, 1))
    with pytest.raises(ValueError, match="at most 3000 weights"):
        spectra.flat_directions()(models.Problem(wide, np.eye(2, 40), [1.0, -1]), start(wide))
