"""The gradient flow: its equations, its exact solutions, its order, and what a kink may cost.

Source: [Dyn] (2)-(7) and Lemma 4; deep linear networks end in the ridge solution.
"""

import diffrax
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from references import (
    DEEP_RELU,
    LINEAR,
    LOOK,
    NETWORKS,
    RELU,
    any_problem,
    as_numpy,
    assert_equal_terms,
    biggest,
    difference,
    flow_right_hand_side,
    gradient,
    linear_map,
    problem,
    ridge,
    start,
)
from rhoflow import dynamics, models
from rhoflow.dynamics.flows.gradient_flow import sphere_field
from rhoflow.dynamics.flows.sharpness import probe_like, sharpness

ROUND_OFF = 1e-12
RIDGE = 1e-6  # what is left of the transient at the end
AGAINST_SCIPY = 1e-6  # at tolerance 1e-9 of ours and 1e-11 of SciPy's
ORDER = 0.15  # how far a fitted order may be from the solver's
FLOOR = 0.4  # the default under the steps of networks with kinks, in units of time
STABLE = 2.0  # the floor is at most this over the sharpness: a third of SSP42's interval
RHO_PER_FLOOR = 0.015  # error of rho over the floor on this problem; measured at five floors: 0.012
NO_CLIMB = 1e-3  # what steps at the default floor may add to the loss, as a share of it

EXAMPLES = settings(max_examples=20)
ANY_NETWORK = given(network=st.sampled_from(NETWORKS), seed=st.integers(0, 2**31 - 1))


@jax.jit
def outputs_and_gradients(problem, polar):
    """f_V(x_n) ``[samples, outputs]`` and d_k f_V(x_n) ``[samples, outputs, *layer]``."""

    def outputs(directions):
        values = problem.network.apply(directions, problem.inputs)
        return values.reshape(values.shape[0], -1)

    return outputs(polar.directions), jax.jacrev(outputs)(polar.directions)


@jax.jit
def velocity(problem, polar):
    return sphere_field(problem, polar)


@jax.jit
def change_of_loss(problem, polar, velocity):
    return jax.jvp(lambda point: models.objective(problem, point), (polar,), (velocity,))[1]


# The equations.


@EXAMPLES
@ANY_NETWORK
def test_the_field_is_the_documents_equations(network, seed):
    """rho' = (2/N) sum l_n fb_n - 2 lambda rho, V_k' = (2 rho/N) sum l_n (d_k fb_n - V_k fb_n).

    fb_n is the margin; with C outputs l_n fb_n stands for <y_n - rho f_n, f_n>.
    """
    ours, polar = any_problem(network, seed)
    values, gradients = jax.tree.map(np.asarray, outputs_and_gradients(ours, polar))
    rho, decay, count = float(polar.rho), float(ours.decay), len(values)
    residuals = np.asarray(ours.targets).reshape(values.shape) - rho * values
    moved = velocity(ours, polar)
    pulls = 2 / count * residuals * values, 2 * decay * rho
    assert_equal_terms(moved.rho, np.sum(pulls[0]) - pulls[1], ROUND_OFF, *pulls)
    for layer, per_sample, speed in zip(polar.directions, gradients, moved.directions, strict=True):
        data = 2 * rho / count * np.einsum("nc,ncij->ij", residuals, per_sample)
        multiplier = 2 * rho / count * np.sum(residuals * values) * np.asarray(layer)
        assert_equal_terms(speed, data - multiplier, ROUND_OFF, data, per_sample)


@EXAMPLES
@ANY_NETWORK
def test_directions_move_along_their_spheres(network, seed):
    ours, polar = any_problem(network, seed)
    moved = velocity(ours, polar)
    for layer, speed in zip(polar.directions, moved.directions, strict=True):
        assert abs(np.sum(layer * speed)) <= ROUND_OFF * (biggest(speed) + polar.rho**2 + 1)


@EXAMPLES
@ANY_NETWORK
def test_the_loss_falls_by_the_squared_speed(network, seed):
    ours, polar = any_problem(network, seed)
    moved = velocity(ours, polar)
    energy = sum(float(np.sum(np.square(leaf))) for leaf in jax.tree.leaves(moved))
    size = float(models.objective(ours, polar))
    assert_equal_terms(change_of_loss(ours, polar, moved), -energy, ROUND_OFF, size)


