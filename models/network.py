"""What a network is: three pure functions and what is known of its smoothness.

A network maps weights and inputs to outputs, f_W(x). It holds no numbers: its weights are made by
``init`` and passed around, so a network is a *static* thing that compiled code may depend on. The
constructors (`mlp`, `deep_linear`) return the same object whenever they are called with the same
arguments, so that rebuilding a network never recompiles anything.

Source: the networks of [Dyn] section 3.1, f_W(x) = W_L s(W_{L-1} ... s(W_1 x)), without biases.
"""

import dataclasses
from collections.abc import Callable

from jaxtyping import Array, Float, Key

Weights = tuple[Array, ...]
"""One array per layer in forward order; a dense W_k is ``[fan_in, fan_out]`` (the transpose of
the documents' W_k), a convolution's kernel is ``[height, width, in, out]``."""


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A feed-forward network as pure functions.

    Attributes:
        name: How the network is called in tables and pictures.
        init: ``init(key) -> Weights``.
        apply: ``apply(weights, inputs[samples, ...]) -> [samples]`` for one output or
            ``[samples, outputs]`` for several.
        features: ``features(weights, inputs) -> [samples, width]``: what the last layer sees.
        smooth: Whether outputs are continuously differentiable in the weights. A ReLU network is
            not, and its gradient flow needs the care that `dynamics.gradient_flow` describes.
    """

    name: str
    init: Callable[[Key[Array, ""]], Weights]
    apply: Callable[[Weights, Float[Array, "samples ..."]], Float[Array, "samples ..."]]
    features: Callable[[Weights, Float[Array, "samples ..."]], Float[Array, "samples width"]]
    smooth: bool = False

    def __repr__(self) -> str:
        return f"Network({self.name})"
