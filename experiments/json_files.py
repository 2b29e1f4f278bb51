"""Small files that are replaced in one step, so that a kill leaves the old one or the new one.

What such a file would hold has a digest, by which folders are named.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Writes or replaces a file in one step, on the disk before its name changes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".new")
    with beside.open("w") as stream:
        stream.write(json.dumps(content, indent=2) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)


def digest(content: Any) -> str:
    """A name for what JSON can hold, the same wherever and whenever it is the same.

    >>> digest({"decay": 0.1, "seeds": 3}) == digest({"seeds": 3, "decay": 0.1})
    True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
