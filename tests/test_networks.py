"""Every kind of network: degrees, the structural lemma, what its flow conserves, what fails.

Identities hold to round-off at random points; what a residual sum, a kink of its own scale or batch
norm spoils is shown to be spoilt. Sizes are small and shared, since every shape compiles.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import biggest
from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds

ROUND_OFF = 1e-12
SOLVER = 1e-9
IMAGE = (6, 6, 2)
CONV = models.convnet(IMAGE, (3, 4), (5,), outputs=2)
NETWORKS = {
    "convnet": CONV,
    "padded, stride 2": models.convnet(IMAGE, (3, 4), strides=2, padding="same", outputs=1),
    "not overlapping": models.convnet(IMAGE, (3, 4), strides=(3, 1), kernel=2, outputs=2),
    "smoothed kinks": models.convnet(IMAGE, (3,), activation=models.smoothed_relu(0.1)),
    "leaky, linear head": models.convnet(
        IMAGE, (3,), (5, 4), linear_layers=2, activation=models.leaky_relu(0.2)
    ),
    "linear": models.convnet(IMAGE, (3,), activation=models.linear, outputs=1),
    "tree": models.tree(3, channels=2),
    "tree, separate kernels": models.tree(3, channels=2, outputs=3, shared=False),
    "diagonal": models.diagonal(4, layers=3),
    "tied": models.tied((5, 6, 1), times=3),
    "tied, smoothed": models.tied((5, 6, 2), times=2, activation=models.smoothed_relu(0.1)),
}
EACH = pytest.mark.parametrize("name", NETWORKS)


def drawn(network, seed=0, samples=6):
    """A problem and weights with norms of their own."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((samples, *network.layers[0].reads))
    inputs /= np.sqrt(np.sum(inputs**2, axis=tuple(range(1, inputs.ndim)), keepdims=True))
    weights = tuple(
        jnp.asarray(factor * layer)
        for factor, layer in zip(
            itertools.cycle((1.3, 0.8, 1.1)), network.init(jax.random.key(seed)), strict=False
        )
    )
    outputs = jax.eval_shape(network.apply, weights, inputs)
    labels = np.arange(samples) % (2 if outputs.ndim == 1 else outputs.shape[1])
    targets = models.encode(labels, "signs" if outputs.ndim == 1 else "centred")
    return models.Problem(network, inputs, targets, decay=0.02), weights


def products(network, weights, inputs):
    """<W_k, df/dW_k> of every output, for each array."""
    slopes = jax.jit(jax.jacrev(network.apply))(weights, inputs)
    outputs = jax.jit(network.apply)(weights, inputs)
    axes = [tuple(range(outputs.ndim, slope.ndim)) for slope in slopes]
    return [
        np.sum(np.asarray(slope) * np.asarray(layer)[(None,) * outputs.ndim], axis=axis)
        for slope, layer, axis in zip(slopes, weights, axes, strict=True)
    ], np.asarray(outputs)


# What holds.


@EACH
def test_the_output_scales_with_each_array_to_its_degree(name):
    network = NETWORKS[name]
    problem, weights = drawn(network)
    apply = jax.jit(network.apply)
    outputs = apply(weights, problem.inputs)
    assert biggest(outputs) > 1e-3
    for number, degree in enumerate(network.degrees):
        scaled = (*weights[:number], 1.7 * weights[number], *weights[number + 1 :])
        apart = apply(scaled, problem.inputs) - 1.7**degree * outputs
        assert biggest(apart) <= ROUND_OFF * 1.7**degree * biggest(outputs)


@EACH
def test_an_array_times_its_gradient_is_its_degree_times_the_output(name):
    network = NETWORKS[name]
    problem, weights = drawn(network)
    found, outputs = products(network, weights, problem.inputs)
    for product, degree in zip(found, network.degrees, strict=True):
        np.testing.assert_allclose(product, degree * outputs, rtol=0, atol=ROUND_OFF)


@EACH
def test_rho_times_the_normalised_network_is_the_network_and_back(name):
    network = NETWORKS[name]
    problem, weights = drawn(network)
    apply = jax.jit(network.apply)
    expected = apply(weights, problem.inputs)
    polar = models.to_polar(weights, network=network)
    for point in (polar, models.to_polar(models.to_weights(polar, network), network=network)):
        outputs = point.rho * apply(point.directions, problem.inputs)
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=ROUND_OFF * biggest(expected))


