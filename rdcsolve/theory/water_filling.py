"""Closed forms for independent Gaussian coordinates: reverse water-filling, alone and beside a label of one coordinate.

Its public functions are members of `rdcsolve.theory.vector_gaussian`.
"""

import numpy as np
from numpy.typing import ArrayLike

from rdcsolve.errors import InvalidInput

from .arguments import Array, FloatOrArray, as_result, number, within
from .gaussian_terms import label_term


def reverse_water_filling(D: float, variances: ArrayLike) -> Array:
    """Distortions min(level, variance_i) of the best channel at distortion D, shape (d,): they add up to D, or less.

    Parameters
    ----------
    D : float
        Limit on the sum of squared errors, > 0.
    variances : array_like
        Of independent coordinates, or the eigenvalues of Sigma, shape (d,), positive.

    Returns
    -------
    numpy.ndarray
        The rate is the sum of 1/2 ln(variance_i / distortion_i).

    Raises
    ------
    InvalidInput
        If D is not positive, or the variances are not a vector of positive finite numbers.

    Notes
    -----
    Cover and Thomas, Elements of Information Theory, Theorem 10.3.3.

    Examples
    --------
    >>> reverse_water_filling(1.5, [2.0, 0.5]).tolist()
    [1.0, 0.5]
    """
    D = float(within("D", D, 0.0, open_low=True))
    variances = _variances(variances)
    ordered = np.sort(variances)
    below = np.r_[0.0, np.cumsum(ordered)[:-1]]  # what the coordinates under water take
    levels = (D - below) / np.arange(ordered.size, 0, -1)
    short = np.flatnonzero(levels <= ordered)
    return np.minimum(variances, levels[short[0]] if short.size else np.inf)


def rate_along_axis(D: float, C: float, variances: ArrayLike, noise: float = 0.0, axis: int = 0) -> FloatOrArray:
    """R(D, C) in closed form for independent coordinates and one label S = X_axis + N, N ~ N(0, noise), in nats.

    Parameters
    ----------
    D, C : float
        Limits on E (X - A)^2 and on h(S|A) in nats; `inf` for no limit.
    variances : array_like
        Shape (d,).
    noise : float, optional
        Variance of N.
    axis : int, optional
        The coordinate that the label looks at.

    Returns
    -------
    float
        `inf` where no finite rate meets the limits.

    Raises
    ------
    InvalidInput
        If an argument is NaN or out of range.

    Notes
    -----
    Reverse water-filling, unless it leaves that coordinate more than the label allows, c = e^{2C - 1} / (2 pi) - noise.
    Then the coordinate gets c, and the water the rest.

    Examples
    --------
    >>> round(rate_along_axis(1.0, float("inf"), [1.0, 1.0]), 6)
    0.693147
    """
    D, C = float(within("D", D, 0.0)), float(number("C", C))
    variances, noise = _variances(variances), float(within("noise", noise, 0.0, finite=True))
    if not 0 <= axis < variances.size:
        raise InvalidInput(f"axis is {axis}; there are {variances.size} coordinates, counted from 0")
    var_s = variances[axis] + noise
    rho = np.sqrt(variances[axis] / var_s)
    by_label = label_term(np.asarray(C), np.asarray(rho), np.asarray(var_s))
    if D == 0.0 or np.isinf(by_label):
        return float("inf")
    filled = variances if np.isinf(D) else reverse_water_filling(D, variances)
    allowed = float(variances[axis] * np.exp(-2.0 * by_label))
    if filled[axis] > allowed:
        others = np.delete(variances, axis)
        rest = others if np.isinf(D) or not others.size else reverse_water_filling(D - allowed, others)
        filled = np.insert(rest, axis, allowed)
    return as_result(0.5 * np.log(variances / filled).sum())


def _variances(value: ArrayLike) -> Array:
    variances = within("variances", value, 0.0, open_low=True, finite=True)
    if variances.ndim != 1 or not variances.size:
        raise InvalidInput(f"variances has shape {variances.shape}; give one per coordinate, shape (d,)")
    return variances
