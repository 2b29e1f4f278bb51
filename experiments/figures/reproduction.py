"""What a reproduced figure is: its claims, the run that is looked at, the picture, the verdicts.

Figures that share runs name the same study with the same configuration: a run's identity is its
configuration, and it is computed once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..experiment import Datasets
    from .claims import Claim


@dataclass(frozen=True)
class Reproduction:
    """One figure of a document, computed for real.

    Attributes:
        document: Which, such as ``"[Dyn] Fig. 3"``; a prediction without figure names its section.
        caption: What it shows, in our words.
        setup: The document's set-up, and what we chose where it leaves something open or where a
            laptop asks for less.
        study: The experiment that computes it (`catalogue.CATALOGUE`).
        presets: Configurations of that study by preset: ``tiny``, ``laptop``, ``paper``.
        draw: ``draw(config, datasets) -> Figure``, from what the study has stored.
        claims: What the figure must show.
    """

    document: str
    caption: str
    setup: str
    study: str
    presets: Mapping[str, Any]
    draw: Callable[[Any, "Datasets"], "Figure"]
    claims: tuple["Claim", ...]
