"""What a run is asked for, looked at before anything is compiled.

A dynamics, observables, a stopping condition, a key and times are each refused at the call, in one
line, where they are no such thing; a state from which a run goes on has its stop taken back.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from ..models.checks import expect, is_traced, refusal
from .host import is_key
from .observe import Observe
from .stopping import Condition
from .types import Dynamics, State, Status


def expect_run(dynamics: Any, look: Any, stop: Any, key: Any = None) -> None:
    """Refuses what is no dynamics, observables, condition or key where one is expected.

    Args:
        dynamics: Should be a `Dynamics`.
        look: Should be an `Observe`.
        stop: Should be a `Condition`, or None.
        key: Should be a key of JAX, or None.

    Raises:
        ValueError: As said.
    """
    expect(dynamics, Dynamics, "a dynamics", "pass for example dynamics.gradient_flow(problem)")
    expect(look, Observe, "observables", "pass observe=dynamics.observe('loss', 'rho')")
    if stop is not None:
        expect(stop, Condition, "a stopping condition", "pass stop=dynamics.at_rest(window=10.0)")
    expect_key(key)


def expect_key(key: Any) -> None:
    """Refuses what is neither one key of JAX, of the new kind or the old, nor None.

    Raises:
        ValueError: As said.
    """
    if key is None:
        return
    new = hasattr(key, "dtype") and is_key(key) and key.ndim == 0
    old = getattr(key, "dtype", None) == jnp.uint32 and key.ndim == 1
    if not (new or old):
        raise refusal("a key", key, "pass key=jax.random.key(0)")


def resume(dynamics: Dynamics, state: State, *, members: bool) -> State:
    """The state with a stop that may be taken back (a condition, a budget) taken back.

    So are those of the members of a product, whose states are its memory.

    Args:
        dynamics: What goes on.
        state: Where it stands.
        members: Whether states of many members are expected, or of one.

    Raises:
        ValueError: If the state is another dynamics', or of one member where many are expected.
    """
    if not isinstance(state.memory, dynamics.carries) or state.status.ndim != int(members):
        raise refusal(
            f"{'states of members' if members else 'one state'} of {dynamics.name}",
            f"a {type(state.memory).__name__} of shape {state.status.shape}",
            "go on with the dynamics, and with simulate or ensemble, that made the state",
        )
    return _going_on(state)


def _going_on(state: State) -> State:
    """A state and all states in its memory, none of them stopped but by divergence."""
    memory = jax.tree.map(
        lambda leaf: _going_on(leaf) if isinstance(leaf, State) else leaf,
        state.memory,
        is_leaf=lambda leaf: isinstance(leaf, State),
    )
    again = jnp.where(state.status == Status.DIVERGED, state.status, Status.FINISHED)
    return state._replace(memory=memory, status=again.astype(state.status.dtype))


def check_times(times: ArrayLike, state: State | None = None) -> Float[np.ndarray, "..."]:
    """Times as float64 on the host, refused unless they increase and lie at or after a state.

    Raises:
        ValueError: As said.
    """
    if is_traced(times):
        return times  # type: ignore[return-value]
    values = np.asarray(times, np.float64)
    if values.ndim == 0 or values.shape[-1] == 0 or not np.all(np.isfinite(values)):
        raise refusal("finite times [T]", values, "pass for example jnp.linspace(0, 100, 201)")
    if np.any(np.diff(values, axis=-1) <= 0) or np.any(values < 0):
        raise refusal("increasing times from 0 on", values, "sort them")
    if state is not None and not is_traced(state.time):
        begun, first = np.broadcast_arrays(np.asarray(state.time), values[..., 0])
        late = np.flatnonzero(first.ravel() < begun.ravel() * (1 - 1e-5))
        if late.size:
            stands, asked = begun.ravel()[late[0]], first.ravel()[late[0]]
            raise refusal(f"times from {stands:g} on, where the state stands", asked, "begin later")
    return values
