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
# # 9. Differentiating through the flow
#
# A flow is a differentiable function of all that goes into it. Forward mode (`jax.jvp`) passes
# through `dynamics.simulate`, so that one can ask how the end of a run answers to its decay or its
# start, and turn the question round: which decay gives the end that I want?

# %% tags=["newton"]
import functools

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from rhoflow import dynamics, experiments, models
from rhoflow.dynamics import normalisation
from rhoflow.experiments.data import DataConfig, load
from rhoflow.experiments.plotting import BLUE, GREEN, GREY, ORANGE, STYLE, TIME_LABEL

jax.config.update("jax_enable_x64", True)
experiments.compile_quickly()
plt.style.use(STYLE)

digits = load(DataConfig("digits", classes=(3, 8), train=60, test=200, centre=True))
inputs = np.asarray(digits.train_inputs, np.float64)
targets = models.encode(digits.train_labels, "signs")
test_inputs = np.asarray(digits.test_inputs, np.float64)
test_targets = models.encode(digits.test_labels, "signs")

# %% [markdown]
# ## The decay that gives a wanted rho
#
# The network is smooth (its ReLU has a parabola for a kink, `models.smoothed_relu`, and keeps every
# homogeneity), and the flow ends at $t = 50$, before all is at rest, so that no formula knows the
# answer.

# %% tags=["newton"]
smooth = models.mlp((64, 16, 16, 1), activation=models.smoothed_relu(0.3))
problem = models.Problem(smooth, inputs, targets)
start = models.to_polar(smooth.init(jax.random.key(0)), rho=1.0)
flow = dynamics.gradient_flow(problem, step=0.25)


def final_rho(decay):
    moved = dynamics.replace(flow, decay=decay)
    end = dynamics.simulate(moved, start, times=[50.0], observe=dynamics.observe("rho"))
    return end["rho"][-1]


@jax.jit
def with_slope(decay):
    """rho(T) and its derivative in the decay, in one pass forward."""
    return jax.jvp(final_rho, (decay,), (jnp.ones_like(decay),))


# %% [markdown]
# At rest $1/\rho = (M + \lambda)/\mu$ would be linear in $\lambda$ if the directions stayed. So
# Newton's method goes on $1/\rho$, where it has least to do.

# %% tags=["newton"]
wanted, decay = 4.0, jnp.array(1e-3)
for step in range(20):
    rho, slope = with_slope(decay)
    print(f"step {step}: lambda = {decay:.10f}, rho(50) = {rho:.10f}, off by {rho - wanted:+.1e}")
    if abs(rho - wanted) < 1e-9:
        break
    decay -= (1 / wanted - 1 / rho) / (slope / rho**2)

# %% [markdown]
# The digits double at each step, as Newton's do where derivatives are right. A second opinion, by
# central differences, whose own error falls as $h^2$, until the jumps in the curvature of the
# smoothed ReLU are in the way:

# %%
for h in (1e-3, 1e-4, 1e-5, 1e-6):
    differences = (final_rho(decay + h) - final_rho(decay - h)) / (2 * h)
    print(f"h = {h:.0e}: {differences:.8f}, relative difference {differences / slope - 1:+.0e}")
print(f"derivative: {slope:.8f}")

# %% [markdown]
# ## What is left of the initial scale
#
# The same for the margin: $\partial \mu(T) / \partial \rho(0)$, over time, is the memory of the
# start. With decay it dies; without, it fades slowly. One run carries value and derivative at all
# times.

# %%
times = np.arange(0.0, 121.0, 10.0)


@functools.partial(jax.jit, static_argnums=1)
def margin_with_slope(scale, decay):
    moved = dynamics.replace(flow, decay=jnp.array(decay))

    def margin(scale):
        begin = models.Polar(scale, start.directions)
        ran = dynamics.simulate(moved, begin, times=times, observe=dynamics.observe("mu"))
        return ran["mu"]

    return jax.jvp(margin, (scale,), (jnp.ones_like(scale),))


figure, axes = plt.subplots(figsize=(5.6, 3.3))
for decay, colour in ((0.0, ORANGE), (0.02, BLUE)):
    _, slopes = margin_with_slope(jnp.array(10.0), decay)
    axes.plot(times, slopes, color=colour, label=f"$\\lambda$ = {decay:g}")
    print(f"lambda = {decay:g}: d mu / d rho(0) = {slopes[-1]:+.1e} at the end")
