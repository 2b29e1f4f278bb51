"""The IDX format, in which MNIST is published: one array of bytes behind a small header.

    byte 0, 1        zero
    byte 2           type of the entries; 8 stands for unsigned bytes, the only type read here
    byte 3           number of dimensions d
    4 bytes each     the d lengths, big-endian
    the rest         the entries, last dimension fastest

The file may be gzipped; it is recognised by its first two bytes, not by its name. A file that is
shorter or longer than its header promises is refused.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, refusal

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 8
REMEDY = "fetch the file again"


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Reads one IDX file of unsigned bytes, plain or gzipped.

    Args:
      path: the file.
      dimensions: how many dimensions the array must have: 3 for images, 1 for labels.

    Returns:
      The array, `uint8` with `dimensions` axes (read-only).

    Raises:
      DataError: the file is not such a file, or it is damaged.
    """
    content = _unzipped(path)
    magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    start = len(magic) + 4 * dimensions
    if content[:4] != magic:
        raise _damaged(path, f"the first bytes {magic.hex()}", content[:4].hex() or "an empty file")
    if len(content) < start:
        raise _damaged(path, f"a header of {start} bytes", f"{len(content)} bytes")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) != start + math.prod(shape):
        promised = f"{start + math.prod(shape)} bytes for an array of shape {shape}"
        raise _damaged(path, promised, f"{len(content)} bytes")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _unzipped(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise _damaged(path, "a complete gzip file", f"a damaged one ({error})") from error


def _damaged(path: Path, expected: str, got: str) -> DataError:
    return refusal(expected=f"{expected} in {path}", got=got, remedy=REMEDY)
