"""[Dyn] Fig. 2, [M117] Figs. 7-9: landscapes, which the documents draw by hand, computed.

Rho = 0 is a saddle: the loss there is 1 whatever the directions, and its slope in rho, -2 mu(V),
is negative for some of them and positive for the others. From some rho_0 on there are directions
of zero loss, a valley that goes on for ever; with decay the valley has a bottom, near rho_0. Along
any ray the loss with decay is the parabola 1 - 2 rho mu + rho^2 (M + lambda), lowest at
mu / (M + lambda).
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import BLUE, PREDICTED, house_style
from ..studies.landscape import LAPTOP, PAPER, REACHED, TINY
from .claims import Claim, above, below, within
from .drawing import band, series, source_below
from .reproduction import Reproduction

LEVELS = np.logspace(-4, 1, 11)
PRESETS = {"tiny": TINY, "laptop": LAPTOP, "paper": PAPER}


def falls_from_zero(datasets: Datasets) -> xr.DataArray:
    """Share of random directions in which the loss falls as rho leaves zero."""
    return (datasets["origin"].mu > 0).mean("direction")


def first_reached(datasets: Datasets) -> xr.DataArray:
    """rho_0: the first radius at which each start's search reaches zero loss; NaN where none."""
    loss = datasets["coastline"].loss
    return loss.rho.where(loss < REACHED).min("rho")


def worst_beyond(datasets: Datasets) -> xr.DataArray:
    """The largest loss at radii from rho_0 on."""
    loss = datasets["coastline"].loss
    return loss.where(loss.rho >= first_reached(datasets)).max("rho")


def barrier(datasets: Datasets) -> xr.DataArray:
    """The largest loss between two minima above that of both, at the largest radius."""
    line = datasets["between"].loss.isel(rho=-1).sel(along=slice(0, 1))
    return line.max("along") - datasets["between"].end.max("which")


def moments(datasets: Datasets) -> tuple[xr.DataArray, xr.DataArray]:
    """Mu and M along the geodesic, from the loss at two radii."""
    loss = datasets["between"].loss
    middle = loss.sizes["rho"] // 2
    near, far = (loss.isel(rho=at, drop=True) for at in (middle, -1))
    a, b = float(loss.rho[middle]), float(loss.rho[-1])
    second = ((far - 1) / b - (near - 1) / a) / (b - a)
    return (second * b - (far - 1) / b) / 2, second


def off_rest(datasets: Datasets) -> xr.DataArray:
    """Worst relative distance of rho at rest from mu / (M + lambda), over lambda."""
    coast = datasets["coastline"]
    predicted = coast.mu / (coast.second_moment + coast.decay)
    return np.abs(coast.rho_eq / predicted - 1).max("decay", skipna=False)


def growth(datasets: Datasets) -> xr.DataArray:
    """Smallest ratio of rho at rest between one lambda and the next smaller one."""
    rho = datasets["coastline"].rho_eq.values
    ratio = (rho[:, 1:] / rho[:, :-1]).min(axis=1)
    return xr.DataArray(ratio, dims="seed")


def bottom_over_shore(datasets: Datasets) -> xr.DataArray:
    """Rho at rest at the smallest lambda over rho_0."""
    return datasets["coastline"].rho_eq.isel(decay=-1) / first_reached(datasets)


def _surface(axes: Axes, loss: xr.DataArray, title: str) -> Any:
    """One pair's loss over the geodesic and rho as filled contours."""
    shown = axes.contourf(
        loss.along, loss.rho, np.maximum(loss, LEVELS[0]).T, levels=LEVELS, norm="log",
        cmap="viridis", extend="both",
    )  # fmt: skip
    for at, name in ((0, "A"), (1, "B")):
        axes.axvline(at, color="white", linewidth=0.7)
        axes.annotate(
            name, (at, float(loss.rho[-1])), xytext=(0, 3), textcoords="offset points",
            ha="center", annotation_clip=False,
        )  # fmt: skip
    axes.set_title(title, pad=14)
    axes.set_xlabel("along the geodesic, A to B")
    axes.grid(visible=False)
    return shown


