"""Tails of sums of independent variables with finitely many values, from below."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from rdcsolve.rounding import EPS

_MOST_TYPES = 400_000
_CELLS = 2**20
_SAME = 1e-13  # of the largest value: values this close are taken for the lower of them


def upper_tail(p: np.ndarray, values: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return thresholds t and lower bounds on P[V_1 + ... + V_n >= t] for independent V_i.

    Where few values differ, the sum has few values as well, and their masses are multinomial. Otherwise values are
    rounded down to a grid, which moves the sum down, and the masses come from a Fourier transform.

    Parameters
    ----------
    p : numpy.ndarray
        Masses, shape (k,).
    values : numpy.ndarray
        Shape (k,).
    n : int
    """
    used = p > 0
    masses, levels = _merged(p[used], values[used])
    if math.comb(n + levels.size - 1, levels.size - 1) <= _MOST_TYPES:
        sums, tails, error = _by_types(masses, levels, n)
    else:
        sums, tails, error = _by_grid(masses, levels, n)
    size = float(np.abs(levels).max(initial=0.0))
    return sums - 4 * n * EPS * size, np.maximum(tails - error, 0.0)


def tail_from_above(p: np.ndarray, values: np.ndarray, n: int, threshold: float) -> float:
    """Return an upper bound on the mass of V_1 + ... + V_n >= threshold, for few values, good to roundings of itself.

    Parameters
    ----------
    p : numpy.ndarray
        Positive, shape (k,); any total.
    values : numpy.ndarray
        Shape (k,).
    n : int
    threshold : float
    """
    sums, tails, error = _by_types(p, values, n)
    size = float(np.abs(values).max(initial=0.0))
    count = int(np.count_nonzero(sums >= threshold - 4 * n * EPS * size))
    return float(tails[count - 1] + error[count - 1]) if count else 0.0


def _merged(p: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return masses and values, where values that differ by less than rounding have become the lowest of them."""
    order = np.argsort(values)
    p, values = p[order], values[order]
    starts = [0]
    for k in range(1, values.size):
        if values[k] - values[starts[-1]] > _SAME * max(abs(values[0]), abs(values[-1])):
            starts.append(k)
    return np.add.reduceat(p, starts), values[starts]


def types(n: int, k: int) -> Iterator[tuple[int, ...]]:
    """Yield all tuples of k counts that add up to n."""
    if k == 1:
        yield (n,)
        return
    for first in range(n + 1):
        for rest in types(n - first, k - 1):
            yield (first, *rest)


def log_multinomials(counts: np.ndarray, n: int) -> np.ndarray:
    """Return log(n! / prod counts!), shape (T,), for rows of counts."""
    from scipy.special import gammaln

    logs: np.ndarray = gammaln(n + 1) - gammaln(counts + 1.0).sum(axis=1)
    return logs


def _by_types(p: np.ndarray, values: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    counts = np.array(list(types(n, p.size)), dtype=float).reshape(-1, p.size)
    masses = np.exp(log_multinomials(counts, n) + counts @ np.log(p))
    sums = counts @ values
    order = np.argsort(-sums, kind="stable")
    tails = np.cumsum(masses[order])
    size = math.lgamma(n + 1) + n * float(np.abs(np.log(p)).max())  # of what the exponents are differences of
    return sums[order], tails, tails * (16 * EPS * (size + 2) + EPS * counts.shape[0])


def _by_grid(p: np.ndarray, values: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return thresholds, tails and what they may err by; sums far from their mean are left to wrap around the grid.

    By Hoeffding's inequality no more than 2 exp(-40) is further from the mean than the square root of 20 n ranges.
    """
    from scipy import fft

    low, spread = float(values.min()), float(np.ptp(values))
    window = spread * min(n, 2 * math.sqrt(20.0 * n))
    step = window / (_CELLS - n - 2)  # cells are rounded down by less than one each
    cells = np.floor((values - low) / step * (1 - 4 * EPS)).astype(np.int64)
    one = np.bincount(cells % _CELLS, weights=p, minlength=_CELLS)
    around = np.maximum(fft.irfft(fft.rfft(one) ** n, _CELLS), 0.0)
    first = 0 if window >= n * spread else max(0, int(n * float(p @ cells)) - _CELLS // 2)
    places = first + np.arange(_CELLS)
    tails = np.cumsum(around[places % _CELLS][::-1])[::-1]
    # A transform of N numbers errs by some log2(N) units of their sum in the root mean square (Higham 2002, section
    # 24.1), its nth power by n times that; a tail adds up to N of those, and takes masses below zero for zero.
    error = 64 * EPS * n * math.log2(_CELLS) * math.sqrt(_CELLS) + 2 * math.exp(-40.0)
    return n * low + step * places, tails, np.full(_CELLS, error)
