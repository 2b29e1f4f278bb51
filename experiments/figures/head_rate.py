"""[Wide] sections 4 and 5.2: what the learning rate does to a linear head, and the two phases.

**Conditioning.** The tangent kernel of a network with a linear head has

    |Theta| >= ((s_K(Y) - eps_1) / (K r))^2 sum_l kappa(W_L ... W_l)^2

(Proposition 5.3), and descent at the rate eta stays only where |Theta| is below a constant over
eta. So a large rate bounds the mean of kappa(W_L ... W_l)^2 over the head, and with
eta = eta_0 / L_2 the bound does not grow with L_2, while kappa(W_L) = kappa(head)^(1/L_2) in a
balanced head.

**Two phases.** The data are fitted in a number of steps of the order 1/eta, and the head balances
in a number of steps of the order 1/(eta lambda), as |D| = |D(0)| e^(-4 lambda t).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..experiment import Datasets
from ..plotting import BLUE, ORANGE, PREDICTED, house_style
from ..studies.linear_head import LAPTOP, PAPER, TINY
from .claims import Claim, below, within
from .drawing import band, name_at_end, series, source_below
from .head_training import imbalance
from .measures import cube, slope
from .reproduction import Reproduction

AXES = ("seed", "decay")
UNFITTED, BALANCED = 0.1, np.exp(-2.0)
"""Shares of what a run begins with: of the loss above its end, at which data count as fitted (a
loss that all reach there is not, since decay keeps it up); of |D|, for a head to be balanced."""

FITTED_CHANGED = "'fitted' was a loss of .2, which the largest lambda does not reach"


def by_rate(datasets: Datasets, pick: Callable[[xr.Dataset], xr.DataArray]) -> xr.DataArray:
    """A number of each run, [linear, eta_0, seed, decay].

    Args:
        datasets: Of one study; ``eta_0`` is the n-th of each head's own rates, by the shortest's.
        pick: ``pick(found)``, of all members and looks.
    """
    heads = sorted({data.attrs["linear"] for data in datasets.values()})
    rows = [
        sorted(
            (data for data in datasets.values() if data.attrs["linear"] == head),
            key=lambda data: data.attrs["learning_rate"],
        )
        for head in heads
    ]
    rates = [data.attrs["learning_rate"] for data in rows[0]]
    stacked = [
        xr.concat(
            [pick(cube(data, *AXES).assign_attrs(data.attrs)).drop_vars("time", errors="ignore")
             for data in row],
            "rate", coords="minimal",
        )
        for row in rows
    ]  # fmt: skip
    return xr.concat(stacked, "linear").assign_coords(linear=heads, rate=rates)


def whole_head(found: xr.Dataset) -> xr.DataArray:
    """Condition number of the whole head at the end."""
    return found.head_condition.isel(time=-1, head=0, drop=True)


def last_layer(found: xr.Dataset) -> xr.DataArray:
    """Condition number of the last layer at the end."""
    return found.head_condition.isel(time=-1, head=-1, drop=True)


def steps_to(values: xr.DataArray, level: xr.DataArray | float) -> xr.DataArray:
    """The first step at which a falling quantity is at a level, between looks by a line.

    Args:
        values: [..., time], with the coordinate ``step``.
        level: The level.

    Returns:
        NaN where it never is.
    """
    there = values <= level
    after = there.argmax("time").clip(min=1)
    steps = values.step.drop_vars("time")
    high, low = values.isel(time=after - 1), values.isel(time=after)
    share = ((high - level) / (high - low)).clip(0, 1)
    first, last = steps.isel(time=after - 1), steps.isel(time=after)
    return (first + share * (last - first)).where(there.any("time")).drop_vars("step")


def steps_to_fit(found: xr.Dataset) -> xr.DataArray:
    """Steps until the loss without decay is at `UNFITTED` of the way above its end."""
    loss = found.unregularised_loss
    first, last = (loss.isel(time=at, drop=True) for at in (0, -1))
    return steps_to(loss, last + UNFITTED * (first - last))


def steps_to_balance(found: xr.Dataset) -> xr.DataArray:
    """Steps until |D| is at `BALANCED` of what it was."""
    values = imbalance(found)
    return steps_to(values, BALANCED * values.isel(time=0, drop=True))


def _power(
    pick: Callable[[xr.Dataset], xr.DataArray], of: str
) -> Callable[[Datasets], xr.DataArray]:
    """The exponent of a quantity in the rate, in lambda or in L_2, mean over the others."""

    def measure(datasets: Datasets) -> xr.DataArray:
        values = xr.apply_ufunc(np.log, by_rate(datasets, pick))
        found = slope(np.log(values[of]), values, of)
        return found.mean([axis for axis in found.dims if axis != "seed"], skipna=False)

    return measure


def draw_rate(config: Any, datasets: Datasets) -> Figure:
    """Condition numbers of the whole head and of its last layer against eta_0."""
    with house_style():
        figure, row = plt.subplots(1, 2, figsize=(8.6, 3.6))
        for axes, pick, title in (
            (row[0], whole_head, "kappa of the whole head"),
            (row[1], last_layer, "kappa of W_L; dashed: kappa(head)^(1/L2)"),
        ):
            found, heads = by_rate(datasets, pick).isel(decay=0), by_rate(datasets, whole_head)
            for linear, colour in series(found.linear).items():
                curve = found.sel(linear=linear)
                band(axes, curve, "rate", color=colour, marker="o", markersize=3)
                name_at_end(axes, curve.rate, curve.mean("seed"), f"L2 = {linear:g}", colour)
                if pick is last_layer:
                    root = heads.isel(decay=0).sel(linear=linear).mean("seed") ** (1 / linear)
                    axes.plot(root.rate, root, **PREDICTED)
            axes.set(xscale="log", yscale="log", title=title)
            axes.set_xticks(found.rate.values, [f"{rate:g}" for rate in found.rate.values])
            axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
            axes.set_xlabel(f"learning rate of the head of {int(found.linear[0])} layers")
        source_below(figure, _source(config) + "; eta = eta_0 / L2")
        plt.close(figure)
    return figure


def draw_phases(config: Any, datasets: Datasets) -> Figure:
    """Steps to fit and to balance against eta and against lambda, with slopes -1 and 0 dashed."""
    shown = {
        "to fit": (by_rate(datasets, steps_to_fit).isel(linear=0), BLUE),
        "to balance": (by_rate(datasets, steps_to_balance).isel(linear=0), ORANGE),
    }
    with house_style():
        figure, row = plt.subplots(1, 2, figsize=(8.4, 3.7), sharey=True)
        for axes, along, other in zip(row, ("rate", "decay"), ("decay", "rate"), strict=True):
            for name, (steps, colour) in shown.items():
                curve = steps.isel({other: 0})
                band(axes, curve, along, color=colour, marker="o", markersize=3)
                name_at_end(axes, curve[along], curve.mean("seed"), name, colour)
                power = 0 if (along, name) == ("decay", "to fit") else -1
                start = float(curve.isel({along: 0}).mean())
                axes.plot(curve[along], start * (curve[along] / curve[along][0]) ** power,
                          **PREDICTED)  # fmt: skip
            axes.set(xscale="log", yscale="log")
        row[0].set(xlabel="learning rate eta", ylabel="steps", title="dashed: 1/eta")
        row[1].set(xlabel="lambda", title="dashed: 1/lambda, constant")
        source_below(figure, _source(config))
        plt.close(figure)
    return figure


def _source(config: Any) -> str:
    return f"{config.data.name}, {config.data.train} images, {config.seeds} seeds"


SMALL = replace(LAPTOP, width=32, nonlinear=(2,), drop=1.0, steps=4000, looks=81)
SMALL_TINY = replace(
    TINY,
    linear=(2, 3),
    learning_rate=(0.01, 0.03),
    drop=1.0,
    steps=400,
    decay=(0.02, 0.04),
)

FIGURES = {
    "x-two-phases": Reproduction(
        document="[Wide] section 4",
        caption="How many steps a network with a linear head takes to fit its data, and how many "
        "to balance, against the learning rate and lambda.",
        setup="No figure in the document. Two nonlinear and three linear layers of width 32, 500 "
        "images of 10x10, constant rates, momentum .9. Fitted: nine tenths of "
        "the loss's fall, without decay; balanced: an imbalance of e^-2 of the first.",
        study="linear_head",
        presets={
            "tiny": SMALL_TINY,
            "laptop": replace(
                SMALL, linear=(3,), decay=(2e-3, 4e-3, 8e-3), learning_rate=(0.01, 0.02, 0.04)
            ),
            "paper": replace(
                PAPER, linear=(4,), decay=(5e-4, 1e-3, 2e-3), learning_rate=(0.01, 0.02, 0.04),
                drop=1.0,
            ),
        },
        draw=draw_phases,
        claims=(
            Claim(
                "the data are fitted in about 1/eta steps", "exponent of the steps in eta",
                _power(steps_to_fit, "rate"), within(-1.3, -0.7),
                afterwards=FITTED_CHANGED,
            ),
            Claim(
                "how fast they are fitted does not depend on lambda",
                "exponent of the steps in lambda", _power(steps_to_fit, "decay"),
                within(-0.3, 0.3), afterwards=FITTED_CHANGED,
                explanation="Decay of e^(-4 lambda t) already pulls while the data are fitted: at "
                "these lambda the two phases are not far apart, and the fit is worse.",
            ),
            Claim(
                "the head balances in about 1/eta steps at a given lambda",
                "exponent of the steps in eta", _power(steps_to_balance, "rate"),
                within(-1.3, -0.7),
            ),
            Claim(
                "the head balances in about 1/lambda steps at a given eta",
                "exponent of the steps in lambda", _power(steps_to_balance, "decay"),
                within(-1.3, -0.7),
            ),
        ),
    ),
    "x-head-rate": Reproduction(
        document="[Wide] section 5.2",
        caption="The condition number of a linear head, and of its last layer, against the "
        "learning rate eta = eta_0 / L_2.",
        setup="No figure in the document. Two nonlinear and two or four linear layers of width 32, "
        "500 images of 10x10, constant rates, momentum .9, lambda .002.",
        study="linear_head",
        presets={
            "tiny": SMALL_TINY,
            "laptop": replace(
                SMALL, linear=(2, 4), decay=(2e-3,), learning_rate=(0.01, 0.03, 0.09),
                divide_rate=True,
            ),
            "paper": replace(
                PAPER, linear=(2, 4, 8), decay=(1e-3,), learning_rate=(0.01, 0.03, 0.09),
                divide_rate=True, drop=1.0,
            ),
        },
        draw=draw_rate,
        claims=(
            Claim(
                "a larger learning rate conditions the whole head better",
                "exponent of kappa(head) in the rate", _power(whole_head, "rate"), below(0.0),
                explanation="The bound through |Theta| is very loose (8.10, 8.11), and a slower "
                "run is earlier in its second phase.",
            ),
            Claim(
                "with eta = eta_0 / L_2 the last layer is better conditioned in a longer head",
                "exponent of kappa(W_L) in L_2", _power(last_layer, "linear"), below(0.0),
            ),
        ),
    ),
}  # fmt: skip
