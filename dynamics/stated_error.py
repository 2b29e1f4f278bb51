"""How wrong is this flow? The same run with coarser steps beside it.

A flow's embedded error estimates say nothing of its global error, least of all on a network with
kinks, where the floor under the steps decides. So run it twice, in lockstep: as asked, and with
twice the floor and ten times the tolerance (half the work, on top). **Twice the largest
difference** is the stated error. On ReLU networks it was within a factor 0.5 to 3 of the true error up to
t = 500; on runs of thousands of time units it is an alarm, not a bound: late events decide there.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ..models.checks import refusal
from ..models.polar import Polar
from .compare import Comparison, compare
from .integrate import FlowParameters
from .observe import Observe, observe
from .trajectory import Trajectory
from .types import Dynamics

COARSER_TOLERANCE, COARSER_STEP = 10.0, 2.0
CAUTION = 2.0


class StatedError(NamedTuple):
    """Error bars of a flow, absolute: twice its largest difference to the coarser run.

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

    Raises:
        ValueError: If the dynamics is no flow.
    """
    parameters = flow.parameters
    if not isinstance(parameters, FlowParameters):
        raise refusal("a flow", flow.name, "discrete dynamics make no error that could be stated")
    factors = {
        "rtol": COARSER_TOLERANCE, "atol": COARSER_TOLERANCE,
        "floor": COARSER_STEP, "step": COARSER_STEP,
    }  # fmt: skip
    for name, factor in factors.items():
        old = getattr(parameters, name)
        if old is not None:
            parameters = eqx.tree_at(lambda p, n=name: getattr(p, n), parameters, factor * old)
    return eqx.tree_at(lambda dynamics: dynamics.parameters, flow, parameters)


def simulate_with_error(
    flow: Dynamics,
    start_from: Polar,
    *,
    times: ArrayLike,
    observe: Observe = observe("loss", "rho"),
    progress: bool = False,
) -> tuple[Trajectory, StatedError]:
    """Runs a flow and states its error, at half the work again.

    Args:
        flow: A flow.
        start_from: Where it starts.
        times: Increasing times ``[T]`` of looking; the error is the largest over these.
        observe: What to look at.
        progress: Whether to show a progress bar.

    Returns:
        The trajectory, and the error stated for it.
    """
    pair = beside_coarser(flow)
    look = with_loss(observe)
    both = compare(pair, start_from, times=times, observe=look, progress=progress)
    return both["asked"], stated_error(both)


def beside_coarser(flow: Dynamics) -> dict[str, Dynamics]:
    """The members of the comparison from which the error is stated."""
    return {"asked": flow, "coarser": coarser(flow)}


def with_loss(look: Observe) -> Observe:
    """What is looked at, with the loss, from which the error is stated."""
    return Observe(look.functions | observe("loss").functions)


def stated_error(both: Comparison) -> StatedError:
    """The error stated by a comparison of `beside_coarser`; NaN where a run failed."""
    apart = both.distances["coarser"]
    losses = jnp.abs(both["asked"]["loss"] - both["coarser"]["loss"])
    worst = jax.tree.map(
        lambda difference: CAUTION * jnp.max(difference, axis=-1),
        (apart["rho"], losses, apart["outputs"]),
    )
    return StatedError(*worst)
