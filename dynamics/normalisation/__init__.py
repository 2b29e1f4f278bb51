"""Which coordinates move: the documents' normalisations as one argument of flow and descent.

A normalisation says what a position is, which potential U it descends, which part of the gradient
moves it, and how a displaced position is brought back. The flow is x' = -project(x, grad U(x)); a
step of descent hands the same projected gradient to an optimiser and retracts. What each conserves
is its *certificate*: numbers that stay constant along the flow, up to integration error.

| constructor | position | U minus the data's loss | conserved along the flow |
|---|---|---|---|
| `sphere` | `Polar` | lambda rho^2 | norms of V_k (projected, retracted) |
| `sphere(radius="held")` | `Polar` | lambda rho^2 | norms of V_k; rho |
| `scheduled` | `Timed` | lambda rho(t)^2 | norms of V_k; position's time minus time |
| `free` | `Weights` | lambda sum_k norm(W_k)^2 | differences of squared norms, by e^(4 lambda t) |
| `free(decay="product")` | `Weights` | lambda rho^2 | differences of squared norms |
| `layerwise` | `LayerPolar` | as `free` | as `free`: the same motion in (rho_k, V_k) |
| `lagrange` | `Polar` | lambda rho^2 | ratios of 1 - norm(V_k)^2 between layers |
| `weight_norm` | `Gained` | lambda sum_k g_k^2, or lambda rho^2 | norms of v_k |
| `frozen_gain` | `Polar`, any norms | lambda rho^2 | norms of v_k |
| `top_free` | `Weights` | lambda norm(W_L)^2 | norms of W_k, k < L (projected, retracted) |
| `linearised` | `Linearised` | as `free` | norms of the anchor |
| `batch_norm` | `Tracked` | as `free`, or lambda norm(W_L)^2 | hidden units' squared norms |

`lagrange` is the literal form of [M117] (7), offered because the documents print it: it repels the
unit sphere where rho > mu/M. Its step is `sphere`'s without retraction.

`batch_norm` is for networks with batch norm (`models.batch_norm`), where hidden layers have no
scale and rho is the top layer's norm; layers' own decay is taken out of what it conserves. Of the
others `sphere`, `scheduled`, `frozen_gain` and `top_free` hold there too. The rest assume that
every layer scales the output, and are refused there (`fitting`).

In every one of them layers can be ``frozen``, by their numbers from 0, or from the top with -1.
They then stay as they are, and derivatives of a run in them are right all the same. Differences and
ratios of the table are those between layers that move; the frozen ones' norms follow them.

Source: [Dyn] (2)-(6); [M117] (46)-(53), (66)-(71), appendix H; [M112] (5), (12)-(15). Printed
forms differ: [M117] (48)-(50) have wrong signs, (69) a spurious rho. [Dyn] 3.2 and [M117]
H.3.1 call `top_free` equivalent to `sphere`: true of the function and of the equilibria, while the
top layer's direction moves slower by rho^2.
"""

from .choices import (
    batch_norm,
    free,
    frozen_gain,
    lagrange,
    layerwise,
    linearised,
    scheduled,
    sphere,
    top_free,
    weight_norm,
)
from .fitting import fitting
from .kind import Normalisation, field, gradient
from .positions import Gained, Start, Timed, Tracked

__all__ = [
    "Gained",
    "Normalisation",
    "Start",
    "Timed",
    "Tracked",
    "batch_norm",
    "field",
    "fitting",
    "free",
    "frozen_gain",
    "gradient",
    "lagrange",
    "layerwise",
    "linearised",
    "scheduled",
    "sphere",
    "top_free",
    "weight_norm",
]
