"""Ensembles on two cores, side by side with what a user would do without this library.

    python benchmarks/ensembles.py                      ours, SciPy, the bare loop, start-up
    python benchmarks/ensembles.py --torch PYTHON       and PyTorch: an interpreter that has torch
    python benchmarks/ensembles.py --quick              see that all of it runs; numbers mean little

Prints the table of `docs/benchmarks.md`, in about ten minutes with PyTorch (and torchdiffeq, where
that interpreter has it). Every process waits for its turn, so that one question runs at a time; the
cases of a question alternate, `--rounds` times, and a ratio is taken within a round. Compiling is
not counted. Quartiles are over the rounds; a target is met where three quarters of them meet it.
PyTorch is on one thread or two, whichever is faster. `--questions` takes some of

    B        64-256-256-1, 512 digits, SGD in batches of 32, momentum .9, 32 members, observed
             every epoch; also on one core, and the default normalisation
    A        the same network, gradient descent on all samples, 8 members
    middle   64-64-64-1, 128 digits, gradient descent, 32 members over one of PyTorch
    tiny     64-32-32-1, 64 digits, the same
    D        gradient flow of 64-64-64-1, 128 digits, 16 members, Dormand-Prince at rtol 1e-5
    storing  B, every chunk stored and progress told, against one compiled loop written by hand
    starting `rhoflow --help`, and a flow's first result in a second process

What each peer computes is written in `benchmarks/side_by_side/`.
"""

import argparse
import contextlib
import functools
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent / "side_by_side"
sys.path.insert(0, str(HERE))

from turns import HEAD, Case, Peer, Row, better, in_turns, over, quartiles  # noqa: E402
from workloads import FLOW, MEMBERS, STEPS, products, store  # noqa: E402

SIDE = 2048
GIGA = 1e9


