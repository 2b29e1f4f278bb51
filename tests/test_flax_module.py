"""Flax modules as networks: homogeneity is tested, inhomogeneous parts are refused by name."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import problem
from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds

ROUND_OFF = 1e-12


class Plain(nn.Module):
    """Two dense layers; what is between them is a choice."""

    bias: bool = False
    between: str = "relu"

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(6, use_bias=False)(x.reshape(x.shape[0], -1))
        x = {"relu": nn.relu, "tanh": nn.tanh}[self.between](x)
        return nn.Dense(1, use_bias=self.bias)(x)


class Shared(nn.Module):
    """A convolution, then one dense layer twice."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(3, (3, 3), use_bias=False)(x)).reshape(x.shape[0], -1)
        x = nn.relu(nn.Dense(5, use_bias=False, name="first")(x))
        again = nn.Dense(5, use_bias=False, name="again")
        return nn.Dense(2, use_bias=False, name="last")(nn.relu(again(nn.relu(again(x)))))


class Normed(nn.Module):
    """Batch norm, dropout, or a sum over the batch."""

    kind: str

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(4, use_bias=False)(x)
        if self.kind == "batch norm":
            x = nn.BatchNorm(use_running_average=False)(x)
        elif self.kind == "dropout":
            x = nn.Dropout(0.5, deterministic=False)(x)
        else:
            x = x - jnp.mean(x, axis=0, keepdims=True)
        return nn.Dense(1, use_bias=False)(x)


IMAGES = jnp.zeros((2, 4, 4, 1))


def test_a_module_moves_like_our_own_network():
    """The same start, the same path."""
    own = models.mlp((4, 6, 1))
    theirs = models.from_flax(Plain(), jnp.zeros((2, 4)))
    weights = theirs.init(jax.random.key(1))
    times = np.linspace(0, 3, 4)
    look = dynamics.observe("rho", "margins", "nc1_traces")
    ran = [
        dynamics.simulate(
            dynamics.gradient_descent(problem(network), 0.1), weights, times=times, observe=look
        )
        for network in (own, theirs)
    ]
    for name in ("rho", "margins", "nc1_traces"):
        np.testing.assert_allclose(ran[0][name], ran[1][name], rtol=1e-10)


def test_arrays_stand_in_the_order_of_use_with_their_degrees():
    network = models.from_flax(Shared(), IMAGES)
    weights = network.init(jax.random.key(0))
    assert [layer.shape for layer in weights] == [(3, 3, 1, 3), (48, 5), (5, 5), (5, 2)]
    assert network.degrees == (1, 1, 2, 1)
    inputs = jnp.asarray(np.random.default_rng(0).standard_normal((3, 4, 4, 1)))
    outputs = network.apply(weights, inputs)
    np.testing.assert_allclose(
        network.features(weights, inputs) @ weights[-1], outputs, rtol=0, atol=ROUND_OFF
    )
    params = Shared().init(jax.random.key(0), inputs)
    np.testing.assert_allclose(Shared().apply(params, inputs), outputs, rtol=1e-6, atol=1e-7)


def test_equal_modules_are_one_network():
    assert models.from_flax(Plain(), jnp.zeros((2, 4))) is models.from_flax(
        Plain(), jnp.ones((9, 4))
    )


@pytest.mark.parametrize(
    ("module", "name"),
    [(Plain(bias=True), "'Dense_1.bias'"), (Plain(between="tanh"), "'Dense_0.kernel'")],
)
def test_what_does_not_scale_is_refused_by_name(module, name):
    with pytest.raises(ValueError, match=f"does not scale with {name}"):
        models.from_flax(module, jnp.zeros((2, 4)))
    network = models.from_flax(module, jnp.zeros((2, 4)), require_homogeneous=False)
    with pytest.raises(ValueError, match="does not scale"):
        dynamics.gradient_flow(problem(network))
    free = dynamics.normalisation.free()
    steps = dynamics.sgd(problem(network), 0.1, batch_size=4, normalisation=free)
    weights = network.init(jax.random.key(0))
    ran = dynamics.simulate(steps, weights, times=[0.0, 3.0], key=jax.random.key(1))
    assert ran["loss"][-1] < ran["loss"][0]


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (Normed("batch norm"), "batch_stats"),
        (Normed("dropout"), "no random key"),
        (Normed("mean"), "each sample by itself"),
    ],
)
def test_what_is_more_than_parameters_is_refused(module, expected):
    with pytest.raises(ValueError, match=expected):
        models.from_flax(module, jnp.zeros((2, 4)))


