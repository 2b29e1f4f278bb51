"""How well the directions stay on their spheres."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models.polar import layer_norms
from ...models.problem import Problem
from ...models.views import View


def norm_drift(problem: Problem, view: View) -> Float[Array, "layers"]:
    """| |V_k| - 1 | of each layer: round-off where the directions are retracted."""
    del problem
    return jnp.abs(layer_norms(view.directions) - 1)
