"""Whom the audit can be asked of: every network and loss, what is known of each, what is refused.

A point of one's own gives a table in which nothing is contested that the theory says is right:
statements name their premises, and say nothing where these fail.
"""

import dataclasses
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow import dynamics, models
from rhoflow.experiments import audit
from rhoflow.experiments.audit import Verdict
from rhoflow.models.feed_forward import feed_forward
from rhoflow.models.initialisations import lecun
from rhoflow.models.layers import dense

SAMPLES, DECAY = 8, 0.02
LABELS = np.arange(SAMPLES) % 2


class Flax(nn.Module):
    """Two dense layers without biases."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1, use_bias=False)(nn.relu(nn.Dense(6, use_bias=False)(x)))


def inputs_of(*shape):
    values = np.random.default_rng(0).standard_normal((SAMPLES, *shape))
    return models.scale_inputs(values)


def residual(batch_norm):
    """A sum of two layers, which without batch norm is not homogeneous."""
    norm = models.BatchNorm() if batch_norm else None
    hidden = [
        dataclasses.replace(dense(5, 5), activation=models.relu, batch_norm=norm, adds=adds)
        for adds in (0, 1)
    ]
    return feed_forward("residual", [*hidden, dense(5, 1)], lecun())


def networks():
    mlp, smoothed = models.mlp, models.smoothed_relu(0.1)
    return {
        "relu": mlp((5, 6, 1)),
        "four layers, leaky": mlp((5, 6, 4, 5, 1), activation=models.leaky_relu(0.2)),
        "smoothed": mlp((5, 6, 1), activation=smoothed),
        "one linear layer": models.deep_linear((5, 1)),
        "deep linear": models.deep_linear((5, 4, 1)),
        "batch norm": mlp((5, 6, 1), batch_norm=True),
        "tied": models.tied((5, 5, 1), 2),
        "diagonal": models.diagonal(5, 3),
        "residual, batch norm": residual(True),
        "residual": residual(False),
        "flax": models.from_flax(Flax(), inputs_of(5)),
        "convolution": models.convnet((4, 4, 1), (3,), outputs=1),
        "tree": models.tree(3, channels=2),
        "tree, separate kernels": models.tree(3, channels=2, shared=False),
        "two outputs": mlp((5, 6, 2)),
        "linear head": mlp((5, 6, 4, 2), linear_layers=1),
        "convolution, linear": models.convnet((4, 4, 1), (3,), activation=models.linear),
        "wide": models.wide_mlp(5, 6, 2, nonlinear=1, linear=2),
    }


NETWORKS = networks()


def problem_of(network, encoding="signs", loss=models.losses.square, decay=DECAY):
    shape = (4, 4, 1) if "convnet" in network.name else (8,) if "tree" in network.name else (5,)
    targets = models.encode(LABELS, encoding)
    return models.Problem(network, inputs_of(*shape), targets, decay, loss)


def view_of(network):
    weights = network.init(jax.random.key(0))
    if network.inhomogeneity:
        return models.Unnormalised(weights)
    return models.to_polar(weights, rho=1.3, network=network)


def own(network, **options):
    return audit.own_subject("mine", problem_of(network, **options), view_of(network))


def properties(network, **options):
    return own(network, **options).properties


def asked(subject, *items):
    """Answers to the statements of these items, all unless given."""
    chosen = [entry for entry in audit.STATEMENTS if not items or entry.item in items]
    return audit.ask(chosen, [subject], own_run=True)


def contested(answers):
    found = [a for a in answers if a.verdict is Verdict.CONTESTED]
    return [(a.statement.item, a.statement.place, a.corrected) for a in found]


def heard(answers):
    return sum(a.verdict is not Verdict.NOT_APPLICABLE for a in answers)


TWO = ("two outputs", "linear head", "convolution, linear", "wide")


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_network_is_asked_and_nothing_right_is_contested(name):
    answers = asked(own(NETWORKS[name], encoding="one_hot" if name in TWO else "signs"))
    assert contested(answers) == []
    assert heard(answers) >= 7


@pytest.mark.slow
@pytest.mark.parametrize("loss", models.losses.BY_NAME.values(), ids=models.losses.BY_NAME)
def test_every_loss_is_asked(loss):
    network = NETWORKS["relu" if "signs" in loss.encodings else "two outputs"]
    answers = asked(own(network, encoding=loss.encodings[0], loss=loss))
    assert contested(answers) == []
    assert heard(answers) >= 15


@pytest.mark.slow
def test_centred_and_unbalanced_classes_and_few_samples_are_asked():
    few = problem_of(NETWORKS["two outputs"], encoding="centred")
    few = models.Problem(few.network, few.inputs[:3], few.targets[:3], DECAY)
    subject = audit.own_subject("three samples", few, view_of(few.network))
    answers = asked(subject)
    assert contested(answers) == []
    assert heard(answers) >= 25


QUICK = ("1.1", "1.4", "1.6", "2.1", "2.4", "3.4", "6.5", "8.12")


@pytest.mark.parametrize("name", ["smoothed", "one linear layer", "tied", "batch norm", "residual"])
def test_premises_that_fail_leave_a_statement_unasked(name):
    assert contested(asked(own(NETWORKS[name]), *QUICK)) == []


def test_a_network_is_linear_smooth_or_kinked():
    for name, kind in (
        ("deep linear", "linear"),
        ("convolution, linear", "linear"),
        ("smoothed", "smooth"),
        ("relu", "kinked"),
        ("flax", "kinked"),
    ):
        problem = problem_of(NETWORKS[name], "one_hot" if name in TWO else "signs")
        known = audit.properties_of(problem) & {"linear", "smooth", "kinked"}
        assert known == {kind}, name


def test_dense_layers_have_arrays_of_their_own_and_nothing_beside_them():
    for name in ("relu", "smoothed", "deep linear"):
        assert "dense" in properties(NETWORKS[name])
    for name in ("tied", "diagonal", "tree", "convolution", "residual", "flax"):
        assert "dense" not in properties(NETWORKS[name])
    assert "pointwise" not in properties(NETWORKS["smoothed"])


def test_only_a_fit_below_the_least_singular_value_of_the_targets_is_fitted():
    network = NETWORKS["linear head"]
    weights = network.init(jax.random.key(0))
    problem = problem_of(network, "one_hot")
    last = jnp.linalg.pinv(network.features(weights, problem.inputs)) @ problem.targets
    for share, fits in ((1.0, True), (-1.0, False)):
        view = models.to_polar((*weights[:-1], share * last))
        assert ("fitted" in audit.own_subject("", problem, view).properties) is fits


def ridge_point(share=1.0):
    """One linear layer at its ridge solution, or at a multiple of it."""
    problem = problem_of(NETWORKS["one linear layer"])
    found = dynamics.reduced.ridge.solution(problem.inputs, problem.targets, DECAY).weights
    return problem, models.to_polar((share * found[:, None],))


def test_a_smooth_network_at_rest_is_asked_what_holds_there_without_looks():
    subject = audit.own_subject("mine", *ridge_point())
    assert {"rest", "smooth_rest"} <= subject.properties
    items = ("2.5", "2.6", "2.11")
    answers = asked(subject, *items)
    assert contested(answers) == []
    assert heard(answers) == sum(entry.item in items for entry in audit.STATEMENTS)
    last_layer = asked(subject, "7.9")
    assert (contested(last_layer), heard(last_layer)) == ([], 2)


def test_what_moves_is_not_at_rest_however_densely_one_looks():
    problem, view = ridge_point(1.001)
    looks = float(view.rho) * np.array([0.99995, 1.0])
    assert "rest" not in audit.own_subject("mine", problem, view, looks).properties
    network = NETWORKS["relu"]
    still = models.to_polar(network.init(jax.random.key(0)), rho=1.0)
    known = audit.own_subject("mine", problem_of(network), still, np.array([1.0, 1.00005]))
    assert "rest" not in known.properties


def test_rho_of_a_network_with_kinks_rests_where_it_was_before_and_its_speed_is_small():
    problem, view = problem_of(NETWORKS["relu"]), view_of(NETWORKS["relu"])
    there = dynamics.observables.moments.rho_eq(problem, view)
    view = models.Polar(jnp.abs(there), (view.directions[0], jnp.sign(there) * view.directions[1]))
    rho = float(view.rho)
    for looks, rests in (([rho, rho], True), ([0.9 * rho, rho], False), (None, False)):
        looks = None if looks is None else np.array(looks)
        known = audit.own_subject("mine", problem, view, looks).properties
        assert ("rest" in known, "smooth_rest" in known) == (rests, False)


def test_views_that_do_not_fit_are_refused():
    problem, weights = problem_of(NETWORKS["relu"]), NETWORKS["relu"].init(jax.random.key(0))
    with pytest.raises(ValueError, match="a linearised network"):
        audit.own_subject("mine", problem, models.Linearised(weights, weights))
    with pytest.raises(ValueError, match="expected layers"):
        audit.own_subject("mine", problem, view_of(NETWORKS["deep linear"]))
    with pytest.raises(ValueError, match=r"pass models\.Unnormalised"):
        audit.own_subject("mine", problem_of(residual(False)), models.to_layers(residual_weights()))


def residual_weights():
    return residual(False).init(jax.random.key(0))


def test_a_negative_rho_is_asked_as_the_same_function_with_a_positive_one():
    problem, view = problem_of(NETWORKS["relu"]), view_of(NETWORKS["relu"])
    turned = models.Polar(-view.rho, view.directions)
    subject = audit.own_subject("mine", problem, turned)
    outputs = [models.outputs(problem, at) for at in (turned, subject.view)]
    np.testing.assert_array_equal(*outputs)
    assert subject.view.rho > 0
    assert contested(asked(subject, "3.6", "2.4")) == []
    with pytest.raises(ValueError, match="a rho above zero"):
        audit.own_subject("mine", problem, models.Polar(0 * view.rho, view.directions))


def test_weights_in_single_precision_are_told_the_line_of_the_readme():
    readme = (Path(__file__).resolve().parent.parent / "README.md").read_text()
    line = 'jax.config.update("jax_enable_x64", True)'
    assert line in readme
    assert line.replace('"', "'") in single_precision_refusal()


def test_weights_of_a_network_with_a_radius_are_asked_in_polar_coordinates():
    network = models.tied((5, 8, 1), 2)
    weights = models.Unnormalised(network.init(jax.random.key(0)))
    with pytest.raises(ValueError, match=r"models.to_polar\(weights, network=network\)"):
        audit.own_subject("mine", problem_of(network), weights)


def single_precision_refusal():
    problem, view = problem_of(NETWORKS["relu"]), view_of(NETWORKS["relu"])
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), view)
    with pytest.raises(ValueError, match="in double precision") as caught:
        audit.own_subject("mine", problem, single)
    return str(caught.value)


def test_radii_of_ones_own_need_not_be_equal():
    problem = problem_of(NETWORKS["deep linear"])
    uneven = models.LayerPolar(jnp.asarray([0.5, 2.0]), view_of(problem.network).directions)
    subject = audit.own_subject("mine", problem, uneven)
    assert contested(asked(subject, "3.6", "3.9")) == []
