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
# # 2. Polar coordinates, and what they buy
#
# Chapter 1 wrote a network as one radius and a direction for each layer. This one shows what that
# is good for: which numbers of a network do not matter, which equation is left when they are gone,
# and how far pencil and paper then go. All in double precision, so that identities hold to
# round-off.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from rhoflow import dynamics, experiments, models
from rhoflow.dynamics import normalisation, reduced
from rhoflow.experiments.data import DataConfig, load
from rhoflow.experiments.plotting import BLUE, GREEN, GREY, ORANGE, PREDICTED, PURPLE, STYLE

jax.config.update("jax_enable_x64", True)
experiments.compile_quickly()
plt.style.use(STYLE)

digits = load(DataConfig("digits", classes=(3, 8), train=60, test=0, centre=True))
inputs = np.asarray(digits.train_inputs, np.float64)
network = models.mlp((64, 16, 16, 1))
problem = models.Problem(network, inputs, models.encode(digits.train_labels, "signs"), decay=2e-3)
weights = network.init(jax.random.key(0))

# %% [markdown]
# ## Homogeneity
#
# Without biases, $f$ is homogeneous of degree one in each layer, and Euler's theorem says
#
# $$\Bigl\langle W_k, \frac{\partial f}{\partial W_k} \Bigr\rangle = f \qquad
# \text{for every layer } k, \text{ at every sample.}$$
#
# So every gradient has a part along its own layer that is fixed by the output alone: the part that
# changes lengths. Take it away and directions are left.


# %%
def output(weights):
    return network.apply(weights, inputs)


slopes = jax.jacobian(output)(weights)
for layer, (w, slope) in enumerate(zip(weights, slopes, strict=True), start=1):
    worst = jnp.max(jnp.abs(jnp.sum(slope * w[None], axis=(1, 2)) - output(weights)))
    print(f"layer {layer}: <W, df/dW> = f to {worst:.0e}")

# %% [markdown]
# A start with the weights rescaled by $10$, $\frac1{2}$ and $\frac1{5}$ is the same function, the
# same $\rho$ and the same directions:

# %%
rescaled = tuple(w * c for w, c in zip(weights, (10, 1 / 2, 1 / 5), strict=True))
one, two = models.to_polar(weights), models.to_polar(rescaled)
print("layer norms", *(f"{x:.3f}" for x in models.layer_norms(weights)), f" rho = {one.rho:.6f}")
print("layer norms", *(f"{x:.3f}" for x in models.layer_norms(rescaled)), f" rho = {two.rho:.6f}")

# %% [markdown]
# Does training know the difference? The flow of the weights themselves does: layers of unequal size
# turn at unequal speeds, $V_k' \propto 1/\rho_k^2$. In polar coordinates there is nothing to know.

# %%
times = np.linspace(0, 40, 81)
look = dynamics.observe("rho", "loss")
own = models.to_polar(weights, rho=1.0)
starts = {
    "equal norms": models.to_weights(own),
    "norms 3, 1/2, 2/3": tuple(
        v * c for v, c in zip(own.directions, (3.0, 1 / 2, 2 / 3), strict=True)
    ),
}
in_weights = dynamics.gradient_flow(problem, normalisation=normalisation.free("product"))
in_polar = dynamics.gradient_flow(problem)
figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for axes, flow, title in zip(
    panels,
    (in_weights, in_polar),
    ("flow of the weights", "flow in polar coordinates"),
    strict=True,
):
    for (name, start), style in zip(starts.items(), ("-", ":"), strict=True):
        begin = models.to_polar(start) if flow is in_polar else start
        ran = dynamics.simulate(flow, begin, times=times, observe=look)
        axes.plot(times, ran["rho"], color=BLUE, linestyle=style, linewidth=2.4, label=name)
        print(f"{title}, {name}: rho = {ran['rho'][-1]:.6f} at the end")
    axes.set(title=title, xlabel="time")
