"""Does a run that is killed again and again end in the same numbers?

    python benchmarks/kills.py                  20 kills of a run and 20 of a sweep
    python benchmarks/kills.py --kills 3 --seed 7

A run and a sweep of the quickstart are started, killed with SIGKILL at a random moment of their
work, and started again with the same command, until they have been killed so often; then they are
left to end. Every number that they have stored is compared with an uninterrupted run's, bit for bit
(but for the wall times). XLA compiles quickly here, so that a kill costs seconds.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from rhoflow import experiments

FIELDS = ["--preset", "tiny", "--seeds", "2", "--duration", "100", "--looks", "401"]
COMMANDS = {
    "run": ["run", "quickstart", *FIELDS, "--checkpoint-every", "0"],
    "sweep": [
        "sweep", "quickstart", *FIELDS, "--grid", "decay=0,1e-3", "--grid", "initial_rho=1,2",
    ],
}  # fmt: skip
WALL_TIME = {"seconds"}


def main() -> int:
    """Kills, compares, and says what was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    same = [
        survives(name, options.kills, random.Random(options.seed), Path(folder))
        for name in COMMANDS
        for folder in [tempfile.mkdtemp()]
    ]
    return 0 if all(same) else 1


def survives(name: str, kills: int, moments: random.Random, folder: Path) -> bool:
    """Whether a command that is killed so often stores what it stores when it is left alone."""
    left_alone(name, folder / "whole")  # compiles, and keeps the programs for those that follow
    wanted, length = stored(name, folder / "whole"), left_alone(name, folder / "again")
    same, done, ends = equal(stored(name, folder / "again"), wanted), 0, 0
    while done < kills:
        place = folder / f"{ends}"
        fresh = not place.exists()
        lived = lifetime(started(name, place), moments.uniform(0.3, 0.9) * length)
        if lived is None:
            done += 1
        else:  # it came to its end before: another one is killed from now on
            length = lived if fresh else length
            same &= equal(stored(name, place), wanted)
            ends += 1
    left_alone(name, folder / f"{ends}")
    same &= equal(stored(name, folder / f"{ends}"), wanted)
    print(f"{name}: {done} kills, {ends + 1} ends, {'the same' if same else 'OTHER'} bits")
    return same


def lifetime(process: subprocess.Popen[bytes], most: float) -> float | None:
    """How many seconds a process has lived; None if it had to be killed after so many."""
    began = time.perf_counter()
    try:
        process.wait(timeout=most)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None
    return time.perf_counter() - began


def started(name: str, folder: Path) -> subprocess.Popen[bytes]:
    """The command, in a process of its own."""
    program = (
        "import sys; from rhoflow import experiments; experiments.compile_quickly(); "
        "from rhoflow.experiments.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, *COMMANDS[name], "--output", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(os.environ))


def left_alone(name: str, folder: Path) -> float:
    """Runs the command to its end; how many seconds that took."""
    began = time.perf_counter()
    if started(name, folder).wait():
        raise RuntimeError(f"'rhoflow {' '.join(COMMANDS[name])}' failed: see above")
    return time.perf_counter() - began


def stored(name: str, folder: Path) -> dict[str, np.ndarray]:
    """All numbers that a command has stored, by part and variable."""
    if name == "run":
        parts = experiments.open(folder).datasets
    else:
        found = experiments.open_sweep(folder)
        parts = {part: found.dataset(part) for part in ("flow", "sgd")}
    return {
        f"{part} {variable}": values.values
        for part, data in parts.items()
        for variable, values in data.variables.items()
        if variable not in WALL_TIME
    }


def equal(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> bool:
    """Whether all are there and the same, bit for bit."""
    return left.keys() == right.keys() and all(
        left[name].tobytes() == right[name].tobytes() for name in left
    )


if __name__ == "__main__":
    sys.exit(main())
