r"""Class means, and samples about them, in the plane of the simplex that neural collapse ends in.

Collapsed class means are the vertices of a regular simplex about their centre (NC2, `collapse`). Of
C centred means M (rows mu_c - mu_G, symbols of `class_moments`) only the shape says so, that is
their Gram matrix M M^T, not where they lie in the space of features. So they are turned as near as
a rotation brings them to a simplex: with M = U diag(s) B^T,

    M Q^T = (M M^T)^{1/2} E,        Q^T = B U^T E,

where the columns of E are an orthonormal basis of the vectors that add up to zero. This is the
solution of Procrustes' problem min |M Q^T - a S|, S = sqrt(C/(C-1)) E being the regular simplex
with vertices of length one, and the best length is

    a = Tr (M M^T)^{1/2} / sqrt(C (C-1)).

What is drawn is divided by a, and seen along two columns of E that make S a regular polygon with
class 0 on top. Three classes are seen whole; of more, the polygon is a projection, of radius
sqrt(2/(C-1)), and only what lies in its plane is seen. Two classes have a line, with class 0 at -1
and class 1 at +1 whatever the features (NC2 of two means says nothing): there the samples tell.

>>> polygon(3).round(3).tolist()
[[0.0, 1.0], [-0.866, -0.5], [0.866, -0.5]]
>>> polygon(2).round(3).tolist()
[[-1.0], [1.0]]

Source: NC2 in [Dyn] section 5; the symmetric square root is Procrustes' solution for any simplex.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...models.problem import Problem
from ...models.targets import classes_of
from ...models.views import View
from . import decompositions
from .class_moments import class_moments


def polygon(classes: int) -> Float[np.ndarray, "classes axes"]:
    """Where the simplex ETF has its vertices, ``[C, 2]`` of C = ``classes``; ``[2, 1]`` for two."""
    return np.sqrt(classes / (classes - 1)) * _plane(classes)


def simplex_plane(
    problem: Problem, view: View, layer: int = -1, normalised: bool = True
) -> dict[str, Float[Array, "..."]]:
    """Class means and samples in the plane of the simplex, in units of its vertices' length.

    Args:
        problem: Whose training samples.
        view: Where.
        layer: Which hidden layer, see `class_moments`.
        normalised: Whether of the directions V_k, else of W_k = rho_k V_k.

    Returns:
        ``means`` ``[C, 2]``, to be laid beside `polygon`, ``samples`` ``[samples, 2]``, their
        ``classes`` ``[samples]``, and the ``length`` a. Two classes have one axis. NaN where all
        means are one point, or a class has no sample.
    """
    at = class_moments(problem, view, layer, normalised)
    length, axes = _frame(at.centred)
    return {
        "means": at.centred @ axes / length,
        "samples": (at.features - at.centre[None, :]) @ axes / length,
        "classes": classes_of(problem.targets),
        "length": length,
    }


def means_in_plane(means: Any) -> Float[np.ndarray, "classes axes"]:
    """Class means that were observed, as `simplex_plane` shows them.

    Args:
        means: mu_c, ``[C, width]``, from the observable ``class_means``.
    """
    centred = jnp.asarray(means) - jnp.mean(jnp.asarray(means), axis=0, keepdims=True)
    length, axes = _frame(centred)
    return np.asarray(centred @ axes / length)


def _frame(centred: Float[Array, "classes width"]) -> tuple[Float[Array, ""], Array]:
    """The simplex's length a, and the two columns of Q^T that are seen."""
    classes = len(centred)
    left, sizes, right = decompositions.svd(centred)
    length = jnp.sum(sizes) / np.sqrt(classes * (classes - 1))
    plane = jnp.asarray(_plane(classes), centred.dtype)
    return length, right.T @ (left.T @ plane)


def _plane(classes: int) -> Float[np.ndarray, "classes axes"]:
    """Orthonormal columns that add up to zero: corners of a regular polygon, the first on top."""
    if classes == 2:
        return np.array([[-1.0], [1.0]]) / np.sqrt(2)
    angles = np.pi / 2 + 2 * np.pi * np.arange(classes) / classes
    return np.sqrt(2 / classes) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
