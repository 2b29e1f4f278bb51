"""Which question we ask: configurations, data, runs, pictures and the command line.

    config = experiments.preset("quickstart", "tiny")
    record = experiments.run(config)
    record = experiments.open("runs/quickstart-...")

The only part of the project that touches files, the screen and the command line. Names are looked
up when they are first used, so that ``rhoflow --help`` does not wait for JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..dynamics.labelling import labelled
    from .catalogue import preset
    from .checkpoint import FolderCheckpoint
    from .compiling import compile_quickly
    from .cores import use_every_core
    from .errors import UsageError
    from .exploring import EXPLORED
    from .exploring.animation import animate
    from .exploring.explorer import explore
    from .exploring.page import write_page
    from .foreign import read_weights
    from .gridded import bands
    from .panels import plot
    from .report import write_report
    from .reproductions import Reproduced, reproduce
    from .runs import Record, run
    from .runs import open_run as open
    from .sweeps import Sweep, open_sweep, sweep

_HOMES = {
    "EXPLORED": ("exploring", "EXPLORED"),
    "FolderCheckpoint": ("checkpoint", "FolderCheckpoint"),
    "Record": ("runs", "Record"),
    "Reproduced": ("reproductions", "Reproduced"),
    "Sweep": ("sweeps", "Sweep"),
    "UsageError": ("errors", "UsageError"),
    "animate": ("exploring.animation", "animate"),
    "bands": ("gridded", "bands"),
    "compile_quickly": ("compiling", "compile_quickly"),
    "explore": ("exploring.explorer", "explore"),
    "labelled": ("labelled_runs", "labelled"),
    "open": ("runs", "open_run"),
    "open_sweep": ("sweeps", "open_sweep"),
    "plot": ("panels", "plot"),
    "preset": ("catalogue", "preset"),
    "read_weights": ("foreign", "read_weights"),
    "reproduce": ("reproductions", "reproduce"),
    "run": ("runs", "run"),
    "sweep": ("sweeps", "sweep"),
    "write_page": ("exploring.page", "write_page"),
    "use_every_core": ("cores", "use_every_core"),
    "write_report": ("report", "write_report"),
}

__all__ = [
    "EXPLORED",
    "FolderCheckpoint",
    "Record",
    "Reproduced",
    "Sweep",
    "UsageError",
    "animate",
    "bands",
    "compile_quickly",
    "explore",
    "labelled",
    "open",
    "open_sweep",
    "plot",
    "preset",
    "read_weights",
    "reproduce",
    "run",
    "sweep",
    "use_every_core",
    "write_page",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Imports a public name from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(f".{module}", __name__), attribute)
