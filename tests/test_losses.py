"""Losses besides the square one: their values, their flows, and what they refuse.

Source: exponential loss, [M117] appendix J.2 with the decay of rho as -2 lambda rho, and (81);
minimum-norm regression and classification, [M112] (24) and (25).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import lambertw, logsumexp

from references import (
    LINEAR,
    any_problem,
    as_numpy,
    assert_equal_terms,
    backward,
    biggest,
    difference,
    draw,
    forward,
    problem,
    ridge,
    start,
)
from rhoflow import dynamics, models
from rhoflow.dynamics.flows.gradient_flow import sphere_field
from rhoflow.models import losses

ROUND_OFF = 1e-12
CLOSED_FORM = 1e-8

SIGNS = [losses.square, losses.exponential, losses.logistic, losses.one_sided_square]
NETWORKS = [
    (models.mlp((2, 5, 16, 3, 1), linear_layers=1), 2),
    (LINEAR, 0),
]
# l and -l' as functions of the margin m = rho fbar, in NumPy.
BY_HAND = {
    "square": (lambda m: (1 - m) ** 2, lambda m: 2 * (1 - m)),
    "exponential": (lambda m: np.exp(-m), lambda m: np.exp(-m)),
    "logistic": (lambda m: np.log(1 + np.exp(-m)), lambda m: 1 / (1 + np.exp(m))),
    "one_sided_square": (
        lambda m: np.where(m < 1, (1 - m) ** 2, 0), lambda m: np.where(m < 1, 2 * (1 - m), 0),
    ),
}  # fmt: skip

EXAMPLES = settings(max_examples=8)
EACH_LOSS = pytest.mark.parametrize("loss", SIGNS, ids=lambda loss: loss.name)
field = jax.jit(sphere_field)
objective = jax.jit(models.objective)
both = jax.jit(lambda ours, view: (models.objective(ours, view), sphere_field(ours, view)))


def with_loss(ours, loss):
    return models.Problem(ours.network, ours.inputs, ours.targets, ours.decay, loss)


# Losses of labels +-1.


@EACH_LOSS
@EXAMPLES
@given(case=st.sampled_from(NETWORKS), seed=st.integers(0, 2**31 - 1))
def test_the_flow_is_the_one_of_its_per_sample_formula(loss, case, seed):
    """rho' = mean(p fbar) - 2 lambda rho, V_k' = rho mean(p (d_k fbar - V_k fbar)), p = -l'."""
    network, relu_layers = case
    square, polar = any_problem(network, seed)
    ours = with_loss(square, loss)
    rho, layers = as_numpy(polar)
    inputs, targets, decay = map(np.asarray, (ours.inputs, ours.targets, ours.decay))
    seen, outputs = forward(layers, inputs, relu_layers)
    margins = targets * outputs
    value, slope = BY_HAND[loss.name]
    pull = slope(rho * margins)
    (loss_here, velocity), count = both(ours, polar), len(margins)
    assert_equal_terms(
        velocity.rho, np.mean(pull * margins) - 2 * decay * rho, ROUND_OFF, pull * margins
    )
    mixed = backward(layers, seen, pull * targets, relu_layers)
    for ours_k, gradient, layer in zip(velocity.directions, mixed, layers, strict=True):
        multiplier = layer * np.sum(pull * margins)
        by_hand = rho / count * (gradient - multiplier)
        assert_equal_terms(
            ours_k, by_hand, ROUND_OFF, rho / count * gradient, rho / count * multiplier
        )
    by_hand = np.mean(value(rho * margins)) + decay * rho**2
    assert_equal_terms(loss_here, by_hand, ROUND_OFF)


def test_the_logistic_loss_is_exact_for_margins_of_any_size():
    margins = jnp.array([-1e4, -30.0, 0.0, 1e-3, 30.0, 50.0, 700.0])
    value, slope = jax.vmap(
        jax.value_and_grad(lambda m: losses.logistic.per_sample(m[None], jnp.ones(1))[0])
    )(margins)
    by_hand = np.array([1e4, *np.log1p(np.exp(-np.asarray(margins[1:])))])
    assert np.max(np.abs(value / by_hand - 1)) <= ROUND_OFF
    with np.errstate(over="ignore"):
        slopes = -1 / (1 + np.exp(np.asarray(margins)))
    assert np.max(np.abs(slope / slopes - 1)) <= ROUND_OFF


