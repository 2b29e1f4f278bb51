"""What is looked at in every hidden layer of a network of several classes.

Rows are hidden layers from 0; the last one is what the last layer sees. Each is an observable,
``(problem, view) -> array``, for ``dynamics.observe(nc1=nc1)``.
"""

from typing import Any

import jax
import jax.numpy as jnp

from ... import dynamics, models


def nc1(problem: models.Problem, view: models.View) -> jax.Array:
    """Tr Sigma_W / Tr Sigma_B of every hidden layer."""
    return _over_hidden(dynamics.observables.collapse.nc1_traces, problem, view)


def nc2(problem: models.Problem, view: models.View) -> jax.Array:
    """Condition number of the uncentred class means of every hidden layer."""
    return _over_hidden(dynamics.observables.collapse.nc2_condition, problem, view)


def gram(problem: models.Problem, view: models.View) -> jax.Array:
    """Cosines of the uncentred class means of every hidden layer with each other."""
    products = _over_hidden(dynamics.observables.balance.class_mean_gram, problem, view)
    sizes = jnp.sqrt(jnp.diagonal(products, axis1=1, axis2=2))
    return products / (sizes[:, :, None] * sizes[:, None, :])


def _over_hidden(measure: Any, problem: models.Problem, view: models.View) -> jax.Array:
    count = len(problem.network.layers) - 1
    return jnp.stack([measure(problem, view, layer=layer) for layer in range(count)])
