"""Integrating a flow x' = F(x) with diffrax's solvers, so that looking changes nothing.

The loop takes the solver's own steps under its own controller, past the time that is asked for,
and a look inside the last step interpolates it: a run that is looked at two hundred times takes the
steps of one that is looked at once. After every accepted step the position is retracted to its
manifold; the field must give the same velocity at a point and at its retraction, so that a stage
which the solver stores for the next step survives.

**Networks with kinks.** The flow of a ReLU network slides along activation boundaries, where the
field jumps. Error control then takes steps as small as its tolerance although nothing is stiff. So
the steps have a *floor* (`dynamics.flows.step_floor`): a step at the floor is accepted whatever its
estimated error. `dynamics.stated_error` measures what the floor costs.
"""

from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from ..types import State, Status
from .motion import FlowParameters, RungeKutta
from .sharpness import Field
from .step_floor import Curvature, again, aged, evaluations, first, forced, is_due, limits
from .switches import Pattern, pattern, switches

FORWARD, BOTH_MODES = "lax", "bounded"
"""diffrax's loops over a step's stages: for forward mode, which is faster, and for both modes."""


class Counts(NamedTuple):
    """How the integration went so far: numbers of steps, sharpness estimates and switches."""

    accepted: Int[Array, ""]
    rejected: Int[Array, ""]
    at_floor: Int[Array, ""]
    estimates: Int[Array, ""]
    switches: Int[Array, ""]


class Beginning(NamedTuple):
    """Where a step begins: time, position and the solver's state."""

    time: Float[Array, ""]
    position: PyTree
    solver: PyTree


class FlowMemory(NamedTuple):
    """The step under way.

    Attributes:
        last: The last accepted step's beginning. A look inside that step takes it again, for its
            interpolant: to carry the interpolant along would cost more at every step.
        now: Where it ended: the solver's own time, at or past the state's time.
        proposed: Where the next step shall end.
        position: The position at ``now``.
        solver: The solver's state there.
        controller: The controller's state.
        curvature: None where steps have no floor.
        pattern: Which units are on, None where nothing has a kink.
        counts: Statistics.
        evaluations_per_step: Of the field, a constant of the solver.
    """

    last: Beginning
    now: Float[Array, ""]
    proposed: Float[Array, ""]
    position: PyTree
    solver: PyTree
    controller: PyTree
    curvature: Curvature | None
    pattern: Pattern
    counts: Counts
    evaluations_per_step: Int[Array, ""]


def init(parameters: FlowParameters, position: PyTree, key: Key[Array, ""] | None) -> State:
    """The state of a flow at time zero; the key is not used."""
    del key
    motion = parameters.motion
    prepared = motion.prepare(parameters.problem, parameters.settings, position)
    position = motion.retract(prepared)
    zero = jnp.zeros((), parameters.problem.inputs.dtype)
    curvature = None
    if parameters.floor is not None:
        curvature = first(_field(parameters), limits(parameters), position, zero)
    solver, terms = parameters.solver, _terms(parameters)
    proposed, controller = _controller(parameters, curvature).init(
        terms, zero, jnp.asarray(jnp.inf, zero.dtype), position, _first_step(parameters, curvature),
        parameters.problem, solver.func, solver.error_order(terms),
    )  # fmt: skip
    solver_state = solver.init(terms, zero, zero, position, parameters.problem)
    memory = FlowMemory(
        last=Beginning(zero, position, solver_state),
        now=zero,
        proposed=jnp.asarray(proposed, zero.dtype),
        position=position,
        solver=solver_state,
        controller=jax.tree.map(jnp.asarray, controller),
        curvature=curvature,
        pattern=pattern(motion, parameters.problem, position),
        counts=Counts(*(jnp.zeros((), jnp.int32),) * 5),
        evaluations_per_step=jnp.asarray(_evaluations_per_step(solver), jnp.int32),
    )
    return State(zero, position, memory, jnp.asarray(Status.FINISHED, jnp.int32))


