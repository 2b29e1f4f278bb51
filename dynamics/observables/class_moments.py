"""Class means and covariances of what a layer gives: what neural collapse is about.

With h_n what hidden layer ``layer`` makes of sample n, classes c = 1..C and N_c samples in class c,

    mu_c    = (1/N_c) sum_{n in c} h_n,         mu_G    = (1/C) sum_c mu_c,
    Sigma_W = (1/C) sum_c (1/N_c) sum_{n in c} (h_n - mu_c)(h_n - mu_c)^T,
    Sigma_B = (1/C) sum_c (mu_c - mu_G)(mu_c - mu_G)^T,
    Sigma_T = (1/C) sum_c (1/N_c) sum_{n in c} (h_n - mu_G)(h_n - mu_G)^T = Sigma_W + Sigma_B.

The documents write these for balanced classes. Here every *class* weighs the same, whatever its
number of samples, so that Sigma_T = Sigma_W + Sigma_B and the simplex geometry keep their meaning
when classes are unbalanced. A class without a sample has no mean, and everything that is made of
class means is then NaN; what is not, such as NC2 of the classifier vectors and the distance of the
outputs to quasi-interpolation, stays a number.

``layer`` counts `Network.hidden` from 0; -1, the default, are the features that the last layer
sees. ``normalised`` says whose features: those of the directions V_k (the documents' h), or of the
weights W_k = rho_k V_k, which are prod_{k <= layer} rho_k times as long. Targets +-1 are two
classes, class 0 at -1 and class 1 at +1, whose classifier vectors are -V_L and V_L. A linearised
view shows the features of a network with the moving weights.

Options of these observables and of those in `collapse` and `balance` are set by `with_options`.

Source: [Dyn] (26), (27); [M117] (82)-(84); [Wide] section 3. [Dyn] (26) divides by N where N per
class is meant.
"""

import inspect
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...models.binding import bind
from ...models.checks import refusal, unknown
from ...models.polar import to_weights
from ...models.problem import Problem
from ...models.targets import classes_of
from ...models.views import View
from .points import as_matrix

VECTORS = ("means", "classifiers")
"""What the metrics of NC2 can be asked of."""


class ClassMoments(NamedTuple):
    """First moments by class, and what the second ones are made of.

    Attributes:
        means: mu_c.
        centre: mu_G.
        features: h_n.
        deviations: h_n - mu_c.
        weights: 1/(C N_c) of each sample's class, which add up to one.
    """

    means: Float[Array, "classes width"]
    centre: Float[Array, "width"]
    features: Float[Array, "samples width"]
    deviations: Float[Array, "samples width"]
    weights: Float[Array, "samples"]

    @property
    def centred(self) -> Float[Array, "classes width"]:
        """mu_c - mu_G."""
        return self.means - self.centre[None, :]


def with_options(observable: Callable[..., Any], **options: int | bool | str) -> Callable[..., Any]:
    """An observable with options of its own, for ``observe(name=with_options(...))``.

    Args:
        observable: One of this module, of `collapse` or of `balance`.
        **options: By the names that it takes after problem and view.

    Returns:
        A function of problem and view, the same object for equal arguments.

    Raises:
        ValueError: If it has no option of that name, or an option has an unknown value. Whether
            there is such a layer is known, and refused, when it is evaluated.

    >>> with_options(class_means, layer=0) is with_options(class_means, layer=0)
    True
    """
    known = list(inspect.signature(observable).parameters)[2:]
    for name, value in options.items():
        if name not in known:
            raise unknown(f"option of {observable.__name__}", name, known)
        if name in {"layer", "linear_layers"}:
            _check_count(name, value)
        elif name == "of" and value not in VECTORS:
            raise unknown("vectors", str(value), VECTORS)
    return bind(_with, observable, tuple(sorted(options.items())))


def _check_count(name: str, value: Any) -> None:
    try:
        operator.index(value)
    except TypeError as error:
        raise refusal(f"a whole number for {name}", value, "pass for example 0") from error


