"""[Wide] Figs. 1, 2, 4, 5: what a head of linear layers does to neural collapse.

A layer of the head is looked at through what it reads: the *first* linear layer reads what the
nonlinear layers give, the *last* one what all other layers make of it. With one linear layer the
two are the same. NC1 is Tr Sigma_W / Tr Sigma_B; NC2 the condition number of the uncentred class
means, 1 for an orthogonal frame. With a balanced head that fits,

    NC2 of the last layer = kappa(W_L) = kappa(W_L ... W_{L_1+1})^(1/L_2)

([Wide] Theorem 3.1 where eps_1 = eps_2 = 0; theory, 8.3 and 8.4): drawn dashed.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..data import DataConfig
from ..experiment import Datasets
from ..plotting import BLUE, GREY, ORANGE, PREDICTED, house_style
from ..studies.linear_head import LAPTOP, PAPER, TINY
from .claims import Claim, below, within
from .drawing import band, name_at_end, source_below
from .measures import cube, slope, spread
from .reproduction import Reproduction

AXES = ("seed", "decay")


def by_linear(datasets: Datasets, pick: Callable[[xr.Dataset, int], xr.DataArray]) -> xr.DataArray:
    """A number of each run's end, [linear, seed, decay].

    Args:
        datasets: Of one study, parts that differ in L_2.
        pick: ``pick(end, linear)``, of the members at their last look.
    """
    found = []
    for data in datasets.values():
        end, count = cube(data, *AXES).isel(time=-1, drop=True), data.attrs["linear"]
        found.append(pick(end, count).expand_dims(linear=[count]))
    return xr.concat(found, "linear", coords="minimal").sortby("linear")


def last(name: str) -> Callable[[xr.Dataset, int], xr.DataArray]:
    """A metric of what the last linear layer reads."""
    return lambda end, _: end[name].isel(hidden=-1)


def first(name: str) -> Callable[[xr.Dataset, int], xr.DataArray]:
    """A metric of what the first linear layer reads."""
    return lambda end, linear: end[name].isel(hidden=-linear)


def root_of_head(end: xr.Dataset, linear: int) -> xr.DataArray:
    """The condition number of the whole head, to the power 1/L_2."""
    return end.head_condition.isel(head=0) ** (1 / linear)


def worst(values: xr.DataArray) -> xr.DataArray:
    """The largest over lambda."""
    return values.max("decay", skipna=False)


def last_slope(datasets: Datasets) -> xr.DataArray:
    """Slope of log NC2 of the last layer per linear layer; the largest over lambda."""
    values = xr.apply_ufunc(np.log, by_linear(datasets, last("nc2")))
    return worst(slope(values.linear, values, "linear"))


def first_ratio(datasets: Datasets) -> xr.DataArray:
    """NC2 of the first layer, longest head over shortest; mean over lambda."""
    values = by_linear(datasets, first("nc2"))
    return (values.isel(linear=-1) / values.isel(linear=0)).mean("decay", skipna=False)


def nc1_spread(datasets: Datasets) -> xr.DataArray:
    """Largest over smallest NC1 of the last layer over L_2; the largest over lambda."""
    return worst(spread(by_linear(datasets, last("nc1")), "linear"))


def off_the_root(datasets: Datasets) -> xr.DataArray:
    """Worst relative distance of the last NC2 from the head's condition to the power 1/L_2."""
    ratio = by_linear(datasets, last("nc2")) / by_linear(datasets, root_of_head)
    return worst(abs(ratio - 1).max("linear", skipna=False))


