"""Curvature: Lanczos against dense eigenvalues, parts that add up, distance to the start."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from references import RELU, problem, start
from rhoflow import dynamics, models
from rhoflow.dynamics.observables import curvature, lanczos, regime

ROUND_OFF = 1e-12
DENSE = 1e-6  # what was asked of Lanczos
OURS, HERE = problem(RELU), start(RELU, rho=1.5)
SHAPES = [layer.shape for layer in HERE.directions]


def tangents():
    """An orthonormal basis of rho and the tangent spaces, written out: columns."""
    sizes = [1, *(int(np.prod(shape)) for shape in SHAPES)]
    blocks = [np.eye(1)]
    for layer in HERE.directions:
        unit = np.asarray(layer).reshape(-1, 1)
        full = np.linalg.qr(np.concatenate([unit, np.eye(len(unit))], axis=1))[0]
        blocks.append(full[:, 1:])
    whole = np.zeros((sum(sizes), sum(block.shape[1] for block in blocks)))
    row = column = 0
    for size, block in zip(sizes, blocks, strict=True):
        whole[row : row + size, column : column + block.shape[1]] = block
        row, column = row + size, column + block.shape[1]
    return whole


def dense(function):
    """The Hessian of a function of the sphere, from geodesics: exact second derivatives of them."""
    basis = jnp.asarray(tangents())
    unravel = jax.flatten_util.ravel_pytree(HERE)[1]

    def along(moves):
        step = unravel(basis @ moves)
        layers = []
        for layer, change in zip(HERE.directions, step.directions, strict=True):
            # cos|s| V + sin|s| s/|s| to second order, which a Hessian does not see beyond
            layers.append(layer * (1 - jnp.sum(change**2) / 2) + change)
        return function(models.Polar(HERE.rho + step.rho, tuple(layers)))

    return np.asarray(jax.hessian(along)(jnp.zeros(basis.shape[1])))


def objective(view):
    return models.objective(OURS, view)


HESSIAN = dense(objective)


@pytest.mark.parametrize("smallest", [False, True])
def test_polar_eigenvalues_are_the_dense_ones(smallest):
    asked = curvature.hessian_eigenvalues(3, 80, smallest=smallest)
    found = jax.jit(asked)(OURS, HERE)
    exact = np.linalg.eigvalsh(HESSIAN)
    exact = exact[:3] if smallest else exact[::-1][:3]
    assert found["converged"].all()
    assert np.asarray(found["values"]) == pytest.approx(exact, abs=DENSE)


def test_the_radial_share_is_that_of_the_dense_eigenvector():
    found = jax.jit(curvature.hessian_eigenvalues(1, 80))(OURS, HERE)
    vector = np.linalg.eigh(HESSIAN)[1][:, -1]
    assert found["radial_share"][0] == pytest.approx(vector[0] ** 2, abs=DENSE)


@pytest.mark.parametrize("block", ["radial", "tangential", 0, 1])
def test_blocks_are_those_of_the_dense_hessian(block):
    cuts = np.cumsum([0, 1, *(int(np.prod(shape)) - 1 for shape in SHAPES)])
    rows = {"radial": slice(0, 1), "tangential": slice(1, None)}
    rows |= {k: slice(cuts[k + 1], cuts[k + 2]) for k in range(2)}
    exact = np.linalg.eigvalsh(HESSIAN[rows[block], rows[block]])[-1]
    found = jax.jit(curvature.hessian_eigenvalues(1, 80, block=block))(OURS, HERE)
    assert found["values"][0] == pytest.approx(exact, abs=DENSE)
    if block == "radial":
        moment = dynamics.observe("M")(OURS, HERE)["M"]
        assert exact == pytest.approx(2 * (float(moment) + 0.05), rel=1e-10)


def in_weights(function):
    """The dense Hessian in weights of a function of the flat weights."""
    flat, unravel = jax.flatten_util.ravel_pytree(models.to_weights(HERE))
    return np.asarray(jax.hessian(lambda w: function(unravel(w)))(flat))


def outputs_of(weights):
    return OURS.network.apply(weights, OURS.inputs)


def decay_of(weights):
    return OURS.decay * jnp.prod(jnp.stack([jnp.sum(w**2) for w in weights]))


def jacobian():
    flat, unravel = jax.flatten_util.ravel_pytree(models.to_weights(HERE))
    return np.asarray(jax.jacrev(lambda w: outputs_of(unravel(w)))(flat))


@pytest.mark.slow
def test_the_parts_in_weights_are_those_of_wide_16():
    residuals = outputs_of(models.to_weights(HERE)) - OURS.targets
    exact = {
        "gauss_newton": 2 / 12 * jacobian().T @ jacobian(),
        "residual": in_weights(lambda w: 2 / 12 * jnp.sum(residuals * outputs_of(w))),
        "decay": in_weights(decay_of),
    }
    exact["whole"] = in_weights(
        lambda w: jnp.mean((outputs_of(w) - OURS.targets) ** 2) + decay_of(w)
    )
    assert np.max(np.abs(exact["whole"] - sum(exact[p] for p in curvature.PARTS[1:]))) <= ROUND_OFF
    for part, matrix in exact.items():
        asked = curvature.hessian_eigenvalues(2, 100, part=part, coordinates="weights")
        values = np.asarray(jax.jit(asked)(OURS, HERE)["values"])
        distinct = np.linalg.eigvalsh(matrix)[::-1]
        assert values[0] == pytest.approx(distinct[0], abs=DENSE)
        assert np.min(np.abs(values[1] - distinct)) <= DENSE


@pytest.mark.slow
def test_the_kernels_eigenvalues_are_the_dense_ones():
    exact = np.linalg.eigvalsh(jacobian() @ jacobian().T)[::-1]
    found = jax.jit(curvature.kernel_eigenvalues(4))(OURS, HERE)
    assert np.asarray(found["values"]) == pytest.approx(exact[:4], abs=DENSE)
    top = jax.jit(curvature.kernel_eigenvalues(1, block=1))(OURS, HERE)["values"][0]
    last = jacobian()[:, -16:]
    assert top == pytest.approx(np.linalg.eigvalsh(last @ last.T)[-1], abs=DENSE)
    polar = jax.jit(curvature.kernel_eigenvalues(1, coordinates="polar"))(OURS, HERE)["values"][0]
    flat, unravel = jax.flatten_util.ravel_pytree(HERE)
    slopes = jax.jacrev(lambda p: models.outputs(OURS, unravel(p)))(flat) @ tangents()
    assert polar == pytest.approx(np.linalg.eigvalsh(slopes @ slopes.T)[-1], abs=DENSE)


def last_layers_block(inputs, targets, layers, rho):
    """P (2 rho^2/N H^T H x 1) P - <g, V> P on the last layer's sphere, g the gradient in V."""
    hidden, last = np.maximum(inputs @ layers[0], 0), layers[1]
    slope = -2 * rho / len(inputs) * hidden.T @ (targets - rho * hidden @ last)
    flat = 2 * rho**2 / len(inputs) * np.kron(hidden.T @ hidden, np.eye(last.shape[1]))
    normal = np.outer(last.ravel(), last.ravel())
    tangent = np.eye(last.size) - normal
    whole = tangent @ flat @ tangent - np.sum(slope * last) * tangent
    return np.linalg.eigvalsh(whole - 1e3 * normal)[1:]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("products", [17, 40])
