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
# # 8. What the documents get wrong, shown
#
# Five documents, over a hundred places that are not right as printed.
# [docs/theory.md](../docs/theory.md) lists them all, and `rhoflow audit` asks each with numbers.
# Most are signs and factors; here are five from which one learns something.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from rhoflow import dynamics, experiments, models
from rhoflow.dynamics import normalisation, reduced
from rhoflow.experiments.data import DataConfig, load
from rhoflow.experiments.plotting import BLUE, GREY, ORANGE, RED, STYLE

jax.config.update("jax_enable_x64", True)
experiments.compile_quickly()
plt.style.use(STYLE)

digits = load(DataConfig("digits", classes=(3, 8), train=40, test=0, centre=True))
inputs = np.asarray(digits.train_inputs, np.float64).reshape(40, 64)
targets = models.encode(digits.train_labels, "signs")
key = jax.random.key(0)

# %% [markdown]
# ## 1. The multiplier that does not hold
#
# [M117] (7), H.2 and [M112] 6.1 hold $\|V_k\| = 1$ by a Lagrange multiplier
# $\nu = \rho\mu - \rho^2 M$, and say that the norms stay. They do on the sphere, exactly; next to
# it
#
# $$\frac{d \|V_k\|^2}{dt} = 4 \nu\, (1 - \|V_k\|^2),$$
#
# which attracts while $\rho < \mu/M$ and **repels** beyond, where $\nu < 0$. So it is no
# constraint at all for a start from a large rho: a thousandth is enough to be thrown off.
# `normalisation.lagrange()` is the literal field; the library's own flow retracts.

# %%
network = models.mlp((64, 8, 1))
problem = models.Problem(network, inputs, targets, decay=1e-2)
literal = dynamics.gradient_flow(problem, normalisation=normalisation.lagrange(), step=0.05)
times = np.linspace(0, 10, 101)


def first_norm(problem, view):
    return jnp.linalg.norm(view.directions[0])


look = dynamics.observe("rho", norm=first_norm)
figure, axes = plt.subplots(figsize=(5.6, 3.2))
for rho, colour in ((1.0, BLUE), (30.0, RED)):
    start = models.to_polar(network.init(key), rho=rho)
    start = start._replace(directions=tuple(v * (1 + 1e-3) for v in start.directions))
    ran = dynamics.simulate(literal, start, times=times, observe=look)
    off = np.abs(ran["norm"] - 1)
    axes.semilogy(ran.times, off, color=colour, label=f"from rho = {rho:g}")
    print(f"from rho = {rho:4.0f}: | |V_1| - 1 | goes from {off[0]:.0e} to {off[-1]:.0e}")
axes.set(title="how far $\\|V_1\\|$ is from 1 under the multiplier", xlabel="time")
axes.legend()
plt.show()

# %% [markdown]
# ## 2. Where a deep linear network ends
#
# [M112] (32) has the solution of ridge regression with a $1/\rho$ in front. The flow of a deep
# linear network decides.

# %%
linear = models.Problem(models.deep_linear((64, 6, 6, 1)), inputs, targets, decay=1e-2)
begin = models.to_polar(linear.network.init(key), rho=1.0)
ran = dynamics.simulate(
    dynamics.gradient_flow(linear, rtol=1e-8), begin, times=[400.0], observe=dynamics.observe("rho")
)
end = ran.final.position
w = end.rho * linear.network.apply(end.directions, np.eye(64))
ridge = reduced.ridge.solution(inputs, targets, 1e-2)
for name, solution in (("corrected", ridge.weights), ("as printed", ridge.weights / ridge.rho)):
    off = jnp.linalg.norm(w - solution) / jnp.linalg.norm(w)
    print(f"{name:10s}: |w| = {jnp.linalg.norm(solution):.4f}, off by {off:.0e}")
print(f"the flow  : |w| = {jnp.linalg.norm(w):.4f}, rho = {end.rho:.4f}")

# %% [markdown]
# ## 3. When rho rings
#
# [M117] (28): with $\frac{\eta}{2} \rho'' + \rho' = 2\mu - 2(M + \lambda)\rho$, rho oscillates if
# $1 > \sqrt{2M + 2\lambda}$. There is no $\eta$ in that, and it is the wrong way round: the
# characteristic roots are complex if and only if $4 \eta\, (M + \lambda) > 1$. Here
# $M + \lambda = 0.3$, so that print has it ring at every rate.

# %%
mode = reduced.oscillator.radial_mode(0.3, 0.25, 0.05)
times = np.linspace(0, 40, 4001)
figure, axes = plt.subplots(figsize=(5.6, 3.2))
for rate, colour in ((0.1, BLUE), (0.8, GREY), (3.0, ORANGE)):
    rho = reduced.oscillator.second_order(
        times, mode=mode, start=2.0, velocity=0.0, inertia=rate / 2
    )
    away = (rho - 1.0)[np.abs(rho - 1.0) > 1e-9]
    crossings = int(np.sum(np.diff(np.sign(away)) != 0))
    axes.plot(times, rho, color=colour, label=f"$4 \\eta (M+\\lambda)$ = {4 * rate * 0.3:.2f}")
    print(f"eta = {rate}: 4 eta (M + lambda) = {4 * rate * 0.3:.2f}, "
          f"sqrt(2 M + 2 lambda) = {np.sqrt(0.6):.2f}, crossings: {crossings}")  # fmt: skip
