"""What is known of a problem and a point, in words: the premises of the statements.

A statement names the properties that its subject must have; asked of another it says nothing.

| property | of |
|---|---|
| ``signs``, ``centred``, ``one_hot`` | how the targets are encoded |
| ``every_class``, ``balanced`` | the classes: each has a sample, all have as many |
| ``several_outputs``, ``two_classes`` | centred or one-hot targets; targets +-1 or two outputs |
| ``six_samples`` | six samples or more |
| ``square`` | the square loss |
| ``decay``, ``no_decay`` | lambda is positive, or zero |
| ``linear``, ``smooth``, ``kinked`` | the network: a linear map; else without kinks; else with |
| ``homogeneous`` | f_W = rho f_V: it has polar coordinates |
| ``degree_one`` | the output scales with every array (no batch norm, no shared arrays) |
| ``separate`` | outputs do not depend on other samples (no batch norm) |
| ``deep`` | two arrays or more |
| ``dense``, ``dense_top`` | every layer, or the last one, is dense with an array of its own |
| ``pointwise`` | what a unit passes on depends on its pre-activation alone |
| ``bounded``, ``unit_gain`` | abs(f_V(x)) / abs(x) has a known bound, or is at most one |
| ``linear_head`` | dense linear layers below the last one, of which [Wide] speaks |
| ``fitted`` | abs(f_W - Y) < s_K(Y), one-hot targets: the premise of [Wide] Theorem 3.1 |
| ``rest``, ``smooth_rest`` | see `resting` |
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from ... import models
from ...dynamics import normalisation as kinds
from ...models.layers import is_dense

AT_REST, AT_SMOOTH_REST = 1e-2, 1e-8
"""Largest speeds at rest, relative to what decay alone would make of them; see `resting`."""


def properties_of(problem: models.Problem) -> frozenset[str]:
    """What can be read off a problem, without a point of it."""
    network = problem.network
    said = {
        "decay": float(problem.decay) > 0,
        "no_decay": float(problem.decay) == 0,
        "square": problem.loss == models.losses.square,
        **_of_classes(problem),
        **_of_scales(network),
        **_of_layers(network),
    }
    encoding = models.encoding_of(problem.targets) or "other"
    return frozenset({encoding, _kind(network)} | {name for name, holds in said.items() if holds})


def linear_layers(network: models.Network) -> int:
    """How many dense linear layers stand below the last one, which is dense too."""
    if not network.layers or network.couples or not is_dense(network.layers[-1]):
        return 0
    below = reversed(network.layers[:-1])
    kept = itertools.takewhile(lambda at: at.activation == models.linear and is_dense(at), below)
    return len(list(kept))


def fitted(problem: models.Problem, view: models.View) -> bool:
    """Whether |f_W - Y| < s_K(Y), the root of the smallest class's number of samples."""
    if models.encoding_of(problem.targets) != "one_hot":
        return False
    apart = jnp.linalg.norm(models.outputs(problem, view) - problem.targets)
    return bool(apart < jnp.sqrt(jnp.min(jnp.sum(problem.targets, axis=0))))


def resting(
    problem: models.Problem, view: models.View, rho: np.ndarray | None = None
) -> frozenset[str]:
    """``rest`` and ``smooth_rest``, where the flow on the spheres has come to rest at a point.

    A speed is small or not beside what decay alone would make of it: 2 lambda rho for rho', and
    2 lambda rho^2, which is 2 nu at rest, for V_k'. A point *rests smoothly* where the network is
    continuously differentiable and all speeds are at most `AT_SMOOTH_REST` of these. With kinks the
    field does not vanish at rest (theory, 2.7), and rho's own speed, which is at most `AT_REST`,
    does not tell whether rho only turns there: it rests if rho was seen there before. Without
    decay, or polar coordinates, nothing is said to rest.

    Args:
        problem: The problem.
        view: Where.
        rho: rho at the looks, ``[T]``, of which the last two are compared with the point's; smooth
            networks need none.
    """
    smooth = problem.network.smooth
    if problem.network.inhomogeneity or float(problem.decay) <= 0:
        return frozenset()
    if not smooth and (rho is None or len(rho) < 2):
        return frozenset()
    radial, turning = (float(share) for share in _speeds(problem, view))
    if smooth:
        still = max(radial, turning) <= AT_SMOOTH_REST
        return frozenset({"rest", "smooth_rest"} if still else ())
    moved = np.max(np.abs(np.abs(np.asarray(rho)[-2:]) / float(view.rho) - 1))
    return frozenset({"rest"} if max(radial, moved) <= AT_REST else ())


@jax.jit
def _speeds(problem: models.Problem, view: models.View) -> tuple[jax.Array, jax.Array]:
    """|rho'| / (2 lambda |rho|), and the largest |V_k'| / (2 lambda rho^2)."""
    here = models.Polar(view.rho, view.directions)
    moves = kinds.field(kinds.sphere(), problem, here)
    pull = 2 * problem.decay * jnp.abs(view.rho)
    turning = jnp.max(models.layer_norms(moves.directions))
    return jnp.abs(moves.rho) / pull, turning / (pull * jnp.abs(view.rho))


def _of_classes(problem: models.Problem) -> dict[str, bool]:
    classes = 2 if problem.targets.ndim == 1 else problem.targets.shape[1]
    counts = np.bincount(np.asarray(models.classes_of(problem.targets)), minlength=classes)
    return {
        "every_class": bool(np.all(counts > 0)),
        "balanced": bool(np.all(counts == counts[0])),
        "several_outputs": problem.targets.ndim == 2,
        "two_classes": classes == 2,
        "six_samples": len(problem.targets) >= 6,
    }


def _of_scales(network: models.Network) -> dict[str, bool]:
    homogeneous = not network.inhomogeneity
    return {
        "homogeneous": homogeneous,
        "degree_one": homogeneous and not network.couples and set(network.degrees) <= {1},
        "separate": not network.couples,
        "bounded": math.isfinite(network.output_bound),
        "unit_gain": network.output_bound <= 1,
    }


def _of_layers(network: models.Network) -> dict[str, bool]:
    layers = network.layers
    arrays = len(jax.eval_shape(network.init, jax.random.key(0)))
    own = len(layers) == arrays
    straight = own and not any(layer.adds for layer in layers)
    plain = straight and not network.couples
    return {
        "deep": arrays > 1,
        "dense": straight and all(map(is_dense, layers)),
        "dense_top": own and is_dense(layers[-1]),
        "pointwise": plain and all(layer.activation.pointwise for layer in layers),
        "linear_head": linear_layers(network) > 0,
    }


def _kind(network: models.Network) -> str:
    known = network.layers and not network.couples
    if known and all(layer.activation == models.linear for layer in network.layers):
        return "linear"
    return "smooth" if network.smooth else "kinked"
