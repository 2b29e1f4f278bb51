"""Gradient flow on the product of spheres: rho and the directions V_k, without steps.

    rho'  = 2 (mu - rho (M + lambda))
    V_k'  = (2 rho / N) sum_n l_n (d_k fbar_n - V_k fbar_n),      l_n = 1 - rho fbar_n

for the square loss with targets +-1; in general minus the gradient of the objective, projected to
the tangent spaces of the spheres. The term in V_k is the documents' Lagrange multiplier, which
holds |V_k| = 1. The flow dissipates: dLoss/dt = -rho'^2 - sum_k |V_k'|^2.

Where rho comes to rest, rho = rho_eq = mu / (M + lambda).

**Kinks.** A ReLU network's flow slides along activation boundaries; read
`dynamics.flows.step_floor` for what the floor under the steps means. The default there is SSP42 at
rtol 1e-6 with floor 0.4: about 11 evaluations of the field per unit of time while the sharpness
stays below 5, and 2.2 times the sharpness above, where stability rules the floor. Dopri5, Tsit5 and
Dopri8 have large negative coefficients that throw stages across the kinks and bias rho by a
percent: asking for them on a network with kinks warns. On smooth (linear) networks the default is
Dopri5 at rtol 1e-4 without a floor.

Source: [Dyn] (2)-(7); the printed last forms of (4) and (5) have f_n where fbar_n is meant.
"""

from typing import Unpack

from jaxtyping import Array, PyTree

from ...models.binding import bind
from ...models.polar import Polar
from ...models.problem import Problem
from ..normalisation import Normalisation, field, fitting, sphere
from ..normalisation.kind import prepare
from ..types import Dynamics
from .build import Integration, build
from .motion import Motion


def gradient_flow(
    problem: Problem,
    *,
    normalisation: Normalisation | None = None,
    **integration: Unpack[Integration],
) -> Dynamics:
    """Gradient flow in polar coordinates.

    Args:
        problem: What is learned.
        normalisation: Which coordinates move, see `dynamics.normalisation`; the product of
            spheres unless given.
        **integration: How it is integrated, all optional:
            ``solver``, an explicit Runge-Kutta solver of diffrax; SSP42 for networks with kinks and
            Dopri5 for smooth ones unless given.
            ``rtol``, relative tolerance of a step: 1e-6 with kinks, where it lets steps exceed the
            floor only where nothing happens, and 1e-4 without.
            ``atol``, absolute tolerance of a step, a thousandth of that.
            ``floor``, the smallest step, in units of time, ``None`` for none; ``"auto"`` takes 0.4
            for networks with kinks and none for smooth ones.
            ``step`` fixes the step, in units of time; tolerances and floor are then not used.
            ``max_steps``, the budget of steps, accepted and rejected: ten million.

    Returns:
        A dynamics for `dynamics.simulate`, with statistics ``accepted``, ``rejected``,
        ``at_floor``, ``evaluations``, ``switches`` of activations and, with a floor, the last
        ``sharpness`` and ``floor`` and the count of forced steps found ``unstable``.

    Raises:
        ValueError: If there is no such option, a tolerance, the floor, the step or the budget is
            not one positive number, or the solver gives no error estimate and no step is fixed,
            or the normalisation does not fit the network.

    >>> from rhoflow import models
    >>> problem = models.Problem(models.mlp((2, 1)), [[0.6, 0.8], [-1.0, 0.0]], [1.0, -1.0], 0.1)
    >>> gradient_flow(problem, rtol=1e-3).name
    'gradient flow'
    """
    chosen = fitting(problem, normalisation)
    motion = Motion(
        name="gradient flow" if chosen.name == "sphere" else f"gradient flow, {chosen.name}",
        field=bind(_field, chosen),
        prepare=bind(prepare, chosen),
        view=chosen.view,
        retract=chosen.retract,
        smooth=chosen.smooth,
    )
    return build(problem, motion, {}, **integration)


def sphere_field(problem: Problem, polar: Polar) -> Polar:
    """Velocity of the flow: minus the gradient, projected to the spheres' tangent spaces.

    The directions are normalised first, so that a point off the spheres moves like its retraction.

    Args:
        problem: What is learned.
        polar: Where.

    Returns:
        ``Polar(rho', directions')``, per unit of time.
    """
    return field(sphere(), problem, polar)


def _field(
    normalisation: Normalisation, problem: Problem, settings: dict[str, Array], position: PyTree
) -> PyTree:
    del settings
    return field(normalisation, problem, position)
