"""Uniform source on n_x symbols under the Hamming distortion.

Source: Berger, Rate Distortion Theory (1971), chapter 2; Cover and Thomas, problem 10.5 ("rate distortion
for uniform source with Hamming distortion"). The optimal channel makes an error with probability D and then
any wrong symbol alike.
"""

import numpy as np
from numpy.typing import ArrayLike

from rdcsolve.errors import InvalidInput
from rdcsolve.information import binary_entropy

from .arguments import Array, FloatOrArray, as_result, number, within

_BISECTIONS = 60  # halves [0, 1] below the spacing of float64 numbers


def rate_distortion(D: ArrayLike, n_x: ArrayLike) -> FloatOrArray:
    """R(D) = ln n_x - Hb(D) - D ln(n_x - 1) in nats for D <= 1 - 1/n_x, and 0 beyond.

    Raises
    ------
    InvalidInput
        If D < 0 or `n_x` is not an integer of at least 2.

    Examples
    --------
    >>> round(rate_distortion(0.0, 4), 6), round(rate_distortion(0.25, 4), 6), rate_distortion(0.75, 4)
    (1.386294, 0.549306, 0.0)
    """
    return as_result(_rate(within("D", D, 0.0), _symbols(n_x)))


def distortion_rate(R: ArrayLike, n_x: ArrayLike) -> FloatOrArray:
    """D(R), the least error probability at R nats: 1 - 1/n_x at R = 0, 0 from R = ln n_x on.

    R(D) is flat to second order at its right end, so for R near 0 half of the digits of D are lost.

    Raises
    ------
    InvalidInput
        If R < 0 or `n_x` is not an integer of at least 2.
    """
    R, n_x = np.broadcast_arrays(within("R", R, 0.0), _symbols(n_x))
    low, high = np.zeros(R.shape), 1.0 - 1.0 / n_x
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        too_dear = _rate(middle, n_x) > R
        low, high = np.where(too_dear, middle, low), np.where(too_dear, high, middle)
    high = np.where(R == 0.0, 1.0 - 1.0 / n_x, high)
    return as_result(np.where(R >= np.log(n_x), 0.0, high))


def multiplier(D: ArrayLike, n_x: ArrayLike) -> FloatOrArray:
    """lambda_d = -dR/dD = ln((n_x - 1)(1 - D)/D) for D < 1 - 1/n_x, 0 beyond; inf at D = 0.

    Raises
    ------
    InvalidInput
        If D < 0 or `n_x` is not an integer of at least 2.
    """
    n_x = _symbols(n_x)
    D = np.minimum(within("D", D, 0.0), 1.0 - 1.0 / n_x)
    with np.errstate(divide="ignore"):
        return as_result(np.maximum(0.0, np.log((n_x - 1.0) * (1.0 - D)) - np.log(D)))


def d_tilted_information(x: ArrayLike, D: ArrayLike, n_x: ArrayLike) -> FloatOrArray:
    """j(x, D) = R(D) for every symbol, by symmetry; of the broadcast shape of `x`, `D` and `n_x`, in nats.

    Raises
    ------
    InvalidInput
        If D < 0 or `n_x` is not an integer of at least 2.
    """
    shape = np.broadcast_shapes(number("x", x).shape, np.shape(D), np.shape(n_x))
    return as_result(np.broadcast_to(rate_distortion(D, n_x), shape))


def _symbols(n_x: ArrayLike) -> Array:
    count = within("n_x", n_x, 2.0, finite=True)
    if (count != np.round(count)).any():
        raise InvalidInput(f"n_x counts symbols and must be an integer; got {count}")
    return count


def _rate(D: Array, n_x: Array) -> Array:
    D = np.minimum(D, 1.0 - 1.0 / n_x)
    return np.maximum(0.0, np.log(n_x) - binary_entropy(D) - D * np.log(n_x - 1.0))
