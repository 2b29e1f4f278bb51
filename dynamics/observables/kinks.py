"""Kinks: dead units, and samples that sit on one.

Flows of ReLU networks end in sliding along the kinks of hidden units, where the field does not
vanish while rho and the loss rest; so a point at rest is told by how many samples sit on a kink.
With z_nj = <row_j, h_n> the pre-activation of unit j at sample n, h_n what the layer sees, sample n
sits on the kink of unit j where

    |z_nj| <= tolerance |row_j| |h_n|,

a share that does not depend on the weights' scale. A unit is dead where it is zero on every sample.

Source: `benchmarks/kinks`; the documents assume that there are none.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models.binding import bind
from ...models.checks import refusal, single
from ...models.network import PreActivations
from ...models.problem import Problem, require_separate
from ...models.views import View
from .points import known_kinks, pre_activations, stacked
from .regime import patterns


def dead_units(problem: Problem, view: View) -> Float[Array, "layers"]:
    """The share of each hidden layer's units that are zero on every sample; layers with kinks.

    Raises:
        ValueError: If the network has kinks and does not know where, as a flax module.
    """
    shares = [
        jnp.mean(~jnp.any(active, axis=0), dtype=view.rho.dtype)
        for active in patterns(problem, view.directions)
    ]
    return stacked(shares, view.rho.dtype)


def on_kinks(tolerance: float = 1e-4) -> Callable[[Problem, View], Float[Array, "layers"]]:
    """An observable: the share of (sample, unit) pairs that sit on a kink, for each such layer.

    Pairs in which the layer sees nothing, |h_n| = 0, or whose row is zero do not count as sitting.

    Args:
        tolerance: The largest |z| as a share of |row| |h|.

    Raises:
        ValueError: If the tolerance is not positive; when it is evaluated, if the network has batch
            norm, or its layers or which of them have kinks are not known.
    """
    single("a tolerance", tolerance)
    if not tolerance > 0:
        raise refusal("a tolerance above zero", tolerance, "pass for example 1e-4")
    return bind(_on_kinks, tolerance)


def _on_kinks(tolerance: float, problem: Problem, view: View) -> Float[Array, "layers"]:
    require_separate(problem, "kinks")
    seen = pre_activations(problem, view)
    shares = [_share(tolerance, seen[layer]) for layer in known_kinks(problem.network)]
    return stacked(shares, view.rho.dtype)


def _share(tolerance: float, at: PreActivations) -> Float[Array, ""]:
    sits = (jnp.abs(at.values) <= tolerance * at.sizes) & (at.sizes > 0)
    return jnp.mean(sits, dtype=at.values.dtype)
