"""What losses are counted from in a check: their least values, or their largest under a negative multiplier."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

Block = Callable[[int, slice], np.ndarray]


def least_values(block: Block, shifts: np.ndarray, letters: Iterator[slice]) -> np.ndarray:
    """Return the least value of every loss over the letters that no loss forbids.

    Parameters
    ----------
    block : callable
        Takes a loss's index and letters, and returns their losses at n symbols.
    shifts : numpy.ndarray
        Shape (M', n): the least values over all letters, which are taken where nothing is forbidden.
    letters : iterator of slice
        Of all letters, some at a time.
    """
    least = np.full(shifts.shape, math.inf)
    for some in letters:
        np.minimum(least, _allowed(block, len(shifts), some, math.inf).min(axis=2), out=least)
    return least


def with_largest(block: Block, shifts: np.ndarray, turned: list[int], letters: Iterator[slice]) -> np.ndarray:
    """Return the least values with the largest ones in their place for some losses; parameters as of `least_values`."""
    origins = shifts.copy()
    origins[turned] = -math.inf
    for some in letters:
        largest = _allowed(block, len(shifts), some, -math.inf).max(axis=2)
        origins[turned] = np.maximum(origins[turned], largest[turned])
    return origins


def largest_difference(block: Block, count: int, m: int, letters: Iterator[slice]) -> float:
    """Return the largest less the least value of loss m of `count` over the pairs that none forbids."""
    low, high = math.inf, -math.inf
    for some in letters:
        parts = np.array([block(one, some) for one in range(count)])
        allowed = np.isfinite(parts).all(axis=0)
        low = min(low, float(np.min(parts[m], initial=math.inf, where=allowed)))
        high = max(high, float(np.max(parts[m], initial=-math.inf, where=allowed)))
    return high - low


def _allowed(block: Block, count: int, letters: slice, otherwise: float) -> np.ndarray:
    """Return the losses of some letters, and something else at pairs that any of them forbids."""
    parts = np.array([block(m, letters) for m in range(count)])
    parts[:, np.isinf(parts).any(axis=0)] = otherwise
    return parts
