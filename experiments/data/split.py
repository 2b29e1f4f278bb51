"""The choice of images: balanced, repeatable, nested, and disjoint between training and test.

Every class is a pile of cards, shuffled by the seed and the class's own number. The piles are dealt
in turn: the first image of every class, the second of every class, and so on; a pile that runs out
is passed over. The first n images dealt are the training set. It follows that

- the classes are as balanced as their sizes allow (their counts differ by at most one, until a pile
  runs out);
- the choice of a smaller set is the beginning of the choice of a larger one;
- a class gives the same images whichever other classes are asked for.

Where the source does not divide its images, test images are dealt from the bottom of the same
piles, so that the test set stays the same while the training set grows, until the two would meet.

>>> deal([np.array([10, 11, 12]), np.array([20])]).tolist()
[10, 20, 11, 12]
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .errors import refusal
from .pool import Images, Pool

Rows = NDArray[np.intp]


def divide(
    pool: Pool, classes: Sequence[int], train: int, test: int, seed: int
) -> tuple[Images, Images]:
    """Chooses the training and the test images.

    Args:
      pool: all that the source has.
      classes: the classes to choose from, each of them in the pool.
      train: number of training images in total.
      test: number of test images in total.
      seed: which choice.

    Returns:
      Training images and test images, disjoint.

    Raises:
      DataError: there are not so many images.
    """
    if pool.test is not None:
        chosen = _choose(pool.train, classes, train, seed, "training images")
        return chosen, _choose(pool.test, classes, test, seed, "test images")
    piles = shuffled_piles(pool.train.labels, classes, seed)
    _check_enough(piles, train + test, f"images for train = {train} and test = {test} together")
    train_rows = deal(piles)[:train]
    from_below = deal([pile[::-1] for pile in piles])
    test_rows = from_below[~np.isin(from_below, train_rows)][:test]
    return pool.train.take(train_rows), pool.train.take(test_rows)


def deal(piles: Sequence[Rows]) -> Rows:
    """Deals the piles in turn, one from each, until all are empty."""
    depth = np.concatenate([np.arange(len(pile)) for pile in piles])
    return np.concatenate(piles)[np.argsort(depth, kind="stable")]


def shuffled_piles(labels: NDArray[np.integer], classes: Sequence[int], seed: int) -> list[Rows]:
    """Collects the rows of each class and shuffles each pile by the seed and the class."""
    return [_shuffled(np.flatnonzero(labels == label), seed, label) for label in classes]


def _shuffled(rows: Rows, seed: int, label: int) -> Rows:
    # Sorting raw bits, not Generator.permutation: NumPy keeps the former's stream for ever.
    keys = np.random.PCG64([seed, label]).random_raw(len(rows))
    return rows[np.argsort(keys, kind="stable")]


def _choose(part: Images, classes: Sequence[int], count: int, seed: int, what: str) -> Images:
    piles = shuffled_piles(part.labels, classes, seed)
    _check_enough(piles, count, what)
    return part.take(deal(piles)[:count])


def _check_enough(piles: Sequence[Rows], count: int, what: str) -> None:
    available = sum(map(len, piles))
    if count > available:
        raise refusal(
            expected=f"at most {available} {what}, all that these classes have",
            got=str(count),
            remedy="ask for fewer with --data.train and --data.test, or for more --data.classes",
        )
