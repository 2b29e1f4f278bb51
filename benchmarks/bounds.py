"""How tight are the bounds of [Wide] and of [Dyn] 4, on a hundred trained networks each?

    python benchmarks/bounds.py

Prints the tables of `docs/bounds.md`, in about a minute. Three families, 100 members each, that
differ in their start and decay and are trained in one ensemble:

- *heads*: two ReLU layers, then three linear ones, 3 classes, 12 samples, every layer with a decay
  of its own, until fit and balance;
- *pyramids*: leaky ReLU layers, the first wider than the samples, as Theorem B.2 has it;
- *kernels*: binary trees of 3 layers, and 2 overlapping convolutions of size 3 with a top layer.

`slack` is how many times the larger side of an inequality is the smaller: at least one where it
holds. A bound that is infinite, zero or below is vacuous, and no slack is taken of it.
"""

import functools
import math

import jax
import numpy as np

from rhoflow import dynamics, models
from rhoflow.dynamics.observables import (
    BY_NAME,
    bounds,
    wide,
    wide_conditioning,
    wide_descent,
    with_options,
)

MEMBERS, SAMPLES, CLASSES, SLOPE = 100, 12, 3, 0.5
HEAD = models.mlp((6, 16, 12, 8, 8, CLASSES), linear_layers=2)
PYRAMID = models.mlp((6, 16, 8, 6, CLASSES), activation=models.leaky_relu(SLOPE))
DECAYS = np.geomspace(1e-3, 1e-2, MEMBERS)
LOWER = ("floor", "kernel", "nc3", "nc3_balanced", "size", "slope", "decayed_slope")
"""Bounds from below; the others are from above."""
ASKED = {
    "distance": wide.distance, "nc1": wide.nc1, "condition": wide.condition, "nc2": wide.nc2,
    "transpose": wide.transpose, "nc3": wide.nc3, "nc3_balanced": wide.nc3_balanced,
    "power": wide.power, "floor": wide_conditioning.floor, "size": wide_conditioning.size,
    "condition_by_size": wide_conditioning.condition_by_size, "kernel": wide_conditioning.kernel,
}  # fmt: skip
FORMULAS = {
    "distance": "(23)", "nc1": "(18)", "condition": "(19)", "nc2": "(20)",
    "transpose": "for (21)", "nc3": "(21)", "nc3_balanced": "Kantorovich",
    "power": "Lemma C.2", "floor": "(14), Thm 5.2", "size": "Prop 5.1",
    "condition_by_size": "(15)", "kernel": "Prop 5.3", "slope": "Thm B.2: alpha",
    "decayed_slope": "Prop 4.5",
}  # fmt: skip


def data(width, seed=0):
    """Random inputs on the unit sphere, as many of each class."""
    inputs = np.random.default_rng(seed).standard_normal((SAMPLES, width))
    return inputs / np.linalg.norm(inputs, axis=1, keepdims=True)


def train(network, targets, width, rate, steps, observe, scale=1.0):
    """The last look of a hundred members: arrays with the members first, and the problem."""
    problem = models.Problem(network, data(width), targets)
    keys = jax.random.split(jax.random.key(0), MEMBERS)
    begin = [tuple(scale * layer for layer in network.init(key)) for key in keys]
    motion = dynamics.gradient_descent(problem, rate, normalisation=dynamics.normalisation.free())
    ran = dynamics.ensemble(
        motion, begin, times=[rate * steps], observe=observe, over={"decay": DECAYS},
        batching="vmap", throw=True,
    )  # fmt: skip
    return problem, jax.tree.map(lambda leaf: np.asarray(leaf)[:, -1], ran.observations)


def one_hot():
    return models.encode(np.arange(SAMPLES) % CLASSES, "one_hot")


