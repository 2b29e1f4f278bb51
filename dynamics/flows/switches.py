"""How often units cross their kinks: activation switches between accepted steps.

A switch is one unit that is on for one sample at the end of a step and was off at its beginning, or
the other way round. While units *cross* their kinks the count is the flow's own. Once they *slide*
along them it is the integrator's: it doubles as the step halves, since a sliding solution has none.

Counting costs one forward pass a step, about a tenth of the step.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from ...models.problem import Problem
from .motion import Motion

Pattern = Bool[Array, "samples units"] | None
"""Which units with a kink are on, for every sample; None where nothing has a kink."""


def pattern(motion: Motion, problem: Problem, position: PyTree) -> Pattern:
    """The pattern at a position."""
    network = problem.network
    if motion.smooth or not network.kinks:
        return None
    hidden = network.hidden(motion.view(position).directions, problem.inputs)
    return jnp.concatenate(
        [hidden[k].reshape(problem.inputs.shape[0], -1) > 0 for k in network.kinks], axis=1
    )


def switches(before: Pattern, after: Pattern) -> Int[Array, ""]:
    """How many entries differ."""
    if before is None or after is None:
        return jnp.zeros((), jnp.int32)
    return jnp.sum(before != after).astype(jnp.int32)
