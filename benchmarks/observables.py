"""What looking costs: a run of SGD with and without observables, and each observable by itself.

The network and the data are the quickstart's (digits 3 and 8 of MNIST, 196-64-64-1, 100 samples),
SGD with momentum .9, batches of 20. First, 20,000 steps that look at rho alone at the end, beside
the same steps that look at rho and the margins 200 times, that look besides at NC1-NC4 and ranks at
50 of these times, and at all of them. The runs take turns; medians of `--repeats`. Then every
observable that has a name, compiled alone, at one point, in steps of SGD.

    python benchmarks/observables.py

prints both as markdown, in about a minute on one core; docs/observables.md holds one outcome.
"""

import argparse
import inspect
import statistics
import time

import jax
import numpy as np

from rhoflow import dynamics, models
from rhoflow.experiments.data import DataConfig, load

STEPS, LOOKS, RATE = 20_000, 200, 0.02
PLAIN = ("rho", "margins")
COLLAPSE = ("nc1_traces", "nc1_ratio", "nc2_norms", "nc2_angles", "nc3_duality", "nc4")
RANKS = ("ranks",)


def main():
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    problem, start = task()
    per_step = runs(problem, start, repeats)
    alone(problem, start, per_step, repeats)


def task():
    """The quickstart's problem and one of its starts."""
    data = load(DataConfig("mnist5k", classes=(3, 8), train=100, test=0, side=14, centre=True))
    inputs = data.train_inputs.reshape(len(data.train_inputs), -1)
    network = models.mlp((inputs.shape[1], 64, 64, 1))
    problem = models.Problem(network, inputs, models.encode(data.train_labels, "signs"), decay=2e-3)
    return problem, models.to_polar(network.init(jax.random.key(0)), rho=2.0)


def runs(problem, start, repeats):
    """Whole runs side by side; gives the seconds of one step that nobody looks at."""
    steps = dynamics.sgd(problem, RATE, momentum=0.9, batch_size=20)
    end = float(dynamics.times_at(steps, steps=[STEPS])[0])
    often = np.linspace(0.0, end, LOOKS + 1)[1:]
    plain, dear = dynamics.observe(*PLAIN), dynamics.observe(*COLLAPSE, *RANKS)
    kinds = {
        "rho at the end": (dynamics.observe("rho"), np.array([end])),
        "rho and margins, 200 times": (plain, often),
        "and NC1-NC4 and ranks, 50 times": (plain | dear.every(4), often),
        "and NC1-NC4 and ranks, 200 times": (plain | dear, often),
    }

    def run(look, times):
        begin = time.perf_counter()
        ran = dynamics.simulate(steps, start, times=times, observe=look, key=jax.random.key(1))
        jax.block_until_ready(ran.observations)
        return time.perf_counter() - begin

    first = {name: run(*kind) for name, kind in kinds.items()}
    seconds = {name: [] for name in kinds}
    for _ in range(repeats):
        for name, kind in kinds.items():
            seconds[name].append(run(*kind))
    plain = statistics.median(seconds["rho at the end"])
    print(f"| {STEPS:,} steps | seconds | over the plain run | compiling |\n|---|---|---|---|")
    for name, taken in seconds.items():
        median = statistics.median(taken)
        print(
            f"| {name} | {median:.2f} | {median / plain - 1:+.1%} | {first[name] - median:.1f} s |"
        )
    return plain / STEPS


def alone(problem, start, per_step, repeats):
    """Each observable by itself, in steps."""
    print(f"\nOne step takes {1e6 * per_step:.0f} microseconds.\n")
    print("| observable | what it is | microseconds | in steps |\n|---|---|---|---|")
    for name, observable in sorted(dynamics.observables.BY_NAME.items()):
        try:
            taken = one(dynamics.observe(name), problem, start, repeats)
        except ValueError:  # not of this network, or not with its targets
            cost = "- | -"
        else:
            cost = f"{1e6 * taken:.0f} | {taken / per_step:.1f}"
        print(f"| {name} | {summary(observable)} | {cost} |", flush=True)


def summary(observable):
    """The first line of an observable's docstring, as a cell of a table."""
    line = (inspect.getdoc(getattr(observable, "func", observable)) or "\n").splitlines()[0]
    return line.replace("|", r"\|")


def one(look, problem, start, repeats, calls=20):
    """Median seconds of one compiled call."""
    compiled = jax.jit(lambda problem, view: look(problem, view))
    jax.block_until_ready(compiled(problem, start))
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        for _ in range(calls):
            found = compiled(problem, start)
        jax.block_until_ready(found)
        taken.append((time.perf_counter() - begin) / calls)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