@functools.cache
def heads():
    """What the library says of each trained head."""
    chosen = {name: with_options(one, linear_layers=2) for name, one in ASKED.items()}
    look = dynamics.observe(
        quantities=with_options(BY_NAME["wide_quantities"], linear_layers=2), **chosen
    )
    return train(HEAD, one_hot(), 6, 0.1, 10_000, look, scale=1.1)[1]


@functools.cache
def pyramids():
    """What it says of each trained pyramid."""
    look = dynamics.observe(slope=wide_descent.slope(SLOPE))
    return train(PYRAMID, one_hot(), 6, 0.1, 1_000, look)[1]


@functools.cache
def starts():
    """A hundred starts of pyramids: slopes, also with W_2 near zero and small layers above; needs.

    The decay with which the slope of C_lambda is asked is small, or its bound would be vacuous.
    """
    slight = models.Problem(PYRAMID, data(6), one_hot(), decay=1e-9)
    problem = models.Problem(PYRAMID, data(6), one_hot(), decay=1e-3)
    asked = wide_descent.requirements(0.1, gamma=SLOPE, fit=0.1, imbalance=0.1)

    def ask(key):
        first, second, *upper = PYRAMID.init(key)
        flat = models.to_layers((first, 1e-9 * second, *(0.03 * layer for layer in upper)))
        start = models.to_layers((first, second, *upper))
        return {
            "flat": wide_descent.slope(SLOPE)(problem, flat),
            "decayed_slope": wide_descent.decayed_slope(SLOPE)(slight, start),
            "needs": asked(problem, start),
        }

    found = jax.jit(jax.vmap(ask))(jax.random.split(jax.random.key(1), MEMBERS))
    return jax.tree.map(np.asarray, found)


def kernels(name, lengths, stride):
    """A network of one kernel a layer, the last of which covers what is left."""

    def windows(values, length):
        count = (values.shape[1] - length) // stride + 1
        places = stride * np.arange(count)[:, None] + np.arange(length)[None, :]
        return values[:, places]

    def hidden(weights, inputs):
        passed = [inputs]
        for kernel in weights[:-1]:
            passed.append(jax.nn.relu(windows(passed[-1], len(kernel)) @ kernel))
        return tuple(passed[1:])

    def apply(weights, inputs):
        last = hidden(weights, inputs)[-1]
        return (windows(last, len(weights[-1])) @ weights[-1])[:, 0]

    def init(key):
        keys = jax.random.split(key, len(lengths))
        return tuple(jax.random.normal(k, (n,)) for k, n in zip(keys, lengths, strict=True))

    return models.Network(
        name, init, apply, lambda weights, inputs: hidden(weights, inputs)[-1], hidden
    )


def directions(problem, view):
    """An observable: all V_k."""
    del problem
    return view.directions


def signs():
    return np.where(np.arange(SAMPLES) % 2, 1.0, -1.0)


@functools.cache
def trees():
    """R from below, by a hundred trained trees and by ascent, and the two bounds."""
    network = kernels("tree", (2, 2, 2), 2)
    problem, seen = train(network, signs(), 8, 0.1, 1_000, dynamics.observe(directions=directions))
    outputs = jax.vmap(lambda layers: network.apply(layers, problem.inputs))(seen["directions"])
    drawn = np.random.default_rng(1).choice([-1.0, 1.0], (2000, SAMPLES))
    reached = np.abs(drawn @ np.asarray(outputs).T) / SAMPLES
    ascent = jax.jit(lambda p, k: bounds.rademacher_estimate(p, k, draws=50))
    return {
        "from below, by the trained trees": float(np.mean(np.max(reached, axis=1))),
        "from below, by ascent": float(ascent(problem, jax.random.key(2))),
        "bound": float(bounds.tree_complexity(3, models.Problem(models.tree(3), data(8), signs()))),
    }