def test_a_margin_above_one_costs_nothing_in_the_one_sided_loss():
    loss = losses.one_sided_square.per_sample
    margins, targets = jnp.array([1.0, 1.5, 40.0]), jnp.array([1.0, -1.0, 1.0])
    assert biggest(loss(margins * targets, targets)) == 0
    assert biggest(jax.grad(lambda f: jnp.sum(loss(f, targets)))(margins * targets)) == 0


# The exponential loss with equal margins.


def equal_margins(margin, decay):
    """y_n x_n = margin u +- e, and a rank-one chain along u: the directions stay put."""
    along, across = np.array([0.6, 0.8, 0.0]), np.array([0.0, 0.0, 0.3])
    targets = np.array([1.0, -1.0])
    inputs = targets[:, None] * (margin * along + np.array([[1.0], [-1.0]]) * across)
    unit = np.array([0.8, -0.6])
    network = models.deep_linear((3, 2, 1))
    ours = models.Problem(network, inputs, targets, decay, losses.exponential)
    return ours, models.to_polar((along[:, None] * unit, unit[:, None]), rho=0.2)


def test_with_equal_margins_rho_grows_like_a_logarithm():
    """rho(t) = ln(m^2 t + exp(m rho_0)) / m at lambda = 0; no finite equilibrium."""
    margin, times = 0.7, np.array([0.5, 3.0, 20.0, 100.0, 400.0])
    ours, begin = equal_margins(margin, 0.0)
    flow = dynamics.gradient_flow(ours, rtol=1e-10, atol=1e-12)
    seen = dynamics.simulate(flow, begin, times=times).observations
    closed = np.log(margin**2 * times + np.exp(margin * 0.2)) / margin
    assert np.max(np.abs(seen["rho"] - closed)) <= CLOSED_FORM


def test_with_decay_and_equal_margins_rho_rests_at_lamberts_function():
    """rho = W_0(m^2 / (2 lambda)) / m."""
    margin, decay = 0.7, 0.02
    ours, begin = equal_margins(margin, decay)
    flow = dynamics.gradient_flow(ours, rtol=1e-10, atol=1e-12)
    seen = dynamics.simulate(flow, begin, times=np.arange(80.0, 401, 80)).observations
    closed = lambertw(margin**2 / (2 * decay)).real / margin
    assert seen["rho"][-1] == pytest.approx(closed, rel=CLOSED_FORM)
    at_rest = field(ours, begin._replace(rho=jnp.asarray(closed)))
    assert biggest(at_rest) <= ROUND_OFF


def test_two_unequal_margins_are_each_at_rest_on_their_own():
    """exp(-rho f) f = 2 lambda rho has two roots f = -W_j(-c) / rho, c = 2 lambda rho^2 <= 1/e."""
    rho, decay = 5.0, 0.005
    argument = -2 * decay * rho**2
    margins = np.array([-lambertw(argument, branch).real / rho for branch in (0, -1)])
    assert margins[1] > 2 * margins[0] > 0
    ours = models.Problem(
        models.deep_linear((2, 1)), np.outer(margins, [0.6, 0.8]), [1.0, 1.0], decay,
        losses.exponential,
    )  # fmt: skip
    view = models.to_polar((np.array([[0.6], [0.8]]),), rho=rho)
    assert difference(dynamics.observe("margins")(ours, view)["margins"], margins) <= ROUND_OFF
    for sample in (0, 1):
        assert biggest(field(models.take(ours, jnp.array([sample])), view)) <= ROUND_OFF


def test_above_one_over_e_no_margin_keeps_rho_from_falling():
    rho, decay = 5.0, 1.001 / np.e / 50
    margins = np.linspace(0, 1, 1001)
    ours = [np.exp(-rho * f) * f - 2 * decay * rho for f in margins]
    assert max(ours) < 0
    # The largest pull, at f = 1 / rho, is just not enough for our field either.
    one = models.Problem(
        models.deep_linear((1, 1)), [[1 / rho]], [1.0], decay, losses.exponential
    )  # fmt: skip
    velocity = field(one, models.to_polar((np.ones((1, 1)),), rho=rho)).rho
    assert -1e-3 < velocity / (2 * decay * rho) < 0