def test_inputs_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"a flax\.linen module"):
        models.from_flax(Plain, jnp.zeros((2, 4)))
    with pytest.raises(ValueError, match="two samples or more"):
        models.from_flax(Plain(), jnp.zeros(4))


# Faults that a reader found.


def dense(features, bias=False, **options):
    return nn.Dense(features, use_bias=bias, **options)


class Passed(nn.Module):
    """Whatever a function makes of the inputs, by modules that it makes itself."""

    through: object

    @nn.compact
    def __call__(self, x):
        return self.through(x)


def positive_outputs(x):
    return nn.relu(dense(1, bias=True)(nn.relu(dense(2)(x))))


def squares(x):
    return jnp.sum(dense(3)(nn.relu(dense(4)(x))) ** 2, axis=-1)


def standardised(x):
    return nn.LayerNorm(use_bias=False, use_scale=False, epsilon=0.0)(dense(4)(x))


class Twice(nn.Module):
    """Both arrays in one module, the later one first in the alphabet."""

    @nn.compact
    def __call__(self, x):
        below = self.param("below", nn.initializers.lecun_normal(), (x.shape[-1], 3))
        above = self.param("above", nn.initializers.lecun_normal(), (3, 1))
        return nn.relu(x @ below) @ above


class Often(nn.Module):
    """One dense layer, nine times."""

    @nn.compact
    def __call__(self, x):
        again = dense(4)
        return dense(1)(functools.reduce(lambda h, _: nn.relu(again(h)), range(9), x))


class Step(nn.Module):
    """One step of a loop over the same layer."""

    @nn.compact
    def __call__(self, x, _):
        return nn.relu(dense(4)(x)), None


class Pair(nn.Module):
    """Two inputs."""

    @nn.compact
    def __call__(self, x, y):
        return dense(1)(x) + dense(1)(y)


@pytest.mark.parametrize("features", [3, 4, 5, 6, 8])
def test_a_bias_is_found_where_outputs_vanish_at_the_first_inputs(features):
    with pytest.raises(ValueError, match=r"does not scale with 'Dense_0\.bias'"):
        models.from_flax(Passed(positive_outputs), jnp.zeros((2, features)))


@pytest.mark.parametrize(
    ("through", "message"),
    [(lambda x: 0 * dense(1)(x), "vanishes at random"), (standardised, "not grow with any array")],
)
def test_outputs_without_a_scale_have_no_radius(through, message):
    with pytest.raises(ValueError, match=message):
        models.from_flax(Passed(through), jnp.zeros((2, 4)))


def test_arrays_of_one_module_stand_in_the_order_of_use_and_what_is_between_is_not_guessed():
    network = models.from_flax(Twice(), jnp.zeros((2, 4)))
    weights = network.init(jax.random.key(0))
    assert [layer.shape for layer in weights] == [(4, 3), (3, 1)]
    inputs = jnp.asarray(np.random.default_rng(0).standard_normal((5, 4)))
    expected = (jnp.maximum(inputs @ weights[0], 0) @ weights[1])[:, 0]
    np.testing.assert_allclose(network.apply(weights, inputs), expected, atol=ROUND_OFF)
    for look in (network.features, network.hidden):
        with pytest.raises(ValueError, match="'Twice' owns several arrays"):
            look(weights, inputs)


def test_a_layer_called_by_keyword_shows_what_it_sees():
    def through(x):
        return dense(2)(inputs=nn.relu(dense(3)(inputs=x)))

    network = models.from_flax(Passed(through), jnp.zeros((2, 4)))
    weights = network.init(jax.random.key(0))
    inputs = jnp.asarray(np.random.default_rng(0).standard_normal((5, 4)))
    expected = jnp.maximum(inputs @ weights[0], 0)
    np.testing.assert_allclose(network.features(weights, inputs), expected, atol=ROUND_OFF)


