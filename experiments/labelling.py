"""Trajectories with names on their axes, as studies store them: those of `dynamics.labelling`."""

from ..dynamics.labelling import labelled, point

__all__ = ["labelled", "point"]
