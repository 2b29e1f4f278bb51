"""Every normalisation keeps its certificate, and moves as its own equations say.

Strongest first: what is conserved, then two routes to one motion, then closed forms.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from references import DEEP_RELU
from references import problem as reference_problem
from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds

ROUND_OFF = 1e-12
SOLVER = 1e-9
"""Smooth networks are integrated with rtol 1e-11 over a few units of time."""
DURATION = 3.0
ALL = {
    "sphere": kinds.sphere(),
    "free": kinds.free(),
    "product decay": kinds.free(decay="product"),
    "layerwise": kinds.layerwise(),
    "lagrange": kinds.lagrange(),
    "weight norm": kinds.weight_norm(),
    "frozen gain": kinds.frozen_gain(),
    "top free": kinds.top_free(),
}
EACH = pytest.mark.parametrize("name", ALL)
FIRST_QUICK = pytest.mark.parametrize(
    "name",
    [
        name if name in ("sphere", "free") else pytest.param(name, marks=pytest.mark.slow)
        for name in ALL
    ],
)


@pytest.fixture(scope="module")
def problem():
    key = jax.random.key(1)
    x, labels = models.tasks.separable_clusters(key, samples=12, features=5, spread=1.0)
    network = models.deep_linear((5, 4, 3, 1))
    return models.Problem(network, x, models.encode(labels, "signs"), decay=0.05)


@pytest.fixture(scope="module")
def weights(problem):
    """Weights with a different norm for every layer."""
    drawn = problem.network.init(jax.random.key(2))
    return tuple(scale * layer for scale, layer in zip((0.7, 1.1, 1.6), drawn, strict=True))


def unequal(kind, weights):
    """A position whose norms are no special ones, as a start or a state would have it."""
    position = kind.prepare(weights)
    if isinstance(position, models.Polar) and kind.retract is not models.retract:
        directions = tuple(s * d for s, d in zip((0.8, 1.3, 1.1), position.directions, strict=True))
        return models.Polar(position.rho, directions)
    return position


def flow_of(problem, kind, **options):
    return dynamics.gradient_flow(problem, normalisation=kind, rtol=1e-11, atol=1e-13, **options)


@EACH
def test_the_certificate_stays_constant_along_the_flow(name, problem, weights):
    kind = ALL[name]
    start = unequal(kind, weights)
    ran = dynamics.simulate(
        flow_of(problem, kind),
        start if isinstance(start, models.Polar) else weights,
        times=[0.0, DURATION],
    )
    begin = kind.certificate(problem, jnp.asarray(0.0), kind.retract(start))
    end = kind.certificate(problem, jnp.asarray(DURATION), ran.final.position)
    np.testing.assert_allclose(end, begin, rtol=SOLVER, atol=SOLVER)
    assert abs(float(ran["rho"][1] - ran["rho"][0])) > 1e-3


WITH_FROZEN = {
    "sphere": kinds.sphere,
    "free": kinds.free,
    "product decay": lambda frozen: kinds.free("product", frozen),
    "layerwise": kinds.layerwise,
    "layerwise, product decay": lambda frozen: kinds.layerwise("product", frozen),
    "lagrange": kinds.lagrange,
    "weight norm": kinds.weight_norm,
    "frozen gain": kinds.frozen_gain,
    "top free": kinds.top_free,
    "linearised": kinds.linearised,
}


@pytest.mark.parametrize("frozen", [(0,), (1,), (0, -1)], ids=str)
@pytest.mark.parametrize(
    "name",
    [
        name if name in ("free", "lagrange") else pytest.param(name, marks=pytest.mark.slow)
        for name in WITH_FROZEN
    ],
)
def test_the_certificate_stays_constant_with_frozen_layers(name, frozen, problem, weights):
    kind = kinds.fitting(problem, WITH_FROZEN[name](frozen=frozen))
    start = unequal(kind, weights)
    ran = dynamics.simulate(
        flow_of(problem, kind), start if isinstance(start, models.Polar) else weights, times=[1.0]
    )
    begin = kind.certificate(problem, jnp.asarray(0.0), kind.retract(start))
    end = kind.certificate(problem, jnp.asarray(1.0), ran.final.position)
    assert begin.size >= 2
    np.testing.assert_allclose(end, begin, rtol=SOLVER, atol=SOLVER)


@FIRST_QUICK
def test_in_single_precision_the_certificate_holds_to_1e_minus_4(name, problem, weights):
    kind = ALL[name]
    single = models.Problem(
        problem.network, problem.inputs.astype(np.float32), problem.targets, decay=0.05
    )
    start = jax.tree.map(lambda leaf: leaf.astype(np.float32), unequal(kind, weights))
    flow = dynamics.gradient_flow(single, normalisation=kind, rtol=1e-5, atol=1e-7)
    own = start if isinstance(start, models.Polar) else tuple(map(np.float32, weights))
    end = dynamics.simulate(flow, own, times=[DURATION]).final.position
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(end))
    begin = kind.certificate(single, jnp.asarray(0.0, np.float32), kind.retract(start))
    after = kind.certificate(single, jnp.asarray(DURATION, np.float32), end)
    np.testing.assert_allclose(after, begin, rtol=1e-4, atol=1e-4 * float(jnp.max(jnp.abs(begin))))


@pytest.mark.parametrize(
    "name",
    ["free", *(pytest.param(n, marks=pytest.mark.slow) for n in ("layerwise", "weight norm"))],
)
def test_on_a_relu_network_the_certificate_is_kept_to_first_order_in_the_step(name):
    """Kinks take RK4's order: 1e-4 at steps of 1e-2, and halving the step halves the error."""
    kind = ALL[name]
    relu = reference_problem(DEEP_RELU)
    drawn = DEEP_RELU.init(jax.random.key(2))
    uneven = tuple(scale * layer for scale, layer in zip((0.7, 1.1, 1.6), drawn, strict=True))
    begin = kind.certificate(relu, jnp.asarray(0.0), kind.prepare(uneven))
    errors = []
    for step in (1e-2, 2.5e-3):
        flow = dynamics.gradient_flow(relu, normalisation=kind, solver=dynamics.SSP43(), step=step)
        end = dynamics.simulate(flow, uneven, times=[DURATION]).final.position
        after = kind.certificate(relu, jnp.asarray(DURATION), end)
        errors.append(float(jnp.max(jnp.abs(after - begin))) / float(jnp.max(jnp.abs(begin))))
    assert errors[0] < 1e-4
    assert errors[1] < 0.5 * errors[0] + 1e-10


