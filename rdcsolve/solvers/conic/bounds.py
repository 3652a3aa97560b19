"""What the values of a conic solver prove: plain sums over the losses, whatever the solver claims."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.information import mutual_information
from rdcsolve.problems import Problem
from rdcsolve.solvers.conic.programme import Answer, Data

_EPS = float(np.finfo(float).eps)
_INSIDE = 1e-12  # how far inside its bound, relatively, a channel is placed: rounding cannot break it


class Bound(NamedTuple):
    """A dual point with prices at most one, and the bound on the objective that it proves."""

    point: DualPoint
    lower: float


def best_bound(problem: Problem, data: Data, answer: Answer, masked: list[tuple[int, np.ndarray]]) -> Bound | None:
    """Return the better bound of two: from the output masses, and from the solver's own dual values.

    Parameters
    ----------
    problem : Problem
    data : Data
        As the solver had it, without the pairs that a limit at its minimum rules out.
    answer : Answer
    masked : list of (int, numpy.ndarray)
        The losses whose limits are at their minimum, in the order in which they were found to be, with the symbols'
        minima (n,): those of a later one may hold only under the masks of the earlier ones.
    """
    kernel, least = data.kernel(answer.multipliers)
    sums = kernel @ np.maximum(answer.q, 0.0)
    candidates = [answer.u]
    if (sums > 0).all():
        candidates.append(least - np.log(sums))
    whole = Data.of(problem) if masked else data
    found = []
    for u in candidates:
        multipliers = answer.multipliers.copy()
        for m, minima in reversed(masked):
            above = whole.losses[m] - minima[:, None]
            multipliers[m] = _standing_for_mask(above, whole.allowed, float(np.abs(u).max()))
            u = u + multipliers[m] * minima
        found.append(prove(problem, whole, u, multipliers))
    return max((bound for bound in found if bound is not None), key=lambda bound: bound.lower, default=None)


def _standing_for_mask(above: np.ndarray, allowed: np.ndarray, largest_u: float) -> float:
    """Return a multiplier so large that pairs above their symbol's minimum weigh nothing."""
    top = float(above[allowed].max(initial=0.0))
    steps = above[allowed & (above > 8 * _EPS * top)]
    if not steps.size:
        return 0.0
    # Beyond the second number, the rounding of lambda.b would cost more than the mask is worth.
    return min((largest_u + 40.0) / float(steps.min()), 1e7 / top)


def prove(problem: Problem, data: Data, u: np.ndarray, multipliers: np.ndarray) -> Bound | None:
    """Return what u and the multipliers prove about the objective, or None if nothing (Csiszar 1974)."""
    tilt = np.tensordot(multipliers, data.losses, axes=1)
    exponent = np.where(data.allowed, (np.log(data.p) + u)[:, None] - tilt, -np.inf)
    top = float(exponent.max())
    if not math.isfinite(top) or not np.isfinite(u).all():
        return None
    u = u - (top + math.log(float(np.exp(exponent - top).sum(axis=0).max())))
    whole = np.zeros(problem.n_x)
    whole[data.symbols] = u
    point = DualPoint.of(whole, multipliers)
    lower = point.bound(problem) - rounding(u) / max(problem.goal.slope(multipliers), 1e-300)
    least = np.array([float(data.p @ data.least(loss)) for loss in data.losses]) * (1 - 8 * _EPS)
    return Bound(point, lower if problem.multipliers is not None else max(lower, problem.goal.trivial(least)))


def rounding(u: np.ndarray) -> float:
    """Return an allowance for the rounding of log C, nats."""
    return _EPS * (16 * float(np.abs(u).max()) + 400)


