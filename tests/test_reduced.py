"""Closed forms solve their equations: against SciPy's integration, against loops, against runs.

Nothing here is compared with itself: the reference is `solve_ivp` at rtol 1e-11, a scan, a loop, or
the library's own gradient flow on a problem for which mu and M are exactly constant.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.special

from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation
from rhoflow.dynamics.reduced import (
    equilibria,
    exponential,
    functions,
    logistic,
    oja,
    oscillator,
    ridge,
)
from rhoflow.dynamics.reduced.beta import incomplete_beta
from rhoflow.dynamics.reduced.lambert import lambert_w
from rhoflow.dynamics.reduced.root import increasing_root

CLOSED = 1e-8
TIMES = np.linspace(0.0, 3.0, 7)


def integrated(speed, start, times, rtol=1e-11):
    """SciPy's solution of x' = speed(x), one row for each time."""
    begin = np.atleast_1d(np.asarray(start, float))
    scale = np.max(np.abs(begin))
    run = scipy.integrate.solve_ivp(
        lambda _, x: np.asarray(speed(x)),
        (0.0, times[-1]),
        begin,
        method="DOP853",
        t_eval=times,
        rtol=rtol,
        atol=1e-14 * scale,
    )
    assert run.success
    return run.y.T


def logistic_speed(rho, mean_margin, second_moment, layers, decay=0.0):
    """The equation as it is printed, in NumPy."""
    grow = 2 * layers * rho ** (2 - 2 / layers) * (mean_margin - rho * second_moment)
    return grow - 2 * layers * decay * rho


# The logistic equation.

FROZEN = {"mean_margin": 0.8, "second_moment": 0.9}


@pytest.mark.parametrize("start", [0.02, 0.5, 2.5])
@pytest.mark.parametrize(
    ("layers", "decay"),
    [(1, 0.0), (1, 0.2), (2, 0.0), (2, 0.2), (2, 1.1), (3, 0.0), (4, 0.0), (12, 0.0)],
)
def test_the_logistic_curve_solves_its_equation(layers, decay, start):
    numbers = {**FROZEN, "layers": layers, "decay": decay}
    curve = logistic.rho(TIMES, start=start, **numbers)
    expected = integrated(lambda rho: logistic_speed(rho, **numbers), start, TIMES)[:, 0]
    np.testing.assert_allclose(curve, expected, rtol=CLOSED)
    np.testing.assert_allclose(
        logistic.speed(expected, **numbers), logistic_speed(expected, **numbers), rtol=1e-12
    )


@pytest.mark.parametrize("start", [-0.7, 0.0])
def test_one_layer_may_start_anywhere_and_two_may_balance_margin_and_decay(start):
    curve = logistic.rho(TIMES, start=start, layers=1, decay=0.1, **FROZEN)
    expected = (
        integrated(lambda rho: logistic_speed(rho, **FROZEN, layers=1, decay=0.1), start, TIMES)
        if start
        else 0.8 / 1.0 * (1 - np.exp(-2.0 * TIMES))[:, None]
    )
    np.testing.assert_allclose(curve, expected[:, 0], rtol=CLOSED)
    balanced = logistic.rho(TIMES, start=0.5, layers=2, decay=0.8, **FROZEN)
    np.testing.assert_allclose(balanced, 0.5 / (1 + 4 * 0.9 * 0.5 * TIMES), rtol=1e-12)


@pytest.mark.parametrize("growth", [0.0, 1e-12, -1e-12, 1e-6, -1e-6, 1e-3, 0.1, -0.5])
def test_the_time_of_two_layers_is_known_where_decay_meets_the_margin(growth):
    """Against the quadrature of dt = d rho / (4 rho (growth - M rho))."""
    numbers = {"mean_margin": 0.8 + growth, "second_moment": 0.4, "decay": 0.8}
    for first, last in ((0.5, 0.499999), (0.5, 0.3), (2.0, 0.45), (0.5, 2.0)):
        grown = (0.8 + growth) - 0.8  # as it is in double precision
        exact, _ = scipy.integrate.quad(
            lambda rho, grown=grown: 1 / (4 * rho * (grown - 0.4 * rho)), first, last, epsrel=1e-13
        )
        found = logistic.time(last, start=first, layers=2, **numbers)
        np.testing.assert_allclose(found, exact, rtol=1e-12)

    def by_decay(decay):
        return logistic.time(0.3, start=0.5, layers=2, **numbers | {"decay": decay})

    assert np.isfinite(jax.grad(by_decay)(0.8))


def test_four_layers_have_the_elementary_time_of_the_documents():
    """t = [-2/sqrt u + 2 artanh sqrt u] / (8 a sqrt rho_inf), a difference, and the general G."""
    a, limit = FROZEN["mean_margin"], 0.8 / 0.9
    u = np.array([0.01, 0.2, 0.5, 0.9, 0.999])
    elementary = -2 / np.sqrt(u) + 2 * np.arctanh(np.sqrt(u))
    expected = (elementary - elementary[0]) / (8 * a * np.sqrt(limit))
    found = logistic.time(u * limit, start=0.01 * limit, layers=4, **FROZEN)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("layers", [3, 4, 7])
def test_the_time_is_the_documents_hypergeometric_function(layers):
    p, a, limit = 2 / layers - 1, FROZEN["mean_margin"], 0.8 / 0.9
    u = np.array([0.05, 0.3, 0.7, 0.95])
    clock = u**p / p * scipy.special.hyp2f1(1, p, p + 1, u)
    expected = (clock - clock[0]) / (2 * layers * a * limit ** (1 - 2 / layers))
    found = logistic.time(u * limit, start=0.05 * limit, layers=layers, **FROZEN)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(("layers", "decay"), [(1, 0.1), (2, 0.1), (3, 0.0), (20, 0.0)])
@pytest.mark.parametrize("start", [1e-6, 0.3, 30.0, 1e6])
def test_times_and_radii_are_inverse_to_each_other(layers, decay, start):
    numbers = {**FROZEN, "layers": layers, "decay": decay, "start": start}
    limit = (0.8 - decay) / 0.9 if layers == 2 else 0.8 / (0.9 + decay)
    radii = limit + np.array([0.999, 0.5, 0.1, 1e-3]) * (start - limit)
    times = logistic.time(radii, **numbers)
    assert np.all(np.asarray(times) > 0)
    np.testing.assert_allclose(logistic.rho(times, **numbers), radii, rtol=CLOSED)


@pytest.mark.parametrize("layers", [3, 8, 20])
def test_the_escape_from_a_very_small_start_is_integrated_in_the_logarithm(layers):
    """ln rho obeys a smooth equation, which SciPy can follow through a long plateau."""
    start = 1e-6
    rise = float(logistic.time(0.4, start=start, layers=layers, **FROZEN))

    def reach(_, log):
        return log[0] - np.log(0.4)

    reach.terminal = True
    found = scipy.integrate.solve_ivp(
        lambda _, log: logistic_speed(np.exp(log), **FROZEN, layers=layers) / np.exp(log),
        (0.0, 2 * rise),
        [np.log(start)],
        method="DOP853",
        events=reach,
        rtol=1e-12,
        atol=1e-12,
    )
    assert found.t_events[0][0] == pytest.approx(rise, rel=CLOSED)


@pytest.mark.parametrize("layers", [2, 3, 4, 6])
def test_the_plateau_time_leads_the_time_to_half_of_the_limit(layers):
    ratios = [
        logistic.time(0.5, start=start, mean_margin=1.0, second_moment=1.0, layers=layers)
        / logistic.plateau_time(start, mean_margin=1.0, layers=layers)
        for start in (1e-4, 1e-8, 1e-12)
    ]
    misses = np.abs(np.asarray(ratios) - 1)
    assert misses[0] >= misses[1] >= misses[2]
    assert misses[2] < 1e-3


def test_more_layers_and_smaller_starts_wait_longer():
    starts = jnp.array([1e-2, 1e-3, 1e-4])
    waits = [logistic.plateau_time(starts, mean_margin=1.0, layers=n) for n in (2, 3, 4)]
    assert np.all(np.diff(waits, axis=1) > 0)
    assert np.all(np.diff(waits, axis=0) > 0)


def test_at_the_limit_rho_stays_and_beyond_it_no_time_is_found():
    at = {"mean_margin": 1.0, "second_moment": 0.5, "layers": 3}
    np.testing.assert_allclose(logistic.rho(TIMES, start=2.0, **at), 2.0, rtol=1e-15)
    assert np.isinf(logistic.time(2.0, start=0.1, **at))
    assert np.isnan(logistic.time(2.1, start=0.1, **at))
    assert logistic.time(0.05, start=0.1, **at) < 0
    np.testing.assert_allclose(logistic.rho(1e6, start=[1e-3, 50.0], **at), 2.0, rtol=1e-15)


# Against the library's own flow: one sample, aligned layers, so that mu and M never change.


def aligned(direction, layers):
    """Unit layers of rank one, each of which passes on what the one before puts out."""
    chain = [direction, *[np.array([0.6, 0.8])] * (layers - 1), np.ones(1)]
    return tuple(jnp.asarray(np.outer(a, b)) for a, b in itertools.pairwise(chain))


@pytest.mark.parametrize(("layers", "decay"), [(1, 0.15), (2, 0.15), (3, 0.0)])
def test_the_unnormalised_flow_of_an_aligned_network_is_logistic(layers, decay):
    point = np.array([0.48, 0.64, 0.0])  # of norm 0.8
    network = models.deep_linear((3, *[2] * (layers - 1), 1))
    problem = models.Problem(network, point[None], np.ones(1), decay=decay)
    flow = dynamics.gradient_flow(
        problem, normalisation=normalisation.free(), rtol=1e-11, atol=1e-13
    )
    begin = models.to_polar(aligned(point / 0.8, layers), rho=0.05)
    look = dynamics.observe("rho", "mu", "M")
    run = dynamics.simulate(flow, begin, times=TIMES, observe=look)
    np.testing.assert_allclose(run["mu"], 0.8, rtol=1e-12)
    np.testing.assert_allclose(run["M"], 0.64, rtol=1e-12)
    curve = logistic.rho(
        TIMES, start=0.05, mean_margin=0.8, second_moment=0.64, layers=layers, decay=decay
    )
    np.testing.assert_allclose(curve, run["rho"], rtol=CLOSED)


# Equilibria.


def test_rho_rests_at_the_bottom_of_the_parabola():
    mu, moment, decay = 0.4, 0.3, 0.05
    rest = equilibria.on_spheres(mu, moment, decay)
    scan = scipy.optimize.minimize_scalar(lambda r: 1 - 2 * r * mu + r**2 * (moment + decay))
    assert float(rest.rho) == pytest.approx(scan.x, rel=1e-7)
    assert float(rest.loss) == pytest.approx(scan.fun, rel=1e-12)
    sigma_squared = moment - mu**2
    gap = (sigma_squared + decay) / (mu**2 + sigma_squared + decay)
    assert float(rest.loss) == pytest.approx(gap, rel=1e-12)


@pytest.mark.parametrize("fraction", [1.0, 0.25])
def test_stuck_margins_rest_where_a_scan_finds_the_least_loss(fraction):
    margin, decay = 1 / 7, 0.03

    def loss(rho):
        return fraction * (1 - rho * margin) ** 2 + decay * rho**2

    rest = equilibria.stuck_margins(fraction, margin, decay)
    scan = scipy.optimize.minimize_scalar(
        loss, bounds=(0, 10), method="bounded", options={"xatol": 1e-12}
    )
    assert float(rest.rho) == pytest.approx(scan.x, abs=1e-6)
    assert float(rest.loss) == pytest.approx(scan.fun, rel=1e-12)


def test_equal_margins_have_the_corrected_gap_of_the_sheet():
    """rho_0 = 7, lambda = 0.03: the gap is 0.595, where the document prints 0.21."""
    assert float(equilibria.equal_margins(1 / 7, 0.03).loss) == pytest.approx(0.595, abs=5e-4)


@pytest.mark.parametrize(("layers", "quoted"), [(3, 1.92), (4, 1.93)])
def test_the_quoted_equilibria_with_layer_decay(layers, quoted):
    rests = equilibria.with_layer_decay(1.0, 0.5, 0.05, layers)
    assert float(rests.stable) == pytest.approx(quoted, abs=5e-3)


@pytest.mark.parametrize("layers", [3, 4, 5, 9, 40])
@pytest.mark.parametrize("decay", [1e-6, 0.01, 0.2])
def test_both_equilibria_are_where_a_bracketed_search_finds_them(layers, decay):
    mu, moment = 1.3, 0.7

    def miss(log):
        return np.exp(log * (1 - 2 / layers)) * (mu - moment * np.exp(log)) - decay

    peak = np.log(mu / moment * (layers - 2) / (2 * layers - 2))
    low = np.log(decay / mu) * layers / (layers - 2) - 1
    expected = [
        np.exp(scipy.optimize.brentq(miss, *ends, xtol=1e-15, rtol=1e-14))
        for ends in ((peak, np.log(mu / moment)), (low, peak))
    ]
    rests = equilibria.with_layer_decay(mu, moment, decay, layers)
    np.testing.assert_allclose(rests, expected, rtol=1e-12)


@pytest.mark.parametrize("layers", [3, 4])
def test_starts_below_the_smaller_root_collapse_and_others_do_not(layers):
    numbers = {"mean_margin": 1.0, "second_moment": 0.5, "decay": 0.05, "layers": layers}
    rests = equilibria.with_layer_decay(**numbers)

    def ends_at(start):
        """Integrated in ln rho, until it is plainly on one side."""

        def speed(_, log):
            return logistic_speed(np.exp(log), **numbers) / np.exp(log)

        def settled(_, log):
            return abs(log[0] - np.log(start)) - 0.7

        settled.terminal = True
        run = scipy.integrate.solve_ivp(speed, (0, 1e4), [np.log(start)], events=settled, rtol=1e-8)
        return run.y[0, -1] > np.log(start)

    low, high = 1e-6, 1.0
    while high / low > 1.002:
        middle = np.sqrt(low * high)
        low, high = (low, middle) if ends_at(middle) else (middle, high)
    assert high == pytest.approx(float(rests.separatrix), rel=0.01)
    late = integrated(lambda r: logistic_speed(r, **numbers), 1.2 * rests.separatrix, [0.0, 400.0])
    assert late[-1, 0] == pytest.approx(float(rests.stable), rel=1e-8)
    late = integrated(lambda r: logistic_speed(r, **numbers), 0.9 * rests.separatrix, [0.0, 40.0])
    assert late[-1, 0] < 0.1 * rests.separatrix


@pytest.mark.parametrize("layers", [2, 3, 4, 9])
def test_the_largest_decay_is_the_maximum_of_a_scan(layers):
    mu, moment = 1.3, 0.7
    rho = np.linspace(0, mu / moment, 200_001)
    scanned = np.max(rho ** (1 - 2 / layers) * (mu - rho * moment))
    limit = float(equilibria.largest_decay(mu, moment, layers))
    assert limit == pytest.approx(scanned, rel=1e-9)
    for factor, there in ((0.999, True), (1.001, False)):
        assert bool(equilibria.exists(mu, moment, factor * limit, layers)) is there
        rests = equilibria.with_layer_decay(mu, moment, factor * limit, layers)
        assert np.all(np.isfinite(rests)) == there


def test_one_and_two_layers_have_no_separatrix_and_zero_decay_interpolates():
    np.testing.assert_allclose(equilibria.with_layer_decay(1.0, 0.5, 0.3, 1), (1 / 0.8, 0.0))
    np.testing.assert_allclose(equilibria.with_layer_decay(1.0, 0.5, 0.3, 2), (1.4, 0.0))
    assert np.all(np.isnan(equilibria.with_layer_decay(1.0, 0.5, 1.0, 2)))
    assert np.all(np.isnan(equilibria.with_layer_decay(-1.0, 0.5, 0.0, 3)))
    assert np.isinf(equilibria.largest_decay(1.0, 0.5, 1))
    np.testing.assert_allclose(equilibria.with_layer_decay(1.0, 0.5, 0.0, 5), (2.0, 0.0))


# The oscillator.

MODE = oscillator.radial_mode(0.5, 0.7, decay=0.1)  # curvature 1.6


@pytest.mark.parametrize("mass", [1e-4, 0.05, 1 / 6.4, 1 / 6.4 * (1 + 1e-9), 0.4, 20.0])
@pytest.mark.parametrize("velocity", [None, 0.0, 3.0])
def test_the_second_order_curve_solves_its_equation(mass, velocity):
    """Over-damped, critical and ringing: 4 m h below, at and above one."""
    centre, h = map(float, MODE)
    begin = [2.0, -h * (2.0 - centre) if velocity is None else velocity]
    run = scipy.integrate.solve_ivp(
        lambda _, s: [s[1], (-s[1] - h * (s[0] - centre)) / mass],
        (0, TIMES[-1]),
        begin,
        method="LSODA" if mass < 1e-3 else "DOP853",
        t_eval=TIMES,
        rtol=1e-11 if mass > 1e-3 else 1e-12,
        atol=1e-13,
    )
    curve = oscillator.second_order(TIMES, mode=MODE, start=2.0, inertia=mass, velocity=velocity)
    np.testing.assert_allclose(curve, run.y[0], rtol=0, atol=CLOSED)


def test_the_frequency_and_damping_are_those_of_the_roots():
    for eta in (0.02, 0.9):
        roots = np.roots([eta / 2, 1.0, 1.6])
        ring = oscillator.oscillation(MODE, inertia=oscillator.inertia(eta))
        assert bool(ring.rings) == bool(4 * eta * 0.8 > 1) == bool(np.any(roots.imag))
        assert float(ring.frequency) == pytest.approx(np.max(roots.imag), rel=1e-12)
        assert float(ring.damping_rate) == pytest.approx(1 / eta, rel=1e-12)
        assert float(ring.natural_frequency) == pytest.approx(np.sqrt(4 * 0.8 / eta), rel=1e-12)
        assert float(ring.damping_ratio) == pytest.approx(1 / (2 * np.sqrt(eta * 0.8)), rel=1e-12)


def test_flows_of_a_mode_solve_their_equations():
    centre, h = map(float, MODE)
    for mass in (0.0, 0.3):
        curve = oscillator.modified_flow(TIMES, mode=MODE, start=2.0, inertia=mass)
        expected = integrated(lambda x, m=mass: -(h + m * h**2) * (x - centre), 2.0, TIMES)[:, 0]
        np.testing.assert_allclose(curve, expected, rtol=CLOSED)
    same = oscillator.flow(TIMES, mode=MODE, start=2.0)
    line = logistic.rho(TIMES, start=2.0, mean_margin=0.5, second_moment=0.7, decay=0.1, layers=1)
    np.testing.assert_allclose(same, line, rtol=1e-12)


def looped(steps, mode, start, rate, momentum, previous):
    """Heavy ball, step by step."""
    centre, h = map(float, mode)
    rhos = [previous, start]
    for _ in range(steps):
        pull = rate * h * (rhos[-1] - centre)
        rhos.append(rhos[-1] - pull + momentum * (rhos[-1] - rhos[-2]))
    return np.array(rhos[1:])


@pytest.mark.parametrize("momentum", [0.0, 1e-6, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("product", [1e-3, 0.0026334, 0.4, 1.0, 1.3, 1.99, 2.05])
@pytest.mark.parametrize("previous", [None, 2.3])
def test_heavy_ball_in_closed_form_is_the_loop(momentum, product, previous):
    rate = product / float(MODE.curvature)
    expected = looped(200, MODE, 2.0, rate, momentum, 2.0 if previous is None else previous)
    found = oscillator.descent(
        jnp.arange(201),
        mode=MODE,
        start=2.0,
        learning_rate=rate,
        momentum=momentum,
        previous=previous,
    )
    scale = np.maximum(1, np.maximum.accumulate(np.abs(expected)))
    assert np.max(np.abs(found - expected) / scale) < 1e-10


@pytest.mark.parametrize("momentum", [0.25, 0.81])
def test_heavy_ball_at_its_critical_points_is_the_loop(momentum):
    """Double roots, of either sign, and a shade to both sides."""
    for product in oscillator.thresholds(momentum)[:2]:
        for shade in (0.0, 1e-12, -1e-12, 1e-8, -1e-8):
            rate = (float(product) + shade) / float(MODE.curvature)
            found = oscillator.descent(
                jnp.arange(101), mode=MODE, start=2.0, learning_rate=rate, momentum=momentum
            )
            expected = looped(100, MODE, 2.0, rate, momentum, 2.0)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


def sign_changes(values):
    return int(np.sum(np.diff(np.sign(values)) != 0))


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_descent_changes_its_kind_of_motion_at_the_thresholds(momentum):
    """Seen in loops: monotone, then ringing, then alternating, then divergent."""
    marks = oscillator.Thresholds(*map(float, oscillator.thresholds(momentum)))

    def distances(product):
        rate = product / float(MODE.curvature)
        return looped(4000, MODE, 2.0, rate, momentum, 2.0) - float(MODE.centre)

    below = distances(0.9 * marks.rings)
    assert sign_changes(below[np.abs(below) > 1e-9]) == 0
    if momentum:
        assert sign_changes(distances(1.05 * marks.rings)[:400]) > 0
        assert 0 < sign_changes(distances(0.9 * marks.alternates)[50:150]) < 100
    between = (marks.alternates + marks.diverges) / 2
    assert sign_changes(distances(between)[10:30]) == 19
    assert abs(distances(0.999 * marks.diverges)[-1]) < 1e-1
    assert abs(distances(1.001 * marks.diverges)[-1]) > 1e1


def test_the_thresholds_quoted_for_a_momentum_of_nine_tenths():
    marks = oscillator.thresholds(0.9)
    assert float(marks.rings) == pytest.approx(0.0026334, abs=5e-8)
    assert float(marks.equation_rings) == pytest.approx(0.0026316, abs=5e-8)
    assert float(oscillator.inertia(1.0, 0.9)) == pytest.approx(95.0, rel=1e-12)
    assert [float(value) for value in oscillator.thresholds(0.0)] == [1.0, 1.0, 2.0, 0.5]
    rate = float(marks.equation_rings) / 1.6
    for factor, rings in ((0.999, False), (1.001, True)):
        mass = oscillator.inertia(factor * rate, 0.9)
        assert bool(oscillator.oscillation(MODE, inertia=mass).rings) is rings


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_second_order_curve_approaches_descent_by_the_square_of_the_rate(momentum):
    """Started on the slow manifold to second order; at one time, so that nothing cancels."""
    errors = []
    for rate in np.array([8e-3, 4e-3, 2e-3]) * (1 - momentum):
        effective = rate / (1 - momentum)
        steps = np.round(np.linspace(0.1, 3.0, 30) / effective).astype(int)
        slow = 2.0 + effective * 1.6 * (2.0 - float(MODE.centre))
        found = oscillator.descent(
            steps, mode=MODE, start=2.0, learning_rate=rate, momentum=momentum, previous=slow
        )
        mass = oscillator.inertia(rate, momentum)
        velocity = -(1.6 + mass * 1.6**2) * (2.0 - MODE.centre)
        curve = oscillator.second_order(
            steps * effective, mode=MODE, start=2.0, inertia=mass, velocity=velocity
        )
        errors.append(np.max(np.abs(found - curve)))
    assert np.all(np.log2(np.array(errors[:-1]) / errors[1:]) > 1.8 - 0.9 * (momentum > 0))


# The exponential loss.


@pytest.mark.parametrize("start", [-1.0, 0.0, 2.0])
def test_rho_under_the_exponential_loss_solves_its_equation(start):
    times = np.geomspace(1e-2, 1e4, 9)
    times[0] = 0.0
    curve = exponential.rho(times, start=start, margin=0.7)
    expected = scipy.integrate.solve_ivp(
        lambda _, r: 0.7 * np.exp(-0.7 * r),
        (0, 1e4),
        [start],
        method="DOP853",
        t_eval=times,
        rtol=1e-12,
        atol=1e-13,
    ).y[0]
    np.testing.assert_allclose(curve, expected, rtol=CLOSED, atol=CLOSED)


@pytest.mark.parametrize("margin", [0.05, 1.0])
@pytest.mark.parametrize("decay", [1e-4, 0.5])
def test_rho_under_the_exponential_loss_rests_where_its_speed_is_zero(margin, decay):
    speed = functools.partial(exponential.speed, margin=margin, decay=decay)
    expected = scipy.optimize.brentq(lambda r: float(speed(r)), 0, 200, xtol=1e-13)
    assert float(exponential.rho_eq(margin, decay)) == pytest.approx(expected, rel=1e-11)
    settled = integrated(
        lambda r: margin * np.exp(-margin * r) - 2 * decay * r, 1.0, [0.0, 40 / decay]
    )[-1, 0]
    assert settled == pytest.approx(expected, rel=CLOSED)


def test_two_margins_are_at_rest_and_none_for_too_large_a_radius():
    rho, decay = 3.0, 0.01
    grid = np.linspace(1e-6, 6, 200_001)
    miss = np.exp(-rho * grid) * grid - 2 * decay * rho
    changes = np.flatnonzero(np.diff(np.sign(miss)))
    found = exponential.resting_margins(rho, decay)
    np.testing.assert_allclose(found, grid[changes], atol=1e-4)
    for margin in found:
        assert float(jnp.exp(-rho * margin) * margin) == pytest.approx(2 * decay * rho, rel=1e-12)
    assert np.all(np.isnan(exponential.resting_margins(5.0, 0.01)))
    free = exponential.resting_margins(5.0, 0.0)
    assert float(free.smaller) == 0.0
    assert np.isinf(free.larger)


@pytest.mark.parametrize("branch", [0, -1])
def test_lambert_is_that_of_scipy_away_from_the_branch_point(branch):
    negative = -np.geomspace(1e-300, 0.36, 80)
    z = negative if branch else np.r_[negative, 0.0, np.geomspace(1e-300, 1e300, 120)]
    np.testing.assert_allclose(
        lambert_w(z, branch), scipy.special.lambertw(z, branch).real, rtol=1e-13
    )


@pytest.mark.parametrize("branch", [0, -1])
def test_lambert_undoes_w_times_its_exponential_up_to_the_branch_point(branch):
    """SciPy gives exactly -1 on branch -1 up to 1e-12 from there, where w differs by 2e-6."""
    away = np.geomspace(1e-5, 0.5, 60)
    w = -1 + away if branch == 0 else -1 - away
    found = lambert_w(w * np.exp(w), branch)
    # The rounding of z moves w by about eps / |1 + w|.
    np.testing.assert_array_less(np.abs(found - w), 1e-15 / away + 1e-14)
    assert float(lambert_w(-np.exp(-1), branch)) == pytest.approx(-1.0, abs=1e-7)
    assert np.isnan(lambert_w(-0.37, branch))


def test_the_edges_of_lambert():
    assert float(lambert_w(np.inf)) == np.inf
    assert float(lambert_w(0.0, -1)) == -np.inf
    assert np.isnan(lambert_w(0.1, -1))


# Ridge and Oja.


@pytest.mark.parametrize(("samples", "features"), [(20, 4), (5, 9)])
@pytest.mark.parametrize("decay", [0.0, 1e-10, 0.03])
def test_ridge_minimises_its_objective(samples, features, decay):
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((samples, features)), rng.standard_normal(samples)
    found = ridge.solution(x, y, decay)
    if decay > 1e-9:
        gram = x.T @ x / samples + decay * np.eye(features)
        expected = np.linalg.solve(gram, x.T @ y / samples)
    else:
        expected = np.linalg.pinv(x) @ y
    np.testing.assert_allclose(found.weights, expected, rtol=1e-8 if decay else 1e-11)
    assert float(found.rho) == pytest.approx(np.linalg.norm(found.weights), rel=1e-14)


@pytest.mark.parametrize("layers", [1, 3])
def test_the_flow_on_the_spheres_rests_at_the_aligned_ridge_solution(layers):
    x, labels = models.tasks.separable_clusters(jax.random.key(1), 12, 4, spread=1.0)
    network = models.deep_linear((4, *[2] * (layers - 1), 1))
    problem = models.Problem(network, x, models.encode(labels, "signs"), 0.05)
    found = ridge.solution(problem.inputs, problem.targets, problem.decay)
    point = models.Polar(found.rho, aligned(found.weights / found.rho, layers))
    field = jax.jit(lambda at: normalisation.field(normalisation.sphere(), problem, at))
    here = field(point)
    assert max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(here)) < 1e-14
    off = field(point._replace(rho=1.1 * found.rho))
    assert abs(float(off.rho)) > 1e-2


@pytest.fixture(scope="module")
def correlations():
    samples = np.random.default_rng(5).standard_normal((9, 4))
    return samples.T @ samples / 9


def test_ojas_direction_solves_its_equation(correlations):
    start = np.array([0.5, -0.5, 0.5, 0.5])

    def speed(v):
        return correlations @ v - (v @ correlations @ v) * v

    expected = integrated(speed, start, TIMES)
    found = oja.direction(TIMES, start=3 * start, correlations=correlations)
    np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSED)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(oja.speed(start, correlations), speed(start), rtol=1e-13)


def test_oja_ends_at_the_top_eigenvector_that_the_start_has_a_part_of(correlations):
    values, vectors = np.linalg.eigh(correlations)
    end = oja.direction(1e6, start=np.ones(4), correlations=correlations)
    assert abs(float(end @ vectors[:, -1])) == pytest.approx(1.0, rel=1e-14)
    diagonal = np.diag(values)
    without = oja.direction(1e6, start=[1.0, 0.0, 1.0, 0.0], correlations=diagonal)
    np.testing.assert_allclose(without, [0, 0, 1, 0], atol=1e-14)
    assert oja.direction(np.zeros((2, 3)), start=np.ones(4), correlations=diagonal).shape == (
        2,
        3,
        4,
    )


# Every form compiles, batches, keeps its precision, and differentiates.

DEEP = functools.partial(logistic.rho, 2.0, mean_margin=1.0, second_moment=0.5, layers=3)


def mode():
    """In the precision of the day."""
    return oscillator.radial_mode(0.5, 0.7, decay=0.1)


FORMS = {
    "one layer": lambda x: logistic.rho(x, start=0.1, **FROZEN, layers=1),
    "two layers": lambda x: logistic.rho(0.7, start=x, **FROZEN, layers=2, decay=0.1),
    "three layers": lambda x: DEEP(start=x),
    "three layers from above": lambda x: DEEP(start=5 + x),
    "by margin and moment": lambda x: logistic.rho(
        2.0, start=0.1, mean_margin=x, second_moment=1 - x / 2, layers=5
    ),
    "time": lambda x: logistic.time(x, start=0.1, mean_margin=1.0, second_moment=0.5, layers=3),
    "plateau": lambda x: logistic.plateau_time(x, mean_margin=1.0, layers=3),
    "on the spheres": lambda x: equilibria.on_spheres(x, 1.0, 0.1).loss,
    "bistable": lambda x: sum(equilibria.with_layer_decay(1.0, 0.5, 0.2 * x, 3)),
    "largest decay": lambda x: equilibria.largest_decay(x, 0.5, 4),
    "ringing": lambda x: oscillator.second_order(x, mode=mode(), start=1.0, inertia=0.4),
    "damped": lambda x: oscillator.second_order(1.0, mode=mode(), start=1.0, inertia=0.1 * x),
    "heavy ball": lambda x: oscillator.descent(
        7, mode=mode(), start=1.0, learning_rate=0.1 * x, momentum=0.9
    ),
    "descent": lambda x: oscillator.descent(7, mode=mode(), start=1.0, learning_rate=x),
    "exponential": lambda x: exponential.rho(x, start=0.1, margin=0.5),
    "exponential at rest": lambda x: exponential.rho_eq(0.5, x),
    "smaller margin": lambda x: exponential.resting_margins(x, 0.01).smaller,
    "larger margin": lambda x: exponential.resting_margins(x, 0.01).larger,
    "ridge": lambda x: ridge.solution(np.eye(3) + x * np.ones((3, 3)), np.arange(3.0), x).rho,
    "oja": lambda x: oja.direction(x, start=[1.0, x], correlations=[[2.0, 0.5], [0.5, 1.0]])[0],
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_compiles_batches_and_differentiates(name):
    form, step = FORMS[name], 1e-5
    points = jnp.array([0.3, 0.8, 0.6, 0.6 + step, 0.6 - step])
    both = jax.jit(jax.vmap(lambda x: jax.jvp(form, (x,), (jnp.ones_like(x),))))
    values, slopes = both(points)
    assert float(values[2]) == pytest.approx(float(form(0.6)), rel=1e-10)
    assert np.all(np.isfinite(slopes))
    difference = float(values[3] - values[4]) / (2 * step)
    assert float(slopes[2]) == pytest.approx(difference, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    "name",
    ["two layers", "three layers", "bistable", "ringing", "heavy ball", "exponential at rest"],
)
def test_every_form_keeps_single_precision(name):
    with jax.enable_x64(False):
        single = jax.jit(FORMS[name])(jnp.float32(0.6))
    assert single.dtype == jnp.float32
    assert float(single) == pytest.approx(float(jax.jit(FORMS[name])(0.6)), rel=2e-4)


def test_roots_and_special_functions_by_themselves():
    roots = increasing_root(lambda x: x**3 - jnp.array([8.0, 1e-30]), jnp.zeros(2), jnp.ones(2) * 9)
    np.testing.assert_allclose(roots, [2.0, 1e-10], atol=1e-15)
    x = np.array([1e-8, 0.2, 0.5, 0.8, 1 - 1e-9])
    for q in (0.1, 2 / 3, 1.0, 1.9):
        expected = x**q / q * scipy.special.hyp2f1(1, q, q + 1, x)
        found = incomplete_beta(q, jnp.asarray(scipy.special.logit(x)))
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    small = jnp.array([-30.0, -1e-3, 0.0, 1e-9, 9e-4, 2e-3, 700.0])
    safe = np.where(small == 0, 1, small)
    expected = np.where(small == 0, 1, -np.expm1(-safe) / safe)
    np.testing.assert_allclose(functions.relative_expm1(small), expected, rtol=1e-14)


# Refusals.

LOGISTIC = {"start": 0.1, "mean_margin": 1.0, "second_moment": 0.5, "layers": 3}
REFUSED = {
    "a negative time": (lambda: logistic.rho(-1.0, **LOGISTIC), "times >= 0, got -1.0"),
    "a start at zero": (lambda: logistic.rho(1.0, **{**LOGISTIC, "start": 0.0}), "positive start"),
    "no margin": (
        lambda: logistic.rho(1.0, **{**LOGISTIC, "mean_margin": -1.0}),
        "positive mean_margin",
    ),
    "no moment": (
        lambda: logistic.rho(1.0, **{**LOGISTIC, "second_moment": 0.0}),
        "positive second_moment",
    ),
    "layers that are no integer": (
        lambda: logistic.rho(1.0, **{**LOGISTIC, "layers": 2.5}),
        "an integer >= 1, got 2.5",
    ),
    "a deep network with decay": (
        lambda: logistic.rho(1.0, **LOGISTIC, decay=0.1),
        "integrate logistic.speed",
    ),
    "a traced decay of a deep network": (
        lambda: jax.jit(lambda decay: logistic.rho(1.0, **LOGISTIC, decay=decay))(0.0),
        "integrate logistic.speed",
    ),
    "a time to a negative radius": (lambda: logistic.time(-1.0, **LOGISTIC), "positive rho"),
    "a plateau of one layer": (
        lambda: logistic.plateau_time(0.1, mean_margin=1.0, layers=1),
        "an integer >= 2",
    ),
    "a negative decay": (lambda: equilibria.on_spheres(1.0, 1.0, -0.1), "decay >= 0, got -0.1"),
    "a fraction of zero": (lambda: equilibria.stuck_margins(0.0, 1.0, 0.1), "0 < fraction"),
    "a fraction above one": (lambda: equilibria.stuck_margins(1.5, 1.0, 0.1), "fraction <= 1"),
    "a margin of NaN": (lambda: oscillator.radial_mode(np.nan, 1.0), "finite mean_margin"),
    "a rate of zero": (lambda: oscillator.inertia(0.0), "positive learning_rate"),
    "a momentum of one": (lambda: oscillator.thresholds([0.5, 1.0]), "0 <= momentum < 1, got 1.0"),
    "a mass of zero": (
        lambda: oscillator.second_order(1.0, mode=MODE, start=1.0, inertia=0.0),
        "positive inertia",
    ),
    "steps that are no integers": (
        lambda: oscillator.descent(0.5, mode=MODE, start=1.0, learning_rate=0.1),
        "integer steps",
    ),
    "no decay to rest by": (lambda: exponential.rho_eq(1.0, 0.0), "rho grows for ever"),
    "a complex branch": (lambda: lambert_w(1.0, 2), "branch 0 or -1"),
    "many outputs": (lambda: ridge.solution(np.ones((3, 2)), np.ones((3, 2))), "take one output"),
    "many decays": (
        lambda: ridge.solution(np.ones((3, 2)), np.ones(3), [0.1, 0.2]),
        "a scalar decay",
    ),
    "correlations of another size": (
        lambda: oja.direction(1.0, start=np.ones(3), correlations=np.eye(2)),
        "pass one start",
    ),
    "asymmetric correlations": (
        lambda: oja.direction(1.0, start=np.ones(2), correlations=[[1.0, 2.0], [0.0, 1.0]]),
        "symmetric correlations",
    ),
    "a start of zero": (
        lambda: oja.direction(1.0, start=np.zeros(2), correlations=np.eye(2)),
        "not zero",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(name):
    request, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as caught:
        request()
    assert "\n" not in str(caught.value)
