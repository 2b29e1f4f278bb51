"""What theory says of an observation, from what was observed beside it.

| observation | dashed | from |
|---|---|---|
| `rho` | mu / (M + lambda), where it would rest | `rho_eq` |
| `loss` | the gap to interpolation, the loss there | `gap` |
| `gap` | the loss, which meets it at rest | `loss` |
| `margins`, `least_margin` | 1 / rho, where the targets are met | `rho` |
| any NAME | what was observed as ``NAME_predicted`` | |

The first three are for decay of the product, lambda rho^2. Where each layer decays (the default of
weights that move freely, `dynamics.normalisation.free`), a run rests elsewhere:
`dynamics.reduced.equilibria.with_layer_decay`.

Source: [Dyn] (7), (8), section 3.1.
"""

from collections.abc import Callable
from typing import NamedTuple

import xarray as xr


class Said(NamedTuple):
    """What theory says, with the dimensions ``(member,) time``, and how it is called."""

    label: str
    values: xr.DataArray


class Rule(NamedTuple):
    """A prediction: how it is called, which observation it needs, and what it makes of it."""

    label: str
    needs: str
    of: Callable[[xr.DataArray], xr.DataArray]


def _itself(values: xr.DataArray) -> xr.DataArray:
    return values


def _inverse(rho: xr.DataArray) -> xr.DataArray:
    """1 / rho where rho is positive, else NaN."""
    return 1 / rho.where(rho > 0)


RULES = {
    "rho": Rule("mu/(M+lambda)", "rho_eq", _itself),
    "loss": Rule("gap", "gap", _itself),
    "gap": Rule("loss", "loss", _itself),
    "margins": Rule("1/rho", "rho", _inverse),
    "least_margin": Rule("1/rho", "rho", _inverse),
}


def overlay(data: xr.Dataset, name: str) -> Said | None:
    """What theory says of an observation; None where nothing that was observed tells it.

    Args:
        data: One run or an ensemble, labelled (`dynamics.labelling`).
        name: The observation.
    """
    own = f"{name}_predicted"
    rule = Rule("predicted", own, _itself) if own in data else RULES.get(name)
    if rule is None or rule.needs not in data:
        return None
    return Said(rule.label, rule.of(data[rule.needs]))