# Cross-entropy.


def three_classes(seed=0, scale=1.0, loss=losses.cross_entropy):
    network = models.mlp((6, 9, 3))
    weights, inputs = draw(network, seed)
    labels = np.arange(6) % 3
    ours = models.Problem(network, inputs, models.encode(labels, "one_hot"), 0.01, loss)
    return ours, models.to_polar(weights, rho=scale), labels


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e5])
def test_the_cross_entropy_is_that_of_scipy(scale):
    ours, view, labels = three_classes(scale=scale)
    outputs = np.asarray(models.outputs(ours, view))
    by_hand = logsumexp(outputs, axis=1) - outputs[np.arange(6), labels]
    assert_equal_terms(models.data_loss(ours, view), np.mean(by_hand), ROUND_OFF, outputs)


def test_the_cross_entropy_of_a_certain_class_keeps_its_digits():
    outputs, targets = jnp.array([[60.0, 0.0, 1.0]]), jnp.array([[1.0, 0.0, 0.0]])
    value, slopes = jax.value_and_grad(
        lambda f: losses.cross_entropy.per_sample(f, targets)[0]
    )(outputs)  # fmt: skip
    small = np.exp(-60.0) + np.exp(-59.0)
    assert value == pytest.approx(small, rel=ROUND_OFF)
    pulls = np.array([[-small, np.exp(-60.0), np.exp(-59.0)]])
    assert np.max(np.abs(slopes / pulls - 1)) <= ROUND_OFF


def test_the_slopes_of_the_cross_entropy_are_softmax_minus_targets():
    ours, view, _ = three_classes(scale=3.0)
    outputs = models.outputs(ours, view)
    slopes = jax.grad(lambda f: jnp.sum(losses.cross_entropy.per_sample(f, ours.targets)))(outputs)
    softmax = np.exp(outputs - logsumexp(outputs, axis=1, keepdims=True))
    assert_equal_terms(slopes, softmax - np.asarray(ours.targets), ROUND_OFF)


@pytest.mark.parametrize("seed", range(3))
def test_the_flow_of_the_cross_entropy_is_minus_its_finite_differences(seed):
    ours, view, _ = three_classes(seed, scale=2.0)
    velocity, step = field(ours, view), 1e-5
    other, _ = draw(ours.network, seed + 100)
    along = models.Polar(jnp.asarray(0.3), models.project(view.directions, other))

    def ahead(length):
        moved = jax.tree.map(lambda a, b: a + length * b, view, along)
        return float(objective(ours, moved))

    slope = (ahead(step) - ahead(-step)) / (2 * step)
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), velocity, along)
    assert slope == pytest.approx(-sum(map(float, jax.tree.leaves(products))), rel=1e-7)


def test_the_cross_entropy_of_two_classes_is_the_logistic_loss_of_their_difference():
    outputs = jnp.array([[2.0, -1.0], [0.5, 0.75], [-40.0, 3.0]])
    targets = models.encode([0, 0, 1], "one_hot")
    ours = losses.cross_entropy.per_sample(outputs, targets)
    signs = jnp.array([1.0, 1.0, -1.0])
    assert_equal_terms(
        ours, losses.logistic.per_sample(outputs[:, 0] - outputs[:, 1], signs), ROUND_OFF
    )


# Minimum-norm classification and regression.


def test_the_one_sided_loss_finds_a_smaller_rho_than_regression():
    """Inputs (.3, 0) and (.6, .6), both of class +1: only the first one binds."""
    inputs, targets, decay = np.array([[0.3, 0], [0.6, 0.6]]), np.ones(2), 2e-3

    network = models.deep_linear((2, 3, 1))
    ours = models.Problem(network, inputs, targets, decay, losses.one_sided_square)
    flow = dynamics.gradient_flow(ours, rtol=1e-6, atol=1e-9)
    look = dynamics.observe("rho", "margins")
    seen = dynamics.simulate(flow, start(network, rho=1.0), times=[5e3], observe=look).observations
    rho = float(seen["rho"][-1])
    margins = rho * np.asarray(seen["margins"][-1])
    assert rho == pytest.approx(0.3 / (0.09 + 2 * decay), rel=1e-4)
    assert margins == pytest.approx(rho * np.array([0.3, 0.6]), rel=1e-3)
    assert np.all(margins >= 1 - 0.05)
    regression = ridge(inputs, targets, decay)  # where the flow of the square loss ends
    assert np.all(np.abs(inputs @ regression - 1) <= 0.07)
    assert rho < 0.95 * np.linalg.norm(regression)


