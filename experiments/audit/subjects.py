"""Whom statements are asked of: points of small problems, in double precision.

What may be asked of a subject its properties say (`experiments.audit.properties`); ``own`` is that
it was brought by a user.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from ... import dynamics, models
from ...models.checks import refusal
from .properties import fitted, properties_of, resting


@dataclass(frozen=True)
class Subject:
    """A problem and a point, with what is known of them."""

    name: str
    properties: frozenset[str]
    problem: models.Problem
    view: models.View


@functools.cache
def standard() -> tuple[Subject, ...]:
    """The subjects of ``rhoflow audit``."""
    return (*_anywhere(), *_at_rest())


def own_subject(
    name: str, problem: models.Problem, view: models.View, rho: np.ndarray | None = None
) -> Subject:
    """A point of somebody's own.

    Args:
        name: How it is called.
        problem: What it was trained on, in double precision.
        view: Where it ended, in double precision; `models.to_polar` makes one of weights, and
            `models.Unnormalised` of those of a network without polar coordinates.
        rho: rho at the looks ``[T]``, without which a network with kinks is not asked what holds
            at rest (`properties.resting`).

    Raises:
        ValueError: If numbers are not in double precision, the view is of a linearised network or
            of weights of other shapes, only one of network and view has polar coordinates, or rho
            is zero.
    """
    _check(problem, view)
    at = _upright(problem, view)
    known = properties_of(problem) | resting(problem, at, rho) | {"own"}
    return Subject(name, known | ({"fitted"} if fitted(problem, at) else set()), problem, at)


def _upright(problem: models.Problem, view: models.View) -> models.View:
    """The same function with rho above zero: a negative one's sign goes to `Network.signed`."""
    if not isinstance(view, models.Polar) or float(view.rho) > 0:
        return view
    number = problem.network.signed
    if float(view.rho) == 0 or number is None:
        raise refusal("a rho above zero", float(view.rho), "pass another point")
    directions = list(view.directions)
    directions[number] = -directions[number]
    return models.Polar(-view.rho, tuple(directions))


def _check(problem: models.Problem, view: models.View) -> None:
    found = {str(leaf.dtype) for leaf in jax.tree.leaves((problem, view))}
    if found != {"float64"}:
        raise refusal(
            "a problem and a view in double precision",
            " and ".join(sorted(found)),
            "enable x64, jax.config.update('jax_enable_x64', True), and make them again",
        )
    if isinstance(view, models.Linearised):
        raise refusal(
            "a point of the network itself",
            "a linearised network",
            "pass models.to_polar(view.weights)",
        )
    network = problem.network
    wanted = [layer.shape for layer in jax.eval_shape(network.init, jax.random.key(0))]
    shapes = [layer.shape for layer in view.directions]
    if shapes != wanted:
        raise refusal(f"layers {wanted}", shapes, f"pass weights of {network.name}")
    if not network.inhomogeneity and isinstance(view, models.Unnormalised):
        raise refusal(
            f"a point in polar coordinates, which {network.name} has",
            "weights",
            "pass models.to_polar(weights, network=network)",
        )
    if network.inhomogeneity and not isinstance(view, models.Unnormalised):
        raise refusal(
            f"weights of {network.name}, where {network.inhomogeneity}",
            f"a {type(view).__name__}",
            "pass models.Unnormalised(weights)",
        )


SCALAR, CLASSES = (5, 16, 8, 1), (6, 12, 9, 3)
"""Widths that most subjects share, since every new shape compiles anew."""


def _anywhere() -> list[Subject]:
    """Random points of random problems, where identities must hold."""
    cases = [
        ("random ReLU network", models.mlp(SCALAR), "signs", 0.03),
        ("random ReLU network, no decay", models.mlp(SCALAR), "signs", 0.0),
        ("random linear network", models.deep_linear(SCALAR), "signs", 0.05),
        ("random ReLU network, 3 classes", models.mlp(CLASSES), "centred", 0.02),
    ]
    drawn = [
        _subject(name, network, encoding, decay, seed)
        for seed, (name, network, encoding, decay) in enumerate(cases)
    ]
    return [*drawn, _with_linear_head()]


def _with_linear_head() -> Subject:
    """A random network with a head of two linear layers whose last one nearly fits the targets."""
    network = models.mlp(CLASSES, linear_layers=1)
    drawn = _subject("random linear head, 3 classes, one-hot", network, "one_hot", 0.02, 4, 9)
    problem, below = drawn.problem, drawn.view.directions[:-1]
    features = network.features(drawn.view.directions, problem.inputs)
    last = 0.9 * jnp.linalg.pinv(features) @ problem.targets
    view = models.to_polar((*below, last))
    known = drawn.properties | ({"fitted"} if fitted(problem, view) else set())
    return Subject(drawn.name, known, problem, view)


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
        _rested("linear network at rest", linear, 400.0),
        _rested("ReLU network at rest", relu, 600.0),
        _rested("linear network at rest, 3 classes", several, 1500.0),
    ]


def _rested(name: str, subject: Subject, time: float) -> Subject:
    start = models.Polar(subject.view.rho, subject.view.directions)
    if subject.problem.network.smooth:
        flow = dynamics.gradient_flow(subject.problem, rtol=1e-10, atol=1e-12)
    else:
        flow = dynamics.gradient_flow(subject.problem)
    looks = np.array([0.9 * time, time])
    ran = dynamics.simulate(flow, start, times=looks, observe=dynamics.observe("rho"))
    end = ran.final.position
    known = subject.properties | resting(subject.problem, end, ran["rho"])
    return Subject(name, known, subject.problem, end)
