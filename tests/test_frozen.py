"""Frozen layers: they stay, in every normalisation, and a run's end still depends on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import references as ref
from rhoflow import dynamics
from rhoflow.dynamics import normalisation as kinds

KINDS = {
    "sphere": kinds.sphere,
    "free": kinds.free,
    "layerwise": kinds.layerwise,
    "lagrange": kinds.lagrange,
    "weight norm": kinds.weight_norm,
    "frozen gain": kinds.frozen_gain,
    "top free": kinds.top_free,
    "linearised": kinds.linearised,
}
DYNAMICS = {
    "flow": lambda problem, kind: dynamics.gradient_flow(problem, normalisation=kind, step=0.05),
    "corrected": lambda problem, kind: dynamics.corrected_flow(
        problem, 0.05, batch_size=4, normalisation=kind, step=0.05
    ),
    "descent": lambda problem, kind: dynamics.gradient_descent(
        problem, 0.05, momentum=0.5, normalisation=kind
    ),
}
LAYERS = 3


MADE = pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=[] if name == "descent" else [pytest.mark.slow])
        for name, make in DYNAMICS.items()
    ],
)


@MADE
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_frozen_layer_stays_and_the_others_move(kind, make):
    problem, start = ref.problem(), ref.start()
    chosen = kind(frozen=[1])
    if make is DYNAMICS["corrected"] and chosen.bend is None:
        with pytest.raises(ValueError, match="to second order"):
            make(problem, chosen)
        return
    end = dynamics.endpoint(make(problem, chosen), start, steps=20)
    moved = [
        float(jnp.linalg.norm(a - b)) for a, b in zip(end.directions, start.directions, strict=True)
    ]
    assert moved[1] < 1e-14
    assert min(moved[0], moved[2]) > 1e-3


@MADE
@pytest.mark.parametrize("kind", [kinds.sphere, kinds.free], ids=["sphere", "free"])
def test_derivatives_in_a_frozen_layers_start_agree_with_differences(kind, make):
    problem, start = ref.problem(), ref.start()
    weights = tuple(start.directions)
    chosen = make(problem, kind(frozen=(1,)))
    push = jnp.linspace(-1, 1, weights[1].size).reshape(weights[1].shape)

    @jax.jit
    def rho_after(size):
        pushed = (weights[0], weights[1] + size * push, weights[2])
        return dynamics.endpoint(chosen, pushed, steps=20).rho

    exact = jax.jacfwd(rho_after)(0.0)
    step = 1e-5
    differences = (rho_after(step) - rho_after(-step)) / (2 * step)
    assert abs(float(exact)) > 1e-3
    np.testing.assert_allclose(exact, differences, rtol=1e-7)
    np.testing.assert_allclose(jax.grad(rho_after)(0.0), exact, rtol=1e-10)


def test_layers_are_numbered_from_the_top_too():
    problem, start = ref.problem(), ref.start()
    ends = [
        dynamics.endpoint(
            dynamics.gradient_descent(problem, 0.1, normalisation=kinds.sphere(frozen=frozen)),
            start, steps=5,
        )
        for frozen in [(-1,), (LAYERS - 1,), [LAYERS - 1, -1]]
    ]  # fmt: skip
    for end in ends[1:]:
        jax.tree.map(np.testing.assert_array_equal, end, ends[0])


@pytest.mark.parametrize("frozen", [(3,), (-4,), (0, 17)])
def test_layers_that_are_not_there_are_refused(frozen):
    with pytest.raises(ValueError, match="frozen layers from 0 to 2"):
        dynamics.gradient_flow(ref.problem(), normalisation=kinds.sphere(frozen=frozen))


@pytest.mark.parametrize("frozen", [1, "top", (0.5,)])
def test_what_numbers_no_layers_is_refused(frozen):
    with pytest.raises(ValueError, match="numbers of layers"):
        kinds.sphere(frozen=frozen)
