"""Newton's method on one small problem, for Numba: the twin of `batched`, without an array library's cost of a call.

A step on a few symbols and letters takes a microsecond of arithmetic; as a hundred calls of NumPy it takes a tenth of a
millisecond. What is said in `batched` and `newton_system` of the method holds here.
"""

from __future__ import annotations

import numba
import numpy as np

from rdcsolve import narration
from rdcsolve.solvers.finite.step_lengths import (
    CHANGE_IN_WARM_UP,
    FLOOR,
    LARGEST_CHANGE,
    TO_BOUND,
    TO_BOUNDARY,
    UNNOTICED,
)

narration.announce_compilation()

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@compiled
def meeting(p, loss, q, multiplier, bound, most):  # type: ignore[no-untyped-def]
    """Return the multiplier at which the best channel with masses q has its mean at the bound."""
    n, k = loss.shape
    unit = 1.0 / _range(p, loss)
    for _ in range(most):
        excess, slope = -bound, 0.0
        for i in range(n):
            total = once = twice = 0.0
            for a in range(k):
                weight = q[a] * np.exp(-multiplier * loss[i, a])
                total += weight
                once += weight * loss[i, a]
                twice += weight * loss[i, a] * loss[i, a]
            mean = once / total
            excess += p[i] * mean
            slope += p[i] * (twice / total - mean * mean)
        if abs(excess) <= TO_BOUND * bound:
            break
        step = excess / slope if slope > 0 else 0.0
        lowest = multiplier / CHANGE_IN_WARM_UP if multiplier > unit else 0.0
        multiplier = max(min(multiplier + step, (CHANGE_IN_WARM_UP + 1) * multiplier + unit), lowest)
    return multiplier


@compiled
def _range(p, loss):  # type: ignore[no-untyped-def]
    """Return the least mean loss of a letter that ignores the symbol: a nat per that is a multiplier's unit."""
    n, k = loss.shape
    least = np.inf
    for a in range(k):
        mean = 0.0
        for i in range(n):
            mean += p[i] * loss[i, a]
        least = min(least, mean)
    return least


@compiled
def _fill(loss, multiplier, q, kernel, t):  # type: ignore[no-untyped-def]
    """Write the kernel at a multiplier, and its products with the masses."""
    n, k = loss.shape
    for i in range(n):
        total = 0.0
        for a in range(k):
            kernel[i, a] = np.exp(-multiplier * loss[i, a])
            total += kernel[i, a] * q[a]
        t[i] = total


@compiled
def _warm_up(p, loss, bound, turns, kernel, t, q):  # type: ignore[no-untyped-def]
    """Write masses after a few Blahut-Arimoto steps and return their multiplier."""
    n, k = loss.shape
    is_limited = not np.isnan(bound)
    multiplier = 1.0 / _range(p, loss) if is_limited else 1.0
    q[:] = 1.0 / k
    for _ in range(turns[0] if is_limited else turns[2]):
        if is_limited:
            multiplier = meeting(p, loss, q, multiplier, bound, turns[1])
        _fill(loss, multiplier, q, kernel, t)
        for a in range(k):
            price = 0.0
            for i in range(n):
                price += p[i] / t[i] * kernel[i, a]
            q[a] = (1.0 - FLOOR) * q[a] * price + FLOOR / k
    total = q.sum()
    for a in range(k):
        q[a] /= total
    return max(multiplier, 1e-6 / _range(p, loss)) if is_limited else multiplier


@compiled
def _factorise(matrix):  # type: ignore[no-untyped-def]
    """Write the Cholesky factor of a matrix on and below its diagonal."""
    k = matrix.shape[0]
    for a in range(k):
        for b in range(a + 1):
            rest = matrix[a, b]
            for c in range(b):
                rest -= matrix[a, c] * matrix[b, c]
            matrix[a, b] = np.sqrt(rest) if a == b else rest / matrix[b, b]


@compiled
def _solve(factor, scaling, right, out):  # type: ignore[no-untyped-def]
    """Write (H + Z / Q)^-1 right, where the factor is that of S H S + I."""
    k = factor.shape[0]
    for a in range(k):
        rest = scaling[a] * right[a]
        for b in range(a):
            rest -= factor[a, b] * out[b]
        out[a] = rest / factor[a, a]
    for a in range(k - 1, -1, -1):
        rest = out[a]
        for b in range(a + 1, k):
            rest -= factor[b, a] * out[b]
        out[a] = rest / factor[a, a]
    for a in range(k):
        out[a] *= scaling[a]


