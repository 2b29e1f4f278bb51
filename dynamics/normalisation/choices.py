"""The normalisations to choose from, one constructor each; the package's page compares them.

Equal arguments make equal normalisations, which share compiled code.
"""

import operator
from collections.abc import Sequence

import jax

from ...models.binding import bind
from ...models.checks import refusal, unknown
from ...models.polar import retract, to_layers
from . import certificates, positions, potentials
from .kind import Normalisation
from .positions import Radius


def layer_numbers(frozen: Sequence[int]) -> tuple[int, ...]:
    """Layers by their numbers, from 0, or from the top with -1 for the top layer.

    Raises:
        ValueError: If they are no sequence of whole numbers.
    """
    try:
        return tuple(sorted({operator.index(number) for number in frozen}))
    except TypeError as error:
        raise refusal("numbers of layers", frozen, "pass for example frozen=(0, 1)") from error


def sphere(frozen: Sequence[int] = (), radius: str = "moving") -> Normalisation:
    """Rho and unit directions: the documents' model, with the exact multiplier.

    Args:
        frozen: Layers that do not move, by their numbers; -1 is the top layer.
        radius: ``"moving"``, or ``"held"`` where rho stays what it is at the start and the
            directions alone descend to the least loss at that rho.

    Raises:
        ValueError: If the radius is neither of these words.
    """
    if radius not in ("moving", "held"):
        raise unknown("radius", radius, ("moving", "held"))
    moves = radius == "moving"
    return Normalisation(
        "sphere" if moves else "sphere, held radius",
        positions.polar_of,
        positions.same,
        potentials.radial,
        positions.tangent if moves else positions.tangent_alone,
        retract,
        positions.bend_spheres,
        certificates.norms_of_directions if moves else certificates.rho_and_norms,
        coupled=None,
        frozen=layer_numbers(frozen),
    )


def scheduled(radius: Radius, frozen: Sequence[int] = ()) -> Normalisation:
    """A radius that time prescribes, and unit directions that follow. Source: [M112] 6.1.

    Time is part of the position and moves by itself: at unit speed in a flow; in a descent by the
    rate at each step, where a heavy ball's first steps lag behind unless it starts ``warm``, as
    all else does; by the rate again under Adam, which sees a constant gradient. An optimiser that
    decays what it moves (``optax.adamw``) would decay time too.

    Args:
        radius: ``radius(time, initial_rho) -> rho``, differentiable functions of JAX, such as
            ``def growing(time, initial_rho): return initial_rho + 0.1 * time``. It is static:
            define it once, since another function compiles anew, and close over no arrays. What
            is mapped over or differentiated comes by the start's rho.
        frozen: Layers that do not move, by their numbers; -1 is the top layer.

    Raises:
        ValueError: If the radius is no function of JAX, or gives more than one number.
    """
    try:
        shape = jax.eval_shape(radius, 0.0, 1.0).shape
    except (TypeError, AttributeError) as error:
        remedy = "pass a function of JAX, radius(time, initial_rho) -> rho"
        raise refusal("a schedule of the radius", radius, remedy) from error
    if shape != ():
        raise refusal("one radius at a time", f"shape {shape}", "return a scalar")
    return Normalisation(
        "scheduled radius",
        positions.timed_of,
        bind(positions.view_timed, radius),
        bind(potentials.of_time, radius),
        positions.tangent_in_time,
        positions.retract_timed,
        positions.bend_timed,
        certificates.punctuality,
        coupled=None,
        frozen=layer_numbers(frozen),
    )


def free(decay: str = "layers", frozen: Sequence[int] = ()) -> Normalisation:
    """Weights without normalisation, as any optimiser sees them.

    Args:
        decay: ``"layers"`` for lambda sum_k norm(W_k)^2, ``"product"`` for lambda rho^2.
        frozen: Layers that do not move, by their numbers; -1 is the top layer.
    """
    grows = potentials.grows_by_layer(decay)
    name = "free" if grows else "free, product decay"
    potential = bind(potentials.of_weights, decay)
    return Normalisation(
        name,
        positions.weights_of,
        to_layers,
        potential,
        positions.everything,
        positions.same,
        positions.bend_nothing,
        bind(certificates.balance, grows, layer_numbers(frozen)),
        plain=grows,
        frozen=layer_numbers(frozen),
    )


def layerwise(decay: str = "layers", frozen: Sequence[int] = ()) -> Normalisation:
    """The motion of `free`, in coordinates (rho_k, V_k), where V_k is slowed by rho_k^2.

    Args:
        decay: ``"layers"`` decays sum_k |W_k|^2, ``"product"`` rho^2.
        frozen: Layers that do not move, by their numbers; -1 is the top layer.
    """
    grows = potentials.grows_by_layer(decay)
    return Normalisation(
        "layerwise",
        positions.layer_polar_of,
        positions.same,
        bind(potentials.of_layers, decay),
        positions.tangent_by_radius,
        positions.retract_layers,
        None,
        bind(certificates.balance_of_radii, grows, layer_numbers(frozen)),
        frozen=layer_numbers(frozen),
    )


def lagrange(frozen: Sequence[int] = ()) -> Normalisation:
    """The literal Lagrange field: nu as if all norms were one, and no retraction.

    d norm(V_k)^2 / dt = 4 nu (1 - norm(V_k)^2), nu = rho mu - rho^2 M: attracting for rho < mu/M.

    Args:
        frozen: Layers that do not move, by their numbers; -1 is the top layer.
    """
    return Normalisation(
        "lagrange",
        positions.polar_of,
        positions.same,
        potentials.radial,
        positions.tangent,
        positions.same,
        None,
        bind(certificates.ratios_of_excess, layer_numbers(frozen)),
        frozen=layer_numbers(frozen),
    )


