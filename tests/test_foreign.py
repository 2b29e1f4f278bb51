"""Weights of other programs: NumPy arrays, PyTorch's names and layout, flax's parameters."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow import dynamics, experiments, models
from rhoflow.dynamics.labelling import labelled, point
from rhoflow.experiments import audit

WIDTHS = (5, 5, 5, 2)
NETWORK = models.mlp(WIDTHS)
INPUTS = np.random.default_rng(1).standard_normal((7, 5)) / 4
LOOK = dynamics.observe("rho", "mu", "nc1_ratio", "singular_values", "balance")


class Theirs(nn.Module):
    """The same network by flax; many layers, so that names reach two digits."""

    layers: int = 3

    @nn.compact
    def __call__(self, x):
        for _ in range(self.layers - 1):
            x = nn.relu(nn.Dense(5, use_bias=False)(x))
        return nn.Dense(2, use_bias=False)(x)


@pytest.fixture(scope="module")
def arrays():
    """Square layers, so that a wrong layout is not seen in their shapes."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in itertools.pairwise(WIDTHS)]


def torch_state(arrays):
    """What a torch.nn.Sequential of Linear and ReLU layers calls its weights, [out, in]."""
    return {f"{2 * number}.weight": layer.T for number, layer in enumerate(arrays)}


def flax_parameters(arrays):
    return {"params": {f"Dense_{n}": {"kernel": layer} for n, layer in enumerate(arrays)}}


@pytest.fixture
def sources(arrays, tmp_path):
    np.savez(tmp_path / "tuple.npz", *arrays)
    np.savez(tmp_path / "torch.npz", **torch_state(arrays))
    return {
        "arrays": arrays,
        "arrays on disk": tmp_path / "tuple.npz",
        "torch": torch_state(arrays),
        "torch on disk": str(tmp_path / "torch.npz"),
        "flax": flax_parameters(arrays),
    }


@pytest.mark.slow
def test_every_source_gives_the_same_network_and_the_same_answers(arrays, sources):
    labels = np.arange(7) % 2
    problem = models.Problem(NETWORK, INPUTS, models.encode(labels, "centred"), decay=1e-2)
    by_hand = INPUTS
    for layer in arrays[:-1]:
        by_hand = np.maximum(by_hand @ layer, 0)
    expected = LOOK(problem, models.to_polar(tuple(map(jnp.asarray, arrays))))
    for source in sources.values():
        weights = experiments.read_weights(source, NETWORK)
        np.testing.assert_allclose(NETWORK.apply(weights, INPUTS), by_hand @ arrays[-1], rtol=1e-12)
        view = models.to_polar(weights)
        jax.tree.map(np.testing.assert_array_equal, LOOK(problem, view), expected)
        asked = audit.ask(
            [s for s in audit.STATEMENTS if s.item in ("1.1", "2.4")],
            [audit.own_subject("theirs", problem, view)],
            own_run=True,
        )
        assert {answer.verdict for answer in asked} <= {
            audit.Verdict.HOLDS,
            audit.Verdict.NOT_APPLICABLE,
        }


def test_flax_computes_the_same_with_more_than_ten_layers_in_any_order():
    module = Theirs(layers=12)
    parameters = module.init(jax.random.key(3), INPUTS)
    shuffled = {"params": dict(sorted(parameters["params"].items()))}
    assert list(shuffled["params"])[2] == "Dense_10"
    network = models.mlp((5,) * 12 + (2,))
    weights = models.foreign_weights(network, shuffled)
    expected = module.apply(parameters, INPUTS)
    np.testing.assert_allclose(network.apply(weights, INPUTS), expected, rtol=1e-5, atol=1e-12)


def test_names_that_say_more_than_a_number_keep_their_order(arrays):
    state = {"stem.weight": arrays[0].T, "body.weight": arrays[1].T, "a.weight": arrays[2].T}
    found = models.foreign_weights(NETWORK, state)
    jax.tree.map(np.testing.assert_array_equal, list(found), [jnp.asarray(a) for a in arrays])


