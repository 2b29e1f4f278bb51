"""Batch norm: units without a scale, a radius that is the top layer's norm, running statistics.

Strongest first: what is exactly invariant or conserved, closed forms, then references that share no
code with the library (flax's batch norm, a loop in NumPy), then what is refused.
"""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import references
from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds
from rhoflow.models import batch_norm

ROUND_OFF = 1e-12
SOLVER = 1e-9
"""Smooth networks are integrated with rtol 1e-11 over a few units of time."""
WIDTHS = (references.FEATURES, 6, 5, 1)
RELU = models.mlp(WIDTHS, batch_norm=True)
SMOOTH = models.mlp(WIDTHS, activation=models.linear, batch_norm=True)
HIDDEN = range(len(WIDTHS) - 2)
FITTING = {
    "sphere": kinds.sphere(),
    "frozen gain": kinds.frozen_gain(),
    "top free": kinds.top_free(),
    "batch norm": kinds.batch_norm(),
}
REFUSED = [
    kinds.free(),
    kinds.layerwise(),
    kinds.weight_norm(),
    kinds.lagrange(),
    kinds.linearised(),
]


def drawn(seed=2):
    """Weights with a norm of its own for every layer."""
    layers = RELU.init(jax.random.key(seed))
    return tuple(scale * layer for scale, layer in zip((0.7, 1.1, 1.6), layers, strict=True))


def with_silent_units(weights):
    """One unit without weights, and one that hears nothing but it: both are zero on all samples."""
    first, second, top = weights
    second = second.at[:, 1].set(0.0).at[2, 1].set(0.9)
    return first.at[:, 2].set(0.0), second, top


@functools.partial(jax.jit, static_argnames=("epsilon", "activation"))
def by_hand(weights, inputs, epsilon, activation=jax.nn.relu, fixed=None):
    """Outputs and the statistics on the way, written out."""
    hidden, seen = inputs, []
    for depth, layer in enumerate(weights[:-1]):
        z = hidden @ layer
        mean, variance = (z.mean(0), z.var(0)) if fixed is None else fixed[depth]
        seen.append((mean, variance))
        size = jnp.sqrt(variance + epsilon * (layer**2).sum(0))
        hidden = activation((z - mean[None]) / size[None])
    return (hidden @ weights[-1])[:, 0], seen


def data_loss_of_weights(weights, problem):
    return models.data_loss(problem, models.Polar(jnp.ones(()), weights))


def linear(z):
    return z


@functools.partial(jax.jit, static_argnames="activation")
def slope_by_hand(weights, inputs, targets, decay, activation=jax.nn.relu):
    return jax.grad(loss_by_hand)(weights, inputs, targets, decay, activation)


def loss_by_hand(weights, inputs, targets, decay, activation=jax.nn.relu):
    outputs, _ = by_hand(weights, inputs, 1e-6, activation)
    squares = sum(jnp.sum(layer**2) for layer in weights)
    return jnp.mean((outputs - targets) ** 2) + decay * squares


# Invariance.


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("epsilon", [0.0, 1e-6, 0.1])
def test_the_scale_of_a_unit_changes_nothing_whatever_epsilon(epsilon, silent):
    network = models.mlp(WIDTHS, batch_norm=models.BatchNorm(epsilon))
    problem = references.problem(network)
    weights = with_silent_units(drawn()) if silent else drawn()
    rng = np.random.default_rng(3)
    scales = [np.exp(rng.uniform(-3, 3, layer.shape[1])) for layer in weights[:-1]]
    scaled = (*(w * s[None] for w, s in zip(weights[:-1], scales, strict=True)), weights[-1])
    outputs = network.apply(weights, problem.inputs)
    assert float(jnp.std(outputs)) > 0.1
    np.testing.assert_allclose(
        network.apply(scaled, problem.inputs), outputs, rtol=0, atol=ROUND_OFF
    )


@pytest.mark.parametrize("network", [RELU, SMOOTH, models.mlp(WIDTHS, 1, batch_norm=True)])
@pytest.mark.parametrize("silent", [False, True])
def test_a_hidden_units_gradient_is_orthogonal_to_its_weights(network, silent):
    problem = references.problem(network)
    weights = with_silent_units(drawn()) if silent else drawn()
    slope = jax.jit(jax.grad(data_loss_of_weights))(weights, problem)
    for w, g in zip(weights[:-1], slope[:-1], strict=True):
        sizes = jnp.linalg.norm(w, axis=0) * jnp.linalg.norm(g, axis=0)
        assert np.all(np.isfinite(g))
        assert float(jnp.max(sizes)) > 1e-3
        np.testing.assert_array_less(jnp.abs(jnp.sum(w * g, axis=0)), ROUND_OFF * sizes + 1e-30)


