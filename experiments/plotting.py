"""The house style: one colour per quantity, direct labels, units, readable in grey."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.ticker import LogFormatter, NullFormatter

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart; they differ in lightness too.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#595959"
RED = "#D55E00"

COLOURS = {"rho": BLUE, "loss": RED, "gap": RED, "margins": ORANGE, "sigma": PURPLE}
"""Of a quantity that is drawn of one run; others are blue."""

TIME_LABEL = "time (running sum of learning rates)"

PREDICTED: dict[str, Any] = {"color": GREY, "linewidth": 1.0, "linestyle": "--"}
"""How what theory says is drawn, beside what was measured."""

NARROW = 8.0
"""A logarithmic axis that spans less has labels between its powers of ten."""

STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 130,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "svg.hashsalt": "rhoflow",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draws what is inside in the house style, and leaves matplotlib as it was."""
    with mpl.rc_context(STYLE):
        yield


def save(figure: "Figure", file: Path) -> None:
    """Stores a figure in the house style, by the file's ending; a PNG as a small one."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            _plain_where_narrow(axis)
    with house_style():
        if file.suffix != ".png":
            figure.savefig(file)
            return
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png")
        file.write_bytes(small_png(drawn.getvalue()))


def _plain_where_narrow(axis: "Axis") -> None:
    """Numbers as they are spoken, 1.5 and not 1.5 x 10^0, on a short logarithmic axis."""
    low, high = sorted(axis.get_view_interval())
    given = not isinstance(axis.get_major_formatter(), LogFormatter)
    if axis.get_scale() != "log" or given or high > NARROW * low or not 1e-3 < low < high < 1e4:
        return
    axis.set_major_formatter("{x:g}")
    if not isinstance(axis.get_minor_formatter(), NullFormatter):
        axis.set_minor_formatter("{x:g}")


def small_png(picture: bytes) -> bytes:
    """A PNG with a palette, a third as large as one without.

    Rare colours, such as those of a few points, are kept; Pillow's own choice drops them.
    """
    from PIL import Image

    whole, small = Image.open(io.BytesIO(picture)).convert("RGB"), io.BytesIO()
    few = whole.quantize(method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(small, "PNG", optimize=True)
    return small.getvalue()