def test_more_products_than_a_block_has_dimensions_find_no_more(products, dtype):
    """The last layer's tangent space has 17 dimensions, its Hessian fewer different eigenvalues."""
    rng = np.random.default_rng(4)
    inputs = rng.standard_normal((5, 4))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    layers = [0.6 * rng.standard_normal(shape) for shape in ((4, 6), (6, 3))]
    targets = np.eye(3)[[0, 1, 2, 2, 1]]
    units = [layer / np.linalg.norm(layer) for layer in layers]
    rho = np.prod([np.linalg.norm(layer) for layer in layers])
    exact = last_layers_block(inputs, targets, units, rho)
    ours = models.Problem(models.mlp((4, 6, 3)), inputs.astype(dtype), targets, decay=0.03)
    here = models.to_polar(tuple(jnp.asarray(layer, dtype) for layer in layers))
    for smallest, value in ((False, exact[-1]), (True, exact[0])):
        asked = curvature.hessian_eigenvalues(1, products, block=1, smallest=smallest)
        found = jax.jit(asked)(ours, here)
        assert found["values"][0] == pytest.approx(value, rel=100 * float(np.finfo(dtype).eps))
        assert found["converged"][0]


def test_lanczos_says_when_it_has_not_converged():
    few = jax.jit(curvature.hessian_eigenvalues(1, 3))(OURS, HERE)
    exact = np.linalg.eigvalsh(HESSIAN)
    assert not few["converged"][0]
    assert abs(few["values"][0] - exact[-1]) > DENSE
    assert np.min(np.abs(few["values"][0] - exact)) <= few["residuals"][0]


