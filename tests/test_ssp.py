"""SSP(4,2) and SSP(4,3): their orders, their interpolants', their coefficients, their purpose."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rhoflow import dynamics, models
from rhoflow.dynamics.flows.ssp import SSP42, SSP43

ORDER_BAND = 0.15


@pytest.fixture(scope="module")
def problem():
    x, labels = models.tasks.separable_clusters(jax.random.key(3), 16, 6, spread=1.0)
    network = models.deep_linear((6, 5, 1))
    return models.Problem(network, x, models.encode(labels, "signs"), decay=0.01)


@pytest.fixture(scope="module")
def start(problem):
    return models.to_polar(problem.network.init(jax.random.key(5)), rho=1.5)


def rhos(problem, start, times, **options):
    flow = dynamics.gradient_flow(problem, **options)
    return np.asarray(dynamics.simulate(flow, start, times=times)["rho"])


@pytest.fixture(scope="module")
def exact(problem, start):
    def at(times):
        return rhos(problem, start, times, rtol=1e-12, atol=1e-14)

    return at


BOTH = pytest.mark.parametrize(("solver", "order"), [(SSP42(), 2), (SSP43(), 3)])


@BOTH
def test_no_coefficient_is_negative_and_the_weights_are_of_their_order(solver, order):
    """Order two: b c = 1/2; three: b c^2 = 1/3 too; the embedded weights are of one order less."""
    tableau = solver.tableau
    assert all(np.all(row >= 0) for row in tableau.a_lower)
    assert np.all(tableau.b_sol >= 0)
    assert np.all(tableau.b_sol - tableau.b_error >= 0)
    places = np.concatenate([[0.0], tableau.c])
    moments = [tableau.b_sol @ places**power for power in range(order)]
    np.testing.assert_allclose(moments, 1 / np.arange(1, order + 1), rtol=1e-15)
    errors = [tableau.b_error @ places**power for power in range(order)]
    np.testing.assert_allclose(errors[:-1], 0.0, atol=1e-15)
    assert abs(errors[-1]) > 1e-2


@BOTH
def test_fixed_steps_converge_at_the_solvers_order(problem, start, exact, solver, order):
    times = [2.0, 4.0]
    errors = [
        np.max(np.abs(rhos(problem, start, times, solver=solver, step=h) - exact(times)))
        for h in (0.2, 0.1, 0.05)
    ]
    np.testing.assert_allclose(-np.diff(np.log2(errors)), order, atol=ORDER_BAND)


@BOTH
def test_between_steps_the_interpolant_is_of_that_order_too(problem, start, exact, solver, order):
    """One step of a parabola is off by the third power of the step."""
    errors = []
    for h in (0.4, 0.2, 0.1):
        times = [2.0 + 0.37 * h]
        here = rhos(problem, start, times, solver=solver, step=h)
        errors.append(np.max(np.abs(here - exact(times))))
    assert np.all(-np.diff(np.log2(errors)) > order - 2 * ORDER_BAND), errors


def test_error_control_keeps_its_tolerance(problem, start, exact):
    times = [1.0, 5.0]
    ours = rhos(problem, start, times, solver=SSP43(), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ours, exact(times), rtol=1e-4)


@pytest.mark.slow
def test_they_slide_along_a_kink_with_far_less_bias_than_dopri5():
    """x' = a - sign(x) slides at 0, so z' = x^2 should stay: its drift is the method's bias."""

    def bias(solver, slope, step=0.1):
        terms = diffrax.ODETerm(lambda _, y, a: jnp.stack([a - jnp.sign(y[0]), y[0] ** 2]))
        ran = diffrax.diffeqsolve(
            terms, solver, 0.0, 200.0, step, jnp.array([0.05, 0.0]), slope, max_steps=100_000
        )
        return abs(float(ran.ys[-1, 1])) / 200.0 / step**2

    slopes = (-0.61, -0.27, 0.13, 0.37, 0.73)
    two, three, theirs = (
        np.mean([bias(solver, slope) for slope in slopes])
        for solver in (SSP42(), SSP43(), diffrax.Dopri5())
    )
    assert two < three < 0.5
    assert theirs > 10 * three
