"""The two elementary functions that bounds of prices need, with what they err by: one pair for each arithmetic."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from rdcsolve.rounding import ELEMENTARY

LOWEST, HIGHEST = -700, 700
"""Exponents are kept in this range: what is below counts as the lower end, which is still nothing."""

LOG_ERROR = 2.0**-50
"""A logarithm errs by at most this times its size and an eighth."""


class Elementary(Protocol):
    """Exponential and logarithm.

    Attributes
    ----------
    excess : float
        An upper bound of an exponential is at most this much above it, as a fraction of it.
    caution : float
        By what allowances for rounding are multiplied. One would do; where the functions are only taken to be good, it
        is three, so that what is proved is never the weaker of the two: a computed number errs by at most the
        allowance, so that with three of them it is at least two above the exact one, and with one at most two.
    """

    excess: float
    caution: float

    def exp_upper(self, x: np.ndarray) -> np.ndarray:
        """Return numbers not below exp(x), and above it by a fraction of at most `excess`; x in [LOWEST, HIGHEST]."""
        ...

    def log(self, x: np.ndarray) -> np.ndarray:
        """Return logarithms of positive numbers, to within LOG_ERROR (|log x| + 1 / 8)."""
        ...


class FloatElementary:
    """NumPy's, taken to be good to four units in the last place."""

    excess = 2.0**-46
    caution = 3.0

    def exp_upper(self, x: np.ndarray) -> np.ndarray:
        """See `Elementary`: more than four units are added, so that the proved pair of ball arithmetic is not above."""
        return np.asarray(np.exp(x) * (1.0 + 2.0**-47))

    def log(self, x: np.ndarray) -> np.ndarray:
        """See `Elementary`."""
        return np.asarray(np.log(x))


FLOAT = FloatElementary()

assert ELEMENTARY <= LOG_ERROR


def exp_upper(elementary: Elementary, x: np.ndarray) -> np.ndarray:
    """Return numbers not below exp(x) for any x <= HIGHEST: zero at -inf, else what is below LOWEST is raised to it."""
    result = elementary.exp_upper(np.maximum(x, LOWEST))
    if np.isneginf(x).any():
        result[np.isneginf(x)] = 0.0
    return result


def exp_lower(elementary: Elementary, x: np.ndarray) -> np.ndarray:
    """Return numbers not above exp(x), less than three times the excess below it; zero below LOWEST."""
    return np.where(x >= LOWEST, elementary.exp_upper(np.maximum(x, LOWEST)) * (1.0 - 2 * elementary.excess), 0.0)


def expm1_upper(elementary: Elementary, x: np.ndarray) -> np.ndarray:
    """Return numbers not below exp(x) - 1, for x of at most some units.

    For |x| <= 0.02 Taylor's polynomial of degree 6 in Horner's form, all of whose factors are between 0.98 and 1.02,
    errs by less than 20 roundings of x, and its remainder is below 0.02^6 / 7! < 2^-46 of x. Beyond, exp is taken less
    one.
    """
    size = np.abs(x)
    series = x * (1 / 6)
    for degree in range(5, 0, -1):
        series += 1.0
        series *= x
        series *= 1 / degree
    series += (2.0**-46 + 2.0**-48) * size
    far = size > 0.02
    if far.any():
        series[far] = elementary.exp_upper(np.maximum(x[far], LOWEST)) * (1.0 + 2.0**-52) - (1.0 - 2.0**-52)
    return series
