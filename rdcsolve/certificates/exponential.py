"""Proved upper bounds of exponentials at the speed of array arithmetic.

Compiled exponentials come without a proved error, so this one is put together from operations that IEEE 754
rounds correctly, and from a table made in ball arithmetic.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from flint import arb

LOWEST, HIGHEST = -64, 700
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
