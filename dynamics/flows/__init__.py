"""Flows: motions in continuous time, and how they are integrated.

A `Motion` says what moves and with which velocity; `build` joins it with a solver, tolerances and
the floor under its steps to a `Dynamics`; `integrate` runs it. Three motions are built here: the
gradient flow, the modified-loss flow and the second-order equation.
"""

from .corrected import corrected_flow
from .gradient_flow import gradient_flow
from .motion import FlowParameters
from .second_order import Moving, second_order_flow
from .ssp import SSP42, SSP43

__all__ = [
    "SSP42",
    "SSP43",
    "FlowParameters",
    "Moving",
    "corrected_flow",
    "gradient_flow",
    "second_order_flow",
]