# What fits a loss and what does not.

ENCODED = {
    name: models.encode([0, 1, 2, 0] if name != "signs" else [0, 1, 1, 0], name)
    for name in ("signs", "centred", "one_hot")
}
ONE, THREE = models.deep_linear((4, 1)), models.deep_linear((4, 3))
TAKES = {
    "square": {"signs", "centred", "one_hot"},
    "exponential": {"signs"},
    "logistic": {"signs"},
    "cross_entropy": {"one_hot"},
    "one_sided_square": {"signs"},
}


def made(encoding, loss):
    network = ONE if encoding == "signs" else THREE
    return models.Problem(network, np.eye(4), ENCODED[encoding], loss=loss)


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("name", TAKES)
def test_a_problem_takes_the_encodings_of_its_loss_and_no_other(name, encoding):
    loss = losses.named(name)
    if encoding in TAKES[name]:
        assert made(encoding, loss).loss is loss
        return
    with pytest.raises(ValueError, match=f"for the {name} loss, got {encoding}: encode") as caught:
        made(encoding, loss)
    assert "\n" not in str(caught.value)
    assert f"'{loss.encodings[0]}'" in str(caught.value)


def test_targets_that_are_traced_are_judged_by_their_shape():
    build = jax.jit(lambda t: models.objective(
        models.Problem(THREE, jnp.eye(4), t, loss=losses.exponential),
        models.to_polar((jnp.ones((4, 3)),)),
    ))  # fmt: skip
    with pytest.raises(ValueError, match="for the exponential loss, got centred or one_hot"):
        build(ENCODED["one_hot"])


def test_what_is_no_loss_is_refused():
    with pytest.raises(ValueError, match=r"expected a models\.Loss, got 'logistic': pass"):
        made("signs", "logistic")
    with pytest.raises(ValueError, match=r"unknown loss 'logistics' .did you mean 'logistic'"):
        losses.named("logistics")


@pytest.mark.parametrize("name", ["rho_eq", "gap", "loss_parts"])
def test_what_assumes_the_square_loss_refuses_another(name):
    ours, look = with_loss(problem(), losses.logistic), dynamics.observe("rho", name)
    expected = f"expected the square loss for {name}, got the logistic loss: observe"
    with pytest.raises(ValueError, match=expected) as caught:
        jax.eval_shape(look, ours, start())
    assert "\n" not in str(caught.value)


def test_a_simulation_hands_the_refusal_on():
    ours, look = with_loss(problem(), losses.logistic), dynamics.observe("rho_eq")
    with pytest.raises(ValueError, match="the square loss for rho_eq, got the logistic"):
        dynamics.simulate(dynamics.gradient_flow(ours), start(), times=[1.0], observe=look)


def test_what_does_not_assume_the_square_loss_is_the_same_for_every_loss():
    ours, view = problem(), start(rho=1.7)
    names = ("rho", "mu", "M", "sigma", "margins", "train_error")
    seen = {
        loss.name: dynamics.observe(*names)(with_loss(ours, loss), view)
        for loss in (losses.square, losses.exponential)
    }
    assert difference(seen["square"], seen["exponential"]) == 0
    losses_here = dynamics.observe("loss", "unregularised_loss")(
        with_loss(ours, losses.exponential), view
    )  # fmt: skip
    value = np.mean(np.exp(-1.7 * np.asarray(seen["square"]["margins"])))
    assert losses_here["unregularised_loss"] == pytest.approx(value, rel=ROUND_OFF)
    assert losses_here["loss"] == pytest.approx(value + 0.05 * 1.7**2, rel=ROUND_OFF)


def test_descent_moves_by_any_loss():
    ours, view, _ = three_classes()
    steps = dynamics.sgd(ours, 0.1, momentum=0.9, batch_size=3)
    seen = dynamics.simulate(steps, view, times=[0.0, 100.0], key=jax.random.key(0)).observations
    assert seen["loss"][1] < 0.75 * seen["loss"][0]