@EXAMPLES
@ANY_NETWORK
def test_a_point_off_the_spheres_moves_like_its_retraction(network, seed):
    ours, polar = any_problem(network, seed)
    longer = polar._replace(directions=tuple(1.7 * layer for layer in polar.directions))
    assert_equal_terms(velocity(ours, longer), velocity(ours, polar), 10 * ROUND_OFF)


@pytest.mark.parametrize(("network", "relu_layers"), [(LINEAR, 0), (DEEP_RELU, 2)])
def test_the_field_is_the_one_written_by_hand(network, relu_layers):
    ours, polar = problem(network), start(network, rho=1.5)
    slope, tangent = gradient(
        *as_numpy(polar), np.asarray(ours.inputs), np.asarray(ours.targets), 0.05, relu_layers
    )
    moved = velocity(ours, polar)
    by_hand = models.Polar(-slope, tuple(-layer for layer in tangent))
    assert_equal_terms(moved, by_hand, ROUND_OFF)


def test_the_sharpness_is_the_largest_eigenvalue_of_the_fields_jacobian():
    ours, polar = problem(), start(rho=2.0)
    flat, unflatten = jax.flatten_util.ravel_pytree(polar)

    def field(vector):
        return jax.flatten_util.ravel_pytree(sphere_field(ours, unflatten(vector)))[0]

    eigenvalues = np.linalg.eigvals(jax.jit(jax.jacfwd(field))(flat))
    estimate = jax.jit(
        lambda point: sharpness(lambda p: sphere_field(ours, p), point, probe_like(point), 200)[0]
    )(polar)
    assert estimate == pytest.approx(np.max(np.abs(eigenvalues)), rel=1e-3)


# Exact solutions.


def ends_of_three_starts(ours, until):
    flow = dynamics.gradient_flow(ours, rtol=1e-8, atol=1e-10)
    return [
        dynamics.simulate(flow, start(seed=seed), times=[until], observe=LOOK) for seed in (0, 1, 2)
    ]


@pytest.mark.slow
def test_three_layers_end_in_the_ridge_solution_from_anywhere():
    ours = problem(decay=0.05)
    solution = ridge(np.asarray(ours.inputs), np.asarray(ours.targets), 0.05)
    for end in ends_of_three_starts(ours, 1000.0):
        found = linear_map(end.final.position)
        assert np.linalg.norm(found - solution) <= RIDGE * np.linalg.norm(solution)
        assert end.final.position.rho == pytest.approx(np.linalg.norm(solution), rel=RIDGE)


@pytest.mark.slow
def test_without_decay_underdetermined_starts_end_apart():
    """Three samples of four features: every end interpolates, each keeps its own null part."""
    ours = problem(decay=0.0, samples=3)
    ends = ends_of_three_starts(ours, 1000.0)
    maps = [linear_map(end.final.position) for end in ends]
    for end in ends:
        assert end["loss"][-1] <= RIDGE
    apart = [np.linalg.norm(a - b) for a, b in zip(maps, maps[1:] + maps[:1], strict=True)]
    assert min(apart) >= 1e-2, apart


# Two routes, and limits.


def test_scipy_goes_the_same_way():
    ours, polar = problem(), start()
    times = np.linspace(0, 40, 41)
    tight = dynamics.gradient_flow(ours, rtol=1e-9, atol=1e-12)
    seen = dynamics.simulate(tight, polar, times=times, observe=LOOK)
    rho, layers = as_numpy(polar)
    field, unpack = flow_right_hand_side(
        [layer.shape for layer in layers], np.asarray(ours.inputs), np.asarray(ours.targets), 0.05
    )
    first = np.concatenate([[rho], *(layer.ravel() for layer in layers)])
    theirs = solve_ivp(field, (0, 40), first, method="DOP853", t_eval=times, rtol=1e-11, atol=1e-13)
    for index, vector in enumerate(theirs.y.T):
        rho, layers = unpack(vector)
        assert abs(seen["rho"][index] - rho) <= AGAINST_SCIPY
        ours_there = [np.asarray(layer[index]) for layer in seen["directions"]]
        assert difference(ours_there, layers) <= AGAINST_SCIPY


