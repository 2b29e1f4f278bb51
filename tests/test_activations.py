"""Activations: homogeneous in every layer, and smooth where they say so.

Source: structural lemma, [Dyn] Lemma 2 (3); the smoothed ReLU is ours.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from references import assert_equal_terms, biggest, difference, draw, problem, start
from rhoflow import dynamics, models
from rhoflow.dynamics.flows.gradient_flow import sphere_field
from rhoflow.models import activations, layers

ROUND_OFF = 1e-12

ACTIVATIONS = [
    models.relu,
    models.linear,
    models.leaky_relu(0.1),
    models.smoothed_relu(0.01),
    models.smoothed_relu(0.3),
    models.smoothed_relu(1.0),
]
SMOOTHED = [0.01, 0.1, 1.0]
SMALL = (4, 8, 1)


# The ReLU and linear ones stand in test_polar.py; the wide ones have every unit in the parabola.
ANY_SHAPE = st.lists(st.integers(1, 6), min_size=3, max_size=5)
NEW = [models.smoothed_relu(1.0), *ACTIVATIONS[2:5]]


@st.composite
def networks(draw_from):
    """A network of any small shape; widths of one give silent layers half of the time."""
    widths = draw_from(ANY_SHAPE)
    linear_layers = draw_from(st.integers(0, len(widths) - 3))
    return models.mlp(widths, linear_layers, activation=draw_from(st.sampled_from(NEW)))


EXAMPLES = settings(max_examples=8)
ANY_NETWORK = given(network=networks(), seed=st.integers(0, 2**31 - 1))


def outputs(network, weights, inputs):
    """Outputs as ``[samples, outputs]``."""
    return network.apply(weights, inputs).reshape(inputs.shape[0], -1)


def product_of_norms(weights):
    """What no output of an input of norm one exceeds."""
    return np.prod([np.linalg.norm(layer) for layer in weights])


# What is true of all of them.


@EXAMPLES
@ANY_NETWORK
def test_the_output_is_homogeneous_in_each_layer(network, seed):
    weights, inputs = draw(network, seed)
    factor = np.exp(np.random.default_rng(seed).uniform(-4, 4))
    apply = jax.jit(network.apply)
    expected = factor * apply(weights, inputs)
    for depth in range(len(weights)):
        scaled = (*weights[:depth], factor * weights[depth], *weights[depth + 1 :])
        size = factor * product_of_norms(weights)
        assert_equal_terms(apply(scaled, inputs), expected, ROUND_OFF, size)


@pytest.mark.slow
@EXAMPLES
@ANY_NETWORK
def test_each_layer_times_its_gradient_is_the_output(network, seed):
    weights, inputs = draw(network, seed)
    gradients = jax.jit(jax.jacrev(lambda w: outputs(network, w, inputs)))(weights)
    values = outputs(network, weights, inputs)
    for gradient, layer in zip(gradients, weights, strict=True):
        products = np.einsum("ncij,ij->nc", gradient, layer)
        size = np.max(np.linalg.norm(gradient, axis=(2, 3))) * np.linalg.norm(layer)
        assert_equal_terms(products, values, ROUND_OFF, size)


@EXAMPLES
@ANY_NETWORK
def test_no_output_exceeds_the_product_of_the_norms(network, seed):
    weights, inputs = draw(network, seed)
    values = np.linalg.norm(outputs(network, weights, inputs), axis=1)
    assert np.all(values <= (1 + ROUND_OFF) * product_of_norms(weights))


def test_the_norm_of_a_unit_is_that_of_the_weights_that_feed_it():
    layer, inputs = np.array([[3.0, 0.0, 1.0], [4.0, 2.0, -1.0]]), np.array([[0.6, 0.8], [0, 2.0]])
    dense = layers.dense(2, 3)
    assert_equal_terms(dense.map(layer, inputs), inputs @ layer, ROUND_OFF)
    by_hand = [[5.0, 2.0, 2**0.5], [10.0, 4.0, 2 * 2**0.5]]
    assert_equal_terms(dense.sizes(layer, inputs), np.array(by_hand), ROUND_OFF)


# The smoothed ReLU.


def smoothed(values, half):
    """The definition, with half the same for all."""
    parabola = (values + half) ** 2 / (4 * half)
    return np.select([values > half, values < -half], [values, 0 * values], parabola)


@pytest.mark.parametrize("width", SMOOTHED)
def test_a_smoothed_unit_is_what_its_definition_says(width):
    values, bound = np.linspace(-2, 2, 4001), 1.7
    ours = models.smoothed_relu(width).apply(values, lambda: jnp.full(4001, bound))
    assert_equal_terms(ours, smoothed(values, width * bound), ROUND_OFF)
    excess = ours - np.maximum(values, 0)
    assert np.min(excess) >= -ROUND_OFF
    assert np.max(excess) == pytest.approx(width * bound / 4, rel=ROUND_OFF)
    assert np.argmax(excess) == 2000


def kink(activation, at, side):
    """The derivatives by z and by the bound, just beside a point."""
    point = jnp.array([at + side * 1e-12]), jnp.ones(1)
    return jax.grad(lambda z, b: activation.apply(z, lambda: b)[0], argnums=(0, 1))(*point)


@pytest.mark.parametrize("width", SMOOTHED)
def test_derivatives_are_continuous_where_the_pieces_meet(width):
    ours = models.smoothed_relu(width)
    for at, slope in ((-width, 0.0), (0.0, 0.5), (width, 1.0)):
        below, above = kink(ours, at, -1), kink(ours, at, 1)
        assert difference(below, above) <= 1e-9
        assert below[0][0] == pytest.approx(slope, abs=1e-9)
    for kinked, jump in ((models.relu, 1.0), (models.leaky_relu(0.25), 0.75)):
        assert kink(kinked, 0.0, 1)[0] - kink(kinked, 0.0, -1)[0] == jump


def largest_jump(network, points):
    """Of the gradient between neighbours on a line through weight space that crosses kinks."""
    ends, inputs = draw(network, 5), draw(network, 6)[1]
    other = draw(network, 7)[0]
    line = tuple(
        left[None] + np.linspace(0, 1, points)[:, None, None] * (right - left)[None]
        for left, right in zip(ends[0], other, strict=True)
    )
    total = jax.grad(lambda w: jnp.sum(network.apply(w, inputs)))
    gradients = jax.jit(jax.vmap(total))(line)
    return max(float(np.max(np.abs(np.diff(layer, axis=0)))) for layer in gradients)


def test_the_gradient_of_a_smoothed_network_does_not_jump():
    for activation, ratio in ((models.smoothed_relu(0.1), 4.0), (models.relu, 1.0)):
        network = models.mlp((3, 6, 5, 1), activation=activation)
        coarse, fine = largest_jump(network, 10_001), largest_jump(network, 40_001)
        assert coarse / fine == pytest.approx(ratio, rel=0.05)


def test_the_gradient_is_the_one_of_finite_differences():
    """The half-width is differentiated too: else it would be no gradient."""
    network = models.mlp((3, 6, 5, 1), activation=models.smoothed_relu(0.4))
    weights, inputs = draw(network, 8)
    along, _ = draw(network, 9)
    total = jax.jit(lambda w: jnp.sum(network.apply(w, inputs)))
    steps = [tuple(a + s * 1e-5 * b for a, b in zip(weights, along, strict=True)) for s in (1, -1)]
    slope = (total(steps[0]) - total(steps[1])) / 2e-5
    gradient = jax.jit(jax.grad(total))(weights)
    exact = sum(float(np.sum(g * b)) for g, b in zip(gradient, along, strict=True))
    assert slope == pytest.approx(exact, rel=1e-7)


@EXAMPLES
@given(
    widths=ANY_SHAPE,
    width=st.floats(1e-6, 1),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_smoothed_network_is_near_the_relu_network(widths, width, seed):
    """Off by at most hidden layers times width / 4, of the product of the norms."""
    network, kinked = models.mlp(widths, activation=models.smoothed_relu(width)), models.mlp(widths)
    weights, inputs = draw(network, seed)
    off = biggest(network.apply(weights, inputs) - kinked.apply(weights, inputs))
    most = (len(widths) - 2) * width / 4
    assert off <= (most + ROUND_OFF) * product_of_norms(weights)


def test_away_from_the_kinks_a_narrow_parabola_is_not_seen():
    network, kinked = (
        models.mlp((3, 6, 5, 1), activation=models.smoothed_relu(1e-9)),
        models.mlp((3, 6, 5, 1)),
    )
    weights, inputs = draw(network, 3)
    ours, theirs = (
        jax.jit(jax.grad(lambda w, n=n: jnp.sum(n.apply(w, inputs))))(weights)
        for n in (network, kinked)
    )
    assert_equal_terms(ours, theirs, ROUND_OFF)


VANISHING = models.mlp((3, 4, 4, 1), activation=models.smoothed_relu(0.1))


@jax.jit
def slopes_and_curvature(weights, inputs, along):
    """The gradient of the sum of outputs, and its derivative along a direction."""
    total = jax.grad(lambda w: jnp.sum(VANISHING.apply(w, inputs)))
    return jax.jvp(total, (weights,), (along,))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-60, 1e-152, 1e-200])
def test_units_and_inputs_that_vanish_leave_finite_derivatives(dtype, size):
    """A unit that decays for long comes as near to zero as numbers go."""
    weights, inputs = jax.tree.map(lambda a: jnp.asarray(a, dtype), draw(VANISHING, 2))
    first = weights[0].at[:, :2].multiply(size)
    vanishing = (first, weights[1].at[:, 1].multiply(size), weights[2].at[1].multiply(size))
    inputs = inputs.at[0].multiply(size)
    slopes, curvature = slopes_and_curvature(vanishing, inputs, weights)
    for leaf in jax.tree.leaves((slopes, curvature)):
        assert leaf.dtype == dtype
        assert np.all(np.isfinite(leaf))


# The flow of a smoothed network.


def speed(problem, view):
    """An observable: the norm of the field."""
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(sphere_field(problem, view))))


def run(activation, times, **options):
    network = models.mlp(SMALL, activation=activation)
    flow = dynamics.gradient_flow(problem(network, decay=0.02), **options)
    look = dynamics.observe("loss", "rho", "rho_eq", "gap", speed=speed)
    trajectory = dynamics.simulate(flow, start(network), times=times, observe=look)
    return trajectory.times, trajectory.observations


def run_smoothed(width):
    times = np.append(np.linspace(0, 50, 1001), 500.0)
    return run(models.smoothed_relu(width), times, rtol=1e-8, atol=1e-11)


@pytest.mark.slow
def test_a_smoothed_flow_dissipates_until_its_field_is_zero():
    times, seen = run_smoothed(0.1)
    assert seen["speed"][-1] <= 1e-7 * seen["speed"][0]
    assert seen["rho"][-1] == pytest.approx(float(seen["rho_eq"][-1]), rel=1e-8)
    assert seen["loss"][-1] == pytest.approx(float(seen["gap"][-1]), rel=1e-8)
    # What the loss has lost is the field's square, summed over time.
    early = times <= 50
    lost = np.trapezoid(np.asarray(seen["speed"][early]) ** 2, times[early])
    assert seen["loss"][0] - seen["loss"][early][-1] == pytest.approx(lost, rel=5e-3)


@pytest.mark.slow
def test_a_kinked_flow_rests_in_rho_while_its_field_does_not_vanish():
    """The control of the test above; and the smoothed flow's rho is off by less than its width."""
    _, kinked = run(models.relu, [400.0, 500.0])
    assert kinked["rho"][1] == pytest.approx(float(kinked["rho"][0]), rel=1e-3)
    assert kinked["speed"][1] >= 1e-4
    for width in (0.1, 0.03):
        _, seen = run_smoothed(width)
        assert seen["rho"][-1] == pytest.approx(float(kinked["rho"][1]), rel=width)