DEEP = models.mlp((5,) * 12 + (1,))


@pytest.fixture(scope="module")
def deep():
    """Twelve layers of flax, sorted as jax.tree.map does: Dense_0, Dense_1, Dense_10, Dense_2."""
    rng = np.random.default_rng(4)
    drawn = [rng.standard_normal(shape) for shape in [(5, 5)] * 11 + [(5, 1)]]
    named = {f"Dense_{n}": {"kernel": layer} for n, layer in enumerate(drawn[:-1])}
    return drawn, named


def test_names_that_were_sorted_as_text_are_put_back_by_their_numbers(deep):
    drawn, named = deep
    sorted_names = jax.tree.map(np.asarray, named | {"out": {"kernel": drawn[-1]}})
    assert list(sorted_names)[2] == "Dense_10"
    found = models.foreign_weights(DEEP, {"params": sorted_names})
    jax.tree.map(np.testing.assert_array_equal, list(found), [jnp.asarray(a) for a in drawn])


def test_sorted_names_of_one_shape_do_not_tell_their_order(deep):
    """Sorted, `head` comes before `stem`, whoever reads which first."""
    drawn, named = deep
    network = models.mlp((5, 5, 5, 5))
    source = {name: {"kernel": drawn[n]} for n, name in enumerate(("head", "mid", "stem"))}
    with pytest.raises(ValueError, match=r"'head.kernel' and 'mid.kernel' both .* pass order="):
        models.foreign_weights(network, source)
    forward = ("stem.kernel", "mid.kernel", "head.kernel")
    found = experiments.read_weights(source, network, order=forward)
    np.testing.assert_array_equal(np.stack(found), np.stack(drawn[2::-1]))
    with pytest.raises(ValueError, match="once in order"):
        models.foreign_weights(network, source, order=forward[:2])
    with pytest.raises(ValueError, match="a mapping of names to arrays"):
        models.foreign_weights(network, drawn[:3], order=forward)
    shuffled = jax.tree.map(np.asarray, named | {"Adapter": {"kernel": drawn[0]}})
    with pytest.raises(ValueError, match=r"'Adapter\.kernel' and 'Dense_0\.kernel'"):
        models.foreign_weights(models.mlp((5,) * 13), shuffled)


