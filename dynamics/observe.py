"""Choosing what to look at: observables by name, and one's own.

An observable is a pure function ``(problem, view) -> pytree of arrays``; it knows nothing of how
the view came about, so that it works along any dynamics and on weights that somebody else trained.
Whatever several observables share (the network's outputs) is computed once when compiled.

    look = observe("rho", "margins") | observe("nc1_traces", "numerical_rank").every(4)

looks at what is dear at every fourth time only; rows between are NaN.
"""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Int, PyTree

from ..models.checks import refusal, unknown
from . import observables

Observable = Callable[[Any, Any], PyTree]
"""``observable(problem, view) -> pytree``; a ``jax.tree_util.Partial`` carries arrays of its own
(held-out data, say) as leaves."""


class Observe(eqx.Module):
    """Named observables; calling it gives a dict of their values, all floating.

    ``first | second`` looks at both.

    Attributes:
        functions: Observables by name.
        strides: Names and strides of those that are not looked at every time.
    """

    functions: dict[str, Partial]
    strides: tuple[tuple[str, int], ...] = eqx.field(static=True, default=())

    def __repr__(self) -> str:
        strides = dict(self.strides)
        names = (f"{name}/{strides[name]}" if name in strides else name for name in self.functions)
        return f"Observe({', '.join(names)})"

    def __or__(self, other: "Observe") -> "Observe":
        """Both; of two observables with one name, the other's."""
        kept = tuple(pair for pair in self.strides if pair[0] not in other.functions)
        return Observe(self.functions | other.functions, kept + other.strides)

    def every(self, stride: int) -> "Observe":
        """The same, looked at in the first row of a run and every so many rows from there.

        The rows between are NaN. Where several runs are one (`compare`, a stated error), all is
        looked at every time.

        Args:
            stride: How many rows lie from one look to the next.

        Raises:
            ValueError: If the stride is no positive whole number.

        >>> observe("loss") | observe("nc4").every(10)
        Observe(loss, nc4/10)
        """
        if not isinstance(stride, int) or stride < 1:
            raise refusal("a positive whole number", stride, "pass for example every(4)")
        strides = tuple((name, stride) for name in self.functions) if stride > 1 else ()
        return Observe(self.functions, strides)

    def __call__(
        self, problem: Any, view: Any, row: Int[Array, ""] | None = None
    ) -> dict[str, PyTree]:
        """Values by name at one view.

        Args:
            problem: Whose.
            view: Where.
            row: Which row of a run this is, from 0; everything is looked at unless given.
        """
        rare = {} if row is None else dict(self.strides)
        seen = {
            name: jax.tree.map(_floating, function(problem, view))
            for name, function in self.functions.items()
            if name not in rare
        }
        if row is None:
            return seen
        for stride in sorted(set(rare.values())):
            group = Observe({name: self.functions[name] for name, n in rare.items() if n == stride})
            now = jnp.asarray(row % stride == 0)
            seen |= or_nan(now, functools.partial(group, problem), view)
        return seen


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


def or_nan(now: Bool[Array, ""], look: Callable[[PyTree], PyTree], at: PyTree) -> PyTree:
    """``look(at)`` where it is time to look, NaN in its place where it is not."""
    shapes = jax.eval_shape(look, at)
    empty = jax.tree.map(lambda leaf: jnp.full(leaf.shape, jnp.nan, leaf.dtype), shapes)
    return jax.lax.cond(now, look, lambda _: empty, at)


def _floating(value: Array) -> Array:
    array = jnp.asarray(value)
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)
