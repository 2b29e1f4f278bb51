"""Lambert's W: the solutions w of w e^w = z.

Two branches are real: 0, with w >= -1, for z >= -1/e, and -1, with w <= -1, for -1/e <= z < 0.
Halley's iteration in w - z e^(-w), which does not overflow, from a start good to a few percent, for
a fixed number of rounds. Good to 1e-14 (relative, in double precision) away from the branch point
z = -1/e, where w is known to the square root of the rounding of z only.

Source: Corless, Gonnet, Hare, Jeffrey & Knuth, *On the Lambert W function* (4.18), (4.22), (5.9).
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ...models.checks import is_traced, refusal
from . import arguments

ROUNDS = 8


def lambert_w(z: ArrayLike, branch: int = 0) -> Float[Array, "..."]:
    """W(z) on a real branch, elementwise.

    Args:
        z: At least -1/e, on branch -1 also not positive.
        branch: 0 or -1, static.

    Returns:
        W; NaN outside of the branch's range, -infinity for branch -1 at zero.

    Raises:
        ValueError: If the branch is not real.

    >>> [round(float(lambert_w(-0.2, branch)), 6) for branch in (0, -1)]
    [-0.259171, -2.542641]
    """
    if is_traced(branch) or branch not in (0, -1):
        raise refusal("branch 0 or -1 of Lambert's W", branch, "the others are not real")
    return _compiled(arguments.floating(z)[0], int(branch))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _lambert_w(z: Float[Array, "..."], branch: int) -> Float[Array, "..."]:
    excess = 1 + jnp.e * z  # zero at the branch point
    start = _start_of_main(z, excess) if branch == 0 else _start_of_lower(z, excess)
    w = jax.lax.fori_loop(0, ROUNDS, lambda _, w: _halley(w, z), start)
    tiny = 8 * jnp.finfo(z.dtype).eps
    w = jnp.where(jnp.abs(excess) <= tiny, start, w)
    w = jnp.where(excess < -tiny, jnp.nan, w)
    if branch == 0:
        return jnp.where(jnp.isposinf(z), z, w)
    return jnp.where(z < 0, w, jnp.where(z == 0, -jnp.inf, jnp.nan))


@_lambert_w.defjvp
def _jvp(
    branch: int, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    w = _lambert_w(primals[0], branch)
    return w, tangents[0] * jnp.exp(-w) / (1 + w)


_compiled = jax.jit(_lambert_w, static_argnums=1)


def _halley(w: Float[Array, "..."], z: Float[Array, "..."]) -> Float[Array, "..."]:
    miss, above = w - z * jnp.exp(-w), w + 1
    safe = jnp.where(above == 0, 1.0, above)
    slope = safe - (w + 2) * miss / (2 * safe)
    return jnp.where(above == 0, w, w - miss / slope)


def _start_of_main(z: Float[Array, "..."], excess: Float[Array, "..."]) -> Float[Array, "..."]:
    log = jnp.log1p(jnp.maximum(z, 0.0))
    large = log * (1 - jnp.log1p(log) / (2 + log))
    return jnp.where(z < 0, _near_branch_point(excess, 1), large)


def _start_of_lower(z: Float[Array, "..."], excess: Float[Array, "..."]) -> Float[Array, "..."]:
    near = _near_branch_point(excess, -1)
    small = jnp.clip(z, -0.25, -jnp.finfo(z.dtype).tiny)
    log = jnp.log(-small)
    twice = jnp.log(-log)
    return jnp.where(z < -0.25, near, log - twice + twice / log)


def _near_branch_point(excess: Float[Array, "..."], sign: int) -> Float[Array, "..."]:
    p = sign * jnp.sqrt(2 * jnp.maximum(excess, 0.0))
    return -1 + p * (1 - p * (1 / 3 - p * 11 / 72))
