"""Training steps of convolutional networks a second: one member and several, by each method.

Workload C: three 3x3 convolutions (32, 64, 128 channels, stride 2, padded) and a dense head of two
outputs, batch 128, SGD with momentum, random images of 16x16 and 32x32; and the six-layer network
of [Dyn] at 32x32. One member runs alone; several run as `dynamics.ensemble` would run them: mapped
or vmapped. A method is `models.convolution`'s: the one that it chooses, slices, or the library's
(which inside a compiled loop on a CPU takes many times as long).

    python benchmarks/convolutions.py [--networks six,c16] [--members 1,10] [--methods auto,slices]

prints the median of milliseconds a member and step as markdown. With `--torch PYTHON`, an
interpreter that has torch, the plain PyTorch loop takes turns with ours, and the table says how
many times as long it took: the median over rounds and their lower quartile.
"""

import argparse
import itertools
import statistics
import sys
import time
from pathlib import Path

import jax
import numpy as np

from rhoflow import dynamics, models

SIDE_BY_SIDE = Path(__file__).parent / "side_by_side"
sys.path.insert(0, str(SIDE_BY_SIDE))

from turns import Peer, over, quartiles  # noqa: E402

PEER = "PyTorch, plain loop"
BATCH, SAMPLES, RATE = 128, 512, 0.01
NETWORKS = {
    "c16": lambda method: models.documented.m112_four_layers((16, 16, 3), method=method),
    "c32": lambda method: models.documented.m112_four_layers((32, 32, 3), method=method),
    "six": lambda method: models.documented.dyn_six_layers(method=method),
}
SHAPES = {"c16": (16, 16, 3), "c32": (32, 32, 3), "six": (32, 32, 3)}


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default="c16,c32")
    parser.add_argument("--members", default="1,8")
    parser.add_argument("--methods", default="auto")
    parser.add_argument("--ways", default="map")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--torch", default=None)
    given = parser.parse_args()
    print(f"{jax.devices()[0].device_kind}, {jax.device_count()} devices, jax {jax.__version__}\n")
    print("| network | members | how | ms a member and step | PyTorch's over it, lower quartile |")
    print("|---|---|---|---|---|")
    for network in given.networks.split(","):
        script = SIDE_BY_SIDE / "torch_convolutions.py"
        peer = Peer(given.torch, script, network) if given.torch else None
        for members in map(int, given.members.split(",")):
            measure(network, members, given, peer)


def measure(network, members, given, peer):
    """One network and number of members, every method and way, in turns."""
    ways = ("alone",) if members == 1 else given.ways.split(",")
    cases = {}
    for method, way in itertools.product(given.methods.split(","), ways):
        cases[f"{method}, {way}"] = prepared(network, members, method, way, given.steps)
    if peer:
        cases[PEER] = lambda: better_of_threads(peer, given.steps) * members
    taken = {name: [] for name in cases}
    for _, (name, run) in itertools.product(range(given.repeats), cases.items()):
        taken[name].append(1e3 * run() / members / given.steps)
    for name, found in taken.items():
        told = ratio(taken.get(PEER, []), found)
        print(f"| {network} | {members} | {name} | {statistics.median(found):.3f} | {told} |")


def ratio(peer, ours):
    """How many times as long the peer took, round by round: median and lower quartile."""
    if len(peer) < 2:
        return "-"
    low, middle, _ = quartiles(over(peer, ours))
    return f"{middle:.2f}, {low:.2f}"


def better_of_threads(peer, steps):
    """Seconds of the plain PyTorch loop, on one thread or on two."""
    peer.ask({"steps": steps})
    return min(peer.answered())


def prepared(network, members, method, way, steps):
    """A function that runs the steps, compiled already, and gives the seconds that it took."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((SAMPLES, *SHAPES[network])).astype(np.float32)
    inputs /= np.linalg.norm(inputs.reshape(SAMPLES, -1), axis=1).max()
    targets = models.encode(np.arange(SAMPLES) % 2, "centred")
    net = NETWORKS[network](method)
    problem = models.Problem(net, inputs, targets, decay=1e-3)
    descent = dynamics.sgd(problem, RATE, momentum=0.9, batch_size=BATCH)
    starts = [models.to_polar(net.init(k)) for k in jax.random.split(jax.random.key(0), members)]
    times = dynamics.times_at(descent, steps=[steps])
    look, key = dynamics.observe("rho"), jax.random.key(1)

    def run():
        begin = time.perf_counter()
        if way == "alone":
            ran = dynamics.simulate(descent, starts[0], times=times, observe=look, key=key)
        else:
            ran = dynamics.ensemble(
                descent, starts, times=times, observe=look, key=key, batching=way
            )
        jax.block_until_ready(ran.observations)
        return time.perf_counter() - begin

    run()
    return run


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 2)
    main()
