"""Least squares on a sphere, by the secular equation: what a linear network comes to at one rho."""

import numpy as np
from scipy.optimize import brentq


def solve(inputs, targets, rho):
    """w = (X^T X/N + s I)^-1 X^T y/N with s such that |w| = rho: min |X w - y|^2 on the sphere.

    Above the least-squares solution's norm s is negative, between zero and minus the smallest
    eigenvalue, where |w| grows beyond all bounds.
    """
    inputs, targets = np.asarray(inputs), np.asarray(targets)
    values, vectors = np.linalg.eigh(inputs.T @ inputs / len(targets))
    parts = vectors.T @ (inputs.T @ targets / len(targets))

    def excess(shift):
        return np.linalg.norm(parts / (values + shift)) - rho

    lowest = -values[0] + 1e-9 * values[0]
    shift = brentq(excess, lowest, np.linalg.norm(parts) / rho, xtol=1e-15, rtol=1e-14)
    return vectors @ (parts / (values + shift))


def loss(inputs, targets, weights):
    """(1/N) |X w - y|^2."""
    return np.mean((np.asarray(inputs) @ weights - np.asarray(targets)) ** 2)