axes.axhline(0, color=GREY, linewidth=0.8)
axes.set(title="d(mean margin) / d(initial scale), from rho = 10", xlabel=TIME_LABEL)
axes.legend()
plt.show()

# %% [markdown]
# ## A schedule for rho
#
# A large start fits the data without learning much: with $\rho \bar f_n = 1$ everywhere, margins
# are $1/\rho$, and without decay rho stays large. [M112] 6.1 asks what the directions do if one
# *prescribes* rho. Then rho need not be left to itself:
#
# $$\rho(t) = \rho_{\rm end} + (40 - \rho_{\rm end})\, e^{-t/20} .$$
#
# All samples can have the margin $1/\rho_{\rm end}$ only if $\rho_{\rm end}$ is large enough; with
# less, some are given up. In between, the *least* margin is largest. `normalisation.scheduled`
# takes any function of time and of one more number, the start's rho, over which one may map and
# differentiate; here that number is $\rho_{\rm end}$. Now with true ReLUs.

# %%
LARGE = 40.0
network = models.mlp((64, 16, 16, 1))
problem = models.Problem(network, inputs, targets)
weights = network.init(jax.random.key(0))


def radius(time, end):
    return end + (LARGE - end) * jnp.exp(-time / 20)


times = np.arange(0.0, 121.0, 5.0)
look = dynamics.observe(
    "rho", "mu", "least_margin", test_error=dynamics.error_on(test_inputs, test_targets)
)
prescribed = dynamics.gradient_flow(problem, normalisation=normalisation.scheduled(radius))
ends = np.array([6.0, 8.0, 10.0, 11.0, 12.0, 14.0, 18.0, 26.0])
starts = [models.to_polar(weights, rho=end) for end in ends]
swept = dynamics.ensemble(prescribed, starts, times=times, observe=look)
best = int(np.argmax(swept["least_margin"][:, -1]))

plain = dynamics.gradient_flow(problem)
alone = dynamics.simulate(plain, models.to_polar(weights, rho=LARGE), times=times, observe=look)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.4))
left.plot(ends, swept["least_margin"][:, -1], "o-", color=BLUE, label="least margin")
left.plot(ends, swept["mu"][:, -1], "s-", color=GREEN, markersize=4, label="mean margin")
left.plot(ends, 1 / ends, color=GREY, linestyle="--", label="$1/\\rho_{end}$")
left.axhline(alone["least_margin"][-1], color=ORANGE, label="least margin of the plain flow")
left.set(title="margins at the end of the schedule", xlabel="$\\rho_{end}$", ylim=(-0.03, 0.15))
left.legend(fontsize=8)
right.plot(times, alone["least_margin"], color=ORANGE, label="plain flow from rho = 40")
right.plot(times, swept["least_margin"][best], color=BLUE,
           label=f"scheduled to rho = {ends[best]:g}")  # fmt: skip
right.set(title="least margin", xlabel=TIME_LABEL)
right.legend(fontsize=8)
for name, ran, row in (("plain flow", alone, -1), ("schedule", swept, (best, -1))):
    print(f"{name:10s} rho = {ran['rho'][row]:5.2f}, least margin {ran['least_margin'][row]:.4f}, "
          f"test error {ran['test_error'][row]:.1%}")  # fmt: skip

# %% [markdown]
# Is that the large-margin solution? An independent search, L-BFGS for the largest margin that all
# samples can have alike (`observables.largest_margin`), knows nothing of flows or of schedules:

# %%
barely = models.Problem(network, inputs, targets, decay=1e-5)
largest = dynamics.observables.largest_margin(barely, jax.random.key(1), starts=1, steps=100)
print(f"largest equal margin found: {largest.mu:.4f}, its spread {largest.sigma:.4f}")
print(f"the schedule's least margin: {swept['least_margin'][best, -1]:.4f}")

# %% [markdown]
# The schedule ends near there, from a start whose own flow has a third of that margin.
# (Its least margin may be a little larger than the largest equal one: it is not asked to be
# equal.)
