"""Faults that a careful reader once found, each by its shortest reproduction."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from references import problem, start
from rhoflow import dynamics, experiments, models
from rhoflow.dynamics import normalisation as kinds

ROUND_OFF = 1e-12


def test_margins_and_errors_belong_to_the_classifier_where_rho_is_negative():
    ours, polar = problem(), start()
    flipped = models.Polar(-polar.rho, polar.directions)
    right = jnp.mean(models.outputs(ours, flipped) * ours.targets <= 0)
    look = dynamics.observe(
        "train_error", "margins", held=dynamics.error_on(ours.inputs, ours.targets)
    )
    seen = look(ours, flipped)
    np.testing.assert_allclose(seen["train_error"], right, atol=ROUND_OFF)
    np.testing.assert_allclose(seen["held"], right, atol=ROUND_OFF)
    np.testing.assert_allclose(seen["margins"], -look(ours, polar)["margins"], atol=ROUND_OFF)


def test_the_coarser_flow_differs_where_the_sharpness_rules_the_floor():
    flow = dynamics.gradient_flow(problem(), floor=1e6)
    coarse = dynamics.coarser(flow)
    np.testing.assert_allclose(coarse.parameters.stable, 2 * flow.parameters.stable)


def test_a_warm_start_leaves_the_count_of_steps_at_zero():
    schedule = optax.linear_schedule(0.1, 0.0, 10)
    warm, cold = (
        dynamics.gradient_descent(problem(), schedule, momentum=0.5, warm=warm)
        for warm in (True, False)
    )
    states = [
        dynamics.simulate(made, start(), times=dynamics.times_at(made, steps=[3])).final
        for made in (warm, cold)
    ]
    counts = [
        [int(leaf) for leaf in jax.tree.leaves(state.memory.optimiser) if leaf.dtype == jnp.int32]
        for state in states
    ]
    assert counts[0] == counts[1] == [3]
    with pytest.raises(ValueError, match="a momentum that could be warm"):
        dynamics.descent(problem(), optax.adam, 0.1, warm=True)


def test_options_of_an_optimiser_are_static_and_numbers_are_leaves():
    made = dynamics.descent(problem(), optax.sgd, 0.1, momentum=0.5, nesterov=True)
    ran = dynamics.simulate(made, start(), times=[1.0])
    plain = dynamics.descent(problem(), optax.sgd, 0.1, momentum=0.5)
    assert float(ran["rho"][0]) != float(dynamics.simulate(plain, start(), times=[1.0])["rho"][0])
    assert list(made.parameters.hyperparameters) == ["momentum"]


def test_a_loss_that_falls_to_nothing_is_at_rest():
    x, y = jnp.array([[0.6, 0.0], [0.0, 0.8]]), jnp.array([1.0, -1.0])
    ours = models.Problem(models.deep_linear((2, 1)), x, y)
    begin = models.to_polar((jnp.array([[1.0], [-0.2]]),), rho=1.0)
    ran = dynamics.simulate(
        dynamics.gradient_flow(ours, rtol=1e-8, atol=1e-10),
        begin,
        times=np.arange(0.0, 400.0, 5.0),
        stop=dynamics.at_rest(window=10.0),
    )
    assert ran.status is dynamics.Status.AT_REST


def test_a_budget_that_just_suffices_is_not_spent():
    flow = dynamics.gradient_flow(problem(), step=1.0, max_steps=5)
    assert dynamics.simulate(flow, start(), times=[5.0]).status is dynamics.Status.FINISHED
    assert dynamics.simulate(flow, start(), times=[6.0]).status is dynamics.Status.BUDGET_SPENT


def test_first_time_is_one_of_the_times():
    ran = dynamics.simulate(dynamics.gradient_flow(problem()), start(), times=[0.6, 1.2, 1.8])
    assert dynamics.first_time(ran, "loss", at_most=float(ran["loss"][2])) == 1.8


def test_a_list_of_starts_is_an_ensemble():
    flow = dynamics.gradient_flow(problem())
    listed = dynamics.ensemble(flow, [start(), start()], times=[1.0])
    np.testing.assert_array_equal(listed["rho"][0], listed["rho"][1])


def test_own_observations_keep_their_names_when_labelled_twice_over():
    class Pair(eqx.Module):
        low: jax.Array
        high: jax.Array

    look = dynamics.observe(
        "rho", pair=lambda _, view: Pair(view.rho, 2 * view.rho), margins=lambda _, view: view.rho
    )
    ran = dynamics.simulate(
        dynamics.gradient_flow(problem()), start(), times=[1.0, 2.0], observe=look
    )
    for _ in range(2):  # the name must not turn into the module of the same name
        data = experiments.labelled(ran)
    assert {"pair_low", "pair_high", "margins"} <= set(data)
    status = dynamics.observe(status=lambda _, view: view.rho)
    other = dynamics.simulate(
        dynamics.gradient_flow(problem()), start(), times=[1.0], observe=status
    )
    with pytest.raises(ValueError, match="not called status"):
        experiments.labelled(other)


def flow():
    return dynamics.gradient_flow(problem())


def descent():
    return dynamics.gradient_descent(problem(), 0.1)


NOISE = {"batch_size": 2, "step": 0.1}


def noisy(loss=models.losses.square, **noise):
    square = problem()
    ours = models.Problem(square.network, square.inputs, square.targets, loss=loss)
    return dynamics.sgd(ours, 0.1, batch_size=2, **noise)


def one_by_one_with_batch_norm():
    square = problem()
    network = models.mlp((square.inputs.shape[1], 4, 1), batch_norm=True)
    ours = models.Problem(network, square.inputs, square.targets)
    return dynamics.sgd(ours, 0.1, batch_size=1)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (
            lambda: dynamics.simulate(
                descent(), dynamics.simulate(flow(), start(), times=[1.0]).final, times=[2.0]
            ),
            "one state of gradient descent",
        ),
        (
            lambda: dynamics.ensemble(
                flow(), dynamics.simulate(flow(), start(), times=[1.0]).final, times=[2.0]
            ),
            "states of members",
        ),
        (
            lambda: dynamics.simulate(
                flow(), start(), times=[1.0], stop=dynamics.separated(loss_below=0.1)
            ),
            "add train_error to observe",
        ),
        (lambda: dynamics.simulate(flow(), start(), times=[1.0], observe="loss"), "observables"),
        (
            lambda: dynamics.simulate(flow(), start(), times=[1.0], stop=lambda: True),
            "a stopping condition",
        ),
        (lambda: dynamics.simulate(problem(), start(), times=[1.0]), "a dynamics"),
        (
            lambda: dynamics.sgd(problem(), 0.1, batches=dynamics.batches.reshuffled(400, 8)),
            "of 400",
        ),
        (lambda: dynamics.compare({}, start(), times=[1.0]), "at least one dynamics"),
        (lambda: dynamics.error_on(problem().inputs, jnp.zeros(len(problem().inputs))), "encoded"),
        (lambda: models.encode([0, 0], "centred"), "at least two classes"),
        (lambda: models.encode([], "signs"), "at least one label"),
        (lambda: models.encode([3, 8], "signs"), "numbered 0 and 1"),
        (lambda: models.scale_inputs(jnp.zeros((2, 3))), "not all zero"),
        (lambda: models.to_polar((jnp.ones((2, 1)),), rho=np.nan), "one finite rho"),
        (lambda: models.mlp((2, 3.7, 1)), "widths as whole numbers"),
        (lambda: dynamics.at_rest(-1.0), "positive window"),
        (lambda: dynamics.second_order_flow(problem(), 0.0), "learning_rate > 0"),
        (lambda: dynamics.replace(descent(), momentum=1.5), r"momentum in \[0, 1\)"),
        (lambda: dynamics.replace(flow(), rtol=-1.0), "positive rtol"),
        (lambda: dynamics.replace(flow(), max_steps=10.5), "whole numbers of steps"),
        (lambda: dynamics.gradient_descent(problem(), [0.1, 0.2]), "learning_rate as a number"),
        (
            lambda: dynamics.gradient_descent(problem(), jnp.array([0.1, 0.2])),
            "learning_rate as one number.*ensemble",
        ),
        (
            lambda: dynamics.gradient_descent(problem(), 0.1, momentum=jnp.array([0.1, 0.2])),
            "momentum as one number",
        ),
        (
            lambda: dynamics.corrected_flow(problem(), optax.constant_schedule(0.1)),
            "learning_rate as a number",
        ),
        (
            lambda: dynamics.corrected_flow(problem(), 0.1, normalisation=kinds.layerwise()),
            "to second order, got layerwise",
        ),
        (
            lambda: dynamics.diffusion(problem(), optax.constant_schedule(0.1), **NOISE),
            "learning_rate as a number",
        ),
        (
            lambda: dynamics.replace(dynamics.diffusion(problem(), 0.1, **NOISE), learning_rate=1),
            "stand alone in diffusion",
        ),
        (lambda: dynamics.gradient_flow(problem(), normalisation="sphere"), "a normalisation"),
        (lambda: dynamics.gradient_flow(problem(), normalisation=kinds.free), "a normalisation"),
        (lambda: dynamics.descent(problem(), optax.adam(1e-3), 0.1), "an optax function"),
        (lambda: dynamics.descent(problem(), optax.adam, 0.1, beta1=0.9), "hyper-parameters"),
        (lambda: dynamics.descent(problem(), optax.lbfgs, 0.1), "a gradient and nothing else"),
        (lambda: noisy(label_noise=np.nan), "label noise that is not negative"),
        (lambda: noisy(label_noise=-0.3), "label noise that is not negative"),
        (lambda: noisy(models.losses.exponential, label_noise=0.3), "square loss with label noise"),
        (lambda: kinds.scheduled(lambda time: time), "a schedule of the radius"),
        (lambda: dynamics.endpoint(descent(), start(), steps=5.0), "a number of steps"),
        (
            lambda: dynamics.endpoint(
                dynamics.sgd(problem(), 0.1, batches=np.array([[0, 1], [2, 3]])), start(), steps=3
            ),
            "at most 2 steps",
        ),
        (lambda: one_by_one_with_batch_norm(), "batches of two samples"),
    ],
)
def test_a_mistake_gets_one_line_that_says_what_to_do(act, words):
    with pytest.raises(ValueError, match=words) as caught:
        act()
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 500


def test_two_networks_cannot_run_from_one_start():
    other = models.Problem(models.deep_linear((3, 1)), jnp.eye(3), jnp.array([1.0, -1.0, 1.0]))
    members = {"one": flow(), "other": dynamics.gradient_flow(other)}
    with pytest.raises(ValueError, match="one network and one set of inputs"):
        dynamics.compare(members, start(), times=[1.0])


def test_a_constant_input_keeps_its_fraction_on_whole_numbers():
    np.testing.assert_array_equal(models.append_constant([[1, 2]], 0.5), [[1.0, 2.0, 0.5]])


def test_frozen_layers_do_not_move_under_descent():
    polar = start()
    made = dynamics.gradient_descent(problem(), 0.1, normalisation=kinds.sphere(frozen=(0,)))
    ran = dynamics.simulate(made, polar, times=[1.0])
    np.testing.assert_allclose(
        ran.final.position.directions[0], polar.directions[0], atol=ROUND_OFF
    )
