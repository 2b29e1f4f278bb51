"""Rho prescribed, V following: against an angle that SciPy turns, and constrained least squares."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.integrate import solve_ivp

import constrained_squares
import references as ref
from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds

ROUND_OFF = 1e-12
SOLVER = 1e-9
"""Flows are integrated with rtol 1e-11 over a few units of time."""
RATES = (0.04, 0.02, 0.01)
CIRCLE = models.deep_linear((2, 1))


def swinging(time, initial_rho):
    """It grows, swings and depends on where it began."""
    return initial_rho * (1 + 0.5 * time + 0.4 * jnp.sin(3 * time))


def constant(time, initial_rho):
    """The start's radius, whatever the time."""
    del time
    return initial_rho


HELD, SCHEDULED = kinds.sphere(radius="held"), kinds.scheduled(swinging)


@pytest.fixture(scope="module")
def circle():
    """A linear unit of two inputs."""
    x, labels = models.tasks.separable_clusters(jax.random.key(3), 10, 2, spread=1.0)
    return models.Problem(CIRCLE, x, models.encode(labels, "signs"), decay=0.05)


def at_angle(angle, rho):
    return models.Polar(jnp.asarray(rho), (jnp.array([[np.cos(angle)], [np.sin(angle)]]),))


def flow_of(problem, kind):
    return dynamics.gradient_flow(problem, normalisation=kind, rtol=1e-11, atol=1e-13)


def turned(problem, angle, rho, times):
    """phi' = (2 rho/N) sum_n (y_n - rho <v, x_n>) <v', x_n>, v = (cos phi, sin phi), by SciPy."""
    x, y = np.asarray(problem.inputs), np.asarray(problem.targets)

    def speed(time, phi):
        radius = rho * (1 + 0.5 * time + 0.4 * np.sin(3 * time))
        along, across = np.array([np.cos(phi), np.sin(phi)]), np.array([-np.sin(phi), np.cos(phi)])
        residuals = y[:, None] - radius * x @ along
        return 2 * radius * np.mean(residuals * (x @ across), axis=0)

    solved = solve_ivp(
        speed, (0, times[-1]), [angle], "DOP853", times, rtol=1e-12, atol=1e-13
    )  # fmt: skip
    return solved.y[0]


@pytest.mark.parametrize("angle", [0.3, 2.9])
def test_a_linear_unit_turns_under_a_scheduled_radius_as_scipy_says(angle, circle):
    times = np.linspace(0, 3, 7)
    look = dynamics.observe("rho", directions=ref.directions)
    ran = dynamics.simulate(
        flow_of(circle, SCHEDULED), at_angle(angle, 0.7), times=times, observe=look
    )
    expected = turned(circle, angle, 0.7, times)
    v = ran["directions"][0][:, :, 0]
    np.testing.assert_allclose(v[:, 0], np.cos(expected), atol=SOLVER)
    np.testing.assert_allclose(v[:, 1], np.sin(expected), atol=SOLVER)
    radius = 0.7 * (1 + 0.5 * times + 0.4 * np.sin(3 * times))
    np.testing.assert_allclose(ran["rho"], radius, rtol=SOLVER)
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize("kind", [HELD, SCHEDULED], ids=["held", "scheduled"])
def test_the_certificate_stays_and_frozen_layers_too(kind):
    problem, start = ref.problem(decay=0.02), ref.start(rho=0.8)
    frozen = (
        kinds.sphere(frozen=(1,), radius="held")
        if kind is HELD
        else kinds.scheduled(swinging, frozen=(1,))
    )
    position = frozen.prepare(start)
    ran = dynamics.simulate(flow_of(problem, frozen), start, times=[2.0])
    begin = frozen.certificate(problem, jnp.asarray(0.0), position)
    end = frozen.certificate(problem, jnp.asarray(2.0), ran.final.position)
    np.testing.assert_allclose(end, begin, rtol=ROUND_OFF, atol=ROUND_OFF)
    kept, before = ran.final.position.directions[1], position.directions[1]
    np.testing.assert_allclose(kept, before, rtol=ROUND_OFF)
    assert ref.difference(ran.final.position.directions[0], position.directions[0]) > 1e-2


def least_norm(problem):
    return np.linalg.norm(ref.ridge(problem.inputs, problem.targets, 0.0))


@pytest.mark.parametrize("share", [0.4, 1.5], ids=["below", "above"])
def test_a_linear_unit_with_rho_held_ends_in_least_squares_on_the_sphere(share):
    problem = ref.problem(models.deep_linear((ref.FEATURES, 1)))
    rho = share * least_norm(problem)
    start = ref.start(problem.network, rho=rho)
    ran = dynamics.simulate(flow_of(problem, HELD), start, times=[2000.0])
    expected = constrained_squares.solve(problem.inputs, problem.targets, rho)
    np.testing.assert_allclose(rho * ran.final.position.directions[0][:, 0], expected, rtol=1e-8)


def test_a_deep_linear_network_with_rho_held_ends_likewise_below_the_norm_of_least_squares():
    problem = ref.problem()
    rho = 0.6 * least_norm(problem)
    ran = dynamics.simulate(flow_of(problem, HELD), ref.start(rho=rho), times=[500.0])
    expected = constrained_squares.solve(problem.inputs, problem.targets, rho)
    np.testing.assert_allclose(ref.linear_map(ran.final.position), expected, rtol=1e-8)
    assert ran.final.position.rho == rho


