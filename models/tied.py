"""Tied networks: one matrix that T layers share, between a first and a last one of their own.

    f_W(x) = W_3 s(W_2 s(W_2 ... s(W_1 x))),    W_2 T times

f_W is of degree T in W_2: rho = |W_1| |W_2|^T |W_3|, <V_2, df/dV_2> = T f_V. The flow in polar
coordinates is the same equations, with the multiplier of V_2 T times that of the others; what the
un-normalised flow conserves is |W_2|^2/T less the others' |W_k|^2.

Source: [M112] H.1, which expects a network of T free layers to end with equal ones; they end equal
up to rotations at best (`dynamics.observables.likeness`).
"""

from collections.abc import Sequence

from .activations import Activation, relu
from .checks import counts, refusal
from .feed_forward import activated, feed_forward
from .initialisations import Initialisation, lecun
from .layers import dense
from .network import Network


def tied(
    widths: Sequence[int],
    times: int,
    *,
    initialisation: Initialisation | None = None,
    activation: Activation = relu,
) -> Network:
    """A network with one hidden matrix that is used several times.

    Args:
        widths: Input dimension, hidden width, number of outputs.
        times: T, how many hidden layers share the matrix.
        initialisation: Draws each of the three arrays, `lecun` unless given.
        activation: Of all layers but the last.

    Raises:
        ValueError: If there are not three widths, or a number is not positive.

    >>> import jax
    >>> network = tied((5, 8, 1), times=3)
    >>> [layer.shape for layer in network.init(jax.random.key(0))], network.degrees
    ([(5, 8), (8, 8), (8, 1)], (1, 3, 1))
    """
    sizes, (count,) = counts(widths, "widths"), counts((times,), "times")
    if len(sizes) != 3:
        raise refusal("widths (inputs, hidden, outputs)", sizes, "pass for example (64, 32, 1)")
    inputs, hidden, outputs = sizes
    layers = [dense(inputs, hidden), *[dense(hidden, hidden)] * count, dense(hidden, outputs)]
    return feed_forward(
        f"tied {inputs}-{hidden}-{outputs}, {count} times",
        activated(layers, activation),
        initialisation or lecun(),
        arrays=(0, *[1] * count, 2),
    )
