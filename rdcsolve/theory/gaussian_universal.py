"""One encoder for many targets (D, C), scalar Gaussian source and label: Theorem 3 of arXiv:2504.09025.

At rate R one channel is best for both losses (see `rdcsolve.theory.gaussian.distortion`), so what rate R attains is
the quadrant D >= var_x e^{-2R}, C >= C*(R), and one encoder serves a set of targets if and only if it serves the least
D and the least C among them. Its public functions are members of `rdcsolve.theory.gaussian`.
"""

import numpy as np
from numpy.typing import ArrayLike

from rdcsolve.errors import InvalidInput

from .arguments import Array, FloatOrArray, as_result, number, within
from .gaussian_terms import correlation, critical, distortion_term, label_term, variance_of


def region(
    R: ArrayLike, rho: ArrayLike, var_x: ArrayLike = 1.0, var_s: ArrayLike = 1.0
) -> tuple[FloatOrArray, FloatOrArray]:
    """Corner (var_x e^{-2R}, C*(R)) of Omega(R): a pair (D, C) is attained at rate R if and only if neither is less.

    Parameters
    ----------
    R : array_like
        Rate in nats.
    rho, var_x, var_s : array_like
        Correlation coefficient and variances.

    Returns
    -------
    D, C : float or ndarray
        Squared error, and h(S|A) in nats. Also the corner of Omega(p_{Z|X}) for every Z that is jointly Gaussian with
        X and has I(X;Z) = R.

    Raises
    ------
    InvalidInput
        If R < 0, or an argument is NaN or outside its range.

    Notes
    -----
    Equation (10) of arXiv:2504.09025.

    Examples
    --------
    >>> D, C = region(0.2, rho=0.7)
    >>> round(D, 6), round(C, 6)
    (0.67032, 1.330842)
    """
    R, rho = within("R", R, 0.0), correlation(rho)
    D = variance_of("var_x", var_x) * np.exp(-2.0 * R)
    return as_result(D), as_result(critical(R, rho, variance_of("var_s", var_s)))


def universal_rate(targets: ArrayLike, rho: ArrayLike, var_x: ArrayLike = 1.0, var_s: ArrayLike = 1.0) -> FloatOrArray:
    """R(Theta) = R(min_j D_j, min_j C_j): the least I(X;Z) of one encoder with a decoder for every target, in nats.

    Parameters
    ----------
    targets : array_like
        Pairs (D_j, C_j), shape (..., J, 2); `inf` for no limit. C_j limits h(S|A), in nats.
    rho, var_x, var_s : array_like
        Correlation coefficient and variances, broadcast against the leading axes of `targets`.

    Returns
    -------
    float or ndarray
        In nats; `inf` if a target cannot be met at a finite rate.

    Raises
    ------
    InvalidInput
        If `targets` has another shape or no pair, or an argument is NaN or outside its range.

    Notes
    -----
    Definition 3 of arXiv:2504.09025.

    Examples
    --------
    >>> round(universal_rate([(0.5, float("inf")), (2.0, 1.3)], rho=0.7), 6)
    0.346574
    """
    D, C = _limits(targets)
    return as_result(_rate(D.min(axis=-1), C.min(axis=-1), rho, var_x, var_s))


def rate_penalty(targets: ArrayLike, rho: ArrayLike, var_x: ArrayLike = 1.0, var_s: ArrayLike = 1.0) -> FloatOrArray:
    """A(Theta) = R(Theta) - max_j R(D_j, C_j) in nats: zero for this source, and NaN where R(Theta) is infinite.

    Parameters
    ----------
    targets, rho, var_x, var_s : array_like
        As in `universal_rate`.

    Returns
    -------
    float or ndarray
        In nats: the difference of the two closed forms.

    Raises
    ------
    InvalidInput
        As `universal_rate`.

    Notes
    -----
    Definition 4 and equation (8) of arXiv:2504.09025.

    Examples
    --------
    >>> rate_penalty([(0.5, float("inf")), (2.0, 1.3)], rho=0.7)
    0.0
    """
    D, C = _limits(targets)
    together = _rate(D.min(axis=-1), C.min(axis=-1), rho, var_x, var_s)
    rho, var_x, var_s = (np.asarray(value, dtype=np.float64)[..., None] for value in (rho, var_x, var_s))
    alone = _rate(D, C, rho, var_x, var_s).max(axis=-1)
    with np.errstate(invalid="ignore"):
        return as_result(together - alone)


def _limits(targets: ArrayLike) -> tuple[Array, Array]:
    """Return D and C, each (..., J)."""
    pairs = number("targets", targets)
    if pairs.ndim < 2 or pairs.shape[-1] != 2 or pairs.shape[-2] == 0:
        raise InvalidInput(f"targets has shape {pairs.shape}; give pairs (D, C), shape (..., J, 2) with J >= 1")
    return within("D", pairs[..., 0], 0.0), pairs[..., 1]


def _rate(D: Array, C: Array, rho: ArrayLike, var_x: ArrayLike, var_s: ArrayLike) -> Array:
    by_label = label_term(C, correlation(rho), variance_of("var_s", var_s))
    return np.maximum(distortion_term(D, variance_of("var_x", var_x)), by_label)
