"""Source `digits`: 1,797 handwritten digits of 8 x 8 pixels, in the box.

The test part of the UCI "Optical Recognition of Handwritten Digits" set (Alpaydin and Kaynak,
1998), as scikit-learn ships it: ten classes of 174 to 183 images, grey values 0 to 16. Small enough
for a test, and real.
"""

import numpy as np

from .pool import Images, Pool

SENTENCE = (
    "1,797 handwritten digits of 8 x 8 pixels from the UCI optical recognition set, "
    "as shipped with scikit-learn."
)


def read(folder: str | None) -> Pool:
    """Reads the digits; `folder` is not needed, they come with scikit-learn."""
    del folder
    from sklearn.datasets import load_digits  # heavy: only whoever asks for digits pays for it

    digits = load_digits()
    pixels = digits.images.astype(np.uint8)[..., np.newaxis]
    return Pool(Images(pixels, digits.target), test=None, white=16, source=SENTENCE)