def draw_both(config: Any, datasets: Datasets) -> Figure:
    """The surface between two minima, the coastline of every start, mu at rho = 0."""
    with house_style():
        figure, row = plt.subplots(1, 3, figsize=(11.4, 3.7))
        shown = _surface(row[0], datasets["between"].loss.isel(seed=0), "loss")
        row[0].set_ylabel("rho")
        figure.colorbar(shown, ax=row[0])
        loss = np.maximum(datasets["coastline"].loss, 1e-12)
        row[1].plot(loss.rho, loss, color=BLUE, linewidth=0.9)
        row[1].axvline(float(first_reached(datasets).min()), **PREDICTED)
        row[1].set(xscale="log", yscale="log", xlabel="rho; dashed: rho_0")
        row[1].set_title("least loss over directions")
        mu = datasets["origin"].mu
        row[2].hist(mu.values.ravel(), bins=60, color=BLUE)
        row[2].axvline(0, **PREDICTED)
        row[2].set(xlabel="mu of random directions", yticks=[])
        row[2].locator_params("x", nbins=4)
        row[2].set_title("rho = 0: the slope is -2 mu")
        source_below(figure, _source(config))
        plt.close(figure)
    return figure


def draw_free(config: Any, datasets: Datasets) -> Figure:
    """The surface without decay for two pairs of minima, and the loss along the geodesics."""
    with house_style():
        figure, row = plt.subplots(1, 3, figsize=(11.4, 3.7))
        for number, axes in enumerate(row[:2]):
            loss = datasets["between"].loss.isel(seed=number)
            shown = _surface(axes, loss, f"loss, pair {number + 1}")
        row[0].set_ylabel("rho")
        figure.colorbar(shown, ax=row[1])
        line = datasets["between"].loss.isel(rho=-1)
        band(row[2], line, "along", color=BLUE)
        row[2].set(yscale="log", xlabel="along the geodesic", ylim=(1e-6, None))
        row[2].set_title(f"loss at rho = {float(line.rho):g}, all pairs")
        source_below(figure, _source(config))
        plt.close(figure)
    return figure


def draw_decay(config: Any, datasets: Datasets) -> Figure:
    """The surface without decay, and with two values of it; the lowest rho on each ray dashed."""
    loss = datasets["between"].loss.isel(seed=0)
    mu, second = (part.isel(seed=0) for part in moments(datasets))
    with house_style():
        figure, row = plt.subplots(1, 3, figsize=(11.4, 3.7), sharey=True)
        for axes, decay in zip(row, (0.0, config.decay[-1], config.decay[0]), strict=True):
            shown = _surface(axes, loss + decay * loss.rho**2, f"lambda = {decay:g}")
            rest = (mu / (second + decay)).where(mu > 0)
            axes.plot(rest.along, rest, **(PREDICTED | {"color": "white"}))
            axes.set_ylim(0, float(loss.rho[-1]))
        row[0].set_ylabel("rho; dashed: mu / (M + lambda)")
        figure.colorbar(shown, ax=list(row), label="loss with decay")
        source_below(figure, _source(config))
        plt.close(figure)
    return figure


