"""How wrong is this flow? The same run with coarser steps beside it.

A flow's embedded error estimates say nothing of its global error, least of all on a network with
kinks, where the floor under the steps decides. So run it twice, in lockstep: as asked, and with
twice the floor and ten times the tolerance (half the work, on top). **Half the largest
difference** is the stated error. On a plateau, where the error is in proportion to the floor, the
difference is the error itself; through transients and escapes the coarser run is worse than that
by far: over nine flows to t = 500 the difference was 1 to 16 times the error. In a tenth flow both
runs erred alike, and it was 0.04 times the error: an error bar for runs of some hundred units of
time, then, no bound, and an alarm beyond, where late events decide.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ..models.checks import refusal
from ..models.display import shown
from ..models.network import Weights
from ..models.polar import Polar
from .checkpoint import Checkpoint
from .compare import Comparison, compare, joint_observe, split
from .ensemble import ensemble
from .flows.motion import FlowParameters
from .lockstep import together
from .observe import Observe, observe
from .simulate import Progress
from .trajectory import Trajectory
from .types import Dynamics, replace

COARSER_TOLERANCE, COARSER_STEP = 10.0, 2.0
SHARE = 0.5


@shown
class StatedError(NamedTuple):
    """Error bars of a flow, absolute: half its largest difference to the coarser run.

    Attributes:
        rho: In rho.
        loss: In the loss.
        outputs: Root mean square over samples, in the outputs rho f_V(x_n).
    """

    rho: Float[Array, "*members"]
    loss: Float[Array, "*members"]
    outputs: Float[Array, "*members"]


def coarser(flow: Dynamics) -> Dynamics:
    """The flow with twice the floor (or the fixed step) and ten times the tolerances.

    The floor's bounds by the sharpness are doubled too, so that the two differ where those bind;
    they stay within two thirds of what is stable.

    Raises:
        ValueError: If the dynamics is no flow.
    """
    parameters = flow.parameters
    if not isinstance(parameters, FlowParameters):
        raise refusal("a flow", flow.name, "discrete dynamics make no error that could be stated")
    factors = {
        "rtol": COARSER_TOLERANCE, "atol": COARSER_TOLERANCE,
        "floor": COARSER_STEP,
        "stable": COARSER_STEP, "step": COARSER_STEP,
    }  # fmt: skip
    present = {
        name: factor for name, factor in factors.items() if getattr(parameters, name) is not None
    }
    return replace(flow, **{name: f * getattr(parameters, name) for name, f in present.items()})


def simulate_with_error(
    flow: Dynamics,
    start_from: Polar | Weights,
    *,
    times: ArrayLike,
    observe: Observe = observe("loss", "rho"),
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[Trajectory, StatedError]:
    """Runs a flow and states its error, at half the work again.

    Args:
        flow: A flow.
        start_from: Where it starts.
        times: Increasing times ``[T]`` of looking; the error is the largest over these.
        observe: What to look at.
        progress: Wraps the chunks, see `dynamics.simulate`.
        checkpoint: Keeps what has come, see `dynamics.simulate`.

    Returns:
        The trajectory, and the error stated for it.
    """
    pair = {"asked": flow, "coarser": coarser(flow)}
    look = _with_loss(observe)
    both = compare(
        pair, start_from, times=times, observe=look, progress=progress, checkpoint=checkpoint
    )
    return both["asked"], _stated(both)


def ensemble_with_error(
    flow: Dynamics,
    starts: Polar | Weights,
    *,
    times: ArrayLike,
    observe: Observe = observe("loss", "rho"),
    over: Mapping[str, ArrayLike] | None = None,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[Trajectory, StatedError]:
    """Runs many members of a flow and states the error of each, at half the work again.

    Args:
        flow: A flow.
        starts: As for `dynamics.ensemble`.
        times: Increasing times ``[T]`` of looking; the error is the largest over these.
        observe: What to look at.
        over: What differs besides the start, as for `dynamics.ensemble`; not the tolerances.
        progress: Wraps the chunks, see `dynamics.simulate`.
        checkpoint: Keeps what has come, see `dynamics.simulate`.

    Returns:
        The trajectory, and the error stated for each member.
    """
    pair = {"asked": flow, "coarser": coarser(flow)}
    look = joint_observe("asked", _with_loss(observe))
    whole = ensemble(
        together(pair), starts, times=times, observe=look, over=over, progress=progress,
        checkpoint=checkpoint,
    )  # fmt: skip
    both = split(pair, "asked", whole)
    return both["asked"], _stated(both)


def _with_loss(look: Observe) -> Observe:
    """What is looked at, with the loss, from which the error is stated."""
    return look | observe("loss")


def _stated(both: Comparison) -> StatedError:
    apart = both.distances["coarser"]
    losses = jnp.abs(both["asked"]["loss"] - both["coarser"]["loss"])
    worst = jax.tree.map(
        lambda difference: SHARE * jnp.max(difference, axis=-1),
        (apart["rho"], losses, apart["outputs"]),
    )
    return StatedError(*worst)
