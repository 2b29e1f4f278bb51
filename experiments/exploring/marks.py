"""What a view is made of: axes, and marks whose places depend on the time; nothing is drawn here.

Whatever can draw these six kinds of marks can draw every view:

| kind | x | y | drawn as |
|---|---|---|---|
| ``trace`` | ``[T]`` | ``[T]`` | the whole curve, and a dot where it is now |
| ``bars`` | edges ``[B+1]`` | ``[T, B]`` | columns of now |
| ``joined`` | ``[n]`` | ``[T, n]`` | dots joined by a line |
| ``points`` | ``[T, n]`` | ``[T, n]`` or ``[n]`` | dots; large where they have names |
| ``rule`` | ``[T, 1]`` | none | an upright line |
| ``outline`` | ``[n]`` | ``[n]`` | a closed polygon |
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Axis:
    """One axis, the same at all times.

    Attributes:
        label: With the unit.
        low: Its first value.
        high: Its last.
        log: Whether it is logarithmic.
        ticks: Whether its numbers mean something.
    """

    label: str
    low: float
    high: float
    log: bool = False
    ticks: bool = True


@dataclass(frozen=True)
class Mark:
    """One thing that is drawn; x and y are ``[n]``, or ``[T, n]`` where they move.

    Attributes:
        kind: See the module.
        label: What it is, in a word or two.
        colour: In hexadecimal.
        x: Places along the first axis.
        y: Places along the second.
        predicted: Whether it is what theory says; drawn dashed.
        names: Of the points, one each.
    """

    kind: str
    label: str
    colour: str
    x: np.ndarray
    y: np.ndarray
    predicted: bool = False
    names: tuple[str, ...] = ()

    def at(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Its places at a time, by number."""
        x, y = (values[row] if values.ndim == 2 else values for values in (self.x, self.y))
        return x, y

    def value(self, row: int) -> float | None:
        """The number that it stands for at a time; None where it is none."""
        if self.kind == "trace":
            return float(self.y[row])
        return float(self.x[row, 0]) if self.kind == "rule" else None

    def told(self, row: int) -> str:
        """Its label, with its number at a time."""
        value = self.value(row)
        return self.label if value is None else f"{self.label} {value:.4g}"


@dataclass(frozen=True)
class View:
    """One picture of a run at any time.

    Attributes:
        name: As `experiments.animate` takes it.
        title: What is seen.
        x: The first axis.
        y: The second.
        marks: What is drawn, later ones on top.
        equal: Whether both axes have one scale.
    """

    name: str
    title: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    equal: bool = False


@dataclass(frozen=True)
class Scene:
    """A run as linked views.

    Attributes:
        times: ``[T]``, in units of the running sum of learning rates.
        views: By name.
    """

    times: np.ndarray
    views: dict[str, View]
