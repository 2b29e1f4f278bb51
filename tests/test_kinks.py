"""Kinks and monotony: exact small examples."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import LINEAR, problem, start
from rhoflow import dynamics, models
from rhoflow.dynamics import falls
from rhoflow.dynamics.observables import kinks, regime

NETWORK = models.mlp((2, 3, 1))
INPUTS = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, -0.8], [0.0, 0.0]])
# Unit 0 sees x_1, unit 1 is never above zero, unit 2 sees x_2 - x_1.
LAYER = np.array([[1.0, -1.0, -1.0], [0.0, 0.0, 1.0]])
OURS = models.Problem(NETWORK, INPUTS, [1.0, -1.0, 1.0, -1.0])
HERE = models.to_polar((LAYER, np.ones((3, 1))))


def test_dead_units_are_those_that_no_sample_wakes():
    assert dynamics.observe("dead_units")(OURS, HERE)["dead_units"].tolist() == [1 / 3]
    asleep = models.to_polar((-np.abs(LAYER), np.ones((3, 1))))
    positive = models.Problem(NETWORK, np.abs(INPUTS), OURS.targets)
    assert kinks.dead_units(positive, asleep).tolist() == [1.0]


def test_samples_on_a_kink_are_counted_and_zero_inputs_are_not():
    """z is zero at (sample 1, units 0 and 1); the sample (0, 0) sees nothing."""
    assert kinks.on_kinks(1e-9)(OURS, HERE).tolist() == [2 / 12]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_tolerance_is_a_share_that_no_scale_changes(scale):
    near = np.array([[1.0, 1e-3], [1.0, 0.0]]) * 0.5
    layer = scale * np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    ours = models.Problem(NETWORK, near, [1.0, -1.0])
    view = models.Polar(jnp.ones(()), (jnp.asarray(layer), jnp.ones((3, 1))))
    assert kinks.on_kinks(1.1e-3)(ours, view).tolist() == [4 / 6]
    assert kinks.on_kinks(0.9e-3)(ours, view).tolist() == [2 / 6]


def test_a_network_without_kinks_has_none():
    look = dynamics.observe("dead_units", "on_kinks")
    assert all(value.shape == (0,) for value in look(problem(LINEAR), start(LINEAR)).values())


class Pair(nn.Module):
    """Two dense layers, the first with kinks."""

    @nn.compact
    def __call__(self, inputs):
        hidden = nn.relu(nn.Dense(3, use_bias=False)(inputs))
        return nn.Dense(1, use_bias=False)(hidden)


def test_kinks_that_are_not_known_are_refused():
    """Of a module it is known what its layers give, not which of them have kinks."""
    network = models.from_flax(Pair(), INPUTS)
    ours = models.Problem(network, INPUTS, OURS.targets)
    for ask in (kinks.dead_units, regime.switched_from(HERE)):
        with pytest.raises(ValueError, match="known which layers have kinks, got flax Pair"):
            ask(ours, HERE)
    same = dataclasses.replace(NETWORK, kinks=())
    with pytest.raises(ValueError, match="known which layers have kinks"):
        kinks.on_kinks()(models.Problem(same, INPUTS, OURS.targets), HERE)
    smooth = models.from_flax(Pair(), INPUTS, smooth=True)
    assert kinks.dead_units(models.Problem(smooth, INPUTS, OURS.targets), HERE).shape == (0,)


def test_deeper_layers_see_what_the_layers_below_give():
    network = models.mlp((2, 2, 2, 1))
    layers = (np.eye(2), np.array([[1.0, 1.0], [-1.0, 1.0]]), np.ones((2, 1)))
    ours = models.Problem(network, [[0.5, 0.5], [0.5, 0.1]], [1.0, -1.0])
    assert kinks.on_kinks()(ours, models.to_polar(layers)).tolist() == [0.0, 0.25]


def test_kinks_are_seen_in_an_ensemble():
    views = jax.tree.map(lambda leaf: jnp.stack([leaf, -jnp.abs(leaf)]), HERE)
    dead = jax.vmap(lambda view: kinks.dead_units(OURS, view))(views)
    assert dead.tolist() == [[1 / 3], [2 / 3]]


def test_a_tolerance_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="a tolerance above zero"):
        kinks.on_kinks(0.0)


TIMES = np.array([0.0, 1, 2, 4, 5, 6, 9])
RHO = np.array([1.0, 2, 1.5, 1.25, 3, 3, 2])
MU = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.4])


def test_each_interval_has_its_length_and_depth():
    found = falls(TIMES, RHO, MU)
    assert found.number == 2
    assert found.starts.tolist() == [1, 6]
    assert found.ends.tolist() == [4, 9]
    assert found.lengths.tolist() == [3, 3]
    assert found.depths.tolist() == [0.75, 1]
    assert found.mu_rose.tolist() == [1, 0]
    assert np.isnan(found.margins_fell).all()


def test_margins_are_compared_between_an_intervals_ends():
    margins = np.zeros((7, 4))
    margins[1:4, 0] = [1, 5, 0.5]
    margins[3, 1] = -1
    margins[6, 2] = 1
    assert falls(TIMES, RHO, MU, margins).margins_fell.tolist() == [0.5, 0]


def test_round_off_at_rest_is_no_fall():
    assert falls(TIMES, RHO, tolerance=0.8).depths.tolist() == [1]
    assert falls(TIMES, np.sort(RHO)).number == 0


def test_a_rest_does_not_split_a_fall():
    """From where rho leaves its height to where it first reaches its depth."""
    found = falls(np.arange(8), [3, 3, 2, 2, 1, 1, 2, 1.5])
    assert found.starts.tolist() == [1, 6]
    assert found.ends.tolist() == [4, 7]
    assert found.depths.tolist() == [2, 0.5]


def test_times_at_which_nothing_was_recorded_are_left_out():
    nan = np.nan
    found = falls(np.arange(5), [3, 2, nan, 1, 0.5], [1, nan, nan, nan, 2])
    assert (found.starts.tolist(), found.ends.tolist()) == ([0], [4])
    assert (found.depths.tolist(), found.mu_rose.tolist()) == ([2.5], [1])
    seen = falls(np.arange(3), [2, 1, nan], [1, nan, nan], [[1, 1], [nan, 0], [nan, nan]])
    assert np.isnan(seen.mu_rose).tolist() == np.isnan(seen.margins_fell).tolist() == [True]
    assert falls(np.arange(3), np.full(3, nan)).number == 0


def test_a_run_from_a_large_rho_falls_once_and_to_where_it_ends():
    ours = problem(LINEAR)
    times = np.linspace(0, 20, 41)
    run = dynamics.simulate(
        dynamics.gradient_flow(ours),
        start(LINEAR, rho=6.0),
        times=times,
        observe=dynamics.observe("rho", "mu", "margins"),
    )
    seen = run.observations
    found = falls(times, seen["rho"], seen["mu"], seen["margins"], tolerance=1e-9)
    assert found.starts[0] == 0
    first = int(np.argmin(np.asarray(seen["rho"])[: int(found.ends[0] * 2) + 1]))
    assert found.ends[0] == times[first]
    assert np.all((found.margins_fell >= 0) & (found.margins_fell <= 1))


def test_values_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one value of each"):
        falls(TIMES, RHO[:-1])
    with pytest.raises(ValueError, match="times that rise"):
        falls(TIMES[::-1], RHO)


def test_an_observable_of_nothing_keeps_the_precision():
    """Of one layer there are no pairs and no hidden units, in single precision like the rest."""
    single = problem(models.deep_linear((4, 1)), dtype=np.float32)
    here = models.to_polar((jnp.ones((4, 1), np.float32),))
    names = ("alignment", "imbalances", "layer_distances", "dead_units", "on_kinks")
    found = dynamics.observe(*names, switched=regime.switched_from(here))(single, here)
    assert {value.shape for value in found.values()} == {(0,)}
    assert {value.dtype for value in found.values()} == {np.dtype(np.float32)}


def test_a_tolerance_is_a_number():
    with pytest.raises(ValueError, match="a tolerance as a number"):
        kinks.on_kinks("a")
