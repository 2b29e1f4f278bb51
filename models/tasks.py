"""Synthetic tasks from a key: data whose truth is known.

Every task returns inputs ``[samples, features]`` with |x| <= 1 and integer labels ``[samples]`` in
{0, 1} (or 0..classes-1), ready for `models.encode`.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from .checks import refusal
from .inputs import scale_inputs
from .network import Network

Task = tuple[Float[Array, "samples features"], Int[Array, "samples"]]


def separable_clusters(
    key: Key[Array, ""],
    samples: int,
    features: int,
    classes: int = 2,
    spread: float = 0.3,
) -> Task:
    """Gaussian clusters around unit vectors, one per class, in balanced numbers.

    Args:
        key: Draws centres and samples.
        samples: How many in all.
        features: Input dimension.
        classes: How many clusters, at most ``features``.
        spread: Root mean square distance of a sample to its centre; centres are orthogonal, at
            distance sqrt(2), so that small spreads are linearly separable.

    Raises:
        ValueError: If there are more classes than features.
    """
    if classes > features:
        raise refusal(f"at most {features} classes", classes, "raise features")
    key_centres, key_samples = jax.random.split(key)
    centres = jax.nn.initializers.orthogonal()(key_centres, (classes, features))
    labels = jnp.arange(samples) % classes
    noise = jax.random.normal(key_samples, (samples, features)) / jnp.sqrt(features)
    return scale_inputs(centres[labels] + spread * noise), labels


def teacher(key: Key[Array, ""], network: Network, samples: int, features: int) -> Task:
    """Random inputs on the sphere, labelled by the sign of a random network.

    The labels are those of the network's outputs above their median, so that classes balance.

    Args:
        key: Draws the teacher's weights and the inputs.
        network: A network with one output.
        samples: How many.
        features: Input dimension of the network.

    Raises:
        ValueError: If the network has several outputs.
    """
    key_weights, key_inputs = jax.random.split(key)
    raw = jax.random.normal(key_inputs, (samples, features))
    inputs = raw / jnp.linalg.norm(raw, axis=1, keepdims=True)
    outputs = network.apply(network.init(key_weights), inputs)
    if outputs.ndim != 1:
        raise refusal("a network with one output", f"{outputs.shape[1]}", "end it in a 1")
    return inputs, (outputs > jnp.median(outputs)).astype(int)


def random_labels(
    key: Key[Array, ""],
    labels: Int[Array, "samples"],
    fraction: float,
    classes: int | None = None,
) -> Int[Array, "samples"]:
    """Replaces a fraction of the labels by uniform draws over all classes.

    A drawn label may be the true one, as in the random-label experiments of [Dyn] Fig. 4 and
    [M117] Fig. 11: at fraction 1 the labels know nothing of the inputs.

    Args:
        key: Draws which and what.
        labels: Integers ``[samples]``.
        fraction: In [0, 1]; exactly round(fraction * samples) labels are drawn anew.
        classes: How many classes to draw from; as many as the labels have unless given.

    Raises:
        ValueError: If the fraction is outside [0, 1], or a label is of none of the classes.
    """
    labels = jnp.asarray(labels)
    least, most = int(labels.min()), int(labels.max())
    count = most + 1 if classes is None else classes
    if least < 0 or most >= count:
        raise refusal(f"labels in 0..{count - 1}", f"{least}..{most}", "pass classes=None or more")
    if not 0 <= fraction <= 1:
        raise refusal("a fraction in [0, 1]", fraction, "pass for example fraction=0.2")
    key_which, key_what = jax.random.split(key)
    chosen = jax.random.permutation(key_which, labels.shape[0])[: round(fraction * len(labels))]
    drawn = jax.random.randint(key_what, chosen.shape, 0, count, dtype=labels.dtype)
    return labels.at[chosen].set(drawn)


def collinear(key: Key[Array, ""], samples: int, features: int) -> Task:
    """Inputs +-r_n u along one random direction u, labelled by their side.

    The one kind of data on which a network can be stationary for every batch at once, with
    rank-one layers ([Dyn] Lemma 8, corrected).

    Args:
        key: Draws the direction and the lengths.
        samples: How many; half on each side.
        features: Input dimension.
    """
    key_direction, key_lengths = jax.random.split(key)
    raw = jax.random.normal(key_direction, (features,))
    labels = jnp.arange(samples) % 2
    lengths = jax.random.uniform(key_lengths, (samples,), minval=0.5)
    signed = lengths * (2.0 * labels - 1.0)
    return signed[:, None] * (raw / jnp.linalg.norm(raw))[None, :], labels