def _with(
    observable: Callable[..., Any], options: tuple[tuple[str, Any], ...], problem: Any, view: Any
) -> Any:
    return observable(problem, view, **dict(options))


def layer_outputs(
    problem: Problem, view: View, layer: int = -1, normalised: bool = True
) -> Float[Array, "samples width"]:
    """What a hidden layer makes of the training inputs, one row per sample.

    Raises:
        ValueError: If the network has no such layer.
    """
    weights = view.directions if normalised else to_weights(view, problem.network)
    if layer == -1:
        values = problem.network.features(weights, problem.inputs)
    else:
        hidden = problem.network.hidden(weights, problem.inputs)
        if not -len(hidden) <= layer < len(hidden):
            raise refusal(
                f"one of the {len(hidden)} hidden layers of {problem.network.name}",
                layer,
                "count from 0, or take -1 for the features",
            )
        values = hidden[layer]
    return values.reshape(len(values), -1)


def membership(problem: Problem) -> Float[Array, "samples classes"]:
    """1 where a sample is in a class, else 0."""
    targets = problem.targets
    classes = 2 if targets.ndim == 1 else targets.shape[1]
    own = classes_of(targets)[:, None] == jnp.arange(classes)[None, :]
    return own.astype(targets.dtype)


def class_moments(
    problem: Problem, view: View, layer: int = -1, normalised: bool = True
) -> ClassMoments:
    """Class means, deviations and weights.

    Args:
        problem: Whose training samples.
        view: Where.
        layer: Which hidden layer, see the module.
        normalised: Whether of the directions V_k, else of W_k = rho_k V_k.
    """
    features, member = layer_outputs(problem, view, layer, normalised), membership(problem)
    counts = jnp.sum(member, axis=0)
    means = (member.T @ features) / counts[:, None]
    return ClassMoments(
        means=means,
        centre=jnp.mean(means, axis=0),
        features=features,
        deviations=features - member @ means,
        weights=member @ (1 / (len(counts) * counts)),
    )


def class_means(
    problem: Problem, view: View, layer: int = -1, normalised: bool = True
) -> Float[Array, "classes width"]:
    """mu_c, one row per class."""
    return class_moments(problem, view, layer, normalised).means


def global_mean(
    problem: Problem, view: View, layer: int = -1, normalised: bool = True
) -> Float[Array, "width"]:
    """mu_G, the mean of the class means."""
    return class_moments(problem, view, layer, normalised).centre


def within(
    problem: Problem, view: View, layer: int = -1, normalised: bool = True
) -> Float[Array, "width width"]:
    """Sigma_W, the covariance within classes. Source: [Dyn] (27)."""
    at = class_moments(problem, view, layer, normalised)
    return _covariance(at.deviations, at.weights)


def between(
    problem: Problem, view: View, layer: int = -1, normalised: bool = True
) -> Float[Array, "width width"]:
    """Sigma_B, the covariance of the class means; its rank is at most C - 1."""
    at = class_moments(problem, view, layer, normalised)
    return at.centred.T @ at.centred / len(at.means)


def total(
    problem: Problem, view: View, layer: int = -1, normalised: bool = True
) -> Float[Array, "width width"]:
    """Sigma_T, the covariance about mu_G, from the features themselves."""
    at = class_moments(problem, view, layer, normalised)
    return _covariance(at.features - at.centre[None, :], at.weights)


def classifiers(problem: Problem, view: View) -> Float[Array, "classes width"]:
    """The rows V_L^c of the last layer of rho f_V, with unit Frobenius norm over its outputs.

    A negative rho turns their sign; a scalar network has the rows -V_L and V_L.
    """
    signed = jnp.copysign(jnp.ones_like(view.rho), view.rho) * as_matrix(view.directions[-1]).T
    return jnp.concatenate([-signed, signed]) if problem.targets.ndim == 1 else signed


def _covariance(
    rows: Float[Array, "samples width"], weights: Float[Array, "samples"]
) -> Float[Array, "width width"]:
    return (weights[:, None] * rows).T @ rows
