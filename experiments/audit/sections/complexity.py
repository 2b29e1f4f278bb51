"""Statements of section 9, continued: complexities of trees and convolutions, and 1.6 with them."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .... import models
from ....dynamics.observables import bounds
from ..statement import CONSTRUCTION, Statement
from .residuals import excess, relative

OVERLAP = bounds.overlap_factor((3, 3), (1, 1))


def overlapping_outputs(factor: float) -> Array:
    """|f_V(x)| <= factor |x| of two 3x3 layers of constant unit kernels, a constant image."""
    image = np.full((32, 32), 1 / 32.0)
    kernel = np.full((3, 3), 1 / 3.0)
    for _ in range(2):
        windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        image = np.maximum(np.einsum("abij,ij->ab", windows, kernel), 0)
    return excess(np.linalg.norm(image), factor)


def _tree_suprema(layers: int, grid: int, inputs: np.ndarray) -> tuple[float, models.Problem]:
    """R of trees with one unit kernel of two weights a layer: all nets of a grid, all signs."""
    samples, network = len(inputs), models.tree(layers)
    angles = np.linspace(0, 2 * np.pi, grid, endpoint=False)
    kernels = np.stack([np.cos(angles), np.sin(angles)], axis=1).reshape(-1, 2, 1, 1)
    chosen = np.asarray(list(itertools.product(kernels, repeat=layers)))
    outputs = jax.vmap(network.apply, in_axes=(0, None))(
        tuple(jnp.asarray(chosen[:, layer]) for layer in range(layers)), jnp.asarray(inputs)
    )
    signs = np.asarray(list(itertools.product((-1.0, 1.0), repeat=samples)))
    best = np.max(signs @ np.asarray(outputs).T, axis=1)
    problem = models.Problem(network, inputs, np.where(np.arange(samples) % 2, 1.0, -1.0))
    return float(np.mean(best)) / samples, problem


def trees() -> Array:
    """R of binary trees is at most 2^(L-1) sqrt(sum |x|^2) / m, two and three layers.

    One layer is a linear unit: on x_1 = e_1, x_2 = e_2 every choice of signs is met in full, and
    the bound is R itself.
    """
    exact, problem = _tree_suprema(1, 8, np.eye(2))
    over = [relative(exact, bounds.tree_complexity(1, problem))]
    for layers, grid in ((2, 40), (3, 12)):
        inputs = np.random.default_rng(layers).standard_normal((10, 2**layers))
        inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
        found, problem = _tree_suprema(layers, grid, inputs)
        over.append(excess(found, bounds.tree_complexity(layers, problem)))
    return jnp.max(jnp.stack(over))


def constant_of_proof(shift: int) -> Array:
    """A factor of 2 for each of the L - 1 ReLU layers of a tree with 2^L inputs."""
    found = []
    for layers in (2, 3, 6):
        targets = np.where(np.arange(4) % 2, 1.0, -1.0)
        network = models.tree(layers)
        problem = models.Problem(network, np.eye(4, 2**layers), targets)
        relus, width = 0, 2**layers // 2
        while width > 1:
            relus, width = relus + 1, width // 2
        spread = math.sqrt(4) / 4
        found.append(
            relative(bounds.tree_complexity(layers, problem), 2.0 ** (relus + shift) * spread)
        )
    return jnp.max(jnp.stack(found))


def sum_over_samples(with_sum: bool) -> Array:
    """R of <v, x>, |v| <= 1, is at most sqrt(sum |x_n|^2)/m, or max |x_n|/m without the sum."""
    inputs = np.random.default_rng(3).standard_normal((10, 6))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    signs = np.asarray(list(itertools.product((-1.0, 1.0), repeat=10)))
    found = np.mean(np.linalg.norm(signs @ inputs, axis=1)) / 10
    return excess(found, math.sqrt(10 if with_sum else 1) / 10)


def tree_inputs() -> Array:
    """How far the inputs that a tree of three layers reads are from 2 L of them."""
    (count,) = models.tree(3).layers[0].reads
    return jnp.asarray(abs(count - 2.0 * 3))


def _toeplitz(kernel: np.ndarray, stride: int, size: int) -> np.ndarray:
    rows = []
    for begin in range(0, size - len(kernel) + 1, stride):
        row = np.zeros(size)
        row[begin : begin + len(kernel)] = kernel
        rows.append(row)
    return np.asarray(rows)


def overlap() -> Array:
    """Operator norms of unit kernels are at most sqrt(ceil(k / s))."""
    over = []
    for size, stride in ((3, 1), (3, 2), (3, 3), (5, 1)):
        kernel = np.full(size, 1 / math.sqrt(size))
        norm = np.linalg.norm(_toeplitz(kernel, stride, 60), 2)
        over.append(excess(norm, bounds.overlap_factor((size,), (stride,))))
    return jnp.max(jnp.stack(over))


def _convolution(size: int) -> np.ndarray:
    """The matrix of a constant unit 3x3 kernel at stride 1 on an image of size x size."""
    along = _toeplitz(np.full(3, 1 / math.sqrt(3)), 1, size)
    return np.kron(along, along)


def overlap_in_two_dimensions(factor: float) -> Array:
    """The operator norm of a 3x3 kernel at stride 1, on 14 x 14, is at most factor."""
    return excess(np.linalg.norm(_convolution(14), 2), factor)


def overlap_of_layers(factor: float) -> Array:
    """That of two such layers, on 14 x 14."""
    return excess(np.linalg.norm(_convolution(12) @ _convolution(14), 2), factor)


def no_overlap_factor() -> Array:
    """Without the factor: operator norms at most one."""
    kernel = np.full(3, 1 / math.sqrt(3))
    return excess(np.linalg.norm(_toeplitz(kernel, 1, 60), 2), 1.0)


def _frobenius(power: float) -> Array:
    kernel = np.random.default_rng(0).standard_normal(3)
    matrix = _toeplitz(kernel, 3, 30)
    found = np.linalg.norm(matrix) / np.linalg.norm(kernel)
    return relative(jnp.asarray(found), jnp.asarray(len(matrix) ** power))


def naive() -> Array:
    """A Toeplitz layer of P patches has the Frobenius norm sqrt(P) |w|."""
    return _frobenius(0.5)


def naive_as_printed() -> Array:
    """It is said to be multiplied by the number of patches."""
    return _frobenius(1.0)


def naive_product() -> Array:
    """The product over a tree's layers is 2^(L (L-1) / 4)."""
    found = math.prod(math.sqrt(2.0 ** (layer - 1)) for layer in range(1, 7))
    return relative(jnp.asarray(found), jnp.asarray(bounds.naive_factor(6)))


