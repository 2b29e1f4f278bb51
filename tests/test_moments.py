"""Observables: moments of the margins, the equilibrium of rho, and what follows from them.

Source: [Dyn] (7), (8), (11), (28), (33) and Lemma 4.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from references import (
    LINEAR,
    NETWORKS,
    any_problem,
    assert_equal_terms,
    difference,
    draw,
    problem,
    start,
)
from rhoflow import dynamics, models
from rhoflow.dynamics.flows.gradient_flow import sphere_field

ROUND_OFF = 1e-12

EXAMPLES = settings(max_examples=20)
ANY_NETWORK = given(network=st.sampled_from(NETWORKS), seed=st.integers(0, 2**31 - 1))
NAMES = [
    "loss", "rho", "mu", "M", "sigma", "rho_eq", "gap", "loss_parts", "unregularised_loss",
]  # fmt: skip

field = jax.jit(sphere_field)
objective = jax.jit(models.objective)


@jax.jit
def look(problem, polar):
    return dynamics.observe(*NAMES)(problem, polar)


def target_size(problem):
    """S = mean |y_n|^2."""
    targets = np.asarray(problem.targets).reshape(len(problem.targets), -1)
    return np.mean(np.sum(targets**2, axis=1))


@EXAMPLES
@ANY_NETWORK
def test_the_gap_is_the_loss_where_rho_is_at_equilibrium(network, seed):
    ours, polar = any_problem(network, seed)
    seen = look(ours, polar)
    there = objective(ours, polar._replace(rho=seen["rho_eq"]))
    assert_equal_terms(seen["gap"], there, ROUND_OFF, target_size(ours))


@EXAMPLES
@ANY_NETWORK
def test_no_rho_has_a_smaller_loss_than_the_equilibrium(network, seed):
    ours, polar = any_problem(network, seed)
    seen = look(ours, polar)
    there = field(ours, polar._replace(rho=seen["rho_eq"])).rho
    assert_equal_terms(there, 0.0, ROUND_OFF, 2 * seen["mu"])
    assert objective(ours, polar) >= seen["gap"] - ROUND_OFF * target_size(ours)


@EXAMPLES
@ANY_NETWORK
def test_the_gap_is_the_share_of_spread_and_decay(network, seed):
    ours, polar = any_problem(network, seed)
    seen, size = look(ours, polar), target_size(ours)
    spread = seen["sigma"] ** 2 + ours.decay
    assert_equal_terms(
        seen["gap"], size * spread / (seen["mu"] ** 2 / size + spread), ROUND_OFF, size
    )


@EXAMPLES
@ANY_NETWORK
def test_the_second_moment_is_the_squared_mean_and_the_spread(network, seed):
    ours, polar = any_problem(network, seed)
    seen = look(ours, polar)
    mean = seen["mu"] ** 2 / target_size(ours)
    assert_equal_terms(seen["M"], mean + seen["sigma"] ** 2, ROUND_OFF)


@EXAMPLES
@ANY_NETWORK
def test_the_parts_of_the_loss_add_up_to_it(network, seed):
    ours, polar = any_problem(network, seed)
    seen = look(ours, polar)
    parts = seen["loss_parts"]
    assert_equal_terms(sum(parts.values()), seen["loss"], ROUND_OFF, parts)
    data = seen["loss"] - parts["decay"]
    assert_equal_terms(seen["unregularised_loss"], data, ROUND_OFF, parts)
    assert seen["rho"] == polar.rho


@EXAMPLES
@ANY_NETWORK
def test_the_loss_is_told_by_mu_and_the_speed_of_rho(network, seed):
    """Lemma 4: Loss = S - rho (rho' / 2 + mu)."""
    ours, polar = any_problem(network, seed)
    seen, speed = look(ours, polar), field(ours, polar).rho
    size, lost = target_size(ours), polar.rho * (speed / 2 + seen["mu"])
    terms = polar.rho * seen["mu"], polar.rho**2 * (seen["M"] + ours.decay)
    assert_equal_terms(seen["loss"], size - lost, ROUND_OFF, size, *terms)


@pytest.mark.parametrize("encoding", ["centred", "one_hot"])
def test_three_classes_that_meet_their_targets_leave_only_the_decay(encoding):
    """[Dyn] (34): at f_V = a targets, mu = a S and the gap is lambda / (lambda / S + a^2)."""
    labels = np.arange(6) % 3
    targets = np.asarray(models.encode(labels, encoding))
    identity = models.deep_linear((3, 3))
    inputs = targets / np.linalg.norm(targets, axis=1, keepdims=True)
    ours = models.Problem(identity, inputs, targets, decay=0.1)
    view = models.to_polar((np.eye(3),), rho=2.0)
    seen = dynamics.observe("mu", "M", "sigma", "gap", "margins")(ours, view)
    size = target_size(ours)
    scale = 1 / np.sqrt(3 * size)
    assert seen["mu"] == pytest.approx(scale * size, rel=ROUND_OFF)
    assert seen["sigma"] <= ROUND_OFF
    assert seen["gap"] == pytest.approx(0.1 / (0.1 / size + scale**2), rel=ROUND_OFF)
    assert difference(seen["margins"], jnp.full(6, scale)) <= ROUND_OFF


def test_a_margin_is_one_over_rho_exactly_where_the_target_is_met():
    ours, view = problem(LINEAR), start(LINEAR, rho=2.0)
    values = models.outputs(ours, view)
    margins = dynamics.observe("margins")(ours, view)["margins"]
    assert_equal_terms(2.0 * margins, values * ours.targets, ROUND_OFF)


def test_the_margin_of_many_classes_is_the_lead_over_the_best_other():
    weights, inputs = draw(models.deep_linear((4, 3)), 3)
    for encoding, lead in (("centred", 1.5), ("one_hot", 1.0)):
        labels = np.arange(6) % 3
        ours = models.Problem(models.deep_linear((4, 3)), inputs, models.encode(labels, encoding))
        view = models.to_polar(weights)
        outputs = np.asarray(ours.network.apply(view.directions, inputs))
        by_hand = [
            (outputs[n, c] - np.delete(outputs[n], c).max()) / lead for n, c in enumerate(labels)
        ]
        seen = dynamics.observe("margins", "train_error", "least_margin", "separability")(
            ours, view
        )
        assert_equal_terms(seen["margins"], np.array(by_hand), ROUND_OFF)
        wrong = np.argmax(outputs, axis=1) != labels
        assert seen["train_error"] == pytest.approx(np.mean(wrong), rel=ROUND_OFF)
        assert seen["least_margin"] == np.min(seen["margins"])
        assert bool(seen["separability"]) == (not wrong.any())


def test_separability_and_error_see_every_sample():
    network = models.deep_linear((1, 1))
    view = models.to_polar((np.ones((1, 1)),))
    names = ("train_error", "separability", "average_separability", "least_margin")
    inputs = np.array([[0.5], [-0.5], [0.25], [0.125]])

    def seen(targets):
        values = dynamics.observe(*names)(models.Problem(network, inputs, targets), view)
        return [float(values[name]) for name in names]

    assert seen([1.0, -1, 1, 1]) == [0, 1, 1, 0.125]
    assert seen([1.0, -1, 1, -1]) == [0.25, 0, 1, -0.125]
    assert seen([-1.0, 1, -1, 1]) == [0.75, 0, 0, -0.5]


def test_a_margin_of_zero_is_an_error_and_not_separated():
    ours = models.Problem(models.mlp((1, 1, 1)), [[-1.0], [-0.5]], [1.0, -1.0])
    view = models.to_polar((np.ones((1, 1)), np.ones((1, 1))))
    seen = dynamics.observe("train_error", "separability")(ours, view)
    assert (float(seen["train_error"]), float(seen["separability"])) == (1.0, 0.0)


def test_the_error_on_the_training_data_is_the_training_error():
    ours, view = problem(), start(seed=3)
    held_out = dynamics.error_on(ours.inputs, ours.targets)
    seen = dynamics.observe("train_error", test_error=held_out)(ours, view)
    assert seen["test_error"] == seen["train_error"]
    flipped = dynamics.error_on(ours.inputs, -ours.targets)
    assert dynamics.observe(e=flipped)(ours, view)["e"] == 1 - seen["train_error"]


def test_the_drift_of_a_norm_is_its_distance_to_one():
    ours, view = problem(), start()
    longer = view._replace(directions=tuple(1.5 * layer for layer in view.directions))
    drift = dynamics.observe("norm_drift")
    assert difference(drift(ours, longer)["norm_drift"], jnp.full(3, 0.5)) <= ROUND_OFF
    assert difference(drift(ours, view)["norm_drift"], jnp.zeros(3)) <= ROUND_OFF
