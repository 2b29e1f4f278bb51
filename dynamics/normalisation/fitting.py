"""Which normalisation a problem gets, and what its network has to refuse.

Most normalisations assume that every layer scales the output, each with degree one. With batch norm
only the top layer does (`models.batch_norm`), so that those which multiply the layers' norms do not
hold there, and `lagrange` loses its certificate: hidden layers stay at any norm, the top one does
not. The same holds where layers share an array, which is of a higher degree. A network that is not
homogeneous in every layer has no radius, and moves in its weights alone (`free`), where its view is
`models.Unnormalised`. So is, under `free`, that of a network whose layers are of other degrees than
one, though it has a radius: `models.radius` of its position. Its observables then see rho = 1 and
the margins of the weights as they are, and its decay is that of the weights.
"""

import dataclasses

import jax

from ...models.binding import bind
from ...models.checks import expect, refusal
from ...models.network import Network
from ...models.polar import Unnormalised, require_radius
from ...models.problem import Problem, require_separate
from . import certificates, positions
from .choices import sphere
from .kind import Normalisation


def fitting(problem: Problem, normalisation: Normalisation | None) -> Normalisation:
    """The normalisation for a problem: `sphere` unless one is given, refused where it does not fit.

    On a network with layers of other degrees than one, as with batch norm, a start given as weights
    has the radius of `models.radius`.

    Raises:
        ValueError: If the problem or the normalisation is none, the normalisation and the network
            do not fit, see `Normalisation.coupled` and `Normalisation.plain`, or a frozen layer
            does not exist.
    """
    expect(problem, Problem, "a problem", "pass models.Problem(network, inputs, targets)")
    chosen = sphere() if normalisation is None else normalisation
    expect(chosen, Normalisation, "a normalisation", "pass for example normalisation.free()")
    chosen = dataclasses.replace(chosen, frozen=_layers_of(problem, chosen.frozen))
    network = problem.network
    if network.couples:
        return _fitting_batch_norm(network, chosen)
    if chosen.coupled:
        raise refusal(
            f"a network with batch norm for {chosen.name}",
            network.name,
            "make it with batch_norm=True, or use free()",
        )
    if not network.inhomogeneity and set(network.degrees) <= {1}:
        return chosen
    return _fitting_degrees(network, chosen)


def _fitting_batch_norm(network: Network, chosen: Normalisation) -> Normalisation:
    if chosen.coupled is None:
        return _read_by_degrees(network, chosen)
    if not chosen.coupled:
        raise refusal(
            f"a normalisation that fits {network.name}",
            chosen.name,
            "use batch_norm(), sphere(), scheduled(), frozen_gain() or top_free()",
        )
    return dataclasses.replace(chosen, prepare=bind(positions.tracked_of, network.standardised))


def _fitting_degrees(network: Network, chosen: Normalisation) -> Normalisation:
    """On a network whose layers are not all of degree one, or that is not homogeneous at all."""
    if chosen.plain:
        return dataclasses.replace(
            chosen,
            prepare=bind(positions.plain_of, network),
            view=Unnormalised,
            certificate=bind(certificates.balance_by_degrees, network.degrees, chosen.frozen),
        )
    require_radius(network)
    if chosen.prepare is positions.top_weights_of and network.degrees[-1] != 1:
        raise refusal(
            f"a top layer of degree one in {network.name} for top_free()",
            f"degree {network.degrees[-1]}",
            "use sphere(), scheduled(), frozen_gain() or free()",
        )
    if chosen.coupled is None:
        return _read_by_degrees(network, chosen)
    raise refusal(
        f"a normalisation that fits {network.name}, whose arrays are not all of degree one",
        chosen.name,
        "use sphere(), scheduled(), frozen_gain() or free()",
    )


def _read_by_degrees(network: Network, chosen: Normalisation) -> Normalisation:
    read = bind(positions.by_degrees, network, chosen.prepare)
    return dataclasses.replace(chosen, prepare=read)


def _layers_of(problem: Problem, frozen: tuple[int, ...]) -> tuple[int, ...]:
    """Frozen layers by their numbers from 0."""
    count = len(jax.eval_shape(problem.network.init, jax.random.key(0)))
    if frozen and not -count <= min(frozen) <= max(frozen) < count:
        raise refusal(
            f"frozen layers from 0 to {count - 1} of {problem.network.name}, or -1 for the top",
            frozen,
            "change frozen",
        )
    return tuple(sorted({number % count for number in frozen}))


def samples_apart(problem: Problem, purpose: str) -> None:
    """Refuses a network whose samples have no gradients of their own.

    Args:
        problem: Whose network.
        purpose: What its samples must be separate for, a noun.

    Raises:
        ValueError: If the network has batch norm.
    """
    require_separate(
        problem,
        f"{purpose}, which needs gradients of single samples",
        "use sgd, which draws the batches themselves",
    )
