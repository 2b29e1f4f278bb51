"""One flow by torchdiffeq, in an environment of its own (`pip install torch torchdiffeq numpy`).

    python benchmarks/kinks/torchdiffeq_peer.py problem.npz result.npz METHOD RTOL

`problem.npz` holds inputs, targets, decay, rho, layer_0, layer_1, ... ([inputs, outputs] each) and
times; `result.npz` will hold rho, loss and outputs at these times, the evaluations of the field and
the seconds. `work_precision.py --torch PYTHON` writes the one and reads the other.
"""

import sys
import time

import numpy as np
import torch
from torchdiffeq import odeint

MOST_EVALUATIONS = 100_000


class Spent(Exception):
    """The solver has asked for too many evaluations."""


class Flow(torch.nn.Module):
    """Minus the gradient in (rho, V_1, ..., V_L), the directions normalised first."""

    def __init__(self, inputs, targets, decay):
        super().__init__()
        self.inputs, self.targets, self.decay, self.count = inputs, targets, decay, 0

    def outputs(self, rho, layers):
        """Rho f_V on the inputs."""
        hidden = self.inputs
        for layer in layers[:-1]:
            hidden = torch.relu(hidden @ (layer / layer.norm()))
        return rho * (hidden @ (layers[-1] / layers[-1].norm()))[:, 0]

    def loss(self, rho, layers):
        """The mean square loss with decay."""
        residuals = self.targets - self.outputs(rho, layers)
        return (residuals**2).mean() + self.decay * rho**2

    def forward(self, _, state):
        """The velocity."""
        self.count += 1
        if self.count > MOST_EVALUATIONS:
            raise Spent
        with torch.enable_grad():
            rho, *layers = (part.detach().requires_grad_() for part in state)
            slopes = torch.autograd.grad(self.loss(rho, layers), (rho, *layers))
        return tuple(-slope for slope in slopes)


def main(source, destination, method, rtol):
    torch.set_num_threads(1)
    with np.load(source) as stored:
        given = {name: torch.from_numpy(np.array(stored[name])) for name in stored.files}
    flow = Flow(given["inputs"], given["targets"], given["decay"])
    layers = tuple(given[f"layer_{k}"] for k in range(sum("layer_" in name for name in given)))
    began = time.time()
    try:
        rho, *path = odeint(
            flow, (given["rho"], *layers), given["times"], method=method, rtol=rtol,
            atol=rtol / 1000,
        )  # fmt: skip
    except (Spent, AssertionError):  # an assertion fails where its step underflows
        rho, *path = (
            torch.full((len(given["times"]), *part.shape), torch.nan)
            for part in (given["rho"], *layers)
        )
    with torch.no_grad():
        places = list(zip(rho, zip(*path, strict=True), strict=True))
        loss = torch.stack([flow.loss(*place) for place in places])
        outputs = torch.stack([flow.outputs(*place) for place in places])
    np.savez(
        destination, times=given["times"].numpy(), rho=rho.numpy(), loss=loss.numpy(),
        outputs=outputs.numpy(), evaluations=flow.count, seconds=time.time() - began,
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
