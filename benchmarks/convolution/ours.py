"""Training steps of convolutional networks a second: one member and several, by each method.

Workload C: three 3x3 convolutions (32, 64, 128 channels, stride 2, padded) and a dense head of two
outputs, batch 128, SGD with momentum, random images of 16x16 and 32x32; and the six-layer network
of [Dyn] at 32x32. One member runs alone; several run as `dynamics.ensemble` would run them: mapped
or vmapped. A method is `models.convolution`'s: slices, or the library's.

    python benchmarks/convolution/ours.py [--networks six,c16] [--members 1,10] [--repeats 9]

prints the median of milliseconds a member and step as markdown. With `--torch PYTHON`, an
interpreter that has torch, the plain PyTorch loop takes turns with ours, and the table says how
many times as long it took: the median over rounds and their lower quartile.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import time
from pathlib import Path

import jax
import numpy as np

from rhoflow import dynamics, models

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
    parser.add_argument("--methods", default="slices,library")
    parser.add_argument("--ways", default="map,vmap")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--torch", default=None)
    given = parser.parse_args()
    print(f"{jax.devices()[0].device_kind}, {jax.device_count()} devices, jax {jax.__version__}\n")
    print("| network | members | how | ms a member and step | PyTorch's over it, lower quartile |")
    print("|---|---|---|---|---|")
    for network in given.networks.split(","):
        peer = Peer(given.torch, network) if given.torch else None
        for members in map(int, given.members.split(",")):
            measure(network, members, given, peer)


def measure(network, members, given, peer):
    """One network and number of members, every method and way, in turns."""
    ways = ("alone",) if members == 1 else given.ways.split(",")
    cases = {}
    for method, way in itertools.product(given.methods.split(","), ways):
        cases[f"{method}, {way}"] = prepared(network, members, method, way, given.steps)
    if peer:
        cases[PEER] = lambda: peer.seconds(given.steps) * members
    taken = {name: [] for name in cases}
    for _, (name, run) in itertools.product(range(given.repeats), cases.items()):
        taken[name].append(1e3 * run() / members / given.steps)
    for name, found in taken.items():
        told = ratio(taken.get(PEER, []), found)
        print(f"| {network} | {members} | {name} | {statistics.median(found):.3f} | {told} |")


def ratio(peer, ours):
    """How many times as long the peer took, round by round: median and lower quartile."""
    rounds = [theirs / mine for theirs, mine in zip(peer, ours, strict=False)]
    if len(rounds) < 2:
        return "-"
    return f"{statistics.median(rounds):.2f}, {statistics.quantiles(rounds, n=4)[0]:.2f}"


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


class Peer:
    """The plain PyTorch loop in a process of its own, which waits for its turn."""

    def __init__(self, python, network):
        script = Path(__file__).with_name("torch_peer.py")
        self.process = subprocess.Popen(
            [python, str(script), network], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def seconds(self, steps):
        """The better of one thread and two."""
        self.process.stdin.write(json.dumps(steps) + "\n")
        self.process.stdin.flush()
        return min(json.loads(self.process.stdout.readline()))


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 2)
    main()