def weight_norm(decay: str = "product", frozen: Sequence[int] = ()) -> Normalisation:
    """Weight norm with trained gains: W_k = g_k v_k / norm(v_k).

    Args:
        decay: ``"layers"`` decays sum_k |W_k|^2, ``"product"`` rho^2.
        frozen: Layers that do not move, by their numbers; -1 is the top layer.
    """
    potentials.grows_by_layer(decay)
    return Normalisation(
        "weight norm",
        positions.gained_of,
        positions.view_gained,
        bind(potentials.of_gains, decay),
        positions.everything,
        positions.same,
        positions.bend_nothing,
        certificates.norms_of_vectors,
        frozen=layer_numbers(frozen),
    )


def frozen_gain(frozen: Sequence[int] = ()) -> Normalisation:
    """Weight norm with gains frozen at one, and one trained rho on top: the experiments of [Dyn].

    The flow of `sphere` with the time of V_k slowed by norm(v_k)^2.

    Args:
        frozen: Layers that do not move, by their numbers; -1 is the top layer.
    """
    return Normalisation(
        "weight norm, frozen gain",
        positions.polar_of,
        retract,
        potentials.of_scaled_vectors,
        positions.everything,
        positions.same,
        positions.bend_nothing,
        certificates.norms_of_directions,
        coupled=None,
        frozen=layer_numbers(frozen),
    )


def top_free(frozen: Sequence[int] = ()) -> Normalisation:
    """Unit hidden layers, and a top layer without normalisation. Source: [M117] (66)-(71).

    Args:
        frozen: Layers that do not move, by their numbers; -1 is the top layer.
    """
    return Normalisation(
        "top layer free",
        positions.top_weights_of,
        to_layers,
        potentials.of_top,
        positions.hidden_tangent,
        positions.retract_hidden,
        positions.bend_hidden,
        certificates.hidden_norms,
        coupled=None,
        frozen=layer_numbers(frozen),
    )


def linearised(decay: str = "layers", frozen: Sequence[int] = ()) -> Normalisation:
    """Weights of the network's first-order expansion around the start: the kernel regime.

    The start is the anchor, be it an initialisation or the end of another run. `dynamics.compare`
    with `free` shows how far a run is from its own linearisation.

    Args:
        decay: ``"layers"`` decays sum_k |W_k|^2, ``"product"`` rho^2.
        frozen: Layers that do not move, by their numbers; -1 is the top layer.
    """
    potentials.grows_by_layer(decay)
    return Normalisation(
        "linearised",
        positions.linearised_of,
        positions.same,
        bind(potentials.of_linearised, decay),
        positions.without_anchor,
        positions.same,
        positions.bend_nothing,
        certificates.anchor_norms,
        smooth=True,
        frozen=layer_numbers(frozen),
    )


def batch_norm(
    decay: str = "layers", memory: float = 1.0, frozen: Sequence[int] = ()
) -> Normalisation:
    """Weights of a network with batch norm, as any optimiser sees them, and running statistics.

    S' = (S_batch - S) / memory: in a flow, and in a descent, whatever its optimiser, by one step of
    the effective rate eta, S <- (1 - eta / memory) S + (eta / memory) S_batch. PyTorch's momentum
    0.1 is a memory of 10 eta. The statistics begin with means 0 and variances 1, and never push the
    weights; what is not trained on is judged by them (`models.TrackedPolar.predict`). Corrected and
    second-order flows follow them to first order in the rate, the weights to second.

    A decay of hidden layers changes no output: it shrinks a unit's weights w, whose direction moves
    by 1/|w|^2. A step of descent lengthens them, |w|^2 grows by eta^2 |grad|^2, and the two come to
    balance. In the flow nothing lengthens them: |w|^2 falls as e^(-4 lambda t), and the flow grows
    stiff within a few 1/lambda. Take ``"top"`` there, or `corrected_flow`, where |w|^2 grows by
    eta |grad|^2 per unit of time, as in descent.

    Args:
        decay: ``"layers"`` for lambda sum_k norm(W_k)^2, ``"top"`` for lambda norm(W_L)^2.
        memory: Time constant of the running statistics, in units of time; static, so another one
            compiles anew. A flow must resolve it, and a descent needs steps shorter than it.
        frozen: Layers that do not move, by their numbers; -1 is the top layer.

    Raises:
        ValueError: If the decay is unknown or the memory not positive.

    Source: [M117] H.1-2; a learning rate that decays by itself, as for weight norm.
    """
    if decay not in ("layers", "top"):
        raise unknown("decay", decay, ("layers", "top"))
    if not memory > 0:
        raise refusal("a positive memory", memory, "pass ten times the learning rate, say")
    return Normalisation(
        "batch norm",
        positions.same,  # `fitting` puts `tracked_of` here: the network says which layers
        positions.view_tracked,
        bind(potentials.of_tracked, decay, float(memory)),
        positions.everything,
        positions.same,
        positions.bend_nothing,
        bind(certificates.norms_of_units, decay == "layers", layer_numbers(frozen)),
        coupled=True,
        averages=positions.averages_of_tracked,
        frozen=layer_numbers(frozen),
    )
