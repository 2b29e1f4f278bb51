"""Choosing what to look at: observables by name, and one's own.

An observable is a pure function ``(problem, view) -> pytree of arrays``; it knows nothing of how
the view came about, so that it works along any dynamics and on weights that somebody else trained.
Whatever several observables share (the network's outputs) is computed once when compiled.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, PyTree

from ..models.checks import refusal, unknown
from . import observables

Observable = Callable[[Any, Any], PyTree]
"""``observable(problem, view) -> pytree``; a ``jax.tree_util.Partial`` carries arrays of its own
(held-out data, say) as leaves."""


class Observe(eqx.Module):
    """Named observables; calling it gives a dict of their values, all floating."""

    functions: dict[str, Partial]

    def __repr__(self) -> str:
        return f"Observe({', '.join(self.functions)})"

    def __call__(self, problem: Any, view: Any) -> dict[str, PyTree]:
        """Values by name at one view."""
        return {
            name: jax.tree.map(_floating, function(problem, view))
            for name, function in self.functions.items()
        }


def observe(*names: str, **own: Observable) -> Observe:
    """Chooses what to look at.

    Args:
        *names: Names of observables, see `dynamics.observables.BY_NAME`.
        **own: Your own, by the name they shall have. Functions are static: one that is defined
            anew each time (a lambda in a notebook cell that is run again) compiles anew.

    Returns:
        An `Observe`, for ``simulate(..., observe=...)``, or to be called on a problem and a view.

    Raises:
        ValueError: If a name is unknown, or what was given cannot be called.

    >>> observe("loss", radius_squared=lambda problem, view: view.rho**2)
    Observe(loss, radius_squared)
    """
    functions: dict[str, Partial] = {}
    for name in names:
        if name not in observables.BY_NAME:
            raise unknown("observable", name, observables.BY_NAME)
        functions[name] = Partial(observables.BY_NAME[name])
    for name, function in own.items():
        if not callable(function):
            raise refusal(f"a function for '{name}'", function, "pass f(problem, view)")
        functions[name] = function if isinstance(function, Partial) else Partial(function)
    return Observe(functions)


def _floating(value: Array) -> Array:
    array = jnp.asarray(value)
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)
