"""[Dyn] Figs. 6 and 7: rho, errors and the bound on the test error against the number of images.

All numbers are means over the last fifth of the looks. The bound's leading term is proportional to
(rho + 1) / sqrt N; it is drawn dashed, fitted at the largest N, and says nothing above one.
"""

from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import BLUE, GREEN, ORANGE, PREDICTED, house_style
from ..studies.sample_size import LAPTOP, PAPER, TINY
from .claims import Claim, above, below, within
from .drawing import band, name_at_end, source_below
from .measures import cube, slope, spread
from .reproduction import Reproduction

SHARE = 0.2
"""Of the looks, the last ones, over which is averaged."""


def by_size(datasets: Datasets) -> xr.Dataset:
    """Means over the last looks, [images, seed]."""
    found = []
    for data in datasets.values():
        looks = data.sizes["time"]
        members = cube(data, "seed", "decay").isel(decay=0, drop=True)
        late = members.isel(time=slice(looks - max(int(SHARE * looks), 1), None))
        found.append(late.mean("time", skipna=False).expand_dims(images=[data.attrs["images"]]))
    return xr.concat(found, "images", data_vars="all").sortby("images")


def gap_slope(datasets: Datasets) -> xr.DataArray:
    """Change of test error minus training error per doubling of N."""
    found = by_size(datasets)
    return slope(np.log2(found.images), found.test_error - found.train_error, "images")


def scaled_spread(datasets: Datasets) -> xr.DataArray:
    """Largest over smallest bound / ((rho + 1) / sqrt N) over N."""
    found = by_size(datasets)
    return spread(found.bound * np.sqrt(found.images) / (found.rho + 1), "images")


def room(datasets: Datasets) -> xr.DataArray:
    """The bound minus the test error, the least over N."""
    found = by_size(datasets)
    return (found.bound - found.test_error).min("images", skipna=False)


def last_bound(datasets: Datasets) -> xr.DataArray:
    """The bound at the largest N."""
    return by_size(datasets).bound.isel(images=-1)


def draw_sizes(config: Any, datasets: Datasets) -> Figure:
    """Rho, the errors, and the bound against N."""
    found = by_size(datasets)
    with house_style():
        figure, row = plt.subplots(1, 3, figsize=(10.2, 3.5))
        style = {"marker": "o", "markersize": 3}
        band(row[0], found.rho, "images", color=BLUE, **style)
        row[0].plot(found.images, found.rho_eq.mean("seed"), **PREDICTED)
        row[0].set_title("rho; dashed: mu / (M + lambda)")
        for name, colour in (("train_error", GREEN), ("test_error", ORANGE)):
            band(row[1], found[name], "images", color=colour, **style)
            row[1].plot([], [], color=colour, label=name.replace("_", " "))
        row[1].legend()
        row[1].set_title("errors, share of images")
        band(row[2], found.bound, "images", color=BLUE, **style)
        scale = ((found.rho + 1) / np.sqrt(found.images)).mean("seed")
        shape = scale * float(found.bound.isel(images=-1).mean() / scale[-1])
        row[2].plot(found.images, shape, **PREDICTED)
        row[2].axhline(1, color=ORANGE, linewidth=1)
        name_at_end(row[2], [1, found.images[-1]], [1, 1], "vacuous\nabove", ORANGE)
        row[2].set(yscale="log", title="bound; dashed: (rho + 1) / sqrt N")
        for axes in row:
            axes.set(xscale="log", xlabel="training images N")
            axes.minorticks_off()
            axes.set_xticks(found.images.values, [str(size) for size in found.images.values])
        source_below(figure, f"{config.data.name} {config.data.classes}, {config.seeds} seeds")
        plt.close(figure)
    return figure


COMMON = (
    Claim(
        "the gap between test and training error falls with N",
        "change per doubling of N", gap_slope, below(0.0),
    ),
    Claim(
        "the bound goes as rho / sqrt N",
        "bound over (rho + 1) / sqrt N, largest over smallest", scaled_spread, below(1.5),
        explanation="The empirical ramp loss and the last term of the bound do not (9.2).",
    ),
    Claim(
        "the bound is above the test error", "bound minus test error, least over N", room,
        above(0.0),
    ),
)  # fmt: skip

FIGURES = {
    "dyn-6": Reproduction(
        document="[Dyn] Fig. 6",
        caption="rho, errors and the bound on the test error against the number of training "
        "images.",
        setup="Document: six layers, 3.5 million weights, CIFAR10 classes 1 and 2, start .1, "
        "lambda .001 (here of the sum over images), mean over the last 100 epochs. Here: three "
        "dense layers, digits 3 and 8 at 9x9, 50 to 800 images, lambda .001.",
        study="sample_size",
        presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
        draw=draw_sizes,
        claims=(
            *COMMON,
            Claim(
                "the bound is vacuous by about an order of magnitude",
                "bound at the largest N", last_bound, within(3.0, 30.0),
                explanation="The document's rho is in the hundreds (9.3); a shallow network's "
                "rho is far smaller.",
            ),
        ),
    ),
    "dyn-7": Reproduction(
        document="[Dyn] Fig. 7",
        caption="The same for a small network of convolutions whose patches do not overlap.",
        setup="Document: three layers, 3x3 kernels of stride 3, about 20,000 weights, start .1, "
        "lambda .001, batches of 32. Here: a quarter of the channels, digits 3 and 8 at 9x9.",
        study="sample_size",
        presets={
            "tiny": TINY,
            "laptop": replace(LAPTOP, network="three_layers"),
            "paper": replace(PAPER, network="three_layers", batch_size=32),
        },
        draw=draw_sizes,
        claims=(
            *COMMON,
            Claim(
                "the bound is almost not vacuous", "bound at the largest N", last_bound,
                below(2.0),
                explanation="800 images here, 10,000 there, where the same rho would give less "
                "(9.3); and the bound with kernels has 2^(L-1) in it (9.4).",
            ),
        ),
    ),
}  # fmt: skip
