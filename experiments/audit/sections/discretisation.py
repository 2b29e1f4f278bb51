"""Statements of section 5: descent, momentum and SGD as modified flows."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .... import models
from ....dynamics.reduced import oscillator
from ..statement import CONSTRUCTION, Statement
from .binary import mean_over_samples, parts
from .residuals import relative

DURATION = 2.0


def _mode() -> oscillator.Mode:
    return oscillator.Mode(centre=jnp.asarray(0.0), curvature=jnp.asarray(1.0))


def _errors(curve: object, momentum: float = 0.0) -> list[Array]:
    """Largest distance over time of a curve to descent on one mode, for two learning rates.

    Heavy ball starts with the buffer of its slow manifold.
    """
    errors = []
    for rate in (2e-3, 1e-3):
        share = 1 - momentum
        effective = rate / share
        count = round(DURATION / effective)
        positions, speed = [1.0], 1.0 / share
        for _ in range(count):
            speed = momentum * speed + positions[-1]
            positions.append(positions[-1] - rate * speed)
        times = effective * jnp.arange(count + 1)
        mass = oscillator.inertia(rate, momentum)
        errors.append(jnp.max(jnp.abs(curve(times, mass) - jnp.asarray(positions))))  # type: ignore[operator]
    return errors


def _short_of(order: float, curve: object, momentum: float = 0.0) -> Array:
    """By how much the fitted order stays below 0.15 under the one claimed."""
    before, after = _errors(curve, momentum)
    return jnp.maximum(order - 0.15 - jnp.log2(before / after), 0)


def _plain(times: Array, mass: Array) -> Array:
    del mass
    return oscillator.flow(times, mode=_mode(), start=1.0)


def _modified(times: Array, mass: Array) -> Array:
    return oscillator.modified_flow(times, mode=_mode(), start=1.0, inertia=mass)


def _wrong_sign(times: Array, mass: Array) -> Array:
    return jnp.exp(-(1 - mass) * times)


def _second_order(times: Array, mass: Array) -> Array:
    return oscillator.second_order(times, mode=_mode(), start=1.0, inertia=mass, velocity=-1 - mass)


def _from_rest(times: Array, mass: Array) -> Array:
    return oscillator.second_order(times, mode=_mode(), start=1.0, inertia=mass, velocity=0.0)


def second_order() -> Array:
    """From the slow manifold the second-order equation is of order two."""
    return _short_of(2.0, _second_order)


def second_order_from_rest() -> Array:
    """From rest."""
    return _short_of(2.0, _from_rest)


def modified_loss() -> Array:
    """The flow of Loss + (eta/4)|grad Loss|^2 is of order two; with -eta/4 it would not be."""
    control = _short_of(2.0, _wrong_sign) * _short_of(2.0, _plain) == 0
    return _short_of(2.0, _modified) + control


def heavy_ball() -> Array:
    """The same with momentum and m = eta (1 + beta) / (2 (1 - beta)^2)."""
    return jnp.maximum(_short_of(2.0, _modified, 0.5), _short_of(2.0, _second_order, 0.5))


def thresholds() -> Array:
    """Descent alternates from eta h = 1 and diverges from 2, the equation rings from 1/2."""
    found = oscillator.thresholds(0.0)
    roots = [np.roots([rate / 2, 1.0, 1.0]) for rate in (0.499, 0.501)]
    rings = [np.iscomplexobj(root) and bool(np.any(root.imag != 0)) for root in roots]
    wrong = relative((found.alternates, found.diverges, found.equation_rings), (1.0, 2.0, 0.5))
    return wrong + (rings != [False, True])


def _measured_frequency(moment: float, decay: float, rate: float) -> float:
    """From the roots of (eta/2) s^2 + s + h = 0."""
    return float(abs(np.roots([rate / 2, 1.0, 2 * (moment + decay)])[0].imag))


def frequency() -> Array:
    """Rho with V held rings at sqrt(4 (M + lambda)/eta - 1/eta^2)."""
    mode = oscillator.radial_mode(1.0, 3.0, decay=0.5)
    found = oscillator.oscillation(mode, inertia=0.05)
    return relative(found.frequency, jnp.asarray(_measured_frequency(3.0, 0.5, 0.1)))


def frequency_as_printed() -> Array:
    """Frequency 4 (M + 2 lambda) / eta."""
    return relative(jnp.asarray(4 * (3.0 + 1.0) / 0.1), _measured_frequency(3.0, 0.5, 0.1))


def rings() -> Array:
    """It is under-damped if and only if 4 eta (M + lambda) > 1: wrong answers on a grid."""
    wrong = 0.0
    for moment, rate in itertools.product((1e-4, 0.1, 3.0, 30.0), (0.01, 0.1, 0.5)):
        mode = oscillator.radial_mode(1.0, moment)
        said = bool(oscillator.oscillation(mode, inertia=rate / 2).rings)
        wrong += said != (_measured_frequency(moment, 0.0, rate) > 0)
    return jnp.asarray(wrong)


def rings_as_printed() -> Array:
    """The same of the condition 1 > sqrt(2 M + 2 lambda)."""
    wrong = 0.0
    for moment, rate in itertools.product((1e-4, 0.1, 3.0, 30.0), (0.01, 0.1, 0.5)):
        wrong += (np.sqrt(2 * moment) < 1) != (_measured_frequency(moment, 0.0, rate) > 0)
    return jnp.asarray(wrong)


def _one_epoch(with_batches: bool) -> Array:
    """By how much the order of one epoch's error, averaged over all shuffles, is below three."""
    curves, centres = np.array([0.5, 1.0, 1.8]), np.array([0.3, -0.2, 0.9])
    errors = []
    for rate in (2e-2, 1e-2):
        ends = []
        for order in itertools.permutations(range(3)):
            x = 1.0
            for j in order:
                x -= rate * curves[j] * (x - centres[j])
            ends.append(x)
        h, b = curves.mean(), (curves * centres).mean()
        if with_batches:  # Loss + (eta / 4 m) sum_j |grad Loss_j|^2
            h += rate / 2 * np.mean(curves**2)
            b += rate / 2 * np.mean(curves**2 * centres)
        else:  # Loss + (eta / 4) |grad Loss|^2
            h, b = h + rate / 2 * h**2, b + rate / 2 * h * b
        rest = b / h
        errors.append(abs(np.mean(ends) - (rest + (1.0 - rest) * np.exp(-h * 3 * rate))))
    return jnp.maximum(2.85 - np.log2(errors[0] / errors[1]), 0.0)


