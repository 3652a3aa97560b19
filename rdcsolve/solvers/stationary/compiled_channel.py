"""Numba kernels of the tilted channel W = q exp(-lambda.L) / t: its moments, and the multipliers that meet limits.

No checks: the caller passes contiguous float arrays, M losses over n symbols and k letters.
"""

from __future__ import annotations

import numba
import numpy as np

from rdcsolve import narration
from rdcsolve.solvers.stationary.cutoffs import LOWEST

narration.announce_compilation()


# Loops, since the compiler takes seconds over assignments from array to array and over `numpy.linalg`.
@numba.njit(cache=True, nogil=True)
def copy(source: np.ndarray, target: np.ndarray) -> None:
    """Copy a vector or a matrix."""
    for i in range(source.size):
        target.flat[i] = source.flat[i]


@numba.njit(cache=True, nogil=True)
def solve_definite(matrix: np.ndarray, right: np.ndarray, size: int) -> None:
    """Overwrite the right side by the solution, and the lower triangle by its Cholesky factor.

    The matrix is a covariance with a ridge. A pivot that roundings leave below that of the ridge is not to be trusted:
    it is made large, so that this variable stays as it is.
    """
    for row in range(size):
        least = 1e-15 * matrix[row, row]
        for column in range(row + 1):
            value = matrix[row, column]
            for other in range(column):
                value -= matrix[row, other] * matrix[column, other]
            if row > column:
                matrix[row, column] = value / matrix[column, column]
            else:
                matrix[row, row] = np.sqrt(value) if value > least else np.inf
    for row in range(size):
        for other in range(row):
            right[row] -= matrix[row, other] * right[other]
        right[row] /= matrix[row, row]
    for row in range(size - 1, -1, -1):
        for other in range(row + 1, size):
            right[row] -= matrix[other, row] * right[other]
        right[row] /= matrix[row, row]


@numba.njit(cache=True, nogil=True)
def moments(
    p: np.ndarray,
    mask: np.ndarray,
    losses: np.ndarray,
    multipliers: np.ndarray,
    q: np.ndarray,
    channel: np.ndarray,
    means: np.ndarray,
    covariance: np.ndarray,
) -> float:
    """Write the tilted channel, its mean losses and their mean covariance; return -sum_i p_i log t_i.

    Parameters
    ----------
    p, q : numpy.ndarray
        Shapes (n,) and (k,).
    mask : numpy.ndarray
        Shape (n, k): 0, and -inf at forbidden pairs.
    losses : numpy.ndarray
        Shape (M, n, k), finite.
    multipliers, means : numpy.ndarray
        Shape (M,).
    channel : numpy.ndarray
        Shape (n, k).
    covariance : numpy.ndarray
        Shape (M, M).
    """
    count, n, k = losses.shape
    means[:] = 0.0
    covariance[:] = 0.0
    first, second = np.empty(count), np.empty((count, count))
    value = 0.0
    for i in range(n):
        top, at = -np.inf, 0
        for a in range(k):
            exponent = mask[i, a]
            for m in range(count):
                exponent -= multipliers[m] * losses[m, i, a]
            channel[i, a] = exponent
            if q[a] > 0.0 and exponent > top:
                top, at = exponent, a
        t = 0.0
        for a in range(k):
            below = channel[i, a] - top
            channel[i, a] = q[a] * np.exp(below) if q[a] > 0.0 and below > LOWEST else 0.0
            t += channel[i, a]
        value -= p[i] * (np.log(t) + top)
        # relative to the loss of one letter: a row near a point mass would lose its variance to cancellation
        first[:] = 0.0
        second[:] = 0.0
        for a in range(k):
            share = channel[i, a] / t
            channel[i, a] = share
            if share > 0.0:
                for m in range(count):
                    loss = losses[m, i, a] - losses[m, i, at]
                    first[m] += share * loss
                    for other in range(m + 1):
                        second[m, other] += share * loss * (losses[other, i, a] - losses[other, i, at])
        for m in range(count):
            means[m] += p[i] * (first[m] + losses[m, i, at])
            for other in range(m + 1):
                covariance[m, other] += p[i] * (second[m, other] - first[m] * first[other])
    for m in range(count):
        for other in range(m):
            covariance[other, m] = covariance[m, other]
    return value


