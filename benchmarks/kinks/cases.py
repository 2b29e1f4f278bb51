"""The problems of the work-precision study, and the reference that each is measured against.

Digits 3 against 8, centred, 200 samples, double precision:

    small-0, -1, -2   64-64-64-1, three seeds, lambda = 1e-3, from rho = 0.1, to t = 500
    large-0, -1, -2   the same from rho = 30: it overshoots, and the sharpness is 6 to 14
    free-0, -1, -2    the first without decay, lambda = 0: it never rests
    wide-0, -1, -2    64-256-256-1, lambda = 1e-3, from rho = 1, to t = 200
    quick             small-1 to t = 100, for a look

A reference is SSP43 with retraction at a fixed step, halved until rho agrees to 1e-5 with the step
before, everywhere, or until the step is the case's last one. How far it agrees is told (`known`).
"""

import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from rhoflow import dynamics, models
from rhoflow.experiments.data import DataConfig, load

AGREEMENT = 1e-5
LOOK = dynamics.observe("rho", "loss", outputs=lambda problem, view: models.outputs(problem, view))


class Case(NamedTuple):
    """A problem, a start, how long it runs, and the reference's first and smallest step."""

    widths: tuple[int, ...]
    seed: int
    rho: float
    decay: float
    until: float
    first_step: float
    last_step: float


SMALL, WIDE = (64, 64, 64, 1), (64, 256, 256, 1)
CASES = {
    f"{name}-{seed}": Case(widths, seed, *numbers)
    for name, widths, *numbers in (
        ("small", SMALL, 0.1, 1e-3, 500.0, 0.02, 0.01),
        ("large", SMALL, 30.0, 1e-3, 500.0, 0.01, 0.005),
        ("free", SMALL, 0.1, 0.0, 500.0, 0.02, 0.01),
        ("wide", WIDE, 1.0, 1e-3, 200.0, 0.04, 0.02),
    )
    for seed in (0, 1, 2)
} | {"quick": Case(SMALL, 1, 0.1, 1e-3, 100.0, 0.04, 0.02)}


def task(case: Case) -> tuple[models.Problem, models.Polar]:
    """The problem and the start."""
    data = load(DataConfig("digits", classes=(3, 8), train=200, test=100, centre=True))
    network = models.mlp(case.widths, initialisation=models.gaussian())
    targets = models.encode(data.train_labels, "signs")
    inputs = data.train_inputs.astype(np.float64)
    problem = models.Problem(network, inputs, targets, decay=case.decay)
    return problem, models.to_polar(network.init(jax.random.key(case.seed)), rho=case.rho)


def times(case: Case) -> np.ndarray:
    """When one looks: early ones close together, no step's multiples."""
    early = np.geomspace(0.05, case.until / 5, 40)
    return np.unique(np.concatenate([[0.0], early, np.linspace(0, case.until, 81)[1:]]))


def run(case: Case, flow: dynamics.Dynamics, start: models.Polar, until=None) -> dict:
    """One flow, looked at; with its evaluations of the field and its seconds."""
    looks = times(case) if until is None else until
    began = time.time()
    seen = dynamics.simulate(flow, start, times=looks, observe=LOOK)
    jax.block_until_ready(seen.final.time)
    numbers = {name: np.asarray(value) for name, value in seen.statistics.items()}
    kept = {name: np.asarray(seen[name]) for name in ("rho", "loss", "outputs")}
    return kept | numbers | {"times": looks, "seconds": time.time() - began}


def cached(path: Path, compute) -> dict:
    """What the file holds, or what ``compute()`` returns, stored."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path.with_suffix(".part.npz"), **compute())
        path.with_suffix(".part.npz").rename(path)
    with np.load(path) as stored:
        return dict(stored)


def reference(name: str, folder: Path) -> dict:
    """The finest run at a fixed step, and its `agreement` with twice the step."""
    case = CASES[name]
    step, before = case.first_step, None
    while True:
        now = cached(folder / name / f"reference-{step:g}.npz", partial(_fixed, case, step))
        agreement = np.inf if before is None else np.max(np.abs(now["rho"] - before["rho"]))
        if agreement <= AGREEMENT or step < 1.5 * case.last_step:
            return now | {"agreement": agreement, "step": step, "before": before}
        step, before = step / 2, now


def known(truth: dict) -> np.ndarray:
    """The times up to which the reference is known: before it is apart from its own halving."""
    apart = np.abs(truth["rho"] - truth["before"]["rho"])
    return np.cumsum(apart > AGREEMENT * np.max(truth["rho"])) == 0


def errors(ran: dict, truth: dict, among: np.ndarray | slice = slice(None)) -> dict[str, float]:
    """Largest errors over the trajectory: of rho, relative to the largest rho; loss; outputs."""
    outputs = np.sqrt(np.mean((ran["outputs"] - truth["outputs"]) ** 2, axis=1))
    return {
        "rho": float(np.max(np.abs(ran["rho"] - truth["rho"])[among]) / np.max(truth["rho"])),
        "loss": float(np.max(np.abs(ran["loss"] - truth["loss"])[among])),
        "outputs": float(np.max(outputs[among])),
    }


def _fixed(case: Case, step: float) -> dict:
    problem, start = task(case)
    flow = dynamics.gradient_flow(problem, solver=dynamics.SSP43(), step=step)
    return run(case, flow, start)
