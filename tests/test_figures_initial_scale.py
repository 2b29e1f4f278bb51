"""Claims of the initial scale's figures, on datasets by hand that satisfy and violate them."""

import numpy as np
import pytest
import xarray as xr

from rhoflow.dynamics import Status
from rhoflow.experiments.figures import (
    initial_scale_dyn,
    initial_scale_m112,
    initial_scale_m112_plain,
    initial_scale_m117,
    initial_scale_m117_errors,
    initial_scale_m117_margins,
    initial_scale_panels,
    registry,
)
from rhoflow.experiments.figures.claims import Outcome, decide
from rhoflow.experiments.figures.drawing import APART, _apart

STEP = 0.1  # of time, between two looks
LOOKS = 201
SAMPLES = 50
SEEDS = 3
SCALES = (0.01, 0.1, 0.5, 1.0, 3.0, 5.0, 10.0)
DECAY = 1e-3
MODULES = (
    initial_scale_dyn,
    initial_scale_m117,
    initial_scale_m117_margins,
    initial_scale_m117_errors,
    initial_scale_m112,
    initial_scale_m112_plain,
)


def relaxing(start, end, time, rate=1.0):
    return end + (start - end) * np.exp(-rate * time)


def run(seed, initial, decay, rest, override):
    """One member whose rho relaxes to ``rest`` while its margins gather at 1 / rest."""
    rng = np.random.default_rng(seed)
    time = STEP * np.arange(LOOKS)
    rho = relaxing(initial, rest, time) * (1 + 1e-4 * seed)
    wide = relaxing(1.0, 0.05 if decay else 0.005, time, 2.0)
    noise = rng.standard_normal(SAMPLES)
    noise = (noise - noise.mean()) / noise.std()
    mu = relaxing(0.1, 1.0, time, 2.0) / rest
    margins = mu[:, None] * (1 + wide[:, None] * noise)
    sigma, second = mu * wide, mu**2 * (1 + wide**2)
    fit = (1 - rho * mu) ** 2 + rho**2 * sigma**2
    errors = relaxing(0.5, 0.02, time) + 1e-4 * seed + 1e-3 * initial
    found = {
        "rho": rho, "mu": mu, "sigma": sigma, "margins": margins,
        "rho_eq": mu / (second + decay), "unregularised_loss": fit,
        "loss": fit + decay * rho**2, "gap": 1 - mu**2 / (second + decay),
        "test_error": errors, "train_error": errors, "test_loss": errors,
    }  # fmt: skip
    for name, change in override.items():
        found[name] = change(found, initial, decay)
    return found


def datasets(rest_of, scales=SCALES, decays=(DECAY, 0.0), **override):
    """Members in all combinations; ``rest_of(initial, decay)`` is where rho comes to rest."""
    members = [(s, i, d) for s in range(SEEDS) for i in scales for d in decays]
    runs = [
        run(s, i, d, rest_of(i, d), override) for s, i, d in members
    ]  # fmt: skip
    data = {}
    for name, first in runs[0].items():
        axes = ("member", "time", "sample")[: 1 + first.ndim]
        data[name] = (axes, np.stack([one[name] for one in runs]))
    data["status"] = ("member", np.full(len(members), int(Status.FINISHED)))
    data["count_steps"] = ("member", np.full(len(members), 10 * (LOOKS - 1)))
    seeds, initials, lambdas = zip(*members, strict=True)
    coordinates = {
        "seed": ("member", list(seeds)), "initial": ("member", list(initials)),
        "decay": ("member", list(lambdas)), "time": STEP * np.arange(LOOKS),
    }  # fmt: skip
    return {"sgd": xr.Dataset(data, coordinates, {"steps_per_epoch": 10})}


def forgets(initial, decay):
    """With decay one rest for all; without, what the start was, or 1 if that was less."""
    return 0.8 if decay else max(1.0 + 0.1 * initial, 0.8 * initial)


def remembers(initial, decay):
    """The same without decay as with it."""
    del decay
    return 2.0 * initial


def outcome(name, sentence, data):
    (claim,) = [one for one in registry.find(name).claims if one.sentence == sentence]
    return decide(claim, data).outcome


GOOD = datasets(forgets)
BAD = datasets(remembers)
SAME = datasets(lambda *_: 1.0)


