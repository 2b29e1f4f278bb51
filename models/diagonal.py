"""Diagonal networks: every layer multiplies each channel by one number, the last one adds them.

    f_W(x) = sum_i v_L,i s(v_{L-1,i} ... s(v_1,i x_i)),    W_k = diag(v_k),    W_L = v_L

Entries off the diagonal are no parameters: a mask keeps them, and their gradients, at zero. In a
dense network that *starts* diagonal they have gradients and do not stay zero. Isotropic noise
(`dynamics.diffusion`) would reach them, and is refused here.

Source: [M112] H.3, where (55)-(56) say that descent would keep a dense network diagonal.
"""

from .activations import Activation, relu
from .checks import counts
from .feed_forward import activated, feed_forward
from .initialisations import Initialisation, gaussian
from .layers import dense, masked
from .network import Network


def diagonal(
    width: int,
    layers: int,
    *,
    initialisation: Initialisation | None = None,
    activation: Activation = relu,
) -> Network:
    """A diagonal network over inputs ``[samples, width]``, with one output ``[samples]``.

    Args:
        width: Channels.
        layers: L, the last one included, which is ``[width, 1]``.
        initialisation: Draws each diagonal, of norm one unless given.
        activation: Of all layers but the last.

    Raises:
        ValueError: If a number is not positive.

    >>> import jax
    >>> [layer.shape for layer in diagonal(3, layers=3).init(jax.random.key(0))]
    [(3, 3), (3, 3), (3, 1)]
    """
    channels, count = counts((width, layers), "width and layers")
    return feed_forward(
        f"diagonal {channels}, {count} layers",
        activated([masked(channels)] * (count - 1) + [dense(channels, 1)], activation),
        initialisation or gaussian(),
    )
