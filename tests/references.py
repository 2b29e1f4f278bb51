"""Small problems that the tests share, and the same mathematics written out by hand in NumPy.

The problems are few, so that compiled programs are shared between tests. What is written by hand
imports nothing of the library: forward and backward pass, the field of the flow, SGD and Adam on
the spheres, the ridge solution.
"""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from rhoflow import dynamics, models

FEATURES, SAMPLES = 4, 12
LINEAR = models.deep_linear((FEATURES, 5, 3, 1))
RELU = models.mlp((FEATURES, 16, 1))
DEEP_RELU = models.mlp((FEATURES, 8, 8, 1))


def problem(network=LINEAR, decay=0.05, samples=SAMPLES, dtype=float, spread=1.0):
    """A problem with targets +-1, built anew at every call; overlapping unless spread is small."""
    inputs, labels = models.tasks.separable_clusters(
        jax.random.key(1), samples, FEATURES, spread=spread
    )
    return models.Problem(network, inputs.astype(dtype), models.encode(labels, "signs"), decay)


# For identities that hold at any point of any network. Few shapes, since each compiles; the seeds
# are what varies.
NETWORKS = [
    models.mlp((7, 64, 1)),
    models.mlp((5, 6, 1, 1)),
    models.mlp((2, 5, 16, 3, 1), linear_layers=1),
    models.mlp((6, 9, 5, 7, 4, 3)),
    models.deep_linear((3, 2)),
]


def draw(network, seed, samples=6):
    """Weights with layer norms of many sizes, and inputs on the unit sphere, from NumPy."""
    rng = np.random.default_rng(seed)
    shapes = [layer.shape for layer in jax.eval_shape(network.init, jax.random.key(0))]
    weights = tuple(np.exp(rng.uniform(-2, 2)) * rng.standard_normal(shape) for shape in shapes)
    inputs = rng.standard_normal((samples, shapes[0][0]))
    return weights, inputs / np.linalg.norm(inputs, axis=1, keepdims=True)


def any_problem(network, seed, encoding=None):
    """A problem and a point on its spheres, drawn from a seed: data, labels, decay and rho."""
    weights, inputs = draw(network, seed)
    rng = np.random.default_rng(seed)
    outputs = weights[-1].shape[1]
    labels = np.arange(len(inputs)) % max(outputs, 2)
    targets = np.asarray(
        models.encode(labels, encoding or ("signs" if outputs == 1 else "centred"))
    )
    polar = models.to_polar(weights, rho=rng.uniform(-1, 4))
    return models.Problem(network, inputs, targets, decay=rng.uniform(0, 0.2)), polar


def start(network=LINEAR, seed=0, rho=0.5):
    """A random point on the spheres."""
    return models.to_polar(network.init(jax.random.key(seed)), rho=rho)


def directions(problem, view):
    """An observable: all directions."""
    del problem
    return view.directions


LOOK = dynamics.observe("loss", "rho", directions=directions)


def biggest(tree):
    """The largest absolute value anywhere in a tree of arrays."""
    return max(float(np.max(np.abs(np.asarray(leaf)))) for leaf in jax.tree.leaves(tree))


def difference(left, right):
    """The largest absolute difference between two trees of arrays."""
    return biggest(jax.tree.map(lambda a, b: np.asarray(a) - np.asarray(b), left, right))


def assert_equal_terms(left, right, tolerance, *terms):
    """Both sides of an identity agree, relative to the largest term that enters it."""
    scale = max(map(biggest, (left, right, *terms)))
    assert difference(left, right) <= tolerance * scale


def assert_same_bits(left, right):
    """Two trees of arrays are equal number by number, NaN equal to NaN."""
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        a, b = np.asarray(a), np.asarray(b)
        assert np.array_equal(a, b, equal_nan=np.issubdtype(a.dtype, np.floating))


# Written by hand.


def as_numpy(polar):
    """A `Polar` as (float, list of arrays)."""
    return float(polar.rho), [np.asarray(layer) for layer in polar.directions]


def forward(layers, inputs, relu_layers):
    """What each layer sees, ``[samples, fan_in]`` each, and the outputs ``[samples]``."""
    seen = [inputs]
    for depth, layer in enumerate(layers):
        values = seen[-1] @ layer
        seen.append(np.maximum(values, 0) if depth < relu_layers else values)
    return seen[:-1], seen[-1][:, 0]


