"""Polar coordinates: what is exactly true of positively homogeneous networks.

Source: theory of polar coordinates in [Dyn] section 3.2 and appendix, [M117] appendix G.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from references import NETWORKS, assert_equal_terms, difference, draw
from rhoflow import models

ROUND_OFF = 1e-12

EXAMPLES = settings(max_examples=20)
ANY_NETWORK = given(network=st.sampled_from(NETWORKS), seed=st.integers(0, 2**31 - 1))


@functools.partial(jax.jit, static_argnums=0)
def apply(network, weights, inputs):
    """Outputs as ``[samples, outputs]``."""
    values = network.apply(weights, inputs)
    return values.reshape(inputs.shape[0], -1)


@functools.partial(jax.jit, static_argnums=0)
def per_sample_gradients(network, weights, inputs):
    """d f(x_n) / d W_k for every layer, sample and output: ``[samples, outputs, *layer]``."""
    return jax.jacrev(lambda w: apply(network, w, inputs))(weights)


@EXAMPLES
@ANY_NETWORK
def test_the_output_is_rho_times_that_of_the_directions(network, seed):
    weights, inputs = draw(network, seed)
    polar = models.to_polar(weights)
    ours = polar.rho * apply(network, polar.directions, inputs)
    assert_equal_terms(ours, apply(network, weights, inputs), ROUND_OFF)


@EXAMPLES
@ANY_NETWORK
def test_each_layer_times_its_gradient_is_the_output(network, seed):
    weights, inputs = draw(network, seed)
    outputs = apply(network, weights, inputs)
    for gradients, layer in zip(
        per_sample_gradients(network, weights, inputs), weights, strict=True
    ):
        products = np.einsum("ncij,ij->nc", gradients, layer)
        size = np.max(np.linalg.norm(gradients, axis=(2, 3))) * np.linalg.norm(layer)
        assert_equal_terms(products, outputs, ROUND_OFF, size)


@EXAMPLES
@ANY_NETWORK
def test_gradients_of_weights_are_those_of_directions_by_the_chain_rule(network, seed):
    weights, inputs = draw(network, seed)
    polar, norms = models.to_polar(weights), models.layer_norms(weights)
    of_weights = per_sample_gradients(network, weights, inputs)
    of_directions = per_sample_gradients(network, polar.directions, inputs)
    for gradient, unit, norm in zip(of_weights, of_directions, norms, strict=True):
        assert_equal_terms(gradient, polar.rho / norm * unit, ROUND_OFF)


@EXAMPLES
@ANY_NETWORK
def test_the_gradient_of_one_sample_has_rank_one(network, seed):
    weights, inputs = draw(network, seed)
    for gradients in per_sample_gradients(network, weights, inputs):
        values = np.linalg.svd(np.asarray(gradients), compute_uv=False)
        assert np.all(values[..., 1:] <= ROUND_OFF * values[..., :1])


@EXAMPLES
@ANY_NETWORK
def test_outputs_of_unit_layers_are_no_longer_than_their_input(network, seed):
    weights, inputs = draw(network, seed)
    outputs = apply(network, models.normalise(weights), inputs)
    assert np.all(np.linalg.norm(outputs, axis=1) <= 1 + ROUND_OFF)


@EXAMPLES
@ANY_NETWORK
def test_weights_of_a_point_compute_its_function_with_equal_norms(network, seed):
    weights, inputs = draw(network, seed)
    for sign in (1, -1):
        polar = models.to_polar(weights, rho=sign * 1.7)
        shared = models.to_weights(polar)
        ours = polar.rho * apply(network, polar.directions, inputs)
        assert_equal_terms(apply(network, shared, inputs), ours, ROUND_OFF)
        norms = models.layer_norms(shared)
        assert_equal_terms(norms, jnp.full_like(norms, 1.7 ** (1 / len(weights))), ROUND_OFF)


@EXAMPLES
@ANY_NETWORK
def test_what_is_projected_is_tangent_and_stays_when_projected_again(network, seed):
    weights, _ = draw(network, seed)
    directions = models.normalise(weights)
    vectors, _ = draw(network, seed + 1)
    tangent = models.project(directions, vectors)
    for layer, vector, raw in zip(directions, tangent, vectors, strict=True):
        assert abs(np.sum(layer * vector)) <= ROUND_OFF * np.linalg.norm(raw)
        assert abs(np.sum(raw * vector) - np.sum(vector**2)) <= ROUND_OFF * np.sum(raw**2)
    assert difference(models.project(directions, tangent), tangent) <= ROUND_OFF


@EXAMPLES
@ANY_NETWORK
def test_retraction_keeps_rho_and_gives_unit_norms(network, seed):
    weights, _ = draw(network, seed)
    point = models.retract(models.Polar(jnp.asarray(2.5), weights))
    assert point.rho == 2.5
    assert difference(models.layer_norms(point.directions), jnp.ones(len(weights))) <= ROUND_OFF


def test_rho_is_the_product_of_the_norms_unless_it_is_given():
    weights = (jnp.full((2, 2), 1.5), jnp.full((2, 1), -1.0))
    assert models.to_polar(weights).rho == pytest.approx(3.0 * 2**0.5, rel=ROUND_OFF)
    assert models.to_polar(weights, rho=-0.5).rho == -0.5


def test_the_derivative_at_an_exact_tie_is_zero():
    network = models.mlp((2, 1, 1))
    weights = (jnp.zeros((2, 1)), jnp.ones((1, 1)))
    gradients = jax.grad(lambda w: network.apply(w, jnp.ones((1, 2)))[0])(weights)
    assert difference(gradients, jax.tree.map(jnp.zeros_like, weights)) == 0


@pytest.mark.parametrize("norm", [0.5, 3.0])
def test_gaussian_layers_have_exactly_the_norm_asked_for(key, norm):
    network = models.mlp((5, 7, 2), initialisation=models.gaussian(norm))
    assert difference(models.layer_norms(network.init(key)), jnp.full(2, norm)) <= ROUND_OFF


def test_orthogonal_layers_have_one_singular_value(key):
    values = np.linalg.svd(models.orthogonal(0.7)(key, (6, 4)), compute_uv=False)
    assert difference(values, np.full(4, 0.7)) <= ROUND_OFF


def test_equal_arguments_give_the_same_network():
    assert models.mlp([4, 3, 1]) is models.mlp((4, 3, 1), 0, models.lecun())
    assert models.deep_linear((4, 3, 1)) is models.mlp((4, 3, 1), linear_layers=1)
    assert models.deep_linear((4, 3, 1)).smooth
    assert not models.mlp((4, 3, 1)).smooth
