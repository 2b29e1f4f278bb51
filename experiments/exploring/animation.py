"""A film of one view of a run, for a notebook or a file.

film = experiments.animate(run, "margins")     shows itself at the end of a notebook's cell
film.save("margins.gif", fps=12)               Pillow writes GIF; ffmpeg, where it is, MP4
"""

from typing import Any

import numpy as np
from matplotlib import animation

from ...models.checks import counts, unknown
from ..labelled_runs import one
from .drawing import Picture
from .views import scene

INTERVAL = 80
"""Milliseconds between two frames in a notebook."""


class Film(animation.FuncAnimation):
    """An animation that a notebook shows with its controls."""

    def _repr_html_(self) -> str:
        return self.to_jshtml()


def animate(
    what: Any,
    view: str,
    *,
    dataset: str | None = None,
    member: int = 0,
    frames: int = 60,
) -> Film:
    """One view of a run, moving over time.

    Args:
        what: A run, as for `experiments.explore`.
        view: ``"rho"``, ``"loss"``, ``"margins"``, ``"singular_values"`` or ``"class_means"``.
        dataset: Which of several: a name of a comparison or of a record; the first unless given.
        member: Which member of an ensemble, from 0.
        frames: How many at most, evenly spread over the times of looking.

    Returns:
        A matplotlib animation, one frame per time.

    Raises:
        UsageError: If nothing that can be shown was observed, or there is no such member.
        ValueError: If there is no such dataset, the view is unknown or was not
            observed, or the number of frames is no positive whole number.
    """
    seen = scene(one(what, dataset, member), most=counts((frames,), "frames")[0])
    if view not in seen.views:
        raise unknown("view of this run", view, seen.views)
    picture = Picture(seen, [view])
    rows = np.arange(len(seen.times))
    return Film(picture.figure, picture.move, frames=rows, interval=INTERVAL, blit=False)