def backward(layers, seen, weights, relu_layers):
    """sum_n weights_n d f_V(x_n) / d V_k for each layer, by backpropagation."""
    signal = weights[:, None]
    gradients = []
    for depth in reversed(range(len(layers))):
        gradients.append(seen[depth].T @ signal)
        signal = signal @ layers[depth].T
        if 0 < depth <= relu_layers:
            signal = signal * (seen[depth] > 0)
    return gradients[::-1]


def gradient(rho, layers, inputs, targets, decay, relu_layers):
    """Of (1/N) sum_n (y_n - rho f_V(x_n))^2 + decay rho^2, projected to the spheres."""
    seen, outputs = forward(layers, inputs, relu_layers)
    pull = -2 / len(targets) * (targets - rho * outputs)
    raw = backward(layers, seen, rho * pull, relu_layers)
    tangent = [g - np.sum(g * v) * v for g, v in zip(raw, layers, strict=True)]
    return pull @ outputs + 2 * decay * rho, tangent


def loss(rho, layers, inputs, targets, decay, relu_layers):
    """(1/N) sum_n (y_n - rho f_V(x_n))^2 + decay rho^2."""
    outputs = forward(layers, inputs, relu_layers)[1]
    return np.mean((targets - rho * outputs) ** 2) + decay * rho**2


def flow_right_hand_side(shapes, inputs, targets, decay, relu_layers=0):
    """The flow as a function of one long vector (rho, V_1, ..., V_L), for SciPy."""
    cuts = np.cumsum([1, *(np.prod(shape) for shape in shapes)])

    def unpack(vector):
        parts = zip(cuts[:-1], cuts[1:], shapes, strict=True)
        return vector[0], [vector[a:b].reshape(shape) for a, b, shape in parts]

    def field(time, vector):
        del time
        slope, tangent = gradient(*unpack(vector), inputs, targets, decay, relu_layers)
        return -np.concatenate([[slope], *(layer.ravel() for layer in tangent)])

    return field, unpack


def retracted(layers):
    """Each layer divided by its Frobenius norm."""
    return [layer / np.linalg.norm(layer) for layer in layers]


def sgd(polar, batches, rate, momentum, inputs, targets, decay, relu_layers):
    """Heavy ball on the spheres: project, add to the buffer, step, divide by the norms."""
    rho, layers = as_numpy(polar)
    speed, buffers = 0.0, [np.zeros_like(layer) for layer in layers]
    path = []
    for batch in batches:
        slope, tangent = gradient(rho, layers, inputs[batch], targets[batch], decay, relu_layers)
        speed = momentum * speed + slope
        buffers = [momentum * b + g for b, g in zip(buffers, tangent, strict=True)]
        rho = rho - rate * speed
        layers = retracted([v - rate * b for v, b in zip(layers, buffers, strict=True)])
        path.append((rho, layers))
    return path


def adam(polar, steps, rate, inputs, targets, decay, relu_layers, b1=0.9, b2=0.999, eps=1e-8):
    """Adam of rho and of the projected gradients, retracted after each step."""
    rho, layers = as_numpy(polar)
    point = [np.asarray(rho), *layers]
    first, second = [0 * p for p in point], [0 * p for p in point]
    for count in range(1, steps + 1):
        slope, tangent = gradient(point[0], point[1:], inputs, targets, decay, relu_layers)
        for k, g in enumerate([slope, *tangent]):
            first[k] = b1 * first[k] + (1 - b1) * g
            second[k] = b2 * second[k] + (1 - b2) * g**2
            mean, square = first[k] / (1 - b1**count), second[k] / (1 - b2**count)
            point[k] = point[k] - rate * mean / (np.sqrt(square) + eps)
        point[1:] = retracted(point[1:])
    return point[0], point[1:]


def ridge(inputs, targets, decay):
    """(X^T X / N + decay I)^{-1} X^T y / N."""
    count, features = inputs.shape
    system = inputs.T @ inputs / count + decay * np.eye(features)
    return np.linalg.solve(system, inputs.T @ targets / count)


def linear_map(polar):
    """rho V_1 V_2 ... V_L of a deep linear network, one number per feature."""
    rho, layers = as_numpy(polar)
    return rho * np.linalg.multi_dot(layers)[:, 0]


def benchmark(name):
    """A script of `benchmarks/`, as a module."""
    place = Path(__file__).resolve().parent.parent / "benchmarks" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(f"{name}_benchmark", place)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
