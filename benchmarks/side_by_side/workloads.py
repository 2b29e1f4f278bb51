"""What is computed by every peer alike: networks, digits, starts, steps, looks.

Bias-free ReLU networks with one output, the mean square loss, handwritten digits 8 x 8 scaled to
largest norm one, targets +1 for even digits and -1 for odd ones, weights as they are (no
normalisation), single precision. `store` writes inputs, targets and starts where every peer reads
them; a request has the rest. Looking is the loss over all samples, and rho, the product of the
layers' norms.
"""

import itertools
import math

import numpy as np

from rhoflow.experiments.data import DataConfig, load

MEMBERS = 32
WIDE, MIDDLE, TINY = (64, 256, 256, 1), (64, 64, 64, 1), (64, 32, 32, 1)
SHAPES = {"B": (WIDE, 512), "A": (WIDE, 512), "middle": (MIDDLE, 128), "tiny": (TINY, 64)}
SHAPES["D"] = SHAPES["middle"]

STEPS = {
    "B": {"steps": 256, "every": 16, "batch": 32, "rate": 0.02, "momentum": 0.9},
    "A": {"steps": 160, "every": 10, "batch": 512, "rate": 0.1, "momentum": 0.0},
    "middle": {"steps": 320, "every": 10, "batch": 128, "rate": 0.1, "momentum": 0.0},
    "tiny": {"steps": 640, "every": 20, "batch": 64, "rate": 0.1, "momentum": 0.0},
}
"""How many steps, steps between looks, samples in a step (all of them: no drawing)."""

FLOW = {"until": 3.0, "looks": 3, "rtol": 1e-5, "atol": 1e-7}


def store(path, work):
    """Inputs, targets and the starts ``layer_k``, [members, inputs, outputs], of one work."""
    widths, samples = SHAPES[work]
    digits = load(DataConfig("digits", train=samples, test=0))
    inputs = digits.train_inputs.reshape(samples, -1).astype(np.float32)
    inputs /= np.linalg.norm(inputs, axis=1).max()
    targets = np.where(digits.train_labels % 2 == 0, 1, -1).astype(np.float32)
    rng = np.random.default_rng(0)
    layers = {
        f"layer_{k}": (rng.standard_normal((MEMBERS, below, above)) * math.sqrt(2 / below))
        for k, (below, above) in enumerate(itertools.pairwise(widths))
    }
    layers = {name: layer.astype(np.float32) for name, layer in layers.items()}
    np.savez(path, inputs=inputs, targets=targets, **layers)


def products(work):
    """Floating-point operations of the matrix products of one member's step, looks included.

    Forward, in the weights, and in what is below them; nothing is below the first layer.
    """
    widths, samples = SHAPES[work]
    layers = [2 * below * above for below, above in itertools.pairwise(widths)]
    given = STEPS[work]
    looks = 0 if given["batch"] == samples else samples / given["every"]
    return given["batch"] * (3 * sum(layers) - layers[0]) + looks * sum(layers)
