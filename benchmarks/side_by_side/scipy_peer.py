"""The flow by SciPy's RK45 with gradients written by hand in NumPy, one member after another.

    python benchmarks/side_by_side/scipy_peer.py WORK.npz

answers requests, see `turns.py`. SciPy keeps the state in double precision; the products are in
single precision, which is faster.
"""

import functools
import sys

import numpy as np
from scipy.integrate import solve_ivp
from threadpoolctl import threadpool_limits
from turns import answer


def velocity(inputs, targets, shapes, _, state):
    """Minus the gradient of the mean square loss, flat."""
    weights = split(state.astype(np.float32), shapes)
    below, hidden = [inputs], inputs
    for weight in weights[:-1]:
        hidden = np.maximum(hidden @ weight, 0)
        below.append(hidden)
    flowing = 2 / len(targets) * (targets[:, None] - hidden @ weights[-1])
    slopes = []
    for weight, under in zip(reversed(weights), reversed(below), strict=True):
        slopes.append((under.T @ flowing).ravel())
        if under is not inputs:
            flowing = (flowing @ weight.T) * (under > 0)
    return np.concatenate(slopes[::-1])


def split(state, shapes):
    """The layers of a flat state."""
    ends = np.cumsum([below * above for below, above in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(state, ends), shapes, strict=True)]


def loss(inputs, targets, weights):
    """The mean square loss."""
    hidden = inputs
    for weight in weights[:-1]:
        hidden = np.maximum(hidden @ weight, 0)
    return float(np.mean((targets - (hidden @ weights[-1])[:, 0]) ** 2))


def main(path):
    """Answers each request with the mean of what was seen last."""
    with np.load(path) as stored:
        stored = dict(stored)
    inputs, targets = stored["inputs"], stored["targets"]
    layers = [stored[name] for name in sorted(stored) if "layer_" in name]
    shapes = [layer.shape[1:] for layer in layers]

    def flow(*, members, until, looks, rtol, atol):
        seen, times = [], np.linspace(0, until, looks + 1)
        for member in range(*members):
            start = np.concatenate([layer[member].ravel() for layer in layers])
            ran = solve_ivp(
                functools.partial(velocity, inputs, targets, shapes), (0, until), start,
                method="RK45", t_eval=times, rtol=rtol, atol=atol,
            )  # fmt: skip
            seen.append(
                [loss(inputs, targets, split(y.astype(np.float32), shapes)) for y in ran.y.T][-1]
            )
        return float(np.mean(seen))

    def peak(*, side):
        matrix = np.ones((side, side), np.float32)
        return float((matrix @ matrix)[0, 0])

    def respond(*, kind, threads, **request):
        with threadpool_limits(threads):
            return {"flow": flow, "peak": peak}[kind](**request)

    answer(respond)


if __name__ == "__main__":
    main(sys.argv[1])
