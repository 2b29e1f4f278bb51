r"""Smaller images by area averaging.

An output pixel is a square of the input, h/side pixels wide, and its value is the mean of the input
over that square. Input pixels that lie across its border count by the part that lies inside. Along
one axis this is a matrix whose entries are overlaps of intervals,

$$A_{ij} = \frac{\mathrm{side}}{h}\,\Bigl|\bigl[\tfrac{i h}{\mathrm{side}},
\tfrac{(i+1) h}{\mathrm{side}}\bigr] \cap [j, j+1]\Bigr|,$$

and an image becomes A x B^T with one matrix per axis. The mean of an image does not change, and at
whole ratios the result is the mean of blocks.

>>> (3 * overlaps(2, 3)).tolist()  # three pixels into two: a pixel and a half each
[[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]
"""

import numpy as np
from numpy.typing import NDArray

from .errors import refusal


def shrink(images: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Shrinks images to side x side pixels.

    Args:
      images: `[samples, height, width, channels]`.
      side: new height and width, at most the old ones.

    Returns:
      `[samples, side, side, channels]`.

    Raises:
      DataError: `side` is below 1 or larger than the images.
    """
    height, width = images.shape[1:3]
    if not 1 <= side <= min(height, width):
        raise refusal(
            expected=f"side between 1 and {min(height, width)} for images of {height} x {width}",
            got=f"side = {side}",
            remedy="images are only ever made smaller: change it with --data.side",
        )
    rows, columns = overlaps(side, height), overlaps(side, width)
    return np.einsum("ah,nhwc,bw->nabc", rows, images, columns, optimize=True)


def overlaps(side: int, length: int) -> NDArray[np.float32]:
    """Computes the averaging matrix A of one axis, `[side, length]`; each row sums to one."""
    edges = np.arange(side + 1) * (length / side)
    pixels = np.arange(length)
    ends = np.minimum(edges[1:, None], pixels + 1)
    starts = np.maximum(edges[:-1, None], pixels)
    return (np.clip(ends - starts, 0, None) * (side / length)).astype(np.float32)
