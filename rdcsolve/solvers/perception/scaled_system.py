"""Newton's systems of limits on laws: positive semidefinite up to constants added to prices, scaled and factorised."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve
from scipy.linalg.lapack import dpotrf

from rdcsolve.solvers.loop import NumericalBreakdown

_GAUGE = 1e-14  # on the diagonal of the scaled system: what it lacks of full rank are constants added to w, taken off u


class ScaledSystem(NamedTuple):
    """The Newton matrix, its scale and its factor."""

    matrix: np.ndarray
    scale: np.ndarray
    factor: np.ndarray

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return the solution, refined once."""
        pair = (self.factor, True)
        step = self.scale * cho_solve(pair, self.scale * right, check_finite=False)
        left = right - self.matrix @ step
        return np.asarray(step + self.scale * cho_solve(pair, self.scale * left, check_finite=False))


def factored(matrix: np.ndarray) -> ScaledSystem:
    """Return a symmetric positive semidefinite matrix ready to be solved with.

    Raises
    ------
    NumericalBreakdown
        If it is not finite, or far from positive semidefinite.
    """
    diagonal = np.diag(matrix)
    if not np.isfinite(diagonal).all():
        raise NumericalBreakdown("the Newton system of a limit on the reproduction's law is not finite")
    scale = 1 / np.sqrt(np.maximum(diagonal, 1e-300))
    jitter = _GAUGE
    while jitter < 1e-3:
        trial = matrix * scale
        trial *= scale[:, None]
        trial[np.arange(scale.size), np.arange(scale.size)] += jitter
        # a symmetric matrix is its own transpose, which LAPACK takes without a copy
        factor, failed = dpotrf(trial.T, lower=1, overwrite_a=1, clean=0)
        if not failed:
            return ScaledSystem(matrix, scale, factor)
        jitter *= 100
    raise NumericalBreakdown("the Newton system of a limit on the reproduction's law cannot be factorised")


def gram(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return rows diag(weights) rows', shape (n, n), of rows (n, k): squares of roots take half of a product's time."""
    root = rows * np.sqrt(np.abs(weights))
    fall = weights < 0
    if fall.all() or not fall.any():
        whole = root @ root.T
        return np.asarray(-whole if fall.any() else whole)
    up, down = np.ascontiguousarray(root[:, ~fall]), np.ascontiguousarray(root[:, fall])
    return np.asarray(up @ up.T - down @ down.T)