@pytest.mark.slow
def test_residuals_bound_the_error_of_a_known_spectrum():
    spectrum = jnp.arange(1.0, 201.0) ** 2
    begin = jnp.ones(200)
    for products in (5, 20, 60):
        found = lanczos.eigenvalues(lambda v: spectrum * v, begin, 3, products)
        nearest = np.min(np.abs(np.asarray(found["values"])[:, None] - spectrum[None, :]), axis=1)
        assert np.all(nearest <= np.asarray(found["residuals"]) + 1e-9)
        honest = np.abs(np.asarray(found["values"]) - np.array([200.0, 199, 198]) ** 2) <= 1e-2
        assert np.all(honest | ~np.asarray(found["converged"]))
    assert found["converged"][0]


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 1e-8, 1e8])
def test_a_basis_that_closes_early_is_exact_and_says_what_is_missing(scale):
    spectrum = scale * jnp.array([3.0, 3, 2, 2, 1, 1, 0, 0])
    begin = jnp.arange(1.0, 9.0)
    found = lanczos.eigenvalues(lambda v: spectrum * v, begin, 6, 8)
    assert np.asarray(found["values"][:4]) == pytest.approx(
        scale * np.array([3.0, 2, 1, 0]), abs=scale * ROUND_OFF
    )
    assert found["converged"].tolist() == [True] * 4 + [False] * 2
    assert np.isnan(found["values"][4:]).all()
    nothing = lanczos.eigenvalues(lambda v: 0 * v, begin, 2, 8)
    assert float(nothing["values"][0]) == 0
    assert nothing["converged"].tolist() == [True, False]


@pytest.mark.slow
def test_sharpness_beside_the_step_is_its_product():
    found = curvature.sharpness(0.1, 80)(OURS, HERE)
    assert found["sharpness"] == pytest.approx(np.linalg.eigvalsh(HESSIAN)[-1], abs=DENSE)
    assert found["stability"] == pytest.approx(0.05 * float(found["sharpness"]), rel=ROUND_OFF)


@pytest.mark.slow
def test_eigenvalues_of_many_points_are_those_one_by_one():
    asked = curvature.hessian_eigenvalues(2, 60)
    assert asked is curvature.hessian_eigenvalues(2, 60)
    many = [start(RELU, seed) for seed in (0, 1)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *many)
    together = jax.jit(jax.vmap(lambda view: asked(OURS, view)["values"]))(stacked)
    alone = jax.jit(asked)
    apart = [np.asarray(alone(OURS, view)["values"]) for view in many]
    assert np.asarray(together) == pytest.approx(np.asarray(apart), abs=DENSE)