@pytest.mark.parametrize("module", MODULES)
def test_every_measure_is_a_number_for_each_seed(module):
    for name, figure in module.FIGURES.items():
        for one in figure.claims:
            verdict = decide(one, GOOD)
            wanted = 1 if one.exact else SEEDS
            assert (verdict.seeds, verdict.failed) == (wanted, 0), (name, one.sentence)


def broken(**override):
    """Runs in which some variables are another function of what was found, scale and lambda."""
    return datasets(forgets, **override)


def wobbly(found, initial, decay):
    del initial, decay
    return found["rho"] * (1 + 0.3 * np.sin(3 * STEP * np.arange(LOOKS)))


def growing(found, initial, decay):
    del initial, decay
    return found["rho"] * (1 + STEP * np.arange(LOOKS))


def skewed(found, initial, decay):
    del initial, decay
    shape = np.random.default_rng(0).exponential(size=SAMPLES) ** 2
    return found["mu"][:, None] * shape


def wide(found, initial, decay):
    del initial
    return found["mu"] * (0.5 if decay else 0.01)


def widening(found, initial, decay):
    del initial, decay
    return found["mu"] * (0.1 + 0.05 * STEP * np.arange(LOOKS))


def raised(found, initial, decay):
    del initial, decay
    return 1.3 * found["loss"] + 0.1


