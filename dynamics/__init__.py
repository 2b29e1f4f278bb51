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
from .compare import Comparison, compare
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
from .ensemble import ensemble, placement
from .flows import SSP43, Moving, corrected_flow, gradient_flow, second_order_flow
from .lockstep import together
from .observables import error_on
from .observe import Observe, observe
from .orders import Order, orders
from .restart import Attempts, simulate_with_restarts
from .simulate import simulate
from .stated_error import StatedError, coarser, ensemble_with_error, simulate_with_error
from .stopping import Condition, at_rest, best, separated
from .trajectory import Trajectory, first_time, member
from .types import Dynamics, State, Status, replace

__all__ = [
    "SSP43",
    "Attempts",
    "Comparison",
    "Condition",
    "Dynamics",
    "Moving",
    "Observe",
    "Order",
    "State",
    "StatedError",
    "Status",
    "Trajectory",
    "at_rest",
    "batches",
    "best",
    "coarser",
    "compare",
    "constrained",
    "corrected_flow",
    "descent",
    "diffusion",
    "ensemble",
    "ensemble_with_error",
    "error_on",
    "first_time",
    "gradient_descent",
    "gradient_flow",
    "member",
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
    "simulate",
    "simulate_with_error",
    "simulate_with_restarts",
    "times_at",
    "together",
]
