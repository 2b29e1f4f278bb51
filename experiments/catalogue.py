"""Every experiment by name, with the question that it asks.

To add one: write a module in ``studies/`` that defines ``EXPERIMENT``, and add one line here. The
modules are imported when they are asked for, so that listing them is quick.
"""

import difflib
import importlib
from typing import NamedTuple

from .errors import UsageError
from .experiment import Experiment
from .figures.registry import REGISTRY


class Entry(NamedTuple):
    """Where an experiment lives, and its question."""

    module: str
    question: str


CATALOGUE = {
    "quickstart": Entry(
        ".studies.quickstart",
        "Does rho come to rest where mu/(M+lambda) says, from small and large starts?",
    ),
    "separability": Entry(
        ".studies.separability",
        "How does a convolutional network come to separate its images, and where is rho then?",
    ),
    "initial_scale": Entry(
        ".studies.initial_scale",
        "What do rho, loss, margins and errors remember of the scale of the start?",
    ),
    "random_labels": Entry(
        ".studies.random_labels",
        "What do rho, margins and the test error do when labels mean less and less?",
    ),
    "order": Entry(
        ".studies.order",
        "How fast do the flow and its corrections approach gradient descent as the rate falls?",
    ),
    "collapse": Entry(
        ".studies.collapse",
        "Do features gather at their class means? What decay, batches and losses make of it.",
    ),
    "rank": Entry(
        ".studies.rank",
        "Which rank do layers come to, and does test error follow rank, margin or sharpness?",
    ),
    "random_starts": Entry(
        ".studies.random_starts",
        "How many networks are right on average before they have learned anything?",
    ),
    "linear_head": Entry(
        ".studies.linear_head",
        "What do linear layers on top of a network make of neural collapse, and of balance?",
    ),
    "logistic": Entry(
        ".studies.logistic",
        "How long does rho stay small before it grows, and what has depth to do with it?",
    ),
    "landscape": Entry(
        ".studies.landscape",
        "What does the loss look like over rho, and between two minima of it?",
    ),
    "valley": Entry(
        ".studies.valley",
        "Is there a way of zero loss between two minima, and how wide must a network be for it?",
    ),
    "sample_size": Entry(
        ".studies.sample_size",
        "What do rho, the errors and the bound on the test error do as N grows?",
    ),
}


def find(name: str) -> Experiment:
    """The experiment of a name.

    Raises:
        UsageError: If there is none, with the nearest name.
    """
    if name in REGISTRY:
        raise UsageError(f"{name!r} is a figure, not an experiment: 'rhoflow run {name}' makes it")
    if name not in CATALOGUE:
        near = difflib.get_close_matches(name, [*CATALOGUE, *REGISTRY], n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise UsageError(f"unknown experiment '{name}'{hint}: 'rhoflow list' shows all")
    module = importlib.import_module(CATALOGUE[name].module, package=__package__)
    return module.EXPERIMENT


def name_of(config: object) -> str:
    """The name of the experiment to which a configuration belongs.

    Raises:
        UsageError: If it is none's configuration.
    """
    for name in CATALOGUE:
        if type(config) is find(name).config:
            return name
    raise UsageError(
        f"expected an experiment's configuration, got {type(config).__name__}: "
        "take one from experiments.preset(name)"
    )


def preset(name: str, which: str = "laptop") -> object:
    """A configuration to start from; change fields with ``dataclasses.replace``.

    Args:
        name: The experiment.
        which: ``"tiny"``, ``"laptop"`` or ``"paper"``.

    Raises:
        UsageError: If there is no such experiment or preset.
    """
    presets = find(name).presets
    if which not in presets:
        raise UsageError(f"unknown preset '{which}': choose one of {', '.join(presets)}")
    return presets[which]
