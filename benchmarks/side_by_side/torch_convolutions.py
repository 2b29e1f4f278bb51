"""The plain PyTorch loop of `convolutions.py`, in an environment of its own (`pip install torch`).

    python benchmarks/side_by_side/torch_convolutions.py NETWORK

answers a number of steps with the seconds that they took on one thread and on two, see `turns.py`.
"""

import sys
import time

import torch
from turns import answer

BATCH, SAMPLES, RATE = 128, 512, 0.01
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def nothing(_):
    """No further modules."""
    return []


def convolutions(channels, strides, padding=0, below=3, before=nothing, after=nothing):
    """Convolutions and their activations.

    `below` is the number of channels of the images; `before(stride)` and `after(channels)` list the
    modules that stand around each convolution, in front of its activation.
    """
    layers = []
    for width, stride in zip(channels, strides, strict=True):
        kernel = torch.nn.Conv2d(below, width, 3, stride, padding, bias=False)
        layers += [*before(stride), kernel, *after(width), torch.nn.ReLU()]
        below = width
    return layers


def built(network):
    """The network and the side of its images."""
    side = 16 if network == "c16" else 32
    if network == "six":
        layers = convolutions((32, 64, 128, 128), (2, 1, 1, 2), 0)
        head = [torch.nn.Linear(3200, 1024, bias=False), torch.nn.ReLU()]
        return torch.nn.Sequential(
            *layers, torch.nn.Flatten(), *head, torch.nn.Linear(1024, 2, bias=False)
        ), side
    layers = convolutions((32, 64, 128), (2, 2, 2), 1)
    top = torch.nn.Linear(128 * (side // 8) ** 2, 2, bias=False)
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), top), side


def seconds(network, optimiser, inputs, targets, steps):
    """Of some steps, reshuffled each epoch."""
    begin = time.perf_counter()
    for step in range(steps):
        if step % (SAMPLES // BATCH) == 0:
            order = torch.randperm(SAMPLES, device=DEVICE)
        batch = order[step % (SAMPLES // BATCH) * BATCH :][:BATCH]
        optimiser.zero_grad()
        wrong = network(inputs[batch]) - targets[batch]
        (wrong**2).sum(dim=1).mean().backward()
        optimiser.step()
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def main(name):
    """Answers each line."""
    network, side = built(name)
    network = network.to(DEVICE)
    inputs = torch.randn(SAMPLES, 3, side, side, device=DEVICE)
    inputs /= inputs.flatten(1).norm(dim=1).max()
    targets = torch.eye(2, device=DEVICE)[torch.arange(SAMPLES, device=DEVICE) % 2] * 2 - 1
    optimiser = torch.optim.SGD(network.parameters(), RATE, momentum=0.9)
    seconds(network, optimiser, inputs, targets, 5)

    def respond(*, steps):
        taken = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            taken.append(seconds(network, optimiser, inputs, targets, steps))
        return taken

    answer(respond)


if __name__ == "__main__":
    main(*sys.argv[1:])
