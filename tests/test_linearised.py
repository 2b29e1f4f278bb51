"""The linearised network: its kernel in closed form, and which runs stay close to theirs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from references import RELU, SAMPLES, start
from references import problem as problem_of
from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds

TIGHT = {"rtol": 1e-11, "atol": 1e-13}


@pytest.fixture(scope="module")
def problem():
    return problem_of(decay=0.0)


@pytest.fixture(scope="module")
def weights(problem):
    return problem.network.init(jax.random.key(3))


def features(problem, weights):
    """Rows d f_A(x_n) / d A, one long vector a sample, by reverse mode."""
    rows = jax.jit(jax.jacrev(lambda w: problem.network.apply(w, problem.inputs)))(weights)
    return np.concatenate([np.asarray(row).reshape(SAMPLES, -1) for row in rows], axis=1)


def outputs(problem, view):
    return models.outputs(problem, view)


LOOK = dynamics.observe("rho", "loss", outputs=outputs)


@pytest.mark.slow
def test_residuals_decay_by_the_kernel(problem, weights):
    """r(t) = exp(-2 K t / N) r(0) without decay."""
    rows = features(problem, weights)
    times = np.array([0.0, 0.5, 2.0, 10.0])
    flow = dynamics.gradient_flow(problem, normalisation=kinds.linearised(), **TIGHT)
    ran = dynamics.simulate(flow, weights, times=times, observe=LOOK)
    begin = np.asarray(problem.network.apply(weights, problem.inputs) - problem.targets)
    for time, values in zip(times, ran["outputs"], strict=True):
        exact = expm(-2 * time / SAMPLES * rows @ rows.T) @ begin
        np.testing.assert_allclose(values - problem.targets, exact, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_with_decay_it_ends_in_the_ridge_solution_of_its_features(problem, weights):
    """min_w mean (f_A + J (w - A) - y)^2 + lambda |w|^2."""
    decayed = models.Problem(problem.network, problem.inputs, problem.targets, decay=0.05)
    rows, flat = features(problem, weights), np.concatenate([np.ravel(w) for w in weights])
    rest = np.asarray(problem.targets - problem.network.apply(weights, problem.inputs))
    system = rows.T @ rows / SAMPLES + 0.05 * np.eye(len(flat))
    ridge = np.linalg.solve(system, rows.T @ (rest + rows @ flat) / SAMPLES)
    flow = dynamics.gradient_flow(decayed, normalisation=kinds.linearised(), **TIGHT)
    ran = dynamics.simulate(flow, weights, times=[250.0])
    end = np.concatenate([np.ravel(w) for w in ran.final.position.weights])
    np.testing.assert_allclose(end, ridge, rtol=0, atol=1e-8)


def test_it_agrees_with_the_network_at_the_anchor_and_in_its_first_derivative(problem, weights):
    view = models.Linearised(weights, weights)
    np.testing.assert_allclose(
        models.outputs(problem, view), problem.network.apply(weights, problem.inputs), rtol=1e-12
    )
    free, flat = kinds.free(), kinds.linearised()
    move = jax.jit(kinds.field, static_argnums=0)
    ours = move(flat, problem, flat.prepare(weights)).weights
    theirs = move(free, problem, weights)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_a_linear_function_of_its_weights_is_its_own_expansion():
    """One layer: f is linear in W, so both motions are one."""
    problem = problem_of(models.deep_linear((4, 1)))
    members = {
        name: dynamics.gradient_flow(problem, normalisation=kind, **TIGHT)
        for name, kind in (("free", kinds.free()), ("linearised", kinds.linearised()))
    }
    both = dynamics.compare(members, start(problem.network), times=[1.0, 5.0])
    np.testing.assert_allclose(both.distances["linearised"]["outputs"], 0, atol=1e-9)


@pytest.mark.slow
def test_a_run_from_larger_rho_stays_closer_to_its_linearisation():
    """Lazy training: relative to where it starts, the distance falls with rho."""
    problem = problem_of(RELU, decay=0.0)
    apart = []
    for rho in (1.0, 10.0, 100.0):
        members = {
            "free": dynamics.gradient_flow(problem, normalisation=kinds.free()),
            "linearised": dynamics.gradient_flow(problem, normalisation=kinds.linearised()),
        }
        both = dynamics.compare(members, start(RELU, rho=rho), times=np.linspace(0, 1, 6) / rho)
        apart.append(float(jnp.max(both.distances["linearised"]["outputs"])) / rho)
    assert apart[0] > 2 * apart[1] > 4 * apart[2]


def test_descent_and_frozen_layers_move_the_weights_alone(problem, weights):
    steps = dynamics.sgd(
        problem, 0.05, momentum=0.9, batch_size=3, normalisation=kinds.linearised(frozen=(0,))
    )
    ran = dynamics.simulate(steps, weights, times=[5.0], key=jax.random.key(0))
    end = ran.final.position
    for anchor, begin in zip(end.anchor, weights, strict=True):
        np.testing.assert_array_equal(anchor, begin)
    np.testing.assert_array_equal(end.weights[0], weights[0])
    assert float(jnp.max(jnp.abs(end.weights[1] - weights[1]))) > 1e-3
