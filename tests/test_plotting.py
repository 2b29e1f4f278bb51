"""Pictures on the disk: small, and in the colours that were drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from rhoflow.experiments import plotting


@pytest.fixture
def busy():
    """Bands and lines in most colours, and one point in a rare one."""
    with plotting.house_style():
        figure, axes = plt.subplots()
        x = np.linspace(0, 1, 50)
        for number, colour in enumerate((plotting.BLUE, plotting.ORANGE, plotting.PURPLE)):
            axes.fill_between(x, x + number, x + number + 0.8, color=colour, alpha=0.2)
            axes.plot(x, x + number, color=colour)
        axes.plot([0.5], [0.1], "o", color=plotting.GREEN, markersize=3)
    yield figure
    plt.close(figure)


def test_a_rare_colour_survives(busy, tmp_path):
    plotting.save(busy, tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        stored = np.asarray(picture.convert("RGB"), float) / 255
    for colour in (plotting.GREEN, plotting.BLUE, plotting.ORANGE, plotting.PURPLE):
        distance = np.abs(stored - np.array(to_rgb(colour))).max(-1)
        assert distance.min() < 0.03, colour


def test_a_picture_has_a_palette_and_the_house_resolution(busy, tmp_path):
    plotting.save(busy, tmp_path / "picture.png")
    wanted = busy.get_size_inches() * plotting.STYLE["savefig.dpi"]
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.mode == "P"
        assert picture.size == tuple(np.round(wanted).astype(int))
    plotting.save(busy, tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("low", "high", "text"), [(1.2, 4.0, "2"), (1.2, 4000.0, r"$\mathdefault{10^{2}}$")]
)
def test_a_short_logarithmic_axis_has_plain_numbers(low, high, text, tmp_path):
    with plotting.house_style():
        figure, axes = plt.subplots()
        axes.plot([0, 1], [low, high])
        axes.set_yscale("log")
    plotting.save(figure, tmp_path / "picture.png")
    texts = [*axes.yaxis.get_ticklabels(), *axes.yaxis.get_ticklabels(minor=True)]
    plt.close(figure)
    assert text in [label.get_text() for label in texts]
    assert not any(r"\times" in label.get_text() for label in texts)
