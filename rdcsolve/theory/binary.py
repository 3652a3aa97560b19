"""Bernoulli source under the Hamming distortion, alone and with a label S = X xor N, N ~ Bernoulli(p1).

b is a probability of X = 1 (or of X = 0: only min(b, 1-b) matters) and p1 the chance that the label differs
from X (p1 and 1-p1 are the same problem). Hb is the binary entropy in nats.

Sources: Cover and Thomas, Theorem 10.3.1, for R(D); Wyner and Ziv, IEEE Trans. Inf. Theory 19 (1973), "Mrs.
Gerber's lemma", for the converse with a label; the joint form is proved in
docs/explanation/closed_forms.md.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rdcsolve.errors import InvalidInput
from rdcsolve.information import binary_entropy, inverse_binary_entropy

from .arguments import Array, FloatOrArray, as_result, at_least, number, within


def rate_distortion(D: ArrayLike, b: ArrayLike) -> FloatOrArray:
    """R(D) = Hb(b) - Hb(D) in nats for D < min(b, 1-b), and 0 beyond.

    Raises
    ------
    InvalidInput
        If D < 0 or b is outside [0, 1].

    Examples
    --------
    >>> round(rate_distortion(0.0, 0.5), 6), rate_distortion(0.3, 0.2)
    (0.693147, 0.0)
    """
    return as_result(_rate(within("D", D, 0.0), _folded("b", b)))


def distortion_rate(R: ArrayLike, b: ArrayLike) -> FloatOrArray:
    """D(R) = Hb^{-1}(Hb(b) - R): the least error probability at R nats, 0 from R = Hb(b) on.

    Raises
    ------
    InvalidInput
        If R < 0 or b is outside [0, 1].
    """
    return as_result(_distortion(within("R", R, 0.0), _folded("b", b)))


def multiplier(D: ArrayLike, b: ArrayLike) -> FloatOrArray:
    """lambda_d = -dR/dD = ln((1-D)/D) for D < min(b, 1-b), 0 beyond; inf at D = 0.

    Raises
    ------
    InvalidInput
        If D < 0 or b is outside [0, 1].
    """
    D = within("D", D, 0.0)
    return as_result(np.where(D < _folded("b", b), _slope(D), 0.0))


def d_tilted_information(x: ArrayLike, D: ArrayLike, b: ArrayLike) -> FloatOrArray:
    """j(x, D) = -ln P(X = x) - Hb(D) for D < min(b, 1-b) and 0 beyond, in nats; P(X = 1) = b, x is 0 or 1.

    Raises
    ------
    InvalidInput
        If D < 0, b is outside [0, 1] or x is neither 0 nor 1.

    Notes
    -----
    Kostina and Verdu, IEEE Trans. Inf. Theory 58 (2012).
    """
    D, b = within("D", D, 0.0), within("b", b, 0.0, 1.0)
    x = number("x", x)
    if (odd := (x != 0.0) & (x != 1.0)).any():
        raise InvalidInput(f"x must be 0 or 1; got {x[odd].flat[0]:g}")
    mass = np.where(x == 1.0, b, 1.0 - b)
    with np.errstate(divide="ignore"):
        value = -np.log(mass) - binary_entropy(np.minimum(D, 0.5))
    return as_result(np.where(D < _folded("b", b), value, 0.0))


def minimum_label_entropy(p1: ArrayLike) -> FloatOrArray:
    """C_min = H(S|X) = Hb(p1) in nats, attained at the finite rate Hb(b).

    Raises
    ------
    InvalidInput
        If p1 is outside [0, 1].
    """
    return as_result(binary_entropy(_folded("p1", p1)))


def critical_label_entropy(R: ArrayLike, b: ArrayLike, p1: ArrayLike) -> FloatOrArray:
    """C*(R) = Hb(p1 + (1 - 2 p1) D(R)): the least H(S|A) that rate R allows, in nats.

    Raises
    ------
    InvalidInput
        If R < 0, or b or p1 is outside [0, 1].
    """
    D, p1 = _distortion(within("R", R, 0.0), _folded("b", b)), _folded("p1", p1)
    return as_result(binary_entropy(p1 + (1.0 - 2.0 * p1) * D))


def rate(D: ArrayLike, C: ArrayLike, b: ArrayLike, p1: ArrayLike) -> FloatOrArray:
    """R(D, C) = max(0, Hb(b) - Hb(min(D, C1))) in nats, C1 = (Hb^{-1}(C) - p1) / (1 - 2 p1).

    Parameters
    ----------
    D, C : array_like
        Limits on P(A != X) and on H(S|A) in nats; `inf` for no limit.
    b, p1 : array_like
        P(X = 1) and P(S != X), in [0, 1].

    Returns
    -------
    float or ndarray
        The rate in nats; `inf` for C < Hb(p1). One letter per reproduction value is enough: splitting gains
        nothing here.

    Raises
    ------
    InvalidInput
        If a limit is NaN or negative, or b or p1 is outside [0, 1].

    Examples
    --------
    >>> round(rate(0.1, float("inf"), b=0.4, p1=0.1), 6), round(rate(0.4, 0.4, b=0.4, p1=0.1), 6)
    (0.347929, 0.484622)
    """
    D, C, b, p1 = within("D", D, 0.0), within("C", C, 0.0), _folded("b", b), _folded("p1", p1)
    reach = np.minimum(D, _label_distortion(C, p1))
    return as_result(np.where(_feasible(C, p1), _rate(reach, b), np.inf))


def multipliers(D: ArrayLike, C: ArrayLike, b: ArrayLike, p1: ArrayLike) -> tuple[FloatOrArray, FloatOrArray]:
    """(lambda_d, lambda_c) = (-dR/dD, -dR/dC) where the limits can be met, (NaN, NaN) elsewhere.

    Only the binding limit has a price: ln((1-D)/D) for the distortion, and ln((1-C1)/C1) / ((1 - 2 p1)
    ln((1-h)/h)) with h = Hb^{-1}(C) for the label entropy. Where both bind any mixture is valid; the
    distortion's is reported.

    Raises
    ------
    InvalidInput
        As `rate`.
    """
    D, C, b, p1 = np.broadcast_arrays(within("D", D, 0.0), within("C", C, 0.0), _folded("b", b), _folded("p1", p1))
    C1 = _label_distortion(C, p1)
    positive = np.minimum(D, C1) < b
    with np.errstate(divide="ignore", invalid="ignore"):
        flip = p1 + (1.0 - 2.0 * p1) * np.minimum(C1, 0.5)  # Hb^{-1}(C)
        price = _slope(C1) / ((1.0 - 2.0 * p1) * _slope(flip))
    lambda_d = np.where(positive & (D <= C1), _slope(D), 0.0)
    # With p1 = 0 both slopes are infinite at C1 = 0; S = X then and the price is 1 throughout.
    lambda_c = np.where(positive & (D > C1), np.where(p1 == 0.0, 1.0, price), 0.0)
    feasible = _feasible(C, p1)
    return as_result(np.where(feasible, lambda_d, np.nan)), as_result(np.where(feasible, lambda_c, np.nan))


def distortion(R: ArrayLike, C: ArrayLike, b: ArrayLike, p1: ArrayLike) -> FloatOrArray:
    """D(C, R) = Hb^{-1}(Hb(b) - R) for C >= C*(R), and inf below: rate R cannot make H(S|A) smaller.

    Note the order, rate first; both in nats. A C that misses C*(R) by no more than a few roundings counts
    as feasible.

    Raises
    ------
    InvalidInput
        If R or C is NaN or negative, or b or p1 is outside [0, 1].
    """
    R, C = within("R", R, 0.0), within("C", C, 0.0)
    feasible = at_least(C, np.asarray(critical_label_entropy(R, b, p1)))
    return as_result(np.where(feasible, _distortion(R, _folded("b", b)), np.inf))


def _folded(name: str, value: ArrayLike) -> Array:
    """min(value, 1 - value) of a probability."""
    probability = within(name, value, 0.0, 1.0)
    return np.minimum(probability, 1.0 - probability)


def _rate(D: Array, b: Array) -> Array:
    return np.maximum(0.0, binary_entropy(b) - binary_entropy(np.minimum(D, b)))


def _distortion(R: Array, b: Array) -> Array:
    return np.minimum(b, inverse_binary_entropy(np.maximum(0.0, binary_entropy(b) - R)))


def _slope(D: Array) -> Array:
    """Hb'(D) = ln((1-D)/D), 0 from D = 1/2 on."""
    D = np.minimum(number("D", D), 0.5)
    with np.errstate(divide="ignore"):
        return np.log1p(-D) - np.log(D)


def _label_distortion(C: Array, p1: Array) -> Array:
    """C1, the largest error probability with H(S|A) <= C; 0 where C is infeasible, inf where it is free."""
    flip = inverse_binary_entropy(np.minimum(C, np.log(2.0)))
    with np.errstate(divide="ignore", invalid="ignore"):
        C1 = np.maximum(0.0, (flip - p1) / (1.0 - 2.0 * p1))
    return np.where((C >= np.log(2.0)) | (p1 == 0.5), np.inf, C1)


def _feasible(C: Array, p1: Array) -> NDArray[np.bool_]:
    return at_least(C, np.asarray(binary_entropy(p1)))
