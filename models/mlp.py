"""Fully connected networks without biases: layers with an activation, then linear ones.

    f_W(x) = W_L s(W_{L-1} ... s(W_1 x)),      s(z) = max(z, 0) unless another is chosen,

with s left out for the last layers where asked. Every layer is positively homogeneous of degree
one, so f_W = rho f_V in polar coordinates (`models.polar`); `models.activations` lists what s can
be. At an exact tie, z = 0, the derivative of the ReLU is 0; the structural identities hold for any
choice in [0, 1].

With batch norm (`models.batch_norm`) each hidden layer's pre-activations are standardised over the
batch before s; hidden layers then have no scale, and f_W = |W_L| f_V.

Source: [Dyn] section 3.1; heads of several linear layers, [Wide] section 2; batch norm, [M117] H.
"""

import itertools
from collections.abc import Sequence

from .activations import Activation, linear, relu
from .batch_norm import BatchNorm
from .checks import refusal, whole
from .feed_forward import activated, feed_forward
from .initialisations import Initialisation, lecun
from .layers import dense
from .network import Network


def mlp(
    widths: Sequence[int],
    linear_layers: int = 0,
    initialisation: Initialisation | None = None,
    activation: Activation = relu,
    batch_norm: BatchNorm | bool = False,
) -> Network:
    """A bias-free multilayer perceptron.

    Args:
        widths: Input dimension, hidden widths, number of outputs. One output is returned as
            ``[samples]``, several as ``[samples, outputs]``.
        linear_layers: How many of the last hidden layers are linear, beside the output layer,
            which always is.
        initialisation: Draws each layer, `lecun` unless given.
        activation: Of the other hidden layers, see `models.activations`.
        batch_norm: Whether every hidden layer, linear ones too, has batch norm before its
            activation; or a `BatchNorm` of your own.

    Returns:
        The network; equal arguments return the same object.

    Raises:
        ValueError: If there are fewer than two widths, a width is not positive, or there are
            more linear layers than hidden ones; if there is batch norm and no hidden layer.

    >>> import jax
    >>> network = mlp((64, 32, 32, 1))
    >>> [w.shape for w in network.init(jax.random.key(0))]
    [(64, 32), (32, 32), (32, 1)]
    """
    sizes = whole(widths, "widths")
    if len(sizes) < 2 or min(sizes) < 1:
        raise refusal("at least two positive widths", sizes, "pass for example (64, 32, 1)")
    plain = [dense(*shape) for shape in itertools.pairwise(sizes)]
    layers = activated(plain, activation, linear_layers, batch_norm)
    kind = "mlp" if any(layer.activation != linear for layer in layers) else "deep linear"
    name = f"{kind} {'-'.join(map(str, sizes))}"
    return feed_forward(name, layers, initialisation or lecun())


def deep_linear(widths: Sequence[int], initialisation: Initialisation | None = None) -> Network:
    """A deep linear network, f_W(x) = W_L ... W_1 x: the exactly solvable case.

    Its flow under the square loss with decay ends in the ridge solution for every depth.

    Args:
        widths: Input dimension, hidden widths, number of outputs.
        initialisation: Draws each layer, `lecun` unless given.

    Raises:
        ValueError: If there are fewer than two widths, or a width is not positive.
    """
    return mlp(widths, linear_layers=max(len(tuple(widths)) - 2, 0), initialisation=initialisation)
