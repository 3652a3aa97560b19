"""The converse for blocks by hypothesis testing: how many words it takes to cover what is not lost."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.codes.tails import log_multinomials, tail_from_above, types
from rdcsolve.problems import Problem
from rdcsolve.rounding import EPS

_MOST_TYPES = 400_000
_MOST_ENTRIES = 4_000_000  # of losses
_ALIKE = 1e-6  # of the range of u: symbols this close have one likelihood ratio, for which any number will do
_SAME = 1e-12  # of the range of losses: values this close are taken for the lower of them


def log_size_by_testing(problem: Problem, u: np.ndarray, multipliers: np.ndarray, n: int, eps: float) -> float:
    """Return log M below which no code for blocks of n symbols has an excess probability of eps, nats.

    The test that decides for P where a block is not lost has power 1 - eps at least, and under another measure Q no
    more than M times what one word can cover. Q multiplies the masses by exp(u), rounded; losses are weighed by the
    multipliers, which covers no less.

    Parameters
    ----------
    problem : Problem
        With listed letters and no label entropies.
    u : numpy.ndarray
        Of a certificate, shape (n_x,).
    multipliers : numpy.ndarray
        Of its losses, >= 0.

    Returns
    -------
    float
        NaN where the sums have too many terms.
    """
    used = np.flatnonzero(problem.p_x > 0)
    charged = np.flatnonzero(multipliers)
    listed = problem.own_letters is None and problem.free is None and problem.n_letters * used.size <= _MOST_ENTRIES
    if not listed or charged.size == 0 or charged.max() >= len(problem.linear_losses):
        return math.nan
    ratio, place = _rounded(u[used], _ALIKE)
    p = np.bincount(place, problem.p_x[used])
    if not _few_types(n, p.size):
        return math.nan
    ratio = ratio - math.log(float(p @ np.exp(ratio)))
    weights = multipliers[charged] / multipliers[charged].max()
    losses = sum(w * problem.linear_losses[m].block(used, None) for w, m in zip(weights, charged, strict=True))
    values, masses = _largest_law(np.asarray(losses), problem.p_x[used] * np.exp(ratio[place]))
    if not _few_types(n, values.size):
        return math.nan
    spread = float(np.ptp(values)) + max(abs(float(values[0])), abs(float(values[-1])))
    bound = math.fsum((weights * problem.bounds[charged]).tolist())
    covered = tail_from_above(masses, -values, n, -n * (bound + _SAME * (spread + abs(bound))))
    power = _least_power(p, ratio, n, eps)
    if covered <= 0 or power <= 0:
        return math.nan
    return max(0.0, math.log(power) - math.log(covered) - 16 * EPS * n)


def _few_types(n: int, k: int) -> bool:
    return math.comb(n + k - 1, k - 1) <= _MOST_TYPES


def _rounded(values: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return representatives of values that lie within a share of their range, and which of them stands for each."""
    order = np.argsort(values)
    step = share * (float(np.ptp(values)) or 1.0)
    place, found = np.zeros(values.size, dtype=np.int64), [float(values[order[0]])]
    for k in order:
        if values[k] - found[-1] > step:
            found.append(float(values[k]))
        place[k] = len(found) - 1
    return np.array(found), place


def _largest_law(losses: np.ndarray, masses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values and masses of a loss that is stochastically no larger than that of any letter.

    Its distribution function is the largest of the letters' at every value, so sums of such losses stay within a bound
    at least as often as those of any word.
    """
    is_finite = np.isfinite(losses)
    spread = float(np.ptp(losses[is_finite]))
    values, place = _rounded(losses[is_finite], _SAME if spread else 1.0)
    number = np.full(losses.shape, values.size, dtype=np.int64)
    number[is_finite] = place
    below = np.zeros((values.size, losses.shape[1]))
    for k in range(values.size):
        below[k] = (np.where(number <= k, masses[:, None], 0.0)).sum(axis=0)
    steps = np.diff(np.maximum.accumulate(below.max(axis=1)), prepend=0.0)
    steps[0] += 4 * EPS * (losses.shape[0] + values.size)  # what sums and differences round away
    kept = steps > 0
    return values[kept], steps[kept]


def _least_power(p: np.ndarray, ratio: np.ndarray, n: int, eps: float) -> float:
    """Return a lower bound on the mass under Q = p exp(ratio) of tests that have 1 - eps under p, for n symbols.

    By Neyman and Pearson the best test takes blocks in the order of their likelihood ratios; at its threshold t
    duality gives Q(A) + t (1 - eps - P(A)) for the blocks A before it.
    """
    counts = np.array(list(types(n, p.size)), dtype=float).reshape(-1, p.size)
    logs, tilts = log_multinomials(counts, n) + counts @ np.log(p), counts @ ratio
    order = np.argsort(tilts, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(np.exp(logs[order]))])
    k = min(int(np.searchsorted(before[1:], 1 - eps, side="right")), order.size - 1)
    within = float(np.exp(logs[order[:k]] + tilts[order[:k]]).sum())
    threshold = math.exp(tilts[order[k]])
    size = math.lgamma(n + 1) + n * float(np.abs(np.log(p)).max() + np.abs(ratio).max())
    error = 16 * EPS * (size + 2) + EPS * counts.shape[0]
    rest = 1 - eps - float(before[k]) * (1 + error)
    return (within + threshold * rest) * (1 - error) - threshold * error
