"""Where a run's numbers come from: versions, devices, the command, the commit."""

import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PACKAGES = ("rhoflow", "jax", "jaxlib", "optax", "diffrax", "equinox", "numpy")


def provenance() -> dict[str, Any]:
    """What was used, as values that JSON can hold."""
    import jax

    return {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in jax.devices()],
        "double_precision": bool(jax.config.read("jax_enable_x64")),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "commit": _commit(),
        "code": code(),
    }


@functools.cache
def code() -> str:
    """A digest of the project's own sources: runs go on only under the code that began them."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    for package in ("models", "dynamics", "experiments"):
        for file in sorted((root / package).rglob("*.py")):
            digest.update(file.relative_to(root).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _commit() -> str | None:
    """The commit of the code where it runs from a clone, with a mark where it was changed."""
    code = Path(__file__).parent
    if not (code.parent / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=code, capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