panels[0].set_ylabel("rho")
panels[0].legend()
plt.show()

# %% [markdown]
# What the weights remember of their norms is a conserved quantity: with decay on the product,
# $\|W_j\|^2 - \|W_k\|^2$ never changes, and with decay on each layer it dies as $e^{-4\lambda t}$.
# The second start keeps its imbalance for ever. Polar coordinates divide this symmetry out.
#
# ## A parabola
#
# With the directions fixed the loss is a parabola in $\rho$, and two moments of the margins say
# all: $\mathcal L(\rho) = 1 - 2 \rho \mu + \rho^2 (M + \lambda)$. Learning by directions moves the
# bottom of the parabola down, and in the end to the right.

# %%
moments = dynamics.observe("mu", "M", "loss", "rho", "rho_eq", "gap")
ran = dynamics.simulate(in_polar, own, times=[0.0, 5.0, 15.0, 100.0], observe=moments)
radii = np.linspace(0, 12, 100)
figure, axes = plt.subplots(figsize=(5.4, 3.4))
for at, colour in enumerate((GREY, ORANGE, GREEN, BLUE)):
    mu, second, time = ran["mu"][at], ran["M"][at], ran.times[at]
    axes.plot(radii, 1 - 2 * radii * mu + radii**2 * (second + 2e-3), color=colour,
              label=f"t = {time:.0f}")  # fmt: skip
    axes.plot(ran["rho"][at], ran["loss"][at], "o", color=colour)
    axes.plot(ran["rho_eq"][at], ran["gap"][at], "x", color=colour)
axes.set(ylim=(0, 1.3), xlabel="rho", title="Loss over rho; dots: the flow, crosses: the bottom")
axes.legend()
plt.show()

# %% [markdown]
# ## Closed forms
#
# Take the directions away altogether: a chain of $L$ single linear units has none. If all layers
# start with the same norm, only rho is left, and the flow of the weights becomes
#
# $$\rho' = 2 L\, \rho^{\,2 - 2/L} (\mu - \rho M),$$
#
# a logistic equation for $L = 2$, with closed forms for every $L$ (`dynamics.reduced.logistic`).
# The lines below are the closed forms, the dots the simulator moving actual weights.

# %%
times = np.linspace(0, 6, 25)
fine = np.linspace(0, 6, 400)
figure, axes = plt.subplots(figsize=(5.8, 3.4))
for layers, colour in zip((1, 2, 3, 4), (GREY, BLUE, ORANGE, PURPLE), strict=True):
    chain = models.deep_linear((1,) * (layers + 1))
    scalar = models.Problem(chain, np.full((2, 1), 0.8), np.ones(2))
    first = tuple(jnp.full((1, 1), 0.02 ** (1 / layers)) for _ in range(layers))
    moving = dynamics.gradient_flow(scalar, normalisation=normalisation.free(), rtol=1e-9)
    ran = dynamics.simulate(moving, first, times=times, observe=dynamics.observe("rho"))
    known = {"start": 0.02, "mean_margin": 0.8, "second_moment": 0.64, "layers": layers}
    axes.plot(fine, reduced.logistic.rho(fine, **known), color=colour, label=f"L = {layers}")
    axes.plot(times, ran["rho"], ".", color=colour)
    worst = np.max(np.abs(ran["rho"] - reduced.logistic.rho(times, **known)))
    print(f"L = {layers}: the flow and the closed form differ by {worst:.0e}")
axes.axhline(0.8 / 0.64, **PREDICTED)
axes.set(title="rho of a chain of L units, from 0.02", xlabel="time")
axes.legend()
plt.show()

# %% [markdown]
# Deep chains wait, and then hurry: the plateau before the rise is what depth adds to the flow of
# weights. In polar coordinates, where $\rho' = 2(\mu - \rho M)$ whatever the depth, every $L$ is
# the grey curve.
