"""What is learned: a network, its data, a loss and the decay of rho.

    Loss(rho, V) = (1/N) sum_n loss(rho f_V(x_n), y_n) + lambda rho^2

This *mean normalisation* holds throughout the project, and the flow is minus its gradient, without
a factor 1/2. ``decay`` is this lambda. An optimiser's ``weight_decay`` adds w x to the gradient, so
w = 2 lambda (`decay_from_weight_decay`). The documents also use the sum over samples, where
lambda_S = N lambda and time runs N times slower.

The documents assume inputs with |x_n| <= 1; a problem whose inputs are longer says so when it is
made. Each loss states which encodings of the targets it takes (`models.losses`), and a problem
refuses the others. For the square loss with targets +-1 the objective is
1 - 2 rho mu + rho^2 (M + lambda), with the mean margin mu and the mean square M of the normalised
network's outputs.

Source: [Dyn] (1), (11), (28); normalisations: [M117] section 3.
"""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from . import losses
from .checks import is_traced, refusal
from .display import Card, Shown, shape, told
from .inputs import input_norms
from .losses import Loss
from .network import Network
from .polar import Unnormalised, squared_norms
from .targets import encoding_of
from .views import View


class Problem(Shown, eqx.Module):
    """A network, data, a loss and a decay. An immutable pytree.

    Attributes:
        network: Static.
        inputs: ``[samples, ...]``, a leaf.
        targets: ``[samples]`` of +-1, or ``[samples, outputs]``, centred or one-hot (see
            `models.targets.encode`), a leaf.
        decay: lambda in the mean normalisation, a scalar leaf.
        loss: Static.
    """

    inputs: Float[Array, "samples ..."]
    targets: Float[Array, "samples ..."]
    decay: Float[Array, ""]
    network: Network = eqx.field(static=True)
    loss: Loss = eqx.field(static=True)

    def __init__(
        self,
        network: Network,
        inputs: ArrayLike,
        targets: ArrayLike,
        decay: ArrayLike = 0.0,
        loss: Loss = losses.square,
    ) -> None:
        """Checks the parts against each other.

        Args:
            network: What computes the outputs.
            inputs: ``[samples, ...]``, finite; a warning says so if one is longer than 1.
            targets: Encoded targets, one per sample.
            decay: lambda >= 0.
            loss: The loss per sample, see `models.losses`.

        Raises:
            ValueError: If shapes do not fit, a value is not finite, the targets are in no known
                encoding or in none that the loss takes, or decay is negative.
        """
        self.inputs = _floating(inputs, "inputs")
        self.targets = _floating(targets, "targets").astype(self.inputs.dtype)
        self.decay = jnp.asarray(decay, self.inputs.dtype)
        self.network = network
        self.loss = loss
        _check_shapes(self)
        if not is_traced((self.inputs, self.targets)):
            _check_data(np.asarray(self.inputs), np.asarray(self.targets))
        _check_loss(loss, self.targets)
        if not is_traced(self.decay):
            _check_decay(np.asarray(self.decay))

    def _card(self) -> Card:
        return Card(
            f"Problem({self.network.name}, inputs {shape(self.inputs)}, targets "
            f"{shape(self.targets)}, {self.loss.name} loss, decay {told(self.decay)})"
        )


def outputs(problem: Problem, view: View) -> Float[Array, "samples ..."]:
    """Rho f_V(x_n) on the problem's inputs: ``[samples]`` or ``[samples, outputs]``."""
    return view.rho * view.evaluate(problem.network, problem.inputs)


def require_separate(
    problem: Problem, purpose: str, remedy: str = "take one without batch norm"
) -> None:
    """Refuses a network whose samples depend on each other.

    Args:
        problem: Whose network.
        purpose: What its samples must be separate for, a noun.
        remedy: What to do, an imperative.

    Raises:
        ValueError: If the network has batch norm.
    """
    if problem.network.couples:
        expected = f"a network without batch norm for {purpose}"
        raise refusal(expected, problem.network.name, remedy)


def data_loss(
    problem: Problem, view: View, sample_weights: Float[Array, "samples"] | None = None
) -> Float[Array, ""]:
    """Mean loss over samples, without decay.

    Args:
        problem: The problem.
        view: Where.
        sample_weights: Weights of mean one, all ones unless given.
    """
    losses_per_sample = problem.loss.per_sample(outputs(problem, view), problem.targets)
    if sample_weights is not None:
        losses_per_sample = sample_weights * losses_per_sample
    return jnp.mean(losses_per_sample)


