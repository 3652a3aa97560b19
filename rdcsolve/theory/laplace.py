"""Laplace source, density exp(-abs(x)/scale) / (2 scale), under the absolute error abs(x - a).

Source: Berger, Rate Distortion Theory (1971), chapter 4. The source is the sum of a reproduction and an
independent Laplace error of scale D, which makes Shannon's lower bound tight at every D.
"""

import numpy as np
from numpy.typing import ArrayLike

from .arguments import FloatOrArray, as_result, number, within


def differential_entropy(scale: ArrayLike = 1.0) -> FloatOrArray:
    """h(X) = ln(2 e scale) in nats.

    Raises
    ------
    InvalidInput
        If `scale` is not positive and finite.
    """
    return as_result(1.0 + np.log(2.0 * within("scale", scale, 0.0, open_low=True, finite=True)))


def rate_distortion(D: ArrayLike, scale: ArrayLike = 1.0) -> FloatOrArray:
    """R(D) = max(0, ln(scale / D)) in nats; inf at D = 0. `scale` is E abs(X), the distortion of rate zero.

    Raises
    ------
    InvalidInput
        If D < 0 or `scale` is not positive and finite.

    Examples
    --------
    >>> round(rate_distortion(0.5), 6), rate_distortion(2.0)
    (0.693147, 0.0)
    """
    D, scale = within("D", D, 0.0), within("scale", scale, 0.0, open_low=True, finite=True)
    with np.errstate(divide="ignore"):
        return as_result(np.maximum(0.0, np.log(scale) - np.log(D)))


def distortion_rate(R: ArrayLike, scale: ArrayLike = 1.0) -> FloatOrArray:
    """D(R) = scale e^{-R}, R in nats.

    Raises
    ------
    InvalidInput
        If R < 0 or `scale` is not positive and finite.
    """
    return as_result(within("scale", scale, 0.0, open_low=True, finite=True) * np.exp(-within("R", R, 0.0)))


def multiplier(D: ArrayLike, scale: ArrayLike = 1.0) -> FloatOrArray:
    """lambda_d = -dR/dD = 1/D below `scale`, 0 from there on (at the kink any value in between is valid).

    Raises
    ------
    InvalidInput
        If D <= 0 or `scale` is not positive and finite.
    """
    D = within("D", D, 0.0, open_low=True)
    return as_result(np.where(D < within("scale", scale, 0.0, open_low=True, finite=True), 1.0 / D, 0.0))


def d_tilted_information(x: ArrayLike, D: ArrayLike, scale: ArrayLike = 1.0) -> FloatOrArray:
    """j(x, D) = ln(scale/D) + abs(x)/scale - 1 for D < scale and 0 beyond, in nats, X with median zero.

    Raises
    ------
    InvalidInput
        If D <= 0 or `scale` is not positive and finite.

    Notes
    -----
    The optimal reproduction is 0 with probability (D/scale)^2 and Laplace of the same scale otherwise; the mean of
    exp(-abs(x - A)/D) under it is (D/scale) exp(-abs(x)/scale). Definition: Kostina and Verdu, IEEE Trans. Inf.
    Theory 58 (2012).
    """
    D, scale = within("D", D, 0.0, open_low=True), within("scale", scale, 0.0, open_low=True, finite=True)
    value = np.log(scale) - np.log(D) + np.abs(number("x", x)) / scale - 1.0
    return as_result(np.where(D < scale, value, 0.0))
