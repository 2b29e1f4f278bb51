"""Flax modules as networks: homogeneity is tested, inhomogeneous parts are refused by name."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import problem
from rhoflow import dynamics, models

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
    with pytest.raises(ValueError, match="a flax module"):
        models.from_flax(Plain, jnp.zeros((2, 4)))
    with pytest.raises(ValueError, match="two samples or more"):
        models.from_flax(Plain(), jnp.zeros(4))
