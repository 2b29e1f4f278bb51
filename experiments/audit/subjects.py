"""Whom statements are asked of: points of small problems, in double precision.

Properties of a subject say what may be asked of it:

- ``signs``, ``centred``, ``one_hot``: how its targets are encoded;
- ``linear``, ``relu``: its network;
- ``decay``, ``no decay``: lambda is positive, or zero;
- ``rest``: the flow has come to rest there;
- ``smooth_rest``: it rests where the field vanishes, not on kinks;
- ``own``: it was brought by a user.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from ... import dynamics, models


@dataclass(frozen=True)
class Subject:
    """A problem and a point, with what is known of them."""

    name: str
    properties: frozenset[str]
    problem: models.Problem
    view: models.View


def properties_of(problem: models.Problem) -> frozenset[str]:
    """What can be read off a problem."""
    encoding = models.encoding_of(problem.targets) or "other"
    kind = "relu" if problem.network.kinks else "linear"
    return frozenset({encoding, kind, "decay" if float(problem.decay) > 0 else "no decay"})


@functools.cache
def standard() -> tuple[Subject, ...]:
    """The subjects of ``rhoflow audit``."""
    return (*_anywhere(), *_at_rest())


AT_REST = 1e-4


def own_subject(
    name: str, problem: models.Problem, view: models.View, rho: np.ndarray | None = None
) -> Subject:
    """A point of somebody's own.

    Args:
        name: How it is called.
        problem: What it was trained on, in double precision.
        view: Where it ended; `models.to_polar` makes one of weights.
        rho: rho at the looks ``[T]``; where the last two differ by less than 1e-4 of themselves,
            it is asked what holds at rest.
    """
    rests = rho is not None and len(rho) > 1 and abs(rho[-1] - rho[-2]) <= AT_REST * abs(rho[-1])
    known = {"own"} | ({"rest"} if rests else set())
    return Subject(name, properties_of(problem) | known, problem, view)


SCALAR, CLASSES = (5, 16, 8, 1), (6, 12, 9, 3)
"""Widths that most subjects share, since every new shape compiles anew."""


def _anywhere() -> list[Subject]:
    """Random points of random problems, where identities must hold."""
    cases = [
        ("random ReLU network", models.mlp(SCALAR), "signs", 0.03),
        ("random ReLU network, no decay", models.mlp(SCALAR), "signs", 0.0),
        ("random linear network", models.deep_linear(SCALAR), "signs", 0.05),
        ("random ReLU network, 3 classes", models.mlp(CLASSES), "centred", 0.02),
        ("random ReLU network, 3 classes, one-hot", models.mlp(CLASSES), "one_hot", 0.02),
    ]
    return [
        _subject(name, network, encoding, decay, seed)
        for seed, (name, network, encoding, decay) in enumerate(cases)
    ]


def _subject(
    name: str, network: models.Network, encoding: str, decay: float, seed: int, samples: int = 12
) -> Subject:
    rng = np.random.default_rng(seed)
    shapes = [layer.shape for layer in jax.eval_shape(network.init, jax.random.key(0))]
    inputs = rng.standard_normal((samples, shapes[0][0]))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    labels = np.arange(samples) % max(shapes[-1][-1], 2)
    problem = models.Problem(network, inputs, models.encode(labels, encoding), decay=decay)
    weights = tuple(jnp.asarray(rng.standard_normal(shape)) for shape in shapes)
    view = models.to_polar(weights, rho=rng.uniform(0.5, 3))
    return Subject(name, properties_of(problem), problem, view)


def _at_rest() -> list[Subject]:
    """Where flows end: a deep linear network's ridge point, and ReLU networks on their kinks."""
    linear = _subject("", models.deep_linear(SCALAR), "signs", 0.05, seed=7)
    relu = _subject("", models.mlp((20, 32, 1)), "signs", 0.01, seed=8, samples=16)
    several = _subject("", models.deep_linear(CLASSES), "centred", 0.02, seed=9)
    return [
        _rested("linear network at rest", linear, 400.0, {"rest", "smooth_rest"}),
        _rested("ReLU network at rest", relu, 600.0, {"rest"}),
        _rested("linear network at rest, 3 classes", several, 1500.0, {"rest", "smooth_rest"}),
    ]


def _rested(name: str, subject: Subject, time: float, known: set[str]) -> Subject:
    start = models.Polar(subject.view.rho, subject.view.directions)
    if subject.problem.network.smooth:
        flow = dynamics.gradient_flow(subject.problem, rtol=1e-10, atol=1e-12)
    else:
        flow = dynamics.gradient_flow(subject.problem)
    end = dynamics.simulate(flow, start, times=np.array([time])).final.position
    return Subject(name, subject.properties | known, subject.problem, end)
