"""What is learned: networks, their polar coordinates, losses and problems.

    network = models.mlp((64, 256, 256, 1))
    problem = models.Problem(network, inputs, targets, decay=1e-3)
    start = models.to_polar(network.init(key), rho=1.0)

Where layers share an array or have batch norm, a radius that is read off the weights needs the
network: ``models.to_polar(weights, network=network)``, ``models.to_weights(point, network)``.

Everything here is pure: no files, no printing, no clock, no global flags.
"""

from . import activations, documented, losses, tasks
from .activations import Activation, leaky_relu, linear, relu, smooth_leaky, smoothed_relu
from .batch_norm import BatchNorm, TrackedPolar
from .convnet import convnet
from .diagonal import diagonal
from .flax_module import from_flax
from .foreign import foreign_weights, torch_weights
from .initialisations import Initialisation, gaussian, lecun, orthogonal
from .inputs import append_constant, input_norms, scale_inputs
from .linearised import Linearised
from .losses import Loss
from .mlp import deep_linear, mlp
from .network import Network, Statistics, Weights
from .polar import (
    LayerPolar,
    Polar,
    Unnormalised,
    layer_norms,
    normalise,
    project,
    radius,
    retract,
    to_layers,
    to_polar,
    to_weights,
)
from .problem import Problem, data_loss, decay_from_weight_decay, objective, outputs, take
from .residual import resnet20
from .targets import classes_of, encode, encoding_of
from .tied import tied
from .tree import tree
from .views import View
from .wide import small_second_layer, wide_mlp

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
    "Unnormalised",
    "View",
    "Weights",
    "activations",
    "append_constant",
    "classes_of",
    "convnet",
    "data_loss",
    "decay_from_weight_decay",
    "deep_linear",
    "diagonal",
    "documented",
    "encode",
    "encoding_of",
    "foreign_weights",
    "from_flax",
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
    "radius",
    "relu",
    "resnet20",
    "retract",
    "scale_inputs",
    "small_second_layer",
    "smooth_leaky",
    "smoothed_relu",
    "take",
    "tasks",
    "tied",
    "to_layers",
    "to_polar",
    "to_weights",
    "torch_weights",
    "tree",
    "wide_mlp",
]
