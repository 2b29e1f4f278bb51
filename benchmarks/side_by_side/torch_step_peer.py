"""PyTorch's half of `torch_step.py`, in an environment of its own (`pip install torch numpy`).

    python benchmarks/side_by_side/torch_step_peer.py FOLDER

reads `request.npz`: the name of a network, batches ``[steps, batch, height, width, channels]`` and
their targets, the rate, PyTorch's weight decay, the epsilon of its batch norm, and perhaps weights
``arr_0``, ``arr_1``, ... in PyTorch's layout; without them it starts from PyTorch's own. It leaves
state dicts, `start.npz` and one after every step without momentum and with 0.9 (`plain-1.npz`,
`heavy-2.npz`), and `loss.npy`, the loss of the first batch before any step.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch_convolutions import convolutions

MOMENTA = {"plain": 0.0, "heavy": 0.9}


class Same(torch.nn.Module):
    """Zeros around images for ceil(side / stride) patches of 3, an odd one below and right."""

    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, images):
        """The larger images."""
        zeros = []
        for side in reversed(images.shape[-2:]):
            missing = max((-(-side // self.stride) - 1) * self.stride + 3 - side, 0)
            zeros += [missing // 2, missing - missing // 2]
        return torch.nn.functional.pad(images, zeros)


def built(name, images, epsilon):
    """The network, its head as wide as what comes out of the convolutions."""
    below = images.shape[1]
    if name == "dyn":
        layers = convolutions((32, 64), (3, 3), below=below)
    else:
        layers = convolutions(
            (32, 64, 128), (2, 2, 2), below=below, before=lambda stride: [Same(stride)],
            after=lambda width: [torch.nn.BatchNorm2d(
                width, epsilon, affine=False, track_running_stats=False)],
        )  # fmt: skip
    trunk = torch.nn.Sequential(*layers, torch.nn.Flatten())
    return trunk.append(torch.nn.Linear(trunk(images).shape[1], 2, bias=False))


def stepped(network, request, folder, label):
    """The loss before the first step; the weights after each are left in the folder."""
    optimiser = torch.optim.SGD(
        network.parameters(), float(request["rate"]), momentum=MOMENTA[label],
        weight_decay=float(request["weight_decay"]),
    )  # fmt: skip
    first = None
    batches = zip(channels_first(request), torch.from_numpy(request["targets"]), strict=True)
    for step, (inputs, targets) in enumerate(batches, 1):
        optimiser.zero_grad()
        loss = ((network(inputs) - targets) ** 2).sum(dim=1).mean()
        loss.backward()
        optimiser.step()
        first = loss.item() if first is None else first
        np.savez(folder / f"{label}-{step}.npz", **network.state_dict())
    return first


def channels_first(request):
    """Batches as PyTorch takes them."""
    return torch.from_numpy(request["inputs"]).permute(0, 1, 4, 2, 3)


def main(folder):
    """Answers the request."""
    request = dict(np.load(folder / "request.npz"))
    torch.manual_seed(0)
    torch.set_default_dtype(torch.from_numpy(request["inputs"]).dtype)
    network = built(str(request["name"]), channels_first(request)[0], float(request["epsilon"]))
    state = network.state_dict()
    if "arr_0" in request:
        arrays = (torch.from_numpy(request[f"arr_{number}"]) for number in range(len(state)))
        state = dict(zip(state, arrays, strict=True))
    start = {name: array.clone() for name, array in state.items()}
    np.savez(folder / "start.npz", **start)
    for label in MOMENTA:
        network.load_state_dict(start)
        np.save(folder / "loss.npy", stepped(network, request, folder, label))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
