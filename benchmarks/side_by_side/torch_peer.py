"""PyTorch's half of `ensembles.py`, in an environment of its own (`pip install torch torchdiffeq`).

    python benchmarks/side_by_side/torch_peer.py WORK.npz

answers requests, see `turns.py`: the plain loop, one member after another; all members in one
batched product (`bmm`); the flow by torchdiffeq; a square matrix product.
"""

import sys

import numpy as np
import torch
from turns import answer


def main(path):
    """Answers each request with the mean of what was seen last."""
    with np.load(path) as stored:
        tensors = {name: torch.from_numpy(stored[name]) for name in stored.files}
    kinds = {"loop": loop, "bmm": bmm, "flow": flow, "peak": peak}

    def respond(*, kind, threads, members, **request):
        torch.set_num_threads(threads)
        chosen = slice(*members) if isinstance(members, list) else slice(members)
        layers = [tensors[name][chosen] for name in sorted(tensors) if "layer_" in name]
        return kinds[kind](tensors["inputs"], tensors["targets"], layers, **request)

    answer(respond)


def loop(inputs, targets, layers, **given):
    """One member after another, as its users write it."""
    return sum(
        member(inputs, targets, weights, **given) for weights in zip(*layers, strict=True)
    ) / (len(layers[0]))


def member(inputs, targets, weights, *, steps, every, batch, rate, momentum):
    """`torch.nn`, `torch.optim` and a shuffle for every epoch; looks now and then."""
    dense = [torch.nn.Linear(*weight.shape, bias=False) for weight in weights]
    for layer, weight in zip(dense, weights, strict=True):
        layer.weight.data = weight.T.clone()
    hidden = [module for layer in dense[:-1] for module in (layer, torch.nn.ReLU())]
    network = torch.nn.Sequential(*hidden, dense[-1])
    optimiser = torch.optim.SGD(network.parameters(), rate, momentum)
    seen, per_epoch = [], len(inputs) // batch
    for step in range(steps):
        x, y = inputs, targets
        if per_epoch > 1:
            if step % per_epoch == 0:
                order = torch.randperm(len(inputs))
            chosen = order[step % per_epoch * batch :][:batch]
            x, y = inputs[chosen], targets[chosen]
        optimiser.zero_grad()
        ((network(x)[:, 0] - y) ** 2).mean().backward()
        optimiser.step()
        if (step + 1) % every == 0:
            with torch.no_grad():
                loss = ((network(inputs)[:, 0] - targets) ** 2).mean()
                rho = torch.stack([layer.weight.norm() for layer in dense]).prod()
                seen.append((loss.item(), rho.item()))
    return seen[-1][0]


def bmm(inputs, targets, layers, *, steps, every, batch, rate, momentum):
    """All members at once, each with its own shuffle."""
    weights = [layer.clone().requires_grad_() for layer in layers]
    optimiser = torch.optim.SGD(weights, rate, momentum)
    members, per_epoch, seen = len(weights[0]), len(inputs) // batch, []

    def losses(x, y):
        hidden = x
        for weight in weights[:-1]:
            hidden = torch.relu(torch.bmm(hidden, weight))
        return ((torch.bmm(hidden, weights[-1])[:, :, 0] - y) ** 2).mean(dim=1)

    everything = inputs.expand(members, *inputs.shape)
    for step in range(steps):
        x, y = everything, targets
        if per_epoch > 1:
            if step % per_epoch == 0:
                order = torch.rand(members, len(inputs)).argsort(dim=1)
            chosen = order[:, step % per_epoch * batch :][:, :batch]
            x, y = inputs[chosen], targets[chosen]
        optimiser.zero_grad()
        losses(x, y).sum().backward()
        optimiser.step()
        if (step + 1) % every == 0:
            with torch.no_grad():
                rho = torch.stack([weight.flatten(1).norm(dim=1) for weight in weights]).prod(dim=0)
                seen.append((losses(everything, targets).tolist(), rho.tolist()))
    return float(np.mean(seen[-1][0]))


class Flow(torch.nn.Module):
    """Minus the gradient."""

    def __init__(self, inputs, targets):
        super().__init__()
        self.inputs, self.targets = inputs, targets

    def loss(self, weights):
        """The mean square loss."""
        hidden = self.inputs
        for weight in weights[:-1]:
            hidden = torch.relu(hidden @ weight)
        return (((hidden @ weights[-1])[:, 0] - self.targets) ** 2).mean()

    def forward(self, _, weights):
        """The velocity."""
        with torch.enable_grad():
            weights = [weight.detach().requires_grad_() for weight in weights]
            slopes = torch.autograd.grad(self.loss(weights), weights)
        return tuple(-slope for slope in slopes)


def flow(inputs, targets, layers, *, until, looks, rtol, atol):
    """One member after another, by torchdiffeq's dopri5."""
    from torchdiffeq import odeint

    field, times, seen = Flow(inputs, targets), torch.linspace(0, until, looks + 1), []
    for weights in zip(*layers, strict=True):
        with torch.no_grad():
            path = odeint(field, weights, times, rtol=rtol, atol=atol, method="dopri5")
            seen.append([field.loss(place).item() for place in zip(*path, strict=True)][-1])
    return float(np.mean(seen))


def peak(inputs, targets, layers, *, side):
    """One product of square matrices."""
    del inputs, targets, layers
    matrix = torch.ones(side, side)
    return (matrix @ matrix)[0, 0].item()


if __name__ == "__main__":
    main(sys.argv[1])
