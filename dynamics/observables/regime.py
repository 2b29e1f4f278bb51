"""Distance from the regime of the tangent kernel: how far a run has left its start.

While a network's features stand still it is a linear model in its weights, and its tangent kernel
K_nm = <d f_W(x_n)/dW, d f_W(x_m)/dW> stays as it was at the start. Three measures of having left:

    |V_k - V_k(0)| for each layer,
    |K - K(0)| / |K(0)|, and 1 - <K, K(0)> / (|K| |K(0)|), which does not see a change of scale,
    the share of pairs (sample, unit) whose activation is on the other side of its kink.

The start travels as leaves of the observable, so that another start compiles nothing anew. Kernels
are made as matrices, [samples, samples] with [samples, weights] in between: for small problems.

Source: the regime that [Dyn] section 3.5 and [M117] section 8 set their dynamics against.
"""

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float

from ...models.network import Weights
from ...models.polar import Polar, to_weights
from ...models.problem import Problem
from ...models.views import View
from .points import as_matrix, output_slopes, point, rows


def displacement_from(start: View) -> Partial:
    """An observable: |V_k - V_k(0)| of each layer, relative to |V_k(0)| = 1: between 0 and 2.

    Args:
        start: Where the run began, leaves.
    """
    return Partial(_displacement, start.directions)


def kernel_distance_from(start: View) -> Partial:
    """An observable: how far the tangent kernel is from that at the start.

    Args:
        start: Where the run began, leaves.

    Returns:
        An observable with ``relative``, |K - K(0)| / |K(0)|, and ``turned``, one minus the cosine
        between them.
    """
    return Partial(_kernel_distance, to_weights(start))


def switched_from(start: View) -> Partial:
    """An observable: the share of (sample, unit) pairs that are on the other side of the kink.

    Args:
        start: Where the run began, leaves.

    Returns:
        An observable, one number for each hidden layer with kinks, in [0, 1].
    """
    return Partial(_switched, start.directions)


def patterns(problem: Problem, directions: Weights) -> tuple[Array, ...]:
    """Which units are above zero, ``[samples, width]`` for each hidden layer with kinks."""
    hidden = problem.network.hidden(directions, problem.inputs)
    return tuple(hidden[k] > 0 for k in problem.network.kinks)


def _displacement(begin: Weights, problem: Problem, view: View) -> Float[Array, "layers"]:
    del problem
    pairs = zip(view.directions, begin, strict=True)
    return jnp.stack([jnp.linalg.norm(as_matrix(now - before)) for now, before in pairs])


def _kernel(problem: Problem, weights: Weights) -> Float[Array, "rows rows"]:
    """J J^T at weights, a row for each sample and output."""
    slopes = output_slopes(problem, Polar(jnp.ones((), weights[0].dtype), weights))
    jacobian = rows([s.reshape(s.shape[0] * s.shape[1], -1) for s in slopes])
    return jacobian @ jacobian.T


def _kernel_distance(begin: Weights, problem: Problem, view: View) -> dict[str, Array]:
    point(view)
    now, before = _kernel(problem, to_weights(view, problem.network)), _kernel(problem, begin)
    size, first = jnp.linalg.norm(now), jnp.linalg.norm(before)
    # One minus the cosine as half a squared distance: no cancellation where they are alike.
    turned = jnp.sum((now / size - before / first) ** 2) / 2
    return {"relative": jnp.linalg.norm(now - before) / first, "turned": turned}


def _switched(begin: Weights, problem: Problem, view: View) -> Float[Array, "layers"]:
    pairs = zip(patterns(problem, view.directions), patterns(problem, begin), strict=True)
    shares = [jnp.mean(now != before, dtype=view.rho.dtype) for now, before in pairs]
    return jnp.stack(shares) if shares else jnp.zeros(0)
