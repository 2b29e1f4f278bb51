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
# # 3. Where SGD leaves the flow
#
# Theory speaks of gradient flow; computers make steps. How far apart are the two, what corrects
# the difference, and what do momentum and batches add? We begin where everything is smooth: a deep
# linear network, in double precision.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from rhoflow import dynamics, experiments, models
from rhoflow.dynamics import normalisation, reduced
from rhoflow.experiments.plotting import BLUE, GREEN, GREY, ORANGE, PREDICTED, RED, STYLE

jax.config.update("jax_enable_x64", True)
experiments.compile_quickly()
plt.style.use(STYLE)

inputs, labels = models.tasks.separable_clusters(jax.random.key(3), 16, 6, spread=1.0)
targets = models.encode(labels, "signs")


def setting(network):
    problem = models.Problem(network, inputs, targets, decay=0.01)
    return problem, models.to_polar(network.init(jax.random.key(4)), rho=1.0)


# %% [markdown]
# ## Orders
#
# A step of gradient descent of rate $\eta$ is a step of the flow up to $O(\eta^2)$, so that after
# a fixed time the flow is wrong by $O(\eta)$. Two equations do better, both wrong by $O(\eta^2)$
# only:
#
# * the *corrected flow*, of the loss $\mathcal L + \frac{\eta}{4} \|\nabla \mathcal L\|^2$:
#   descent avoids steep places;
# * the *second-order equation* $\frac{\eta}{2} \ddot x + \dot x = -\nabla \mathcal L$: descent has
#   inertia. It has to start with the right velocity, on its slow manifold.
#
# `dynamics.orders` runs all of them beside descent at halving rates and fits the slopes.


# %%
def fitted(problem, start, momentum=0.0, **exact):
    return dynamics.orders(
        lambda rate: dynamics.gradient_descent(problem, rate, momentum=momentum, warm=momentum > 0),
        {
            "flow": lambda _: dynamics.gradient_flow(problem, **exact),
            "corrected flow": lambda rate: dynamics.corrected_flow(
                problem, rate, momentum=momentum, **exact
            ),
            "second order": lambda rate: dynamics.second_order_flow(
                problem, rate, momentum=momentum, initial_velocity="slower", **exact
            ),
        },
        start,
        learning_rates=[0.08, 0.04, 0.02],
        times=[1.6, 3.2, 4.8],
    )


def draw(axes, orders, title):
    marks = zip(orders.items(), (BLUE, GREEN, ORANGE), "osD", strict=True)
    for (name, order), colour, mark in marks:
        text = f"{name}: order {order.slope:.2f}"
        axes.loglog(order.learning_rates, order.errors, mark + "-", color=colour, label=text)
    axes.set(title=title, xlabel="learning rate")
    axes.legend(fontsize=8)


smooth = fitted(*setting(models.deep_linear((6, 8, 1))), rtol=1e-9)
kinked = fitted(*setting(models.mlp((6, 8, 8, 1))), step=0.005)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
draw(left, smooth, "deep linear network")
draw(right, kinked, "ReLU network")
left.set_ylabel("largest distance of outputs to descent")
plt.show()

# %% [markdown]
# On the smooth network the orders are 1, 2 and 2. On the ReLU network the corrections still help,
# but their order is gone: a step may cross a kink, where the gradient jumps, and no expansion in
# $\eta$ knows of jumps.
#
# ## Momentum
#
# Heavy ball with momentum $\beta$ runs on the time $\eta/(1-\beta)$ per step, which is what the
# library does, and has the inertia $\eta (1 + \beta) / (2 (1 - \beta)^2)$ in it in place of
# $\eta/2$. The equations above hold with that:

# %%
momentum = fitted(*setting(models.deep_linear((6, 8, 1))), momentum=0.5, rtol=1e-9)
for name, order in momentum.items():
    print(f"{name:15s} order {order.slope:.2f}, error at the smallest rate {order.errors[-1]:.1e}")