@compiled
def _system(p, kernel, t, q, v, z, scaling, matrix):  # type: ignore[no-untyped-def]
    """Write S and the factor of S K' W K S + I, whose eigenvalues start at one."""
    n, k = kernel.shape
    for a in range(k):
        scaling[a] = np.sqrt(q[a] / z[a])
    for a in range(k):
        for b in range(a + 1):
            total = 0.0
            for i in range(n):
                total += p[i] / t[i] * v[i] * kernel[i, a] * kernel[i, b]
            matrix[a, b] = scaling[a] * total * scaling[b] + (1.0 if a == b else 0.0)
    _factorise(matrix)


@compiled
def _steepest(step, point, least):  # type: ignore[no-untyped-def]
    """Return the least of a number and of the shares of a point's entries by which a step changes them."""
    for a in range(point.size):
        least = min(least, step[a] / point[a])
    return least


@compiled
def _length(steepest, fraction):  # type: ignore[no-untyped-def]
    """Return the length, at most one, of a step that goes a fraction of the way to where the first number is zero."""
    return 1.0 if steepest > -fraction else -fraction / steepest


@compiled
def _add(length, step, point):  # type: ignore[no-untyped-def]
    for a in range(point.size):
        point[a] += length * step[a]


@compiled
def newton(p, loss, bound, gap, turns, history):  # type: ignore[no-untyped-def]  # noqa: C901, PLR0912, PLR0915
    """Return masses, log v, the multiplier, the gap between them and the number of points seen.

    Parameters
    ----------
    p, loss : numpy.ndarray
        Shapes (n,) and (n, k): > 0, and from every symbol's least entry.
    bound : float
        Of the mean loss, > 0; NaN where the loss has its multiplier in it.
    gap : float
        Nats.
    turns : tuple of int
        Of the warm-up: within a limit, steps of its multiplier in each, at a given multiplier.
    history : numpy.ndarray
        Shape (most, 3): lower bound, value and multiplier of every point are written to it.
    """
    n, k = loss.shape
    is_limited = not np.isnan(bound)
    kernel, matrix = np.empty((n, k)), np.empty((k, k))
    t, v, dv, loss_t, relative, right_t = np.empty(n), np.empty(n), np.empty(n), np.zeros(n), np.zeros(n), np.empty(n)
    q, z, dq, dz, c, scaling = np.empty(k), np.empty(k), np.zeros(k), np.zeros(k), np.empty(k), np.empty(k)
    coupling, reduced, right_z, right = np.zeros(k), np.zeros(k), np.empty(k), np.empty(k)
    best_q, best_v, best_gap = np.empty(k), np.full(n, np.nan), np.inf
    multiplier = _warm_up(p, loss, bound, turns, kernel, t, q)
    best_q[:] = q
    best_multiplier, unit = multiplier, _range(p, loss)
    _fill(loss, multiplier, q, kernel, t)
    highest = 0.0
    for a in range(k):
        c[a] = 0.0
        for i in range(n):
            c[a] += p[i] / t[i] * kernel[i, a]
        highest = max(highest, c[a])
    mu, slack = min(max(np.log(highest) / k, 1e-13), 1e-2), 0.0
    for a in range(k):
        q[a] = max(q[a], mu)
        z[a] = max(1.0 - c[a], mu / q[a])
    if is_limited:
        mean = 0.0
        for i in range(n):
            for a in range(k):
                mean += p[i] / t[i] * kernel[i, a] * loss[i, a] * q[a]
        central = mu * min(max(multiplier, 1.0 / unit) * bound, 1.0) / multiplier
        slack = max(bound - mean, min(central, bound), 1e-12 * bound)
    for i in range(n):
        v[i] = 1.0 / t[i]
    charged = bound if is_limited else 0.0
    below, schur, share = 0.0, 1.0, 0.0
    seen = 0
    while seen < history.shape[0]:
        _fill(loss, multiplier, q, kernel, t)
        lower, value, mean, raw, highest, total = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(n):
            lower += p[i] * np.log(v[i])
            value -= p[i] * np.log(t[i])
        for a in range(k):
            c[a] = 0.0
            for i in range(n):
                c[a] += p[i] * v[i] * kernel[i, a]
            highest = max(highest, c[a])
            total += q[a]
        lower, value = lower - np.log(highest), value + np.log(total)
        if is_limited:
            for i in range(n):
                once = twice = 0.0
                for a in range(k):
                    weighted = kernel[i, a] * loss[i, a] * q[a]
                    once += weighted
                    twice += weighted * loss[i, a]
                loss_t[i] = once
                raw += p[i] * v[i] * twice
                mean += p[i] / t[i] * once
            value += multiplier * abs(mean - bound)
        now = abs(value - lower)
        history[seen, 0], history[seen, 1] = lower - multiplier * charged, value - multiplier * charged
        history[seen, 2] = multiplier
        seen += 1
        if now < best_gap:
            best_q[:], best_v[:] = q, v
            best_multiplier, best_gap = multiplier, now
        if not now > gap or not np.isfinite(now):
            break
        _system(p, kernel, t, q, v, z, scaling, matrix)
        pairs = 0.0
        if is_limited:
            schur = raw + slack / multiplier
            for i in range(n):
                relative[i] = loss_t[i] * p[i] * v[i] / t[i]
                schur -= relative[i] * loss_t[i]
            for a in range(k):
                coupling[a] = 0.0
                for i in range(n):
                    coupling[a] += kernel[i, a] * (loss[i, a] * p[i] * v[i] - relative[i])
            _solve(matrix, scaling, coupling, reduced)
            for a in range(k):
                schur += coupling[a] * reduced[a]
            below = mean * np.log(max(bound - slack, 1e-30) / mean)
            share, pairs = min(max(multiplier * bound, bound / unit), 1.0), multiplier * slack
        for i in range(n):
            right_t[i] = 1.0 - v[i] * t[i]
        for a in range(k):
            right_z[a] = -q[a] * z[a]
        right_s, dl, ds, primal, dual = -pairs, 0.0, 0.0, 1.0, 1.0
        for turn in range(2):  # a predictor, then a corrector
            for a in range(k):
                right[a] = right_z[a] / q[a] - (1.0 - c[a] - z[a])
                for i in range(n):
                    right[a] += p[i] / t[i] * right_t[i] * kernel[i, a]
            _solve(matrix, scaling, right, dq)
            if is_limited:
                aim = right_s / multiplier - below
                for i in range(n):
                    aim += loss_t[i] * p[i] / t[i] * (right_t[i] - (1.0 - v[i] * t[i]))
                for a in range(k):
                    aim += coupling[a] * dq[a]
                dl = aim / schur
                for a in range(k):
                    dq[a] -= reduced[a] * dl
                ds = (right_s - slack * dl) / multiplier
            for i in range(n):
                kernel_dq = 0.0
                for a in range(k):
                    kernel_dq += kernel[i, a] * dq[a]
                dv[i] = (right_t[i] - v[i] * (kernel_dq - loss_t[i] * dl)) / t[i]
                relative[i] = kernel_dq
            for a in range(k):
                dz[a] = (right_z[a] - z[a] * dq[a]) / q[a]
            fraction = TO_BOUNDARY if turn else 1.0
            primal = _length(_steepest(dq, q, ds / slack if is_limited else 0.0), fraction)
            dual = _length(_steepest(dv, v, _steepest(dz, z, dl / multiplier)), fraction)
            if is_limited:
                change = abs(dl) / (multiplier + UNNOTICED / unit)
                if change * dual > LARGEST_CHANGE:
                    dual = LARGEST_CHANGE / change
            if turn == 0:
                before, after = pairs, (multiplier + dual * dl) * (slack + primal * ds) if is_limited else 0.0
                for a in range(k):
                    before += q[a] * z[a]
                    after += (q[a] + primal * dq[a]) * (z[a] + dual * dz[a])
                mu, taken = max((after / before) ** 3, 1e-6) * before / (k + share), primal * dual
                for i in range(n):
                    right_t[i] -= taken * dv[i] * relative[i]
                for a in range(k):
                    right_z[a] += mu - taken * dq[a] * dz[a]
                right_s += mu * share - taken * dl * ds
        _add(primal, dq, q)
        _add(dual, dv, v)
        _add(dual, dz, z)
        multiplier, slack = multiplier + dual * dl, slack + primal * ds
    total = best_q.sum()
    for a in range(k):
        best_q[a] /= total
    for i in range(n):
        best_v[i] = np.log(best_v[i])
    return best_q, best_v, best_multiplier, best_gap, seen
