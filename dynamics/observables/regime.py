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
from ...models.polar import Unnormalised, to_weights
from ...models.problem import Problem
from ...models.views import View
from .points import as_matrix, known_kinks, output_slopes, point, rows, stacked


def displacement_from(start: View) -> Partial:
    """An observable: |V_k - V_k(0)| of each layer, relative to |V_k(0)| = 1: between 0 and 2.

    Args:
        start: Where the run began, leaves.
    """
    return Partial(_displacement, start.directions)


def kernel_distance_from(start: View) -> Partial:
    """An observable: how far the tangent kernel is from that at the start.

    The kernel is of weights, and depends on how rho is shared among the layers. A polar view has
    equal radii here too (`models.to_weights`); where layers have norms of their own, give the start
    as ``models.to_layers(weights)``.

    Args:
        start: Where the run began, leaves.

    Returns:
        An observable with ``relative``, |K - K(0)| / |K(0)|, and ``turned``, one minus the cosine
        between them.
    """
    return Partial(_kernel_distance, start)


def switched_from(start: View) -> Partial:
    """An observable: the share of (sample, unit) pairs that are on the other side of the kink.

    Args:
        start: Where the run began, leaves.

    Returns:
        An observable, one number for each hidden layer with kinks, in [0, 1].

    Raises:
        ValueError: When it is evaluated, as `patterns`.
    """
    return Partial(_switched, start.directions)


def patterns(problem: Problem, directions: Weights) -> tuple[Array, ...]:
    """Which units are above zero, ``[samples, width]`` for each hidden layer with kinks.

    Raises:
        ValueError: If the network has kinks and does not know where, as a flax module.
    """
    numbers = known_kinks(problem.network)
    hidden = problem.network.hidden(directions, problem.inputs)
    return tuple(hidden[k] > 0 for k in numbers)


def _displacement(begin: Weights, problem: Problem, view: View) -> Float[Array, "layers"]:
    del problem
    pairs = zip(view.directions, begin, strict=True)
    return jnp.stack([jnp.linalg.norm(as_matrix(now - before)) for now, before in pairs])


def _kernel(problem: Problem, view: View) -> Float[Array, "rows rows"]:
    """J J^T at a view's weights, a row for each sample and output."""
    point(view)
    slopes = output_slopes(problem, Unnormalised(to_weights(view, problem.network)))
    jacobian = rows([s.reshape(s.shape[0] * s.shape[1], -1) for s in slopes])
    return jacobian @ jacobian.T


def _kernel_distance(begin: View, problem: Problem, view: View) -> dict[str, Array]:
    now, before = _kernel(problem, view), _kernel(problem, begin)
    size, first = jnp.linalg.norm(now), jnp.linalg.norm(before)
    # One minus the cosine as half a squared distance: no cancellation where they are alike.
    turned = jnp.sum((now / size - before / first) ** 2) / 2
    return {"relative": jnp.linalg.norm(now - before) / first, "turned": turned}


def _switched(begin: Weights, problem: Problem, view: View) -> Float[Array, "layers"]:
    pairs = zip(patterns(problem, view.directions), patterns(problem, begin), strict=True)
    shares = [jnp.mean(now != before, dtype=view.rho.dtype) for now, before in pairs]
    return stacked(shares, view.rho.dtype)
