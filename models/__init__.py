"""What is learned: networks, their polar coordinates, losses and problems.

    network = models.mlp((64, 256, 256, 1))
    problem = models.Problem(network, inputs, targets, decay=1e-3)
    start = models.to_polar(network.init(key), rho=1.0)

Everything here is pure: no files, no printing, no clock, no global flags.
"""

from . import activations, losses, tasks
from .activations import Activation, leaky_relu, linear, relu, smoothed_relu
from .batch_norm import BatchNorm, TrackedPolar
from .foreign import foreign_weights
from .initialisations import Initialisation, gaussian, lecun, orthogonal
from .inputs import append_constant, input_norms, scale_inputs
from .linearised import Linearised
from .losses import Loss
from .mlp import deep_linear, mlp
from .network import Network, Statistics, Weights
from .polar import (
    LayerPolar,
    Polar,
    layer_norms,
    normalise,
    project,
    retract,
    to_layers,
    to_polar,
    to_weights,
)
from .problem import Problem, data_loss, decay_from_weight_decay, objective, outputs, take
from .targets import classes_of, encode, encoding_of
from .views import View

__all__ = [
    "Activation",
    "BatchNorm",
    "Initialisation",
    "LayerPolar",
    "Linearised",
    "Loss",
    "Network",
    "Polar",
    "Problem",
    "Statistics",
    "TrackedPolar",
    "View",
    "Weights",
    "activations",
    "append_constant",
    "classes_of",
    "data_loss",
    "decay_from_weight_decay",
    "deep_linear",
    "encode",
    "encoding_of",
    "foreign_weights",
    "gaussian",
    "input_norms",
    "layer_norms",
    "leaky_relu",
    "lecun",
    "linear",
    "losses",
    "mlp",
    "normalise",
    "objective",
    "orthogonal",
    "outputs",
    "project",
    "relu",
    "retract",
    "scale_inputs",
    "smoothed_relu",
    "take",
    "tasks",
    "to_layers",
    "to_polar",
    "to_weights",
]
