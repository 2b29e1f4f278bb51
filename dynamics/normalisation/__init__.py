"""Which coordinates move: the documents' normalisations as one argument of flow and descent.

A normalisation says what a position is, which potential U it descends, which part of the gradient
moves it, and how a displaced position is brought back. The flow is x' = -project(x, grad U(x)); a
step of descent hands the same projected gradient to an optimiser and retracts. What each conserves
is its *certificate*: numbers that stay constant along the flow, up to integration error.

| constructor | position | U minus the data's loss | conserved along the flow |
|---|---|---|---|
| `sphere` | `Polar` | lambda rho^2 | norms of V_k (projected, retracted) |
| `free` | `Weights` | lambda sum_k norm(W_k)^2 | differences of squared norms, by e^(4 lambda t) |
| `free(decay="product")` | `Weights` | lambda rho^2 | differences of squared norms |
| `layerwise` | `LayerPolar` | as `free` | as `free`: the same motion in (rho_k, V_k) |
| `lagrange` | `Polar` | lambda rho^2 | ratios of 1 - norm(V_k)^2 between layers |
| `weight_norm` | `Gained` | lambda sum_k g_k^2, or lambda rho^2 | norms of v_k |
| `frozen_gain` | `Polar`, any norms | lambda rho^2 | norms of v_k |
| `top_free` | `Weights` | lambda norm(W_L)^2 | norms of W_k, k < L (projected, retracted) |
| `linearised` | `Linearised` | as `free` | norms of the anchor |

`lagrange` is the literal form of [M117] (7), offered because the documents print it: it repels the
unit sphere where rho > mu/M. Its step is `sphere`'s without retraction.

In every one of them layers can be ``frozen``, by their numbers from 0; they then stay as they are.

Source: [Dyn] (2)-(6); [M117] (46)-(53), (66)-(71), appendix H; [M112] (5), (12)-(15). Printed
forms differ: [M117] (48)-(50) have wrong signs, (69) a spurious rho. [Dyn] 3.2 and [M117]
H.3.1 call `top_free` equivalent to `sphere`: true of the function and of the equilibria, while the
top layer's direction moves slower by rho^2.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ...models.binding import bind
from ...models.polar import retract, to_polar
from ...models.problem import Problem
from ...models.views import View
from . import certificates, positions, potentials
from .positions import Gained, LayerPolar, Start
from .potentials import SampleWeights

__all__ = [
    "Gained",
    "LayerPolar",
    "Normalisation",
    "Start",
    "field",
    "free",
    "frozen_gain",
    "lagrange",
    "layerwise",
    "linearised",
    "prepare",
    "sphere",
    "top_free",
    "weight_norm",
]


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
    """

    name: str
    prepare: Callable[[Start], PyTree]
    view: Callable[[PyTree], View]
    potential: Callable[[Problem, PyTree, SampleWeights], Float[Array, ""]]
    project: Callable[[PyTree, PyTree], PyTree]
    retract: Callable[[PyTree], PyTree]
    bend: Callable[[PyTree, PyTree], PyTree] | None
    certificate: Callable[[Problem, Float[Array, ""], PyTree], Float[Array, "..."]]

    def __repr__(self) -> str:
        return f"Normalisation({self.name})"


def sphere(frozen: tuple[int, ...] = ()) -> Normalisation:
    """Rho and unit directions: the documents' model, with the exact multiplier."""
    return Normalisation(
        "sphere",
        positions.polar_of,
        positions.same,
        bind(potentials.radial, frozen),
        positions.tangent,
        retract,
        positions.bend_spheres,
        certificates.norms_of_directions,
    )


def free(decay: str = "layers", frozen: tuple[int, ...] = ()) -> Normalisation:
    """Weights without normalisation, as any optimiser sees them.

    Args:
        decay: ``"layers"`` for lambda sum_k norm(W_k)^2, ``"product"`` for lambda rho^2.
        frozen: Layers that do not move.
    """
    grows = potentials.grows_by_layer(decay)
    name = "free" if grows else "free, product decay"
    potential = bind(potentials.of_weights, decay, frozen)
    return Normalisation(
        name,
        positions.weights_of,
        to_polar,
        potential,
        positions.everything,
        positions.same,
        positions.bend_nothing,
        bind(certificates.balance, grows),
    )


