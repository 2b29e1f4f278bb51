"""A start from nothing to the first result of a flow: imports, compilation, run.

python benchmarks/side_by_side/first_result.py WORK.npz
"""

import sys

import numpy as np

from rhoflow import dynamics, models
from rhoflow.experiments.compiling import keep_programs


def main(path):
    """Prints rho at one unit of time."""
    keep_programs()
    with np.load(path) as stored:
        stored = dict(stored)
    widths = (64, 64, 64, 1)
    problem = models.Problem(models.mlp(widths), stored["inputs"], stored["targets"], decay=1e-3)
    start = models.to_polar(tuple(stored[f"layer_{k}"][0] for k in range(len(widths) - 1)))
    ran = dynamics.simulate(dynamics.gradient_flow(problem), start, times=[1.0])
    print(ran["rho"][-1])


if __name__ == "__main__":
    main(sys.argv[1])
