"""By what powers a function's outputs grow with its arrays: tested at random ones, not believed.

    f(..., c w_k, ...) = c^{d_k} f(..., w_k, ...)    for every c > 0: d_k is the degree of array k.

Asked are c = 2 and c = 1/2, in double precision, at three draws of arrays and inputs at which the
outputs do not vanish (all of a ReLU's may); the three have to agree. Where c = -1 turns the
outputs' sign, the array can carry that of a negative rho.

Limits: a function that scales at these draws and not elsewhere passes.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .network import Weights

FACTORS = (2.0, 0.5)
TOLERANCE = 1e-9
"""Of an output, relative to the largest, in double precision."""
SAMPLES, TESTS, DRAWS = 8, 3, 24
"""Inputs of a draw, draws that count, and how many are made to find so many."""


class Scaling(NamedTuple):
    """How outputs grow with each array.

    Attributes:
        degrees: Of each array; None where outputs grow by no power. Empty where they vanish, or are
            no numbers, in nearly every draw.
        signs: Whether the outputs change sign with the array, of each.
    """

    degrees: tuple[int | None, ...]
    signs: tuple[bool, ...]


def drawn(
    shapes: Sequence[tuple[int, ...]], features: tuple[int, ...], seed: int
) -> tuple[Weights, Float[Array, "samples ..."]]:
    """Random arrays, which keep the size of what they are applied to, and inputs.

    Args:
        shapes: Of the arrays.
        features: The shape of one sample.
        seed: Which draw.
    """
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(s) / math.sqrt(max(1, math.prod(s[:-1]))) for s in shapes]
    inputs = rng.standard_normal((SAMPLES, *features))
    return tuple(map(jnp.asarray, arrays)), jnp.asarray(inputs)


def scaling(
    apply: Callable[[Weights, Array], Array],
    shapes: Sequence[tuple[int, ...]],
    features: tuple[int, ...],
) -> Scaling:
    """The degree of each array, under double precision (``jax.enable_x64``).

    Args:
        apply: ``apply(arrays, inputs) -> outputs``.
        shapes: Of the arrays.
        features: The shape of one sample.
    """
    found: list[Scaling] = []
    for seed in range(DRAWS):
        arrays, inputs = drawn(shapes, features, seed)
        outputs = apply(arrays, inputs)
        if 0 < float(jnp.max(jnp.abs(outputs))) < np.inf:
            found.append(_at(apply, arrays, inputs, outputs))
        if len(found) == TESTS:
            break
    if len(found) < TESTS:
        return Scaling((), ())
    degrees = zip(*(one.degrees for one in found), strict=True)
    signs = zip(*(one.signs for one in found), strict=True)
    return Scaling(
        tuple(own[0] if len(set(own)) == 1 else None for own in degrees),
        tuple(all(own) for own in signs),
    )


def equal(left: Array, right: Array) -> bool:
    """Whether outputs are the same, up to `TOLERANCE` of the largest of the right ones."""
    return bool(jnp.max(jnp.abs(left - right)) <= TOLERANCE * jnp.max(jnp.abs(right)))


def _at(
    apply: Callable[[Weights, Array], Array], arrays: Weights, inputs: Array, outputs: Array
) -> Scaling:
    def times(factor: float, number: int) -> Array:
        scaled = (*arrays[:number], factor * arrays[number], *arrays[number + 1 :])
        return apply(scaled, inputs)

    numbers = range(len(arrays))
    return Scaling(
        tuple(_power([times(factor, k) for factor in FACTORS], outputs) for k in numbers),
        tuple(equal(times(-1.0, k), -outputs) for k in numbers),
    )


def _power(grown: Sequence[Array], outputs: Array) -> int | None:
    """By what power of the factors the outputs have grown; None where by none."""
    ratio = float(jnp.max(jnp.abs(grown[0])) / jnp.max(jnp.abs(outputs)))
    if not 0 < ratio < np.inf:
        return None
    power = round(np.log(ratio) / np.log(FACTORS[0]))
    pairs = zip(FACTORS, grown, strict=True)
    fits = power >= 0 and all(equal(new, factor**power * outputs) for factor, new in pairs)
    return power if fits else None
