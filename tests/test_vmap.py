"""jax.vmap over learning rate, decay and start at once, for every dynamics."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from references import LINEAR, problem, start
from rhoflow import dynamics, models
from rhoflow.dynamics import normalisation as kinds

KEY = jax.random.key(2)
RATES = np.array([0.02, 0.04])
DECAYS = np.array([0.01, 0.1])
RADII = np.array([0.5, 2.0])
FREE = kinds.free()
MAKERS = {
    "flow": lambda ours, _: dynamics.gradient_flow(ours),
    "free flow": lambda ours, _: dynamics.gradient_flow(ours, normalisation=FREE),
    "corrected flow": dynamics.corrected_flow,
    "second-order flow": dynamics.second_order_flow,
    "gradient descent": dynamics.gradient_descent,
    "sgd": lambda ours, rate: dynamics.sgd(ours, rate, momentum=0.5, batch_size=4),
    "adam": lambda ours, rate: dynamics.descent(ours, optax.adam, rate, b1=0.8),
    "diffusion": lambda ours, rate: dynamics.diffusion(ours, rate, batch_size=4, step=0.02),
}


def final_rho(ours, make, rate, decay, radius):
    """Rho after 0.4 units of time, a whole number of steps at every rate."""
    decayed = models.Problem(ours.network, ours.inputs, ours.targets, decay=decay)
    begin = models.Polar(radius, start(LINEAR).directions)
    return dynamics.simulate(make(decayed, rate), begin, times=[0.4], key=KEY)["rho"][0]


QUICK = ("sgd",)


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MAKERS],
)
def test_mapped_over_rate_decay_and_start_it_is_the_run_of_each(name):
    ours = problem()

    def one(rate, decay, radius):
        return final_rho(ours, MAKERS[name], rate, decay, radius)

    many = jax.vmap(one)(jnp.asarray(RATES), jnp.asarray(DECAYS), jnp.asarray(RADII))
    each = [one(*values) for values in zip(RATES, DECAYS, jnp.asarray(RADII), strict=True)]
    np.testing.assert_allclose(many, each, rtol=1e-9)
    assert abs(float(many[1] - many[0])) > 0.1