def test_a_deep_linear_network_with_rho_held_above_it_ends_in_least_squares_itself():
    """Its layers then misalign, so that |w| < rho: only a single layer is bound to |w| = rho."""
    problem = ref.problem()
    rho = 1.5 * least_norm(problem)
    ran = dynamics.simulate(flow_of(problem, HELD), ref.start(rho=rho), times=[2000.0])
    expected = ref.ridge(problem.inputs, problem.targets, 0.0)
    np.testing.assert_allclose(ref.linear_map(ran.final.position), expected, rtol=1e-8)


@pytest.mark.slow
def test_a_constant_schedule_is_a_held_radius(circle):
    pair = {
        "held": flow_of(circle, HELD),
        "scheduled": flow_of(circle, kinds.scheduled(constant)),
    }
    both = dynamics.compare(pair, at_angle(0.3, 1.2), times=[0.5, 3.0])
    assert ref.biggest(both.distances["scheduled"]) < SOLVER


def slopes(problem, reference_of, momentum):
    """Orders in the rate at which descent under a schedule approaches another dynamics."""
    errors = []
    look = dynamics.observe("rho", directions=ref.directions)
    for rate in RATES:
        slowly = rate * (1 - momentum)
        steps = dynamics.gradient_descent(
            problem, slowly, momentum=momentum, normalisation=SCHEDULED, warm=momentum > 0
        )
        ran, other = (
            dynamics.simulate(each, at_angle(0.3, 0.7), times=[0.8, 1.6, 2.0], observe=look)
            for each in (steps, reference_of(slowly, momentum))
        )
        errors.append(ref.difference(ran.observations, other.observations))
    return np.diff(np.log2(errors)) * -1


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.slow
def test_descent_follows_the_schedule_to_first_order_and_the_corrected_flow_to_second(
    momentum, circle
):
    """The correction holds -(eta/2) d/dt grad U, which a potential that changes adds."""
    plain = slopes(circle, lambda *_: flow_of(circle, SCHEDULED), momentum)
    np.testing.assert_allclose(plain, 1.0, atol=0.1)

    def corrected(rate, beta):
        return dynamics.corrected_flow(
            circle, rate, momentum=beta, normalisation=SCHEDULED, rtol=1e-11, atol=1e-13
        )

    np.testing.assert_allclose(slopes(circle, corrected, momentum), 2.0, atol=0.15)


@pytest.mark.parametrize(
    ("optimiser", "options", "passed"),
    [
        (optax.sgd, {}, 20 * 0.05),
        (optax.sgd, {"momentum": 0.5, "warm": True}, 20 * 0.05 / 0.5),
        # A cold buffer is beta^n behind at step n: 0.05 * 2 * sum of 0.5^n.
        (optax.sgd, {"momentum": 0.5}, 0.05 * 2 * (20 - (1 - 0.5**20))),
        # Adam divides the constant gradient by its size plus 1e-8.
        (optax.adam, {}, 20 * 0.05 / (1 + 1e-8)),
    ],
    ids=["plain", "warm", "cold", "adam"],
)
def test_a_step_lets_pass_the_rate(optimiser, options, passed, circle):
    steps = dynamics.descent(circle, optimiser, 0.05, normalisation=SCHEDULED, **options)
    times = dynamics.times_at(steps, steps=[20])
    ran = dynamics.simulate(steps, at_angle(0.3, 0.7), times=times)
    np.testing.assert_allclose(ran.final.position.time, passed, rtol=ROUND_OFF)
    np.testing.assert_allclose(ran["rho"][0], swinging(passed, 0.7), rtol=ROUND_OFF)


def test_sgd_moves_the_directions_alone(circle):
    steps = dynamics.sgd(circle, 0.05, batch_size=2, normalisation=HELD)
    start = at_angle(0.3, 0.7)
    ran = dynamics.simulate(
        steps, start, times=dynamics.times_at(steps, epochs=[3]), key=jax.random.key(0)
    )
    assert ran.final.position.rho == 0.7
    assert ref.difference(ran.final.position.directions, start.directions) > 1e-2


@pytest.mark.slow
def test_members_of_an_ensemble_have_schedules_of_their_own_by_their_radii(circle):
    starts = [at_angle(0.3, 0.5), at_angle(0.3, 1.5)]
    flow = flow_of(circle, SCHEDULED)
    together = dynamics.ensemble(flow, starts, times=[1.0])
    for rho, start in zip(together["rho"][:, 0], starts, strict=True):
        np.testing.assert_allclose(rho, swinging(1.0, start.rho), rtol=ROUND_OFF)
        alone = dynamics.simulate(flow, start, times=[1.0])
        np.testing.assert_allclose(rho, alone["rho"][0], rtol=ROUND_OFF)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [HELD, SCHEDULED], ids=["held", "scheduled"])
def test_the_end_has_a_derivative_in_the_radius_of_the_start(kind, circle):
    """That rho does not move is no reason for a derivative of zero."""
    flow = dynamics.gradient_flow(circle, normalisation=kind, step=0.05)

    def end(rho):
        return dynamics.simulate(flow, at_angle(0.3, rho), times=[1.0]).final.position.directions[0]

    _, slope = jax.jvp(end, (0.7,), (1.0,))
    step = 1e-5
    expected = (end(0.7 + step) - end(0.7 - step)) / (2 * step)
    np.testing.assert_allclose(slope, expected, rtol=1e-7)
    assert ref.biggest(slope) > 1e-2


def test_what_is_no_radius_is_refused():
    with pytest.raises(ValueError, match="did you mean 'held'"):
        kinds.sphere(radius="helt")
    with pytest.raises(ValueError, match="a schedule of the radius, got 3"):
        kinds.scheduled(3)