def advance(parameters: FlowParameters, state: State, until: Float[Array, ""]) -> State:
    """Steps until the solver's time has reached ``until``; the position is that of ``until``."""

    def behind(carry: tuple[FlowMemory, Array]) -> Bool[Array, ""]:
        memory, status = carry
        return (memory.now < until) & (status == Status.FINISHED) & ~_spent(parameters, memory)

    def fresh(carry: tuple[FlowMemory, Array]) -> Bool[Array, ""]:
        return behind(carry) & ~is_due(carry[0].curvature, carry[0].now)

    def stretch(carry: tuple[FlowMemory, Array]) -> tuple[FlowMemory, Array]:
        memory, status = jax.lax.while_loop(fresh, lambda c: _step(parameters, *c), carry)
        return _renew_curvature(parameters, memory), status

    memory, status = jax.lax.while_loop(behind, stretch, (state.memory, state.status))
    short = (memory.now < until) & (status == Status.FINISHED)
    status = jnp.where(short, Status.BUDGET_SPENT, status).astype(jnp.int32)
    time = jnp.where(status == Status.FINISHED, until, memory.now).astype(state.time.dtype)
    return State(time, _interpolate(parameters, memory, time), memory, status)


def step(parameters: FlowParameters, state: State) -> State:
    """One step of the solver, tried and, where the controller keeps it, taken."""
    memory, status = _step(parameters, state.memory, state.status, BOTH_MODES)
    return State(memory.now, memory.position, memory, status)


def statistics(state: State) -> dict[str, Any]:
    """Counts of a flow: steps, evaluations of the field, and the sharpness last seen (1/time)."""
    memory: FlowMemory = state.memory
    counts = memory.counts
    steps = counts.accepted + counts.rejected
    extra = 0 if memory.curvature is None else evaluations(counts.estimates)
    numbers = {
        "accepted": counts.accepted,
        "rejected": counts.rejected,
        "at_floor": counts.at_floor,
        "evaluations": steps * memory.evaluations_per_step + extra,
    }
    if memory.pattern is not None:
        numbers["switches"] = counts.switches
    if memory.curvature is not None:
        seen = memory.curvature
        numbers |= {"sharpness": seen.sharpness, "floor": seen.floor, "unstable": seen.unstable}
    return numbers


def _step(
    parameters: FlowParameters, memory: FlowMemory, status: Int[Array, ""], stages: str = FORWARD
) -> tuple[FlowMemory, Int[Array, ""]]:
    """Tries one step: takes it where the controller keeps it, and asks for the next."""
    here = Beginning(memory.now, memory.position, memory.solver)
    moved, error, _, solver_state = _attempt(parameters, here, memory.proposed, stages)
    controller = _controller(parameters, memory.curvature)
    order = parameters.solver.error_order(_terms(parameters))
    keep, _, proposed, _, controller_state, _ = controller.adapt_step_size(
        memory.now, memory.proposed, memory.position, moved,
        parameters.problem, error, order, memory.controller,
    )  # fmt: skip
    keep = jnp.asarray(keep)
    now = jnp.where(keep, memory.proposed, memory.now)
    after = pattern(parameters.motion, parameters.problem, moved)
    taken = (here, moved, solver_state, after)
    left = (memory.last, memory.position, memory.solver, memory.pattern)
    last, position, solver, on = jax.tree.map(lambda a, b: jnp.where(keep, a, b), taken, left)
    new = FlowMemory(
        last=last,
        now=now,
        proposed=proposed.astype(now.dtype),
        position=position,
        solver=solver,
        controller=controller_state,
        curvature=aged(memory.curvature, keep),
        pattern=on,
        counts=_count(memory, keep, switches(memory.pattern, on)),
        evaluations_per_step=memory.evaluations_per_step,
    )
    return new, _judge(new, status)


