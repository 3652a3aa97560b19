"""Least squares for as many unknowns as there are limits, whatever units their losses are in."""

from __future__ import annotations

import numpy as np


def in_own_units(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the solution of a symmetric system with no negative eigenvalue, the shortest where there are many.

    Every unknown counts in the unit that makes its diagonal entry one. LAPACK drops what is below a rounding of the
    largest singular value: beside a loss of 1e8, whose variance is 1e16, that is all that one of order one has.

    Parameters
    ----------
    matrix, right : numpy.ndarray
        Shapes (R, R), finite, and (R,).
    """
    units = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix / units[:, None] / units
    return np.asarray(np.linalg.lstsq(scaled, right / units, rcond=None)[0] / units)
