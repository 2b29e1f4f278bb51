"""The statements, one module per section of the theory."""

from ..statement import Statement
from . import (
    batch_update,
    bounds,
    collapse,
    collapse_metrics,
    constraints,
    discretisation,
    equilibria,
    free_flow,
    noise_and_rank,
    normalisations,
    normalised_flow,
    one_hot,
    one_hot_algebra,
    other_losses,
    polar,
    rank_examples,
    wide,
    wide_descent,
)

STATEMENTS: tuple[Statement, ...] = (
    *polar.STATEMENTS,
    *normalised_flow.STATEMENTS,
    *equilibria.STATEMENTS,
    *free_flow.STATEMENTS,
    *normalisations.STATEMENTS,
    *discretisation.STATEMENTS,
    *bounds.STATEMENTS,
    *other_losses.STATEMENTS,
    *batch_update.STATEMENTS,
    *noise_and_rank.STATEMENTS,
    *rank_examples.STATEMENTS,
    *collapse.STATEMENTS,
    *collapse_metrics.STATEMENTS,
    *one_hot.STATEMENTS,
    *one_hot_algebra.STATEMENTS,
    *wide.STATEMENTS,
    *wide_descent.STATEMENTS,
    *constraints.STATEMENTS,
)
