"""Curvature in weights where arrays are not of degree one, against dense derivatives of f_W."""

import flax.linen as nn
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow import models
from rhoflow.dynamics.observables import curvature, wide_conditioning

DENSE = 1e-6  # what was asked of Lanczos
SAMPLES, FEATURES, DECAY = 6, 3, 0.05
INPUTS = np.random.default_rng(0).standard_normal((SAMPLES, FEATURES))
INPUTS /= np.linalg.norm(INPUTS, axis=1, keepdims=True)
SIGNS = np.array([1.0, -1.0] * 3)


class Biased(nn.Module):
    """Two dense layers with biases: of no degree at all."""

    @nn.compact
    def __call__(self, inputs):
        return nn.Dense(1)(nn.tanh(nn.Dense(4)(inputs)))


TIED = models.tied((FEATURES, 4, 1), 3, activation=models.smoothed_relu(0.5))
NORMED = models.mlp((FEATURES, 4, 1), batch_norm=True, activation=models.linear)
LEAKY = models.mlp((FEATURES, 4, 1), activation=models.smooth_leaky(0.2))
BIASED = models.from_flax(Biased(), INPUTS, smooth=True, require_homogeneous=False)


def size(array):
    return jnp.sum(array**2)


def squares(weights):
    return sum(size(layer) for layer in weights)


# What lambda multiplies at each view, by hand.
DECAYING = {
    "tied": (TIED, lambda w: size(w[0]) * size(w[1]) ** 3 * size(w[2])),
    "tied, free": (TIED, squares),
    "batch norm": (NORMED, lambda w: size(w[1])),
    "smooth_leaky": (LEAKY, squares),
    "biased": (BIASED, squares),
}
EACH = pytest.mark.parametrize("name", DECAYING)


def drawn(name):
    """A problem, a point, and the weights there: norms of their own where a view keeps them."""
    network, decaying = DECAYING[name]
    ours = models.Problem(network, INPUTS, SIGNS, DECAY)
    weights = tuple(1.3 * layer + 0.1 for layer in network.init(jax.random.key(1)))
    if decaying is squares:
        return ours, models.Unnormalised(weights), weights
    return ours, models.to_layers(weights), weights


def flat_outputs(ours, weights):
    flat, unravel = jax.flatten_util.ravel_pytree(weights)
    return flat, lambda w: ours.network.apply(unravel(w), ours.inputs).reshape(-1), unravel


def dense_kernel(ours, weights):
    flat, function, _ = flat_outputs(ours, weights)
    slopes = np.asarray(jax.jacrev(function)(flat))
    return np.linalg.eigvalsh(slopes @ slopes.T)[::-1]


@EACH
def test_the_kernel_is_that_of_the_networks_own_outputs(name):
    ours, view, weights = drawn(name)
    found = jax.jit(curvature.kernel_eigenvalues(3))(ours, view)
    exact = dense_kernel(ours, weights)
    assert np.asarray(found["values"]) == pytest.approx(exact[:3], abs=DENSE)


@pytest.mark.slow
@EACH
def test_the_parts_are_dense_hessians(name):
    ours, view, weights = drawn(name)
    decaying = DECAYING[name][1]
    flat, function, unravel = flat_outputs(ours, weights)
    slopes, left = jax.jacrev(function)(flat), function(flat) - SIGNS
    exact = {
        "gauss_newton": 2 / SAMPLES * slopes.T @ slopes,
        "residual": jax.hessian(lambda w: 2 / SAMPLES * jnp.sum(left * function(w)))(flat),
        "decay": jax.hessian(lambda w: DECAY * decaying(unravel(w)))(flat),
    }
    exact["whole"] = sum(exact.values())
    for part, matrix in exact.items():
        for smallest in (False, True):
            asked = curvature.hessian_eigenvalues(
                1, 60, part=part, coordinates="weights", smallest=smallest
            )
            value = np.asarray(jax.jit(asked)(ours, view)["values"])[0]
            wanted = np.linalg.eigvalsh(matrix)[0 if smallest else -1]
            assert value == pytest.approx(wanted, abs=DENSE), (part, smallest)


def test_the_whole_is_the_hessian_of_the_objective():
    ours, view, weights = drawn("tied, free")
    flat, unravel = jax.flatten_util.ravel_pytree(weights)
    hessian = jax.hessian(lambda w: models.objective(ours, models.Unnormalised(unravel(w))))(flat)
    asked = curvature.hessian_eigenvalues(1, 60, coordinates="weights")
    found = jax.jit(asked)(ours, view)["values"][0]
    assert found == pytest.approx(np.linalg.eigvalsh(hessian)[-1], abs=DENSE)


@pytest.mark.parametrize("network", [TIED, NORMED], ids=["tied", "batch norm"])
def test_a_polar_point_is_unpacked_by_its_networks_degrees(network):
    ours = models.Problem(network, INPUTS, SIGNS, DECAY)
    view = models.to_polar(network.init(jax.random.key(2)), rho=1.5, network=network)
    weights = models.to_weights(view, network)
    found = jax.jit(curvature.kernel_eigenvalues(1))(ours, view)["values"][0]
    assert found == pytest.approx(dense_kernel(ours, weights)[0], abs=DENSE)


def test_wide_kernel_measures_the_networks_own_kernel():
    """Of `wide_mlp` with the activation that it has unless told."""
    network = models.wide_mlp(FEATURES, 8, 2, nonlinear=2, linear=2)
    targets = models.encode(np.arange(SAMPLES) % 2, "one_hot")
    ours = models.Problem(network, INPUTS, targets, 1e-3)
    weights = tuple(1.5 * layer for layer in network.init(jax.random.key(3)))
    found = jax.jit(wide_conditioning.kernel)(ours, models.Unnormalised(weights))
    assert found["measured"] == pytest.approx(dense_kernel(ours, weights)[0], abs=DENSE)


def test_decay_of_rho_is_refused_where_there_is_none():
    ours, _, weights = drawn("smooth_leaky")
    view = models.to_layers(weights)
    for part in ("decay", "whole"):
        asked = curvature.hessian_eigenvalues(part=part, coordinates="weights")
        with pytest.raises(ValueError, match=r"pass models\.Unnormalised\(weights\)"):
            asked(ours, view)
