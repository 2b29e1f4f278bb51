"""Balance and linearity of layers, and how well conditioned a linear head is.

With Z_l what layer l passes on and W_l the weights of layer l in the documents' orientation,

    D_l        = W_{l+1}^T W_{l+1} - W_l W_l^T                    (balanced where it is zero),
    balance    = |D_l| / min(|W_{l+1}^T W_{l+1}|, |W_l W_l^T|)    in operator norms,
    negativity = |Z_l - s(Z_l)| / |Z_l|                           of pre-activations, s the ReLU,
    kappa      = s_1 / s_K of W_L ... W_l                         for each l of the linear head.

Negativity is 0 where a layer's ReLU lets everything pass, so that the layer acts as a linear one.
Gradient descent with weight decay balances consecutive *linear* layers, D_l ~ exp(-2 lambda t);
pairs with a nonlinear layer between them are not balanced by it.

Weights are W_k = rho_k V_k with the view's own radii. Where a view knows only rho, they are equal
shares rho^(1/L), as in a network whose layers have equal norms, and so is the balance. Layers are
dense here: a convolution's kernel and the next one share no matrix, and they are refused; so is
batch norm in `negativity`, whose pre-activations are standardised.

Source: [Wide] sections 3 and 6.
"""

import functools
import itertools
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models.checks import refusal
from ...models.network import Weights
from ...models.polar import to_weights
from ...models.problem import Problem, require_separate
from ...models.views import View
from .class_moments import class_moments
from .decompositions import operator_norm, singular_values
from .points import pre_activations, stacked


def imbalances(problem: Problem, view: View) -> Float[Array, "pairs"]:
    """|D_l| of each pair of consecutive layers, in operator norm; [Wide]'s eps_2 is their largest.

    NaN where one of the two is not dense.
    """
    return _of_pairs(lambda after, before: operator_norm(after - before), problem, view)


def balance(problem: Problem, view: View) -> Float[Array, "pairs"]:
    """|D_l| relative to the smaller of its two terms. Source: [Wide] section 6.

    NaN where one of the two layers is not dense.
    """

    def smaller(after: Array, before: Array) -> Array:
        return jnp.minimum(operator_norm(after), operator_norm(before))

    return imbalances(problem, view) / _of_pairs(smaller, problem, view)


def negativity(problem: Problem, view: View) -> Float[Array, "hidden"]:
    """How much of each hidden layer's pre-activations a ReLU takes away, in [0, 1].

    [Wide] section 6 measures it in linear layers too, which take nothing away: there it says
    whether a ReLU would.

    Raises:
        ValueError: If the network has batch norm, or its layers are not known.
    """
    require_separate(
        problem,
        "negativity",
        "standardised pre-activations are negative about half the time by construction",
    )
    seen = (at.values for at in pre_activations(problem, view))
    shares = [operator_norm(jnp.minimum(z, 0)) / operator_norm(z) for z in seen]
    return stacked(shares, view.rho.dtype)


def head_condition(problem: Problem, view: View, linear_layers: int = 0) -> Float[Array, "head"]:
    """kappa(W_L ... W_l), from the whole linear head to the last layer alone.

    Args:
        problem: Whose network.
        view: Where.
        linear_layers: How many linear layers stand below the last one, as in `models.mlp`.

    Returns:
        s_1 / s_K for l = L - linear_layers, ..., L; K is the number of outputs. Infinite where
        rows are fewer than that.

    Raises:
        ValueError: If a layer of the head is not dense, or it is longer than the network.

    Source: [Wide] section 3 (c_3 is the first entry) and Proposition 5.3.
    """
    weights = view.directions
    if not 0 <= linear_layers < len(weights):
        raise refusal(
            f"between 0 and {len(weights) - 1} linear layers", linear_layers, "pass fewer"
        )
    head = _dense(problem, weights[len(weights) - 1 - linear_layers :])
    products = [functools.reduce(jnp.matmul, head[start:]) for start in range(len(head))]
    return jnp.stack([condition(product) for product in products])


def condition(matrix: Float[Array, "fan_in outputs"]) -> Float[Array, ""]:
    """s_1 / s_K of K columns; infinite where there are fewer rows, which leave s_K zero."""
    if matrix.shape[0] < matrix.shape[1]:
        return jnp.full((), jnp.inf, matrix.dtype)
    sizes = singular_values(matrix)
    return sizes[0] / sizes[-1]


def class_mean_gram(
    problem: Problem, view: View, layer: int = -1, centred: bool = False
) -> Float[Array, "classes classes"]:
    """<mu_c, mu_c'> of the normalised network's class means.

    Args:
        problem: Whose training samples.
        view: Where.
        layer: Which hidden layer, see `class_moments`.
        centred: Whether of mu_c - mu_G.

    Source: the pictures of class means in [Wide] section 6.
    """
    at = class_moments(problem, view, layer)
    means = at.centred if centred else at.means
    return means @ means.T


def _of_pairs(
    measure: Callable[[Array, Array], Array], problem: Problem, view: View
) -> Float[Array, "pairs"]:
    """A measure of W_{l+1}^T W_{l+1} and W_l W_l^T; ours are the transposes of the documents' W."""
    weights = to_weights(view, problem.network)
    found = [
        measure(high @ high.T, low.T @ low) if _fit(low, high) else jnp.full((), jnp.nan, low.dtype)
        for low, high in itertools.pairwise(weights)
    ]
    return stacked(found, weights[0].dtype)


def _fit(low: Array, high: Array) -> bool:
    """Whether both are dense layers, and one reads what the other gives."""
    return low.ndim == high.ndim == 2 and low.shape[1] == high.shape[0]


def _dense(problem: Problem, head: Weights) -> Weights:
    fits = all(_fit(low, high) for low, high in itertools.pairwise(head))
    if not fits or head[-1].ndim != 2:
        raise refusal(
            f"a head of dense layers that fit each other in {problem.network.name}",
            f"layers {[layer.shape for layer in head]}",
            "pass fewer linear layers",
        )
    return head
