"""How far two laws of samples are apart, seen from many directions: squared Wasserstein distances on the line."""

from __future__ import annotations

import numpy as np


def squared_distances(
    x: np.ndarray, y: np.ndarray, x_weights: np.ndarray, y_weights: np.ndarray, directions: np.ndarray
) -> np.ndarray:
    """Return W2^2 between the laws of two sets of points seen from every direction, shape (k,).

    Parameters
    ----------
    x, y : numpy.ndarray
        Points, shapes (n, dim) and (m, dim).
    x_weights, y_weights : numpy.ndarray
        Positive, shapes (n,) and (m,); only their proportions count.
    directions : numpy.ndarray
        Unit vectors, shape (dim, k).
    """
    first, second = x @ directions, y @ directions
    return np.array([_on_the_line(*pair, x_weights, y_weights) for pair in zip(first.T, second.T, strict=True)])


def _on_the_line(a: np.ndarray, b: np.ndarray, a_weights: np.ndarray, b_weights: np.ndarray) -> float:
    """Return the mean squared difference of the two quantile functions, steps between the levels of either."""
    (a, a_levels), (b, b_levels) = _quantiles(a, a_weights), _quantiles(b, b_weights)
    levels = np.sort(np.concatenate([a_levels, b_levels]))
    widths = np.diff(levels, prepend=0.0)
    middles = levels - 0.5 * widths
    i, j = np.searchsorted(a_levels, middles), np.searchsorted(b_levels, middles)
    return float(widths @ (a[i.clip(max=a.size - 1)] - b[j.clip(max=b.size - 1)]) ** 2)


def _quantiles(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(values, kind="stable")
    levels = np.cumsum(weights[order])
    return values[order], levels / levels[-1]
