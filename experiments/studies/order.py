"""Order: how fast do flows approach gradient descent as its learning rate falls?

The plain flow is off by the first order of the rate; the modified-loss flow and the second-order
equation, from its slow manifold, by the second; the second-order equation from rest by the first
again, since it starts half a step late. As a control, the modified loss with the wrong sign of its
correction is of the first order. On a ReLU network kinks take the order away; a smoothed ReLU's
curvature still jumps, which is seen where it is narrow: at a width of 0.3 the second-order equation
shows slopes from 1.8 to 2.1 between neighbouring rates, at the width of 1 taken here 1.97 to 1.99.

Source: [M117] section 5; the slopes that smooth networks must show are 1, 2, 2, 1 and 1.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ... import dynamics, models
from ...dynamics.flows.build import Integration
from ..errors import UsageError
from ..experiment import Datasets, Experiment, Part, Row, Session
from ..plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, house_style

STYLES = {
    "flow": {"color": BLUE, "marker": "o"},
    "modified loss": {"color": GREEN, "marker": "s"},
    "second order": {"color": ORANGE, "marker": "D"},
    "from rest": {"color": PURPLE, "marker": "^"},
    "wrong sign": {"color": RED, "marker": "x"},
}
KINDS = ("linear", "smooth", "relu")


@dataclass(frozen=True)
class OrderConfig:
    """Errors of the flows that follow gradient descent, against its learning rate."""

    networks: tuple[str, ...] = KINDS
    """Which networks: linear, smooth (a smoothed ReLU) and relu."""

    hidden: tuple[int, ...] = (8, 8)
    """Widths of the hidden layers."""

    samples: int = 16
    """Training samples, in two clusters."""

    features: int = 6
    """Input dimension."""

    largest_rate: float = 0.08
    """The first learning rate; each next is half of it."""

    rates: int = 4
    """How many learning rates."""

    momentum: float = 0.0
    """Of the descent (heavy ball, started on its slow manifold)."""

    duration: float = 5.12
    """Length of a run, in units of the running sum of learning rates."""

    looks: int = 8
    """At how many times the distance is measured; the error is the largest."""

    decay: float = 0.01
    """lambda, in the mean normalisation."""

    seed: int = 3
    """Of the data and the start."""

    def __post_init__(self) -> None:
        """Refuses what no run could satisfy."""
        wrong = [name for name in self.networks if name not in KINDS]
        if wrong or not self.networks:
            raise UsageError(f"unknown network {wrong}: choose among {', '.join(KINDS)}")
        if self.rates < 2 or not self.largest_rate > 0:
            raise UsageError("expected rates >= 2 and largest_rate > 0: change them")
        if not 0 <= self.momentum < 1:
            raise UsageError(f"expected momentum in [0, 1), got {self.momentum}: change --momentum")
        steps = self.duration / self.looks * (1 - self.momentum) / self.largest_rate
        if abs(steps - round(steps)) > 1e-6 or steps < 1:
            raise UsageError(
                f"expected looks that are whole steps apart, got {steps:g} steps of the largest "
                "rate: change --duration, --looks or --largest-rate"
            )


def parts(config: OrderConfig) -> dict[str, Part]:
    """The errors on each network, in double precision."""
    return {name: functools.partial(_measure, config, name) for name in config.networks}


def _measure(config: OrderConfig, name: str, _: Session) -> xr.Dataset:
    with jax.enable_x64(True):
        return _measured(config, name)


def table(_: OrderConfig, datasets: Datasets) -> list[Row]:
    """One row per network and flow: its errors and the order fitted to them."""
    return [
        {
            "network, flow": f"{network}, {flow}",
            "order": f"{float(one.order):.2f}",
            "+-": f"{float(one.standard_error):.2f}",
            "last halving": f"{float(one.last_slope):.2f}",
            "error at the largest rate": f"{float(one.error[0]):.1e}",
            "at the smallest": f"{float(one.error[-1]):.1e}",
        }
        for network, data in datasets.items()
        for flow in data.attrs["flows"]
        for one in [data.isel(flow=data.attrs["flows"].index(flow))]
    ]


def draw(config: OrderConfig, datasets: Datasets) -> Figure:
    """Errors over learning rates, one panel per network, with slopes 1 and 2 to compare."""
    with house_style():
        figure, grid = plt.subplots(
            1, len(datasets), figsize=(4.2 * len(datasets), 4.4), squeeze=False, sharey=True
        )
        for axes, name in zip(grid[0], config.networks, strict=True):
            data = datasets[name]
            for number, flow in enumerate(data.attrs["flows"]):
                one = data.isel(flow=number)
                text = f"{flow}: order {float(one.order):.2f}"
                axes.loglog(one.rate, one.error, label=text, **STYLES[flow])
            rate = data.rate.values
            for power in (1, 2):
                guide = float(data.error.max()) * 2 * (rate / rate[0]) ** power
                axes.loglog(rate, guide, color=GREY, linestyle="--", linewidth=0.8, zorder=0)
                axes.annotate(f"{power}", (rate[-1], guide[-1]), color=GREY, ha="right")
            axes.set_title(f"{name} network")
            axes.set_xlabel("learning rate")
            axes.legend(fontsize=7.5, loc="lower right")
        grid[0][0].set_ylabel("largest distance to descent (outputs, rms)")
        plt.close(figure)
    return figure


def _measured(config: OrderConfig, name: str) -> xr.Dataset:
    problem, start = _problem(config, name)
    beta = config.momentum
    tight: Integration = {"rtol": 1e-10, "atol": 1e-12}
    if name == "relu":
        tight = {"step": config.largest_rate * 2.0 ** -(config.rates + 2)}

    def second(velocity: str) -> Callable[[float], dynamics.Dynamics]:
        return lambda rate: dynamics.second_order_flow(
            problem, rate, momentum=beta, initial_velocity=velocity, **tight
        )

    def modified(rate: float) -> dynamics.Dynamics:
        return dynamics.corrected_flow(problem, rate, momentum=beta, **tight)

    found = dynamics.orders(
        lambda rate: dynamics.gradient_descent(problem, rate, momentum=beta, warm=beta > 0),
        {
            "flow": lambda _: dynamics.gradient_flow(problem, **tight),
            "modified loss": modified,
            "second order": second("slower"),
            "from rest": second("rest"),
            "wrong sign": lambda rate: _wrong_sign(modified(rate)),
        },
        start,
        learning_rates=[config.largest_rate * 2.0**-k for k in range(config.rates)],
        times=list(np.arange(1, config.looks + 1) * (config.duration / config.looks)),
    )
    orders = list(found.values())
    return xr.Dataset(
        {
            "error": (("flow", "rate"), np.stack([one.errors for one in orders])),
            "order": ("flow", [one.slope for one in orders]),
            "standard_error": ("flow", [one.standard_error for one in orders]),
            "last_slope": ("flow", [one.last_slopes[-1] for one in orders]),
        },
        {"rate": orders[0].learning_rates},
        {"flows": list(found)},
    )


def _wrong_sign(flow: dynamics.Dynamics) -> dynamics.Dynamics:
    """A corrected flow with its correction turned round, which no constructor would make."""
    return eqx.tree_at(
        lambda f: f.parameters.settings["learning_rate"], flow, replace_fn=jnp.negative
    )


def _problem(config: OrderConfig, name: str) -> tuple[models.Problem, models.Polar]:
    key_data, key_start = jax.random.split(jax.random.key(config.seed))
    inputs, labels = models.tasks.separable_clusters(
        key_data, config.samples, config.features, spread=1.0
    )
    widths = (config.features, *config.hidden, 1)
    network = {
        "linear": lambda: models.deep_linear(widths),
        "smooth": lambda: models.mlp(widths, activation=models.smoothed_relu(1.0)),
        "relu": lambda: models.mlp(widths),
    }[name]()
    problem = models.Problem(network, inputs, models.encode(labels, "signs"), decay=config.decay)
    return problem, models.to_polar(network.init(key_start), rho=1.5)


LAPTOP = OrderConfig()
EXPERIMENT = Experiment(
    config=OrderConfig,
    presets={
        "tiny": replace(LAPTOP, networks=("linear",), rates=2, hidden=(4,), duration=1.28),
        "laptop": LAPTOP,
        "paper": replace(LAPTOP, hidden=(64, 64), rates=5),
    },
    parts=parts,
    table=table,
    draw=draw,
)