def _attempt(
    parameters: FlowParameters, here: Beginning, end: Float[Array, ""], stages: str = FORWARD
) -> tuple[PyTree, PyTree, dict[str, PyTree], PyTree]:
    """One step of the solver, retracted: position, error estimate, dense data, solver's state."""
    moved, error, dense, solver_state, _ = _solver(parameters, stages).step(
        _terms(parameters), here.time, end, here.position, parameters.problem, here.solver,
        made_jump=jnp.asarray(False),
    )  # fmt: skip
    moved = parameters.motion.retract(moved)
    return moved, error, dense | {"y1": moved}, solver_state


def _judge(memory: FlowMemory, status: Int[Array, ""]) -> Int[Array, ""]:
    """Diverged where a number is lost or steps no longer move time."""
    finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(memory.position)]
    sound = jnp.all(jnp.stack(finite)) & (memory.proposed > memory.now)
    return jnp.where(sound, status, Status.DIVERGED).astype(jnp.int32)


def _spent(parameters: FlowParameters, memory: FlowMemory) -> Bool[Array, ""]:
    return memory.counts.accepted + memory.counts.rejected >= parameters.max_steps


def _count(memory: FlowMemory, keep: Bool[Array, ""], switched: Int[Array, ""]) -> Counts:
    counts, one = memory.counts, keep.astype(jnp.int32)
    at_floor = keep & forced(memory.proposed - memory.now, memory.curvature)
    return counts._replace(
        accepted=counts.accepted + one,
        rejected=counts.rejected + 1 - one,
        at_floor=counts.at_floor + at_floor,
        switches=counts.switches + switched,
    )


def _interpolate(parameters: FlowParameters, memory: FlowMemory, time: Float[Array, ""]) -> PyTree:
    _, _, dense, _ = _attempt(parameters, memory.last, memory.now)
    interpolant = parameters.solver.interpolation_cls(t0=memory.last.time, t1=memory.now, **dense)
    return parameters.motion.retract(interpolant.evaluate(time))


def _solver(parameters: FlowParameters, stages: str) -> RungeKutta:
    """The solver with its stages in a loop that the derivatives asked for pass through."""
    if not isinstance(parameters.solver, diffrax.AbstractERK):
        return parameters.solver
    return eqx.tree_at(
        lambda solver: solver.scan_kind,
        parameters.solver,
        stages,
        is_leaf=lambda leaf: leaf is None,
    )


def _terms(parameters: FlowParameters) -> diffrax.ODETerm:
    return diffrax.ODETerm(
        lambda _, position, problem: parameters.motion.field(problem, parameters.settings, position)
    )


def _field(parameters: FlowParameters) -> Field:
    return lambda position: parameters.motion.field(
        parameters.problem, parameters.settings, position
    )


def _controller(parameters: FlowParameters, curvature: Curvature | None) -> Any:
    if parameters.step is not None:
        return diffrax.ConstantStepSize()
    if curvature is None:
        return diffrax.PIDController(parameters.rtol, parameters.atol)
    return diffrax.PIDController(
        parameters.rtol, parameters.atol, dtmin=curvature.floor, force_dtmin=True
    )


def _first_step(parameters: FlowParameters, curvature: Curvature | None) -> Float[Array, ""] | None:
    if parameters.step is not None:
        return parameters.step
    return None if curvature is None else curvature.floor


def _evaluations_per_step(solver: RungeKutta) -> int:
    tableau = getattr(solver, "tableau", None)
    if not isinstance(tableau, diffrax.ButcherTableau):
        return 1
    return tableau.num_stages - 1 if tableau.fsal else tableau.num_stages


def _renew_curvature(parameters: FlowParameters, memory: FlowMemory) -> FlowMemory:
    """A new estimate where one is due; a step that was to be at the old floor obeys the new."""
    old, now = memory.curvature, memory.now
    if old is None:
        return memory

    def renew(memory: FlowMemory) -> FlowMemory:
        new = again(_field(parameters), limits(parameters), old, memory.position, now)
        proposed = jnp.where(forced(memory.proposed - now, old), now + new.floor, memory.proposed)
        counts = memory.counts._replace(estimates=memory.counts.estimates + 1)
        return memory._replace(curvature=new, proposed=proposed, counts=counts)

    return jax.lax.cond(is_due(old, now), renew, lambda same: same, memory)
