"""Margins of the normalised network, errors and separability.

For targets +-1 the margin of sample n is fbar_n = y_n f_V(x_n). With C outputs it is the own
output minus the largest other, divided by what that difference is for the targets, so that
rho fbar_n = 1 means in both cases that the targets are met. Where rho is negative, which a run from
small rho can reach, margins carry its sign: they belong to the classifier rho f_V.

Source: [Dyn] section 3.1; average separability, [Dyn] section 3.5.
"""

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, ArrayLike, Float

from ...models.checks import refusal
from ...models.problem import Problem
from ...models.targets import classes_of, encoding_of
from ...models.views import View
from .moments import mu


def margins(problem: Problem, view: View) -> Float[Array, "samples"]:
    """fbar_n of each training sample, ``[samples]``; positive where it is classified rightly."""
    values = view.evaluate(problem.network, problem.inputs)
    return _sign(view) * _margins(values, problem.targets)


def least_margin(problem: Problem, view: View) -> Float[Array, ""]:
    """The smallest margin: positive if and only if the network separates the training set."""
    return jnp.min(margins(problem, view))


def train_error(problem: Problem, view: View) -> Float[Array, ""]:
    """Share of training samples whose margin is not positive."""
    return jnp.mean(margins(problem, view) <= 0)


def separability(problem: Problem, view: View) -> Float[Array, ""]:
    """1 where every margin is positive, else 0."""
    return least_margin(problem, view) > 0


def average_separability(problem: Problem, view: View) -> Float[Array, ""]:
    """1 where the mean margin mu is positive, else 0. Source: [Dyn] section 3.5."""
    return _sign(view) * mu(problem, view) > 0


def error_on(inputs: ArrayLike, targets: ArrayLike) -> Partial:
    """An observable: the share of held-out samples that are classified wrongly.

    Args:
        inputs: ``[samples, ...]``, scaled like the training inputs.
        targets: Encoded like the training targets.

    Returns:
        An observable that carries the data as leaves, for ``observe(test_error=error_on(x, y))``.

    Raises:
        ValueError: If the targets are not encoded, or not one for each input.
    """
    held_out, wanted = jnp.asarray(inputs), jnp.asarray(targets)
    if held_out.ndim == 0 or wanted.shape[:1] != held_out.shape[:1] or encoding_of(wanted) is None:
        raise refusal(
            "one encoded target for each held-out input",
            f"inputs {held_out.shape} and targets {wanted.shape}",
            "encode class labels like the training targets, with models.encode",
        )
    return Partial(_error, held_out, wanted)


def _error(
    inputs: Float[Array, "samples ..."],
    targets: Float[Array, "samples ..."],
    problem: Problem,
    view: View,
) -> Float[Array, ""]:
    values = view.predict(problem.network, inputs)
    return jnp.mean(_sign(view) * _margins(values, targets) <= 0)


def _sign(view: View) -> Float[Array, ""]:
    """The sign of rho, which a run from small rho may cross: the classifier is rho f_V."""
    return jnp.where(view.rho < 0, -1.0, 1.0).astype(view.rho.dtype)


def _margins(
    values: Float[Array, "samples ..."], targets: Float[Array, "samples ..."]
) -> Float[Array, "samples"]:
    if values.ndim == 1:
        return values * targets
    own = classes_of(targets)[:, None] == jnp.arange(targets.shape[1])[None, :]
    return _lead(values, own) / _lead(targets, own)


def _lead(values: Float[Array, "samples outputs"], own: Array) -> Float[Array, "samples"]:
    mine = jnp.sum(jnp.where(own, values, 0), axis=1)
    return mine - jnp.max(jnp.where(own, -jnp.inf, values), axis=1)
