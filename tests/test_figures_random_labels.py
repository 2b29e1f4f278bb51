"""Claims of the figures of random labels, on datasets by hand that satisfy and violate them."""

import numpy as np
import pytest
import xarray as xr

from rhoflow.dynamics import Status
from rhoflow.experiments import UsageError
from rhoflow.experiments.figures import random_labels, registry
from rhoflow.experiments.figures.claims import Outcome, decide
from rhoflow.experiments.studies import random_labels as study

LOOKS, SEEDS = 21, 3
SHARES = (0.0, 0.2, 0.6, 1.0)


def datasets(rho_of, error_of, train_error=0.0, drift=0.0):
    """Runs that stand still, or drift; rho and test error are functions of the share."""
    members = [(seed, share) for seed in range(SEEDS) for share in SHARES]
    time = np.linspace(0, 10, LOOKS)
    rho = [(1 + 1e-3 * seed) * rho_of(share) + drift * time for seed, share in members]
    errors = [error_of(share) * (1 + 1e-3 * seed) + 0 * time for seed, share in members]
    seeds, shares = zip(*members, strict=True)
    axes = ("member", "time")
    return {
        "sgd": xr.Dataset(
            {
                "rho": (axes, np.stack(rho)),
                "test_error": (axes, np.stack(errors)),
                "train_error": (axes, np.full((len(members), LOOKS), train_error)),
                "status": ("member", np.full(len(members), int(Status.FINISHED))),
            },
            {"seed": ("member", list(seeds)), "share": ("member", list(shares)), "time": time},
        )
    }


def outcome(name, sentence, data):
    (claim,) = [one for one in registry.find(name).claims if one.sentence == sentence]
    return decide(claim, data).outcome


GOOD = datasets(lambda share: 80 + 40 * share, lambda share: 0.05 + 0.45 * share)
BAD = datasets(lambda share: 120 - 40 * share, lambda share: 0.5 - 0.45 * share, 0.2, 10.0)
BENT = datasets(
    lambda share: 80 + 40 * share - 60 * (share == 0.6),
    lambda share: 0.05 + 0.45 * share - 0.3 * (share == 0.6),
)

CASES = [
    ("dyn-4", "1/rho falls with the share of random labels", GOOD, BAD),
    ("dyn-4", "the test error rises with the share of random labels", GOOD, BAD),
    ("dyn-4", "1/rho falls from each share to the next", GOOD, BENT),
    ("dyn-4", "the test error rises from each share to the next", GOOD, BENT),
    ("dyn-4", "fully random labels do not converge", BAD, GOOD),
    ("m117-11", "as printed: the margin increases with the share of random labels", BAD, GOOD),
    ("m117-11", "as corrected: the margin 1/rho falls with the share", GOOD, BAD),
    ("m117-13", "rho reaches a plateau", GOOD, BAD),
    ("m117-13", "the plateau is higher the more labels are random", GOOD, BAD),
    ("m117-13", "fully random labels are fitted", GOOD, BAD),
]


@pytest.mark.parametrize(("name", "sentence", "holding", "failing"), CASES)
def test_a_claim_holds_where_it_should_and_fails_where_it_should_not(
    name, sentence, holding, failing
):
    assert outcome(name, sentence, holding) is Outcome.HOLDS
    assert outcome(name, sentence, failing) is Outcome.FAILS


def test_true_labels_are_shown_and_not_measured():
    odd = datasets(lambda share: 80 + 40 * share + 500 * (share == 0), lambda share: 0.5 * share)
    np.testing.assert_allclose(random_labels.ratio_of_rhos(odd), 120 / 88)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"shares": (0.5, 1.5)}, "expected shares in 0..1"),
        ({"decay": (0.1, 0.2)}, "expected one lambda"),
        ({"initial": 0.0}, "expected initial > 0"),
        ({"model": "cube"}, "expected model among"),
        ({"looks": 5000}, "expected looks in"),
        ({"shares": ()}, "expected numbers that are not negative in shares"),
    ],
)
def test_what_cannot_be_run_is_refused(change, says):
    with pytest.raises(UsageError, match=says):
        study.RandomLabelsConfig(**change)