def naive_product_as_printed() -> Array:
    """2^(L^2/4 + 5 L/4)."""
    printed = 2.0 ** (0.25 * 36 + 1.25 * 6)
    return relative(jnp.asarray(printed), jnp.asarray(bounds.naive_factor(6)))


def estimate_below_bound() -> Array:
    """R(F) estimated by ascent over the spheres on random signs is below the dense bound."""
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((12, 6))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    targets = np.where(np.arange(12) % 2, 1.0, -1.0)
    problem = models.Problem(models.mlp((6, 16, 1)), inputs, targets)
    estimate = jax.jit(lambda p, k: bounds.rademacher_estimate(p, k, draws=10, starts=3))
    return excess(estimate(problem, jax.random.key(0)), bounds.dense_complexity(problem))


BUILT, bound = (CONSTRUCTION,), functools.partial
STATEMENTS = (
    Statement(
        "1.6", "[Dyn] abs(f) <= 1", "with kernel norms |f_V(x)| <= |x| prod sqrt(ceil(k/s))",
        bound(overlapping_outputs, OVERLAP**2), bound(overlapping_outputs, 1.0), tolerance=0.0,
        asked_of=BUILT, note="print has no factor: false for overlapping convolutions",
    ),
    Statement("9.4", "[Dyn] Thm 4, (19)", "R of trees <= 2^(L-1) sqrt(sum |x|^2)/m", trees,
              asked_of=BUILT),
    Statement("9.4", "[Dyn] (19), (22)", "the constant of the proof is 2^(L-1)",
              bound(constant_of_proof, 0), bound(constant_of_proof, 1), asked_of=BUILT,
              note="(19) has 2^L, valid and looser; (22) has the right one"),
    Statement("9.4", "[Dyn] Thm 4", "d = 2 L inputs", printed=tree_inputs, asked_of=BUILT,
              note="d = 2^L"),
    Statement("9.5", "[Dyn] (23), (24)", "unit kernels stretch by at most sqrt(ceil(k/s))",
              overlap, no_overlap_factor, tolerance=1e-12, asked_of=BUILT,
              note="the bounds of the 3x3 nets omit the factor"),
    Statement("9.5", "[Dyn] (23), (24), sums", "|x| stands for sqrt(sum |x_n|^2)",
              bound(sum_over_samples, True), bound(sum_over_samples, False), tolerance=0.0,
              asked_of=BUILT, note="taken as printed: |x|/m without the sum, of one layer"),
    Statement("9.5", "[Dyn] (24), dimensions", "a 3x3 kernel at stride 1 stretches by at most 3",
              bound(overlap_in_two_dimensions, OVERLAP),
              bound(overlap_in_two_dimensions, math.sqrt(9 / (9 - 6))), tolerance=0.0,
              asked_of=BUILT, note="print, sqrt(K/(K-O)) with K = 9, O = 6, gives 1.73"),
    Statement("9.5", "[Dyn] (24), layers", "two such layers stretch by at most 9",
              bound(overlap_of_layers, OVERLAP**2), bound(overlap_of_layers, OVERLAP),
              tolerance=0.0, asked_of=BUILT, note="print counts one layer"),
    Statement("9.6", "[Dyn] (25)", "a Toeplitz layer has the norm sqrt(P) |w|", naive,
              naive_as_printed, asked_of=BUILT, note="print: multiplied by P"),
    Statement("9.6", "[Dyn] (25), product", "the product is 2^(L(L-1)/4)", naive_product,
              naive_product_as_printed, asked_of=BUILT, note="print: 2^(L^2/4 + 5L/4)"),
    Statement("9.4", "[Dyn] Thm 3", "R(F) estimated from below stays below the dense bound",
              estimate_below_bound, tolerance=0.0, asked_of=BUILT),
)  # fmt: skip
