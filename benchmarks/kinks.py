"""What does each solver and floor cost, and how wrong is it, on a ReLU flow with kinks?

Digits 3 against 8, 64-64-64-1, 200 samples, lambda = 1e-3, from rho = 0.1 to t = 200, in double
precision. The reference is SSP43 at fixed steps of 0.01; its halving is printed first. Errors are
absolute: of rho before and after t = 100, of the loss, and of the outputs (root mean square over
samples). Evaluations are of the field, power iterations for the sharpness included.

    python benchmarks/kinks.py        about three minutes on two cores
"""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from rhoflow import dynamics, models
from rhoflow.experiments.data import DataConfig, load
from rhoflow.experiments.tables import as_text

TIMES = np.array([0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 100, 125, 150, 200.0])
LATE = TIMES >= 100
CASES = {
    "Bosh3, floor 0.25 (default)": {},
    "Bosh3, floor 0.125": {"floor": 0.125},
    "SSP43, floor 0.5": {"solver": dynamics.SSP43(), "floor": 0.5},
    "SSP43, floor 0.25": {"solver": dynamics.SSP43()},
    "Heun, floor 0.25": {"solver": diffrax.Heun()},
    "SSP43, fixed 0.5": {"solver": dynamics.SSP43(), "step": 0.5},
    "Bosh3, fixed 0.25": {"solver": diffrax.Bosh3(), "step": 0.25},
    "Heun, fixed 0.25": {"solver": diffrax.Heun(), "step": 0.25},
}


def main():
    """Prints the reference's own uncertainty and one row per case."""
    problem, start = task()
    reference, coarser = (
        run(problem, start, solver=dynamics.SSP43(), step=step) for step in (0.01, 0.02)
    )
    own = float(jnp.max(jnp.abs(reference["rho"] - coarser["rho"])))
    print(f"reference: rho(200) = {float(reference['rho'][-1]):.4f}, its halving: {own:.0e}")
    rows = [row(name, run(problem, start, **case), reference) for name, case in CASES.items()]
    print(as_text(rows))


def task():
    """The problem and the start, in double precision."""
    data = load(DataConfig("digits", classes=(3, 8), train=200, test=100, centre=True))
    network = models.mlp((64, 64, 64, 1), initialisation=models.gaussian())
    targets = models.encode(data.train_labels, "signs")
    inputs = data.train_inputs.astype(np.float64)
    problem = models.Problem(network, inputs, targets, decay=1e-3)
    return problem, models.to_polar(network.init(jax.random.key(0)), rho=0.1)


def run(problem, start, **options):
    """One flow, looked at in rho, the loss and the outputs."""
    look = dynamics.observe("rho", "loss", outputs=lambda p, view: models.outputs(p, view))
    flow = dynamics.gradient_flow(problem, **options)
    return dynamics.simulate(flow, start, times=TIMES, observe=look)


def row(name, ran, reference):
    """What it cost and how far it is from the reference."""
    apart = {key: np.abs(np.asarray(ran[key] - reference[key])) for key in ("rho", "loss")}
    outputs = np.sqrt(np.mean((ran["outputs"] - reference["outputs"]) ** 2, axis=1))
    return {
        "solver": name,
        "evaluations": f"{int(ran.statistics['evaluations'])}",
        "rho, t < 100": f"{apart['rho'][~LATE].max():.1e}",
        "rho, t >= 100": f"{apart['rho'][LATE].max():.1e}",
        "loss": f"{apart['loss'].max():.1e}",
        "outputs": f"{outputs.max():.1e}",
    }


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