class Bench:
    """What a question may ask: peers, which it starts, and the steps of a work."""

    def __init__(self, folder, torch, rounds, shorter):
        self.folder, self.torch, self.rounds, self.shorter = folder, torch, rounds, shorter
        self.peers = []

    def stored(self, work):
        """Where the inputs and the starts of a work are."""
        path = self.folder / f"{work}.npz"
        if not path.exists():
            store(path, work)
        return path

    def peer(self, script, work, *arguments, python=sys.executable):
        """A new process."""
        self.peers.append(Peer(python, HERE / script, self.stored(work), *arguments))
        return self.peers[-1]

    def steps(self, work):
        """A request for the steps of a work."""
        given = STEPS[work]
        return given | {"steps": max(given["steps"] // self.shorter, given["every"])}

    def threads(self, name, script, work, request, parts=1.0, python=None):
        """The same on one thread and on two, by name."""
        peer = self.peer(script, work, python=python or sys.executable)
        return {f"{name} {n}": Case(((peer, {"threads": n, **request}),), parts) for n in (1, 2)}

    def quicker(self, cases):
        """The one of several cases that is faster in a trial."""
        seconds, _ = in_turns(cases, 1)
        name = min(seconds, key=seconds.get)
        return {name: cases[name]}

    def run(self, cases):
        """Seconds of every case, round by round; tells the medians and what was seen."""
        seconds, answers = in_turns(cases, self.rounds)
        for name, taken in seconds.items():
            seen = ", ".join(f"{value:.4g}" for value in answers[name])
            print(f"    {name}: {quartiles(taken)[1]:.3f} s; seen {seen}", flush=True)
        return seconds

    def close(self):
        """Ends all processes."""
        for peer in self.peers:
            peer.close()
        self.peers = []


def minibatches(bench):
    """Workload B."""
    given = bench.steps("B")
    ours, request = bench.peer("ours.py", "B", 2), {"kind": "steps", "members": MEMBERS, **given}
    cases = {
        "ours": Case(((ours, request),)),
        "ours, spheres": Case(((ours, {**request, "spheres": True}),)),
        "ours, one core": Case(((bench.peer("ours.py", "B", 1), request),)),
    }
    cases |= peaks(bench, ours)
    if bench.torch:
        there = functools.partial(
            bench.threads, script="torch_peer.py", work="B", python=bench.torch
        )
        cases |= there("loop", request={"kind": "loop", "members": 2, **given}, parts=MEMBERS / 2)
        part = given | {"steps": max(given["steps"] // 2, given["every"])}
        request = {"kind": "bmm", "members": MEMBERS, **part}
        cases |= bench.quicker(there("bmm", request=request, parts=given["steps"] / part["steps"]))
        halves = [bench.peer("torch_peer.py", "B", python=bench.torch) for _ in range(2)]
        each = {"kind": "loop", "threads": 1, **given}
        asked = tuple(
            (peer, {**each, "members": [3 * k, 3 * k + 3]}) for k, peer in enumerate(halves)
        )
        cases["two processes"] = Case(asked, MEMBERS / 6)
    taken = bench.run(cases)
    work = f"B, {MEMBERS} members"
    yield fraction(work, taken, products("B") * given["steps"] * MEMBERS, 0.5)
    yield Row(work, "the same on one core", over(taken["ours, one core"], taken["ours"]), 1.9)
    yield Row(
        "the same on the spheres, the default", work, over(taken["ours"], taken["ours, spheres"])
    )
    if bench.torch:
        loop = better(taken["loop 1"], taken["loop 2"])
        yield Row(work, "PyTorch loop", over(loop, taken["ours"]), 5.0)
        bmm = next(name for name in taken if name.startswith("bmm"))
        yield Row(work, f"PyTorch {bmm_told(bmm)}", over(taken[bmm], taken["ours"]), 2.0)
        yield Row(
            work, "two PyTorch processes of one thread",
            over(taken["two processes"], taken["ours"]), 3.3,
        )  # fmt: skip


def full_batches(bench):
    """Workload A."""
    given, members = bench.steps("A"), 8
    ours = bench.peer("ours.py", "A", 2)
    cases = {"ours": Case(((ours, {"kind": "steps", "members": members, **given}),))}
    cases |= peaks(bench, ours)
    if bench.torch:
        request = {"kind": "loop", "members": 1, **given}
        cases |= bench.threads("loop", "torch_peer.py", "A", request, members, bench.torch)
    taken, work = bench.run(cases), f"A, {members} members"
    yield fraction(work, taken, products("A") * given["steps"] * members, 0.7)
    if bench.torch:
        yield Row(
            work, "PyTorch loop", over(better(taken["loop 1"], taken["loop 2"]), taken["ours"]), 1.5
        )


def small(bench, work, name, target):
    """Small networks: the time of all members over that of one of PyTorch, mapped and vmapped."""
    given, ours = bench.steps(work), bench.peer("ours.py", work, 2)
    request = {"kind": "steps", "members": MEMBERS, **given}
    cases = {way: Case(((ours, {**request, "batching": way}),)) for way in ("map", "vmap")}
    if bench.torch:
        request = {"kind": "loop", "members": 1, **given}
        cases |= bench.threads("loop", "torch_peer.py", work, request, python=bench.torch)
    taken = bench.run(cases)
    yield Row(
        f"{name}, {MEMBERS} members, vmap", "the same, map", over(taken["map"], taken["vmap"])
    )
    if bench.torch:
        loop = better(taken["loop 1"], taken["loop 2"])
        first, second = sorted(("map", "vmap"), key=lambda way: quartiles(taken[way])[1])
        bound = {"target": target, "at_most": True}
        told = f"the time of *one* PyTorch member, of {name}"
        yield Row(
            f"the time of {MEMBERS} members, {first}", told, over(taken[first], loop), **bound
        )
        yield Row(f"the time of {MEMBERS} members, {second}", told, over(taken[second], loop))


def flows(bench):
    """Workload D."""
    members, given = 16, FLOW | {"until": FLOW["until"] / bench.shorter}
    ours = bench.peer("ours.py", "D", 2)
    cases = {"ours": Case(((ours, {"kind": "flow", "members": members, **given}),))}
    request = {"kind": "flow", "members": [0, members], **given}
    cases |= bench.threads("SciPy", "scipy_peer.py", "D", request)
    if bench.torch and has(bench.torch, "torchdiffeq"):
        cases |= bench.quicker(
            bench.threads("torchdiffeq", "torch_peer.py", "D", request, python=bench.torch)
        )
    taken, work = bench.run(cases), f"D, {members} members"
    scipy = better(taken["SciPy 1"], taken["SciPy 2"])
    yield Row(work, "SciPy RK45, NumPy gradients", over(scipy, taken["ours"]), 4.5)
    for name in taken:
        if name.startswith("torchdiffeq"):
            yield Row(work, "torchdiffeq dopri5", over(taken[name], taken["ours"]), 14.0)


def storing(bench):
    """Cutting, telling and storing against a loop that does nothing of it."""
    given = bench.steps("B")
    ours = bench.peer("ours.py", "B", 2)
    given |= {"steps": 2 * given["steps"], "members": MEMBERS}
    kinds = {
        "stored": {"kind": "steps", "store": True, **given},
        "kept in memory": {"kind": "steps", **given},
        "bare": {"kind": "bare", **given},
    }
    taken = bench.run({name: Case(((ours, request),)) for name, request in kinds.items()})
    loop = "one compiled loop, written by hand"
    looks = given["steps"] // given["every"]
    yield Row(
        f"B, {looks} looks, cut, told, every chunk stored", loop,
        over(taken["bare"], taken["stored"]), 0.97,
    )  # fmt: skip
    yield Row("the same, kept in memory", loop, over(taken["bare"], taken["kept in memory"]))
    yield Row(
        "stored at every chunk", "kept in memory", over(taken["kept in memory"], taken["stored"])
    )


def starting(bench):
    """Wall times of processes, until they end."""
    cached = {"JAX_COMPILATION_CACHE_DIR": str(bench.folder / "compiled")}
    cases = {
        "help": Command(("-m", "rhoflow.experiments", "--help")),
        "second": Command((HERE / "first_result.py", bench.stored("D")), cached),
    }
    taken = bench.run(cases)
    yield Row("`rhoflow --help`", "", taken["help"], 0.5, at_most=True, unit=" s")
    yield Row(
        "a flow's first result, second process, programs kept", "", taken["second"],
        3.0, at_most=True, unit=" s",
    )  # fmt: skip


class Command:
    """A case that is a whole process of Python."""

    def __init__(self, arguments, environment=()):
        self.command = [sys.executable, *map(str, arguments)]
        self.environment = {**os.environ, **dict(environment)}

    def run(self):
        """Seconds until it ended."""
        begin = time.perf_counter()
        subprocess.run(self.command, env=self.environment, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begin, []


def peaks(bench, ours):
    """A product of square matrices by JAX, NumPy and PyTorch: what the machine can."""
    cases = {"peak, JAX": Case(((ours, {"kind": "peak", "side": SIDE}),))}
    numpy = bench.peer("scipy_peer.py", "D")
    cases["peak, NumPy"] = Case(((numpy, {"kind": "peak", "threads": 2, "side": SIDE}),))
    if bench.torch:
        there = bench.peer("torch_peer.py", "D", python=bench.torch)
        request = {"kind": "peak", "threads": 2, "members": 1, "side": SIDE}
        cases["peak, PyTorch"] = Case(((there, request),))
    return cases


def fraction(work, taken, operations, target):
    """Of the best product that was measured in any round."""
    best = min(min(seconds) for name, seconds in taken.items() if name.startswith("peak"))
    peak = 2 * SIDE**3 / best
    speeds = [operations / seconds / peak for seconds in taken["ours"]]
    print(f"    peak {peak / GIGA:.0f} Gflop/s")
    return Row(work, f"peak, {peak / GIGA:.0f} Gflop/s (largest of {SIDE}^3)", speeds, target)


def bmm_told(name):
    """With the number of threads that was faster."""
    return f"`bmm`, {name.split()[-1]} thread(s)"


def has(python, module):
    """Whether an interpreter has a module."""
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0


QUESTIONS = {
    "B": minibatches,
    "A": full_batches,
    "middle": lambda bench: small(bench, "middle", "64-64-64-1, N = 128", 2.6),
    "tiny": lambda bench: small(bench, "tiny", "64-32-32-1, N = 64", 1.2),
    "D": flows,
    "storing": storing,
    "starting": starting,
}


def main():
    """Asks, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", help="a python with torch, and perhaps torchdiffeq")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--questions", nargs="*", default=list(QUESTIONS), choices=QUESTIONS)
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    given = parser.parse_args()
    if given.torch is None:
        print("PyTorch is skipped: name an interpreter that has it, --torch PYTHON\n")
    elif not has(given.torch, "torchdiffeq"):
        print("torchdiffeq is skipped: pip install torchdiffeq beside torch\n")
    rounds, shorter = (2, 16) if given.quick else (given.rounds, 1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), given.torch, rounds, shorter)
        for name in given.questions:
            print(f"{name}, {rounds} rounds", flush=True)
            with contextlib.closing(bench):
                rows += QUESTIONS[name](bench)
    print(f"\n{machine(given.torch)}\n\n{HEAD}")
    print("\n".join(row.text() for row in rows))


def machine(torch):
    """What it ran on."""
    names = ("jax", "diffrax", "numpy", "scipy")
    told = [f"{name} {importlib.metadata.version(name)}" for name in names]
    if torch:
        told += [f"{name} {version(torch, name)}" for name in ("torch", "torchdiffeq")]
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.machine()}, {cores} cores"
    return f"{system}, Python {platform.python_version()}, {', '.join(told)}"


def version(python, name):
    """Of a package of another interpreter."""
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return found.stdout.strip() or "missing"


if __name__ == "__main__":
    main()