def objective(
    problem: Problem, view: View, sample_weights: Float[Array, "samples"] | None = None
) -> Float[Array, ""]:
    """The objective on the spheres: `data_loss` plus decay times rho squared.

    Of a network without radius the decay is that of its weights, lambda sum_k |W_k|^2.
    """
    return data_loss(problem, view, sample_weights) + problem.decay * _decaying(view)


def _decaying(view: View) -> Float[Array, ""]:
    if isinstance(view, Unnormalised):
        return jnp.sum(squared_norms(view.directions))
    return view.rho**2


def take(problem: Problem, indices: Int[Array, "batch"]) -> Problem:
    """The same problem on some of its samples: a minibatch."""
    batch = (problem.inputs[indices], problem.targets[indices])
    return eqx.tree_at(lambda whole: (whole.inputs, whole.targets), problem, batch)


def decay_from_weight_decay(weight_decay: ArrayLike) -> ArrayLike:
    """Lambda of an optimiser's weight_decay w, which adds w x to the gradient: w / 2.

    Args:
        weight_decay: w, of any shape.
    """
    return jnp.asarray(weight_decay) / 2


def _floating(values: ArrayLike, name: str) -> Float[Array, "samples ..."]:
    array = jnp.asarray(values)
    if array.ndim == 0 or array.shape[0] == 0:
        raise refusal(f"{name} [samples, ...]", f"shape {array.shape}", "pass at least one sample")
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)


def _check_shapes(problem: Problem) -> None:
    samples = problem.inputs.shape[0]
    if problem.targets.shape[0] != samples:
        raise refusal(
            f"one target for each of {samples} inputs",
            f"targets {problem.targets.shape}",
            "pass inputs and targets of the same samples",
        )
    drawn = jax.eval_shape(problem.network.init, jax.random.key(0))
    dtype = problem.inputs.dtype  # of the inputs, which a run takes its weights to
    weights = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, dtype), drawn)
    try:
        made = jax.eval_shape(problem.network.apply, weights, problem.inputs).shape
    except (TypeError, ValueError) as error:
        raise refusal(
            f"inputs that fit {problem.network.name}",
            f"inputs {problem.inputs.shape}",
            "make the network for inputs of this shape",
        ) from error
    if made != problem.targets.shape:
        raise refusal(
            f"targets {made}, as {problem.network.name} gives",
            f"targets {problem.targets.shape}",
            "make the last width the number of outputs (1 for targets of shape [samples])",
        )


def _check_data(inputs: np.ndarray, targets: np.ndarray) -> None:
    for name, values in (("inputs", inputs), ("targets", targets)):
        bad = np.unique(np.argwhere(~np.isfinite(values))[:, 0])
        if bad.size:
            found = f"{bad.size} samples with NaN or infinity (first: sample {bad[0]})"
            raise refusal(f"finite {name}", found, "remove or repair them")
    if encoding_of(jnp.asarray(targets)) is None:
        sample = np.unique(targets)[:5].tolist()
        raise refusal(
            "targets +-1 [samples], or centred or one-hot [samples, classes]",
            f"shape {targets.shape} with values like {sample}",
            "encode class labels with models.encode(labels, 'signs')",
        )
    longest = float(jnp.max(input_norms(jnp.asarray(inputs))))
    if longest > 1 + 1e-5:
        message = (
            f"the longest input has norm {longest:.4g}, while the theory assumes |x| <= 1: "
            "margins and bounds scale with it; models.scale_inputs(inputs) divides by it"
        )
        warnings.warn(message, stacklevel=3)


def _check_loss(loss: Loss, targets: Float[Array, "samples ..."]) -> None:
    if not isinstance(loss, Loss):
        raise refusal("a models.Loss", repr(loss), "pass for example models.losses.exponential")
    found = ("signs",) if targets.ndim == 1 else ("centred", "one_hot")
    if not is_traced(targets):
        found = (encoding_of(targets) or "another encoding",)
    if not set(found) & set(loss.encodings):
        raise refusal(
            f"targets in {' or '.join(loss.encodings)} for the {loss.name} loss",
            " or ".join(found),
            f"encode class labels with models.encode(labels, '{loss.encodings[0]}')",
        )


def _check_decay(decay: np.ndarray) -> None:
    if decay.ndim or not np.isfinite(decay) or decay < 0:
        raise refusal("a finite scalar decay >= 0", decay, "pass decay=0.0 for none")