@EACH
def test_the_flow_lowers_its_potential_at_the_rate_of_its_velocity(name, problem, weights):
    """dU/dt = -<x', G x'> with the metric of the coordinates; the literal field on the sphere."""
    kind = ALL[name]
    position = kind.retract(kind.prepare(weights))
    velocity = kinds.field(kind, problem, position)
    _, rate = jax.jvp(lambda x: kind.potential(problem, x, None), (position,), (velocity,))
    squares = jax.tree.map(lambda leaf: jnp.sum(leaf**2), velocity)
    if name == "layerwise":
        radii = position.radii
        stretched = [r**2 * s for r, s in zip(radii, squares.directions, strict=True)]
        squares = (squares.radii, stretched)
    total = sum(jax.tree.leaves(squares))
    np.testing.assert_allclose(rate, -total, rtol=ROUND_OFF)


@pytest.mark.slow
def test_layerwise_is_the_motion_of_free_weights(problem, weights):
    times = np.linspace(0, DURATION, 5)
    look = dynamics.observe("rho", "margins")
    free, layers = (
        dynamics.simulate(flow_of(problem, ALL[name]), weights, times=times, observe=look)
        for name in ("free", "layerwise")
    )
    np.testing.assert_allclose(layers["rho"], free["rho"], rtol=SOLVER)
    np.testing.assert_allclose(layers["margins"], free["margins"], rtol=0, atol=SOLVER)


def test_weight_norm_from_unit_vectors_is_the_flow_on_the_spheres_in_layer_radii(problem, weights):
    """g_k' is the radial part and v_k' the tangential one, [M112] (12), (13) at norm 1."""
    position = kinds.weight_norm(decay="layers").prepare(weights)
    velocity = kinds.field(kinds.weight_norm(decay="layers"), problem, position)
    polar = kinds.field(kinds.layerwise(), problem, kinds.layerwise().prepare(weights))
    np.testing.assert_allclose(velocity.gains, polar.radii, rtol=ROUND_OFF)
    for ours, theirs, gain in zip(velocity.vectors, polar.directions, position.gains, strict=True):
        np.testing.assert_allclose(ours, gain**2 * theirs, rtol=0, atol=ROUND_OFF)


@pytest.mark.parametrize("norm", [0.5, 1.0, 2.0])
def test_frozen_gain_slows_the_directions_by_their_squared_norm(norm, problem, weights):
    polar = models.to_polar(weights)
    longer = models.Polar(polar.rho, tuple(norm * d for d in polar.directions))
    slow = kinds.field(ALL["frozen gain"], problem, longer)
    model = kinds.field(ALL["sphere"], problem, polar)
    np.testing.assert_allclose(slow.rho, model.rho, rtol=ROUND_OFF)
    for ours, theirs in zip(slow.directions, model.directions, strict=True):
        np.testing.assert_allclose(ours / norm, theirs / norm**2, rtol=0, atol=ROUND_OFF)


