"""Gaussian source and Gaussian label under squared error: Theorems 1 and 2 in their correct form.

X and S are *jointly* Gaussian with correlation coefficient rho, the distortion is E (X - A)^2 and the label
limit is on the differential entropy h(S|A), so C is in nats relative to the unit of S and may be negative.
For a label discretised with step `delta`, shift the limit: see `rdcsolve.theory.discretisation`.

Sources: Y. Wang et al., "Lossy compression with data, perception, and classification constraints", ITW 2024
(Theorem 1); N. Nguyen et al., "Universal rate-distortion-classification representations for lossy
compression", arXiv:2504.09025 (Theorem 2). What those print and why it is not what this module computes is
told in docs/explanation/closed_forms.md.
"""

import numpy as np
from numpy.typing import ArrayLike

from .arguments import FloatOrArray, as_result, at_least, number, within
from .gaussian_terms import correlation, critical, distortion_term, entropy_of, label_term, variance_of
from .gaussian_universal import rate_penalty, region, universal_rate

__all__ = [
    "critical_label_entropy",
    "d_tilted_information",
    "differential_entropy",
    "distortion",
    "distortion_rate",
    "distortion_theorem_2_as_printed",
    "minimum_label_entropy",
    "multiplier",
    "multipliers",
    "rate",
    "rate_distortion",
    "rate_penalty",
    "region",
    "universal_rate",
]


def differential_entropy(variance: ArrayLike = 1.0) -> FloatOrArray:
    """Return h of a normal variable, 1/2 ln(2 pi e variance), in nats.

    Raises
    ------
    InvalidInput
        If `variance` is not positive and finite.
    """
    return as_result(entropy_of(variance_of("variance", variance)))


def minimum_label_entropy(rho: ArrayLike, var_s: ArrayLike = 1.0) -> FloatOrArray:
    """C_min = h(S|X) = h(S) + 1/2 ln(1 - rho^2) in nats (-inf if abs(rho) = 1); it needs infinite rate.

    Raises
    ------
    InvalidInput
        If abs(rho) > 1 or `var_s` is not positive and finite.

    Notes
    -----
    The feasibility threshold of Theorem 1 (arXiv:2504.09025).
    """
    return as_result(critical(np.asarray(np.inf), correlation(rho), variance_of("var_s", var_s)))


def critical_label_entropy(R: ArrayLike, rho: ArrayLike, var_s: ArrayLike = 1.0) -> FloatOrArray:
    """C*(R) = h(S) + 1/2 ln(1 - rho^2 (1 - e^{-2R})): the least h(S|A) that rate R allows, in nats.

    Raises
    ------
    InvalidInput
        If R < 0, abs(rho) > 1 or `var_s` is not positive and finite.

    Notes
    -----
    The upper end of the second case of equation (4) in arXiv:2504.09025, and the Gaussian information bottleneck.
    """
    return as_result(critical(within("R", R, 0.0), correlation(rho), variance_of("var_s", var_s)))


def rate_distortion(D: ArrayLike, var_x: ArrayLike = 1.0) -> FloatOrArray:
    """R(D) = max(0, 1/2 ln(var_x / D)) in nats; inf at D = 0.

    Raises
    ------
    InvalidInput
        If D < 0 or `var_x` is not positive and finite.

    Notes
    -----
    Cover and Thomas, Elements of Information Theory, Theorem 10.3.2.

    Examples
    --------
    >>> round(rate_distortion(0.25), 6)
    0.693147
    """
    return as_result(distortion_term(within("D", D, 0.0), variance_of("var_x", var_x)))


def distortion_rate(R: ArrayLike, var_x: ArrayLike = 1.0) -> FloatOrArray:
    """D(R) = var_x e^{-2R}, Shannon's bound: no code of rate R (nats) has a smaller mean squared error.

    Raises
    ------
    InvalidInput
        If R < 0 or `var_x` is not positive and finite.
    """
    return as_result(variance_of("var_x", var_x) * np.exp(-2.0 * within("R", R, 0.0)))


