"""What a network is: a few pure functions and what is known of its smoothness.

A network maps weights and inputs to outputs, f_W(x). It holds no numbers: its weights are made by
``init`` and passed around, so a network is a *static* thing that compiled code may depend on. The
constructors (`mlp`, `deep_linear`) return the same object whenever they are called with the same
arguments, so that rebuilding a network never recompiles anything.

Source: the networks of [Dyn] section 3.1, f_W(x) = W_L s(W_{L-1} ... s(W_1 x)), without biases.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float, Key

Weights = tuple[Array, ...]
"""One array per layer in forward order; a dense W_k is ``[fan_in, fan_out]`` (the transpose of
the documents' W_k), a convolution's kernel is ``[height, width, in, out]``."""


Hidden = tuple[Float[Array, "samples width"], ...]
"""What each hidden layer gives, in forward order, after its activation."""


class Statistics(NamedTuple):
    """Means and mean square deviations of a layer's pre-activations over a batch."""

    means: Float[Array, "units"]
    variances: Float[Array, "units"]


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
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

    @property
    def couples(self) -> bool:
        """Whether samples of a batch depend on each other.

        Hidden layers are then invariant to the scale of their weights, and f_W = |W_L| f_V.
        """
        return self.statistics is not None

    def __repr__(self) -> str:
        return f"Network({self.name})"