def test_the_derivative_of_a_standardised_unit_is_the_documents_with_its_mean_taken_out():
    """d Xhat/dX = (I - 1 1^T / N - Xhat Xhat^T / N) / sigma."""
    values = jnp.asarray(np.random.default_rng(0).normal(1.0, 2.0, (7, 1)))
    samples, layer = len(values), jnp.ones((3, 1))

    def standardised(z):
        return batch_norm.standardise(0.0, layer, batch_norm.of_batch(z), z)

    jacobian = jax.jacobian(standardised)(values)[:, 0, :, 0]
    unit = np.asarray(standardised(values))
    closed = np.eye(samples) - np.ones((samples, samples)) / samples - unit @ unit.T / samples
    np.testing.assert_allclose(jacobian, closed / np.std(values), rtol=0, atol=ROUND_OFF)


# The radius, and the two ways of evaluating.


def test_the_radius_is_the_top_layers_norm():
    problem, weights = references.problem(RELU), drawn()
    statistics = RELU.statistics(drawn(5), problem.inputs)
    position = kinds.Tracked(weights, statistics)
    view = kinds.batch_norm().view(position)
    np.testing.assert_allclose(view.rho, jnp.linalg.norm(weights[-1]), rtol=ROUND_OFF)
    np.testing.assert_allclose(models.layer_norms(view.directions), 1.0, rtol=ROUND_OFF)
    trained = view.rho * view.evaluate(RELU, problem.inputs)
    np.testing.assert_allclose(trained, RELU.apply(weights, problem.inputs), rtol=1e-10)
    held_out = view.rho * view.predict(RELU, problem.inputs)
    fixed = RELU.apply_with(weights, statistics, problem.inputs)
    np.testing.assert_allclose(held_out, fixed, rtol=1e-10)
    assert float(jnp.max(jnp.abs(held_out - trained))) > 0.1


@pytest.mark.parametrize("name", FITTING)
def test_a_start_is_the_same_function_as_weights_and_in_polar_coordinates(name):
    problem, weights = references.problem(RELU), drawn()
    kind = kinds.fitting(problem, FITTING[name])
    polar = models.to_polar(weights, rho=jnp.linalg.norm(weights[-1]))
    for start in (weights, polar):
        view = kind.view(kind.retract(kind.prepare(start)))
        np.testing.assert_allclose(view.rho, polar.rho, rtol=ROUND_OFF)
        outputs = models.outputs(problem, view)
        np.testing.assert_allclose(outputs, RELU.apply(weights, problem.inputs), rtol=1e-10)


def test_on_the_spheres_a_run_from_weights_is_the_one_from_polar_coordinates():
    problem, weights = references.problem(RELU), drawn()
    steps = dynamics.gradient_descent(problem, 0.1)
    polar = models.to_polar(weights, rho=jnp.linalg.norm(weights[-1]))
    one, other = (dynamics.simulate(steps, start, times=[0.0, 1.0]) for start in (weights, polar))
    np.testing.assert_allclose(one["rho"], other["rho"], rtol=ROUND_OFF)
    np.testing.assert_allclose(one["rho"][0], polar.rho, rtol=ROUND_OFF)


def test_held_out_samples_are_judged_each_by_itself():
    """By running statistics; by their own, a sample that comes alone would give zero."""
    problem = references.problem(RELU)
    steps = dynamics.sgd(problem, 0.05, batch_size=4, normalisation=kinds.batch_norm(memory=0.5))
    x, y = problem.inputs[:2], problem.targets[:2]
    alone = {f"sample {i}": dynamics.error_on(x[i : i + 1], y[i : i + 1]) for i in range(2)}
    look = dynamics.observe(together=dynamics.error_on(x, y), **alone)
    ran = dynamics.simulate(steps, drawn(), times=[0.5, 5.0], observe=look, key=jax.random.key(4))
    singly = np.mean([ran[name] for name in alone], axis=0)
    np.testing.assert_allclose(ran["together"], singly, rtol=ROUND_OFF)
    position = ran.final.position
    fixed = [(s.means, s.variances) for s in position.statistics]
    wrong = by_hand(position.weights, x, 1e-6, fixed=fixed)[0] * y <= 0
    np.testing.assert_allclose(ran["together"][-1], np.mean(wrong), rtol=ROUND_OFF)
    assert ran["together"][-1] < 0.5


