"""Every reproduced figure by its id, with what it shows.

Ids are a document and its figure, ``dyn-3``; predictions that a document states without a figure
are ``x-...``. To add one: write it in a module that defines ``FIGURES``, and add one line here. The
modules are imported when they are asked for, so that listing them is quick.
"""

import difflib
import importlib
from typing import NamedTuple

from ..errors import UsageError
from .reproduction import Reproduction

ALL = "all"


class Entry(NamedTuple):
    """Where a figure is defined, and what it shows."""

    module: str
    shows: str


REGISTRY = {
    "dyn-3": Entry(".initial_scale_dyn", "rho, loss and error from several initial scales"),
    "dyn-4": Entry(".random_labels", "1/rho and test error against random labels"),
    "dyn-5": Entry(".initial_scale_dyn", "1/rho beside test accuracy over the initial scales"),
    "dyn-8": Entry(".initial_scale_dyn", "the histogram of margins narrows; rho beside it"),
    "dyn-10": Entry(".initial_scale_dyn", "sorted margins from several initial scales"),
    "m117-2": Entry(".initial_scale_m117", "rho, loss and error from two scales, batch norm"),
    "m117-3": Entry(".initial_scale_m117_margins", "sorted margins from seven scales"),
    "m117-4": Entry(".initial_scale_m117_margins", "the histogram of margins narrows"),
    "m117-5": Entry(".initial_scale_m117_margins", "the same in the first 1000 iterations"),
    "m117-11": Entry(".random_labels", "1/rho and test error against random labels, batch norm"),
    "m117-12": Entry(".initial_scale_m117_errors", "1/rho beside test accuracy"),
    "m117-13": Entry(".random_labels", "rho over time by share of random labels"),
    "m117-14": Entry(".initial_scale_m117", "rho in the first and in all epochs, with decay"),
    "m117-15": Entry(".initial_scale_m117", "rho in the first and in all epochs, without"),
    "m117-16": Entry(".initial_scale_m117_errors", "losses and errors from three scales"),
    "m117-17": Entry(".initial_scale_m117_errors", "losses and errors without decay"),
    "m112-1": Entry(".initial_scale_m112", "the loss from three scales, batch norm and decay"),
    "m112-2": Entry(".initial_scale_m112", "rho from three scales, batch norm and decay"),
    "m112-3": Entry(".initial_scale_m112", "mean |f| from three scales"),
    "m112-4": Entry(".initial_scale_m112", "(sum y f / sum f^2) / rho goes to 1 + lambda / M"),
    "m112-5": Entry(".initial_scale_m112", "flat margins from three scales"),
    "m112-6": Entry(".initial_scale_m112", "the loss from two scales without decay"),
    "m112-7": Entry(".initial_scale_m112", "rho from two scales without decay"),
    "m112-8": Entry(".initial_scale_m112", "margins from two scales without decay"),
    "m112-9": Entry(".initial_scale_m112", "histograms of |f| without decay"),
    "m112-10": Entry(".initial_scale_m112_plain", "the loss of free weights from three scales"),
    "m112-11": Entry(".initial_scale_m112_plain", "rho of free weights from three scales"),
    "m112-12": Entry(".initial_scale_m112_plain", "margins of free weights"),
    "dyn-9": Entry(".collapse_two_classes", "collapse of two classes with weight norm"),
    "m117-6": Entry(".collapse_two_classes", "collapse of two classes with batch norm"),
    "ncwd-1": Entry(".collapse", "neural collapse with and without decay: ten classes of digits"),
    "ncwd-2": Entry(".collapse", "neural collapse with and without decay: MNIST"),
    "x-rank": Entry(".rank", "stable rank against lambda, learning rate and batch size"),
    "x-margin-and-rank": Entry(".rank", "what test error follows: margin, rank or sharpness"),
    "x-half-separable": Entry(".half_separable", "half of all random starts are right on average"),
    "x-normalisations": Entry(
        ".normalisations", "Lagrange multiplier, weight norm and batch norm beside each other"
    ),
    "x-overfitting": Entry(".overfitting", "long times: square loss against cross-entropy"),
    "x-collapse-random-labels": Entry(
        ".collapse_predictions", "collapse on labels that mean nothing, whatever the margin"
    ),
    "x-collapse-sgd": Entry(
        ".collapse_predictions", "collapse with SGD and without, square and exponential loss"
    ),
    "wide-2": Entry(".linear_head", "collapse against the number of linear layers"),
    "wide-4": Entry(".head_training", "collapse, balance, negativity over time"),
    "wide-1": Entry(".head_training", "the same with three linear layers"),
    "wide-5": Entry(".linear_head", "collapse against linear layers, on convolutions"),
    "wide-3": Entry(".wide_depth", "balance and negativity of nonlinear layers against depth"),
    "m117-10": Entry(".logistic", "the logistic equation: plateaus, by depth and start"),
    "dyn-2": Entry(".landscape", "the landscape: saddle at rho = 0, a valley of zero loss"),
    "m117-7": Entry(".landscape", "the landscape without decay, between two minima"),
    "m117-8": Entry(".landscape", "the landscape with decay"),
    "m117-9": Entry(".landscape", "the loss along a ray, and rho at rest against lambda"),
    "x-coastline": Entry(".coastline", "the least loss at each radius, and equilibria on it"),
    "x-valley": Entry(".valley", "a way of zero loss between two minima, by width"),
    "dyn-6": Entry(".sample_size", "rho, errors and the bound against the number of images"),
    "dyn-7": Entry(".sample_size", "the same, convolutions whose patches do not overlap"),
    "x-two-phases": Entry(".head_rate", "steps to fit and to balance against eta and lambda"),
    "x-head-rate": Entry(".head_rate", "conditioning of a linear head against the learning rate"),
}


def find(name: str) -> Reproduction:
    """The figure of an id.

    Raises:
        UsageError: If there is none, with the nearest id.
    """
    if name not in REGISTRY:
        near = difflib.get_close_matches(name, REGISTRY, n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise UsageError(f"unknown figure '{name}'{hint}: 'rhoflow list' shows all")
    module = importlib.import_module(REGISTRY[name].module, package=__package__)
    return module.FIGURES[name]


def configured(name: str, preset: str) -> object:
    """A figure's configuration of its study.

    Raises:
        UsageError: If there is no such figure or preset.
    """
    presets = find(name).presets
    if preset not in presets:
        raise UsageError(f"unknown preset '{preset}' of {name}: choose one of {', '.join(presets)}")
    return presets[preset]