@EACH
def test_the_flow_on_the_spheres_is_the_gradients_and_rho_obeys_its_equation(name):
    """V_k' is tangent, and rho' = 2 (mu - rho (M + lambda)) whatever the layers are."""
    network = NETWORKS[name]
    problem, weights = drawn(network)
    polar = models.to_polar(weights, network=network)
    moves = jax.jit(lambda at: kinds.field(kinds.sphere(), problem, at))(polar)
    observables = dynamics.observables
    mu = observables.moments.mu(problem, polar)
    moment = observables.moments.second_moment(problem, polar)
    rate = 2 * (mu - polar.rho * (moment + problem.decay))
    np.testing.assert_allclose(moves.rho, rate, rtol=0, atol=ROUND_OFF)
    for move, direction in zip(moves.directions, polar.directions, strict=True):
        assert abs(float(jnp.sum(move * direction))) <= ROUND_OFF


@pytest.mark.parametrize(
    "name",
    [
        "tied, smoothed",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("linear", "smoothed kinks")),
    ],
)
@pytest.mark.parametrize("frozen", [(), (0,), (-1,)], ids=str)
def test_free_weights_conserve_squared_norms_over_degrees(name, frozen):
    network = NETWORKS[name]
    problem, weights = drawn(network)
    kind = kinds.fitting(problem, kinds.free(frozen=frozen))
    flow = dynamics.gradient_flow(problem, normalisation=kind, rtol=1e-11, atol=1e-13)
    ran = dynamics.simulate(flow, weights, times=[1.0])
    begin = kind.certificate(problem, jnp.asarray(0.0), weights)
    end = kind.certificate(problem, jnp.asarray(1.0), ran.final.position)
    np.testing.assert_allclose(end, begin, rtol=0, atol=SOLVER)
    assert biggest(models.layer_norms(ran.final.position) - models.layer_norms(weights)) > 1e-3


def test_a_smoothed_unit_of_a_convolution_knows_the_norm_of_its_patch():
    network = NETWORKS["smoothed kinks"]
    problem, weights = drawn(network)
    seen = network.pre_activations(weights, problem.inputs)[0]
    image, kernel = np.asarray(problem.inputs[2]), np.asarray(weights[0])
    patch = image[1:4, 2:5]
    values = np.einsum("abi,abij->j", patch, kernel)
    sizes = np.linalg.norm(patch) * np.linalg.norm(kernel.reshape(-1, 3), axis=0)
    place = (1 * 4 + 2) * 3 + np.arange(3)
    np.testing.assert_allclose(seen.values[2, place], values, rtol=1e-12)
    np.testing.assert_allclose(seen.sizes[2, place], sizes, rtol=1e-12)
    assert np.all(np.abs(seen.values) <= seen.sizes)


@EACH
def test_the_classifier_vectors_make_outputs_of_the_features(name):
    """Whatever the last layer's array looks like: f_V = <V^c, h>, with V^1 for one output."""
    network = NETWORKS[name]
    problem, weights = drawn(network)
    view = models.to_polar(weights, network=network)
    rows = dynamics.observables.class_moments.classifiers(problem, view)
    outputs = network.features(view.directions, problem.inputs) @ rows.T
    expected = view.evaluate(network, problem.inputs)
    outputs = outputs[:, 1] if expected.ndim == 1 else outputs
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=ROUND_OFF)


# Operator norms.


def test_two_overlapping_layers_reach_almost_nine():
    """Constant kernels on a constant image: 9 * 28/32 = 7.875, where |f_V| <= |x| was claimed."""
    network = models.convnet((32, 32, 1), (1, 1), outputs=1)
    kernels = (jnp.full((3, 3, 1, 1), 1 / 3),) * 2
    view = models.Polar(jnp.ones(()), (*kernels, jnp.full((784, 1), 1 / 28)))
    reached = view.evaluate(network, jnp.full((1, 32, 32, 1), 1 / 32))
    np.testing.assert_allclose(reached, 7.875, rtol=ROUND_OFF)
    assert network.output_bound == 9.0


def test_patches_that_do_not_overlap_reach_one_and_not_more():
    """Constant kernels on a constant image reach it; ascent over directions stays below."""
    network = models.convnet((4, 4, 1), (1, 1), strides=2, kernel=2, outputs=1)
    kernels = (jnp.full((2, 2, 1, 1), 1 / 2),) * 2
    image, top = jnp.full((1, 4, 4, 1), 1 / 4), jnp.ones((1, 1))
    view = models.Polar(jnp.ones(()), (*kernels, top))
    np.testing.assert_allclose(view.evaluate(network, image), 1.0, rtol=ROUND_OFF)
    assert network.output_bound == NETWORKS["tree"].output_bound == 1.0

    def reached(layers):
        return models.to_polar(layers).evaluate(network, image)[0]

    climb = jax.jit(
        lambda layers: jax.tree.map(lambda w, g: w + 0.3 * g, layers, jax.grad(reached)(layers))
    )
    weights = (jnp.asarray([[0.9, 0.2], [0.1, 0.5]])[..., None, None],) * 2 + (top,)
    for _ in range(200):
        weights = climb(weights)
        assert float(reached(weights)) <= 1 + ROUND_OFF
    assert float(reached(weights)) > 0.99


