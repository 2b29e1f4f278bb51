"""What a point at rest tells of the training inputs, where the network is linear in its inputs.

A deep linear network, or a ReLU network all of whose units are active on all samples, is
f_W(x) = <w, x> with w = rho df_V/dx. At rest with decay its layers are aligned and

    N lambda w = sum_n l_n y_n x_n,    l_n y_n = y_n - <w, x_n>,

for targets +-1. So the weights hold one combination of the inputs, whatever their number. If all
but one input are known, the last solves (y - <w, x>) x = r with r the combination less the others'
share: x = alpha r, y alpha - <w, r> alpha^2 = 1, which has two solutions. With one sample this
gives its input back. More cannot be had from such a point: that N inputs follow from the equations
of all layers needs activations that differ between samples.

Source: [Dyn] footnote 6; the ridge equations of theory section 2.11.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models.checks import is_traced, refusal, sample_numbers
from ...models.problem import Problem, require_separate
from ...models.views import View
from .points import point


def linear_map(problem: Problem, view: View) -> Float[Array, "features"]:
    """w = rho df_V/dx, the same at all training inputs: the network where it is linear.

    NaN where compiled code meets a network that is not linear there.

    Raises:
        ValueError: If the network has batch norm or several outputs, or its slopes differ between
            the inputs, as where a ReLU is active on some of them only.
    """
    require_separate(problem, "reconstruction")
    if problem.targets.ndim != 1:
        raise refusal("one output", problem.network.name, "use targets +-1")
    here = point(view)

    def total(inputs: Float[Array, "samples ..."]) -> Array:
        return jnp.sum(problem.network.apply(here.directions, inputs))

    slopes = jax.grad(total)(problem.inputs).reshape(problem.inputs.shape[0], -1)
    mean = jnp.mean(slopes, axis=0)
    apart = jnp.max(jnp.linalg.norm(slopes - mean[None], axis=1))
    linear = apart <= jnp.sqrt(jnp.finfo(slopes.dtype).eps) * jnp.linalg.norm(mean)
    if not is_traced(linear) and not linear:
        raise refusal(
            "a network that is linear on its training inputs",
            f"{problem.network.name}, whose slopes differ between them by {apart:.3g}",
            "take a linear one, or a point at which every unit is active on every sample",
        )
    return view.rho * jnp.where(linear, mean, jnp.nan)


def combination(problem: Problem, view: View) -> Float[Array, "features"]:
    """N lambda w: at rest it is sum_n l_n y_n x_n, and no input enters it on linear networks."""
    return problem.targets.shape[0] * problem.decay * linear_map(problem, view)


def missing_input(problem: Problem, view: View, missing: int) -> Float[Array, "two features"]:
    """The two inputs that sample ``missing`` can have at this point at rest, the others known.

    The combination is read from the weights; the inputs and targets of the others, and the target
    of the missing one, from the problem. NaN where there is no real solution.

    Raises:
        ValueError: As `linear_map`; if there is no such sample.
    """
    sample_numbers(missing, len(problem.targets))
    weights = linear_map(problem, view)
    inputs = problem.inputs.reshape(problem.inputs.shape[0], -1)
    pulls = (problem.targets - inputs @ weights).at[missing].set(0)
    left = combination(problem, view) - pulls @ inputs
    along, target = weights @ left, problem.targets[missing]
    root = jnp.sqrt(1 - 4 * along) * jnp.asarray([1.0, -1.0])
    return ((target + root) / (2 * along))[:, None] * left[None, :]