@numba.njit(cache=True, nogil=True)
def tilt_within(
    p: np.ndarray,
    mask: np.ndarray,
    losses: np.ndarray,
    multipliers: np.ndarray,
    q: np.ndarray,
    bounds: np.ndarray,
    caps: np.ndarray,
    slack: np.ndarray,
    channel: np.ndarray,
    means: np.ndarray,
    covariance: np.ndarray,
) -> float:
    """Maximise -sum_i p_i log t_i - lambda.b over 0 <= lambda_m <= caps[m] where bounds[m] is finite; return it.

    By duality it is the least KL(pW || p q) + caps.(E L - bounds)_+: a limit that cannot be met is missed by as little
    as its cap is worth. A projected Newton method; steps that do not raise the value are shortened.
    """
    count = bounds.size
    value = moments(p, mask, losses, multipliers, q, channel, means, covariance) - _charge(multipliers, bounds)
    trial, step, rising = np.empty(count), np.empty(count), np.empty(count, dtype=np.bool_)
    index, matrix, gradients = np.empty(count, dtype=np.int64), np.empty((count, count)), np.empty(count)
    for _ in range(60):
        settled = True
        for m in range(count):
            rising[m] = False
            if bounds[m] < np.inf:
                gradient = means[m] - bounds[m]
                rising[m] = (gradient > 0.0 and multipliers[m] < caps[m]) or (gradient < 0.0 and multipliers[m] > 0.0)
                settled = settled and (not rising[m] or abs(gradient) <= slack[m])
        if settled:
            break
        size = 0
        for m in range(count):
            step[m] = 0.0
            if rising[m]:
                index[size], gradients[size] = m, means[m] - bounds[m]
                size += 1
        for row in range(size):
            for column in range(size):
                matrix[row, column] = covariance[index[row], index[column]]
            matrix[row, row] += 1e-13 * matrix[row, row] + 1e-13 * slack[index[row]] ** 2 + 1e-300
        solve_definite(matrix, gradients, size)
        for row in range(size):
            step[index[row]] = gradients[row]
        better = False
        before = value
        for _ in range(30):
            moved = False
            for m in range(count):
                furthest = min(caps[m], 8.0 * multipliers[m] + 1e-2 * caps[m] + 1.0)
                target = multipliers[m] + step[m] if np.isfinite(step[m]) else multipliers[m]
                trial[m] = min(max(target, 0.0), furthest) if rising[m] else multipliers[m]
                moved = moved or trial[m] != multipliers[m]
            if not moved:
                break
            value = moments(p, mask, losses, trial, q, channel, means, covariance) - _charge(trial, bounds)
            if value >= before - 1e-15 * (1.0 + abs(before)):
                better = True
                break
            step *= 0.25
        if not better:
            value = moments(p, mask, losses, multipliers, q, channel, means, covariance) - _charge(multipliers, bounds)
            break
        copy(trial, multipliers)
    return value


@numba.njit(cache=True, nogil=True)
def _charge(multipliers: np.ndarray, bounds: np.ndarray) -> float:
    total = 0.0
    for m in range(bounds.size):
        if bounds[m] < np.inf:
            total += multipliers[m] * bounds[m]
    return total


@numba.njit(cache=True, nogil=True)
def tilt_to_rate(
    p: np.ndarray,
    mask: np.ndarray,
    losses: np.ndarray,
    multipliers: np.ndarray,
    q: np.ndarray,
    bounds: np.ndarray,
    caps: np.ndarray,
    slack: np.ndarray,
    index: int,
    rate: float,
    channel: np.ndarray,
    means: np.ndarray,
    covariance: np.ndarray,
) -> float:
    """Find the multiplier of loss `index` at which KL(pW || p q) is `rate`, the other limits met; return the KL.

    The KL rises with that multiplier, so Newton's method in its logarithm is kept inside a bracket.
    """
    low, high = 0.0, caps[index]
    multipliers[index] = min(max(multipliers[index], 1e-9 * high), high)
    divergence = 0.0
    for _ in range(60):
        value = tilt_within(p, mask, losses, multipliers, q, bounds, caps, slack, channel, means, covariance)
        divergence = value
        for m in range(bounds.size):
            if bounds[m] < np.inf:
                divergence += multipliers[m] * (bounds[m] - means[m])
            else:
                divergence -= multipliers[m] * means[m]
        now = multipliers[index]
        excess = divergence - rate
        if abs(excess) <= 1e-11 * (1.0 + rate) or (now >= caps[index] and excess < 0.0) or high - low <= 1e-15 * high:
            break
        if excess > 0.0:
            high = now
        else:
            low = now
        slope = _slope(multipliers, bounds, caps, covariance, index)
        target = now * np.exp(min(max(-excess / (now * slope), -3.0), 3.0)) if slope > 0.0 else -1.0
        if excess < 0.0 and target >= high:
            target = high if high == caps[index] else 0.5 * (now + high)
        if not low < target <= high:
            target = 0.5 * (low + high)
        multipliers[index] = target
        if target <= 1e-12 * caps[index]:
            break
    return divergence


@numba.njit(cache=True, nogil=True)
def _slope(multipliers: np.ndarray, bounds: np.ndarray, caps: np.ndarray, covariance: np.ndarray, index: int) -> float:
    """Return d KL / d multipliers[index] while the other active multipliers follow to keep their limits."""
    others, size = np.empty(bounds.size, dtype=np.int64), 0
    matrix, column = np.empty((bounds.size, bounds.size)), np.empty(bounds.size)
    direction = np.zeros(bounds.size)
    direction[index] = 1.0
    for m in range(bounds.size):
        if bounds[m] < np.inf and 0.0 < multipliers[m] < caps[m]:
            others[size], column[size] = m, covariance[m, index]
            size += 1
    for row in range(size):
        for m in range(size):
            matrix[row, m] = covariance[others[row], others[m]]
        matrix[row, row] += 1e-12 * matrix[row, row] + 1e-300
    solve_definite(matrix, column, size)
    for row in range(size):
        direction[others[row]] = -column[row]
    total = 0.0
    for m in range(bounds.size):
        for other in range(bounds.size):
            total += multipliers[m] * covariance[m, other] * direction[other]
    return total
