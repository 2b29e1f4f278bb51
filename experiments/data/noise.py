"""Random labels: how a share of the training set comes to carry labels that mean nothing.

For a fraction p, exactly round(p N) of the N training labels are replaced. A new label is uniform
over all C classes, the true one included, so about p (1 - 1/C) of the labels end up wrong, and at
p = 1 the labels carry no information at all. Which are replaced at 20 % are among those replaced
at 40 %, with the same new labels, so that a sweep over p adds noise and never reshuffles it. Images
do not change. (The random labels of [Dyn], figure 4.)

>>> replace_labels(np.zeros(8, np.int32), classes=2, fraction=0.0, seed=0).tolist()
[0, 0, 0, 0, 0, 0, 0, 0]
"""

import numpy as np
from numpy.typing import NDArray

_STREAM = 2**32 - 1  # a stream of random bits that no class number of `split` can have


def replace_labels(
    labels: NDArray[np.int32], classes: int, fraction: float, seed: int
) -> NDArray[np.int32]:
    """Replaces a fraction of the labels by random ones.

    Args:
      labels: the true labels 0 to classes - 1, `int [samples]`.
      classes: number of classes C.
      fraction: share of labels to replace, in [0, 1].
      seed: which labels, and by what.

    Returns:
      The labels with noise, `int [samples]`; the argument is left alone.
    """
    bits = np.random.PCG64([seed, _STREAM]).random_raw(2 * len(labels)).reshape(-1, 2)
    replaced = np.argsort(bits[:, 0], kind="stable")[: round(fraction * len(labels))]
    noisy = labels.copy()
    noisy[replaced] = bits[replaced, 1] % np.uint64(classes)
    return noisy
