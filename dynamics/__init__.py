"""How a network moves, and what we see of it.

    flow = dynamics.gradient_flow(problem)
    steps = dynamics.sgd(problem, learning_rate=0.03, momentum=0.9, batch_size=32)
    look = dynamics.observe("loss", "rho", "rho_eq")
    one = dynamics.simulate(flow, start, times=times, observe=look)
    table = dynamics.compare({"flow": flow, "sgd": steps}, start, times=times, key=key)

A dynamics is a value (`dynamics.types`); one driver moves them all (`dynamics.simulate`). Time is
the running sum of the learning rates. Everything here is pure: no files, no printing.
"""

from . import normalisation, observables, reduced
from .alternation import Alternation, alternation, sign_changes
from .checkpoint import Checkpoint, Kept
from .compare import Comparison, compare
from .continuation import Equilibria, LeastLoss, continuation, least_loss
from .descents import (
    batches,
    constrained,
    descent,
    diffusion,
    gradient_descent,
    on_spheres,
    sgd,
    times_at,
)
from .ensemble import ensemble, memory
from .flows import SSP42, SSP43, Moving, corrected_flow, gradient_flow, second_order_flow
from .lockstep import together
from .memory import Memory
from .minimise import Minimum, Outcome, minimise
from .monotony import Falls, falls
from .observables import error_on
from .observe import Observe, observe
from .orders import Order, orders
from .placement import Placement, placement
from .restart import Attempts, simulate_with_restarts
from .reverse import endpoint
from .simulate import simulate
from .stated_error import StatedError, coarser, ensemble_with_error, simulate_with_error
from .stopping import Condition, at_rest, best, separated
from .trajectory import Trajectory, first_time, member
from .types import Dynamics, State, Status, replace

__all__ = [
    "SSP42",
    "SSP43",
    "Alternation",
    "Attempts",
    "Checkpoint",
    "Comparison",
    "Condition",
    "Dynamics",
    "Equilibria",
    "Falls",
    "Kept",
    "LeastLoss",
    "Memory",
    "Minimum",
    "Moving",
    "Observe",
    "Order",
    "Outcome",
    "Placement",
    "State",
    "StatedError",
    "Status",
    "Trajectory",
    "alternation",
    "at_rest",
    "batches",
    "best",
    "coarser",
    "compare",
    "constrained",
    "continuation",
    "corrected_flow",
    "descent",
    "diffusion",
    "endpoint",
    "ensemble",
    "ensemble_with_error",
    "error_on",
    "falls",
    "first_time",
    "gradient_descent",
    "gradient_flow",
    "least_loss",
    "member",
    "memory",
    "minimise",
    "normalisation",
    "observables",
    "observe",
    "on_spheres",
    "orders",
    "placement",
    "reduced",
    "replace",
    "second_order_flow",
    "separated",
    "sgd",
    "sign_changes",
    "simulate",
    "simulate_with_error",
    "simulate_with_restarts",
    "times_at",
    "together",
]
