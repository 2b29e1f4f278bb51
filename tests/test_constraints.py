"""Constraint equations of [M112] appendix H: against NumPy and their known solutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import RELU, as_numpy, backward, forward, problem, ridge, start
from rhoflow import dynamics, models
from rhoflow.dynamics.observables import constraints, reconstruction

ROUND_OFF = 1e-12
LINE = np.array([0.48, 0.6, 0.64])
ABOVE = np.array([0.6, 0.8])


def chain(inputs):
    """V_1 = LINE ABOVE^T, V_2 = ABOVE: an aligned chain along LINE."""
    ours = models.Problem(models.mlp((3, 2, 1)), inputs, np.ones(len(inputs)))
    return ours, models.to_polar((np.outer(LINE, ABOVE), ABOVE[:, None]))


@pytest.mark.slow
def test_an_aligned_chain_meets_the_constraints_where_inputs_lie_on_it():
    ours, view = chain(np.outer([0.9, 0.4], LINE))
    assert np.max(constraints.constraint_residuals(ours, view)) <= ROUND_OFF
    assert np.max(constraints.mean_constraint_residuals(ours, view)) <= ROUND_OFF
    assert constraints.alignment(ours, view) == pytest.approx([1], rel=ROUND_OFF)


def test_off_the_chain_the_first_layer_misses_by_the_sine_of_the_angle():
    """d_1 f = u x^T, V_1 f = u u_0^T <u_0, x>: apart by sin of the angle between x and u_0."""
    beside = np.array([0.64, 0.6, 0.48])
    ours, view = chain(beside[None])
    found = constraints.constraint_residuals(ours, view)[0]
    assert found[0] == pytest.approx(np.sqrt(1 - (LINE @ beside) ** 2), rel=1e-10)
    assert found[1] <= ROUND_OFF


def test_residuals_are_those_of_backpropagation_by_hand():
    ours, view = problem(RELU), start(RELU)
    layers, inputs = as_numpy(view)[1], np.asarray(ours.inputs)
    seen, values = forward(layers, inputs, 1)
    expected = []
    for n in range(len(inputs)):
        slopes = backward(layers, seen, np.eye(len(inputs))[n], 1)
        expected.append(
            [
                np.linalg.norm(values[n] * v - s) / np.linalg.norm(s)
                for v, s in zip(layers, slopes, strict=True)
            ]
        )
    found = jax.jit(constraints.constraint_residuals)(ours, view)
    assert np.asarray(found) == pytest.approx(np.asarray(expected), rel=1e-10)
    targets = np.asarray(ours.targets)
    slopes = backward(layers, seen, targets / len(targets), 1)
    mean = np.mean(targets * values)
    averaged = [
        np.linalg.norm(mean * v - s) / np.linalg.norm(s)
        for v, s in zip(layers, slopes, strict=True)
    ]
    assert np.asarray(constraints.mean_constraint_residuals(ours, view)) == pytest.approx(
        averaged, rel=1e-10
    )


def test_projections_have_no_distance_and_others_their_own():
    rng = np.random.default_rng(0)
    network = models.deep_linear((4, 4, 4, 1))
    frame = np.linalg.qr(rng.standard_normal((4, 2)))[0]
    line, plane = np.outer(frame[:, 0], frame[:, 0]), frame @ frame.T
    ours = models.Problem(network, np.eye(2, 4), [1.0, -1.0])
    view = models.to_polar((line, plane, np.ones((4, 1))))
    found = constraints.projection_distance(ours, view)
    assert np.max(np.abs(found[:2])) <= 1e-7  # the root of a round-off
    assert np.isnan(found[2])
    turned = models.to_polar((-line, np.diag([1.0, -1, 0, 0]), np.ones((4, 1))))
    found = constraints.projection_distance(ours, turned)
    # <V, P/sqrt r> is at most 0 for -u u^T (rank one across u), 1/sqrt 2 for diag(1, -1)/sqrt 2.
    assert found[0] == pytest.approx(np.sqrt(2), rel=1e-10)
    assert found[1] == pytest.approx(np.sqrt(2 - np.sqrt(2)), rel=1e-10)


def test_the_share_off_the_diagonal_is_counted():
    ours = models.Problem(models.deep_linear((2, 2, 1)), np.eye(2), [1.0, -1.0])
    view = models.to_polar((np.array([[3.0, 0.0], [4.0, 0.0]]), np.ones((2, 1))))
    found = constraints.off_diagonal(ours, view)
    assert found[0] == pytest.approx(16 / 25, rel=ROUND_OFF)
    assert np.isnan(found[1])


@pytest.mark.parametrize("layers", [3, 4, 5, 7])
@pytest.mark.parametrize("active", [None, [True, False, True, True], [False, True, False, False]])
def test_a_diagonal_solution_is_stationary_and_of_unit_norm(layers, active):
    inputs = np.array([0.9, -0.5, 0.3, 0.7])
    values, output = constraints.diagonal_solution(inputs, layers, active)
    values, sizes = np.asarray(values), np.abs(inputs)
    assert np.sum(values**2) == pytest.approx(1, rel=ROUND_OFF)
    assert np.sum(sizes * values**layers) == pytest.approx(float(output), rel=ROUND_OFF)
    assert output * values == pytest.approx(sizes * values ** (layers - 1), rel=ROUND_OFF)
    if active is not None:
        assert (values > 0).tolist() == active


def test_two_layers_have_no_such_solution():
    with pytest.raises(ValueError, match="at least three layers"):
        constraints.diagonal_solution([1.0, 2.0], 2)


@pytest.mark.slow
def test_constraints_are_seen_by_name_along_a_run_and_in_an_ensemble():
    ours, here = problem(RELU), start(RELU)
    look = dynamics.observe("constraint_residuals", "alignment")
    times = np.array([0.0, 0.5])
    run = dynamics.simulate(dynamics.gradient_flow(ours), here, times=times, observe=look)
    last = look(ours, run.final.position)
    for name, value in last.items():
        assert run.observations[name][-1] == pytest.approx(np.asarray(value), rel=1e-9)
    views = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), here)
    both = jax.vmap(lambda view: constraints.constraint_residuals(ours, view))(views)
    assert np.asarray(both[1]) == pytest.approx(run.observations["constraint_residuals"][0])


def at_rest(relu):
    """The ridge point as an aligned chain, on which every hidden unit is active if there are."""
    rng = np.random.default_rng(3)
    inputs = rng.uniform(0.2, 0.5, (5, 3))
    targets = np.ones(5) if relu else np.array([1.0, -1, 1, -1, 1])
    weights = ridge(inputs, targets, 0.05)
    size = np.linalg.norm(weights)
    network = models.mlp((3, 2, 1)) if relu else models.deep_linear((3, 2, 1))
    assert not relu or np.all(inputs @ weights > 0)
    view = models.to_polar((np.outer(weights, ABOVE), ABOVE[:, None]), rho=size)
    return models.Problem(network, inputs, targets, 0.05), view, weights


@pytest.mark.parametrize("relu", [False, True])
def test_a_point_at_rest_gives_back_one_combination_and_a_missing_input(relu):
    ours, view, weights = at_rest(relu)
    inputs, targets = np.asarray(ours.inputs), np.asarray(ours.targets)
    assert reconstruction.linear_map(ours, view) == pytest.approx(weights, rel=1e-10)
    expected = (targets - inputs @ weights) @ inputs
    assert reconstruction.combination(ours, view) == pytest.approx(expected, rel=1e-9)
    for missing in range(5):
        found = np.asarray(reconstruction.missing_input(ours, view, missing))
        nearest = np.min(np.linalg.norm(found - inputs[missing], axis=1))
        assert nearest <= 1e-8
    moved = view._replace(rho=1.1 * view.rho)
    assert np.max(np.abs(reconstruction.combination(ours, moved) - expected)) > 1e-3


def test_a_sample_that_is_not_there_and_a_network_that_is_not_linear_are_refused():
    ours, view, _ = at_rest(relu=False)
    with pytest.raises(ValueError, match=r"numbers of samples in 0\.\.4, got 99"):
        reconstruction.missing_input(ours, view, 99)
    bent, here = problem(RELU), start(RELU)
    with pytest.raises(ValueError, match="linear on its training inputs"):
        reconstruction.missing_input(bent, here, 1)
    assert np.isnan(jax.jit(reconstruction.linear_map)(bent, here)).all()


def test_an_active_channel_without_input_has_no_solution():
    with pytest.raises(ValueError, match="active channels that are not zero"):
        constraints.diagonal_solution([1.0, 0.0, 0.5], 3)
    values, _ = constraints.diagonal_solution([1.0, 0.0, 0.5], 3, [True, False, True])
    # v_i is as 1/|x_i| for three layers
    assert values == pytest.approx(np.array([1, 0, 2]) / np.sqrt(5), rel=ROUND_OFF)
