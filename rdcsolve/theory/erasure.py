"""Labels that are the source seen through an erasure: S = X with probability 1 - e, else "erased".

Then H(S|A) = Hb(e) + (1 - e) H(X|A) for every channel, so I(S;A) = (1 - e) I(X;A) and a limit on the label
entropy is a limit on the rate, no more: R falls in C with the constant slope -1/(1 - e). e = 0 is the label
S = X, e = 1 a label that knows nothing of X. A derivation from the definition; no theorem is needed.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rdcsolve.information import binary_entropy

from .arguments import Array, FloatOrArray, as_result, at_least, within


def label_entropy(R: ArrayLike, entropy_x: ArrayLike, e: ArrayLike) -> FloatOrArray:
    """H(S|A) = Hb(e) + (1 - e)(H(X) - R), in nats, of any channel with I(X;A) = R.

    Raises
    ------
    InvalidInput
        If R or `entropy_x` is negative, R exceeds `entropy_x`, or e is outside [0, 1].
    """
    R, e = within("R", R, 0.0, finite=True), within("e", e, 0.0, 1.0)
    unknown = within("entropy_x - R", within("entropy_x", entropy_x, 0.0, finite=True) - R, 0.0)  # H(X|A)
    return as_result(binary_entropy(e) + (1.0 - e) * unknown)


def minimum_label_entropy(e: ArrayLike) -> FloatOrArray:
    """C_min = H(S|X) = Hb(e) in nats, attained at the finite rate H(X).

    Raises
    ------
    InvalidInput
        If e is outside [0, 1].
    """
    return as_result(binary_entropy(within("e", e, 0.0, 1.0)))


def rate(rate_of_distortion: ArrayLike, C: ArrayLike, entropy_x: ArrayLike, e: ArrayLike) -> FloatOrArray:
    """R(D, C) = max(R(D), H(X) - (C - Hb(e))/(1 - e)) in nats, inf for C < Hb(e).

    Parameters
    ----------
    rate_of_distortion : array_like
        R(D) of the source, in nats, from any distortion measure; 0 for no limit.
    C : array_like
        Limit on H(S|A) in nats; `inf` for no limit.
    entropy_x : array_like
        H(X) in nats.
    e : array_like
        Probability of erasure, in [0, 1].

    Returns
    -------
    float or ndarray
        The rate in nats.

    Raises
    ------
    InvalidInput
        If an argument is NaN, negative, or outside its range.

    Notes
    -----
    The maximum is attained: reveal X to the decoder, beside the letter of the best channel for D, just often enough.
    With letters that may share a reproduction value this is always possible.

    Examples
    --------
    >>> rate(0.1, 0.4, entropy_x=0.6, e=0.0), rate(0.3, 0.4, entropy_x=0.6, e=0.0)
    (0.19999999999999996, 0.3)
    """
    base, C = within("rate_of_distortion", rate_of_distortion, 0.0), within("C", C, 0.0)
    entropy_x, e = within("entropy_x", entropy_x, 0.0, finite=True), within("e", e, 0.0, 1.0)
    excess = C - binary_entropy(e)
    with np.errstate(divide="ignore", invalid="ignore"):
        # At e = 1 the label is worth nothing: any C that is feasible is free.
        needed = np.where(e < 1.0, entropy_x - np.maximum(excess, 0.0) / (1.0 - e), 0.0)
    return as_result(np.where(_feasible(C, e), np.maximum(base, needed), np.inf))


def multiplier(rate_of_distortion: ArrayLike, C: ArrayLike, entropy_x: ArrayLike, e: ArrayLike) -> FloatOrArray:
    """lambda_c = -dR/dC = 1/(1 - e) where the label limit binds, 0 where it does not, NaN if infeasible.

    Raises
    ------
    InvalidInput
        As `rate`.
    """
    binds = rate(rate_of_distortion, C, entropy_x, e) > within("rate_of_distortion", rate_of_distortion, 0.0)
    e = within("e", e, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        price = np.where(binds, 1.0 / (1.0 - e), 0.0)
    return as_result(np.where(_feasible(within("C", C, 0.0), e), price, np.nan))


def _feasible(C: Array, e: Array) -> NDArray[np.bool_]:
    return at_least(C, np.asarray(binary_entropy(e)))
