"""What is measured: our flows, fixed steps, and other packages used plainly; each with one knob.

`METHODS` maps a family's name to its knob's values and to `compute(case, value) -> result`. A
result holds rho, loss and outputs at `cases.times(case)`, and the evaluations of the field, power
iterations for the sharpness included (two each). Our looks between steps are not counted: each
takes its last step again, for all of our rows alike, fixed steps too.

The plain peers integrate the same right-hand side, which normalises the directions first, so that
their drift off the spheres does them no harm; their outputs are those of the normalised directions.
LSODA is not among them: it takes the jumps for stiffness, turns to implicit steps, and each of its
Jacobians by differences costs as many evaluations as there are weights, 8,257 here.
"""

import functools
import time
from collections.abc import Callable

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from cases import LOOK, Case, run, task, times
from jax.flatten_util import ravel_pytree
from scipy.integrate import solve_ivp

from rhoflow import dynamics, models
from rhoflow.dynamics.flows.gradient_flow import sphere_field
from rhoflow.dynamics.flows.ssp import SSP42, SSP43

MOST_EVALUATIONS = 200_000
SOLVERS = {
    solver.__name__: solver()
    for solver in (diffrax.Euler, diffrax.Heun, diffrax.Bosh3, diffrax.Dopri5, diffrax.Tsit5)
} | {"SSP42": SSP42(), "SSP43": SSP43()}
STAGES = {"Heun": 2, "Bosh3": 3, "Dopri5": 6, "Tsit5": 6}


class Spent(Exception):
    """A solver has asked for too many evaluations."""


def default(case: Case, scale: float) -> dict:
    """The library's default; a scale other than one moves its floor and the floor's bounds."""
    problem, start = task(case)
    flow = dynamics.gradient_flow(problem)
    floor, stable = (scale * getattr(flow.parameters, name) for name in ("floor", "stable"))
    return run(case, dynamics.replace(flow, floor=floor, stable=stable), start)


def older(case: Case, floor: float) -> dict:
    """The default before this study: Bosh3 at rtol 1e-4, floor 0.25 (capped now by 0.84)."""
    problem, start = task(case)
    flow = dynamics.gradient_flow(
        problem, solver=diffrax.Bosh3(), rtol=1e-4, atol=1e-7, floor=floor
    )
    return run(case, flow, start)


def coarser(case: Case, _: float) -> dict:
    """The run that the stated error compares the default with."""
    problem, start = task(case)
    return run(case, dynamics.coarser(dynamics.gradient_flow(problem)), start)


def fixed(solver: str, case: Case, step: float) -> dict:
    """Fixed steps with retraction."""
    problem, start = task(case)
    flow = dynamics.gradient_flow(problem, solver=SOLVERS[solver], step=step)
    return run(case, flow, start)


def plain_diffrax(solver: str, case: Case, rtol: float) -> dict:
    """The loop and the controller of diffrax, atol = rtol / 1000."""
    problem, start = task(case)
    began = time.time()
    term = diffrax.ODETerm(lambda _, polar, problem: sphere_field(problem, polar))
    most = MOST_EVALUATIONS // STAGES[solver]
    solution = diffrax.diffeqsolve(
        term, SOLVERS[solver], 0.0, case.until, None, start, problem,
        saveat=diffrax.SaveAt(ts=jnp.asarray(times(case))),
        stepsize_controller=diffrax.PIDController(rtol, rtol / 1000),
        max_steps=most, throw=False, adjoint=diffrax.ForwardMode(),
    )  # fmt: skip
    steps = int(solution.stats["num_steps"])
    return _result(case, problem, solution.ys, steps * STAGES[solver] + 1, began)


def scipys(method: str, case: Case, rtol: float) -> dict:
    """SciPy's solve_ivp with a compiled right-hand side."""
    problem, start = task(case)
    began = time.time()
    flat, unflatten = ravel_pytree(start)
    compiled = jax.jit(lambda vector: ravel_pytree(sphere_field(problem, unflatten(vector)))[0])
    count = 0

    def field(_, vector):
        nonlocal count
        count += 1
        if count > MOST_EVALUATIONS:
            raise Spent
        return np.asarray(compiled(vector))

    options = {"t_eval": times(case), "rtol": rtol, "atol": rtol / 1000, "method": method}
    try:
        rows = solve_ivp(field, (0.0, case.until), np.asarray(flat), **options).y.T
    except Spent:
        rows = np.full((len(times(case)), flat.size), np.nan)
    return _result(case, problem, jax.vmap(unflatten)(jnp.asarray(rows)), count, began)


def _result(case: Case, problem: models.Problem, path: models.Polar, count: int, began) -> dict:
    """What a peer's path shows, its directions normalised."""
    layers = tuple(
        layer / jnp.linalg.norm(layer, axis=(1, 2), keepdims=True) for layer in path.directions
    )
    seen = jax.lax.map(lambda polar: LOOK(problem, polar), models.Polar(path.rho, layers))
    kept = {name: np.asarray(seen[name]) for name in ("rho", "loss", "outputs")}
    return kept | {"times": times(case), "evaluations": count, "seconds": time.time() - began}


STEPS = (1.0, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
TOLERANCES = (1e-2, 1e-3, 2e-4)
METHODS: dict[str, tuple[tuple[float, ...], Callable[[Case, float], dict]]] = {
    "default": ((2.0, 1.0, 0.5, 0.25), default),
    "coarser": ((1.0,), coarser),
    "Bosh3, floor": ((0.5, 0.25, 0.125), older),
    **{
        f"{name}, fixed": (STEPS, functools.partial(fixed, name))
        for name in ("Heun", "SSP43", "SSP42")
    },
    "Euler, fixed": ((0.2, 0.1, 0.05, 0.025, 0.0125), functools.partial(fixed, "Euler")),
    **{
        f"diffrax {name}": (TOLERANCES, functools.partial(plain_diffrax, name))
        for name in ("Heun", "Bosh3", "Dopri5", "Tsit5")
    },
    **{f"SciPy {name}": (TOLERANCES, functools.partial(scipys, name)) for name in ("RK23", "RK45")},
}
