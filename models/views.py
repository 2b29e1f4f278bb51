"""What observables see of a moving network, whatever its coordinates: a view.

`Polar` is one: a radius and unit directions, whose function is rho f_V. `Linearised` is another,
and `TrackedPolar` that of batch norm with its running statistics. Whoever wants a function's values
asks the view, so that one observable serves all of them.
"""

from typing import Protocol

from jaxtyping import Array, Float

from .network import Network, Weights


class View(Protocol):
    """A point of weight space as rho times a normalised network, or `Unnormalised` weights."""

    @property
    def rho(self) -> Float[Array, ""]:
        """The radius."""

    @property
    def radii(self) -> Float[Array, "layers"]:
        """Each layer's own norm rho_k, W_k = rho_k V_k; equal where only rho is known."""

    @property
    def directions(self) -> Weights:
        """Each layer with unit Frobenius norm, up to the round-off and drift of a run.

        Of `Unnormalised` the weights as they are, of any norms, and the radius is one: what is
        projected to spheres has to refuse it.
        """

    def evaluate(
        self, network: Network, inputs: Float[Array, "samples ..."]
    ) -> Float[Array, "samples ..."]:
        """Outputs f_V(x_n) of the normalised network: ``[samples]`` or ``[samples, outputs]``."""

    def predict(
        self, network: Network, inputs: Float[Array, "samples ..."]
    ) -> Float[Array, "samples ..."]:
        """The same of inputs that were not trained on: by running statistics, where it has them."""
