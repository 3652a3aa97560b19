"""How far two laws of samples are apart, from draws of a few hundred: squared Wasserstein distance and MMD."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

_DRAWS = 12
_MOST = 256  # samples in each draw
_SAME = 1e-12  # of the largest squared distance: points no further apart are one, to rounding


class Distances(NamedTuple):
    """Mean and interval of 95 %, over draws: W2^2 per entry, and squared maximum mean discrepancy."""

    w2: tuple[float, float, float]
    mmd: tuple[float, float, float]


class Law(NamedTuple):
    """Points, shape (n, dim), and how likely each is drawn, shape (n,), in any proportion."""

    points: np.ndarray
    weights: np.ndarray

    def drawn(self, m: int, rng: np.random.Generator) -> np.ndarray:
        """Return m points drawn independently."""
        return self.points[rng.choice(self.weights.size, size=m, p=self.weights / self.weights.sum())]


def distances(one: Law, other: Law, width: float, rng: np.random.Generator, m: int) -> Distances:
    """Return the distances of m samples drawn from one law and m from the other, mean of several such draws.

    Squared Wasserstein distances of m samples are too large on average, and are compared with those of two draws from
    one law. The squared discrepancy, with the kernel exp(-|x - y|^2 / (2 width^2)), is without bias and may be below
    zero (Gretton et al. 2012, Lemma 6).
    """
    found = np.array([_of_draws(one.drawn(m, rng), other.drawn(m, rng), width) for _ in range(_DRAWS)])
    from scipy.stats import t

    reach = float(t.ppf(0.975, _DRAWS - 1)) / math.sqrt(_DRAWS)
    means, errors = found.mean(axis=0), reach * found.std(axis=0, ddof=1)
    (w2, mmd), (w2_error, mmd_error) = means.tolist(), errors.tolist()
    return Distances((w2, max(0.0, w2 - w2_error), w2 + w2_error), (mmd, mmd - mmd_error, mmd + mmd_error))


def size_of_draws(n: int) -> int:
    """Return how many of n samples a draw takes."""
    return min(_MOST, n)


def median_distance(law: Law, rng: np.random.Generator) -> float:
    """Return the median distance of two different samples, 1 if all are the same: a usual width of kernels."""
    m = size_of_draws(law.weights.size)
    squares = _squares(law.drawn(m, rng), law.drawn(m, rng))
    apart = squares[squares > _SAME * squares.max()]
    return math.sqrt(float(np.median(apart))) if apart.size else 1.0


def _of_draws(x: np.ndarray, y: np.ndarray, width: float) -> tuple[float, float]:
    from scipy.optimize import linear_sum_assignment

    m, dim = x.shape
    across = _squares(x, y)
    w2 = float(across[linear_sum_assignment(across)].mean()) / dim
    within = [np.exp(-_squares(z, z) / (2 * width**2)) for z in (x, y)]
    pairs = sum(float(kernel.sum() - np.trace(kernel)) for kernel in within) / (m * (m - 1))
    return w2, pairs - 2 * float(np.exp(-across / (2 * width**2)).mean())


def _squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return squared distances of all pairs, shape (n, m)."""
    centre = x.mean(axis=0)
    x, y = x - centre, y - centre  # so that what is common to all does not cancel
    squares: np.ndarray = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1) - 2 * x @ y.T
    return np.maximum(squares, 0.0)