def test_a_free_top_layer_turns_slower_by_the_square_of_rho(problem, weights):
    polar = models.to_polar(weights, rho=3.0)
    model = kinds.field(ALL["sphere"], problem, polar)
    position = ALL["top free"].prepare(polar)
    top = kinds.field(ALL["top free"], problem, position)
    radial = jnp.sum(top[-1] * polar.directions[-1])
    turning = (top[-1] - radial * polar.directions[-1]) / polar.rho
    np.testing.assert_allclose(radial, model.rho, rtol=ROUND_OFF)
    np.testing.assert_allclose(turning, model.directions[-1] / 9.0, rtol=0, atol=ROUND_OFF)
    for ours, theirs in zip(top[:-1], model.directions[:-1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=ROUND_OFF)


@pytest.mark.parametrize(("rho", "grows"), [(0.5, False), (20.0, True)])
def test_the_literal_multiplier_repels_the_sphere_beyond_mu_over_m(rho, grows, problem, weights):
    """d norm^2 / dt = 4 nu (1 - norm^2), nu = rho mu - rho^2 M with the moments off the sphere."""
    polar = models.to_polar(weights)
    if float(dynamics.observables.BY_NAME["mu"](problem, polar)) < 0:
        polar = models.Polar(polar.rho, (-polar.directions[0], *polar.directions[1:]))
    off = models.Polar(jnp.asarray(rho), tuple(1.05 * d for d in polar.directions))
    velocity = kinds.field(ALL["lagrange"], problem, off)
    names = dynamics.observables.BY_NAME
    nu = rho * names["mu"](problem, off) - rho**2 * names["M"](problem, off)
    for direction, moves in zip(off.directions, velocity.directions, strict=True):
        rate = 2 * jnp.sum(direction * moves)
        np.testing.assert_allclose(rate, 4 * nu * (1 - 1.05**2), rtol=1e-10)
        assert (float(rate) > 0) == grows


def test_frozen_layers_stay_and_the_top_layer_ends_in_the_ridge_solution(problem, weights):
    """With only the top layer moving: W_L = (H^T H / N + lambda I)^-1 H^T y / N of its features."""
    kind = kinds.free(frozen=(0, 1))
    ran = dynamics.simulate(flow_of(problem, kind), weights, times=[400.0])
    for ours, before in zip(ran.final.position[:-1], weights[:-1], strict=True):
        # A look between two steps interpolates, which rounds even where both ends are equal.
        np.testing.assert_allclose(ours, before, rtol=1e-14)
    features = problem.network.features(weights, problem.inputs)
    samples = len(features)
    gram = features.T @ features / samples + problem.decay * jnp.eye(features.shape[1])
    ridge = jnp.linalg.solve(gram, features.T @ problem.targets / samples)
    np.testing.assert_allclose(ran.final.position[-1][:, 0], ridge, rtol=1e-8)


@FIRST_QUICK
def test_descent_follows_the_flow_of_its_normalisation(name, problem, weights):
    """The error halves with the step: first order, whatever moves."""
    kind = ALL[name]
    reference = dynamics.simulate(flow_of(problem, kind), weights, times=[1.0, 2.0])
    errors = []
    for rate in (0.02, 0.01, 0.005):
        steps = dynamics.gradient_descent(problem, rate, normalisation=kind)
        ran = dynamics.simulate(steps, weights, times=[1.0, 2.0])
        errors.append(float(jnp.max(jnp.abs(ran["rho"] - reference["rho"]))))
    slopes = np.diff(np.log2(errors))
    assert np.all((slopes < -0.9) & (slopes > -1.1)), slopes


def test_a_step_of_weight_norm_grows_the_vector_by_the_square_of_its_gradient(problem, weights):
    """norm(v)^2 grows by exactly eta^2 norm(grad)^2, so the effective rate decays by itself."""
    kind, rate = kinds.weight_norm(), 0.1
    position = kind.prepare(weights)
    gradient = jax.grad(kind.potential, argnums=1)(problem, position, None)
    steps = dynamics.gradient_descent(problem, rate, normalisation=kind)
    ran = dynamics.simulate(steps, weights, times=dynamics.times_at(steps, steps=[1]))
    for vector, part in zip(ran.final.position.vectors, gradient.vectors, strict=True):
        grown = 1 + rate**2 * jnp.sum(part**2)
        np.testing.assert_allclose(jnp.sum(vector**2), grown, rtol=ROUND_OFF)


def test_an_unknown_decay_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="did you mean 'layers'"):
        kinds.free(decay="layer")


STARTED_ANEW = {
    **{name: kind for name, kind in ALL.items() if name != "lagrange"},
    "scheduled": kinds.scheduled(lambda time, initial_rho: initial_rho + 0.1 * time),
}


@pytest.mark.parametrize("name", STARTED_ANEW)
def test_a_run_starts_anew_from_its_end_under_other_numbers(name, problem, weights):
    """As the page of `simulate` says: at the same function, at time zero."""
    descent = dynamics.gradient_descent(problem, 0.1, normalisation=STARTED_ANEW[name])
    end = dynamics.simulate(descent, weights, times=[1.0]).final.position
    view = descent.view(end)
    whole = isinstance(end, models.Polar) or type(end) is tuple
    begin = end if whole else models.to_weights(view, problem.network)
    anew = dynamics.simulate(dynamics.replace(descent, decay=0.2), begin, times=[0.0, 1.0])
    np.testing.assert_allclose(anew["rho"][0], view.rho, rtol=ROUND_OFF)
