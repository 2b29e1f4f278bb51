"""The CIFAR-10 binary format: a file is a row of records, 3,073 bytes each, and nothing else.

    byte 0           the label, 0 to 9
    1,024 bytes      red, 32 rows of 32 pixels
    1,024 bytes      green
    1,024 bytes      blue

The planes are turned into the last axis, `[height, width, channel]`, as everywhere in this package.
"""

from pathlib import Path

import numpy as np

from .errors import refusal
from .pool import Images

SIDE = 32
CHANNELS = 3
RECORD = 1 + CHANNELS * SIDE * SIDE
HIGHEST_LABEL = 9


def read_cifar(path: Path) -> Images:
    """Reads one file of records.

    Args:
      path: the file.

    Returns:
      The images `uint8 [samples, 32, 32, 3]` and their labels `uint8 [samples]` (read-only).

    Raises:
      DataError: the file does not consist of whole records, or a label is above 9.
    """
    content = np.frombuffer(path.read_bytes(), np.uint8)
    if not content.size or content.size % RECORD:
        expected = f"a multiple of {RECORD} bytes in {path}"
        raise refusal(expected=expected, got=f"{content.size} bytes", remedy="fetch the file again")
    records = content.reshape(-1, RECORD)
    labels, planes = records[:, 0], records[:, 1:]
    if labels.max() > HIGHEST_LABEL:
        raise refusal(
            expected=f"labels 0 to {HIGHEST_LABEL} in {path}",
            got=f"label {labels.max()} in record {labels.argmax()}",
            remedy="fetch the file again, and check that it is the binary version of CIFAR-10",
        )
    return Images(planes.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1), labels)
