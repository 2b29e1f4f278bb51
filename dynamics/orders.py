"""How well a flow follows a descent: errors against the learning rate, and the fitted order.

For each learning rate the descent and the flows that follow it start from one point and are looked
at together; the error is the largest distance in function space over all times of looking. On a
smooth network the plain flow is of order 1, the modified-loss flow and the second-order equation
(from its slow manifold) of order 2. On a ReLU network kinks limit all of them to order 1.

The maximum over time matters: at a single time errors can cancel and show any slope.

Source: theory of [M117] section 5; slopes are fitted to log2 errors by least squares.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ..models.checks import refusal
from ..models.network import Weights
from ..models.polar import Polar
from .compare import compare
from .observe import observe
from .types import Dynamics

Maker = Callable[[float], Dynamics]
"""``maker(learning_rate) -> Dynamics``."""


class Order(NamedTuple):
    """Errors of one flow and the order fitted to them.

    Attributes:
        learning_rates: Decreasing, ``[rates]``.
        errors: Largest root mean square distance of the outputs over time, ``[rates]``.
        slope: The fitted order.
        standard_error: Of the slope; NaN with fewer than three rates.
        last_slopes: Between neighbouring rates, ``[rates - 1]``.
    """

    learning_rates: Float[np.ndarray, "rates"]
    errors: Float[np.ndarray, "rates"]
    slope: float
    standard_error: float
    last_slopes: Float[np.ndarray, "intervals"]


def orders(
    descent: Maker,
    flows: Mapping[str, Maker],
    start: Polar | Weights,
    *,
    learning_rates: Sequence[float],
    times: Sequence[float],
) -> dict[str, Order]:
    """Measures how fast flows approach a descent as its learning rate falls.

    Args:
        descent: Makes the descent at a rate.
        flows: By name, make the flows that follow it at that rate.
        start: The common start.
        learning_rates: Decreasing.
        times: At which to look; whole steps of the descent at every rate.

    Returns:
        The measured order of each flow, by its name.

    Raises:
        ValueError: If there are fewer than two rates, or they do not decrease.
    """
    rates = np.asarray(learning_rates, float)
    if len(rates) < 2 or np.any(np.diff(rates) >= 0):
        raise refusal("at least two decreasing learning rates", rates, "pass [0.1, 0.05, 0.025]")
    errors: dict[str, list[float]] = {name: [] for name in flows}
    for rate in rates:
        members = {"descent": descent(rate)} | {name: make(rate) for name, make in flows.items()}
        apart = compare(members, start, times=np.asarray(times), observe=observe("rho")).distances
        for name in flows:
            errors[name].append(float(np.max(np.asarray(apart[name]["outputs"]))))
    return {name: fit(rates, np.asarray(values)) for name, values in errors.items()}


def fit(rates: Float[np.ndarray, "rates"], errors: Float[np.ndarray, "rates"]) -> Order:
    """The order: the slope of log2 errors over log2 rates.

    >>> order = fit(np.array([0.4, 0.2, 0.1]), np.array([0.16, 0.04, 0.01]))
    >>> round(order.slope, 6), round(order.standard_error, 6)
    (2.0, 0.0)
    """
    x, y = np.log2(rates), np.log2(errors)
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    rest = y - y.mean() - slope * centred
    freedom = len(x) - 2
    spread = np.sqrt(rest @ rest / freedom / (centred @ centred)) if freedom else np.nan
    return Order(rates, errors, slope, float(spread), np.diff(y) / np.diff(x))
