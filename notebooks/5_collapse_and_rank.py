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
# # 5. Collapse and rank
#
# Train a classifier of $C$ classes long after it has fitted its data, with decay, and its last
# features do something that nobody asked for: samples of a class gather at one point, and the $C$
# points form a simplex, as far from each other as they can be. The layers lose rank while this
# happens. Three digits make a plane, so that one can watch.

# %%
import jax
import matplotlib.pyplot as plt
import numpy as np

from rhoflow import dynamics, experiments, models
from rhoflow.experiments.data import DataConfig, load
from rhoflow.experiments.plotting import BLUE, GREEN, GREY, ORANGE, PREDICTED, PURPLE, STYLE

experiments.compile_quickly()
plt.style.use(STYLE)

digits = load(DataConfig("digits", classes=(0, 1, 4), train=60, test=0, centre=True))
targets = models.encode(digits.train_labels, "centred")
network = models.mlp((64, 64, 64, 3))
problem = models.Problem(network, digits.train_inputs, targets, decay=2e-4)
start = models.to_polar(network.init(jax.random.key(0)), rho=20.0)
targets[:3]

# %% [markdown]
# Targets are centred: one at the class, $-1/(C-1)$ elsewhere. SGD with momentum on batches of 20,
# and we look at the features $h_n$ of the last hidden layer too: an observable of our own.


# %%
def features(problem, view):
    return problem.network.features(view.directions, problem.inputs)


look = dynamics.observe(
    "loss", "rho", "rho_eq", "nc1_traces", "nc2_angles", "nc3_duality", "nc4",
    "singular_values", "stable_rank", "rank_one_distance", features=features,
)  # fmt: skip
steps = dynamics.sgd(problem, learning_rate=0.005, momentum=0.9, batch_size=20)
times = np.concatenate([[0.0], np.geomspace(1, 800, 60).round()])
times = np.unique(times)
ran = dynamics.simulate(steps, start, times=times, observe=look, key=jax.random.key(1))
ran

# %% [markdown]
# ## The simplex appears
#
# The features at three times, in the plane through the three class means. Crosses are the means.

# %%
figure, panels = plt.subplots(1, 3, figsize=(10, 3.4))
for axes, when in zip(panels, (0, 10, 800), strict=True):
    at = int(np.argmin(np.abs(ran.times - when)))
    seen = np.asarray(ran["features"][at])
    means = np.stack([seen[digits.train_labels == c].mean(axis=0) for c in range(3)])
    centre = means.mean(axis=0)
    _, _, plane = np.linalg.svd(means - centre)
    size = np.abs(means - centre).max()
    for c, colour in enumerate((BLUE, ORANGE, GREEN)):
        points = (seen[digits.train_labels == c] - centre) @ plane[:2].T / size
        axes.scatter(*points.T, s=8, color=colour, alpha=0.6)
        axes.plot(*((means[c] - centre) @ plane[:2].T / size), "kx")
    axes.set(title=f"t = {ran.times[at]:.0f}", aspect="equal", xticks=[], yticks=[])

# %% [markdown]
# ## In numbers
#
# NC1 asks how wide the classes are beside the distance of their means,
# $\operatorname{Tr} \Sigma_W / \operatorname{Tr} \Sigma_B$; NC2, how far the angles between means
# are from the simplex's, $|\cos + \frac{1}{C-1}|$; NC3, how far the classifier's rows are from the
# means; NC4, on how many samples network and nearest mean disagree.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.4))
for (name, text), colour in zip(
    {"nc1_traces": "NC1", "nc2_angles": "NC2", "nc3_duality": "NC3"}.items(),
    (BLUE, ORANGE, PURPLE), strict=True,
):  # fmt: skip
    left.loglog(ran.times[1:], ran[name][1:], color=colour, label=text)
    print(f"{text}: {ran[name][0]:.2g} at the start, {ran[name][-1]:.2g} at the end")
print(f"NC4: {ran['nc4'][0]:.0%} at the start, {ran['nc4'][-1]:.0%} at the end")
left.set(title="collapse", xlabel="time")
left.legend()
right.semilogx(ran.times[1:], ran["rho_eq"][1:], **PREDICTED)
right.semilogx(ran.times[1:], ran["rho"][1:], color=BLUE)
right.set(title="rho and $\\mu/(M+\\lambda)$", xlabel="time")
plt.show()

# %% [markdown]
# Where the collapse is complete everything is known from two numbers, $\mu$ and $\lambda$. With
# $\alpha = \rho\mu\,(C-1)/C$, the share of the targets that is met,
#
# $$1 - \alpha = \frac{\lambda}{\lambda + \mu^2 (C-1)/C}, \qquad
# \lambda \rho^2 = \alpha (1 - \alpha) \frac{C}{C-1}, \qquad
# V_L^c = \frac{\rho}{\alpha C} (\mu_c - \mu_G).$$
#
# The last says that the classifier *is* the class means. How true is it here? Collapse is not
# complete: NC1 even rises again while decay takes rho down to its place of rest, and the simplex is
# a little askew.

# %%
final = ran.final.position
mu = dynamics.observables.BY_NAME["mu"](problem, final)
alpha = final.rho * mu * 2 / 3
known = 2e-4 / (2e-4 + mu**2 * 2 / 3)
print(f"1 - alpha = {1 - alpha:.4f}, predicted {known:.4f}")
print(f"lambda rho^2 = {2e-4 * final.rho**2:.4f}, predicted {alpha * (1 - alpha) * 1.5:.4f}")
seen = np.asarray(ran["features"][-1])
means = np.stack([seen[digits.train_labels == c].mean(axis=0) for c in range(3)])
predicted = final.rho / (alpha * 3) * (means - means.mean(axis=0))
classifier = np.asarray(final.directions[-1]).T
off = np.linalg.norm(classifier - predicted) / np.linalg.norm(classifier)
lengths = np.linalg.norm(classifier, axis=1)
cosine = (classifier @ classifier.T / np.outer(lengths, lengths))[np.triu_indices(3, 1)]
print(f"V_L differs from the class means by {off:.1%}")
print("cosines between classifiers:", *(f"{value:+.3f}" for value in cosine), " simplex: -0.500")

# %% [markdown]
# ## Rank
#
# Three classes need two dimensions. Decay and noise press the layers there: with $\|V_k\| = 1$ the
# stable rank $\|V_k\|_F^2 / \|V_k\|_{\rm op}^2$ falls to about two, and to three in the first.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.4))
for layer, colour in enumerate((BLUE, ORANGE, PURPLE)):
    label = f"layer {layer + 1}"
    left.loglog(ran.times[1:], ran["stable_rank"][1:, layer], color=colour, label=label)
    sizes = np.asarray(ran["singular_values"][layer][-1])
    right.semilogy(np.arange(1, len(sizes) + 1), sizes, ".-", color=colour, label=label)
left.axhline(2, color=GREY, linestyle="--", linewidth=1)
left.set(title="stable rank", xlabel="time")
right.set(title="singular values at the end", xlabel="number", ylim=(1e-5, 1.2))
left.legend()
plt.show()

# %% [markdown]
# The documents' theorem says rank one (or two) exactly, where *every batch* is at rest. It cannot
# be at rest for every batch of real data (docs/theory.md, section 6), so low rank is a tendency: a
# few large values, and a tail that decay wears away.