# References that share no code.


@pytest.mark.parametrize("running", [False, True])
def test_the_network_is_flaxs(running):
    """Unit columns, so that flax's absolute epsilon is ours."""
    epsilon = 1e-3
    network = models.mlp(WIDTHS, batch_norm=models.BatchNorm(epsilon))
    inputs = references.problem(network).inputs
    weights = tuple(w / jnp.linalg.norm(w, axis=0, keepdims=True) for w in drawn())
    statistics = network.statistics(drawn(7), inputs)
    hidden = inputs
    for layer, own in zip(weights[:-1], statistics, strict=True):
        norm = nn.BatchNorm(
            use_running_average=running, use_bias=False, use_scale=False, epsilon=epsilon,
            dtype=jnp.float64, use_fast_variance=False,
        )  # fmt: skip
        stored = {"batch_stats": {"mean": own.means, "var": own.variances}}
        standard, _ = norm.apply(stored, hidden @ layer, mutable=["batch_stats"])
        hidden = jax.nn.relu(standard)
    theirs = (hidden @ weights[-1])[:, 0]
    ours = (
        network.apply_with(weights, statistics, inputs)
        if running
        else network.apply(weights, inputs)
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=ROUND_OFF)


@pytest.mark.parametrize(
    ("optimiser", "rate", "options"),
    [
        (optax.sgd, 0.05, {}),
        (optax.sgd, 0.01, {"momentum": 0.9}),
        (optax.adam, 0.01, {}),
    ],
    ids=["sgd", "heavy ball", "adam"],
)
def test_running_statistics_are_exponential_averages_whatever_the_optimiser(
    optimiser, rate, options
):
    """S <- (1 - eta/memory) S + (eta/memory) S_batch in NumPy, eta the time that a step takes."""
    problem, memory, steps = references.problem(RELU), 0.8, 50
    rows = np.random.default_rng(5).integers(0, references.SAMPLES, (steps, 7))
    ours = dynamics.descent(
        problem, optimiser, rate, normalisation=kinds.batch_norm(memory=memory),
        batches=dynamics.batches.given(rows, references.SAMPLES), **options,
    )  # fmt: skip
    ran = dynamics.simulate(ours, drawn(), times=dynamics.times_at(ours, steps=[steps]))

    theirs = optimiser(rate, **options)
    update = jax.jit(theirs.update)
    weights, state = drawn(), theirs.init(drawn())
    averages = [[np.zeros(width), np.ones(width)] for width in WIDTHS[1:-1]]
    share = rate / (1 - options.get("momentum", 0.0)) / memory
    for row in rows:
        _, seen = by_hand(weights, problem.inputs[row], 1e-6)
        for average, batch in zip(averages, seen, strict=True):
            for part, new in enumerate(batch):
                average[part] = (1 - share) * average[part] + share * np.asarray(new)
        data = problem.inputs[row], problem.targets[row], problem.decay
        updates, state = update(slope_by_hand(weights, *data), state, weights)
        weights = optax.apply_updates(weights, updates)
    for layer, by_loop in zip(ran.final.position.weights, weights, strict=True):
        np.testing.assert_allclose(layer, by_loop, rtol=0, atol=1e-10)
    for own, average in zip(ran.final.position.statistics, averages, strict=True):
        np.testing.assert_allclose(own.means, average[0], rtol=0, atol=1e-10)
        np.testing.assert_allclose(own.variances, average[1], rtol=0, atol=1e-10)


# The flow.


