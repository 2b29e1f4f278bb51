"""Reverse mode through a fixed number of steps, against forward mode and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import LINEAR, RELU, assert_same_bits, difference, problem, start
from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds

STEPS = 37  # neither a square nor a multiple of one


def flow(ours):
    return dynamics.gradient_flow(ours, step=0.1)


def steps(ours):
    return dynamics.sgd(ours, 0.05, momentum=0.9, batch_size=4, warm=True)


EACH = pytest.mark.parametrize("make", [flow, steps])
KEY = jax.random.key(5)


@EACH
def test_it_ends_where_the_run_ends(make):
    made = make(problem())
    time = 0.1 * STEPS if make is flow else dynamics.times_at(made, steps=[STEPS])[0]
    ran = dynamics.simulate(made, start(), times=[time], key=KEY)
    end = dynamics.endpoint(made, start(), steps=STEPS, key=KEY)
    assert difference(end, made.view(ran.final.position)) < 1e-12


@pytest.mark.slow
@EACH
def test_reverse_mode_is_forward_mode(make):
    made = make(problem())

    def final_rho(decay, begin):
        varied = dynamics.replace(made, decay=decay)
        return dynamics.endpoint(varied, begin, steps=STEPS, key=KEY).rho

    at = (jnp.asarray(0.05), start())
    backward = jax.jit(jax.grad(final_rho, argnums=(0, 1)))(*at)
    push = jax.tree.map(lambda leaf: jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape), at)
    _, forward = jax.jit(lambda at, push: jax.jvp(final_rho, at, push))(at, push)
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), backward, push)
    along = sum(jax.tree.leaves(products))
    np.testing.assert_allclose(along, forward, rtol=1e-10)


@pytest.mark.slow
def test_reverse_mode_is_a_difference_of_runs():
    made, step = flow(problem()), 1e-5

    def final_rho(decay):
        return dynamics.endpoint(dynamics.replace(made, decay=decay), start(), steps=STEPS).rho

    final_rho = jax.jit(final_rho)
    slope = (final_rho(0.05 + step) - final_rho(0.05 - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(final_rho)(0.05), slope, rtol=1e-7)


@pytest.mark.slow
def test_it_passes_through_a_relu_flow_with_ssp43():
    ours = problem(RELU)
    made = dynamics.gradient_flow(ours, solver=dynamics.SSP43(), step=0.1)
    slope = jax.grad(lambda x: dynamics.endpoint(made, x, steps=20).rho)(start(RELU))
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(slope))
    assert float(abs(slope.rho)) > 1e-3


def test_no_steps_lead_nowhere():
    assert_same_bits(dynamics.endpoint(flow(problem()), start(), steps=0), models.retract(start()))


def test_what_has_no_fixed_steps_is_refused():
    ours = problem()
    with pytest.raises(ValueError, match="with a fixed step"):
        dynamics.endpoint(dynamics.gradient_flow(ours), start(), steps=3)
    with pytest.raises(ValueError, match="a flow or a descent"):
        dynamics.endpoint(dynamics.together({"a": flow(ours)}), start(), steps=3)
    with pytest.raises(ValueError, match="number of steps"):
        dynamics.endpoint(flow(ours), start(), steps=-1)


def test_any_normalisation_can_be_differentiated():
    made = dynamics.gradient_descent(problem(), 0.05, normalisation=kinds.free())
    weights = LINEAR.init(jax.random.key(1))
    slope = jax.grad(lambda w: dynamics.endpoint(made, w, steps=9).rho)(weights)
    assert jax.tree.structure(slope) == jax.tree.structure(weights)