def draw_rays(config: Any, datasets: Datasets) -> Figure:
    """The loss with decay along the ray through one minimum; rho at rest against lambda."""
    coast, (mu, second) = datasets["coastline"], moments(datasets)
    at = {"along": int(np.argmin(np.abs(mu.along.values))), "seed": 0}
    rho, colours = datasets["between"].rho, series(config.decay)
    with house_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.7))
        for decay, colour in colours.items():
            total = datasets["between"].loss.isel(at) + decay * rho**2
            shown = total.where(total < 1.5, drop=True)
            left.plot(shown.rho, shown, color=colour, label=f"lambda {decay:g}")
            rest = float(mu.isel(at) / (second.isel(at) + decay))
            left.axvline(rest, **(PREDICTED | {"color": colour}))
        left.legend(loc="lower left", fontsize=8, frameon=True)
        left.set(xlabel="rho; dashed: mu / (M + lambda)", title="loss with decay on one ray")
        right.plot(coast.decay, coast.rho_eq.T, color=BLUE, linewidth=0.9, marker="o", markersize=3)
        right.axhline(float(first_reached(datasets).min()), **PREDICTED)
        right.set(xscale="log", xlabel="lambda; dashed: rho_0", title="rho at rest, every start")
        source_below(figure, _source(config))
        plt.close(figure)
    return figure


def _source(config: Any) -> str:
    return (
        f"{config.data.train} {config.data.name} {config.data.classes}, hidden layers of "
        f"{config.hidden}, {config.seeds} seeds"
    )


DRAWN = (
    "Document: drawn by hand. Here: 20 digits 3 and 8, two hidden layers of 12 smoothed ReLUs, "
    "minima found by a trust region in double precision from five seeds (five pairs)."
)
UNREACHED = "Each search finds a local minimum of its own, not the least loss; more starts help."

SADDLE = Claim(
    "rho = 0 is a saddle: the loss falls in some directions and rises in the others",
    "share of random directions in which it falls", falls_from_zero, within(0.4, 0.6),
    explanation="Turning the sign of the last layer turns mu, so that the share is a half on "
    "average over directions (2.12).",
)  # fmt: skip
VALLEY = Claim(
    "from some rho_0 on, the least loss is zero for every larger rho",
    "largest loss of a start at radii above its rho_0", worst_beyond, below(REACHED),
    explanation=UNREACHED,
)  # fmt: skip

FIGURES = {
    "dyn-2": Reproduction(
        document="[Dyn] Fig. 2",
        caption="The loss between two minima and over rho, the least loss at each radius, and the "
        "slopes at rho = 0.",
        setup=DRAWN,
        study="landscape",
        presets=PRESETS,
        draw=draw_both,
        claims=(SADDLE, VALLEY),
    ),
    "m117-7": Reproduction(
        document="[M117] Fig. 7",
        caption="The landscape without decay: valleys of zero loss, with barriers between them on "
        "the shortest way.",
        setup=DRAWN,
        study="landscape",
        presets=PRESETS,
        draw=draw_free,
        claims=(
            VALLEY,
            Claim(
                "the shortest way between two minima leaves the valley",
                "largest loss on the geodesic above its ends, at the largest radius", barrier,
                above(0.01),
            ),
        ),
    ),
    "m117-8": Reproduction(
        document="[M117] Fig. 8",
        caption="The same landscape with decay, which bends the valleys up.",
        setup=DRAWN,
        study="landscape",
        presets=PRESETS,
        draw=draw_decay,
        claims=(
            Claim(
                "with decay, rho rests at mu / (M + lambda)",
                "worst relative distance over lambda", off_rest, below(1e-3),
                explanation="Searches that have spent their steps are not at rest.",
            ),
            Claim(
                "rho at rest is larger where lambda is smaller",
                "ratio of rho from one lambda to the next, the smallest", growth, above(1.0),
            ),
        ),
    ),
    "m117-9": Reproduction(
        document="[M117] Fig. 9",
        caption="The loss with decay along a ray, and rho at rest against lambda.",
        setup=DRAWN,
        study="landscape",
        presets=PRESETS,
        draw=draw_rays,
        claims=(
            Claim(
                "as lambda vanishes, rho at rest comes to the least rho that interpolates",
                "rho at rest at the smallest lambda over rho_0", bottom_over_shore,
                within(0.7, 1.4),
                explanation="rho_0 is known to a step of the radii only, lambda is not zero, and "
                "some starts rest in a local minimum that does not interpolate.",
            ),
        ),
    ),
}  # fmt: skip
