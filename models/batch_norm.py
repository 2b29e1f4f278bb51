"""Batch norm without trained scale and shift: units seen relative to the batch that they are in.

A unit's pre-activations z_n = <w, h_n> over the samples of a batch are replaced by

    zhat_n = (z_n - m) / sqrt(v + epsilon |w|^2),    m = mean(z),    v = mean((z - m)^2),

with w the unit's own weights (a row of the documents' W_k, a column of our array). With epsilon = 0
the derivative is d zhat / d z = (I - 1 1^T / N - zhat zhat^T / N) / sqrt(v).

**Invariance.** zhat does not change when w is multiplied by a positive number, *for any epsilon*,
since epsilon is relative to |w|^2; PyTorch's and flax's epsilon is absolute and breaks this by a
little. So <w, d loss / dw> = 0 for every unit, and

    f_W = |W_L| f_V:    rho_k = 1 for k < L,    rho = rho_L,

the radius is the top layer's norm alone (or the product over the layers after the last batch norm,
where there are several). A convolution's unit is a channel, standardised over samples and pixels.
Activations are applied to zhat, whose size is one: the half-width of a smoothed kink is then its
share of one (`models.activations`).

**Coupling.** Outputs of one sample depend on the others of its batch: there is no gradient of one
sample's loss, and what held-out data give depends on who keeps them company. For those, m and v
are *fixed statistics*, running averages from training; multiplying w by c multiplies m by c and
v by c^2. The variance is the mean square deviation; PyTorch's running variance is larger by
N/(N-1). A batch of one sample gives zhat = 0, and so does a unit that never varies when epsilon is
zero.

Source: [M112] A.2, [M117] H.1-2. Printed forms differ: they leave out 1 1^T / N.
"""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from .checks import expect, refusal, single
from .display import shown
from .network import Network, Statistics, Weights
from .polar import layer_norms, normalise


@dataclasses.dataclass(frozen=True)
class BatchNorm:
    """Batch norm after every hidden layer's product, before its activation.

    Attributes:
        epsilon: Added to the variance in units of |w|^2; small against the variance of the unit's
            inputs along its weights.

    Raises:
        ValueError: If epsilon is negative.
    """

    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        single("epsilon", self.epsilon)
        if not self.epsilon >= 0:
            raise refusal("an epsilon >= 0", self.epsilon, "pass for example 1e-6")


def as_batch_norm(wanted: BatchNorm | bool) -> BatchNorm | None:
    """What a constructor's ``batch_norm`` asks for: the usual one for True, none for False.

    Raises:
        ValueError: If it is none of these and no `BatchNorm`.
    """
    if isinstance(wanted, BatchNorm):
        return wanted
    expect(wanted, bool, "batch_norm as True, False or a BatchNorm", "pass BatchNorm(epsilon=1e-5)")
    return BatchNorm() if wanted else None


@shown
class TrackedPolar(NamedTuple):
    """Polar coordinates of a network with batch norm, and its running statistics: a `View`.

    Attributes:
        radii: One for layers with batch norm, which have no scale, and the norms of the others.
        directions: Each layer with unit Frobenius norm.
        statistics: Of the hidden units, as the directions make them.
    """

    radii: Float[Array, "layers"]
    directions: Weights
    statistics: tuple[Statistics, ...]

    @property
    def rho(self) -> Float[Array, ""]:
        """The product of the radii: mostly the top layer's norm."""
        return jnp.prod(self.radii)

    def evaluate(
        self, network: Network, inputs: Float[Array, "samples ..."]
    ) -> Float[Array, "samples ..."]:
        """Outputs f_V(x_n) under the statistics of these inputs, as in training."""
        return network.apply(self.directions, inputs)

    def predict(
        self, network: Network, inputs: Float[Array, "samples ..."]
    ) -> Float[Array, "samples ..."]:
        """Outputs f_V(x_n) under the running statistics, each sample by itself."""
        assert network.apply_with is not None
        return network.apply_with(self.directions, self.statistics, inputs)


def tracked_polar(weights: Weights, statistics: tuple[Statistics, ...]) -> TrackedPolar:
    """Polar coordinates of weights, with the statistics divided like the hidden layers.

    Args:
        weights: One array per layer.
        statistics: One per layer with batch norm, the first ones, as these weights make them.
    """
    norms, standardised = layer_norms(weights), len(statistics)
    shared = (
        Statistics(own.means / norm, own.variances / norm**2)
        for own, norm in zip(statistics, norms[:standardised], strict=True)
    )
    return TrackedPolar(norms.at[:standardised].set(1), normalise(weights), tuple(shared))


def first_statistics(standardised: Weights) -> tuple[Statistics, ...]:
    """Means zero and variances one, from which running averages usually begin.

    Args:
        standardised: Weights of the layers with batch norm.
    """
    zeros = [jnp.zeros(layer.shape[-1], layer.dtype) for layer in standardised]
    return tuple(Statistics(zero, jnp.ones_like(zero)) for zero in zeros)


def of_batch(values: Float[Array, "samples units"]) -> Statistics:
    """Mean and mean square deviation of each unit over the samples."""
    samples = values.shape[0]
    means = _total(values) / samples
    return Statistics(means, _total((values - _repeated(means, samples)) ** 2) / samples)


def standardise(
    epsilon: float,
    layer: Float[Array, "fan_in units"],
    statistics: Statistics,
    values: Float[Array, "samples units"],
) -> Float[Array, "samples units"]:
    """Zhat of a dense layer's pre-activations.

    Args:
        epsilon: In units of |w|^2.
        layer: The weights; column j feeds unit j.
        statistics: Of the batch, or running ones.
        values: The pre-activations.
    """
    squares = statistics.variances + epsilon * _total(layer**2)
    varies = squares > jnp.finfo(squares.dtype).tiny
    scales = jnp.where(varies, 1 / jnp.sqrt(jnp.where(varies, squares, 1)), 0)
    samples = values.shape[0]
    return (values - _repeated(statistics.means, samples)) * _repeated(scales, samples)


# Sums over samples are products with ones, and so are their derivatives: a program that fuses a sum
# with its neighbours rounds it in its own way, and a run in an ensemble would differ in last bits
# from the run alone. On accelerators products must be asked for full precision.


def _total(array: Float[Array, "rows units"]) -> Float[Array, "units"]:
    ones = jnp.ones((1, array.shape[0]), array.dtype)
    return jnp.matmul(ones, array, precision="highest")[0]


def _repeated(row: Float[Array, "units"], count: int) -> Float[Array, "count units"]:
    return jnp.matmul(jnp.ones((count, 1), row.dtype), row[None, :], precision="highest")
