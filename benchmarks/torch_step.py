"""Is one step of SGD here PyTorch's step, from the same weights on the same batch?

    python benchmarks/torch_step.py --torch VENV/bin/python [--folder DATA] [--double]

The three-layer network of [Dyn] and the network of [M117] with batch norm (affine off) on classes 1
and 2 of `cifar10` from the folder, or of `mnist5k` without one; batches of 128, float32 unless
`--double`. Weights travel both ways: ours as a PyTorch state dict (`models.torch_weights`), and
PyTorch's own initialisation as an .npz file of its state dict (`experiments.read_weights`).
Printed as markdown, the largest relative differences

- loss: of the loss on the first batch, before any step;
- weights: of a layer, |ours - theirs| / |theirs|, after one step without momentum; "sent" compares
  in PyTorch's layout, "read" in ours;
- change: the same of what the step has changed, which small rates cannot hide;
- second: of a layer, as read, after two steps with momentum 0.9.

**Conventions.** The loss is the mean over samples of the sum of squares over outputs. PyTorch's
weight_decay w adds w x to the gradient, our decay of free weights is lambda |W|^2: w = 2 lambda.
PyTorch's epsilon of batch norm is absolute, ours in units of a channel's |w|^2: ours is zero in the
comparison and PyTorch's, which must be positive, 1e-20; the last rows show what each library's
default makes of it. PyTorch lives in an environment of its own, `side_by_side/torch_step_peer.py`
is its half.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np

from rhoflow import dynamics, experiments, models
from rhoflow.dynamics import normalisation as kinds
from rhoflow.experiments.data import DataConfig, load

PEER = Path(__file__).parent / "side_by_side" / "torch_step_peer.py"
BATCH, STEPS, WEIGHT_DECAY = 128, 2, 0.01
MOMENTA = {"plain": 0.0, "heavy": 0.9}
NONE, ALMOST_NONE = models.BatchNorm(0.0), 1e-20
OURS, THEIRS = models.BatchNorm(), 1e-5
"""Batch norm as if without epsilon, and by each library's default."""

DYN, M117 = models.documented.dyn_three_layers, models.documented.m117_four_layers
CASES = {
    "[Dyn], three layers": ("dyn", DYN, {}, 0.03, ALMOST_NONE),
    "[M117]": ("m117", M117, {"batch_norm": NONE}, 0.01, ALMOST_NONE),
    "[M117], each its own epsilon": ("m117", M117, {"batch_norm": OURS}, 0.01, THEIRS),
}
"""PyTorch's name, our network and its options, the rate, PyTorch's epsilon."""


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", default=None, help="the python of an environment with torch")
    parser.add_argument("--folder", default=None, help="where the files of cifar10 lie")
    parser.add_argument("--double", action="store_true", help="float64")
    given = parser.parse_args()
    if given.torch is None and importlib.util.find_spec("torch") is None:
        print("nothing to compare with: name an interpreter that has torch, --torch PYTHON")
        return
    jax.config.update("jax_enable_x64", given.double)
    data = images(given.folder)
    precision = "float64" if given.double else "float32"
    print(f"{data.source} Classes {data.classes}, {precision}, jax {jax.__version__}\n")
    print(
        "| network | weights from | loss | weights, sent | weights, read | change | second |\n"
        "|---|---|---|---|---|---|---|"
    )
    for name, case in CASES.items():
        for origin in ("rhoflow", "PyTorch"):
            found = compared(given.torch or sys.executable, data, case, origin)
            print(f"| {name} | {origin} | {' | '.join(f'{value:.1e}' for value in found)} |")


def images(folder):
    """Two classes of cifar10, or of mnist5k from the box."""
    name = "mnist5k" if folder is None else "cifar10"
    return load(DataConfig(name, classes=(1, 2), train=BATCH * STEPS, test=0, folder=folder))


def compared(python, data, case, origin):
    """The numbers of a row: both sides start from the same weights and see the same batches."""
    name, make, options, rate, epsilon = case
    network = make(data.train_inputs.shape[1:], **options)
    targets = models.encode(data.train_labels, "centred")
    decay = models.decay_from_weight_decay(WEIGHT_DECAY)
    problem = models.Problem(network, data.train_inputs.astype(targets.dtype), targets, decay)
    batches = np.random.default_rng(0).permutation(BATCH * STEPS).reshape(STEPS, BATCH)
    request = {
        "name": name, "rate": rate, "weight_decay": WEIGHT_DECAY, "epsilon": epsilon,
        "inputs": np.asarray(problem.inputs)[batches],
        "targets": np.asarray(problem.targets)[batches],
    }  # fmt: skip
    sent = ()
    if origin == "rhoflow":
        sent = models.torch_weights(network, network.init(jax.random.key(0)))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.savez(folder / "request.npz", *sent, **request)
        subprocess.run([python, str(PEER), str(folder)], check=True)
        return differences(problem, rate, batches, folder)


def differences(problem, rate, batches, folder):
    """Between our steps and those that PyTorch left in the folder."""
    network = problem.network
    start = experiments.read_weights(folder / "start.npz", network)
    loss = models.data_loss(models.take(problem, batches[0]), models.polar.Unnormalised(start))
    ours = stepped(problem, rate, MOMENTA["plain"], batches[:1], start)
    twice = stepped(problem, rate, MOMENTA["heavy"], batches, start)
    theirs = experiments.read_weights(folder / "plain-1.npz", network)
    sent = models.torch_weights(network, ours)
    return (
        abs(float(loss) / float(np.load(folder / "loss.npy")) - 1),
        apart(sent, np.load(folder / "plain-1.npz").values()),
        apart(ours, theirs),
        apart(moved(ours, start), moved(theirs, start)),
        apart(twice, experiments.read_weights(folder / "heavy-2.npz", network)),
    )


def stepped(problem, rate, momentum, batches, start):
    """Our weights after a step on each batch."""
    kind = kinds.batch_norm() if problem.network.couples else kinds.free()
    steps = dynamics.sgd(problem, rate, momentum=momentum, batches=batches, normalisation=kind)
    times = dynamics.times_at(steps, steps=[len(batches)])
    position = dynamics.simulate(steps, start, times=times).final.position
    return getattr(position, "weights", position)


def moved(weights, start):
    """What steps have changed."""
    return [np.asarray(new) - np.asarray(old) for new, old in zip(weights, start, strict=True)]


def apart(ours, theirs):
    """The largest |ours - theirs| / |theirs| of a layer."""
    pairs = zip(ours, theirs, strict=True)
    return max(np.linalg.norm(mine - own) / np.linalg.norm(own) for mine, own in pairs)


if __name__ == "__main__":
    main()