def orders(errors):
    """Slopes of the logarithm of the error over successive halvings of the step."""
    return np.log2(np.array(errors[:-1]) / np.array(errors[1:]))


@pytest.mark.parametrize(("solver", "order"), [(diffrax.Heun(), 2), (diffrax.Bosh3(), 3)])
def test_the_error_of_a_fixed_step_falls_with_the_solvers_order(solver, order):
    ours, polar, times = problem(), start(), np.arange(1.0, 13.0)
    exact = dynamics.simulate(
        dynamics.gradient_flow(ours, rtol=1e-11, atol=1e-13), polar, times=times, observe=LOOK
    )
    errors = []
    for step in (0.25, 0.125, 0.0625):
        flow = dynamics.gradient_flow(ours, solver=solver, step=step)
        coarse = dynamics.simulate(flow, polar, times=times, observe=LOOK)
        errors.append(difference(coarse.observations, exact.observations))
    assert np.all(np.abs(orders(errors) - order) <= ORDER), orders(errors)


# Networks with kinks.


@pytest.fixture(scope="module")
def relu_run():
    times = np.linspace(1, 200, 200)
    flow = dynamics.gradient_flow(problem(RELU, decay=0.01))
    return dynamics.simulate(flow, start(RELU), times=times, observe=LOOK)


def test_directions_keep_unit_norm_along_the_flow(relu_run):
    for layers in relu_run["directions"]:
        norms = np.linalg.norm(np.asarray(layers).reshape(200, -1), axis=1)
        assert np.max(np.abs(norms - 1)) <= ROUND_OFF


def test_the_solvers_own_position_stays_on_the_spheres_too(relu_run):
    norms = models.layer_norms(relu_run.final.memory.position.directions)
    assert difference(norms, np.ones(2)) <= ROUND_OFF


def largest_climb(run):
    losses = np.asarray(run["loss"])
    return np.max(np.diff(losses) / losses[:-1])


def test_the_loss_hardly_climbs_and_less_so_with_a_lower_floor(relu_run):
    finer = dynamics.gradient_flow(problem(RELU, decay=0.01), floor=FLOOR / 8)
    again = dynamics.simulate(finer, start(RELU), times=relu_run.times, observe=LOOK)
    assert largest_climb(relu_run) <= NO_CLIMB
    assert largest_climb(again) <= NO_CLIMB / 4
    assert relu_run["loss"][-1] < relu_run["loss"][0] / 2
    assert abs(relu_run["rho"][-1] - again["rho"][-1]) <= RHO_PER_FLOOR * FLOOR


def test_the_floor_bounds_the_number_of_steps(relu_run):
    counts = {name: float(value) for name, value in relu_run.statistics.items()}
    transient = 100
    assert counts["floor"] == min(FLOOR, STABLE / counts["sharpness"])
    steps = counts["accepted"] + counts["rejected"]
    assert steps <= 1.2 * 200 / counts["floor"] + transient
    # SSP42 evaluates the field four times a step; estimates of the sharpness come on top.
    assert 4 * steps <= counts["evaluations"] <= 1.15 * 4 * steps


def test_a_smooth_network_has_no_floor_and_follows_its_tolerance():
    flow = dynamics.gradient_flow(problem())
    assert flow.parameters.floor is None
    run = dynamics.simulate(flow, start(), times=[40.0], observe=LOOK)
    assert "floor" not in run.statistics
    assert run.statistics["at_floor"] == 0


def test_a_spent_budget_is_said_and_leaves_no_numbers():
    flow = dynamics.gradient_flow(problem(), max_steps=20)
    run = dynamics.simulate(flow, start(), times=[1.0, 1000.0], observe=LOOK)
    assert run.status is dynamics.Status.BUDGET_SPENT
    assert np.isfinite(run["rho"][0])
    assert np.isnan(run["rho"][1])
    assert run.statistics["accepted"] + run.statistics["rejected"] == 20
    assert run.final.time < 1000.0
    with pytest.raises(RuntimeError, match="spent its budget of steps: raise max_steps"):
        dynamics.simulate(flow, start(), times=[1.0, 1000.0], observe=LOOK, throw=True)
