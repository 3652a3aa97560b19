"""What the Gaussian closed forms are made of: checked arguments, C*(R), and the rate each limit asks for.

Arrays in, arrays out, in nats; the public functions in `rdcsolve.theory.gaussian` check and document.
"""

import numpy as np
from numpy.typing import ArrayLike

from .arguments import Array, at_least, within


def variance_of(name: str, value: ArrayLike) -> Array:
    """Return a variance as an array; InvalidInput unless it is positive and finite."""
    return within(name, value, 0.0, open_low=True, finite=True)


def correlation(rho: ArrayLike) -> Array:
    """Return a correlation coefficient as an array; InvalidInput outside [-1, 1]."""
    return within("rho", rho, -1.0, 1.0)


def entropy_of(variance: Array) -> Array:
    """Return h of a normal variable of that variance."""
    return 0.5 * np.log(2.0 * np.pi * np.e * variance)


def distortion_term(D: Array, var_x: Array) -> Array:
    """max(0, 1/2 ln(var_x/D))."""
    with np.errstate(divide="ignore"):
        return np.maximum(0.0, 0.5 * (np.log(var_x) - np.log(D)))


def critical(R: Array, rho: Array, var_s: Array) -> Array:
    """C*(R); C_min at R = inf."""
    with np.errstate(divide="ignore"):
        return entropy_of(var_s) + 0.5 * np.log1p(rho**2 * np.expm1(-2.0 * R))


def label_term(C: Array, rho: Array, var_s: Array) -> Array:
    """max(0, -1/2 ln T(C)), inf where C <= C_min. T has two forms; each is used where it does not cancel."""
    square = rho**2
    excess = C - entropy_of(var_s)  # C - h(S)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        margin = C - critical(np.asarray(np.inf), rho, var_s)  # C - C_min
        shift = np.expm1(2.0 * excess) / square  # T = 1 + shift
        near_minimum = np.log((1.0 - rho) * (1.0 + rho) / square) + np.log(np.expm1(2.0 * margin))
        log_t = np.where(shift > -0.5, np.log1p(shift), near_minimum)
    log_t = np.where(square == 1.0, 2.0 * excess, log_t)  # S is a function of X: the rate is h(S) - C
    log_t = np.where(square == 0.0, 0.0, log_t)  # S is independent of X: nothing to buy
    infeasible = np.where(square == 0.0, ~at_least(excess, np.zeros(())), margin <= 0.0)
    return np.where(infeasible, np.inf, np.maximum(0.0, -0.5 * log_t))
