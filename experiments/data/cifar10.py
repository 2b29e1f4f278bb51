"""Source `cifar10`: colour photographs of 32 x 32 pixels in ten classes.

Read from a folder with the files of the official *binary* version, `data_batch_1.bin` to
`data_batch_5.bin` and `test_batch.bin` (Krizhevsky, "Learning multiple layers of features from tiny
images", 2009). Complete, they hold 50,000 training and 10,000 test images. Files that hold only
some of the classes are welcome: the images are then not all the official ones, and the sentence
in `Dataset.source` says how many there were. The pixels themselves are taken as they come; whether
they are the official ones (and not, say, decoded from JPEG copies) is for the owner of the folder
to know and to say.
"""

import numpy as np

from .cifar import read_cifar
from .folders import find_file
from .pool import Images, Pool

FOLDER = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILES = ("test_batch.bin",)
OFFICIAL = (50_000, 10_000)


def read(folder: str | None) -> Pool:
    """Reads the six files from the user's data folder or `cifar-10-batches-bin/` below it."""
    train, test = _read_files(folder, TRAIN_FILES), _read_files(folder, TEST_FILES)
    return Pool(train, test, white=255, source=_sentence(len(train.labels), len(test.labels)))


def _read_files(folder: str | None, names: tuple[str, ...]) -> Images:
    paths = [find_file(folder, FOLDER, (name,)) for name in names]
    pixels, labels = zip(*map(read_cifar, paths), strict=True)
    return Images(np.concatenate(pixels), np.concatenate(labels))


def _sentence(train: int, test: int) -> str:
    held = f"CIFAR-10 from binary files: {train} training and {test} test images"
    if (train, test) == OFFICIAL:
        return f"{held}, divided as published."
    return f"{held}, a part of the {OFFICIAL[0]} and {OFFICIAL[1]} that were published."
