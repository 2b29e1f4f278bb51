"""The table of docs/networks.md on equal layers: how far apart do T free layers end?

    python benchmarks/equal_layers.py

Three square layers of width 16 between a first and a last one, linear or ReLU, on 12 random inputs
in four dimensions, labelled by the sign of a linear function; gradient descent of rate 0.05 to time
400, double precision. The start is LeCun's, its three square layers drawn apart or all the first of
them. Distances are of the directions of neighbouring square layers, the larger of the two, and the
same up to rotations (`dynamics.observables.likeness`). "least" is what is descended, loss and
decay, at the end; a tied network has one array for the three, whose decay counts once.
"""

import itertools

import jax
import numpy as np

from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds

INPUTS, WIDTH, SAMPLES = 4, 16, 12
KINDS = {"free": kinds.free(), "sphere": kinds.sphere()}
ACTIVATIONS = {"linear": models.linear, "ReLU": models.relu}
LOOK = dynamics.observe("layer_distances", "rotated_layer_distances", "rho")


def main():
    """Prints the table."""
    print(
        "| network | coordinates | decay | start | distance | up to rotations | least |\n"
        "|---|---|---|---|---|---|---|"
    )
    for (name, activation), kind, decay, start in itertools.product(
        ACTIVATIONS.items(), KINDS, (0.02, 0.0), ("unequal", "equal", "tied")
    ):
        network, weights = started(activation, start)
        ran, least = ended(network, weights, decay, kind)
        cells = [name, kind, f"{decay:g}", start, *apart(ran, start), f"{least:.5f}"]
        print(f"| {' | '.join(cells)} |")


def started(activation, start):
    """A network and its weights."""
    network = models.mlp((INPUTS, *[WIDTH] * 4, 1), activation=activation)
    first, *square, last = network.init(jax.random.key(0))
    if start == "tied":
        network = models.tied((INPUTS, WIDTH, 1), times=3, activation=activation)
        return network, (first, square[0], last)
    return network, (first, *(square if start == "unequal" else square[:1] * 3), last)


def problem(network, decay):
    """Inputs on the unit sphere, labelled by a linear function."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((SAMPLES, INPUTS))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    targets = np.where(inputs @ rng.standard_normal(INPUTS) > 0, 1.0, -1.0)
    return models.Problem(network, inputs, targets, decay=decay)


def ended(network, weights, decay, kind, time=400.0):
    """The run, looked at where it begins and ends, and what is left of loss and decay."""
    given = problem(network, decay)
    steps = dynamics.gradient_descent(given, 0.05, normalisation=KINDS[kind])
    start = models.to_polar(weights, network=network) if kind == "sphere" else weights
    ran = dynamics.simulate(steps, start, times=[0.0, time], observe=LOOK)
    potential = kinds.fitting(given, KINDS[kind]).potential
    return ran, float(potential(given, ran.final.position, None))


def apart(ran, start):
    """The two distances, before and after."""
    if start == "tied":
        return "0", "0"
    looks = (
        np.nanmax(ran[name], axis=1) for name in ("layer_distances", "rotated_layer_distances")
    )
    return [f"{begin:.2g} -> {end:.2g}" for begin, end in looks]


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
