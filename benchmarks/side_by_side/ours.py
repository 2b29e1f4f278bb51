"""Ours, on as many cores as it is told, and what a bare compiled loop of the same steps takes.

    python benchmarks/side_by_side/ours.py WORK.npz CORES

answers requests, see `turns.py`. On one core the process is held to one core, since a device of one
would still give a large product to both.
"""

import functools
import json
import os
import sys
import tempfile
import warnings

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from turns import answer

from rhoflow import dynamics, experiments, models

LOOK, SEED = dynamics.observe("loss", "rho"), 1


def ready(stored, request):
    """A function that runs the request; compiles when it is first called."""
    request = dict(request)
    run = {"steps": steps, "bare": bare, "flow": flow, "peak": peak}[request.pop("kind")]
    return run(stored, **request)


def task(stored, members):
    """The problem and the starts."""
    starts = layers(stored, members)
    widths = (*(layer.shape[1] for layer in starts), starts[-1].shape[2])
    problem = models.Problem(models.mlp(widths), stored["inputs"], stored["targets"])
    return problem, starts


def layers(stored, members):
    count = sum("layer_" in name for name in stored)
    return tuple(jnp.asarray(stored[f"layer_{k}"][:members]) for k in range(count))


def steps(
    stored, *, members, steps, every, batch, rate, momentum,
    batching="map", spheres=False, store=False,
):  # fmt: skip
    """`dynamics.ensemble` of gradient descent or SGD, stored at every chunk or not at all."""
    problem, starts = task(stored, members)
    kind = dynamics.normalisation.sphere() if spheres else dynamics.normalisation.free()
    if spheres:
        starts = jax.vmap(models.to_polar)(starts)
    options = {"momentum": momentum, "normalisation": kind}
    if batch < len(problem.inputs):
        motion = dynamics.sgd(problem, rate, batch_size=batch, **options)
    else:
        motion = dynamics.gradient_descent(problem, rate, **options)
    times = dynamics.times_at(motion, steps=range(every, steps + 1, every))
    ensemble = functools.partial(
        dynamics.ensemble,
        motion,
        starts,
        times=times,
        observe=LOOK,
        key=jax.random.key(SEED),
        batching=batching,
    )

    def run():
        if not store:
            return ensemble().observations["loss"]
        with tempfile.TemporaryDirectory() as folder:
            kept = experiments.FolderCheckpoint(folder, every=0.0)
            return ensemble(checkpoint=kept, progress=bar).observations["loss"]

    return run


def bar(chunks):
    """Progress, shown to nobody."""
    from tqdm import tqdm

    with open(os.devnull, "w") as nowhere:
        yield from tqdm(chunks, file=nowhere)


def flow(stored, *, members, until, looks, rtol, atol):
    """`dynamics.ensemble` of the flow by the peers' method."""
    problem, starts = task(stored, members)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this method has kinks in its way: so have the peers
        motion = dynamics.gradient_flow(
            problem, normalisation=dynamics.normalisation.free(), solver=diffrax.Dopri5(),
            rtol=rtol, atol=atol, floor=None,
        )  # fmt: skip
    times = np.linspace(0, until, looks + 1)[1:]
    return lambda: dynamics.ensemble(motion, starts, times=times, observe=LOOK).observations["loss"]


def bare(stored, *, members, steps, every, batch, rate, momentum):
    """SGD written out, all of it in one compiled loop: nothing is cut, shown or stored."""
    inputs, targets = jnp.asarray(stored["inputs"]), jnp.asarray(stored["targets"])
    slope = jax.grad(loss)

    def step(carry, chosen):
        weights, velocity = carry
        wanted = slope(weights, inputs[chosen], targets[chosen])
        velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, wanted)
        return (jax.tree.map(lambda w, v: w - rate * v, weights, velocity), velocity), None

    def epoch(carry, key):
        order = jax.random.permutation(key, len(inputs))[: every * batch].reshape(every, batch)
        carry, _ = jax.lax.scan(step, carry, order)
        rho = jnp.prod(jnp.stack([jnp.linalg.norm(layer) for layer in carry[0]]))
        return carry, (loss(carry[0], inputs, targets), rho)

    def member(given):
        weights, key = given
        keys = jax.random.split(key, steps // every)
        return jax.lax.scan(epoch, (weights, jax.tree.map(jnp.zeros_like, weights)), keys)[1]

    split = jax.sharding.PartitionSpec("member")
    run = jax.shard_map(
        lambda given: jax.lax.map(member, given),
        mesh=jax.sharding.Mesh(np.array(jax.devices()), ("member",)),
        in_specs=split, out_specs=split, check_vma=False,
    )  # fmt: skip
    compiled, keys = jax.jit(run), jax.random.split(jax.random.key(SEED), members)
    starts = layers(stored, members)
    return lambda: compiled((starts, keys))[0]


def loss(weights, inputs, targets):
    """The mean square loss."""
    hidden = inputs
    for layer in weights[:-1]:
        hidden = jax.nn.relu(hidden @ layer)
    return jnp.mean((targets - (hidden @ weights[-1])[:, 0]) ** 2)


def peak(stored, *, side):
    """One product of square matrices."""
    del stored
    matrix = jax.random.normal(jax.random.key(SEED), (side, side))
    product = jax.jit(jnp.matmul)
    return lambda: product(matrix, matrix)[:1, :1]


def main(path, cores):
    """Answers each request with the mean of what was seen last."""
    if cores == 1:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    jax.config.update("jax_num_cpu_devices", cores)
    with np.load(path) as stored:
        stored = dict(stored)
    prepared = {}

    def respond(**request):
        name = json.dumps(request)
        if name not in prepared:
            prepared[name] = ready(stored, request)
        return float(np.mean(np.asarray(prepared[name]())[:, -1]))

    answer(respond)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
