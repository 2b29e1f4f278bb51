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
# # 7. Your own network, your own data, your own observable
#
# Three things that are yours, each in one cell. First the data: plain arrays. Two rings are not
# separable by anything linear, and a network without biases needs a constant coordinate to tell the
# inner one from the outer one.

# %%
import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from rhoflow import dynamics, experiments, models
from rhoflow.experiments.plotting import BLUE, ORANGE, PREDICTED, STYLE, TIME_LABEL

plt.style.use(STYLE)
experiments.compile_quickly()
random = np.random.default_rng(0)
labels = np.arange(120) % 2
angle = random.uniform(0, 2 * np.pi, 120)
radius = np.where(labels == 1, 1.0, 0.5) + 0.06 * random.standard_normal(120)
rings = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
inputs = models.scale_inputs(models.append_constant(rings))
print(f"longest input: {np.max(models.input_norms(inputs)):.3f}")

# %% [markdown]
# `scale_inputs` makes the longest input of unit length, as the theory assumes.
#
# ## A network of your own
#
# Any flax module will do whose output scales with each of its arrays: `models.from_flax` tests
# that and says which array breaks it. Here is one that the library does not have, and its flow in
# polar coordinates:


# %% tags=["own-network"]
class Gated(nn.Module):
    """A gated layer, as in today's language models: what passes times a ReLU that lets it pass."""

    @nn.compact
    def __call__(self, x):
        gate = nn.relu(nn.Dense(32, use_bias=False)(x))
        passes = nn.Dense(32, use_bias=False)(x)
        return nn.Dense(1, use_bias=False)(gate * passes)


network = models.from_flax(Gated(), inputs)
problem = models.Problem(network, inputs, models.encode(labels, "signs"), decay=1e-4)
start = models.to_polar(network.init(jax.random.key(0)), rho=30.0)
flow = dynamics.gradient_flow(problem)
look = dynamics.observe("rho", "rho_eq", "mu", "train_error")
ran = dynamics.simulate(flow, start, times=np.linspace(0, 400, 101), observe=look)

# %%
print(f"degrees: {network.degrees}, shapes: {[w.shape for w in start.directions]}")
print(f"rho = {ran['rho'][-1]:.2f}, mu/(M + lambda) = {ran['rho_eq'][-1]:.2f}")
print(f"training error: {ran['train_error'][-1]:.1%}")

figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.4))
left.plot(ran.times, ran["rho_eq"], **PREDICTED)
left.plot(ran.times, ran["rho"], color=BLUE)
left.set(title="rho, and mu / (M + lambda)", xlabel=TIME_LABEL)
ticks = np.linspace(-1.3, 1.3, 80)
plane = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
scale = inputs[0, -1]  # what the constant coordinate became
grid = jnp.concatenate([plane * scale, jnp.full((len(plane), 1), scale)], axis=1)
final = ran.final.position
says = (final.rho * network.apply(final.directions, grid)).reshape(80, 80)
right.contourf(ticks, ticks, says, [-9, 0, 9], colors=["#fbe3bd", "#cfe3f2"])
right.scatter(*rings.T, c=[(ORANGE, BLUE)[label] for label in labels], s=10)
right.set(title="what it says of the plane", aspect="equal")
right.grid(visible=False)
plt.show()

# %% [markdown]
# A module that is not homogeneous has no polar coordinates, and is told so by the name of what
# breaks it. A bias, for example:


# %%
class Biased(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1, use_bias=False)(nn.relu(nn.Dense(8)(x)))


try:
    models.from_flax(Biased(), inputs)
except ValueError as refusal:
    print(refusal)

# %% [markdown]
# ## An observable of your own
#
# An observable is a function of a problem and a view. Here are two: the angle between $V_1$ and
# the place where it began, and the share of the margins that are within a tenth of their mean.
# They are looked at along a sweep over the decay, all members in one compiled program:


# %% tags=["own-observable"]
def turned(problem, view):
    cosine = jnp.vdot(view.directions[0], start.directions[0])
    return jnp.rad2deg(jnp.arccos(jnp.clip(cosine, -1, 1)))


def gathered(problem, view):
    margins = problem.targets * view.evaluate(problem.network, problem.inputs)
    return jnp.mean(jnp.abs(margins / jnp.mean(margins) - 1) < 0.1)


decays = jnp.array([1e-5, 1e-4, 1e-3, 1e-2])
look = dynamics.observe("rho", "rho_eq", turned=turned, gathered=gathered)
swept = dynamics.ensemble(
    flow, start, times=np.linspace(0, 400, 41), observe=look, over={"decay": decays}
)

# %%
figure, panels = plt.subplots(1, 3, figsize=(10, 3), sharex=True)
titles = ("rho", "angle of $V_1$ to its start (degrees)", "share of margins within 10 % of mean")
for axes, name, title in zip(panels, ("rho", "turned", "gathered"), titles, strict=True):
    for member, decay in enumerate(decays):
        shade = plt.cm.viridis(0.85 * member / 3)
        axes.plot(swept.times[member], swept[name][member], color=shade, label=f"{decay:.0e}")
    axes.set(title=title, xlabel="time")
panels[2].legend(title="$\\lambda$")
for member, decay in enumerate(decays):
    end = {name: float(swept[name][member, -1]) for name in swept.observations}
    print(f"lambda = {decay:.0e}: rho {end['rho']:7.2f} ({end['rho_eq']:7.2f} predicted), "
          f"{end['turned']:3.0f} degrees, {end['gathered']:4.0%} gathered")  # fmt: skip

# %% [markdown]
# Networks that somebody else trained come in by `experiments.read_weights` (NumPy arrays, a PyTorch
# state dict, flax parameters), and every observable can be asked of them.