def draw_depth(config: Any, datasets: Datasets) -> Figure:
    """NC1 and NC2 in the last and in the first linear layer against L_2, a column per lambda."""
    decays = next(iter(datasets.values())).decay.values
    with house_style():
        figure, grid = plt.subplots(
            2, len(set(decays)), figsize=(8.0, 5.6), sharex=True, sharey="row", squeeze=False
        )
        for column, decay in zip(grid.T, sorted(set(decays)), strict=True):
            for axes, name in zip(column, ("nc2", "nc1"), strict=True):
                for which, (pick, colour) in WHICH.items():
                    curve = by_linear(datasets, pick(name)).sel(decay=decay)
                    band(axes, curve, "linear", color=colour, marker="o", markersize=3)
                    axes.plot([], [], color=colour, label=f"{which} linear layer")
                axes.set_yscale("log")
                axes.set_title(f"lambda = {decay:g}: {TITLES[name]}")
            curve = by_linear(datasets, root_of_head).sel(decay=decay).mean("seed")
            column[0].plot(curve.linear, curve, **PREDICTED)
            name_at_end(column[0], curve.linear, curve, "kappa(head)^(1/L2)", GREY)
            column[1].set_xlabel("linear layers L2")
            column[1].set_xticks(curve.linear)
        grid[1, 0].legend()
        for axes, label in zip(
            grid[:, 0], ("kappa of class means", "Tr Sigma_W / Tr Sigma_B"), strict=True
        ):
            axes.set_ylabel(label)
        source_below(figure, _source(config))
        plt.close(figure)
    return figure


WHICH = {"first": (first, ORANGE), "last": (last, BLUE)}
TITLES = {"nc2": "NC2", "nc1": "NC1"}


def _source(config: Any) -> str:
    return (
        f"{config.data.name}, {config.data.train} images, {config.backbone}, "
        f"{config.seeds} seeds (mean, and all as a band)"
    )


DEPTH_CLAIMS = (
    Claim(
        "NC2 of the last layer improves with the number of linear layers",
        "slope of its logarithm per layer; worst lambda", last_slope, below(0.0),
    ),
    Claim(
        "NC2 of the first linear layer gets slightly worse",
        "with the longest head over that with the shortest", first_ratio, within(1.0, 2.0),
    ),
    Claim(
        "NC1 of the last layer hardly depends on the number of linear layers",
        "largest over smallest; worst lambda", nc1_spread, below(3.0),
    ),
    Claim(
        "NC2 of the last layer is the whole head's condition number to the power 1/L_2",
        "worst relative distance", off_the_root, below(0.25),
        explanation="Exact only at eps_1 = eps_2 = 0 (8.3, 8.4): decay keeps a misfit eps_1, and "
        "class means need not lie in the row space of W_L.",
    ),
)  # fmt: skip

RATE_CHOSEN = "rate and lambda, so that six linear layers keep all classes"
"""Of the convolutional network: at rate .03 the longest heads do not train."""

CIFAR = DataConfig(name="cifar10", train=50_000, test=10_000, centre=True)
WIDE_5_TINY = replace(TINY, backbone="convnet", nonlinear=(1,))

FIGURES = {
    "wide-2": Reproduction(
        document="[Wide] Fig. 2",
        caption="Collapse in the last and in the first linear layer of networks with one to five "
        "linear layers on top of five nonlinear ones.",
        setup="Document: MLP on MNIST, weight decay .001 and .004 (lambda is half of it), rate "
        ".001, divided by ten after 80 % of the epochs, five runs each; a ResNet20 on CIFAR10 too. "
        "Here: 500 images of 10x10, width 64, lambda .001 and .003, rate .03 with momentum .9, so "
        "that eta lambda balances the head within 6,000 steps.",
        study="linear_head",
        presets={"tiny": TINY, "laptop": LAPTOP, "paper": PAPER},
        draw=draw_depth,
        claims=DEPTH_CLAIMS,
    ),
    "wide-5": Reproduction(
        document="[Wide] Fig. 5",
        caption="The same as Fig. 2 on top of a convolutional network.",
        setup="Document: ResNet20 on MNIST, one nonlinear and one to six linear layers. Here: two "
        "narrow convolutions, one nonlinear and one, two, four or six linear layers, rate .01: "
        "six do not train at rate .03, and lose a class in one of five seeds at lambda = .002.",
        study="linear_head",
        presets={
            "tiny": WIDE_5_TINY,
            "laptop": replace(
                LAPTOP,
                backbone="convnet",
                nonlinear=(1,),
                linear=(1, 2, 4, 6),
                decay=(1e-3,),
                learning_rate=(0.01,),
                steps=12_000,
            ),
            "paper": replace(PAPER, backbone="resnet20", nonlinear=(1,), linear=(1, 2, 3, 4, 5, 6)),
        },
        draw=draw_depth,
        claims=tuple(replace(claim, afterwards=RATE_CHOSEN) for claim in DEPTH_CLAIMS),
    ),
}
