"""What a source of images hands over: all it has, as bytes, before anything is chosen.

A *source* is a function `read(folder) -> Pool`. A pool holds every image of the source in its own
order. A source with an official division into training and test images (MNIST, CIFAR-10) gives
both parts; a source without one (the small sets that come with a package) gives a single part, and
`split` divides it.

>>> import numpy as np
>>> some = Images(np.zeros((3, 8, 8, 1), np.uint8), np.array([7, 1, 7]))
>>> Pool(some, None, white=255, source="Three black squares.").classes
(1, 7)
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Images(NamedTuple):
    """Images with the labels that their source gives them.

    Attributes:
      pixels: grey values or colours, `uint8 [samples, height, width, channels]`.
      labels: the source's own class numbers, `int [samples]`.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.integer]

    def take(self, rows: NDArray[np.integer]) -> "Images":
        """Copies the images at `rows`, in that order."""
        return Images(self.pixels[rows], self.labels[rows])


class Pool(NamedTuple):
    """All that a source has.

    Attributes:
      train: the training images, or all images where the source does not divide them.
      test: the official test images, or None where the source does not divide them.
      white: the byte that stands for full brightness (255; 16 for digits).
      source: a sentence that says where the images come from.
    """

    train: Images
    test: Images | None
    white: int
    source: str

    @property
    def classes(self) -> tuple[int, ...]:
        """The classes of which there are training images, in ascending order."""
        return tuple(int(label) for label in np.unique(self.train.labels))


Source = Callable[[str | None], Pool]
"""Reads everything: the argument is the user's data folder, which a source in the box ignores."""