@pytest.mark.slow
@pytest.mark.parametrize(("decay", "frozen"), [("layers", (0,)), ("top", ())])
def test_the_certificate_stays_constant_along_the_flow(decay, frozen):
    problem, duration = references.problem(SMOOTH), 2.0
    kind = kinds.fitting(problem, kinds.batch_norm(decay=decay, frozen=frozen))
    flow = dynamics.gradient_flow(problem, normalisation=kind, rtol=1e-11, atol=1e-13)
    ran = dynamics.simulate(flow, drawn(), times=[0.0, duration])
    begin = kind.certificate(problem, jnp.asarray(0.0), kind.prepare(drawn()))
    end = kind.certificate(problem, jnp.asarray(duration), ran.final.position)
    assert begin.shape == (sum(WIDTHS[1:-1]),)
    np.testing.assert_allclose(end, begin, rtol=SOLVER)
    assert abs(float(ran["rho"][1] - ran["rho"][0])) > 1e-2
    moved = [
        float(jnp.max(jnp.abs(new - old)))
        for new, old in zip(ran.final.position.weights, drawn(), strict=True)
    ]
    assert [size > 1e-3 for size in moved] == [k not in frozen for k in range(3)]


def test_statistics_follow_those_of_the_batch_and_do_not_push_the_weights():
    problem, memory = references.problem(RELU), 0.4
    kind = kinds.batch_norm(memory=memory)
    statistics = RELU.statistics(drawn(9), problem.inputs)
    position = kinds.Tracked(drawn(), statistics)
    velocity = jax.jit(kinds.field, static_argnums=0)(kind, problem, position)
    slope = slope_by_hand(drawn(), problem.inputs, problem.targets, problem.decay)
    for moves, pull in zip(velocity.weights, slope, strict=True):
        np.testing.assert_allclose(moves, -pull, rtol=0, atol=ROUND_OFF)
    _, seen = by_hand(drawn(), problem.inputs, 1e-6)
    for moves, own, batch in zip(velocity.statistics, statistics, seen, strict=True):
        np.testing.assert_allclose(moves.means, (batch[0] - own.means) / memory, atol=ROUND_OFF)
        np.testing.assert_allclose(
            moves.variances, (batch[1] - own.variances) / memory, atol=ROUND_OFF
        )


@pytest.mark.slow
def test_statistics_relax_exponentially_under_frozen_weights():
    problem, memory, time = references.problem(SMOOTH), 0.4, 0.7
    kind = kinds.batch_norm(memory=memory, frozen=(0, 1, 2))
    flow = dynamics.gradient_flow(problem, normalisation=kind, rtol=1e-11, atol=1e-13)
    ran = dynamics.simulate(flow, drawn(), times=[time])
    _, seen = by_hand(drawn(), problem.inputs, 1e-6, activation=linear)
    left = np.exp(-time / memory)
    for own, (mean, variance) in zip(ran.final.position.statistics, seen, strict=True):
        np.testing.assert_allclose(own.means, (1 - left) * mean, atol=SOLVER)
        np.testing.assert_allclose(own.variances, left + (1 - left) * variance, atol=SOLVER)


@pytest.mark.slow
def test_at_rest_the_statistics_are_those_of_the_batch():
    """And the top layer, the only one that moves here, is the ridge solution of its features."""
    problem = references.problem(SMOOTH)
    kind = kinds.batch_norm(frozen=(0, 1))
    flow = dynamics.gradient_flow(problem, normalisation=kind, rtol=1e-11, atol=1e-13)
    final = dynamics.simulate(flow, drawn(), times=[300.0]).final.position
    _, seen = by_hand(final.weights, problem.inputs, 1e-6, activation=linear)
    for own, (mean, variance) in zip(final.statistics, seen, strict=True):
        np.testing.assert_allclose(own.means, mean, atol=SOLVER)
        np.testing.assert_allclose(own.variances, variance, atol=SOLVER)
    features = np.asarray(SMOOTH.features(final.weights, problem.inputs))
    ridge = references.ridge(features, np.asarray(problem.targets), float(problem.decay))
    np.testing.assert_allclose(final.weights[-1][:, 0], ridge, atol=SOLVER)


