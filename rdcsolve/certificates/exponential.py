"""Proved upper bounds of exponentials at the speed of array arithmetic.

Compiled exponentials come without a proved error, so this one is put together from operations that IEEE 754
rounds correctly, and from a table made in ball arithmetic.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from flint import arb

from rdcsolve.certificates.elementary import HIGHEST, LOWEST

_STEPS = 64  # per unit; a power of two, so that multiples of 1 / _STEPS are exact

EXCESS = 2.0**-48
"""An upper bound is at most this much above the exponential, as a fraction of it."""


def exp_upper(x: np.ndarray) -> np.ndarray:
    """Return numbers not below exp(x), and above it by less than a fraction 2^-48.

    With x = n + f / 64 + r, where 0 <= r <= 1/64, exp(x) is exp(n) exp(f / 64), from tables rounded upwards,
    times the Taylor polynomial of exp(r) of degree 6, whose remainder is below 2^-54. The four products and
    the tables err by a fraction of at most 2^-53 each, the polynomial by less than four times that, so the
    factor 1 + 2^-49 covers everything.

    Parameters
    ----------
    x : numpy.ndarray
        Entries in [LOWEST, HIGHEST]; NaN where they are NaN.

    Returns
    -------
    numpy.ndarray
        Shape of `x`.
    """
    wholes, fractions = _tables()
    step = np.floor(x * _STEPS)
    r = x - step / _STEPS
    result = np.full(x.shape, 1.0)
    for degree in range(6, 0, -1):
        result *= r
        result /= degree
        result += 1.0
    is_number = step == step
    index = np.where(is_number, step, 0.0).astype(np.intp) - LOWEST * _STEPS
    result *= fractions[index % _STEPS]
    result *= wholes[index // _STEPS]
    result *= 1.0 + 2.0**-49
    return result


@cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Return floats not below exp(n), LOWEST <= n <= HIGHEST, and exp(f / 64), 0 <= f < 64."""
    wholes = [float_above(arb(n).exp()) for n in range(LOWEST, HIGHEST + 1)]
    fractions = [float_above((arb(f) / _STEPS).exp()) for f in range(_STEPS)]
    return np.array(wholes), np.array(fractions)


def float_above(ball: arb) -> float:
    """Return the smallest float that is not below any number of the ball; inf if the ball is not finite."""
    exact = ball.upper()
    nearest = float(exact)
    if math.isnan(nearest):
        return math.inf
    return math.nextafter(nearest, math.inf) if arb(nearest) < exact else nearest


class ProvedElementary:
    """The two elementary functions of ball arithmetic; see `Elementary`."""

    excess = EXCESS
    caution = 1.0

    def exp_upper(self, x: np.ndarray) -> np.ndarray:
        """Return numbers not below exp(x)."""
        return exp_upper(x)

    def log(self, x: np.ndarray) -> np.ndarray:
        """Return logarithms to within 2^-51 of (1 / 16 + their size).

        With x = 2^k c (1 + r), 1 / sqrt(2) < 2^-k x <= sqrt(2), c a multiple of 1 / 128 and |r| < 1 / 180, log x is
        k log 2 + log c, which a table holds to within a unit in its last place, plus log(1 + r), by its series up to
        r^7, whose remainder is below r^8 / 7 < 10^-18. k log 2 is added in two parts, the first of which has so few
        bits that its products with k are exact. All else goes through a few roundings of numbers no larger than the
        result and 1 / 64.
        """
        mantissa, exponent = np.frexp(x)
        low = mantissa < math.sqrt(0.5)
        mantissa, exponent = np.where(low, 2.0 * mantissa, mantissa), exponent - low
        nearest = np.rint(mantissa * _PER_ONE)
        r = (mantissa * _PER_ONE - nearest) / nearest
        series = np.full(x.shape, 1.0 / 7)
        for degree in range(6, 0, -1):
            series *= r
            np.subtract(1.0 / degree, series, out=series)
        first, rest, logs = _log_tables()
        series *= r
        series += exponent * rest
        series += np.take(logs, nearest.astype(np.intp) - _LEAST)
        series += exponent * first
        return np.asarray(series)


_PER_ONE = 128
_LEAST, _MOST = 90, 182


@cache
def _log_tables() -> tuple[float, float, np.ndarray]:
    """Return log 2 as a float of 32 bits and the rest, and the logarithms of multiples of 1 / 128, rounded."""
    first = math.floor(math.log(2) * 2**32) / 2**32
    rest = float((arb(2).log() - arb(first)).mid())
    return first, rest, np.array([float((arb(n) / _PER_ONE).log().mid()) for n in range(_LEAST, _MOST + 1)])


PROVED = ProvedElementary()