def reshuffled_epoch() -> Array:
    """With the batches' own gradient norms the error of an epoch is of order three."""
    return _one_epoch(True)


def reshuffled_epoch_as_descent() -> Array:
    """With the correction of full-batch descent only."""
    return _one_epoch(False)


def stationary_variance() -> Array:
    """Eta S/(2 h B) against eta^2 S/B / (1 - (1 - eta h)^2), per eta h."""
    curvature, rate = 0.7, 1e-3
    exact = rate**2 / (1 - (1 - rate * curvature) ** 2)
    return jnp.asarray(abs(exact / (rate / (2 * curvature)) - 1) / (rate * curvature))


def label_noise(problem: models.Problem, view: models.View) -> Array:
    """mean_n |grad f_W(x_n)|^2 = M + rho^2 mean_n sum_k |S_k d_k f_n|^2 on the spheres."""
    at = parts(problem, view)

    def output(polar: models.Polar, x: Array) -> Array:
        return polar.rho * problem.network.apply(models.normalise(polar.directions), x[None])[0]

    here = models.Polar(view.rho, view.directions)
    slopes = jax.vmap(jax.grad(output), in_axes=(None, 0))(here, problem.inputs)
    squares = sum(jnp.mean(jnp.sum(s.reshape(len(s), -1) ** 2, 1)) for s in jax.tree.leaves(slopes))
    ones = jnp.ones_like(at.margins)
    formula = at.moment
    for slope, direction in zip(at.slopes, at.directions, strict=True):
        radial = at.margins.reshape((-1,) + (1,) * direction.ndim)
        flat = (slope - radial * direction[None]).reshape(len(slope), -1)
        formula += at.rho**2 * mean_over_samples(ones, jnp.sum(flat**2, axis=1))
    return relative(squares, formula)


BUILT = (CONSTRUCTION,)
STATEMENTS = (
    Statement(
        "5.1", "[M117] 5", "(eta/2) x'' + x' = -F from its slow manifold: order 2", second_order,
        second_order_from_rest, tolerance=0.0, asked_of=BUILT,
        note="print names no start: from rest the order is 1",
    ),
    Statement(
        "5.2", "[M117] 5", "Loss + (eta/4)|grad Loss|^2: order 2", modified_loss,
        tolerance=0.0, asked_of=BUILT, note="as a control, the wrong sign has order 1",
    ),
    Statement(
        "5.3", "[M117] 5", "descent alternates from eta h = 1, the equation from 1/2", thresholds,
        asked_of=BUILT,
    ),
    Statement(
        "5.4", "[M117] (23)-(28)", "frequency sqrt(4 (M + lambda)/eta - 1/eta^2)", frequency,
        frequency_as_printed, asked_of=BUILT, note="print: 4 (M + 2 lambda)/eta",
    ),
    Statement(
        "5.4", "[M117] (28)", "rho rings if and only if 4 eta (M + lambda) > 1", rings,
        rings_as_printed, tolerance=0.0, asked_of=BUILT, note="print: 1 > sqrt(2 M + 2 lambda)",
    ),
    Statement(
        "5.6", "[M117] 5", "heavy ball: m = eta (1 + beta)/(2 (1 - beta)^2), order 2", heavy_ball,
        tolerance=0.0, asked_of=BUILT,
    ),
    Statement(
        "5.7", "Smith et al., for [M117] 5", "one reshuffled epoch, mean over shuffles: order 3",
        reshuffled_epoch, reshuffled_epoch_as_descent, tolerance=0.0, asked_of=BUILT,
        note="with descent's own correction only 2",
    ),
    Statement(
        "5.8", "[Dyn] 6.2", "Var rho = eta S/(2 h B) up to relative eta h", stationary_variance,
        tolerance=1.0, asked_of=BUILT,
    ),
    Statement(
        "5.9", "[M112] E.1", "label noise: the penalty's gradient norm in polar coordinates",
        label_noise, asked_of=("signs", "degree_one", "separate"),
    ),
)  # fmt: skip
