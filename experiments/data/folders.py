"""Where files are looked for: the data folder that the user names.

The folder is the field `folder` of the configuration (`--data.folder` on the command line) or,
where that is not given, the environment variable `RHOFLOW_DATA`. Files may lie in the folder itself
or in the sub-folder that their source is usually unpacked to (`mnist`, `cifar-10-batches-bin`), so
that one folder can hold all sources. Nothing is ever downloaded.
"""

import os
from pathlib import Path

from .errors import absence

VARIABLE = "RHOFLOW_DATA"
REMEDY = f"name the folder that holds it with --data.folder or the environment variable {VARIABLE}"


def find_file(folder: str | None, below: str, names: tuple[str, ...]) -> Path:
    """Finds the first of several names of a file in the user's data folder.

    Args:
      folder: the folder that the user named; None for the environment variable.
      below: the sub-folder in which the file may also lie.
      names: the names that the file may have, the preferred one first.

    Returns:
      The path of a file that exists.

    Raises:
      FileNotFoundError: no folder was named, or it does not exist, or the file is not in it.
    """
    root = data_folder(folder, names[0])
    for path in (place / name for place in (root, root / below) for name in names):
        if path.is_file():
            return path
    raise absence(
        expected=f"the file {' or '.join(names)} in {root} or {root / below}",
        got="no such file",
        remedy=REMEDY,
    )


def data_folder(folder: str | None, wanted: str) -> Path:
    """Resolves the user's data folder; `wanted` is the file for which it is needed."""
    named = folder or os.environ.get(VARIABLE)
    if not named:
        raise absence(expected=f"a folder with {wanted}", got="no folder at all", remedy=REMEDY)
    root = Path(named).expanduser()
    if not root.is_dir():
        raise absence(expected=f"a folder with {wanted}", got=f"{root}, no folder", remedy=REMEDY)
    return root