def test_gains_bound_what_layers_make_of_images():
    for stride, padding in itertools.product((1, 2, 3), ("valid", "same")):
        network = models.convnet((7, 7, 1), (1,), strides=stride, padding=padding, outputs=1)
        layer = network.layers[0]
        basis = jnp.eye(49).reshape(49, 7, 7, 1)
        matrix = np.asarray(layer.map(jnp.full((3, 3, 1, 1), 1 / 3), basis)).reshape(49, -1)
        assert np.linalg.norm(matrix, ord=2) <= layer.gain == np.ceil(3 / stride)


# Batch norm.


@pytest.mark.parametrize(
    "network",
    [
        models.convnet(IMAGE, (3, 4), (5,), batch_norm=True),
        pytest.param(
            models.resnet20((8, 8, 1), (6, 3), linear_layers=1, divide=8), marks=pytest.mark.slow
        ),
    ],
    ids=["convnet", "resnet20"],
)
def test_a_channel_with_batch_norm_has_a_gradient_orthogonal_to_its_weights(network):
    problem, weights = drawn(network, samples=9)
    slopes = jax.jit(jax.grad(lambda w: models.objective(problem, models.polar.Unnormalised(w))))(
        weights
    )
    for degree, layer, slope in zip(network.degrees, weights, slopes, strict=True):
        if degree:
            continue
        slope = slope - 2 * problem.decay * layer
        rows, moves = (np.asarray(a).reshape(-1, a.shape[-1]) for a in (layer, slope))
        sizes = np.linalg.norm(rows, axis=0) * np.linalg.norm(moves, axis=0)
        assert np.max(sizes) > 1e-6
        assert np.max(np.abs(np.sum(rows * moves, axis=0))) <= ROUND_OFF * max(1, np.max(sizes))


@pytest.mark.slow
def test_a_residual_network_with_batch_norm_has_the_heads_radius():
    network = models.resnet20((8, 8, 1), (6, 3), linear_layers=1, divide=8)
    problem, weights = drawn(network, samples=9)
    assert network.degrees == (0,) * 19 + (1, 1)
    polar = models.to_polar(weights, network=network)
    norms = models.layer_norms(weights)
    np.testing.assert_allclose(polar.rho, norms[-1] * norms[-2], rtol=ROUND_OFF)
    expected = network.apply(weights, problem.inputs)
    np.testing.assert_allclose(models.outputs(problem, polar), expected, rtol=1e-9, atol=1e-12)
    tracked = kinds.batch_norm()
    kind = kinds.fitting(problem, tracked)
    view = kind.view(kind.prepare(weights))
    np.testing.assert_allclose(view.rho, polar.rho, rtol=ROUND_OFF)
    assert len(view.statistics) == 19
    held = network.statistics(weights, problem.inputs)
    view = models.batch_norm.tracked_polar(weights, held)
    np.testing.assert_allclose(
        view.rho * view.predict(network, problem.inputs), expected, rtol=1e-9, atol=1e-12
    )


# What fails, and is refused with a reason.


WITHOUT_RADIUS = pytest.mark.parametrize(
    "why", [pytest.param("residual sums", marks=pytest.mark.slow), "a scale of its own"]
)


def without_radius():
    """Networks that move in weights only."""
    return {
        "residual sums": models.resnet20((8, 8, 1), (6, 2), divide=8, batch_norm=False),
        "a scale of its own": models.wide_mlp(5, 8, 2, nonlinear=2, linear=2),
    }


@WITHOUT_RADIUS
def test_inhomogeneous_networks_fail_the_lemma_and_say_why_they_have_no_radius(why):
    network = without_radius()[why]
    problem, weights = drawn(network)
    found, outputs = products(network, weights, problem.inputs)
    apart = [biggest(product - outputs) / biggest(outputs) for product in found]
    assert max(apart) > 1e-3
    assert apart[-1] <= ROUND_OFF  # the top layer always scales
    for ask in (
        lambda: models.to_polar(weights, network=network),
        lambda: dynamics.sgd(problem, 0.1, batch_size=2),
        lambda: dynamics.gradient_flow(problem, normalisation=kinds.layerwise()),
    ):
        with pytest.raises(ValueError, match=why):
            ask()


