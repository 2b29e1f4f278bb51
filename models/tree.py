"""Binary trees: networks that join neighbours two by two until one node is left.

A tree of L layers reads 2^L numbers. Each layer joins pairs of nodes, [2 n, channels] -> [n,
channels], with a kernel of two that steps by two: shared by all pairs, as in a convolution, or each
pair with its own. Patches do not overlap, so |f_V(x)| <= |x|. With separate kernels the norm of a
layer is that of all its kernels together.

Source: [Dyn] Theorem 4; print has 2 L numbers for 2^L.
"""

from .activations import Activation, relu
from .checks import counts, expect
from .feed_forward import activated, feed_forward
from .initialisations import Initialisation, lecun
from .layers import pairs
from .network import Network


def tree(
    depth: int,
    channels: int = 1,
    outputs: int = 1,
    *,
    shared: bool = True,
    initialisation: Initialisation | None = None,
    activation: Activation = relu,
) -> Network:
    """A binary tree of L = ``depth`` layers over inputs ``[samples, 2^L]``.

    Args:
        depth: L, the last layer included.
        channels: Of the nodes inside.
        outputs: Of the last node; one is returned as ``[samples]``.
        shared: Whether the pairs of a layer share one kernel.
        initialisation: Draws each kernel, `lecun` unless given.
        activation: Of all layers but the last.

    Raises:
        ValueError: If a number is not positive, or shared is neither True nor False.

    >>> import jax
    >>> [layer.shape for layer in tree(3, channels=4).init(jax.random.key(0))]
    [(2, 1, 4), (2, 4, 4), (2, 4, 1)]
    """
    expect(shared, bool, "shared as True or False", "pass shared=False for separate kernels")
    levels, inside, last = counts((depth, channels, outputs), "depth, channels and outputs")
    fans = [1, *[inside] * (levels - 1), last]
    layers = [
        pairs(2 ** (levels - 1 - level), fans[level], fans[level + 1], shared)
        for level in range(levels)
    ]
    kernels = "shared" if shared else "separate"
    return feed_forward(
        f"tree {2**levels}, {levels} layers of {inside} channels, {kernels} kernels",
        activated(layers, activation),
        initialisation or lecun(),
    )
