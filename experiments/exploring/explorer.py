"""Looking around in a notebook: a slider over time that moves all views of a run together."""

import io
from typing import TYPE_CHECKING, Any

from ..labelled_runs import datasets_of, labels, member_of, one
from .drawing import Picture
from .views import scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from xarray import Dataset

DPI, INTERVAL = 80, 250
"""Of the widget's picture; milliseconds between two times while it plays."""


def explore(what: Any, *, dataset: str | None = None, member: int = 0) -> "Any | Figure":
    """Views of a run that move together over time: rho, loss, margins, spectra, class means.

    Observe ``experiments.EXPLORED`` to see all of them; those of which nothing was observed are
    left out, see `experiments.exploring.views`.

    Args:
        what: A trajectory (of one run or of an ensemble), a comparison, a record, a stored run's
            folder, or a labelled dataset.
        dataset: Which of several is seen first: a name of a comparison or of a record.
        member: Which member of an ensemble is seen first, from 0.

    Returns:
        A widget with a slider, a play button and a choice of run where there are several
        (ipywidgets, in the extra ``notebook``); without ipywidgets a figure at the last time.

    Raises:
        UsageError: If nothing that can be shown was observed, or there is no such member.
        ValueError: If there is no such dataset.
    """
    datasets = datasets_of(what)
    seen = Picture(scene(one(datasets, dataset, member)))
    try:
        import ipywidgets
    except ImportError:
        return seen.figure
    return _widget(ipywidgets, datasets, dataset or next(iter(datasets)), member, seen)


def _widget(
    widgets: Any, datasets: dict[str, "Dataset"], dataset: str, member: int, seen: Picture
) -> Any:
    shown = {"picture": seen}
    last = len(seen.scene.times) - 1
    image = widgets.Image(format="png")
    slider = widgets.IntSlider(last, 0, last, description="look", readout=False)
    play = widgets.Play(value=last, min=0, max=last, interval=INTERVAL)
    widgets.jslink((play, "value"), (slider, "value"))
    choice = widgets.Dropdown(
        options=[
            (f"{name}: {label}", (name, number))
            for name, data in datasets.items()
            for number, label in enumerate(labels(data))
        ],
        value=(dataset, member),
        layout={"width": "auto"},
    )

    def move(_: Any = None) -> None:
        image.value = _png(shown["picture"], slider.value)

    def choose(_: Any) -> None:
        name, number = choice.value
        shown["picture"] = Picture(scene(member_of(datasets[name], number)))
        slider.max = play.max = len(shown["picture"].scene.times) - 1
        move()

    slider.observe(move, "value")
    choice.observe(choose, "value")
    move()
    above = [widgets.HBox([play, slider])] + [choice] * (len(choice.options) > 1)
    return widgets.VBox([*above, image])


def _png(picture: Picture, row: int) -> bytes:
    picture.move(row)
    written = io.BytesIO()
    picture.figure.savefig(written, format="png", dpi=DPI)
    return written.getvalue()
