# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4. Equilibria, decay and the initial scale
#
# Where does rho come to rest, and does it remember where it started? With decay, theory says,
# $\rho_{\rm eq} = \mu/(M + \lambda)$, and the start is forgotten. Without, it is not.

# %%
import itertools

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from rhoflow import dynamics, experiments, models
from rhoflow.dynamics import normalisation, reduced
from rhoflow.experiments.data import DataConfig, load
from rhoflow.experiments.plotting import BLUE, GREEN, GREY, ORANGE, PREDICTED, RED, STYLE

jax.config.update("jax_enable_x64", True)
experiments.compile_quickly()
plt.style.use(STYLE)

digits = load(DataConfig("digits", classes=(3, 8), train=60, test=100, centre=True))
inputs = np.asarray(digits.train_inputs, np.float64).reshape(60, 64)
targets = models.encode(digits.train_labels, "signs")
network = models.mlp((64, 24, 24, 1))
problem = models.Problem(network, inputs, targets)

# %% [markdown]
# ## Four decays, three scales
#
# Twelve flows from the same directions, as one ensemble: `over=` gives each its decay.

# %%
decays, scales = (0.0, 1e-3, 5e-3, 2e-2), (0.5, 5.0, 25.0)
grid = list(itertools.product(decays, scales))
weights = network.init(jax.random.key(1))
starts = [models.to_polar(weights, rho=scale) for _, scale in grid]
held_out = models.encode(digits.test_labels, "signs")
test_inputs = np.asarray(digits.test_inputs, np.float64).reshape(100, 64)


def silent(problem, view):
    return jnp.mean(jnp.abs(view.evaluate(problem.network, problem.inputs)) < 1e-3)


look = dynamics.observe(
    "rho", "rho_eq", "mu",
    test_error=dynamics.error_on(test_inputs, held_out), silent=silent,
)  # fmt: skip
flow = dynamics.gradient_flow(problem)
ran = dynamics.ensemble(
    flow, starts, times=np.linspace(0, 200, 101), observe=look,
    over={"decay": [decay for decay, _ in grid]},
)  # fmt: skip

figure, panels = plt.subplots(1, 4, figsize=(11, 3), sharey=True)
colours = dict(zip(scales, (BLUE, GREEN, ORANGE), strict=True))
for member, (decay, scale) in enumerate(grid):
    axes = panels[decays.index(decay)]
    axes.plot(ran.times[member], ran["rho_eq"][member], **PREDICTED)
    axes.plot(ran.times[member], ran["rho"][member], color=colours[scale])
    axes.set(title=f"$\\lambda$ = {decay:g}", xlabel="time", ylim=(0, 27))
panels[0].set_ylabel("rho")

print("decay    rho(0)   rho  mu/(M+lambda)  mean margin  test error  silent samples")
for member, (decay, scale) in enumerate(grid):
    names = ("rho", "rho_eq", "mu", "test_error", "silent")
    rho, at_rest, mu, error, none = (ran[name][member, -1] for name in names)
    print(f"{decay:<8g} {scale:6} {rho:6.2f} {at_rest:10.2f} {mu:14.3f} {error:11.0%} {none:11.0%}")

# %% [markdown]
# Dashed is $\mu/(M+\lambda)$ along each run. Without decay the largest start stays where it is:
# rho is long enough for the data to be fitted by turning the directions a little, and with
# $\rho \bar f_n = 1$ for every sample the margins are small, $1/\rho$. Decay brings the larger
# starts together, the sooner the stronger it is.
#
# The smallest start rests on a lower line, with decay *its own* $\mu/(M+\lambda)$. In its first
# moments the output on one of the digits became next to nothing ("silent": $|f_V| < 10^{-3}$) and
# has stayed so since, mostly of the right sign, as the test error shows. It bought a larger mean
# margin on the other digit. A ReLU network has more than one place of
# rest, and which one it finds is something that decay does not forget.
#
# ## Following the equilibrium itself
#
# No flow needs to be waited for: `continuation` walks along the equilibria from decay to decay, by
# a trust region on the spheres. For a *deep linear* network the end is known, whatever its depth.
# It is ridge regression, $w = (X^T X / N + \lambda)^{-1} X^T y / N$, and $\rho = \|w\|$.

# %%
walk = np.logspace(-1, -6, 11)
linear = models.Problem(models.deep_linear((64, 8, 8, 1)), inputs, targets)
begin = models.to_polar(linear.network.init(jax.random.key(2)), rho=1.0)
found = dynamics.continuation(linear, begin, walk)
ridge = np.array([float(reduced.ridge.solution(inputs, targets, decay).rho) for decay in walk])
figure, axes = plt.subplots(figsize=(5.2, 3.2))
axes.loglog(walk, ridge, color=GREY, label="ridge regression, $\\|w\\|$")
axes.loglog(walk, found.rho, "o", color=BLUE, markersize=4, label="three linear layers")
axes.set(title="rho at rest", xlabel="$\\lambda$")
axes.legend()
print(f"largest relative difference: {np.max(np.abs(found.rho / ridge - 1)):.0e}")

# %% [markdown]
# ## When decay wins
#
# All of this is decay of the product, $\lambda \rho^2$. An optimiser's weight decay acts on each
# layer, $\lambda \sum_k \|W_k\|^2$, and then with three layers and more there is a second place of
# rest: zero. Layers that are too small pull each other down, since each one's gradient is the
# product of the others. For a chain of units the separatrix is known
# (`reduced.equilibria.with_layer_decay`).

# %%
layers, decay = 3, 0.15
chain = models.deep_linear((1,) * (layers + 1))
scalar = models.Problem(chain, np.full((2, 1), 0.8), np.ones(2), decay=decay)
rests = reduced.equilibria.with_layer_decay(0.8, 0.64, decay, layers)
free = dynamics.gradient_flow(scalar, normalisation=normalisation.free(), rtol=1e-8)
times = np.linspace(0, 40, 161)
figure, axes = plt.subplots(figsize=(5.6, 3.2))
for factor in (0.5, 0.95, 0.999, 1.001, 1.05, 3.0):
    size = (factor * float(rests.separatrix)) ** (1 / layers)
    begin = tuple(jnp.full((1, 1), size) for _ in range(layers))
    end = dynamics.simulate(free, begin, times=times, observe=dynamics.observe("rho"))
    axes.plot(times, end["rho"], color=BLUE if factor > 1 else RED)
    print(f"from {factor:5.3f} of the separatrix: rho = {end['rho'][-1]:.4f}")
axes.axhline(rests.stable, **PREDICTED)
axes.axhline(rests.separatrix, **PREDICTED)
axes.set(title="three units under layer decay: survival or collapse", xlabel="time", ylim=(0, None))
print(f"predicted: rest at {rests.stable:.4f}, separatrix at {rests.separatrix:.4f}")
