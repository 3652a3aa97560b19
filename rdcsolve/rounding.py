"""Exact sums and products of floats, for differences that would lose everything to rounding."""

from __future__ import annotations

import math

import numpy as np

_SPLIT = 134217729.0  # 2^27 + 1: cuts a double into two halves of 26 bits (Veltkamp)
_LARGEST = 1e290  # beyond this the cut overflows


def two_sum(a: np.ndarray | float, b: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded sum and its exact rounding error (Knuth): a + b = s + e."""
    s = np.add(a, b)
    t = s - a
    return s, (a - (s - t)) + (b - t)


def two_product(a: np.ndarray | float, b: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded product and its exact rounding error (Dekker): a * b = p + e, barring over- and underflow."""
    p = np.multiply(a, b)
    with np.errstate(over="ignore", invalid="ignore"):
        a_high, a_low = _halves(np.asarray(a, dtype=float))
        b_high, b_low = _halves(np.asarray(b, dtype=float))
        e = ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low
    return p, np.where(np.isfinite(e), e, 0.0)


def exact_dot(*pairs: tuple[np.ndarray, np.ndarray], plus: tuple[float, ...] = ()) -> float:
    """Return sum_pairs a.b + sum(plus), rounded once: products are split into two floats, and all are summed exactly.

    Parameters
    ----------
    *pairs : tuple of numpy.ndarray
        Vectors of equal length.
    plus : tuple of float, optional
    """
    terms = list(plus)
    for a, b in pairs:
        high, low = two_product(a, b)
        terms += np.ravel(high).tolist()
        terms += np.ravel(low).tolist()
    return math.fsum(terms)


def _halves(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    cut = np.where(np.abs(a) < _LARGEST, _SPLIT * a, math.nan)
    high = cut - (cut - a)
    return high, a - high


UNIT = 2.0**-53
"""Half the distance between one and the next double: what a correctly rounded operation errs by, relatively."""

EXPONENTIAL = 8 * UNIT
"""What NumPy's exp and log of doubles err by, relatively: 4 units in the last place, documented to be below one."""


def up(value: float) -> float:
    """Return the next float above."""
    return math.nextafter(value, math.inf)


def down(value: float) -> float:
    """Return the next float below; zero stays."""
    return math.nextafter(value, -math.inf) if value else 0.0