@pytest.mark.slow
def test_the_corrected_flow_does_not_feel_the_statistics_and_lengthens_units_as_descent_does():
    """-grad (U + (eta/4) |grad U|^2) of the weights alone, by hand; with g the data's gradient,

    d |w|^2 / dt = -4 lambda (1 + eta lambda) |w|^2 + eta |g|^2,

    as g has degree -1 in w and is orthogonal to it.
    """
    problem, eta = references.problem(SMOOTH), 0.1
    flow = dynamics.corrected_flow(problem, eta, normalisation=kinds.batch_norm(memory=0.4))
    statistics = SMOOTH.statistics(drawn(9), problem.inputs)
    parameters = flow.parameters
    velocity = jax.jit(parameters.motion.field)(
        problem, parameters.settings, kinds.Tracked(drawn(), statistics)
    )

    def plain(weights):
        data = problem.inputs, problem.targets, problem.decay
        return loss_by_hand(weights, *data, activation=linear)

    def modified(weights):
        return plain(weights) + eta / 4 * sum(jnp.sum(g**2) for g in jax.grad(plain)(weights))

    for moves, pull in zip(velocity.weights, jax.jit(jax.grad(modified))(drawn()), strict=True):
        np.testing.assert_allclose(moves, -pull, rtol=0, atol=ROUND_OFF)
    slope = slope_by_hand(drawn(), problem.inputs, problem.targets, 0.0, linear)
    strength = 4 * problem.decay * (1 + eta * problem.decay)
    for k in HIDDEN:
        rate = 2 * jnp.sum(drawn()[k] * velocity.weights[k], axis=0)
        shrinks = strength * jnp.sum(drawn()[k] ** 2, axis=0)
        grows = eta * jnp.sum(slope[k] ** 2, axis=0)
        np.testing.assert_allclose(rate, grows - shrinks, rtol=0, atol=ROUND_OFF)
        assert float(jnp.max(grows)) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("follow", "order"),
    [
        (lambda problem, _, kind: dynamics.gradient_flow(problem, **kind), 1.0),
        (lambda problem, rate, kind: dynamics.corrected_flow(problem, rate, **kind), 2.0),
        (lambda problem, rate, kind: dynamics.second_order_flow(problem, rate, **kind), 2.0),
    ],
    ids=["flow", "corrected", "second order"],
)
def test_the_flows_follow_descent_to_their_order(follow, order):
    problem = references.problem(SMOOTH)
    kind, errors = kinds.batch_norm(), []
    for rate in (0.02, 0.01, 0.005):
        steps = dynamics.gradient_descent(problem, rate, normalisation=kind)
        options = {"normalisation": kind, "rtol": 1e-10, "atol": 1e-12}
        flow = follow(problem, rate, options)
        ran, near = (dynamics.simulate(d, drawn(), times=[0.5, 1.0]) for d in (steps, flow))
        errors.append(float(jnp.max(jnp.abs(ran["rho"] - near["rho"]))))
    slopes = -np.diff(np.log2(errors))
    assert np.all(np.abs(slopes - order) < 0.15), slopes


# Descent.


def test_a_step_lengthens_a_hidden_units_weights_by_its_squared_gradient():
    """norm(w)^2 grows by eta^2 norm(grad)^2, so that the effective rate decays by itself."""
    problem, rate = references.problem(RELU, decay=0.0), 0.1
    slope = slope_by_hand(drawn(), problem.inputs, problem.targets, 0.0)
    steps = dynamics.gradient_descent(problem, rate, normalisation=kinds.batch_norm())
    ran = dynamics.simulate(steps, drawn(), times=dynamics.times_at(steps, steps=[1]))
    for k in HIDDEN:
        grown = jnp.sum(drawn()[k] ** 2, axis=0) + rate**2 * jnp.sum(slope[k] ** 2, axis=0)
        now = jnp.sum(ran.final.position.weights[k] ** 2, axis=0)
        np.testing.assert_allclose(now, grown, rtol=ROUND_OFF)
        assert float(jnp.max(rate**2 * jnp.sum(slope[k] ** 2, axis=0))) > 1e-6


def test_batches_under_batch_norm_go_on_bit_for_bit():
    problem = references.problem(RELU)
    steps = dynamics.sgd(
        problem, 0.02, momentum=0.9, batch_size=5, normalisation=kinds.batch_norm()
    )
    early, late = dynamics.times_at(steps, steps=[7, 20])
    key = jax.random.key(8)
    whole = dynamics.simulate(steps, drawn(), times=[late], key=key)
    part = dynamics.simulate(steps, drawn(), times=[early], key=key)
    again = dynamics.simulate(steps, part.final, times=[late])
    references.assert_same_bits(whole.final, again.final)
    assert int(part.statistics["steps"]) == 7


