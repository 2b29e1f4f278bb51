"""Weights that somebody else trained, from memory or from an .npz file.

    weights = experiments.read_weights("trained.npz", network)
    audit.audit([audit.own_subject("theirs", problem, models.to_polar(weights))])

A PyTorch module is saved for this by ``numpy.savez(file, **module.state_dict())`` (tensors on the
CPU), arrays in forward order by ``numpy.savez(file, *arrays)``.
"""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..models.foreign import foreign_weights
from ..models.network import Network, Weights
from .errors import UsageError


def read_weights(
    source: str | Path | Sequence[Any] | Mapping[str, Any], network: Network
) -> Weights:
    """Weights of another program as weights of this network.

    Args:
        source: An .npz file; or, in memory, what `models.foreign_weights` takes: arrays in forward
            order, a PyTorch ``state_dict()``, flax parameters.
        network: The network that they are weights of.

    Raises:
        UsageError: If the file is missing or no .npz file.
        ValueError: If the weights do not fit the network, see `models.foreign_weights`.
    """
    if not isinstance(source, str | Path):
        return foreign_weights(network, source)
    arrays = _arrays(Path(source))
    unnamed = [f"arr_{number}" for number in range(len(arrays))]
    if set(arrays) == set(unnamed):
        return foreign_weights(network, [arrays[name] for name in unnamed])
    return foreign_weights(network, arrays)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"expected an .npz file of arrays, got '{path}' ({error}): "
            "save one with numpy.savez(file, **state_dict)"
        ) from error
