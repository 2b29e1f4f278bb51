"""What a normalisation is: a choice of coordinates, as pure functions, and the flow it makes."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ...models.problem import Problem
from ...models.views import View
from .positions import Start, hold
from .potentials import SampleWeights


@dataclasses.dataclass(frozen=True)
class Normalisation:
    """A choice of coordinates, as pure functions; equal choices compare equal.

    Attributes:
        name: How it is called.
        prepare: ``prepare(start) -> position`` of a start in polar coordinates or in weights.
        view: ``view(position) -> View``: mostly a `Polar`.
        potential: ``potential(problem, position, sample_weights) -> scalar``.
        project: ``project(position, gradient) -> vector``; the flow is its negative.
        retract: ``retract(position) -> position``.
        bend: ``bend(position, velocity) -> acceleration`` that keeps a free motion where positions
            lie: -|V_k'|^2 V_k on spheres; None where second-order motion is not defined.
        certificate: ``certificate(problem, time, position) -> array``, constant along the flow.
        coupled: Whether the network must have batch norm (True) or must not (False): f_W is the
            radius times f_V with the top layer's norm as radius there, with the product of norms
            else. None where the radius is a number of its own, and either will do.
        averages: ``averages(position) -> labels``, the position or a prefix of it with True for
            running averages, which every optimiser moves by plain descent; None without any.
        plain: Whether positions are the network's own weights, in which every network can move.
        smooth: Whether the flow's field is continuous even where the network has kinks.
        frozen: Layers that do not move.
    """

    name: str
    prepare: Callable[[Start], PyTree]
    view: Callable[[PyTree], View]
    potential: Callable[[Problem, PyTree, SampleWeights], Float[Array, ""]]
    project: Callable[[PyTree, PyTree], PyTree]
    retract: Callable[[PyTree], PyTree]
    bend: Callable[[PyTree, PyTree], PyTree] | None
    certificate: Callable[[Problem, Float[Array, ""], PyTree], Float[Array, "..."]]
    coupled: bool | None = False
    averages: Callable[[PyTree], PyTree] | None = None
    plain: bool = False
    smooth: bool = False
    frozen: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"Normalisation({self.name})"


def gradient(
    normalisation: Normalisation,
    problem: Problem,
    position: PyTree,
    sample_weights: SampleWeights = None,
) -> PyTree:
    """Of the potential, zero in frozen layers, before any projection.

    Args:
        normalisation: Whose potential.
        problem: What is learned.
        position: Where.
        sample_weights: Of mean one, ``[samples]``; all ones unless given.
    """

    def potential(moving: PyTree) -> Float[Array, ""]:
        held = hold(normalisation.frozen, position, moving)
        return normalisation.potential(problem, held, sample_weights)

    return jax.grad(potential)(position)


def field(normalisation: Normalisation, problem: Problem, position: PyTree) -> PyTree:
    """Velocity of the flow, per unit of time; a displaced position moves like its retraction."""
    here = normalisation.retract(position)
    slope = gradient(normalisation, problem, here)
    return jax.tree.map(jnp.negative, normalisation.project(here, slope))


def prepare(
    normalisation: Normalisation, problem: Problem, settings: dict[str, Array], start: Start
) -> PyTree:
    """The position of a start, for a motion that needs no more than its coordinates.

    Args:
        normalisation: Whose coordinates.
        problem: What is learned.
        settings: Numbers of the motion by name, not used here.
        start: A point or weights.
    """
    del problem, settings
    return normalisation.prepare(start)
