"""Trajectories with names on their axes: as xarray datasets, in memory.

    data = trajectory.to_xarray()
    data.rho.sel(time=100.0, method="nearest")
    data.margins.mean("sample")

Dimensions are ``member`` (of an ensemble), ``time``, and what an observation has of its own:
``sample`` for margins, ``layer`` for what is one number per layer, else ``NAME_0``, ``NAME_1``...
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
from ..models.polar import Polar, to_polar
from ..models.views import View

if TYPE_CHECKING:
    from .trajectory import Trajectory


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
        final: Where it ended, to be kept as ``final_rho`` and ``final_layer_K``.
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
    variables: dict[str, Any] = {"final_rho": (lead, np.asarray(view.rho))}
    for k, layer in enumerate(view.directions):
        axes = (f"layer_{k}_{axis}" for axis in range(layer.ndim - len(lead)))
        variables[f"final_layer_{k}"] = ((*lead, *axes), np.asarray(layer))
    return variables


def point(dataset: xr.Dataset) -> Polar:
    """The point that `labelled` has kept of one run, in double precision.

    Args:
        dataset: One run, or one member of an ensemble.
    """
    count = sum(str(name).startswith("final_layer_") for name in dataset)
    layers = (dataset[f"final_layer_{k}"] for k in range(count))
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
