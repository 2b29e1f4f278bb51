"""Activations: what a unit makes of its pre-activation z = <row, h>.

Here h is the layer's input for one sample and *row* the weights that feed the unit (a row of the
documents' W_k, a column of our ``[fan_in, fan_out]`` array). Every activation but the last of the
table is positively homogeneous of degree one in the layer's weights, so that f_W = rho f_V,
<W_k, df/dW_k> = f_W, one multiplier nu for all layers, and rho_eq stay exact whichever is taken.

| activation | of z | continuously differentiable |
|---|---|---|
| `relu` | max(z, 0), derivative 0 at z = 0 | no |
| `leaky_relu` (slope) | z above 0, else slope z, derivative slope at z = 0 | no |
| `smoothed_relu` (width) | z above w, 0 below -w, (z + w)^2 / (4 w) between | yes |
| `linear` | z | yes |
| `smooth_leaky` (slope, width) | slope z far below 0, z - const far above | yes |

**Smoothed kinks.** A half-width w that were a constant would spoil homogeneity. It is taken as
w = width |row| |h|, a share of the largest z that these weights can make of this input, and it is
differentiated like everything else. The flow of a ReLU network slides along its kinks, where its
field never comes to zero; the flow of a smoothed network has a continuous field that vanishes at
rest. The price: it is *another network*. A unit is off by at most w/4, the output by at most
rho |x| width/4 for each hidden layer, and rho at rest by a bias of the order of the width, far
more where a plateau is left at another time. The second derivative still jumps, so that solvers of
high order gain little. |f_V(x)| <= |x| still holds; what is lost is that the gradient of one
sample's output in one layer has rank one, save where no unit is within w of its kink. Smoothness
holds wherever no row and no input is zero.

**[Wide]'s activation.** `smooth_leaky` has a kink of a width w that is a constant, so that it fits
the letter of [Wide] Assumption 4.2, and a layer with it is homogeneous only below batch norm of its
own, which leaves no scale: its slope grows linearly
from ``slope`` at -w to one at w, s(0) = 0, hence slope <= s' <= 1, |s(z)| <= |z|, and s' changes by
at most (1 - slope)/(2 w) per unit of z.

The constructors return the same object for the same arguments (see `models.network`).

Source: ReLU and ties, [Dyn] section 3.1; the smoothing is ours.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .binding import bind
from .checks import refusal, single, unknown

Bounds = Callable[[], Float[Array, "samples ..."]]
"""``bounds() -> array`` like z: the largest size that each z could have, |row| |h|. A function, so
that it costs nothing where it is not asked for."""


@dataclasses.dataclass(frozen=True)
class Activation:
    """An activation, mostly positively homogeneous of degree one in the weights.

    Attributes:
        name: How it is called, with its parameter: ``"smoothed_relu(0.01)"``.
        apply: ``apply(values, bounds) -> array`` like values, which are the pre-activations.
        smooth: Whether it is continuously differentiable.
        homogeneous: Whether it scales with the weights; all but `smooth_leaky` do.
        pointwise: Whether it is of z alone, which all but `smoothed_relu` are.
        slope: The least derivative in z; zero of all kinds of ReLU that are silent below zero.
    """

    name: str
    apply: Callable[[Float[Array, "samples ..."], Bounds], Float[Array, "samples ..."]]
    smooth: bool = False
    homogeneous: bool = True
    pointwise: bool = True
    slope: float = 0.0

    def __repr__(self) -> str:
        return f"Activation({self.name})"


def smoothed_relu(width: float) -> Activation:
    """A ReLU whose kink is a parabola of half-width w = width |row| |h|.

    Args:
        width: In (0, 1], without a unit: a share of the largest possible z.

    Raises:
        ValueError: If the width is not in (0, 1].

    >>> smoothed_relu(0.01) is smoothed_relu(0.01)
    True
    """
    single("width", width)
    if not 0 < width <= 1:
        raise refusal("a width in (0, 1]", width, "pass for example 0.01, or take relu")
    return _smoothed_relu(float(width))


def leaky_relu(slope: float) -> Activation:
    """A ReLU that passes a share of negative values; it keeps the kink.

    Args:
        slope: In (0, 1), the derivative for z <= 0.

    Raises:
        ValueError: If the slope is not in (0, 1).
    """
    single("slope", slope)
    if not 0 < slope < 1:
        raise refusal("a slope in (0, 1)", slope, "pass for example 0.1, or take relu or linear")
    return _leaky_relu(float(slope))


def smooth_leaky(slope: float, width: float = 1.0) -> Activation:
    """A leaky ReLU whose slope grows over -w < z < w, a constant w; not homogeneous.

    Args:
        slope: gamma in (0, 1), the least derivative.
        width: w > 0, in units of z.

    Raises:
        ValueError: If the slope is not in (0, 1) or the width not positive.

    Source: [Wide] Assumption 4.2.
    """
    single("slope", slope)
    single("width", width)
    if not 0 < slope < 1 or not width > 0:
        raise refusal("a slope in (0, 1) and a width above zero", (slope, width), "change them")
    return _smooth_leaky(float(slope), float(width))


def _relu(values: Array, bounds: Bounds) -> Array:
    del bounds
    return jax.nn.relu(values)


def _linear(values: Array, bounds: Bounds) -> Array:
    del bounds
    return values


def _leaky(slope: float, values: Array, bounds: Bounds) -> Array:
    del bounds
    return jnp.where(values > 0, values, slope * values)


def _smoothed(width: float, values: Array, bounds: Bounds) -> Array:
    half = width * bounds()
    # A silent layer before this one gives z = w = 0, and a decaying unit comes as near to it as
    # numbers go. Below the threshold it is a ReLU; above, w^-3 of second derivatives is finite.
    half = jnp.where(half > jnp.finfo(half.dtype).tiny ** (1 / 3), half, 0)
    parabola = (values + half) ** 2 / (4 * jnp.where(half > 0, half, 1))
    return jnp.where(values <= -half, 0, jnp.where(values < half, parabola, values))


@functools.cache
def _smoothed_relu(width: float) -> Activation:
    own = bind(_smoothed, width)
    return Activation(f"smoothed_relu({width})", own, smooth=True, pointwise=False)


def _smooth_leaky_of(slope: float, width: float, values: Array, bounds: Bounds) -> Array:
    del bounds
    inside = jnp.clip(values, -width, width)
    # The integral of the growing part of the slope, from zero; beyond w it grows like z.
    parabola = (inside + width) ** 2 / (4 * width) - width / 4
    return slope * values + (1 - slope) * (parabola + jnp.maximum(values - width, 0))


@functools.cache
def _smooth_leaky(slope: float, width: float) -> Activation:
    own = bind(_smooth_leaky_of, slope, width)
    name = f"smooth_leaky({slope}, {width})"
    return Activation(name, own, smooth=True, homogeneous=False, slope=slope)


@functools.cache
def _leaky_relu(slope: float) -> Activation:
    return Activation(f"leaky_relu({slope})", bind(_leaky, slope), slope=slope)


relu = Activation("relu", _relu)
"""max(z, 0), with derivative 0 at an exact tie."""

linear = Activation("linear", _linear, smooth=True, slope=1.0)
"""z itself."""

BY_NAME: dict[str, Activation | Callable[[float], Activation]] = {
    "relu": relu,
    "linear": linear,
    "leaky_relu": leaky_relu,
    "smoothed_relu": smoothed_relu,
    "smooth_leaky": smooth_leaky,
}
"""All of them; without batch norm a network with `smooth_leaky` moves in weights only."""


def named(name: str, parameter: float | None = None) -> Activation:
    """The activation of that name.

    Args:
        name: A key of `BY_NAME`.
        parameter: The slope of ``leaky_relu`` or ``smooth_leaky`` (of width one), or the width of
            ``smoothed_relu``, else None.

    Raises:
        ValueError: If there is none of that name, or the parameter is missing, too many or out of
            range.

    >>> named("relu") is relu, named("leaky_relu", 0.1) is leaky_relu(0.1)
    (True, True)
    """
    if name not in BY_NAME:
        raise unknown("activation", name, BY_NAME)
    choice = BY_NAME[name]
    if isinstance(choice, Activation):
        if parameter is not None:
            raise refusal(f"no parameter for {name}", parameter, "leave it out")
        return choice
    if parameter is None:
        raise refusal(f"a parameter for {name}", None, f"pass for example named('{name}', 0.01)")
    return choice(parameter)
