"""f-divergences sum_j p_j f(q_j / p_j) with f(1) = f'(1) = 0: values, conjugates and their derivatives.

With that normalisation f*(0) = 0 and f*'(0) = 1, and q_j = p_j f*'(s_j) is the law that a price s_j calls for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import xlogy


class Conjugate(NamedTuple):
    """f*, f*' and f*'' at some places; shape (n,) each."""

    value: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray


@dataclass(frozen=True)
class Divergence:
    """One f-divergence.

    Attributes
    ----------
    f : callable
        f(t), t >= 0; an array.
    conjugate : callable
        `Conjugate` at s below `steepest`.
    steepest : float
        f'(inf), where the domain of f* ends: what mass costs at a place where the target has none.
    at_zero : float
        f(0): what a place of the target costs that the law leaves out.
    slope : callable
        f'(t), t > 0; an array.
    bend : callable
        f''(t), t > 0; an array.
    """

    f: Callable[[np.ndarray], np.ndarray]
    conjugate: Callable[[np.ndarray], Conjugate]
    steepest: float
    at_zero: float
    slope: Callable[[np.ndarray], np.ndarray]
    bend: Callable[[np.ndarray], np.ndarray]

    def between(self, target: np.ndarray, law: np.ndarray, outside: float = 0.0) -> float:
        """Return the divergence of a law (m,) from a target (m,), whose mass `outside` is at no place."""
        used = target > 0
        new = float(law[~used].sum())
        total = float(target[used] @ self.f(law[used] / target[used]))
        total += new * self.steepest if new > 0 else 0.0
        return total + (outside * self.at_zero if outside > 0 else 0.0)


def _kl(s: np.ndarray) -> Conjugate:
    e = np.exp(np.minimum(s, 700.0))
    return Conjugate(np.expm1(np.minimum(s, 700.0)), e, e)


def _reverse_kl(s: np.ndarray) -> Conjugate:
    t = 1 / (1 - s)
    return Conjugate(-np.log1p(-s), t, t * t)


def _chi2(s: np.ndarray) -> Conjugate:
    t = np.maximum(1 + s / 2, 0.0)
    return Conjugate(np.where(t > 0, s + s * s / 4, -1.0), t, 0.5 * (t > 0))


def _reverse_chi2(s: np.ndarray) -> Conjugate:
    root = np.sqrt(1 - s)
    return Conjugate(2 * s / (1 + root), 1 / root, 0.5 / root**3)


def _hellinger(s: np.ndarray) -> Conjugate:
    t = 1 / (1 - 2 * s)
    return Conjugate(s * t, t * t, 4 * t**3)


def _js(s: np.ndarray) -> Conjugate:
    e = np.exp(2 * s)
    return Conjugate(-0.5 * np.log1p(-np.expm1(2 * s)), e / (2 - e), 4 * e / (2 - e) ** 2)


def _f_reverse_kl(t: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.asarray(t - 1 - np.log(t))


def _f_reverse_chi2(t: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.asarray((t - 1) ** 2 / t)


def _f_js(t: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (xlogy(t, t) - (1 + t) * np.log((1 + t) / 2)))


def _array(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda t: np.asarray(function(t))


DIVERGENCES = {
    "kl": Divergence(
        _array(lambda t: xlogy(t, t) - t + 1), _kl, math.inf, 1.0, _array(np.log), _array(lambda t: 1 / t)
    ),
    "reverse_kl": Divergence(
        _f_reverse_kl, _reverse_kl, 1.0, math.inf, _array(lambda t: 1 - 1 / t), _array(lambda t: 1 / t**2)
    ),
    "chi2": Divergence(
        _array(lambda t: (t - 1) ** 2),
        _chi2,
        math.inf,
        1.0,
        _array(lambda t: 2 * (t - 1)),
        lambda t: np.full(t.size, 2.0),
    ),
    "reverse_chi2": Divergence(
        _f_reverse_chi2, _reverse_chi2, 1.0, math.inf, _array(lambda t: 1 - 1 / t**2), _array(lambda t: 2 / t**3)
    ),
    "hellinger": Divergence(
        _array(lambda t: 0.5 * (np.sqrt(t) - 1) ** 2),
        _hellinger,
        0.5,
        0.5,
        _array(lambda t: 0.5 - 0.5 / np.sqrt(t)),
        _array(lambda t: 0.25 * t**-1.5),
    ),
    "js": Divergence(
        _f_js,
        _js,
        0.5 * math.log(2),
        0.5 * math.log(2),
        _array(lambda t: 0.5 * np.log(2 * t / (1 + t))),
        _array(lambda t: 0.5 / (t * (1 + t))),
    ),
}
"""By the names of `PerceptionLimit`: KL(q || p), KL(p || q), sum (q-p)^2/p, sum (q-p)^2/q, 1 - sum sqrt(pq), and
Jensen-Shannon."""
