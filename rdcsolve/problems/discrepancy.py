"""Kernels of the maximum mean discrepancy as features: their mean's distance from the target's is what is limited.

With a kernel k that is positive definite, k(x, y) = <f(x), f(y)>, the squared discrepancy of two laws is the squared
distance of their mean features. So features of the places, less the target's mean, are all that has to be kept, and
|sum_j q_j f_j|^2 is convex in the law q whatever the rounding of f.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.structures import TABLE_BYTES
from rdcsolve.problems.validation import float_array, freeze

_SAME = 1e-9  # of the largest value: two halves of a symmetric table
_NEGATIVE = 1e-9  # of the largest eigenvalue: a negative one that is more than rounding
_NOTHING = 1e-15  # of the largest eigenvalue, and for each point: an eigenvalue that is rounding

Kernel = float | np.ndarray | Callable[[np.ndarray, np.ndarray], Any]
"""The width of a Gaussian kernel, a table, or a function of points (a, dim) and (b, dim) that returns (a, b)."""


def checked_kernel(kernel: Any) -> Kernel:
    """Return a kernel as it is used: a width, a table, or a function.

    Raises
    ------
    InvalidInput
        If it is none of these.
    """
    if callable(kernel):
        found: Callable[[np.ndarray, np.ndarray], Any] = kernel
        return found
    if isinstance(kernel, str):
        raise InvalidInput(
            f"kernel is {kernel!r}; give the width of a Gaussian kernel, a function of points, or a table"
        )
    table = float_array(kernel, "kernel")
    if table.ndim == 0:
        width = float(table)
        if not 0 < width < np.inf:
            raise InvalidInput(f"kernel is the width {width:.6g} of a Gaussian; it must be positive and finite")
        return width
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise InvalidInput(
            f"kernel has shape {table.shape}; give (n, n), one row for each symbol, a function of points, or the "
            "width of a Gaussian kernel"
        )
    return table


def features_by_points(
    kernel: float | Callable[..., Any], masses: np.ndarray, points: np.ndarray, places: np.ndarray, name: str
) -> np.ndarray:
    """Return features of places less the mean of the target's atoms, shape (m, r), for a kernel of points.

    Parameters
    ----------
    kernel : float or callable
    masses : numpy.ndarray
        Shape (T,): of the target's atoms.
    points, places : numpy.ndarray
        Shapes (T, dim) and (m, dim).
    name : str
        Of the limit, for messages.
    """
    everywhere, where = np.unique(np.vstack([places, points]) + 0.0, axis=0, return_inverse=True)
    where = where.ravel()
    size = everywhere.shape[0]
    if 8 * size * size > TABLE_BYTES:
        raise InvalidInput(
            f"'{name}' needs the kernel of {size} points with each other, {8e-6 * size * size:.0f} MB, more than "
            f"{1e-6 * TABLE_BYTES:.0f} MB; use fewer symbols or letters"
        )
    table = _gaussian(kernel, everywhere) if isinstance(kernel, float) else _called(kernel, everywhere, name)
    return centred_features(table, masses, where[places.shape[0] :], where[: places.shape[0]], name)


def _gaussian(width: float, points: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    table: np.ndarray = np.exp(-0.5 * cdist(points / width, points / width, "sqeuclidean"))
    return table


def _called(kernel: Callable[..., Any], points: np.ndarray, name: str) -> np.ndarray:
    try:
        table = float_array(kernel(points, points), f"the kernel of '{name}'")
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput(
            f"the kernel of '{name}' fails for points of shape {points.shape}: {type(error).__name__}: {error}; it is "
            "called with two arrays of points, (a, dim) and (b, dim), and returns (a, b)"
        ) from error
    if table.shape != (points.shape[0], points.shape[0]):
        raise InvalidInput(
            f"the kernel of '{name}' returns shape {table.shape} for {points.shape[0]} and {points.shape[0]} points; "
            "it must return one row for each of the first, one column for each of the second"
        )
    return table


def centred_features(
    table: np.ndarray, masses: np.ndarray, atoms: np.ndarray, places: np.ndarray, name: str
) -> np.ndarray:
    """Return features of places less the target's mean, shape (m, r), from the kernel of some points with each other.

    Parameters
    ----------
    table : numpy.ndarray
        Shape (N, N).
    masses : numpy.ndarray
        Shape (T,).
    atoms, places : numpy.ndarray
        Shapes (T,) and (m,): which of the points they are.
    name : str
        Of the limit, for messages.

    Raises
    ------
    InvalidInput
        If the table is not symmetric, or not positive definite on differences of laws.
    """
    largest = float(np.abs(table).max())
    if not np.isfinite(largest):
        raise InvalidInput(f"the kernel of '{name}' has a value that is not finite")
    apart = float(np.abs(table - table.T).max())
    if apart > _SAME * largest:
        raise InvalidInput(f"the kernel of '{name}' is not symmetric: two of its values differ by {apart:.3g}")
    # laws have differences only, which know nothing of constants: so kernels like -|x - y| will do, too
    origin = int(atoms[masses.argmax()])
    centred = 0.5 * (table + table.T)
    centred = centred - centred[origin] - centred[:, origin, None] + centred[origin, origin]
    values, vectors = np.linalg.eigh(centred)
    top = float(values[-1])
    if not values[0] >= -_NEGATIVE * max(top, largest):
        raise InvalidInput(
            f"the kernel of '{name}' is not positive definite: on differences of laws it has the eigenvalue "
            f"{float(values[0]):.6g}; the discrepancy would not be a distance. Give another, such as a Gaussian's width"
        )
    kept = values > _NOTHING * values.size * top
    features = vectors[:, kept] * np.sqrt(values[kept])
    mean = masses @ features[atoms] / float(masses.sum())
    return freeze(features[places] - mean)
