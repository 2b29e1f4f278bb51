"""The linearised network: the first-order expansion of a network in its weights.

    f_lin(x; W) = f_A(x) + sum_k <d f_A(x) / d A_k, W_k - A_k>

around an anchor A, which does not move. It is what a network does while its features stand still,
the regime of the neural tangent kernel; a run from large rho stays close to it, one from small rho
does not. Under the square loss without decay the residual r = f_lin - y obeys r' = -(2/N) K r, with
the kernel K_nm = <d f_A(x_n), d f_A(x_m)>.

Source: the regime that [Dyn] section 3.5 and [M117] section 8 set their dynamics against.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .display import shown
from .network import Network, Weights
from .polar import layer_norms, normalise


@shown
class Linearised(NamedTuple):
    """Weights of a linearised network, seen like a `Polar`.

    Attributes:
        weights: Where it is, one array per layer.
        anchor: Around which it is expanded, likewise.
    """

    weights: Weights
    anchor: Weights

    @property
    def radii(self) -> Float[Array, "layers"]:
        """The norms of the moving layers."""
        return layer_norms(self.weights)

    @property
    def rho(self) -> Float[Array, ""]:
        """The product of the norms of the moving layers."""
        return jnp.prod(self.radii)

    @property
    def directions(self) -> Weights:
        """The moving layers, each divided by its norm."""
        return normalise(self.weights)

    def evaluate(
        self, network: Network, inputs: Float[Array, "samples ..."]
    ) -> Float[Array, "samples ..."]:
        """Outputs f_lin(x_n) / rho, so that what it computes is rho times these."""
        displacement = jax.tree.map(jnp.subtract, self.weights, self.anchor)
        here, change = jax.jvp(
            lambda weights: network.apply(weights, inputs), (self.anchor,), (displacement,)
        )
        return (here + change) / self.rho

    def predict(
        self, network: Network, inputs: Float[Array, "samples ..."]
    ) -> Float[Array, "samples ..."]:
        """As `evaluate`."""
        return self.evaluate(network, inputs)
