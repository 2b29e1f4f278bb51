"""Runs one ensemble and stores it: ``python spread.py FILE DEVICES PROCESSES RANK PORT PRECISION``.

Five members, so that no number of devices divides them.
"""

import sys

import jax
import numpy as np

file, (devices, processes, rank, port), precision = (
    sys.argv[1],
    map(int, sys.argv[2:6]),
    sys.argv[6],
)
jax.config.update("jax_num_cpu_devices", devices)
jax.config.update("jax_enable_x64", precision == "double")
if processes > 1:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"localhost:{port}", processes, rank)

from references import LINEAR, problem, start  # noqa: E402
from rhoflow import dynamics  # noqa: E402

sgd = dynamics.sgd(problem(), 0.05, momentum=0.5, batch_size=4)
runs = dynamics.ensemble(
    sgd,
    [start(LINEAR, seed) for seed in range(5)],
    times=dynamics.times_at(sgd, steps=np.arange(20, 201, 20)),
    observe=dynamics.observe("loss", "rho", "margins"),
    key=jax.random.key(1),
    over={"decay": [0.0, 0.01, 0.02, 0.03, 0.04]},
)
if rank == processes - 1:
    found = {name: np.asarray(runs[name]) for name in ("loss", "rho", "margins")}
    keys = [
        leaf
        for leaf in jax.tree.leaves(runs.final)
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    ]
    assert keys
    assert all(len(leaf) == 5 for leaf in keys)
    np.savez(file, placement=runs.placement, final=np.asarray(runs.final.position.rho), **found)
