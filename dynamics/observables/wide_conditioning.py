"""How well conditioned a linear head is where fit is good and weights small, or training stable.

In the symbols of `wide`, with |theta|^2 the sum of squared Frobenius norms of the head's layers and
Theta the tangent kernel J J^T of the outputs f_W(x_n) with respect to all weights:

| observable | measured | bound | [Wide] |
|---|---|---|---|
| `floor` | s_K(head) | at least (s_K(Y) - eps_1) / abs(Z_{L_1}) | (14), Theorem 5.2 |
| `size` | abs(theta)^2 | at least L_2 sum_i s_i(head)^(2/L_2) | Proposition 5.1 |
| `condition_by_size` | kappa(head) | at most the one of `condition_by_size` | (15) |
| `kernel` | abs(Theta) | at least the one of `kernel` | Proposition 5.3 |

``linear_layers`` is that of `wide`. `floor` is non-positive, and says nothing, where
eps_1 >= s_K(Y); (15) is infinite there. The theorems go on to bound |Z_{L_1}| by the size of
nonlinear layers; here it is measured.

Printed forms that differ: the sketch of Proposition 5.1 has 1/L_1 for 1/L_2. Proposition 5.3 holds
as printed, and without its K^2.

Source: [Wide] section 5.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models.polar import squared_norms
from ...models.problem import Problem
from ...models.views import View
from .curvature import kernel_eigenvalues
from .decompositions import operator_norm, singular_values
from .wide import Bounded, Head, head, least


def floor(problem: Problem, view: View, linear_layers: int = 1) -> Bounded:
    """s_K of the head from below, (s_K(Y) - eps_1) / |Z_{L_1}|. Source: [Wide] Theorem 5.2."""
    at = head(problem, view, linear_layers)
    return {"measured": least(at.product, at.targets.shape[1]), "bound": _floor(at)}


def size(problem: Problem, view: View, linear_layers: int = 1) -> Bounded:
    """|theta|^2 of the head from below; equal where its layers are balanced. Source: [Wide] 5.1."""
    at = head(problem, view, linear_layers)
    sizes = singular_values(at.product)
    count = len(at.layers)
    return {"measured": _squares(at), "bound": count * jnp.sum(sizes ** (2 / count))}


def condition_by_size(problem: Problem, view: View, linear_layers: int = 1) -> Bounded:
    """kappa of the whole head from above, by its size and the floor s of its s_K.

        kappa^(2/L_2) <= |theta|^2 / (L_2 s^(2/L_2)) - (K - 1)

    Infinite where eps_1 >= s_K(Y). Source: [Wide] (15).
    """
    at = head(problem, view, linear_layers)
    count, classes = len(at.layers), at.targets.shape[1]
    share = jnp.maximum(_floor(at), 0) ** (2 / count)
    powered = _squares(at) / count / share - (classes - 1)
    bound = jnp.where(share > 0, powered ** (count / 2), jnp.inf)
    return {"measured": at.conditions[0], "bound": bound}


def kernel(problem: Problem, view: View, linear_layers: int = 1, products: int = 40) -> Bounded:
    """|Theta| of the tangent kernel from below. Source: [Wide] Proposition 5.3.

        |Theta| >= (s_K(Y) - eps_1)^2 / (K r)^2 sum_l kappa(W_L ... W_l)^2

    over the head's layers. ``sharper`` is (s_K(Y) - eps_1)^2 L_2 / r^2: [Wide] (17) without K^2,
    which may fall below the other where layers are ill conditioned. Zero where eps_1 >= s_K(Y).

    Args:
        problem: Whose network and samples.
        view: Where.
        linear_layers: How many linear layers stand below the last one.
        products: With the kernel, for Lanczos; too few measure too little.
    """
    at = head(problem, view, linear_layers)
    scale = (jnp.maximum(at.reach, 0) / at.size) ** 2
    bound = scale / at.targets.shape[1] ** 2 * jnp.sum(at.conditions**2)
    measured = kernel_eigenvalues(products=products)(problem, view)["values"][0]
    return {
        "measured": measured,
        "bound": jnp.where(scale > 0, bound, 0),
        "sharper": scale * len(at.layers),
    }


def _floor(at: Head) -> Float[Array, ""]:
    return at.reach / operator_norm(at.passed[0])


def _squares(at: Head) -> Float[Array, ""]:
    return jnp.sum(squared_norms(at.layers))
