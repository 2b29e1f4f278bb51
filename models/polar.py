"""Polar coordinates: one radius rho and one unit direction V_k per layer.

    W_k = rho_k V_k,    |V_k| = 1,    rho = prod_k rho_k,    f_W = rho f_V.

|.| is the Frobenius norm over all axes of a layer (for a convolution: of its kernel). The
directions live on a product of spheres; `project` gives the tangent part of a vector there and
`retract` brings a displaced point back by dividing by the norms.

Source: [Dyn] section 3.2, [M117] section 3.3, [M112] section 2.1.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .checks import is_traced, refusal
from .display import shown
from .network import Network, Weights
from .views import View


@shown
class Polar(NamedTuple):
    """A network's weights in polar coordinates.

    Attributes:
        rho: The product of the layers' norms, a scalar.
        directions: Like `Weights`, each layer of unit Frobenius norm.
    """

    rho: Float[Array, ""]
    directions: Weights

    def evaluate(
        self, network: Network, inputs: Float[Array, "samples ..."]
    ) -> Float[Array, "samples ..."]:
        """Outputs f_V(x_n) of the normalised network; what it computes is rho times these."""
        return network.apply(self.directions, inputs)

    def predict(
        self, network: Network, inputs: Float[Array, "samples ..."]
    ) -> Float[Array, "samples ..."]:
        """As `evaluate`: on a network with batch norm by the statistics of these very inputs."""
        return self.evaluate(network, inputs)

    @property
    def radii(self) -> Float[Array, "layers"]:
        """The radius shared equally, rho^(1/L); the last layer carries a negative rho's sign.

        Where layers are of degree one and the last one is linear; else `to_weights` asks the
        network.
        """
        count = len(self.directions)
        share = jnp.abs(self.rho) ** (1.0 / count)
        return jnp.full(count, share).at[-1].multiply(jnp.sign(self.rho))


@shown
class LayerPolar(NamedTuple):
    """Weights as each layer's own radius rho_k and unit direction; rho is the radii's product.

    Attributes:
        radii: ``[layers]``.
        directions: Like `Weights`, each layer of unit Frobenius norm.
    """

    radii: Float[Array, "layers"]
    directions: Weights

    @property
    def rho(self) -> Float[Array, ""]:
        """The product of the radii."""
        return jnp.prod(self.radii)

    def evaluate(
        self, network: Network, inputs: Float[Array, "samples ..."]
    ) -> Float[Array, "samples ..."]:
        """Outputs f_V(x_n) of the normalised network, as those of `Polar`."""
        return Polar(self.rho, self.directions).evaluate(network, inputs)

    def predict(
        self, network: Network, inputs: Float[Array, "samples ..."]
    ) -> Float[Array, "samples ..."]:
        """As `evaluate`."""
        return self.evaluate(network, inputs)


@shown
class Unnormalised(NamedTuple):
    """Weights of a network that has no radius: rho is one, and the directions are the weights.

    Attributes:
        directions: The weights as they are, of any norms.
    """

    directions: Weights

    @property
    def rho(self) -> Float[Array, ""]:
        """One."""
        return jnp.ones((), self.directions[0].dtype)

    @property
    def radii(self) -> Float[Array, "layers"]:
        """One for each layer."""
        return jnp.ones(len(self.directions), self.directions[0].dtype)

    def evaluate(
        self, network: Network, inputs: Float[Array, "samples ..."]
    ) -> Float[Array, "samples ..."]:
        """Outputs f_W(x_n)."""
        return network.apply(self.directions, inputs)

    def predict(
        self, network: Network, inputs: Float[Array, "samples ..."]
    ) -> Float[Array, "samples ..."]:
        """As `evaluate`."""
        return self.evaluate(network, inputs)


def squared_norms(weights: Weights) -> Float[Array, "layers"]:
    """Squared Frobenius norm of each layer; differentiable where a layer is zero."""
    return jnp.stack([jnp.sum(layer**2) for layer in weights])


def layer_norms(weights: Weights) -> Float[Array, "layers"]:
    """Frobenius norm of each layer."""
    return jnp.sqrt(squared_norms(weights))


def normalise(weights: Weights) -> Weights:
    """Each layer divided by its Frobenius norm; NaN where that is zero."""
    return tuple(layer / jnp.sqrt(jnp.sum(layer**2)) for layer in weights)


def radius(network: Network, weights: Weights) -> Float[Array, ""]:
    """The rho with f_W = rho f_V: the product of the norms, each to its layer's degree.

    Raises:
        ValueError: If the network is not homogeneous in every layer.
    """
    require_radius(network)
    degrees = network.degree_of_each(len(weights))
    return jnp.prod(layer_norms(weights) ** jnp.asarray(degrees))


def require_radius(
    network: Network, remedy: str = "move its weights: normalisation.free()"
) -> None:
    """Refuses a network without polar coordinates, and says why it has none.

    Raises:
        ValueError: If the network is not homogeneous in every layer.
    """
    if network.inhomogeneity:
        raise refusal(
            "a network that is positively homogeneous in every layer",
            f"{network.name}, where {network.inhomogeneity}",
            remedy,
        )


def to_polar(
    weights: Weights, rho: ArrayLike | None = None, network: Network | None = None
) -> Polar:
    """Polar coordinates of weights.

    Args:
        weights: As the network has them, none of the arrays zero.
        rho: Replaces the radius, which else is the product of the layers' norms.
        network: Whose weights they are. With batch norm, or where layers share an array, rho is
            another product (`Network.degrees`), which weights alone do not tell; a dynamics that
            starts from weights reads them as its network does.

    Returns:
        The point with ``directions[k] = weights[k] / |weights[k]|``.

    Raises:
        ValueError: If a layer is zero or not finite: it has no direction. If rho is not one
            finite number. If the network is not homogeneous in every layer, and why.

    >>> point = to_polar((jnp.array([[3.0, 4.0]]), jnp.array([[2.0], [0.0]])))
    >>> float(point.rho), point.directions[0].tolist()
    (10.0, [[0.6000000238418579, 0.800000011920929]])
    """
    if isinstance(weights, Network) or isinstance(rho, Network | str):
        got = weights if isinstance(weights, Network) else rho
        remedy = "pass to_polar(weights, rho, network=network)"
        raise refusal("weights, one finite rho or None, and a network by its name", got, remedy)
    layers = tuple(jnp.asarray(layer) for layer in weights)
    norms = layer_norms(layers)
    if not is_traced(norms) and not bool(jnp.all(jnp.isfinite(norms) & (norms > 0))):
        raise refusal(
            "layers with finite norms above zero", norms.tolist(), "draw the weights again"
        )
    own = jnp.prod(norms) if network is None else radius(network, layers)
    chosen = own if rho is None else jnp.asarray(rho, norms.dtype)
    if chosen.ndim or (not is_traced(chosen) and not bool(jnp.isfinite(chosen))):
        raise refusal("one finite rho", rho, "for many starts, use jax.vmap over them")
    return Polar(chosen, normalise(layers))


def to_weights(view: View, network: Network | None = None) -> Weights:
    """Weights of the same function, W_k = rho_k V_k.

    A polar point says nothing of the single radii rho_k, and shares rho equally; equal radii are
    the ones that the un-normalised flow keeps. A negative rho, which discrete steps can reach, is
    carried by the sign of one layer (`Network.signed`), the last one unless a network says other.

    Args:
        view: Where.
        network: Whose weights they are, where its degrees are not all one, as in `to_polar`;
            layers of degree 0 then have norm one.

    Raises:
        ValueError: If the network is not homogeneous in every layer; if rho is negative and the
            outputs change sign with no array (in compiled code, NaN instead).
    """
    radii = view.radii
    if network is not None and isinstance(view, Polar):
        radii = _shared_radii(network, view)
    pairs = zip(radii, view.directions, strict=True)
    return tuple(radius * direction for radius, direction in pairs)


def _shared_radii(network: Network, polar: Polar) -> Float[Array, "layers"]:
    """Equal radii whose product, each to its layer's degree, is rho; one where the degree is 0."""
    require_radius(network)
    _require_sign(network, polar.rho)
    degrees = network.degree_of_each(len(polar.directions))
    share = jnp.abs(polar.rho) ** (1.0 / sum(degrees))
    radii = jnp.where(jnp.asarray(degrees) > 0, share, 1)
    if network.signed is None:
        return jnp.where(polar.rho < 0, jnp.nan, radii)
    return radii.at[network.signed].multiply(jnp.sign(polar.rho))


def _require_sign(network: Network, rho: Float[Array, ""]) -> None:
    if network.signed is None and not is_traced(rho) and bool(jnp.any(rho < 0)):
        raise refusal(
            "a rho that is not negative, since the outputs change sign with no array",
            f"{rho} of {network.name}",
            "stay in polar coordinates, or end the module with a linear layer",
        )


def to_layers(weights: Weights) -> LayerPolar:
    """Each layer's own radius and direction."""
    return LayerPolar(layer_norms(weights), normalise(weights))


def project(directions: Weights, vectors: Weights) -> Weights:
    """Tangent part of vectors on the product of unit spheres: g_k - <g_k, V_k> V_k."""
    return tuple(
        vector - jnp.sum(vector * direction) * direction
        for direction, vector in zip(directions, vectors, strict=True)
    )


def retract(polar: Polar) -> Polar:
    """The point with directions that have left their spheres brought back; rho stays."""
    return Polar(polar.rho, normalise(polar.directions))
