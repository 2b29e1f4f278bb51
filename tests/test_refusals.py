"""What cannot be right is refused where it is made, in one line that says how to cure it."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from references import LINEAR, RELU, problem, start
from rhoflow import dynamics, models
from rhoflow.dynamics import batches

KEY = jax.random.key(0)
INPUTS = np.eye(4) / 2
SIGNS = np.array([1.0, -1, 1, -1])
CENTRED = np.asarray(models.encode([0, 1, 2, 0], "centred"))


def made(inputs=INPUTS, targets=SIGNS, network=LINEAR, **numbers):
    return models.Problem(network, inputs, targets, **numbers)


def run(times=(1.0,), begin=None, rate=0.1, **options):
    descent = dynamics.sgd(problem(), rate, batch_size=3)
    return dynamics.simulate(descent, begin or start(), times=times, key=KEY, **options)


def changed(values, index, to):
    values = np.array(values)
    values[index] = to
    return values


REFUSALS = {
    # Networks and points.
    "one width": (lambda: models.mlp((4,)), "at least two positive widths"),
    "a width of zero": (lambda: models.mlp((4, 0, 1)), "at least two positive widths"),
    "more linear layers than hidden ones": (
        lambda: models.mlp((4, 3, 1), linear_layers=2), "between 0 and 1 linear layers",
    ),
    "one linear layer and a half": (
        lambda: models.mlp((4, 3, 1), linear_layers=1.5), "linear_layers as whole numbers",
    ),
    "layers by halves": (
        lambda: models.wide_mlp(4, 3, 2, nonlinear=1.5), "nonlinear and linear as whole numbers",
    ),
    "an activation by its name": (
        lambda: models.mlp((4, 3, 1), activation="relu"), "an activation, got a str",
    ),
    "an activation of jax": (
        lambda: models.convnet((4, 4, 1), (2,), activation=jax.nn.relu), "an activation, got a",
    ),
    "an initialisation by its name": (
        lambda: models.mlp((4, 3, 1), initialisation="lecun"), "an initialisation, .*got 'lecun'",
    ),
    "an initialisation that was not called": (
        lambda: models.mlp((4, 3, 1), initialisation=models.lecun), "models.lecun.., called",
    ),
    "an initialisation of another shape": (
        lambda: models.mlp((4, 3, 1), initialisation=lambda key, _: jax.random.normal(key)),
        "an initialisation, ",
    ),
    "batch norm by its epsilon": (
        lambda: models.mlp((4, 3, 1), batch_norm=1e-5), "True, False or a BatchNorm, got a float",
    ),
    "batch norm of nothing hidden": (
        lambda: models.convnet((4, 4, 1), (), batch_norm=True), "a hidden layer for batch norm",
    ),
    "an epsilon that is no number": (lambda: models.BatchNorm("a"), "epsilon as a number"),
    "a width that is no number": (lambda: models.smoothed_relu("a"), "width as a number"),
    "a slope that is no number": (lambda: models.leaky_relu("a"), "slope as a number"),
    "a padding of one": (
        lambda: models.convnet((4, 4, 1), (2,), padding=1), "unknown padding '1': choose one of",
    ),
    "kernels that are shared or not": (
        lambda: models.tree(3, shared="no"), "shared as True or False, got a str",
    ),
    "a network for weights": (
        lambda: models.to_polar(LINEAR, LINEAR.init(KEY)), r"to_polar\(weights, rho, network=",
    ),
    "a network for rho": (
        lambda: models.to_polar(LINEAR.init(KEY), LINEAR), r"to_polar\(weights, rho, network=",
    ),
    "weights off a diagonal": (
        lambda: models.foreign_weights(models.diagonal(2, 2), [np.ones((2, 2)), np.ones((2, 1))]),
        "zeros off the diagonal of layer 0",
    ),
    "a tree in PyTorch's layout": (
        lambda: models.torch_weights(models.tree(2), models.tree(2).init(KEY)),
        "dense layers and convolutions, got tree",
    ),
    "a negative norm": (lambda: models.gaussian(-1.0), "a positive layer norm, got -1.0"),
    "a scale of zero": (lambda: models.orthogonal(0.0), "a positive scale"),
    "a layer of zeros": (
        lambda: models.to_polar((np.zeros((2, 1)),)), "finite norms above zero",
    ),
    "a layer of NaN": (
        lambda: models.to_polar((np.full((2, 1), np.nan),)), "finite norms above zero",
    ),
    # Problems.
    "inputs with NaN": (
        lambda: made(changed(INPUTS, (2, 1), np.nan)), r"finite inputs, got 1 samples.*sample 2",
    ),
    "targets with infinity": (
        lambda: made(targets=changed(SIGNS, 3, np.inf)), r"finite targets.*sample 3",
    ),
    "labels of zero and one": (
        lambda: made(targets=[0, 1, 1, 0]), r"targets \+-1 .*encode\(labels, 'signs'\)",
    ),
    "a target of two": (lambda: made(targets=changed(SIGNS, 0, 2)), r"targets \+-1"),
    "two classes at once": (
        lambda: made(targets=np.ones((4, 3)), network=models.mlp((4, 3))), "centred or one-hot",
    ),
    "fewer targets than inputs": (lambda: made(targets=SIGNS[:3]), "one target for each of 4"),
    "no samples": (lambda: made(INPUTS[:0], SIGNS[:0]), "pass at least one sample"),
    "inputs of another width": (lambda: made(INPUTS[:, :3]), "inputs that fit deep linear"),
    "three targets for one output": (
        lambda: made(targets=CENTRED), "make the last width the number of outputs",
    ),
    "a negative decay": (lambda: made(decay=-0.1), "a finite scalar decay >= 0, got -0.1"),
    "a decay that is NaN": (lambda: made(decay=np.nan), "a finite scalar decay >= 0"),
    "a decay for each sample": (lambda: made(decay=np.ones(4)), "a finite scalar decay >= 0"),
    # Targets and tasks.
    "an unknown encoding": (
        lambda: models.encode([0, 1], "sign"), "unknown encoding 'sign' .did you mean 'signs'",
    ),
    "labels that are no integers": (lambda: models.encode([0.0, 1.0], "signs"), "integer labels"),
    "a label out of range": (
        lambda: models.encode([0, 3], "centred", classes=3), r"labels in 0\.\.2",
    ),
    "a negative label": (lambda: models.encode([-1, 1], "signs"), "number the classes from 0"),
    "three classes as signs": (lambda: models.encode([0, 1, 2], "signs"), "two classes for signs"),
    "more clusters than features": (
        lambda: models.tasks.separable_clusters(KEY, 9, 2, classes=3), "at most 2 classes",
    ),
    "a share above one": (
        lambda: models.tasks.random_labels(KEY, jnp.zeros(4, int), 1.5), r"a fraction in \[0, 1\]",
    ),
    "labels of more classes than are drawn": (
        lambda: models.tasks.random_labels(KEY, jnp.arange(4), 0.5, classes=2), r"labels in 0\.\.1",
    ),
    "a teacher with several outputs": (
        lambda: models.tasks.teacher(KEY, models.mlp((3, 4, 2)), 8, 3), "a network with one output",
    ),
    # Flows.
    "a solver that is none": (
        lambda: dynamics.gradient_flow(problem(), solver="Bosh3"), "an explicit Runge-Kutta solver",
    ),
    "an implicit solver": (
        lambda: dynamics.gradient_flow(problem(), solver=diffrax.Kvaerno3()),
        "an explicit Runge-Kutta solver of diffrax, got Kvaerno3",
    ),
    "Euler without a step": (
        lambda: dynamics.gradient_flow(problem(), solver=diffrax.Euler()), "with an error estimate",
    ),
    "a tolerance of zero": (
        lambda: dynamics.gradient_flow(problem(), rtol=0.0), "a positive rtol, got 0.0",
    ),
    "a negative absolute tolerance": (
        lambda: dynamics.gradient_flow(problem(), atol=-1.0), "a positive atol",
    ),
    "a floor of zero": (lambda: dynamics.gradient_flow(problem(), floor=0.0), "a positive floor"),
    "a floor by another name": (
        lambda: dynamics.gradient_flow(problem(), floor="none"), "floor='auto', a number or None",
    ),
    "a misspelt floor": (
        lambda: dynamics.gradient_flow(problem(), flor=0.1),
        "unknown option of a flow 'flor' .did you mean 'floor'.*: choose one of atol, floor",
    ),
    "a tolerance of no solver": (
        lambda: dynamics.corrected_flow(problem(), 0.1, tolerance=1e-9), "unknown option of a flow",
    ),
    "a step that is a budget": (
        lambda: dynamics.second_order_flow(problem(), 0.1, max_step=5), "did you mean 'max_steps'",
    ),
    "a tolerance for each weight": (
        lambda: dynamics.gradient_flow(problem(), rtol=np.ones(2)), "rtol as one number",
    ),
    "a tolerance that is infinite": (
        lambda: dynamics.gradient_flow(problem(), rtol=np.inf), "a finite rtol",
    ),
    "a budget of half a step": (
        lambda: dynamics.gradient_flow(problem(), max_steps=0.5), "whole numbers of steps",
    ),
    "a budget of nothing": (
        lambda: dynamics.gradient_flow(problem(), max_steps=0), "a positive max_steps",
    ),
    "a negative step": (lambda: dynamics.gradient_flow(problem(), step=-1.0), "a positive step"),
    # Descent.
    "a negative learning rate": (
        lambda: dynamics.gradient_descent(problem(), -0.1), "a learning rate that is not negative",
    ),
    "an infinite learning rate": (
        lambda: dynamics.gradient_descent(problem(), np.inf), "a finite learning_rate",
    ),
    "a momentum of one": (
        lambda: dynamics.gradient_descent(problem(), 0.1, momentum=1.0), r"a momentum in \[0, 1\)",
    ),
    "a momentum of any optimiser": (
        lambda: dynamics.descent(problem(), optax.rmsprop, 0.1, momentum=-0.1),
        r"a momentum in \[0, 1\)",
    ),
    "neither size nor batches": (
        lambda: dynamics.sgd(problem(), 0.1), "either batch_size or batches",
    ),
    "both size and batches": (
        lambda: dynamics.sgd(problem(), 0.1, batch_size=3, batches=[[0]]),
        "either batch_size or batches",
    ),
    "an unknown sampling": (
        lambda: dynamics.sgd(problem(), 0.1, batch_size=3, sampling="shuffled"),
        "unknown sampling 'shuffled' .did you mean 'reshuffled'",
    ),
    "more in a batch than there are": (
        lambda: dynamics.sgd(problem(), 0.1, batch_size=13), r"a batch size in 1\.\.12, got 13",
    ),
    "a batch of two and a half": (
        lambda: batches.with_replacement(12, 2.5), "a batch size as whole numbers",
    ),
    "a balanced batch of two and a half": (
        lambda: batches.balanced(SIGNS, 2.5), "a batch size as whole numbers",
    ),
    "a diffusion of batches of two and a half": (
        lambda: dynamics.diffusion(problem(), 0.1, batch_size=2.5, step=0.1),
        "a batch size as whole numbers",
    ),
    "a diffusion at an infinite rate": (
        lambda: dynamics.diffusion(problem(), np.inf, batch_size=3, step=0.1), "a finite, positive",
    ),
    "a corrected flow of batches of two and a half": (
        lambda: dynamics.corrected_flow(problem(), 0.1, batch_size=2.5),
        "a batch size as whole numbers",
    ),
    "a corrected flow at an infinite rate": (
        lambda: dynamics.corrected_flow(problem(), np.inf), "a finite learning_rate",
    ),
    "batches as a table for any optimiser": (
        lambda: dynamics.descent(problem(), optax.adam, 0.1, batches=[[0, 1]]),
        "batches, got a list",
    ),
    "times of half a step": (
        lambda: dynamics.times_at(dynamics.gradient_descent(problem(), 0.1), steps=[0.5]),
        "whole numbers of steps",
    ),
    "times of steps before the start": (
        lambda: dynamics.times_at(dynamics.gradient_descent(problem(), 0.1), steps=[-1, 2]),
        "numbers of steps or epochs from 0 on",
    ),
    "an empty batch": (
        lambda: dynamics.sgd(problem(), 0.1, batch_size=0, sampling="replacement"),
        r"a batch size in 1\.\.12",
    ),
    "an odd balanced batch": (
        lambda: dynamics.sgd(problem(), 0.1, batch_size=3, sampling="balanced"),
        "a multiple of 2 classes, at most 12",
    ),
    "indices that are no table": (
        lambda: dynamics.sgd(problem(), 0.1, batches=[0, 1]), r"integer indices \[steps, batch\]",
    ),
    "indices that are no integers": (
        lambda: dynamics.sgd(problem(), 0.1, batches=[[0.5]]), r"integer indices \[steps, batch\]",
    ),
    "an index out of range": (
        lambda: dynamics.sgd(problem(), 0.1, batches=[[0, 12]]), r"indices in 0\.\.11",
    ),
    "weights that do not vary": (
        lambda: batches.random_weights(12, 0.0), "a positive variance of the weights",
    ),
    "a flow of a network": (lambda: dynamics.gradient_flow(LINEAR), "a problem, got a Network"),
    # Searching.
    "a minimum from a point of another network": (
        lambda: dynamics.minimise(problem(), start(RELU)), "one start of deep linear 4-5-3-1",
    ),
    "a minimum from many points": (
        lambda: dynamics.minimise(problem(), jax.tree.map(lambda x: jnp.stack([x] * 2), start())),
        "one start of deep linear",
    ),
    "a minimum in half a step": (
        lambda: dynamics.minimise(problem(), start(), max_steps=0.5), "whole numbers of steps",
    ),
    "equilibria from a point of another network": (
        lambda: dynamics.continuation(problem(), start(RELU), [0.1]), "one start of deep linear",
    ),
    "the least loss from points of another network": (
        lambda: dynamics.least_loss(problem(), [start(RELU)], [1.0]), "one start of deep linear",
    ),
    # Stopping.
    "a loss that no loss is below": (lambda: dynamics.separated(-1.0), "loss_below that is not"),
    "two losses": (lambda: dynamics.separated([0.1, 0.2]), "loss_below as a number"),
    "a patience of nothing": (lambda: dynamics.best("loss", 0.0), "a positive patience"),
    "an observation by its function": (
        lambda: dynamics.best(jnp.sum, 1.0), "the name of an observation, got a",
    ),
    # Running.
    "times out of order": (lambda: run([1.0, 0.5]), "increasing times from 0 on"),
    "a time twice": (lambda: run([1.0, 1.0]), "increasing times from 0 on"),
    "a negative time": (lambda: run([-1.0, 1.0]), "increasing times from 0 on"),
    "no times": (lambda: run([]), r"finite times \[T\]"),
    "one time without brackets": (lambda: run(1.0), r"finite times \[T\]"),
    "a time that is NaN": (lambda: run([np.nan]), r"finite times \[T\]"),
    "times before the state": (
        lambda: run([1.0], begin=run([2.0]).final), "times from 2 on, where the state stands",
    ),
    "batches without a key": (
        lambda: dynamics.simulate(
            dynamics.sgd(problem(), 0.1, batch_size=3), start(), times=[1.0]
        ),
        "a key, since",
    ),
    "a key that is a seed": (
        lambda: dynamics.simulate(
            dynamics.sgd(problem(), 0.1, batch_size=3), start(), times=[1.0], key=0
        ),
        r"a key, got 0: pass key=jax\.random\.key\(0\)",
    ),
    "an ensemble's key that is a seed": (
        lambda: dynamics.ensemble(
            dynamics.sgd(problem(), 0.1, batch_size=3), [start(), start()], times=[1.0], key=0
        ),
        "a key, got 0",
    ),
    "keys of many runs for one": (
        lambda: dynamics.endpoint(
            dynamics.sgd(problem(), 0.1, batch_size=3), start(), steps=2,
            key=jax.random.split(KEY, 3),
        ),
        "a key, got",
    ),
    "a start of another kind": (
        lambda: run(begin={"rho": 1.0}), "a start in polar coordinates.*, got dict",
    ),
    "a point of another network": (
        lambda: run(begin=start(RELU)), "one start of deep linear 4-5-3-1",
    ),
    "many points at once": (
        lambda: run(begin=jax.tree.map(lambda leaf: jnp.stack([leaf] * 2), start())),
        "many starts go to dynamics.ensemble",
    ),
    "an unknown observable": (
        lambda: dynamics.observe("loss", "roh"), "unknown observable 'roh' .did you mean 'rho'",
    ),
    "an observable that is no function": (
        lambda: dynamics.observe(half=0.5), "a function for 'half', got 0.5",
    ),
    "an observation that was not made": (
        lambda: run()["mu"], "unknown observation 'mu'.*choose one of loss, rho",
    ),
    "an unknown number": (
        lambda: dynamics.replace(dynamics.gradient_flow(problem()), floot=0.1),
        "unknown parameter 'floot'",
    ),
    "a negative new decay": (
        lambda: dynamics.replace(dynamics.gradient_flow(problem()), decay=-1.0),
        "decay that is not negative",
    ),
    "two rates for one descent": (
        lambda: dynamics.replace(dynamics.gradient_descent(problem(), 0.1), learning_rate=[1, 2]),
        "learning_rate as a number",
    ),
    "an array of decays": (
        lambda: dynamics.replace(dynamics.gradient_flow(problem()), decay=np.ones(2)),
        "decay as one number, got shape .2,.*ensemble",
    ),
    "an infinite new rate": (
        lambda: dynamics.replace(dynamics.gradient_descent(problem(), 0.1), learning_rate=np.inf),
        "a finite learning_rate",
    ),
    "fewer inputs than batches were made for": (
        lambda: dynamics.replace(
            dynamics.sgd(problem(), 0.1, batch_size=3), inputs=problem().inputs[:5],
            targets=problem().targets[:5],
        ),
        r"inputs \[12, 4\], got shape \(5, 4\): pass data of the old shape",
    ),
    "new inputs with NaN": (
        lambda: dynamics.replace(
            dynamics.gradient_flow(problem()), inputs=changed(problem().inputs, (2, 1), np.nan)
        ),
        "finite inputs",
    ),
    "new targets in no encoding": (
        lambda: dynamics.replace(dynamics.gradient_flow(problem()), targets=np.zeros(12)),
        r"targets in signs or .* for the square loss.*encode\(labels, 'signs'\)",
    ),
    "targets of members in no encoding": (
        lambda: dynamics.ensemble(
            dynamics.gradient_flow(problem()), start(), times=[1.0],
            over={"targets": np.zeros((2, 12))},
        ),
        "targets in signs or .* for the square loss",
    ),
    "memory of an ensemble of no dynamics": (
        lambda: dynamics.memory(problem(), start(), times=[1.0], over={"decay": [0.1, 0.2]}),
        "a dynamics, got a Problem",
    ),
    "memory of an ensemble that looks at a name": (
        lambda: dynamics.memory(
            dynamics.gradient_flow(problem()), start(), times=[1.0], over={"decay": [0.1]},
            observe="rho",
        ),
        "observables, got a str",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_right_is_refused_in_one_line(name):
    attempt, message = REFUSALS[name]
    with pytest.raises(ValueError, match=message) as refused:
        attempt()
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("solver", [diffrax.Dopri5(), diffrax.Tsit5(), diffrax.Dopri8()])
def test_solvers_that_overshoot_kinks_are_warned_of(solver):
    with pytest.warns(UserWarning, match=r"throws stages across the kinks .* use dynamics\.SSP42"):
        dynamics.gradient_flow(problem(RELU), solver=solver)
    dynamics.gradient_flow(problem(LINEAR), solver=solver)


def test_inputs_longer_than_one_are_warned_of():
    with pytest.warns(UserWarning, match=r"norm 1\.5, .* models\.scale_inputs"):
        made(3 * INPUTS)
    made(models.scale_inputs(3 * INPUTS))


def test_values_that_are_traced_cannot_be_looked_at_and_pass():
    @jax.jit
    def inside(decay, inputs):
        return models.Problem(LINEAR, inputs, SIGNS, decay=decay).decay

    assert inside(-1.0, INPUTS) == -1.0
    with pytest.raises(ValueError, match="one target for each"):
        inside(1.0, INPUTS[:3])
