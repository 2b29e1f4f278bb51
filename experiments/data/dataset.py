"""Real images, ready for a network: chosen, shrunk, centred, scaled, with their labels.

The order of work: `read` the source, choose training and test images (`split`), shrink them
(`resize`), subtract the mean training image if asked to, divide everything by the largest Euclidean
norm of a training image, and replace training labels by random ones if asked to (`noise`). Hence

- every training image has norm at most 1, and one has norm 1: the |x| <= 1 of the theory. Test
  images are divided by the same number, so theirs may be a little above;
- an image with grey values in [0, 1] is `inputs * scale + mean`;
- the images depend on nothing but the configuration, and not on `label_noise`. With a larger
  `train` they begin with the same images (centred and scaled anew).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .config import DataConfig
from .errors import refusal
from .noise import replace_labels
from .pool import Images, Pool
from .resize import shrink
from .sources import find_source
from .split import divide


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, for training and for testing.

    Attributes:
      name: name of the source.
      train_inputs: `float32 [samples, height, width, channels]`, of norm at most 1.
      train_labels: positions in `classes`, with label noise if any, `int32 [samples]`.
      test_inputs: like `train_inputs`, of other images.
      test_labels: positions in `classes`, always true, `int32 [samples]`.
      clean_train_labels: `train_labels` before the noise.
      classes: the source's own number of each class: label i stands for `classes[i]`.
      mean: the image that was subtracted, `[height, width, channels]`; zeros without centring.
      scale: the number by which all images were divided.
      source: a sentence that says where the images come from.
    """

    name: str
    train_inputs: NDArray[np.float32]
    train_labels: NDArray[np.int32]
    test_inputs: NDArray[np.float32]
    test_labels: NDArray[np.int32]
    clean_train_labels: NDArray[np.int32]
    classes: tuple[int, ...]
    mean: NDArray[np.float32]
    scale: float
    source: str


def load(config: DataConfig) -> Dataset:
    """Loads the images that a configuration asks for.

    Args:
      config: which images, how many, and what is done to them.

    Returns:
      The images and labels.

    Raises:
      DataError: the source does not hold what is asked for, or a file is damaged.
      FileNotFoundError: a file is missing; the message says which and where it was looked for.

    Example:
      >>> digits = load(DataConfig(name="digits", classes=(3, 8), train=100, test=40))
      >>> digits.train_inputs.shape, digits.test_inputs.shape
      ((100, 8, 8, 1), (40, 8, 8, 1))
      >>> np.bincount(digits.train_labels).tolist()
      [50, 50]
      >>> float(np.linalg.norm(digits.train_inputs, axis=(1, 2)).max().round(5))
      1.0
    """
    pool = find_source(config.name)(config.folder)
    classes = config.classes or pool.classes
    _check_classes(pool, classes, config)
    train, test = divide(pool, classes, config.train, config.test, config.seed)
    train_images = _brightness(train, pool.white, config.side)
    test_images = _brightness(test, pool.white, config.side)
    mean, scale = _mean_and_scale(train_images, config.centre)
    labels = _positions(train, classes)
    return Dataset(
        name=config.name,
        train_inputs=(train_images - mean) / np.float32(scale),
        train_labels=replace_labels(labels, len(classes), config.label_noise, config.seed),
        test_inputs=(test_images - mean) / np.float32(scale),
        test_labels=_positions(test, classes),
        clean_train_labels=labels,
        classes=classes,
        mean=mean,
        scale=scale,
        source=pool.source,
    )


def _check_classes(pool: Pool, classes: tuple[int, ...], config: DataConfig) -> None:
    needed = [pool.train] if pool.test is None or not config.test else [pool.train, pool.test]
    absent = [label for label in classes if not all(label in part.labels for part in needed)]
    if absent:
        held = ", ".join(_count(pool, label) for label in pool.classes)
        raise refusal(
            expected=f"classes that {config.name} holds: {held}",
            got=f"classes = {classes}, with no images of {', '.join(map(str, absent))}",
            remedy="choose among those with --data.classes",
        )


def _count(pool: Pool, label: int) -> str:
    parts = {"images": pool.train}
    if pool.test is not None:
        parts = {"training": pool.train, "test images": pool.test}
    counts = [f"{np.count_nonzero(part.labels == label)} {what}" for what, part in parts.items()]
    return f"{label} ({' + '.join(counts)})"


def _brightness(part: Images, white: int, side: int | None) -> NDArray[np.float32]:
    images = part.pixels.astype(np.float32) / np.float32(white)
    return images if side is None else shrink(images, side)


def _mean_and_scale(images: NDArray[np.float32], centre: bool) -> tuple[NDArray[np.float32], float]:
    mean = images.mean(axis=0, dtype=np.float64) * centre
    centred = (images - mean.astype(np.float32)).reshape(len(images), -1)
    scale = float(np.linalg.norm(centred, axis=1).max())
    if scale == 0:
        raise refusal(
            expected="training images that differ from their mean and from black",
            got=f"{len(images)} images of norm 0",
            remedy="ask for more images with --data.train, or leave out --data.centre",
        )
    return mean.astype(np.float32), scale


def _positions(part: Images, classes: tuple[int, ...]) -> NDArray[np.int32]:
    position = {label: place for place, label in enumerate(classes)}
    return np.array([position[int(label)] for label in part.labels], dtype=np.int32)