# Names and objects.


def test_equal_arguments_give_the_same_activation_and_network():
    assert models.smoothed_relu(0.25) is models.smoothed_relu(np.float32(0.25))
    assert models.leaky_relu(0.1) is models.leaky_relu(0.1)
    pairs = itertools.product(ACTIVATIONS, repeat=2)
    for left, right in pairs:
        same = models.mlp(SMALL, activation=left) is models.mlp(list(SMALL), activation=right)
        assert same == (left is right)
    assert models.mlp(SMALL) is models.mlp(SMALL, activation=models.relu)
    straight = models.deep_linear((4, 3, 2, 1))
    assert models.mlp((4, 3, 2, 1), activation=models.linear) is straight
    assert models.mlp((4, 3, 2, 1), 2, activation=models.smoothed_relu(0.1)) is straight


def test_a_network_says_its_activation_and_whether_it_is_smooth():
    said = [(n.name, n.smooth) for n in (models.mlp(SMALL, activation=a) for a in ACTIVATIONS[:4])]
    assert said == [
        ("mlp 4-8-1", False),
        ("deep linear 4-8-1", True),
        ("mlp 4-8-1, leaky_relu(0.1)", False),
        ("mlp 4-8-1, smoothed_relu(0.01)", True),
    ]


def test_an_activation_can_be_had_by_its_name():
    for activation in ACTIVATIONS:
        name, _, parameter = activation.name.rstrip(")").partition("(")
        given_name = activations.named(name, float(parameter) if parameter else None)
        assert given_name is activation
    inhomogeneous = activations.named("smooth_leaky", 0.2)
    assert inhomogeneous is models.smooth_leaky(0.2, 1.0)
    assert models.mlp(SMALL, activation=inhomogeneous).degrees == ()


REFUSALS = {
    "a width of zero": (lambda: models.smoothed_relu(0.0), r"a width in \(0, 1\], got 0.0"),
    "a width above one": (lambda: models.smoothed_relu(1.5), r"a width in \(0, 1\]"),
    "a width of NaN": (lambda: models.smoothed_relu(np.nan), r"a width in \(0, 1\]"),
    "a slope of one": (lambda: models.leaky_relu(1.0), r"a slope in \(0, 1\).*relu or linear"),
    "another name": (lambda: activations.named("rleu"), "unknown activation 'rleu'.*'relu'"),
    "a name without width": (
        lambda: activations.named("smoothed_relu"), "a parameter for smoothed_relu",
    ),
    "a ReLU with a width": (lambda: activations.named("relu", 0.1), "no parameter for relu"),
}  # fmt: skip


@pytest.mark.parametrize(("act", "says"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_is_refused_in_one_line(act, says):
    with pytest.raises(ValueError, match=says) as caught:
        act()
    assert "\n" not in str(caught.value)