def test_a_layer_that_is_called_nine_times_is_of_degree_nine():
    assert models.from_flax(Often(), jnp.zeros((2, 4))).degrees == (9, 1)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential([dense(4), nn.relu, dense(1)]), "pass tuples, as in nn.Sequential"),
        (Passed(lambda x: {"logits": dense(1)(x)}), "one array of outputs, got a dict"),
        (Passed(lambda x: (dense(1)(x), x)), "one array of outputs, got a tuple"),
        (Passed(nn.relu), "a module with parameters, got none"),
        (Passed(lambda x: dense(1, dtype=jnp.float32)(x)), "which computes in float32"),
        (Pair(), "one input array"),
        (
            Passed(lambda x: dense(1)(nn.RNN(nn.SimpleCell(3))(x[..., None])[:, -1])),
            "no nn.RNN",
        ),
        (nn.relu, "a flax.linen module"),
    ],
)
def test_modules_of_another_kind_are_refused_by_what_they_are(module, message):
    with pytest.raises(ValueError, match=message):
        models.from_flax(module, jnp.zeros((2, 4)))


def test_a_loop_with_states_in_single_precision_is_refused_in_single_precision():
    def through(x):
        return dense(1)(nn.RNN(nn.SimpleCell(3))(x)[:, -1])

    with jax.enable_x64(False), pytest.raises(ValueError, match=r"as the states of nn\.RNN do"):
        models.from_flax(Passed(through), jnp.zeros((2, 5, 4)))


def test_layers_within_a_transformation_move_and_do_not_show_what_they_see():
    def through(x):
        loop = nn.scan(Step, variable_broadcast="params", split_rngs={"params": False}, length=3)
        return dense(1)(loop()(x, None)[0])

    network = models.from_flax(Passed(through), jnp.zeros((2, 4)))
    assert network.degrees == (3, 1)
    weights, inputs = network.init(jax.random.key(0)), jnp.ones((5, 4))
    with pytest.raises(ValueError, match="inside a transformation"):
        network.features(weights, inputs)


def test_inputs_of_another_shape_are_refused_by_the_problem():
    network = models.from_flax(Plain(), jnp.zeros((2, 5)))
    with pytest.raises(ValueError, match="inputs that fit flax Plain"):
        problem(network)


def test_a_negative_radius_is_carried_by_an_array_that_turns_the_outputs_or_refused():
    inputs = jnp.asarray(np.random.default_rng(0).standard_normal((5, 4)))
    network = models.from_flax(Twice(), inputs)
    point = models.to_polar(network.init(jax.random.key(0)), rho=-2.0, network=network)
    np.testing.assert_allclose(
        network.apply(models.to_weights(point, network), inputs),
        point.rho * network.apply(point.directions, inputs),
        atol=ROUND_OFF,
    )
    squared = models.from_flax(Passed(squares), inputs)
    point = models.to_polar(squared.init(jax.random.key(0)), rho=-2.0, network=squared)
    with pytest.raises(ValueError, match="a rho that is not negative"):
        models.to_weights(point, squared)
    compiled = jax.jit(lambda at: models.to_weights(at, squared))(point)
    assert all(np.all(np.isnan(layer)) for layer in compiled)


def test_layers_without_a_scale_keep_their_norms_in_free_weights():
    """The layer below a layer norm is of degree zero: its certificate was a quotient by zero."""

    def through(x):
        return dense(1)(standardised(x))

    network = models.from_flax(Passed(through), jnp.zeros((2, 4)), smooth=True)
    assert network.degrees == (0, 1)
    ours, weights = problem(network), network.init(jax.random.key(0))
    flow = dynamics.gradient_flow(ours, normalisation=kinds.free(), rtol=1e-9, atol=1e-12)
    ran = dynamics.simulate(flow, weights, times=[0.5])
    kept = kinds.fitting(ours, kinds.free()).certificate
    np.testing.assert_allclose(
        kept(ours, jnp.asarray(0.5), ran.final.position),
        kept(ours, jnp.asarray(0.0), weights),
        rtol=1e-7,
    )
    np.testing.assert_allclose(
        kept(ours, jnp.asarray(0.0), weights), [jnp.sum(weights[0] ** 2)], rtol=ROUND_OFF
    )


def test_a_free_top_layer_scales_the_output_once_or_is_refused():
    """`squares` sums the squares of its top layer's outputs."""
    squared = models.from_flax(Passed(squares), jnp.ones((2, 4)) * jnp.arange(1.0, 5.0)[None])
    assert squared.degrees == (2, 2)
    ours = problem(squared)
    with pytest.raises(ValueError, match="a top layer of degree one"):
        dynamics.gradient_flow(ours, normalisation=kinds.top_free())
    dynamics.gradient_flow(ours, normalisation=kinds.sphere())