def test_the_start_has_no_distance_to_itself_and_another_has_a_known_one():
    here = start(RELU, 0)
    names = {
        "moved": regime.displacement_from(here),
        "kernel": regime.kernel_distance_from(here),
        "switched": regime.switched_from(here),
    }
    look = dynamics.observe(**names)
    same = look(OURS, here)
    assert max(map(float, jax.tree.leaves(jax.tree.map(jnp.max, same)))) == 0
    scaled = look(OURS, here._replace(rho=2 * here.rho))
    factor = 2 ** (2 * (1 - 1 / 2))  # K is of degree 2 (L - 1) in weights that scale alike
    assert scaled["kernel"]["relative"] == pytest.approx(factor - 1, rel=1e-10)
    assert scaled["kernel"]["turned"] <= ROUND_OFF
    turned = look(OURS, here._replace(directions=(-here.directions[0], here.directions[1])))
    assert turned["moved"] == pytest.approx([2, 0], rel=ROUND_OFF, abs=0)
    assert turned["switched"] == pytest.approx([1])


def test_a_start_is_unpacked_by_its_networks_degrees():
    """Three layers share an array: rho is |W_2|^3 times the others, equal radii are not rho^(1/3).

    The kernel is then of degree 2 (5 - 1)/5 in rho: five layers.
    """
    tied = models.tied((4, 5, 1), 3)
    ours = models.Problem(tied, OURS.inputs, OURS.targets)
    here = models.to_polar(tied.init(jax.random.key(0)), rho=1.5, network=tied)
    look = jax.jit(regime.kernel_distance_from(here))
    assert float(look(ours, here)["relative"]) == 0
    doubled = look(ours, here._replace(rho=2 * here.rho))
    assert doubled["relative"] == pytest.approx(2 ** (8 / 5) - 1, rel=1e-10)


def test_layers_with_norms_of_their_own_start_with_them():
    weights = models.to_weights(HERE)
    own = models.to_layers((2 * weights[0], weights[1] / 2))
    assert float(regime.kernel_distance_from(own)(OURS, own)["relative"]) == 0
    equal = models.to_layers(weights)
    assert float(regime.kernel_distance_from(HERE)(OURS, equal)["relative"]) <= 1e-12
    assert float(regime.kernel_distance_from(HERE)(OURS, own)["relative"]) > 0.1


def test_kernel_distance_is_that_of_dense_kernels():
    here, there = start(RELU, 0), start(RELU, 5)
    kernels = []
    for view in (there, here):
        flat, unravel = jax.flatten_util.ravel_pytree(models.to_weights(view))
        slopes = np.asarray(jax.jacrev(lambda w, u=unravel: outputs_of(u(w)))(flat))
        kernels.append(slopes @ slopes.T)
    found = regime.kernel_distance_from(here)(OURS, there)
    sizes = [np.linalg.norm(kernel) for kernel in kernels]
    apart = np.linalg.norm(kernels[0] - kernels[1]) / sizes[1]
    cosine = np.sum(kernels[0] * kernels[1]) / sizes[0] / sizes[1]
    assert found["relative"] == pytest.approx(apart, rel=1e-10)
    assert found["turned"] == pytest.approx(1 - cosine, rel=1e-9)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ValueError, match="unknown part"):
        curvature.hessian_eigenvalues(part="gauss")
    with pytest.raises(ValueError, match="unknown block"):
        curvature.hessian_eigenvalues(block="radial", coordinates="weights")
    with pytest.raises(ValueError, match="at least one eigenvalue"):
        curvature.hessian_eigenvalues(0)
    with pytest.raises(ValueError, match="count and products as whole numbers"):
        curvature.kernel_eigenvalues(1.5)
    with pytest.raises(ValueError, match="a layer's number as whole numbers"):
        curvature.hessian_eigenvalues(block=0.5)
    with pytest.raises(ValueError, match="a layer from 0 to 1"):
        curvature.hessian_eigenvalues(block=2)(OURS, HERE)
    weights = models.to_weights(HERE)
    with pytest.raises(ValueError, match="a linearised network"):
        curvature.hessian_eigenvalues()(OURS, models.Linearised(weights, weights))
