"""Studies of the initial scale and of random labels: what members start from and are taught."""

from dataclasses import replace

import numpy as np
import pytest

from rhoflow.experiments import UsageError
from rhoflow.experiments.data import DataConfig
from rhoflow.experiments.experiment import Session
from rhoflow.experiments.figures.measures import cube
from rhoflow.experiments.studies import initial_scale, random_labels
from rhoflow.experiments.studies.scaled_models import _problem, combined, images_of

SINGLE = 1e-5  # images, and with them all that is computed, are single precision
SHORT = replace(initial_scale.TINY, initial=(0.5, 3.0), decay=(1e-3, 0.0), epochs=2, looks=3)


def ran(study, config):
    return study.parts(config)["sgd"](Session())


@pytest.mark.slow
@pytest.mark.parametrize(("model", "power"), [("sphere", 1), ("batch_norm", 1), ("plain", 3)])
def test_members_start_at_their_scale_from_the_directions_of_their_seed(model, power):
    found = cube(ran(initial_scale, replace(SHORT, model=model)), "seed", "initial", "decay")
    start = found.isel(time=0)
    scales = start.initial**power
    np.testing.assert_allclose(start.rho, scales.broadcast_like(start.rho), rtol=SINGLE)
    first = start.margins.isel(initial=0, decay=0)
    spread = float(np.abs(first).max())
    assert float(np.abs(start.margins - first).max()) < SINGLE * spread
    assert float(np.abs(first.isel(seed=0) - first.isel(seed=1)).max()) > 0.01 * spread
    # By definition: M = mean f^2, mu = mean margin, and the loss from both.
    second = (found.margins**2).mean("sample")
    np.testing.assert_allclose(found.mu, found.margins.mean("sample"), atol=SINGLE)
    fit = 1 - 2 * found.rho * found.mu + found.rho**2 * second
    np.testing.assert_allclose(found.unregularised_loss, fit, rtol=1e-3, atol=SINGLE)


@pytest.mark.slow
def test_looks_are_even_and_early():
    found = ran(initial_scale, replace(SHORT, epochs=4, looks=3, early=4))
    steps = np.rint(found.time / found.time[1]).astype(int)
    # 16 steps: evenly 0, 8, 16; geometrically 1, 2.5, 6.3, 16.
    np.testing.assert_array_equal(steps, [0, 1, 3, 6, 8, 16])


@pytest.mark.slow
def test_members_learn_their_own_labels():
    config = replace(random_labels.TINY, epochs=2, looks=3, shares=(0.0, 1.0))
    found = cube(ran(random_labels, config), "seed", "share").isel(time=0)
    # From the same directions, true and random labels give margins of other signs, the same sizes.
    true, noisy = found.margins.sel(share=0.0), found.margins.sel(share=1.0)
    np.testing.assert_allclose(np.abs(true), np.abs(noisy), atol=SINGLE * float(np.abs(true).max()))
    assert 0.1 < float((np.sign(true) != np.sign(noisy)).mean()) < 0.9


def test_members_are_all_combinations():
    found = combined(seed=np.arange(2), initial=(1.0, 3.0), decay=(0.1,))
    assert list(found) == ["seed", "initial", "decay"]
    np.testing.assert_array_equal(found["seed"], [0, 0, 1, 1])
    np.testing.assert_array_equal(found["initial"], [1, 3, 1, 3])


@pytest.mark.parametrize(("model", "layers"), [("sphere", 6), ("batch_norm", 4), ("plain", 4)])
def test_the_documents_networks_fit_images(model, layers):
    data = DataConfig("mnist5k", classes=(3, 8), train=20, test=20, centre=True)
    config = replace(initial_scale.PAPER, model=model, data=data, batch_size=10)
    problem, _ = _problem(config, images_of(config))
    assert problem.inputs.shape == (20, 28, 28, 1)
    assert len(problem.network.layers) == layers
    assert problem.network.couples == (model == "batch_norm")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": "batch_norm", "initial": (0.0, 1.0)}, "expected norms above zero in initial"),
        ({"initial": (-1.0,)}, "expected numbers that are not negative in initial"),
        ({"initial": ()}, "expected numbers that are not negative in initial"),
        ({"model": "cube"}, "change --model"),
        ({"batch_size": 10_000}, "change --batch-size"),
        ({"looks": 1}, "change --looks"),
        ({"early": -1}, "change --early"),
        ({"momentum": 1.0}, "change --momentum"),
    ],
)
def test_what_cannot_be_run_is_refused(change, says):
    with pytest.raises(UsageError, match=says):
        initial_scale.InitialScaleConfig(**change)