@functools.cache
def overlapping():
    """The larger operator norm of two unit kernels as Toeplitz matrices, by member."""
    network = kernels("convolutions", (3, 3, 16), 1)
    seen = train(network, signs(), 20, 0.1, 1_000, dynamics.observe(directions=directions))[1]
    found = []
    for layers in zip(*seen["directions"][:2], strict=True):
        rows = [
            [np.concatenate([np.zeros(shift), kernel, np.zeros(size - 3 - shift)])
             for shift in range(size - 2)]
            for kernel, size in zip(layers, (20, 18), strict=True)
        ]  # fmt: skip
        found.append(max(np.linalg.norm(np.asarray(matrix), 2) for matrix in rows))
    return np.asarray(found)


def slack(name, said, form="bound"):
    """How many times the larger side is the smaller; NaN where the bound is vacuous."""
    measured, bound = said["measured"], said[form]
    vacuous = ~np.isfinite(bound) | (bound <= 0)
    ratio = measured / np.where(vacuous, 1, bound)
    return np.where(vacuous, np.nan, ratio if name in LOWER else 1 / ratio)


def printed():
    """Slack of wrongly printed forms: (21)'s step with sqrt K, alpha without its square."""
    step = dict(heads()["transpose"])
    step["bound"] = step["bound"] * math.sqrt(CLASSES / SAMPLES)
    flat = dict(starts()["flat"])
    flat["bound"] = 2 * np.sqrt(flat["bound"])
    return {
        "transpose, printed: sqrt K": slack("transpose", step),
        "slope at W_2 = 0": slack("slope", starts()["flat"]),
        "slope at W_2 = 0, printed: no square": slack("slope", flat),
        "unit kernels": bounds.overlap_factor((3,), (1,)) / overlapping(),
        "unit kernels, printed: factor 1": 1 / overlapping(),
    }


def table():
    """Rows by name: slack of each member."""
    rows = {}
    slopes = pyramids() | {"decayed_slope": starts()["decayed_slope"]}
    for name, said in (*heads().items(), *slopes.items()):
        if name == "quantities":
            continue
        rows[f"{name} {FORMULAS[name]}"] = slack(name, said)
        if "sharper" in said:
            rows[f"{name}, sharper"] = slack(name, said, "sharper")
    return rows | printed()


def as_markdown(rows):
    lines = [
        "| bound | least | median | largest | vacuous | violated |",
        "|---|---|---|---|---|---|",
    ]
    for name, values in rows.items():
        some = values[np.isfinite(values)]
        cells = [f"{np.quantile(some, q):.4g}" for q in (0, 0.5, 1)] if some.size else ["-"] * 3
        vacuous = f"{1 - some.size / values.size:.0%}"
        lines.append("| " + " | ".join([name, *cells, vacuous, str(violated(values))]) + " |")
    return "\n".join(lines)


def violated(values):
    """How many members break the bound by more than round-off; equalities are met to 1e-9."""
    return int(np.sum(values[np.isfinite(values)] < 1 - 1e-9))


def main():
    """Prints what was trained, the table, the trees and what Theorem B.2 asks."""
    print("| heads | least | median | largest |\n|---|---|---|---|")
    for name, values in heads()["quantities"].items():
        print(
            f"| {name} | " + " | ".join(f"{v:.3g}" for v in np.quantile(values, (0, 0.5, 1))) + " |"
        )
    print(f"\n{as_markdown(table())}\n\n| R of trees | |\n|---|---|")
    found = trees()
    for name, value in (found | {"bound as printed, 2^L": 2 * found["bound"]}).items():
        print(f"| {name} | {value:.3f} |")
    needs = starts()["needs"]
    print("\n| Theorem B.2, medians over starts | has | needs |\n|---|---|---|")
    for name, relation in (
        ("start", "at least"),
        ("decay", "at most"),
        ("learning_rate", "at most"),
    ):
        has, bound = (np.median(needs[name][key]) for key in ("measured", "bound"))
        print(f"| {name} | {has:.3g} | {relation} {bound:.3g} |")
    for name in ("fit_steps", "balance_steps"):
        print(f"| {name} | | {np.median(needs[name]):.3g} |")


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