# %% [markdown]
# ## Does rho ring?
#
# An equation of second order may oscillate. With the directions held, rho is a damped oscillator,
# and it rings if and only if $4 \eta (M + \lambda) > 1$. Descent itself alternates only from
# $\eta h > 1$ on, $h = 2(M + \lambda)$; between the two, the equation rings and descent does not.

# %%
mode = reduced.oscillator.radial_mode(0.5, 0.4, 0.1)
times = np.linspace(0, 12, 300)
figure, panels = plt.subplots(1, 3, figsize=(10, 3), sharey=True)
for axes, rate in zip(panels, (0.3, 0.9, 1.5), strict=True):
    steps = np.arange(0, 12.01, rate)
    equation = reduced.oscillator.second_order(
        times, mode=mode, start=2.0, velocity=0.0, inertia=rate / 2
    )
    descended = reduced.oscillator.descent(
        np.arange(len(steps)), mode=mode, start=2.0, learning_rate=rate
    )
    axes.plot(times, reduced.oscillator.flow(times, mode=mode, start=2.0), color=BLUE)
    axes.plot(times, equation, color=ORANGE)
    axes.plot(steps, descended, "o", color=GREY, markersize=4)
    axes.set(title=f"$4 \\eta (M + \\lambda)$ = {4 * rate * 0.5:.1f}", xlabel="time")
for text, colour, height in (("flow", BLUE, 1.9), ("equation", ORANGE, 1.7), ("steps", GREY, 1.5)):
    panels[2].annotate(text, (8, height), color=colour)
panels[0].set_ylabel("rho")
plt.show()

# %% [markdown]
# ## Noise
#
# Batches scatter the gradient. With the directions held at the point of rest, rho should wander
# with the variance
#
# $$\operatorname{Var} \rho = \frac{\eta S}{2 h B}, \qquad
# S = \operatorname{Var}_n (2\, l_n \bar f_n), \quad h = 2 (M + \lambda),$$
#
# $l_n = 1 - \rho \bar f_n$. Two thousand runs of SGD from one point decide.

# %%
problem, start = setting(models.deep_linear((6, 8, 1)))
rest = dynamics.continuation(problem, start, [0.05])
at_rest = models.Polar(rest.position.rho[0], tuple(v[0] for v in rest.position.directions))
problem = models.Problem(problem.network, inputs, targets, decay=0.05)
margins = dynamics.observables.BY_NAME["margins"](problem, at_rest)
curvature = 2 * (rest.second_moment[0] + 0.05)
spread = jnp.var(2 * (1 - rest.rho[0] * margins) * margins)
rate, batch, members = 0.1, 4, 2000
known = rate * spread / (2 * curvature * batch)

many = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (members, *leaf.shape)), at_rest)
times = np.arange(0, 61) * 1.0
look = dynamics.observe("rho")
cases = {"directions held": normalisation.sphere(frozen=(0, 1)), "all free": None}
batches = dynamics.batches.with_replacement(len(targets), batch)
figure, axes = plt.subplots(figsize=(5.6, 3.4))
for (name, kind), colour in zip(cases.items(), (BLUE, RED), strict=True):
    sgd = dynamics.sgd(problem, rate, batches=batches, normalisation=kind)
    ran = dynamics.ensemble(sgd, many, times=times, observe=look, key=jax.random.key(5),
                            batching="vmap")  # fmt: skip
    variance = np.var(ran["rho"], axis=0)
    axes.plot(times, variance, color=colour, label=name)
    late = variance[30:].mean()
    shift = np.mean(ran["rho"][:, 30:]) - rest.rho[0]
    print(
        f"{name}: Var rho = {late:.2e} ({known:.2e} by the formula), mean rho off by {shift:+.3f}"
    )
axes.axhline(known, **PREDICTED)
axes.set(title="variance of rho over 2,000 runs of SGD", xlabel="time", ylim=(0, None))
axes.legend()
plt.show()

# %% [markdown]
# With the directions held, the formula is right to a few percent (what is left is of relative
# order $\eta h$, and sampling). Set free, the directions add noise of their own and pull the mean
# of rho below its place of rest: the flow is where SGD would be without noise, not where SGD is on
# average.
