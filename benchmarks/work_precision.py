"""What does each integrator cost, and how wrong is it, on flows of ReLU networks with kinks?

    python benchmarks/work_precision.py
    python benchmarks/work_precision.py small-1 large-0 --folder runs --torch VENV/bin/python

Cases are those of `benchmarks/kinks/cases.py` (`--list` names them), methods and their knobs those
of `benchmarks/kinks/methods.py`; `--methods` takes some of them. Every result is stored in the
folder as it is made, so that a study that was broken off goes on where it was; without a folder
everything is made anew. The table has, for each result, the evaluations of the field and the
largest errors over the whole trajectory: in rho relative to the largest rho, in the loss and in the
outputs (root mean square over samples) absolute, *as far as the reference is known*, that is until
it first is apart from its own halving by more than 1e-5 of rho. Escapes from a plateau end that
span where their moment is sensitive; "rho, all" goes to the end nevertheless.

`--picture` draws the diagram of `docs/choosing-a-dynamics.md`. `--torch` names the python of an
environment that holds torch and torchdiffeq, for that peer.

Without arguments: our methods on 64-64-64-1 to t = 100, about two minutes on two cores. The whole
study takes some hours, half of them for plain adaptive solvers.
"""

import argparse
import functools
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "kinks"))

from cases import CASES, cached, errors, known, reference, task, times  # noqa: E402
from methods import METHODS  # noqa: E402
from picture import draw  # noqa: E402

from rhoflow.experiments.tables import as_text  # noqa: E402

OURS = ("default", "SSP42, fixed", "SSP43, fixed", "Heun, fixed", "Euler, fixed")
TORCH, TORCH_TOLERANCES = "torchdiffeq dopri5", (1e-2, 1e-3, 2e-4)


def main():
    """Runs what is missing, and prints a table for each case."""
    asked = arguments()
    if asked.list:
        print("\n".join(CASES))
        return
    methods = dict(METHODS)
    if asked.torch:
        methods[TORCH] = (TORCH_TOLERANCES, functools.partial(torchdiffeq, asked.torch))
    chosen = asked.methods or (methods if asked.cases != ["quick"] else OURS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        study = {
            name: results(name, folder, {key: methods[key] for key in chosen})
            for name in asked.cases
        }
    if asked.picture:
        draw(study, asked.picture)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=["quick"])
    parser.add_argument("--list", action="store_true", help="name the cases")
    parser.add_argument("--folder", type=Path, help="where results are kept")
    parser.add_argument("--methods", nargs="*", help="families of methods, all unless given")
    parser.add_argument("--torch", help="a python with torch and torchdiffeq")
    parser.add_argument("--picture", type=Path, help="draw the diagram to this file")
    return parser.parse_args()


def results(name, folder, methods):
    """Every method on one case: family -> list of (knob, evaluations, errors); prints them."""
    case, truth = CASES[name], reference(name, folder)
    span = known(truth)
    print(
        f"\n{name}: reference SSP43 at fixed steps of {truth['step']:g}; in rho its halving differs"
        f" by {truth['agreement']:.0e}, and by 1e-5 of rho not before t = {times(case)[span][-1]:g}"
    )
    rows, found = [], {}
    for family, (knobs, compute) in methods.items():
        for knob in knobs:
            path = folder / name / f"{family}-{knob:g}.npz"
            ran = cached(path, functools.partial(compute, case, knob))
            wrong, to_the_end = errors(ran, truth, span), errors(ran, truth)
            count = int(ran["evaluations"])
            rows.append(row(f"{family} {knob:g}", count, wrong, to_the_end, ran))
            found.setdefault(family, []).append((knob, count, wrong))
    print(as_text(rows), flush=True)
    return found


def row(name, count, wrong, to_the_end, ran):
    cells = {"method": name, "evaluations": f"{count}"}
    cells |= {key: f"{value:.1e}" for key, value in wrong.items()}
    return cells | {"rho, all": f"{to_the_end['rho']:.1e}", "seconds": f"{ran['seconds']:.0f}"}


def torchdiffeq(python, case, rtol):
    """The peer, run by its own python."""
    problem, start = task(case)
    layers = {f"layer_{k}": np.asarray(layer) for k, layer in enumerate(start.directions)}
    with tempfile.TemporaryDirectory() as folder:
        source, destination = Path(folder) / "problem.npz", Path(folder) / "result.npz"
        np.savez(
            source, inputs=problem.inputs.reshape(len(problem.inputs), -1),
            targets=problem.targets, decay=problem.decay, rho=start.rho, times=times(case),
            **layers,
        )  # fmt: skip
        script = HERE / "kinks" / "torchdiffeq_peer.py"
        command = [python, script, source, destination, "dopri5", str(rtol)]
        subprocess.run([str(part) for part in command], check=True)
        with np.load(destination) as stored:
            return dict(stored)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
