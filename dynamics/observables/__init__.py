"""What we look at along a trajectory: pure functions of a problem and a view.

`BY_NAME` lists what `dynamics.observe` knows by name. An observable never imports an integrator.
"""

from . import margins, moments, norms
from .margins import error_on

BY_NAME = {
    "average_separability": margins.average_separability,
    "gap": moments.gap,
    "least_margin": margins.least_margin,
    "loss": moments.loss,
    "loss_parts": moments.loss_parts,
    "M": moments.second_moment,
    "margins": margins.margins,
    "mu": moments.mu,
    "norm_drift": norms.norm_drift,
    "rho": moments.rho,
    "rho_eq": moments.rho_eq,
    "separability": margins.separability,
    "sigma": moments.sigma,
    "train_error": margins.train_error,
    "unregularised_loss": moments.unregularised_loss,
}

__all__ = ["BY_NAME", "error_on", "margins", "moments", "norms"]