def multiplier(D: ArrayLike, var_x: ArrayLike = 1.0) -> FloatOrArray:
    """lambda_d = -dR/dD = 1 / (2D) below var_x, 0 from var_x on (at the kink any value in between is valid).

    Raises
    ------
    InvalidInput
        If D <= 0 or `var_x` is not positive and finite.
    """
    D = within("D", D, 0.0, open_low=True)
    return as_result(np.where(D < variance_of("var_x", var_x), 0.5 / D, 0.0))


def d_tilted_information(x: ArrayLike, D: ArrayLike, var_x: ArrayLike = 1.0) -> FloatOrArray:
    """j(x, D) = 1/2 ln(var_x/D) + (x^2/var_x - 1)/2 for D < var_x and 0 beyond, in nats, X with mean zero.

    Raises
    ------
    InvalidInput
        If D <= 0 or `var_x` is not positive and finite.

    Notes
    -----
    Kostina and Verdu, IEEE Trans. Inf. Theory 58 (2012).
    """
    D, var_x = within("D", D, 0.0, open_low=True), variance_of("var_x", var_x)
    tilt = 0.5 * (number("x", x) ** 2 / var_x - 1.0)
    return as_result(np.where(D < var_x, distortion_term(D, var_x) + tilt, 0.0))


def rate(D: ArrayLike, C: ArrayLike, rho: ArrayLike, var_x: ArrayLike = 1.0, var_s: ArrayLike = 1.0) -> FloatOrArray:
    """R(D, C) = max(0, 1/2 ln(var_x/D), -1/2 ln T(C)) in nats, T(C) = 1 - (1 - e^{2C - 2h(S)}) / rho^2.

    Parameters
    ----------
    D, C : array_like
        Limits on E (X - A)^2 and on h(S|A) in nats; `inf` for no limit.
    rho : array_like
        Correlation coefficient of X and S, in [-1, 1].
    var_x, var_s : array_like
        Variances.

    Returns
    -------
    float or ndarray
        The rate in nats, of the broadcast shape. `inf` where no channel of finite rate meets the limits: D
        = 0, or C <= C_min (C < h(S) if rho = 0).

    Raises
    ------
    InvalidInput
        If an argument is NaN or outside its range.

    Notes
    -----
    The safe form of Theorem 1 (Wang et al. 2024, quoted in arXiv:2504.09025): the three printed cases overlap and the
    first two turn negative when C > h(S).

    Examples
    --------
    >>> round(rate(0.25, float("inf"), rho=0.7), 6)
    0.693147
    >>> rate(0.25, minimum_label_entropy(0.7), rho=0.7)
    inf
    """
    D, C = within("D", D, 0.0), number("C", C)
    label_part = label_term(C, correlation(rho), variance_of("var_s", var_s))
    return as_result(np.maximum(distortion_term(D, variance_of("var_x", var_x)), label_part))


def multipliers(
    D: ArrayLike, C: ArrayLike, rho: ArrayLike, var_x: ArrayLike = 1.0, var_s: ArrayLike = 1.0
) -> tuple[FloatOrArray, FloatOrArray]:
    """(lambda_d, lambda_c) = (-dR/dD, -dR/dC) where the rate is finite, (NaN, NaN) elsewhere.

    Only the binding limit has a price: 1/(2D) for the distortion, and e^{2(C-h)} / (e^{2(C-h)} - 1 + rho^2)
    >= 1 for the label entropy, with h = h(S). Where both bind any mixture of the two prices is valid; the
    distortion's is reported.

    Raises
    ------
    InvalidInput
        As `rate`.
    """
    var_x, var_s = variance_of("var_x", var_x), variance_of("var_s", var_s)
    D, C, rho, var_x, var_s = np.broadcast_arrays(within("D", D, 0.0), number("C", C), correlation(rho), var_x, var_s)
    by_distortion, by_label = distortion_term(D, var_x), label_term(C, rho, var_s)
    active = by_distortion >= by_label
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        # lambda_c = e^{2(C-h)} / (rho^2 T) and T = e^{-2R} where the label limit binds.
        price = np.exp(2.0 * (C - entropy_of(var_s) + by_label)) / rho**2
        lambda_d = np.where(active & (by_distortion > 0.0), 0.5 / D, 0.0)
        lambda_c = np.where(~active, price, 0.0)
    finite = np.isfinite(np.maximum(by_distortion, by_label))
    return as_result(np.where(finite, lambda_d, np.nan)), as_result(np.where(finite, lambda_c, np.nan))


