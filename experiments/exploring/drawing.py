"""Views drawn with matplotlib: in a figure that can be moved to any time, in the house style."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plotting import PREDICTED, house_style
from .marks import Mark, Scene, View


class Picture:
    """Views in one figure, all at one time.

    Attributes:
        figure: The figure.
        scene: What is drawn.
    """

    def __init__(self, scene: Scene, names: Sequence[str] | None = None) -> None:
        """Draws the views of these names, all unless given, at the last time."""
        self.scene = scene
        views = [scene.views[name] for name in names or scene.views]
        columns = min(len(views), 3)
        rows = -(-len(views) // columns)
        with house_style():
            self.figure: Figure = plt.figure(figsize=(4.4 * columns, 3.4 * rows))
            axes = [self.figure.add_subplot(rows, columns, n + 1) for n in range(len(views))]
            self._panels = [_Panel(view, one) for view, one in zip(views, axes, strict=True)]
            plt.close(self.figure)
        self.move(len(scene.times) - 1)
        with house_style():
            self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")  # What stays where it is need not be laid out again.

    def move(self, row: int) -> list[Any]:
        """Goes to a time, by number; returns what has moved."""
        with house_style():
            self.figure.suptitle(f"time {self.scene.times[row]:.4g}", x=0.01, ha="left")
            return [artist for panel in self._panels for artist in panel.move(row)]


class _Panel:
    """One view in its axes."""

    def __init__(self, view: View, axes: Axes) -> None:
        self.view, self.axes = view, axes
        self.drawn = [_first(axes, mark) for mark in view.marks]
        axes.set_title(view.title, fontsize=9.5, pad=20)
        axes.set_xlabel(view.x.label, fontsize=8.5)
        axes.set_ylabel(view.y.label, fontsize=8.5)
        axes.set_xlim(view.x.low, view.x.high)
        if view.y.log:
            axes.set_yscale("log")
        axes.set_ylim(view.y.low, view.y.high)
        if not view.y.ticks:
            axes.set_yticks([])
        if view.equal:
            axes.set_aspect("equal", adjustable="box")
        self.legend = axes.legend(
            fontsize=7.5, ncols=4, loc="lower left", bbox_to_anchor=(-0.02, 1.0), borderpad=0.1,
            handlelength=1.6, columnspacing=1.2, handletextpad=0.5,
        )  # fmt: skip

    def move(self, row: int) -> list[Any]:
        told = iter(self.legend.get_texts())
        for mark, artists in zip(self.view.marks, self.drawn, strict=True):
            _move(mark, artists, row)
            if mark.label:
                next(told).set_text(mark.told(row))
        return [artist for artists in self.drawn for artist in artists]


def _first(axes: Axes, mark: Mark) -> list[Any]:
    """The artists of a mark, at no time yet."""
    label = mark.label or "_"
    style = PREDICTED if mark.predicted else {"color": mark.colour}
    if mark.kind == "trace":
        (curve,) = axes.plot(mark.x, mark.y, label=label, **style)
        return [curve, *axes.plot([], [], "o", color=mark.colour, markersize=5)]
    if mark.kind == "bars":
        heights = np.zeros(len(mark.x) - 1)
        return [axes.stairs(heights, mark.x, fill=True, color=mark.colour, alpha=0.75, label=label)]
    if mark.kind == "rule":
        return [axes.axvline(0.0, label=label, **style)]
    if mark.kind == "joined":
        return list(axes.plot([], [], "o-", markersize=3, linewidth=0.9, label=label, **style))
    if mark.kind == "outline":
        x, y = np.append(mark.x, mark.x[0]), np.append(mark.y, mark.y[0])
        return list(axes.plot(x, y, label=label, **style))
    if mark.names:
        dots = axes.plot([], [], "o", markersize=13, markeredgecolor="white", **style)
        white: dict[str, Any] = {
            "color": "white",
            "ha": "center",
            "va": "center",
            "fontsize": 8,
            "weight": "bold",
        }
        return [*dots, *(axes.text(0, 0, name, clip_on=True, **white) for name in mark.names)]
    small: dict[str, Any] = {"markersize": 3.5, "alpha": 0.5, "markeredgewidth": 0}
    return list(axes.plot([], [], "o", label=label, **small, **style))


def _move(mark: Mark, artists: list[Any], row: int) -> None:
    x, y = mark.at(row)
    first = artists[0]
    if mark.kind == "trace":
        artists[1].set_data([x[row]], [y[row]])
    elif mark.kind == "bars":
        first.set_data(values=y)
    elif mark.kind == "rule":
        first.set_xdata([x[0], x[0]])
    elif mark.kind != "outline":
        first.set_data(x, y)
        for text, place in zip(artists[1:], zip(x, y, strict=True), strict=False):
            text.set_position(place)
