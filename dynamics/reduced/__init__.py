"""The dynamics reduced to few numbers: closed forms to lay over a run.

    curve = reduced.logistic.rho(times, start=0.01, mean_margin=1.0, second_moment=0.5, layers=3)

Each module holds one reduced model, its equation of motion and its solution:

| module | what is frozen | what moves |
|---|---|---|
| `logistic` | mu, M, equal norms of un-normalised layers | rho(t), and the time to reach a rho |
| `equilibria` | mu, M | where rho rests, and from where it collapses to zero |
| `oscillator` | all directions | rho(t) by flow, second-order equation, descent, heavy ball |
| `exponential` | equal margins, the exponential loss | rho(t), and where it rests |
| `ridge` | nothing: deep linear networks | where the flow on the spheres ends |
| `oja` | one linear unit | its direction under Oja's rule |

All are pure functions of arrays that broadcast, of one precision, single or double. They compile
(``layers``, ``branch`` static), batch, and differentiate in forward mode. What cannot be is refused
at the call; values that are being traced cannot be looked at.

Time is the running sum of the learning rates, for the mean loss without a factor 1/2
(`models.problem`). In the documents' sum over samples, time runs N times slower.
"""

from . import equilibria, exponential, logistic, oja, oscillator, ridge

__all__ = ["equilibria", "exponential", "logistic", "oja", "oscillator", "ridge"]
