"""Where derivatives are taken: a point on the spheres, one sample at a time, layers as matrices.

What observables of curvature, noise and rank share. Gradients are of the objective

    Loss = (1/N) sum_n [loss_n(rho f_V(x_n)) + lambda rho^2] = (1/N) sum_n U_n

in polar coordinates: dU_n/drho, and dU_n/dV_k projected to the tangent space of the unit sphere.
For the square loss and targets +-1, with l_n = 1 - rho fbar_n,

    dU_n/drho = -2 (l_n fbar_n - lambda rho),
    (dU_n/dV_k)_tangent = -2 rho l_n (d_k fbar_n - V_k fbar_n).

A linearised network has other derivatives than the network that it came from, and samples of a
batch with batch norm depend on each other: both are refused where they would give a wrong number,
as are weights without a radius where gradients are projected.

Source: [Dyn] (46), (49), in the mean normalisation and with print's signs corrected.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import jax.scipy.linalg
from jaxtyping import Array, Float

from ...models.checks import refusal
from ...models.layers import is_of_pairs
from ...models.linearised import Linearised
from ...models.network import Network, PreActivations, Weights
from ...models.polar import Polar, Unnormalised, project
from ...models.problem import Problem, objective, require_separate, take
from ...models.views import View


def point(view: View) -> Polar:
    """The view's radius and directions, free to be differentiated.

    Of `models.Unnormalised` radius one and the weights: derivatives in them are those in weights,
    and may not be projected. What is projected asks `sphere_point`.

    Raises:
        ValueError: If the view is of a linearised network.
    """
    if isinstance(view, Linearised):
        raise refusal(
            "the network itself, whose derivatives these are",
            "a linearised network",
            "observe moments and margins there, or the point models.to_polar(view.weights)",
        )
    return Polar(view.rho, view.directions)


def sphere_point(view: View) -> Polar:
    """The same where directions lie on unit spheres, so that derivatives can be projected.

    Raises:
        ValueError: If the view is of a linearised network, or of weights without a radius.
    """
    if isinstance(view, Unnormalised):
        raise refusal(
            "a radius and unit directions, to whose spheres gradients are projected",
            "models.Unnormalised weights, of any norms",
            "observe what is in weights, as curvature with coordinates='weights', or pass a "
            "homogeneous network's models.to_polar(weights, network=network)",
        )
    return point(view)


def gradient(problem: Problem, polar: Polar) -> Polar:
    """Of the objective: its derivative in rho, and in each V_k projected to the tangent space."""
    slope = jax.grad(lambda at: objective(problem, at))(polar)
    return Polar(slope.rho, project(polar.directions, slope.directions))


def sample_gradients(problem: Problem, view: View) -> Polar:
    """The gradient of each sample's U_n: like a point, every array with a first axis ``[samples]``.

    Raises:
        ValueError: If the network has batch norm, or the view is of a linearised network or of
            weights without a radius.
    """
    require_separate(problem, "gradients of single samples")
    here = sphere_point(view)
    one = jnp.arange(problem.inputs.shape[0])[:, None]
    return jax.vmap(lambda index: gradient(take(problem, index), here))(one)


def output_slopes(problem: Problem, view: View) -> tuple[Array, ...]:
    """d_k f of each sample and output, for every layer ``[samples, outputs, *layer]``.

    f is the normalised network's output, and V_k is free: nothing is projected.
    """
    require_separate(problem, "slopes of single samples")
    here = point(view)

    def one(inputs: Float[Array, "..."]) -> tuple[Array, ...]:
        return jax.jacrev(lambda layers: problem.network.apply(layers, inputs[None]).reshape(-1))(
            here.directions
        )

    return jax.vmap(one)(problem.inputs)


def pre_activations(problem: Problem, view: View) -> tuple[PreActivations, ...]:
    """What the units of each hidden layer see, of the normalised network.

    Raises:
        ValueError: If the network's layers are not known.
    """
    network = problem.network
    if network.pre_activations is None:
        raise refusal(
            "a network whose layers are known", network.name, "make it by models.mlp or convnet"
        )
    return network.pre_activations(view.directions, problem.inputs)


def known_kinks(network: Network) -> tuple[int, ...]:
    """The hidden layers whose units have kinks, by number; none of a smooth network.

    Raises:
        ValueError: If it is not smooth, and which layers have kinks is not known.
    """
    if not network.smooth and not network.kinks:
        raise refusal(
            "a network of which it is known which layers have kinks",
            network.name,
            "make it by models.mlp or convnet, or say smooth=True where there are none",
        )
    return network.kinks


def as_matrix(layer: Float[Array, "..."]) -> Float[Array, "inputs outputs"]:
    """A layer as a matrix, ``[fan_in, fan_out]``; a kernel as ``[height * width * in, out]``."""
    return layer.reshape(-1, layer.shape[-1])


def matrices(problem: Problem, layers: Weights) -> list[Float[Array, "inputs outputs"]]:
    """Arrays of the problem's network, each `as_matrix`.

    Where each pair of a tree has a kernel of its own, block-diagonal: ``[pairs * 2 * in, pairs *
    out]``, the map from all nodes to all nodes, whose singular values are those of all kernels.
    """
    known, stacked = problem.network.layers, [False] * len(layers)
    if len(known) == len(layers):
        stacked = [is_of_pairs(layer) and len(layer.shape) == 4 for layer in known]
    return [
        jax.scipy.linalg.block_diag(*map(as_matrix, layer)) if apart else as_matrix(layer)
        for layer, apart in zip(layers, stacked, strict=True)
    ]


def stacked(found: Sequence[Array], dtype: jnp.dtype) -> Float[Array, "found ..."]:
    """Arrays of one shape along a new first axis; ``[0]`` in ``dtype`` where there are none."""
    return jnp.stack(found) if found else jnp.zeros(0, dtype)


def rows(tree: object) -> Float[Array, "samples parameters"]:
    """Per-sample arrays as one matrix, a row for each sample."""
    leaves = jax.tree.leaves(tree)
    return jnp.concatenate([leaf.reshape(leaf.shape[0], -1) for leaf in leaves], axis=1)
