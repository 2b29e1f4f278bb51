"""What a network is: a few pure functions and what is known of its smoothness.

A network maps weights and inputs to outputs, f_W(x). It holds no numbers: its weights are made by
``init`` and passed around, so a network is a *static* thing that compiled code may depend on. The
constructors (`mlp`, `deep_linear`) return the same object whenever they are called with the same
arguments, so that rebuilding a network never recompiles anything.

Source: the networks of [Dyn] section 3.1, f_W(x) = W_L s(W_{L-1} ... s(W_1 x)), without biases.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float, Key

from .display import Card, Shown, shape, shown

Weights = tuple[Array, ...]
"""Arrays in the order in which a forward pass first uses them: one per layer, but that layers may
share one (`models.tied`). A dense W_k is ``[fan_in, fan_out]`` (the transpose of the documents'
W_k), a convolution's kernel ``[height, width, in, out]``; those of trees and masked layers are in
the table of `models.layers`."""


Hidden = tuple[Float[Array, "samples width"], ...]
"""What each hidden layer gives, in forward order, after its activation."""


@shown
class Statistics(NamedTuple):
    """Means and mean square deviations of a layer's pre-activations over a batch."""

    means: Float[Array, "units"]
    variances: Float[Array, "units"]


class PreActivations(NamedTuple):
    """What units of a hidden layer see, before their activation, and the most that it could be."""

    values: Float[Array, "samples units"]
    sizes: Float[Array, "samples units"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Network(Shown):
    """A feed-forward network as pure functions.

    Attributes:
        name: How the network is called in tables and pictures.
        init: ``init(key) -> Weights``.
        apply: ``apply(weights, inputs[samples, ...]) -> [samples]`` for one output or
            ``[samples, outputs]`` for several.
        features: ``features(weights, inputs) -> [samples, width]``: what the last layer sees.
        hidden: ``hidden(weights, inputs)``, what every hidden layer gives, the features last.
        kinks: The hidden layers, by number, whose units have a kink at zero: what they give is
            above zero on one side of it.
        smooth: Whether outputs are continuously differentiable in the weights. A ReLU network is
            not, and its gradient flow needs the care that `dynamics.gradient_flow` describes.
        statistics: ``statistics(weights, inputs)``, one `Statistics` per hidden layer, where the
            samples of a batch depend on each other (`models.batch_norm`); else None.
        apply_with: ``apply_with(weights, statistics, inputs)``, like apply under fixed statistics,
            each sample by itself; else None.
        degrees: By what power of its factor the output grows where a weight array is multiplied by
            a positive number: one for most, zero below batch norm, T for an array that T layers
            share. Empty where all are one, or where the network is not homogeneous.
        signed: The number of an array with which the outputs change sign: it carries that of a
            negative rho. None where there is none; mostly the last, in which a network is linear.
        standardised: How many of the first layers have batch norm.
        inhomogeneity: Why it is not, a clause; else empty. It then moves in its weights alone.
        layers: The layers that it is made of (`models.layers`); empty where they are not known.
        pre_activations: ``pre_activations(weights, inputs)``, one `PreActivations` per hidden
            layer; None where they are not known.
    """

    name: str
    init: Callable[[Key[Array, ""]], Weights]
    apply: Callable[[Weights, Float[Array, "samples ..."]], Float[Array, "samples ..."]]
    features: Callable[[Weights, Float[Array, "samples ..."]], Float[Array, "samples width"]]
    hidden: Callable[[Weights, Float[Array, "samples ..."]], Hidden]
    kinks: tuple[int, ...] = ()
    smooth: bool = False
    statistics: Callable[[Weights, Float[Array, "samples ..."]], tuple[Statistics, ...]] | None = (
        None
    )
    apply_with: (
        Callable[
            [Weights, tuple[Statistics, ...], Float[Array, "samples ..."]],
            Float[Array, "samples ..."],
        ]
        | None
    ) = None

    degrees: tuple[int, ...] = ()
    signed: int | None = -1
    standardised: int = 0
    inhomogeneity: str = ""
    layers: tuple[Any, ...] = ()
    pre_activations: (
        Callable[[Weights, Float[Array, "samples ..."]], tuple[PreActivations, ...]] | None
    ) = None

    def degree_of_each(self, count: int) -> tuple[int, ...]:
        """The degrees of ``count`` weight arrays, one each where nothing else is known."""
        return self.degrees or (1,) * count

    @property
    def output_bound(self) -> float:
        """The most that |f_V(x)| can be of |x|: the product of the layers' gains.

        One for dense networks; infinite where layers are not known, under batch norm, and where the
        network is not homogeneous. Source: theory, 1.6.
        """
        if not self.layers or self.couples or self.inhomogeneity:
            return math.inf
        return math.prod(layer.gain for layer in self.layers)

    @property
    def couples(self) -> bool:
        """Whether samples of a batch depend on each other.

        Layers up to the last one with batch norm are then invariant to the scale of their weights.
        """
        return self.statistics is not None

    def _card(self) -> Card:
        layers = jax.eval_shape(lambda: self.init(jax.random.key(0)))
        count = sum(math.prod(layer.shape) for layer in layers)
        kind = "smooth" if self.smooth else "with kinks"
        rows = tuple((f"W_{k}", shape(layer)) for k, layer in enumerate(layers, 1))
        notes = (f"not homogeneous: {self.inhomogeneity}",) if self.inhomogeneity else ()
        return Card(f"Network({self.name}, {count:,} weights, {kind})", rows, notes=notes)
