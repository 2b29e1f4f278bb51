"""Source `mnist`: the complete MNIST set, 60,000 training and 10,000 test images of 28 x 28.

Read from a folder that holds the four files under their official names, plain or with `.gz`
(LeCun, Cortes and Burges, "The MNIST database of handwritten digits"):

    train-images-idx3-ubyte   train-labels-idx1-ubyte
    t10k-images-idx3-ubyte    t10k-labels-idx1-ubyte

The division into training and test images is the official one. Other sets are published in four
files of the same names (Fashion-MNIST, for one), and nothing in them tells which set it is: the
sentence in `Dataset.source` believes the folder.
"""

from .errors import refusal
from .folders import find_file
from .idx import read_idx
from .pool import Images, Pool

FOLDER = "mnist"


def read(folder: str | None) -> Pool:
    """Reads the four files from the user's data folder or from `mnist/` below it."""
    train, test = _read_part(folder, "train"), _read_part(folder, "t10k")
    held = f"{len(train.labels)} training and {len(test.labels)} test images"
    source = f"MNIST from IDX files: {held}, divided as published."
    return Pool(train, test, white=255, source=source)


def _read_part(folder: str | None, part: str) -> Images:
    pixels_path = find_file(folder, FOLDER, _names(f"{part}-images-idx3-ubyte"))
    labels_path = find_file(folder, FOLDER, _names(f"{part}-labels-idx1-ubyte"))
    pixels, labels = read_idx(pixels_path, dimensions=3), read_idx(labels_path, dimensions=1)
    if len(pixels) != len(labels):
        raise refusal(
            expected=f"as many labels in {labels_path} as images in {pixels_path}",
            got=f"{len(labels)} labels and {len(pixels)} images",
            remedy="take both files from one download",
        )
    return Images(pixels[..., None], labels)


def _names(name: str) -> tuple[str, ...]:
    return name, f"{name}.gz"
