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
# # 1. A first flow
#
# A ReLU network without biases is homogeneous: double one layer and the output doubles. So write
# every layer as a length times a direction, $W_k = \rho_k V_k$ with $\|V_k\| = 1$, and the network
# as
#
# $$f_W(x) = \rho\, f_V(x), \qquad \rho = \prod_k \rho_k .$$
#
# Training is then two stories: the directions $V_k$ turn, and one number $\rho$ grows until it
# finds its place. This chapter watches both, on two digits that are easy to mix up.

# %%
import jax
import matplotlib.pyplot as plt
import numpy as np

from rhoflow import dynamics, experiments, models
from rhoflow.experiments.data import DataConfig, load
from rhoflow.experiments.plotting import BLUE, GREEN, ORANGE, PREDICTED, STYLE, TIME_LABEL

plt.style.use(STYLE)
experiments.compile_quickly()
digits = load(DataConfig("digits", classes=(3, 8), train=100, test=100, centre=True))

figure, row = plt.subplots(1, 8, figsize=(8, 1.2))
for axes, image, label in zip(row, digits.train_inputs, digits.train_labels, strict=False):
    axes.imshow(image.reshape(8, 8), cmap="Greys")
    axes.set_title((3, 8)[label])
    axes.axis("off")

# %% [markdown]
# ## The problem and its flow
#
# With targets $y_n = \pm 1$ the loss is
#
# $$\mathcal L = \frac1N \sum_n \bigl(1 - \rho \bar f_n\bigr)^2 + \lambda \rho^2, \qquad
# \bar f_n = y_n f_V(x_n),$$
#
# where $\bar f_n$ is the *margin* of a sample. Gradient flow goes down this loss in continuous
# time, $\rho' = -\partial \mathcal L / \partial \rho$ and $V_k'$ the same on the unit sphere. Time
# is the running sum of the learning rates, so that descent can be laid beside it.

# %%
targets = models.encode(digits.train_labels, "signs")
network = models.mlp((64, 32, 32, 1))
problem = models.Problem(network, digits.train_inputs, targets, decay=2e-3)
start = models.to_polar(network.init(jax.random.key(0)), rho=1.0)
problem

# %%
times = np.linspace(0, 150, 301)
look = dynamics.observe("loss", "rho", "rho_eq", "mu", "M", "gap", "margins", "train_error")
flow, error = dynamics.simulate_with_error(
    dynamics.gradient_flow(problem), start, times=times, observe=look
)
flow

# %% [markdown]
# `simulate_with_error` runs the flow once more with coarser steps beside it, and states how wrong
# the finer one is. So rho and the loss have error bars:

# %%
print(f"rho ends at {flow['rho'][-1]:.4f}, give or take {error.rho:.0e}")
print(f"the loss at {flow['loss'][-1]:.4f}, give or take {error.loss:.0e}")

# %% [markdown]
# ## Where rho rests
#
# With the mean margin $\mu = \frac1N \sum_n \bar f_n$ and the mean square
# $M = \frac1N \sum_n \bar f_n^2$ the loss is a parabola in $\rho$,
# $\mathcal L = 1 - 2\rho\mu + \rho^2 (M + \lambda)$, and
#
# $$\rho' = 2\bigl(\mu - \rho\,(M + \lambda)\bigr), \qquad
# \rho_{\rm eq} = \frac{\mu}{M + \lambda} .$$
#
# $\rho_{\rm eq}$ moves while the directions learn. Rho chases it and settles where it has stopped.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
left.plot(times, flow["rho_eq"], **PREDICTED)
left.plot(times, flow["rho"], color=BLUE)
left.annotate("$\\rho$", (times[40], flow["rho"][40]), (30, 2.2), color=BLUE)
left.annotate("$\\mu / (M + \\lambda)$", (0, 0), (20, flow["rho_eq"][40] + 0.6), color="0.35")
left.set(title="rho and where it would rest", xlabel=TIME_LABEL, ylim=(0, None))
for when, colour in zip((0, 10, 150), ("0.7", ORANGE, GREEN), strict=True):
    at = int(np.argmin(abs(times - when)))
    right.hist(flow["margins"][at], 30, range=(-0.05, 0.2), color=colour, alpha=0.75)
    right.annotate(f"t = {when}", (0, 0), (flow["mu"][at] + 0.01, 30 if when else 45), color=colour)
right.axvline(0, color="0.3", linewidth=0.8)
right.set(title="margins of the samples", xlabel="$\\bar f_n = y_n f_V(x_n)$", ylabel="samples")
plt.show()

# %% [markdown]
# The margins begin in a heap about zero (a random network knows nothing), spread out to the right,
# and move on together, but for a few samples on which the network is silent. Two checks, each of
# something that the integrator was never told. The speed of
# rho, by central differences of the curve above, is the $\rho'$ of the formula; and at rest the
# loss that is left is *the gap*
# $\varepsilon = (\sigma^2 + \lambda) / (\mu^2 + \sigma^2 + \lambda)$, $\sigma^2 = M - \mu^2$.

# %%
speed = np.gradient(flow["rho"], times)[1:-1]
formula = 2 * (flow["mu"] - flow["rho"] * (flow["M"] + problem.decay))[1:-1]
print(f"rho' at t = 10:  {speed[19]:.5f} measured, {formula[19]:.5f} by the formula")
print(f"rho at the end: {flow['rho'][-1]:.4f},  mu/(M + lambda): {flow['rho_eq'][-1]:.4f}")
print(f"loss at the end: {flow['loss'][-1]:.4f},  the gap: {flow['gap'][-1]:.4f}")
print(f"training error: {flow['train_error'][-1]:.0%}")

# %% [markdown]
# ## The same with steps
#
# SGD is another value of the same type, run by the same driver on the same axis of time.
# `experiments.plot` draws what was observed, with what theory says over it.

# %%
steps = dynamics.sgd(problem, learning_rate=0.05, batch_size=20)
sgd = dynamics.simulate(steps, start, times=times, observe=look, key=jax.random.key(1))
experiments.plot({"flow": flow, "SGD": sgd}, "rho", "loss")

# %%
print(f"SGD ends at rho = {sgd['rho'][-1]:.3f}, the flow at {flow['rho'][-1]:.3f}")

# %% [markdown]
# How near they stay, and what to do about the difference, is chapter 3. Where the flow rests, and
# what it remembers of its start, is chapter 4.
