"""Descents: motions in whole steps, by any optax optimiser.

`descent` joins an optimiser, batches and a normalisation to a `Dynamics`; `stepping` runs it;
`clock` tells its time. Gradient descent, SGD and the diffusion that follows SGD are descents.
"""

from . import batches
from .constrained import constrained, on_spheres
from .descent import descent, times_at
from .diffusion import diffusion
from .sgd import gradient_descent, sgd

__all__ = [
    "batches",
    "constrained",
    "descent",
    "diffusion",
    "gradient_descent",
    "on_spheres",
    "sgd",
    "times_at",
]