@WITHOUT_RADIUS
def test_inhomogeneous_networks_move_in_weights(why):
    """One step of descent is the gradient of loss and decay, and observables see the function."""
    network = without_radius()[why]
    problem, weights = drawn(network)

    def loss(layers):
        residuals = network.apply(layers, problem.inputs) - problem.targets
        squares = sum(jnp.sum(layer**2) for layer in layers)
        return jnp.mean(jnp.sum(residuals**2, axis=1)) + problem.decay * squares

    steps = dynamics.gradient_descent(problem, 0.1, normalisation=kinds.free())
    ran = dynamics.simulate(
        steps, weights, times=[0.0, 0.1], observe=dynamics.observe("loss", "rho", "nc1_traces")
    )
    slopes = jax.jit(jax.grad(loss))(weights)
    for new, layer, slope in zip(ran.final.position, weights, slopes, strict=True):
        np.testing.assert_allclose(new, layer - 0.1 * slope, rtol=0, atol=ROUND_OFF)
    np.testing.assert_allclose(ran["loss"], [loss(weights), loss(ran.final.position)], rtol=1e-11)
    np.testing.assert_array_equal(ran["rho"], 1.0)


def test_a_tied_network_is_refused_where_radii_multiply():
    problem, _ = drawn(NETWORKS["tied"])
    with pytest.raises(ValueError, match="not all of degree one"):
        dynamics.gradient_flow(problem, normalisation=kinds.layerwise())


# Against other ways to write the same.


