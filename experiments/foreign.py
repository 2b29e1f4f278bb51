"""Weights that somebody else trained, from memory or from an .npz file.

    weights = experiments.read_weights("trained.npz", network)
    audit.audit([audit.own_subject("theirs", problem, models.to_polar(weights, network=network))])

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
    source: str | Path | Sequence[Any] | Mapping[str, Any],
    network: Network,
    order: Sequence[str] | None = None,
) -> Weights:
    """Weights of another program as weights of this network.

    Args:
        source: An .npz file; or, in memory, what `models.foreign_weights` takes: arrays in forward
            order, a PyTorch ``state_dict()``, flax parameters.
        network: The network that they are weights of.
        order: The layers' names in forward order, where those of a mapping do not tell it.

    Raises:
        UsageError: If the file is missing or no .npz file.
        ValueError: If the weights do not fit the network, see `models.foreign_weights`.
    """
    if not isinstance(source, str | Path):
        return foreign_weights(network, source, order)
    arrays = _arrays(Path(source))
    unnamed = [f"arr_{number}" for number in range(len(arrays))]
    if set(arrays) == set(unnamed):
        return foreign_weights(network, [arrays[name] for name in unnamed], order)
    return foreign_weights(network, arrays, order)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        stored = np.load(path, allow_pickle=False)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _unreadable(path, str(error)) from error
    if isinstance(stored, np.ndarray):
        raise _unreadable(path, "an .npy file of one array")
    with stored:
        return dict(stored)


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"expected an .npz file of arrays, got '{path}' ({why}): "
        "save one with numpy.savez(file, **state_dict)"
    )
