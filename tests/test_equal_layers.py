"""Do the layers of a network end equal, as [M112] H.1 expects? Which do, and which cannot.

What decides comes first: a turned start gives the turned run, so that equal layers at the end are a
matter of the start. Then what is true: linear layers with decay end alike up to rotations; diagonal
ones end equal up to signs; tied ones are equal, and no worse.
"""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

import references
from rhoflow import models
from rhoflow.dynamics.observables import likeness

ROUND_OFF = 1e-12
ALONG_A_RUN = 1e-10
"""Round-off of some hundred steps."""
AT_REST = 1e-6
DECAY, WIDTH = 0.02, 4
LINEAR, RELU = models.deep_linear((WIDTH,) * 4 + (1,)), models.mlp((WIDTH,) * 4 + (1,))
TIED = models.tied((WIDTH, WIDTH, 1), times=2, activation=models.linear)


table = references.benchmark("equal_layers")
EACH_KIND = pytest.mark.parametrize("kind", table.KINDS)
EACH_START = pytest.mark.parametrize("equal", [False, True], ids=["unequal start", "equal start"])


def start(equal):
    rng = np.random.default_rng(1)
    layers = [rng.standard_normal((WIDTH, WIDTH)) / 1.6 for _ in range(3)]
    top = rng.standard_normal((WIDTH, 1)) / 1.6
    return tuple(map(jnp.asarray, (*([layers[0]] * 3 if equal else layers), top)))


def between(ran, name, when):
    """The distances of the three square layers."""
    return np.asarray(ran[name][when][:2])


def test_distances_are_those_of_the_matrices_and_rotations_take_their_part_away():
    rng = np.random.default_rng(2)
    left, right = (np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0] for _ in range(2))
    low, top = np.diag([0.6, 0, 0.8, 0]) @ right, np.full((WIDTH, 1), 0.5)
    layers = (low, left @ low @ right, np.diag([0, 1.0, 0, 0]), top)
    view = models.Polar(jnp.ones(()), tuple(map(jnp.asarray, layers)))
    ours = table.problem(LINEAR, 0.0)
    apart = [np.linalg.norm(high - low) for low, high in itertools.pairwise(layers[:3])]
    found = likeness.layer_distances(ours, view)
    np.testing.assert_allclose(found, [*apart, np.nan], rtol=ROUND_OFF)
    found = likeness.rotated_layer_distances(ours, view)
    np.testing.assert_allclose(found, [0, np.hypot(0.2, 0.6), np.nan], rtol=0, atol=ROUND_OFF)


@EACH_KIND
@pytest.mark.parametrize("network", [LINEAR, RELU], ids=["linear", "relu"])
def test_a_turned_start_gives_the_turned_run(network, kind):
    """Rotations of hidden units, permutations with ReLU: layers cannot end equal from both."""
    rng = np.random.default_rng(3)
    if network is LINEAR:
        turns = [np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0] for _ in range(3)]
    else:
        turns = [np.eye(WIDTH)[rng.permutation(WIDTH)] for _ in range(3)]

    def turned(layers):
        sides = zip((np.eye(WIDTH), *turns), layers, (*turns, np.eye(1)), strict=True)
        return tuple(jnp.asarray(left.T @ layer @ right) for left, layer, right in sides)

    starts = start(False), turned(start(False))
    one, other = (table.ended(network, at, DECAY, kind, time=20.0)[0] for at in starts)
    ends = (ran.final.position for ran in (one, other))
    layers, turned_layers = (getattr(end, "directions", end) for end in ends)
    assert references.difference(turned_layers, turned(layers)) <= ALONG_A_RUN
    names = "rotated_layer_distances", "layer_distances"
    blind, seeing = (between(one, name, -1) - between(other, name, -1) for name in names)
    assert np.max(np.abs(blind)) <= ALONG_A_RUN
    assert np.max(np.abs(seeing)) > 0.05


@EACH_KIND
@EACH_START
def test_linear_layers_with_decay_end_alike_up_to_rotations_and_not_equal(kind, equal):
    ran, _ = table.ended(LINEAR, start(equal), DECAY, kind)
    assert np.max(between(ran, "rotated_layer_distances", -1)) <= AT_REST
    assert np.min(between(ran, "layer_distances", -1)) > 0.2
    if equal:
        assert np.max(between(ran, "layer_distances", 0)) <= ROUND_OFF
    else:
        assert np.min(between(ran, "rotated_layer_distances", 0)) > 0.1


@EACH_START
def test_without_decay_linear_layers_do_not_even_end_alike(equal):
    """W_{k+1}^T W_{k+1} - W_k W_k^T stays what it was, here to first order in the rate."""
    ran, _ = table.ended(LINEAR, start(equal), 0.0, "free")
    assert np.min(between(ran, "layer_distances", -1)) > 0.1
    assert np.min(between(ran, "rotated_layer_distances", -1)) > 0.02


def test_diagonal_layers_with_decay_end_equal_up_to_signs():
    """Each channel's w_ki^2 - w_ji^2 falls as e^(-4 lambda t), to first order in the rate."""
    network = models.diagonal(WIDTH, layers=3, activation=models.linear)
    rng = np.random.default_rng(4)
    *hidden, top = rng.choice([-1.0, 1.0], (3, WIDTH)) * rng.uniform(0.4, 1.2, (3, WIDTH))
    weights = (*(jnp.diag(jnp.asarray(row)) for row in hidden), jnp.asarray(top)[:, None])
    first, second, last = table.ended(network, weights, DECAY, "free")[0].final.position
    sizes = np.abs(np.stack([np.diagonal(first), np.diagonal(second), last[:, 0]]))
    assert np.max(sizes) > 0.3
    np.testing.assert_allclose(sizes[1:], sizes[[0, 0]], rtol=0, atol=AT_REST)


def test_a_tied_linear_network_reaches_what_the_free_one_reaches():
    """On the spheres both end in the ridge solution: equal layers are as good, and not sought."""
    given = table.problem(TIED, DECAY)
    ridge = references.ridge(np.asarray(given.inputs), np.asarray(given.targets), DECAY)
    first, shared, _, top = start(False)
    runs = (
        table.ended(TIED, (first, shared, top), DECAY, "sphere"),
        table.ended(LINEAR, start(False), DECAY, "sphere"),
    )
    wrong = given.inputs @ ridge - given.targets
    for ran, least in runs:
        np.testing.assert_allclose(ran["rho"][-1], np.linalg.norm(ridge), rtol=AT_REST)
        np.testing.assert_allclose(least, np.mean(wrong**2) + DECAY * ridge @ ridge, rtol=AT_REST)