def test_a_tied_network_is_the_unrolled_one_with_equal_layers():
    tied, free = NETWORKS["tied"], models.mlp((5, 6, 6, 6, 6, 1))
    problem, (first, shared, last) = drawn(tied)
    unrolled = (first, shared, shared, shared, last)

    def slope(network, weights):
        return jax.grad(lambda w: jnp.sum(network.apply(w, problem.inputs) ** 2))(weights)

    one, other = slope(tied, (first, shared, last)), slope(free, unrolled)
    np.testing.assert_allclose(one[1], sum(other[1:4]), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(one[2], other[4], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("shared", [True, False])
def test_a_tree_joins_neighbours_two_by_two(shared):
    network = models.tree(3, channels=2, shared=shared)
    problem, weights = drawn(network)
    nodes = np.asarray(problem.inputs)[..., None]
    seen = network.pre_activations(weights, problem.inputs)
    for depth, kernel in enumerate(map(np.asarray, weights)):
        pairs = [np.concatenate([nodes[:, 2 * i], nodes[:, 2 * i + 1]], axis=1)
                 for i in range(nodes.shape[1] // 2)]  # fmt: skip
        own = [
            (kernel if shared else kernel[i]).reshape(pairs[0].shape[1], -1)
            for i in range(len(pairs))
        ]
        both = list(zip(pairs, own, strict=True))
        nodes = np.stack([pair @ k for pair, k in both], axis=1)
        if depth < 2:
            sizes = [
                np.outer(np.linalg.norm(p, axis=1), np.linalg.norm(k, axis=0)) for p, k in both
            ]
            sizes = np.stack(sizes, axis=1).reshape(len(nodes), -1)
            np.testing.assert_allclose(seen[depth].sizes, sizes, rtol=1e-12)
            nodes = np.maximum(nodes, 0)
    np.testing.assert_allclose(
        network.apply(weights, problem.inputs), nodes[:, 0, 0], rtol=1e-12, atol=1e-15
    )


def test_a_diagonal_network_multiplies_channels_and_stays_diagonal():
    network = models.diagonal(4, layers=3, activation=models.linear)
    problem, weights = drawn(network)
    first, second, top = (np.asarray(layer) for layer in weights)
    by_hand = np.asarray(problem.inputs) @ (np.diag(first) * np.diag(second) * top[:, 0])
    np.testing.assert_allclose(network.apply(weights, problem.inputs), by_hand, rtol=1e-12)
    steps = dynamics.gradient_descent(problem, 0.1)
    end = dynamics.simulate(steps, weights, times=[2.0]).final.position
    for layer in end.directions[:2]:
        np.testing.assert_array_equal(layer, jnp.diag(jnp.diagonal(layer)))


@pytest.mark.slow
def test_a_deep_linear_diagonal_flow_ends_in_one_channel():
    """Two channels at one sample: the fixed point with both active repels (theory, 11.3)."""
    network = models.diagonal(2, layers=3, activation=models.linear)
    inputs, targets = jnp.asarray([[0.6, 0.8]]), jnp.asarray([1.0])
    problem = models.Problem(network, inputs, targets, decay=0.1)
    start = models.to_polar(network.init(jax.random.key(3)), rho=1.0)
    ran = dynamics.simulate(dynamics.gradient_flow(problem, rtol=1e-9), start, times=[400.0])
    sizes = np.sort(np.abs(np.diagonal(ran.final.position.directions[0])))
    np.testing.assert_allclose(sizes, [0, 1], atol=1e-6)


@pytest.mark.parametrize(
    "name", [pytest.param("convnet", marks=pytest.mark.slow), "padded, stride 2"]
)
def test_sgd_in_polar_coordinates_is_the_step_written_by_hand(name):
    network = NETWORKS[name]
    problem, weights = drawn(network)
    polar = models.to_polar(weights)
    batches = np.array([[0, 2, 5], [1, 3, 4]])
    steps = dynamics.sgd(problem, 0.3, momentum=0.5, batches=batches)
    ran = dynamics.simulate(steps, polar, times=dynamics.times_at(steps, steps=[2]))
    rho, directions = polar
    speed = jax.tree.map(jnp.zeros_like, polar)
    for batch in batches:

        def loss(at, batch=batch):
            values = at.rho * network.apply(at.directions, problem.inputs[batch])
            wrong = (values - problem.targets[batch]).reshape(len(batch), -1)
            return jnp.mean(jnp.sum(wrong**2, axis=1)) + problem.decay * at.rho**2

        slope = jax.grad(loss)(models.Polar(rho, directions))
        slope = slope._replace(directions=models.project(directions, slope.directions))
        speed = jax.tree.map(lambda s, g: 0.5 * s + g, speed, slope)
        moved = jax.tree.map(lambda w, s: w - 0.3 * s, models.Polar(rho, directions), speed)
        rho, directions = models.retract(moved)
    np.testing.assert_allclose(ran.final.position.rho, rho, rtol=1e-11)
    for ours, layer in zip(ran.final.position.directions, directions, strict=True):
        np.testing.assert_allclose(ours, layer, rtol=0, atol=1e-11)


# The documents' networks, and refusals.


def count(network):
    return sum(layer.size for layer in jax.eval_shape(network.init, jax.random.key(0)))


def test_the_documents_networks_have_as_many_weights_as_they_say():
    six = models.documented.dyn_six_layers()
    assert count(six) == 3_519_328
    assert [layer.gives for layer in six.layers[3:4]] == [(5, 5, 128)]
    assert count(models.documented.dyn_three_layers()) == 20_448
    assert count(models.documented.m117_four_layers()) == 97_120
    assert models.documented.m117_four_layers().degrees == (0, 0, 0, 1)
    assert count(models.documented.m112_four_layers()) == 97_120
    assert count(models.documented.ncwd_five_layers(outputs=2)) == 241_504
    assert count(models.documented.dyn_six_layers((16, 16, 3), divide=8)) < 10_000


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: models.convnet((4, 4), (3,)), "height, width, channels"),
        (lambda: models.convnet((4, 4, 1), (3, 3)), "images of at least 3 x 3"),
        (lambda: models.convnet((8, 8, 1), (3, 3), strides=(1, 1, 1)), "one stride for each of 2"),
        (lambda: models.convnet((8, 8, 1), (3,), padding="full"), "unknown padding"),
        (lambda: models.convnet((8, 8, 1), (3,), method="fft"), "unknown method"),
        (lambda: models.convnet((8, 8, 1), (0,)), "channels above zero"),
        (lambda: models.convnet((8, 8, 1), (3,), kernel=2.5), "kernel and stride as whole"),
        (lambda: models.convnet((8, 8, 1), (3,), linear_layers=2), "between 0 and 1 linear"),
        (lambda: models.tree(0), "above zero"),
        (lambda: models.diagonal(3, 0), "above zero"),
        (lambda: models.tied((3, 4), 2), "three"),
        (lambda: models.resnet20((8, 8, 1), ()), "widths of the head"),
        (lambda: models.resnet20((8, 8, 1), (3,), divide=3), "divide channels"),
        (lambda: models.documented.dyn_six_layers(divide=3), "divisor"),
        (lambda: models.wide_mlp(3, 4, 2, linear=0), "one linear layer"),
        (lambda: models.smooth_leaky(1.5), "slope in"),
    ],
)
def test_what_cannot_be_built_is_refused(make, expected):
    with pytest.raises(ValueError, match=expected if expected != "three" else "hidden, outputs"):
        make()


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="inputs that fit convnet 6x6x2"):
        models.Problem(CONV, jnp.zeros((3, 5, 6, 2)), models.encode([0, 1, 0], "centred"))
