"""Trajectories with names on their axes: as xarray datasets, in memory.

    data = trajectory.to_xarray()
    data.rho.sel(time=100.0, method="nearest")
    data.margins.mean("sample")

Dimensions are ``member`` (of an ensemble), ``time``, and what an observation has of its own:
``sample`` for ``margins``, ``layer`` for ``norm_drift`` and ``directions``, else ``NAME_0``,
``NAME_1``... also where they go over layers, which may be the hidden ones or pairs of neighbours.
An observation in parts (one array for each layer, several numbers) is several variables,
``NAME_PART``, whose attribute ``observation`` is its name.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..models.checks import refusal
from ..models.linearised import Linearised
from ..models.polar import Polar, Unnormalised, to_polar
from ..models.views import View

if TYPE_CHECKING:
    from .trajectory import Trajectory

OFF_SPHERE = 1e-3
"""Norms of stored directions that differ from one by less are those of unit ones, rounded."""


def labelled(
    trajectory: "Trajectory",
    members: Mapping[str, Any] | None = None,
    final: View | None = None,
    **extra: Any,
) -> xr.Dataset:
    """A trajectory as a labelled dataset.

    Args:
        trajectory: One run, or an ensemble.
        members: For an ensemble, coordinates ``[members]`` by name (seeds, decays, ...).
        final: Where it ended, to be kept as ``final_rho``, with the kind of view that it was as
            attribute, and ``final_layer_K``.
        **extra: Further numbers, one (per member) each.

    Returns:
        Variables with dimensions ``(member,) time, ...``: the observations (those in groups as
        ``group_name``), the final ``status``, and the statistics as ``count_...``.

    Raises:
        ValueError: If an observation is called ``status`` or ``time``.
    """
    lead = () if np.ndim(trajectory.times) == 1 else ("member",)
    variables: dict[str, Any] = {
        name: (_dimensions(name, np.ndim(value), lead), np.asarray(value), _part_of(whole, name))
        for whole, tree in trajectory.observations.items()
        for name, value in flat({whole: tree})
    }
    taken = sorted({"status", "time"} & set(variables))
    if taken:
        raise refusal(
            f"observations not called {' or '.join(taken)}, which every run has",
            ", ".join(trajectory.observations),
            "give yours another name in observe(...)",
        )
    counts = {f"count_{name}": value for name, value in flat(trajectory.statistics)}
    ends = {"status": trajectory.final.status} | counts | extra
    variables |= {name: (lead, np.asarray(value)) for name, value in ends.items()}
    if final is not None:
        variables |= _point(final, lead)
    coordinates: dict[str, Any] = {
        name: (lead, np.asarray(value)) for name, value in (members or {}).items()
    }
    times = np.asarray(trajectory.times)
    common = not lead or bool(np.all(times == times[:1]))
    if common:
        coordinates["time"] = (("time",), times.reshape(-1, times.shape[-1])[0])
    else:
        coordinates["time_reached"] = (("member", "time"), times)
    attributes = {"time_units": "running sum of learning rates", "placement": trajectory.placement}
    return xr.Dataset(variables, coordinates, attributes)


def _point(view: View, lead: tuple[str, ...]) -> dict[str, Any]:
    """A view's radius and directions as variables."""
    kind = {"view": type(view).__name__}
    variables: dict[str, Any] = {"final_rho": (lead, np.asarray(view.rho), kind)}
    for k, layer in enumerate(view.directions):
        axes = (f"layer_{k}_{axis}" for axis in range(layer.ndim - len(lead)))
        variables[f"final_layer_{k}"] = ((*lead, *axes), np.asarray(layer))
    return variables


def point(dataset: xr.Dataset) -> Polar:
    """The point that `labelled` has kept of one run, in JAX's default precision.

    Args:
        dataset: One run, or one member of an ensemble.

    Raises:
        ValueError: If what was kept is no radius and unit directions: of a linearised network,
            whose anchor is not kept, of one without radius, or off the unit spheres.
    """
    count = sum(str(name).startswith("final_layer_") for name in dataset)
    layers = [np.asarray(dataset[f"final_layer_{k}"]) for k in range(count)]
    kind = dataset.final_rho.attrs.get("view", "Polar")
    off = max(abs(float(np.linalg.norm(layer)) - 1) for layer in layers)
    if kind in (Unnormalised.__name__, Linearised.__name__) or not off < OFF_SPHERE:
        raise refusal(
            "a run that ended in a radius and unit directions",
            f"{kind}, layers' norms up to {off:.2g} from one",
            "run on from trajectory.final, which holds all of it",
        )
    return to_polar(
        tuple(jnp.asarray(layer, float) for layer in layers), rho=float(dataset.final_rho)
    )


def _part_of(whole: str, name: str) -> dict[str, str]:
    """Of which observation a variable is a part, where it is."""
    return {} if whole == name else {"observation": whole}


def _dimensions(name: str, rank: int, lead: tuple[str, ...]) -> tuple[str, ...]:
    known = (*lead, "time")
    own = {"margins": "sample", "norm_drift": "layer", "directions": "layer"}
    extra = rank - len(known)
    if name in own and extra == 1:
        return (*known, own[name])
    return (*known, *(f"{name}_{axis}" for axis in range(extra)))


def flat(tree: Any) -> Iterator[tuple[str, Any]]:
    """Leaves with their names joined by underscores."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield "_".join(map(_part, path)), leaf


def _part(step: Any) -> str:
    """The name of one step into a tree: of a dict, a named tuple or a sequence."""
    for kind in ("key", "name", "idx"):
        if hasattr(step, kind):
            return str(getattr(step, kind))
    return str(step)
