"""Climbs to local maxima of the price, compiled: the twin of `ascent` for long work."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.letters.pricing.compiled import compiled, copy, dot, exponents_at
from rdcsolve.letters.pricing.layout import LONGEST, MOST_STRETCH, RESTS


@compiled
def factorise(matrix: np.ndarray, size: int) -> bool:
    """Overwrite the lower triangle by its Cholesky factor; return whether the matrix is positive definite."""
    for s in range(size):
        for t in range(s + 1):
            value = matrix[s, t]
            for q in range(t):
                value -= matrix[s, q] * matrix[t, q]
            if s > t:
                matrix[s, t] = value / matrix[t, t]
            elif value > 0:
                matrix[s, s] = math.sqrt(value)
            else:
                return False
    return True


@compiled
def second_moments(g, powers, scratch, out):  # type: ignore[no-untyped-def]
    """Write sum_i g_i b_is b_it, both triangles."""
    n_classes, n = powers.shape
    for s in range(n_classes):
        for i in range(n):
            scratch[i] = g[i] * powers[s, i]
        for t in range(s + 1):
            out[s, t] = out[t, s] = dot(scratch, powers[t])


@compiled
def project(matrix: np.ndarray, root: np.ndarray, offsets: np.ndarray, scale: float) -> None:
    """Restrict a symmetric matrix to what is orthogonal to every label's root, and add `scale` along the roots."""
    size = root.size
    for k in range(offsets.size - 1):
        a, b = offsets[k], offsets[k + 1]
        for t in range(size):
            value = 0.0
            for s in range(a, b):
                value += root[s] * matrix[s, t]
            for s in range(a, b):
                matrix[s, t] -= root[s] * value
        for t in range(size):
            value = 0.0
            for s in range(a, b):
                value += root[s] * matrix[t, s]
            for s in range(a, b):
                matrix[t, s] -= root[s] * value
        for s in range(a, b):
            for t in range(a, b):
                matrix[s, t] += scale * root[s] * root[t]


@compiled
def _newton_step(matrix, gradient, root, offsets, scale, step):  # type: ignore[no-untyped-def]
    """Solve for the stationary point of the quadratic model among steps orthogonal to each label's root.

    In the variables phi_s = d log r_s sqrt(r_s) the decisions stay probabilities if phi is orthogonal to sqrt(r_k) for
    every label, to first order. Adding `scale` in those directions makes the projected system regular.
    """
    size = gradient.size
    for k in range(offsets.size - 1):
        value = 0.0
        for s in range(offsets[k], offsets[k + 1]):
            value += root[s] * gradient[s]
        for s in range(offsets[k], offsets[k + 1]):
            gradient[s] -= root[s] * value
    project(matrix, root, offsets, scale)
    if not factorise(matrix, size):
        return False
    for s in range(size):
        value = gradient[s]
        for t in range(s):
            value -= matrix[s, t] * step[t]
        step[s] = value / matrix[s, s]
    for s in range(size - 1, -1, -1):
        value = step[s]
        for t in range(s + 1, size):
            value -= matrix[t, s] * step[t]
        step[s] = value / matrix[s, s]
    return True


@compiled
def _normalise(r, offsets):  # type: ignore[no-untyped-def]
    for k in range(offsets.size - 1):
        total = 0.0
        for s in range(offsets[k], offsets[k + 1]):
            total += r[s]
        for s in range(offsets[k], offsets[k + 1]):
            r[s] /= total