def layerwise(decay: str = "layers", frozen: tuple[int, ...] = ()) -> Normalisation:
    """The motion of `free`, in coordinates (rho_k, V_k), where V_k is slowed by rho_k^2."""
    grows = potentials.grows_by_layer(decay)
    return Normalisation(
        "layerwise",
        positions.layer_polar_of,
        positions.view_layers,
        bind(potentials.of_layers, decay, frozen),
        positions.tangent_by_radius,
        positions.retract_layers,
        None,
        bind(certificates.balance_of_radii, grows),
    )


def lagrange(frozen: tuple[int, ...] = ()) -> Normalisation:
    """The literal Lagrange field: nu as if all norms were one, and no retraction.

    d norm(V_k)^2 / dt = 4 nu (1 - norm(V_k)^2), nu = rho mu - rho^2 M: attracting for rho < mu/M.
    """
    return Normalisation(
        "lagrange",
        positions.polar_of,
        positions.same,
        bind(potentials.radial, frozen),
        positions.tangent,
        positions.same,
        None,
        certificates.ratios_of_excess,
    )


def weight_norm(decay: str = "product", frozen: tuple[int, ...] = ()) -> Normalisation:
    """Weight norm with trained gains: W_k = g_k v_k / norm(v_k)."""
    potentials.grows_by_layer(decay)
    return Normalisation(
        "weight norm",
        positions.gained_of,
        positions.view_gained,
        bind(potentials.of_gains, decay, frozen),
        positions.everything,
        positions.same,
        positions.bend_nothing,
        certificates.norms_of_vectors,
    )


def frozen_gain(frozen: tuple[int, ...] = ()) -> Normalisation:
    """Weight norm with gains frozen at one, and one trained rho on top: the experiments of [Dyn].

    The flow of `sphere` with the time of V_k slowed by norm(v_k)^2.
    """
    return Normalisation(
        "weight norm, frozen gain",
        positions.polar_of,
        retract,
        bind(potentials.of_scaled_vectors, frozen),
        positions.everything,
        positions.same,
        positions.bend_nothing,
        certificates.norms_of_directions,
    )


def top_free(frozen: tuple[int, ...] = ()) -> Normalisation:
    """Unit hidden layers, and a top layer without normalisation. Source: [M117] (66)-(71)."""
    return Normalisation(
        "top layer free",
        positions.top_weights_of,
        to_polar,
        bind(potentials.of_top, frozen),
        positions.hidden_tangent,
        positions.retract_hidden,
        positions.bend_hidden,
        certificates.hidden_norms,
    )


def linearised(decay: str = "layers", frozen: tuple[int, ...] = ()) -> Normalisation:
    """Weights of the network's first-order expansion around the start: the kernel regime.

    The start is the anchor, be it an initialisation or the end of another run. `dynamics.compare`
    with `free` shows how far a run is from its own linearisation.
    """
    potentials.grows_by_layer(decay)
    return Normalisation(
        "linearised",
        positions.linearised_of,
        positions.same,
        bind(potentials.of_linearised, decay, frozen),
        positions.without_anchor,
        positions.same,
        positions.bend_nothing,
        certificates.anchor_norms,
    )


def field(normalisation: Normalisation, problem: Problem, position: PyTree) -> PyTree:
    """Velocity of the flow, per unit of time; a displaced position moves like its retraction."""
    here = normalisation.retract(position)
    gradient = jax.grad(normalisation.potential, argnums=1)(problem, here, None)
    return jax.tree.map(jnp.negative, normalisation.project(here, gradient))


def prepare(
    normalisation: Normalisation, problem: Problem, settings: dict[str, Array], start: Start
) -> PyTree:
    """The position of a start, for a motion that needs no more than its coordinates."""
    del problem, settings
    return normalisation.prepare(start)