def within_limits(
    data: Data,
    channel: np.ndarray,
    bounds: np.ndarray,
    strict: np.ndarray,
    rate: float = math.inf,
    quiet: np.ndarray | None = None,
) -> np.ndarray | None:
    """Return the channel mixed with as little of others as it takes to meet every limit, or None.

    Parameters
    ----------
    data : Data
    channel : numpy.ndarray
        Shape (n, m), rows are distributions.
    bounds : numpy.ndarray
        Shape (M,), inf where a loss is not limited.
    strict : numpy.ndarray
        Shape (n, m): a channel with room under every bound.
    rate : float, optional
        A limit on the rate, nats.
    quiet : numpy.ndarray, optional
        Shape (n, m): a channel of less rate that meets the bounds.
    """
    limited = np.isfinite(bounds)
    asked = bounds[limited] * (1 - _INSIDE)
    over = data.means(channel)[limited] - asked
    slack = asked - data.means(strict)[limited]
    broken = over > 0
    if broken.any():
        if (slack[broken] <= 0).any():
            return None
        share = float((over[broken] / (over[broken] + slack[broken])).max())
        channel = (1 - share) * channel + share * strict
    if quiet is None:
        return channel
    return _quieter(data, channel, quiet, rate * (1 - _INSIDE))


def _quieter(data: Data, channel: np.ndarray, quiet: np.ndarray, rate: float) -> np.ndarray | None:
    """Return the mixture closest to the channel whose rate is within the limit, or None."""

    def mixed(share: float) -> np.ndarray:
        return (1 - share) * channel + share * quiet

    low, high = 0.0, 1.0
    if mutual_information(data.p, channel) <= rate:
        return channel
    while high - low > 1e-15 + 1e-4 * high:
        middle = math.sqrt(low * high) if low > 0 else 0.1 * high
        if mutual_information(data.p, mixed(middle)) <= rate:
            high = middle
        else:
            low = middle
    # A constant channel has rate zero; computed, it may come out as a rounding error.
    return mixed(high) if mutual_information(data.p, mixed(high)) <= rate + 1e-15 else None


def normalised(channel: np.ndarray) -> np.ndarray:
    """Return the channel without letters used for no more than noise, rows summing to one."""
    channel = np.maximum(channel, 0.0)
    kept = channel.max(axis=0) > 1e-11
    channel = np.where(kept, channel, 0.0)
    return channel / channel.sum(axis=1, keepdims=True)


def tilted(data: Data, answer: Answer) -> np.ndarray | None:
    """Return the best channel (n, m) for the answer's output masses and multipliers, or None."""
    weights = data.kernel(answer.multipliers)[0] * np.maximum(answer.q, 0.0)
    if not (weights.sum(axis=1) > 0).all():
        return None
    return normalised(weights / weights.sum(axis=1, keepdims=True))


def best_letter(data: Data, bounds: np.ndarray, target: int) -> np.ndarray | None:
    """Return the channel that always sends the best letter for a loss, or None if no letter meets the bounds."""
    means = np.array([data.p @ loss for loss in data.losses])
    usable = data.allowed.all(axis=0) & (means <= bounds[:, None]).all(axis=0)
    if not usable.any():
        return None
    best = int(np.where(usable, means[target], np.inf).argmin())
    return deterministic(data, np.full(data.p.size, best))


def deterministic(data: Data, letters: np.ndarray) -> np.ndarray:
    """Return the channel (n, m) that sends symbol i to letters[i]."""
    channel = np.zeros(data.allowed.shape)
    channel[np.arange(letters.size), letters] = 1.0
    return channel


def on_all_symbols(problem: Problem, data: Data, channel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the channel (n_x, k) and its k letters; symbols of mass zero get output masses."""
    letters = np.flatnonzero(channel.max(axis=0) > 0)
    channel = channel[:, letters]
    full = np.tile(data.p @ channel, (problem.n_x, 1))
    if problem.forbidden is not None:
        some = ~problem.forbidden[:, letters]
        full = np.where(some | ~some.any(axis=1, keepdims=True), full, 0.0)
    full /= full.sum(axis=1, keepdims=True)
    full[data.symbols] = channel
    return full, letters