@compiled
def climb_all(weights, powers, shift, offsets, columns, decisions, prices, max_steps, concave):  # type: ignore[no-untyped-def]
    """Overwrite decisions (m, N) by stationary points no lower, and write their prices.

    Multiplicative step: r_k <- sum_i g_i w_k[i] / sum_i g_i with the terms g_i. By Jensen's inequality
    log c(r') - log c(r) >= sum_i g_i / c (eta_i(r') - eta_i(r)), and this r' makes the right side largest, so not
    negative. It converges linearly, so Newton's step is taken where the price is concave, and undone if it descends.
    Where the price is concave throughout, its maximum is off the boundary. Where it is not, multiplicative steps are
    stretched while that pays.
    """
    n_classes, n = powers.shape
    g, scratch = np.empty(n), np.empty(n)
    first, gradient, root, step = np.empty(n_classes), np.empty(n_classes), np.empty(n_classes), np.empty(n_classes)
    matrix = np.empty((n_classes, n_classes))
    safe = np.empty(n_classes)
    for m in range(columns.size):
        r, w = decisions[m], weights[columns[m]]
        last, kicked, has_fallback, was_newton, rests, stretch = -1.0, False, False, False, 0, 1.0
        price = 0.0
        for count in range(max_steps + 1):
            exponents_at(powers, shift, r, g)
            for i in range(n):
                g[i] = w[i] * math.exp(min(g[i], 0.0))
            price = 0.0
            for i in range(n):
                price += g[i]
            if has_fallback and not price >= last * (1 - 1e-15):
                copy(safe, r)
                has_fallback = False
                if was_newton:
                    rests = RESTS
                else:
                    stretch = 1.0
                continue
            last, has_fallback, rests = price, False, max(rests - 1, 0)
            if price <= 1e-290 or count == max_steps:
                break
            gain = 0.0
            for k in range(offsets.size - 1):
                total = 0.0
                for s in range(offsets[k], offsets[k + 1]):
                    first[s] = dot(g, powers[s])
                    total += first[s]
                for s in range(offsets[k], offsets[k + 1]):
                    safe[s] = first[s] / total
                    if r[s] > 0:
                        gain += first[s] * (safe[s] / r[s] - 1)
            second_moments(g, powers, scratch, matrix)
            scale = 0.0
            for s in range(n_classes):
                idle = r[s] < 1e-12
                root[s] = 0.0 if idle else math.sqrt(r[s])
                gradient[s] = 0.0 if idle else first[s] / root[s]
                scale = max(scale, first[s])
            for s in range(n_classes):
                for t in range(n_classes):
                    used = root[s] > 0 and root[t] > 0
                    matrix[s, t] = -matrix[s, t] / (root[s] * root[t]) if used else 0.0
                matrix[s, s] += gradient[s] / root[s] if root[s] > 0 else scale
            regular = _newton_step(matrix, gradient, root, offsets, scale, step)
            rise, longest, settled = 0.0, 0.0, False
            if regular:
                for s in range(n_classes):
                    rise += 0.5 * step[s] * gradient[s]
                    step[s] = step[s] / root[s] if root[s] > 0 else 0.0
                    longest = max(longest, abs(step[s]))
                settled = rise <= 1e-13 * price and gain <= 1e-9 * price and longest < 1e-2
            if settled or (regular and rests == 0):
                shrink = min(1.0, LONGEST / longest) if longest > 0 else 1.0
                for s in range(n_classes):
                    r[s] = r[s] * (1 + shrink * step[s]) if root[s] > 0 else safe[s]
                _normalise(r, offsets)
                if settled:  # the model errs by a power 3/2 of its rise
                    price += rise
                    break
                has_fallback = was_newton = True
            elif not regular and gain <= 1e-17 * price:
                if kicked:
                    break
                kicked = True  # a saddle: any step off it leads to a maximum
                for s in range(n_classes):
                    r[s] *= 1 + 1e-3 * (s % 3 - 0.9)
                _normalise(r, offsets)
            else:
                if stretch > 1.0:
                    for s in range(n_classes):
                        if r[s] > 0:
                            far = stretch * math.log(safe[s] / r[s])
                            r[s] *= math.exp(min(max(far, -LONGEST), LONGEST))
                    _normalise(r, offsets)
                    has_fallback, was_newton = True, False
                else:
                    copy(safe, r)
                stretch = min(2.0 * stretch, MOST_STRETCH)
        prices[m] = price
        small = False
        for s in range(n_classes):
            safe[s] = r[s] if r[s] > 1e-9 else 0.0
            small = small or (0 < r[s] <= 1e-9 and not concave)
        if small:  # the limit of a sequence that ends on the boundary
            _normalise(safe, offsets)
            exponents_at(powers, shift, safe, g)
            price = 0.0
            for i in range(n):
                price += w[i] * math.exp(min(g[i], 0.0))
            if price >= prices[m]:
                copy(safe, r)
                prices[m] = price