@pytest.mark.slow
def test_an_ensemble_under_batch_norm_is_the_runs_alone():
    """Weights to the last bit; running statistics are rounded by each program in its own way."""
    problem = references.problem(RELU)
    steps = dynamics.sgd(problem, 0.02, batch_size=5, normalisation=kinds.batch_norm())
    times, key = dynamics.times_at(steps, steps=[20]), jax.random.key(8)
    starts = jax.tree.map(lambda *leaves: jnp.stack(leaves), drawn(2), drawn(3))
    many = dynamics.ensemble(steps, starts, times=times, key=key, over={"decay": [0.05, 0.1]})
    alone = dynamics.simulate(
        dynamics.replace(steps, decay=0.1), drawn(3), times=times, key=jax.random.fold_in(key, 1)
    )
    second = jax.tree.map(lambda leaf: leaf[1], many.final.position)
    references.assert_same_bits(second.weights, alone.final.position.weights)
    for ours, theirs in zip(*map(jax.tree.leaves, (second, alone.final.position)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)


# Refusals.

BUILDERS = {
    "flow": lambda problem, kind: dynamics.gradient_flow(problem, normalisation=kind),
    "corrected": lambda problem, kind: dynamics.corrected_flow(problem, 0.1, normalisation=kind),
    "second order": lambda problem, kind: dynamics.second_order_flow(
        problem, 0.1, normalisation=kind
    ),
    "descent": lambda problem, kind: dynamics.sgd(problem, 0.1, batch_size=4, normalisation=kind),
}


@pytest.mark.parametrize("builder", BUILDERS)
def test_normalisations_that_multiply_all_norms_are_refused(builder):
    for kind in REFUSED:
        with pytest.raises(ValueError, match=f"got {kind.name}: use batch_norm"):
            BUILDERS[builder](references.problem(RELU), kind)


@pytest.mark.parametrize("builder", BUILDERS)
def test_batch_norm_wants_a_network_with_batch_norm(builder):
    with pytest.raises(ValueError, match="a network with batch norm for batch norm"):
        BUILDERS[builder](references.problem(references.RELU), kinds.batch_norm())


def test_what_needs_gradients_of_single_samples_is_refused():
    problem = references.problem(RELU)
    with pytest.raises(ValueError, match="the minibatch term, which needs gradients of single"):
        dynamics.corrected_flow(problem, 0.1, batch_size=4)
    with pytest.raises(ValueError, match="diffusion, which needs gradients of single"):
        dynamics.diffusion(problem, 0.1, batch_size=4, step=0.1)


def test_parameters_out_of_range_are_refused():
    with pytest.raises(ValueError, match="unknown decay 'tops' \\(did you mean 'top'"):
        kinds.batch_norm(decay="tops")
    with pytest.raises(ValueError, match="a positive memory"):
        kinds.batch_norm(memory=0.0)
    with pytest.raises(ValueError, match="an epsilon >= 0"):
        models.BatchNorm(-1e-6)
    with pytest.raises(ValueError, match="a hidden layer for batch norm"):
        models.mlp((4, 1), batch_norm=True)


def test_an_activation_below_batch_norm_sees_no_scale():
    """[Wide]'s has a scale of its own; what batch norm hands to it has none."""
    network = models.mlp(WIDTHS, activation=models.smooth_leaky(0.1), batch_norm=True)
    assert network.degrees == (0, 0, 1)
    assert network.standardised == 2
    problem = references.problem(network)
    weights = network.init(jax.random.key(0))
    outputs = network.apply(weights, problem.inputs)
    scaled = (3 * weights[0], 2 * weights[1], weights[2])
    np.testing.assert_allclose(network.apply(scaled, problem.inputs), outputs, rtol=1e-10)
    for kind in (kinds.batch_norm(), kinds.sphere()):
        descent = dynamics.gradient_descent(problem, 0.1, normalisation=kind)
        assert np.isfinite(dynamics.simulate(descent, weights, times=[0.2])["rho"][-1])
    first = (*network.layers[:1], models.layers.dense(6, 1))
    bare = [dataclasses.replace(layer, batch_norm=None) for layer in first]
    assert models.feed_forward.feed_forward("bare", bare, models.lecun()).inhomogeneity


def test_equal_arguments_make_the_same_network():
    assert models.mlp(WIDTHS, batch_norm=models.BatchNorm()) is RELU
    assert models.mlp(WIDTHS, batch_norm=models.BatchNorm(1e-3)) is not RELU
    assert not models.mlp(WIDTHS).couples
    assert RELU.couples