axes.set(title="rho with the directions held", xlabel="time", xlim=(0, 20))
axes.legend()
plt.show()

# %% [markdown]
# ## 4. A theorem about nothing
#
# [NCWD] Theorem 2.3 (and [M117] Theorem 3): with one-hot labels classifiers end in a simplex,
# $\cos(W^c, W^{c'}) = -\frac{1}{C-1}$. Its assumption is that outputs sum to one, as the labels
# do. Its conclusion makes the rows $W^c$, and so the outputs, sum to *zero*. Both cannot be, and
# no network is in the theorem. What training finds has residuals $\epsilon$ at the own class and
# $\delta$ elsewhere,
#
# $$\cos(W^c, W^{c'}) = \frac{\delta\,(\epsilon - (1 - \epsilon) - (C-2)\,\delta)}
# {\epsilon(1 - \epsilon) - (C-1)\,\delta^2},$$
#
# which is a frame of right angles at $\delta = 0$.

# %%
centres = np.repeat(np.eye(3), 10, axis=0)
random = np.random.default_rng(0)
clusters = models.scale_inputs(centres + 0.1 * random.standard_normal((30, 3)))
classes = np.repeat(np.arange(3), 10)
trained = models.Problem(
    models.mlp((3, 16, 16, 3)), clusters, models.encode(classes, "one_hot"), decay=1e-4
)
descent = dynamics.gradient_descent(trained, 0.1, momentum=0.9, normalisation=normalisation.free())
ran = dynamics.simulate(
    descent, trained.network.init(key), times=[4000.0], observe=dynamics.observe("loss")
)
weights = ran.final.position
outputs = np.asarray(trained.network.apply(weights, clusters))
rows = np.asarray(weights[-1]).T
lengths = np.linalg.norm(rows, axis=1)
cosine = (rows @ rows.T / np.outer(lengths, lengths))[np.triu_indices(3, 1)].mean()
own = classes[:, None] == np.arange(3)
epsilon, delta = 1 - outputs[own].mean(), outputs[~own].mean()
corrected = delta * (epsilon - (1 - epsilon) - delta) / (epsilon * (1 - epsilon) - 2 * delta**2)
print(f"outputs sum to {outputs.sum(axis=1).mean():.3f}; the theorem's simplex has them sum to 0")
print(f"mean cosine between classifiers: {cosine:+.3f} measured")
print(f"                                 {corrected:+.3f} by epsilon = {epsilon:.4f}, "
      f"delta = {delta:+.5f}")  # fmt: skip
print(f"                                 {-0.5:+.3f} as printed")

# %% [markdown]
# ## 5. A bound that a picture breaks
#
# Dense layers of unit norm do not lengthen what they are given, $|f_V(x)| \le \|x\|$, and [Dyn]
# uses that for convolutions too, with the norm of the *kernel*, or in its (24) with a factor
# $\sqrt{K/(K - O)} = \sqrt{9/3} = 1.73$ for $3 \times 3$ kernels at stride one, which overlap. But
# each pixel is seen nine times, so that a layer may lengthen by $\sqrt 9 = 3$. A constant image
# through a constant kernel nearly does:

# %%
factors = {}
for side in (4, 8, 16, 32):
    image = jnp.full((1, side, side, 1), 1 / side)
    small = side - 2
    net = models.convnet((side, side, 1), channels=(1,), outputs=1)
    view = models.Polar(
        jnp.array(1.0), (jnp.full((3, 3, 1, 1), 1 / 3), jnp.full((small**2, 1), 1 / small))
    )
    factors[side] = float(view.evaluate(net, image)[0])
    print(
        f"{side:2d} x {side:<2d} |x| = {jnp.linalg.norm(image):.2f}, |f_V(x)| = {factors[side]:.3f}"
    )
print("printed bound: 1 without the factor, 1.732 with it; corrected: 3")

# %% [markdown]
# ## And all the others
#
# The audit asks every statement with numbers, as printed and as corrected. Here the four of its
# rows that speak of places 1 to 3 and 5:

# %%
from rhoflow.experiments import audit

wanted = ("[M112] 6.1", "[M112] (32), E.2", "[M117] (28)", "[Dyn] (24), dimensions")
for row in audit.rows(audit.audit(places=wanted)):
    print(f"{row['item']:5s}{row['place']:24s}{row['verdict']:33s} printed: {row['as printed']}, "
          f"corrected: {row['residual']}")  # fmt: skip