def distortion(
    R: ArrayLike, C: ArrayLike, rho: ArrayLike, var_x: ArrayLike = 1.0, var_s: ArrayLike = 1.0
) -> FloatOrArray:
    """D(C, R) = var_x e^{-2R} for C >= C*(R), and inf below: rate R cannot make h(S|A) smaller than C*(R).

    Parameters
    ----------
    R, C : array_like
        Limits on the rate and on h(S|A), both in nats; `inf` for no limit. Note the order, rate first.
    rho, var_x, var_s : array_like
        As in `rate`.

    Returns
    -------
    float or ndarray
        The least mean squared error. A C that misses C*(R) by no more than a few roundings counts as
        feasible.

    Raises
    ------
    InvalidInput
        If R < 0, or an argument is NaN or outside its range.

    Notes
    -----
    The correct form of Theorem 2 of arXiv:2504.09025. One channel is best for both losses, so the achievable pairs
    (D, C) at rate R form a quadrant and there is nothing to trade.

    Examples
    --------
    >>> distortion(0.2, 1.0, rho=0.7), round(distortion(0.2, 1.4, rho=0.7), 6)
    (inf, 0.67032)
    """
    R, C = within("R", R, 0.0), number("C", C)
    feasible = at_least(C, critical(R, correlation(rho), variance_of("var_s", var_s)))
    return as_result(np.where(feasible, variance_of("var_x", var_x) * np.exp(-2.0 * R), np.inf))


def distortion_theorem_2_as_printed(
    C: ArrayLike, R: ArrayLike, rho: ArrayLike, var_x: ArrayLike = 1.0, var_s: ArrayLike = 1.0
) -> FloatOrArray:
    """Equation (4) of arXiv:2504.09025 to the letter, **which is wrong**: only for reproducing its Figure 4.

    Use `distortion` for the truth. What is wrong, case by case:

    1. C > C*(R): var_x e^{-2R}. Right (and right at C = C*(R) too).
    2. C_min <= C <= C*(R): var_x T(C). Wrong below C*(R): reaching such a C needs the rate -1/2 ln T(C) > R, so the
       problem is infeasible. The printed value inverts the rate of the *label* limit as if it were a distortion: since
       T(C) < e^{-2R} it lies below Shannon's bound var_x e^{-2R}, is 0 at C_min whatever R, and grows with C although
       the text around it says that it falls.
    3. C > h(S) and R > h(X): 0. Wrong: zero error needs infinite rate, and h(X) is no threshold (it changes with the
       unit of X and is negative for small var_x, where the case claims D = 0 at rate 0). It contradicts case 1, which
       it overlaps; the last printed case is taken here, for otherwise it would never apply.

    Parameters
    ----------
    C, R : array_like
        Label entropy and rate in nats. Note the order, that of the paper.
    rho, var_x, var_s : array_like
        As in `rate`, but rho must not be 0.

    Returns
    -------
    float or ndarray
        The printed value; NaN below C_min, where nothing is printed.

    Raises
    ------
    InvalidInput
        If R < 0, rho = 0, or an argument is NaN or outside its range.

    Examples
    --------
    >>> printed = distortion_theorem_2_as_printed(1.3, 0.2, rho=0.7)
    >>> round(printed, 4), round(distortion_rate(0.2), 4)
    (0.568, 0.6703)
    """
    C, R, rho = number("C", C), within("R", R, 0.0), correlation(rho)
    within("rho^2", rho**2, 0.0, open_low=True)
    var_x, var_s = variance_of("var_x", var_x), variance_of("var_s", var_s)
    h_x, h_s = entropy_of(var_x), entropy_of(var_s)
    with np.errstate(over="ignore"):
        # T(C_min) = 0 by definition, but C_min is rounded.
        T = np.maximum(0.0, 1.0 + np.expm1(2.0 * (C - h_s)) / rho**2)
    value = np.where(C > critical(R, rho, var_s), var_x * np.exp(-2.0 * R), var_x * T)
    value = np.where(C < critical(np.asarray(np.inf), rho, var_s), np.nan, value)
    return as_result(np.where((C > h_s) & (R > h_x), 0.0, value))
