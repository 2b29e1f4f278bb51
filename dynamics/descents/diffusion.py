"""SGD as a stochastic differential equation, with the noise that its batches make.

    dx = -grad U dt + sqrt(eta c Sigma / B) dW,

with Sigma the covariance of the per-sample gradients, B the batch size and eta the learning rate of
the SGD that is followed; c = (N - B) / (N - 1) for batches without replacement, 1 with.

The noise needs no matrix: a loss whose sample weights are 1 + xi_n - mean(xi), with xi_n Gaussian,
has a gradient with just that covariance. An Euler-Maruyama step of length dt is therefore a step of
gradient descent of rate dt on weighted samples, with Var xi = eta c N / (B dt), and everything that
holds for descent (resuming, ensembles, normalisations) holds here.

The noise of SGD is *anisotropic*, large where samples disagree. ``noise="isotropic"`` has the same
trace, spread evenly over all coordinates, for comparison: each draw keeps its length and is turned
to a random direction.

With the directions held fixed, rho has the mean rho_eq and, for small eta, the variance
eta S c / (2 h B), S the variance over samples of 2 l_n fbar_n and h = 2 (M + lambda).

Source: [Dyn] section 6.2; [M112] appendix E.
"""

import dataclasses

import jax.numpy as jnp
import optax
from jaxtyping import ArrayLike

from ...models.checks import is_traced, refusal, single, unknown
from ...models.problem import Problem
from ..normalisation import Normalisation
from ..normalisation.fitting import samples_apart
from ..ranges import check_batch_size
from ..types import Dynamics
from .batches import gaussian_weights
from .descent import descent

NOISES = ("anisotropic", "isotropic")


def diffusion(
    problem: Problem,
    learning_rate: ArrayLike,
    *,
    batch_size: int,
    step: ArrayLike,
    replacement: bool = False,
    noise: str = "anisotropic",
    normalisation: Normalisation | None = None,
) -> Dynamics:
    """The diffusion that follows SGD.

    Args:
        problem: What is learned.
        learning_rate: eta of the SGD, which sets the size of the noise.
        batch_size: B of the SGD.
        step: Length of an Euler-Maruyama step, in units of time; at most a fraction of 1 / h.
        replacement: Whether the SGD draws its batches with replacement.
        noise: ``"anisotropic"``, as SGD makes it, or ``"isotropic"``, of the same trace.
        normalisation: Which coordinates move; the product of spheres unless given.

    Returns:
        A dynamics whose steps take ``step`` units of time; it needs a key. Its noise knows rate
        and step, so that neither is replaced or varied: build it anew.

    Raises:
        ValueError: If the batch size is not in 1..samples, rate or step are not positive numbers,
            or the noise is unknown; if it is isotropic and the network has masked layers.
    """
    samples_apart(problem, "diffusion")
    samples = problem.inputs.shape[0]
    if noise not in NOISES:
        raise unknown("noise", noise, NOISES)
    check_batch_size(batch_size, samples)
    single("learning_rate", learning_rate)
    single("step", step)
    if not is_traced((learning_rate, step)) and not (
        0 < jnp.asarray(learning_rate) < jnp.inf and 0 < jnp.asarray(step) < jnp.inf
    ):
        raise refusal(
            "a finite, positive learning rate and step",
            f"{learning_rate} and {step}",
            "change them",
        )
    share = 1.0 if replacement else (samples - batch_size) / max(samples - 1, 1)
    variance = jnp.asarray(learning_rate) * share * samples / (batch_size * jnp.asarray(step))
    drawn = gaussian_weights(
        samples, variance.astype(problem.inputs.dtype), isotropic=noise == "isotropic"
    )
    drawn = dataclasses.replace(drawn, tied=("learning_rate",))
    return descent(
        problem, optax.sgd, step, name="diffusion", batches=drawn, normalisation=normalisation
    )
