"""Rate-distortion-perception functions with a closed form: the Gaussian under two measures, and coins under any.

P limits the distance between the source's law and that of the reproduction: the *squared* Wasserstein distance, or the
divergence KL(law || source), for the Gaussian; the total variation for coins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arguments import Array, FloatOrArray, as_result, within


def gaussian_rate(D: ArrayLike, P: ArrayLike, variance: ArrayLike = 1.0) -> FloatOrArray:
    """R(D, P) of a Gaussian under squared error and the squared Wasserstein distance, nats.

    With s the standard deviation and t = s - sqrt(P) the least one that the limit lets the reproduction have:
    -log(1 - rho^2) / 2 with rho = (s^2 + t^2 - D) / (2 s t) where the limit binds,
    sqrt(P) < s - sqrt(``|s^2 - D|``), and max(0, log(s^2 / D) / 2) elsewhere.
    Zhang, Qian, Chen and Khisti (2021), Theorem 1.

    Raises
    ------
    InvalidInput
        If D, P or the variance is negative.
    """
    D, P, variance = within("D", D, 0.0), within("P", P, 0.0), within("variance", variance, 0.0)
    s = np.sqrt(variance)
    t = np.maximum(s - np.sqrt(P), 0.0)
    return as_result(_rate_at_deviation(D, s, t))


def gaussian_distortion(R: ArrayLike, P: ArrayLike, variance: ArrayLike = 1.0) -> FloatOrArray:
    """D(R, P), the inverse of `gaussian_rate`: s^2 + t^2 - 2 s t sqrt(1 - e^-2R), t the reproduction's deviation.

    Raises
    ------
    InvalidInput
        If R, P or the variance is negative.
    """
    R, P, variance = within("R", R, 0.0), within("P", P, 0.0), within("variance", variance, 0.0)
    s, correlation = np.sqrt(variance), np.sqrt(-np.expm1(-2 * R))
    t = np.maximum(s - np.sqrt(P), s * correlation)  # without a limit it is s sqrt(1 - e^-2R)
    return as_result(variance + t**2 - 2 * s * t * correlation)


def gaussian_rate_kl(D: ArrayLike, P: ArrayLike, variance: ArrayLike = 1.0) -> FloatOrArray:
    """R(D, P) of a Gaussian under squared error and KL(law || source), nats.

    Given the reproduction's variance t^2 the Gaussian law has both the least rate and the least divergence, which is
    (t^2/s^2 - 1 - log(t^2/s^2)) / 2: the limit is one on t from below, and the rest is as for `gaussian_rate`.

    Raises
    ------
    InvalidInput
        If D, P or the variance is negative.
    """
    D, P, variance = within("D", D, 0.0), within("P", P, 0.0), within("variance", variance, 0.0)
    s = np.sqrt(variance)
    return as_result(_rate_at_deviation(D, s, s * np.sqrt(_least_share(P))))


def _least_share(P: Array) -> Array:
    """Return the root v < 1 of (v - 1 - log v) / 2 = P, by bisection in log v; zero for P = inf."""
    low, high = -2 * P - 1.0, np.zeros(np.shape(P))
    low = np.where(np.isinf(P), 0.0, low)
    for _ in range(200):
        middle = 0.5 * (low + high)
        is_below = np.expm1(middle) - middle > 2 * P
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.where(np.isinf(P), 0.0, np.exp(high))


def _rate_at_deviation(D: Array, s: Array, least: Array) -> Array:
    """Return the least rate of a Gaussian whose reproduction has a standard deviation of at least `least`."""
    D, s, least = np.broadcast_arrays(D, s, least)
    free = np.sqrt(np.maximum(s**2 - D, 0.0))  # the deviation that the distortion alone calls for
    t = np.maximum(least, free)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.where(s * t > 0, (s**2 + t**2 - D) / (2 * s * t), 0.0)
        rate = -0.5 * np.log1p(-(np.clip(correlation, 0.0, 1.0) ** 2))
    return np.where(correlation > 0, rate, 0.0)


def binary_rate(D: ArrayLike, P: ArrayLike, p: ArrayLike) -> FloatOrArray:
    """R(D, P) of a coin under Hamming distortion and total variation, nats; P = inf for no limit.

    The law of the reproduction is one number, the mass q of the rare symbol. Without a limit it is (p - D)/(1 - 2D),
    below p; with one it is no smaller than p - P, and the joint law is then known: the symbols disagree with mass
    (D + q - p)/2 one way and (D - q + p)/2 the other.

    Raises
    ------
    InvalidInput
        If D or P is negative, or p outside [0, 1/2].
    """
    D, P, p = within("D", D, 0.0), within("P", P, 0.0), within("p", p, 0.0, 0.5)
    D, P, p = np.broadcast_arrays(D, P, p)
    with np.errstate(divide="ignore", invalid="ignore"):
        free = np.where(p > D, (p - D) / (1 - 2 * np.minimum(D, 0.5)), 0.0)
    q = np.maximum(np.where(np.isfinite(free), free, 0.0), p - P)
    largest = p + q - 2 * p * q  # the distortion of symbols that are independent
    D = np.minimum(D, largest)
    up, down = np.maximum(D + q - p, 0.0) / 2, np.maximum(D - q + p, 0.0) / 2
    joint = np.stack([1 - p - up, up, down, p - down])
    apart = np.stack([(1 - p) * (1 - q), (1 - p) * q, p * (1 - q), p * q])
    some = joint > 0
    logs = np.log(np.divide(joint, apart, out=np.ones(joint.shape), where=some & (apart > 0)))
    return as_result(np.maximum((joint * logs).sum(axis=0), 0.0))
