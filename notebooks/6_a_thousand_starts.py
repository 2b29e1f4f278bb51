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
# # 6. A thousand starts
#
# One run is an anecdote. Here are a thousand, of one small network on two digits, each with a
# start of its own, in one compiled program. What do they agree on, and what does the radius at the
# end say of the test error?

# %%
import jax
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from rhoflow import dynamics, experiments, models
from rhoflow.experiments.data import DataConfig, load
from rhoflow.experiments.plotting import BLUE, GREY, ORANGE, PREDICTED, STYLE, TIME_LABEL

plt.style.use(STYLE)
experiments.compile_quickly()
digits = load(DataConfig("digits", classes=(3, 8), train=40, test=250, centre=True))
network = models.mlp((64, 12, 12, 1))
targets = models.encode(digits.train_labels, "signs")
problem = models.Problem(network, digits.train_inputs, targets, decay=1e-3)
held_out = dynamics.error_on(digits.test_inputs, models.encode(digits.test_labels, "signs"))

members = 1000
keys = jax.random.split(jax.random.key(0), members)
starts = jax.vmap(lambda key: models.to_polar(network.init(key), rho=3.0))(keys)
starts.rho.shape

# %% [markdown]
# `starts` is one `Polar` whose arrays have the members first. Full-batch descent at rate 0.25,
# to time 100. (`dynamics.memory` says beforehand what an ensemble will take.)

# %%
descent = dynamics.gradient_descent(problem, 0.25)
look = dynamics.observe("rho", "rho_eq", "mu", "loss", "train_error", test_error=held_out)
times = np.concatenate([[0, 0.25], np.arange(5, 101, 5)])
ran = dynamics.ensemble(descent, starts, times=times, observe=look)
ran

# %% [markdown]
# ## Bands
#
# The middle half and the middle nine tenths of all runs.

# %%
low, quarter, middle, other, high = np.quantile(ran["rho"], (0.05, 0.25, 0.5, 0.75, 0.95), axis=0)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.4))
left.fill_between(times, low, high, color=BLUE, alpha=0.15, linewidth=0)
left.fill_between(times, quarter, other, color=BLUE, alpha=0.3, linewidth=0)
left.plot(times, middle, color=BLUE)
left.plot(times, np.median(ran["rho_eq"], axis=0), **PREDICTED)
left.set(title="rho: median and bands of a thousand", xlabel=TIME_LABEL, ylim=(0, None))
final, predicted = ran["rho"][:, -1], ran["rho_eq"][:, -1]
right.plot(predicted, final, ".", color=BLUE, markersize=3, alpha=0.5)
ends = [float(final.min()), float(final.max())]
right.plot(ends, ends, **PREDICTED)
right.set(title="rho at the end against $\\mu/(M+\\lambda)$", xlabel="predicted", ylabel="rho")
behind = 1 - final / predicted
print(f"rho at the end: {np.median(final):.2f}, from {final.min():.2f} to {final.max():.2f}")
print(f"behind mu/(M + lambda) by {np.median(behind):.1%} (median), at most {behind.max():.1%}")

# %% [markdown]
# Most runs end within a few percent of each other, each behind its own $\mu/(M+\lambda)$:
# directions go on learning slowly, and rho follows. The handful at half of that radius are those of
# chapter 4, which gave up a part of their samples early.
#
# ## A start is a coin
#
# A random network classifies at random, so that its mean margin $\mu$ is positive for half of all
# starts. Where $\mu < 0$ rho has to *fall* first, before the directions have turned; and so it does
# wherever it is above $\mu/(M+\lambda)$, which at nearly every start is below 3:

# %%
right_side = np.asarray(ran["mu"][:, 0] > 0)
early = ran["rho"][:, 1] < ran["rho"][:, 0]
error = 0.5 / np.sqrt(members)
print(f"mu > 0 at the start: {right_side.mean():.1%} (a coin: 50 % +- {error:.1%})")
print(f"rho falls at first: {early.mean():.0%} of all, {early[~right_side].mean():.0%} of mu < 0")

# %% [markdown]
# ## Does the radius know the test error?
#
# Where all samples have the margin $m$, $\rho \approx 1/m$: a small radius is a large margin, and
# bounds on the test error fall with rho. Among runs that differ in nothing but the start, one
# would expect less error where $1/\rho$ is larger.

# %%
test = np.asarray(ran["test_error"][:, -1])
fitted = np.asarray(ran["train_error"][:, -1] == 0)
correlation = stats.spearmanr(1 / final[fitted], test[fitted]).statistic
figure, axes = plt.subplots(figsize=(5.2, 3.4))
jitter = np.random.default_rng(0).uniform(-0.002, 0.002, members)
axes.plot(1 / final[~fitted], (test + jitter)[~fitted], ".", color=ORANGE, markersize=4)
axes.plot(1 / final[fitted], (test + jitter)[fitted], ".", color=BLUE, markersize=4, alpha=0.4)
axes.set(title="a thousand ends (orange: training errors left)", xlabel="1 / rho",
         ylabel="test error")  # fmt: skip
axes.axhline(np.median(test), color=GREY, linewidth=0.8)
print(f"{fitted.sum()} of {members} runs fit all training samples; their test error is "
      f"{test[fitted].mean():.1%} +- {test[fitted].std():.1%}")  # fmt: skip
print(f"rank correlation of 1/rho and test error among them: {correlation:+.2f} "
      f"(standard error {1 / np.sqrt(fitted.sum()):.2f})")  # fmt: skip

# %% [markdown]
# There is, by several standard errors and of the sign that a large margin would suggest ([Dyn]
# Fig. 5 shows the other one: docs/theory.md, 12.3), but it is little: among runs that
# fit their data the radius explains hardly anything of the test error. (Ranks are correlated, not
# values, because a single run far out would decide otherwise.) The two orange groups, at less and
# at much less than the common radius, are another matter: their margin is large on the mean only.
#
# The same from the command line, over a grid and with seeds, kept on the disk, and taken up again
# if it was stopped: `rhoflow sweep quickstart --grid decay=0,1e-4,1e-3 --seeds 10`.
