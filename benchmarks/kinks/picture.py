"""The work-precision diagram: error of rho against evaluations of the field, log on log."""

import numpy as np
from matplotlib import pyplot as plt

from rhoflow.experiments.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, house_style

TARGET = 2e-4
MINE, PLAIN = ("default",), ("diffrax", "SciPy", "torchdiffeq")
LOOKS = {
    "Euler, fixed": (PURPLE, "v"),
    "Heun, fixed": (GREEN, "s"),
    "SSP43, fixed": (ORANGE, "^"),
    "SSP42, fixed": (ORANGE, "o"),
}


def draw(study, path):
    """One panel a case; the default untuned is the filled star."""
    with house_style():
        figure, panels = plt.subplots(
            1, len(study), figsize=(4.2 * len(study), 3.9), sharey=True, squeeze=False
        )
        for panel, (name, families) in zip(panels[0], study.items(), strict=True):
            for family, points in families.items():
                _family(panel, family, points)
            panel.axhline(TARGET, color=GREY, linewidth=0.6, linestyle=":")
            panel.set(xscale="log", yscale="log", title=name, xlabel="evaluations of the field")
        panels[0][0].set_ylabel("largest error of rho / largest rho")
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", fontsize=7.5)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
        plt.close(figure)


def _family(panel, family, points):
    """One method's curve: thick for the default, thin and grey for plain adaptive solvers."""
    _, counts, wrong = zip(*points, strict=True)
    values = np.array([error["rho"] for error in wrong])
    if family == "coarser":
        return
    if family in MINE:
        panel.plot(counts, values, color=BLUE, linewidth=2.4, label="default, floor moved")
        here = [count for knob, count, _ in points if knob == 1.0]
        there = [error["rho"] for knob, _, error in points if knob == 1.0]
        panel.plot(here, there, "*", color=BLUE, markersize=13, label="default, untuned")
    elif family in LOOKS:
        color, marker = LOOKS[family]
        panel.plot(counts, values, marker, color=color, markersize=4, linestyle="-", label=family)
    elif family.startswith(PLAIN):
        style = {"d": "--", "S": ":", "t": "-."}[family[0]]
        panel.plot(counts, values, "x", color=GREY, linestyle=style, linewidth=0.9, markersize=4)
        last = int(np.max(np.nonzero(np.isfinite(values))[0], initial=0))
        panel.annotate(
            family, (counts[last], values[last]), (4, 0), textcoords="offset points", fontsize=6,
            color=GREY, va="top" if family.startswith("diffrax") else "bottom",
        )  # fmt: skip