def test_kernels_of_torch_are_turned():
    kernel = np.random.default_rng(2).standard_normal((8, 3, 5, 7))
    image = np.random.default_rng(3).standard_normal((1, 9, 9, 3))

    def convolve(weights, inputs):
        return jax.lax.conv_general_dilated(
            inputs, weights[0], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    network = models.Network(
        name="one convolution",
        init=lambda key: (jax.random.normal(key, (5, 7, 3, 8)),),
        apply=convolve,
        features=convolve,
        hidden=convolve,
    )
    (ours,) = models.foreign_weights(network, {"conv.weight": kernel})
    theirs = jax.lax.conv_general_dilated(
        image.transpose(0, 3, 1, 2), kernel, (1, 1), "VALID",
        dimension_numbers=("NCHW", "OIHW", "NCHW"),
    )  # fmt: skip
    np.testing.assert_allclose(
        network.apply((ours,), image), theirs.transpose(0, 2, 3, 1), rtol=1e-10, atol=1e-10
    )


class Flattening(nn.Module):
    """A convolution and a dense layer behind it."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(3, (3, 3), use_bias=False)(x))
        return nn.Dense(1, use_bias=False)(x.reshape(x.shape[0], -1))[:, 0]


def test_a_module_does_not_tell_torch_which_image_it_flattens():
    network = models.from_flax(Flattening(), np.ones((2, 4, 4, 2)))
    kernel, last = network.init(jax.random.key(0))
    state = {"0.weight": np.transpose(kernel, (3, 2, 0, 1)), "2.weight": np.transpose(last)}
    with pytest.raises(ValueError, match="which image a dense layer flattens"):
        models.foreign_weights(network, state)
    with pytest.raises(ValueError, match="which image a dense layer flattens"):
        models.torch_weights(network, (kernel, last))
    flax = {"Conv_0": {"kernel": kernel}, "Dense_0": {"kernel": last}}
    for ours, theirs in zip(models.foreign_weights(network, flax), (kernel, last), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_zero_biases_are_dropped_and_others_refused(arrays):
    state = torch_state(arrays)
    silent = state | {"0.bias": np.zeros(5)}
    assert len(models.foreign_weights(NETWORK, silent)) == 3
    with pytest.raises(ValueError, match=r"networks without biases, got '0\.bias'"):
        models.foreign_weights(NETWORK, state | {"0.bias": np.full(5, 0.3)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state | {"1.running_mean": np.zeros(5)}, "'1.running_mean'"),
        (lambda state: dict(list(state.items())[:2]), "expected layers"),
        (lambda state: state | {"4.weight": np.ones((3, 5))}, "expected layers"),
        (lambda state: state | {"4.weight": np.ones(10)}, "of shape"),
        (lambda state: state | {"2.weight": np.full((5, 5), np.nan)}, "layer 1"),
        (lambda state: state | {"2.weight": np.eye(5) + 1j}, "layer 1 with .* type complex128"),
        (lambda _: None, "a mapping of names to arrays, got a NoneType"),
    ],
)
def test_what_is_not_this_networks_is_refused_by_name(arrays, change, message):
    with pytest.raises(ValueError, match=message):
        models.foreign_weights(NETWORK, change(torch_state(arrays)))


def test_no_file_and_no_npz_are_refused_in_one_line(tmp_path):
    (tmp_path / "text.npz").write_text("no arrays")
    np.save(tmp_path / "one.npy", np.ones(3))
    whys = {"absent.npz": "No such file", "text.npz": "", "one.npy": "an .npy file of one array"}
    for name, why in whys.items():
        with pytest.raises(experiments.UsageError, match=rf"expected an \.npz file.*{why}"):
            experiments.read_weights(tmp_path / name, NETWORK)


def test_a_stored_point_keeps_the_order_of_more_than_ten_layers():
    network = models.mlp((5,) * 12 + (1,))
    problem = models.Problem(network, INPUTS, models.encode(np.arange(7) % 2, "signs"))
    start = models.to_polar(network.init(jax.random.key(0)))
    run = dynamics.simulate(dynamics.gradient_descent(problem, 0.1), start, times=[0.0])
    kept = point(labelled(run, final=start))
    for found, layer in zip(kept.directions, start.directions, strict=True):
        np.testing.assert_allclose(found, layer, rtol=1e-14)


@pytest.mark.parametrize(
    ("network", "kind"),
    [
        (models.tied((5, 4, 1), 2), dynamics.normalisation.free()),
        (models.deep_linear((5, 4, 1)), dynamics.normalisation.linearised()),
        (models.deep_linear((5, 4, 1)), dynamics.normalisation.lagrange()),
    ],
    ids=["weights without radius", "a linearised network", "off the spheres"],
)
def test_what_is_no_radius_and_unit_directions_is_not_read_back_as_such(network, kind):
    problem = models.Problem(network, INPUTS / 4, np.array([1.0, -1, 1, -1, 1, 1, -1]))
    descent = dynamics.gradient_descent(problem, 0.1, normalisation=kind)
    begin = network.init(jax.random.key(1))
    if kind.name == "lagrange":
        polar = models.to_polar(begin)
        begin = polar._replace(directions=tuple(1.2 * layer for layer in polar.directions))
    run = dynamics.simulate(descent, begin, times=[1.0])
    data = labelled(run, final=descent.view(run.final.position))
    with pytest.raises(ValueError, match=r"a radius and unit directions, got .*trajectory\.final"):
        point(data)