HOLDS = [
    ("dyn-3", "with decay, rho comes to rest at mu / (M + lambda)", broken(rho=growing)),
    ("dyn-3", "with decay, the final rho depends less on the initial one", BAD),
    ("dyn-3", "rho reaches a plateau", broken(rho=wobbly)),
    ("dyn-3", "from a small scale rho rises", broken(rho=lambda f, *_: 1 / f["rho"])),
    ("dyn-8", "the histogram narrows", broken(sigma=widening)),
    ("dyn-8", "it ends as a peak", broken(sigma=wide)),
    ("dyn-8", "rho rises to mu / (M + lambda)", broken(rho=growing)),
    ("dyn-8", "the loss comes to its gap 1 - rho_eq mu", broken(loss=raised)),
    ("dyn-10", "with decay, the margins of a network are alike", broken(sigma=wide)),
    ("dyn-10", "with decay, they look normally distributed", broken(margins=skewed)),
    ("dyn-10", "with decay, every start ends with the same margins", BAD),
    ("dyn-10", "without decay, the starts end with a range of margins",
     broken(mu=lambda *_: np.ones(LOOKS))),
    ("dyn-10", "without decay, margins are smaller", datasets(lambda _, d: 0.8 if d else 0.4)),
    ("dyn-10", "without decay, the margins of a network hardly vary",
     broken(sigma=lambda f, *_: f["mu"] * 0.1)),
    ("m117-2", "with decay, the final rho does not depend on the start", BAD),
    ("m117-2", "with decay, the final training loss does not depend on the start",
     broken(unregularised_loss=lambda _, i, __: (1 + i) * np.ones(LOOKS))),
    ("m117-2", "without decay, rho grows from the small start",
     broken(rho=lambda f, *_: 1 / f["rho"])),
    ("m117-2", "without decay, rho falls from the large start", broken(rho=growing)),
    ("m117-2", "without decay, it falls monotonically", broken(rho=wobbly)),
    ("m117-14", "rho comes to a common asymptote", BAD),
    ("m117-14", "the starts come together", BAD),
    ("m117-14", "the asymptote is mu / (M + lambda)", broken(rho=growing)),
    ("m117-15", "rho comes to no common asymptote", SAME),
    ("m117-3", "with decay, all starts end in the same band", BAD),
    ("m117-3", "with decay, the band is narrow", broken(sigma=wide)),
    ("m117-3", "without decay, the band depends on the start", SAME),
    ("m117-4", "the histogram narrows", broken(sigma=widening)),
    ("m117-4", "it ends as a peak", broken(sigma=wide)),
    ("m117-4", "rho comes to rest", broken(rho=wobbly)),
    ("m117-5", "the histogram narrows from the first iterations on", broken(sigma=widening)),
    ("m117-5", "rho grows monotonically meanwhile", broken(rho=wobbly)),
    ("m112-1", "the loss comes to its gap 1 - rho_eq mu", broken(loss=raised)),
    ("m112-2", "rho comes to the same value", BAD),
    ("m112-2", "that value is mu / (M + lambda)", broken(rho=growing)),
    ("m112-3", "mean |f| comes to the same value", BAD),
    ("m112-3", "that value is 1 / rho", broken(rho=growing)),
    ("m112-4", "as printed: the ratio goes to 1", broken(rho=growing)),
    ("m112-4", "as corrected: it goes to 1 + lambda / M", broken(rho=growing)),
    ("m112-5", "margins are flat", broken(sigma=wide)),
    ("m112-7", "rho depends on the start", SAME),
    ("m112-9", "mean |f| depends on the start", SAME),
    ("m112-12", "every start interpolates: margins are 1 / rho", broken(rho=growing)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sentence", "against"), HOLDS)
def test_a_claim_holds_where_it_should_and_fails_where_it_should_not(name, sentence, against):
    assert outcome(name, sentence, GOOD) is Outcome.HOLDS
    assert outcome(name, sentence, against) is Outcome.FAILS


def with_errors(of):
    """Test and training errors as a function of the scale and lambda, seeds a little apart."""

    def errors(found, initial, decay):
        return of(initial, decay) + 0 * found["rho"] + 1e-5 * found["rho"]

    return broken(test_error=errors)


def test_accuracy_against_margins():
    # 1 / rho without decay is smaller the larger the scale; so is the accuracy, or not.
    follows = with_errors(lambda initial, _: 0.01 * initial)
    inverse = initial_scale_dyn.accuracy_follows(initial_scale_dyn.FREE, follows)
    assert (inverse > 0.8).all()
    against = with_errors(lambda initial, _: 0.3 - 0.01 * initial)
    assert initial_scale_dyn.mean_accuracy_follows(initial_scale_dyn.FREE, against) < -0.8


def test_the_best_start():
    better = with_errors(lambda initial, _: 0.1 * initial)
    worse = with_errors(lambda initial, _: 1 - 0.05 * initial)
    sentence = "the start at .01 has the best test accuracy"
    assert outcome("m117-16", sentence, better) is Outcome.HOLDS
    assert outcome("m117-16", sentence, worse) is Outcome.FAILS
    sentence = "a large start tests much worse"
    assert outcome("m117-17", sentence, better) is Outcome.HOLDS
    assert outcome("m117-17", sentence, worse) is Outcome.FAILS


def learning(rate_of):
    def errors(found, initial, decay):
        del found, decay
        return relaxing(0.5, 0.0, STEP * np.arange(LOOKS), rate_of(initial))

    return broken(train_error=errors)


def test_the_fastest_start():
    sentence = "it learns fastest"
    quick = learning(lambda initial: 1.0 if initial < 0.1 else 0.3)
    slow = learning(lambda initial: 0.3 if initial < 0.1 else 1.0)
    assert outcome("m117-16", sentence, quick) is Outcome.HOLDS
    assert outcome("m117-16", sentence, slow) is Outcome.FAILS


def losing(rate_of):
    def loss(found, initial, decay):
        del found, decay
        return relaxing(1.0, 0.0, STEP * np.arange(LOOKS), rate_of(initial))

    return broken(unregularised_loss=loss)


def test_how_long_fitting_takes():
    sentence = "the loss depends strongly on the start"
    assert outcome("m112-10", sentence, losing(lambda i: 0.4 + i)) is Outcome.HOLDS
    assert outcome("m112-10", sentence, losing(lambda _: 1.0)) is Outcome.FAILS


def test_flat_margins_where_the_loss_is_low():
    def loss(found, initial, decay):
        del decay
        return 0 * found["rho"] + initial

    def sigma(sign):
        return lambda found, initial, _: found["mu"] * initial**sign

    sentence = "the start with the lower loss has the flatter margins"
    flatter = broken(unregularised_loss=loss, sigma=sigma(1))
    wider = broken(unregularised_loss=loss, sigma=sigma(-1))
    assert outcome("m112-8", sentence, flatter) is Outcome.HOLDS
    assert outcome("m112-8", sentence, wider) is Outcome.FAILS


def test_margins_in_order():
    margins = xr.DataArray([[3.0, 1.0, 2.0]], dims=("seed", "sample"))
    found = initial_scale_panels.in_order(margins)
    np.testing.assert_array_equal(found, [[1, 2, 3]])
    np.testing.assert_array_equal(found["sample"], [0, 50, 100])


def test_names_are_pushed_apart_and_stay_above_the_floor():
    heights = np.array([0.0, 1.0, 2.0, 80.0])
    moved = _apart(heights, 5.0)
    assert (np.diff(moved) >= APART - 1e-9).all()
    assert moved[0] >= 5.0
    assert moved[3] == 80.0
