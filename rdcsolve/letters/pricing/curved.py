"""Proved upper bounds of prices over small cells by their second-order expansion: compiled kernels.

With r_s = m_s (1 + t_s), m the cell's midpoint, term i is g_i exp(sum_s b_is log(1 + t_s)), and

    exp(sum b log(1 + t)) <= 1 + L + (L^2 - Q) / 2 + R,    L = sum b t,  Q = sum b t^2,

with a remainder R of third order. Added up over the terms the middle part is one quadratic function of t. Where the
price is flat, so is this function, although each term is not: the errors of second order that a bound of every term
by itself makes cancel. A quadratic function with the symmetric bilinear form B is sum_uv alpha_u alpha_v B(u, v) at
the point with the barycentric coordinates alpha, so it is at most the largest B(u, v) of two vertices.
"""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.letters.pricing.compiled import compiled, dot

MOST_CORNERS = 8
"""Of a product of simplices of three dimensions altogether."""


@compiled
def corners_of(ratios, offsets, corners):  # type: ignore[no-untyped-def]
    """Write the t of every combination of one vertex per label, (MOST_CORNERS, N); return how many there are."""
    total = 1
    for k in range(offsets.size - 1):
        total *= offsets[k + 1] - offsets[k]
    for corner in range(total):
        rest = corner
        for k in range(offsets.size - 1):
            a, b = offsets[k], offsets[k + 1]
            v = a + rest % (b - a)
            rest //= b - a
            for s in range(a, b):
                corners[corner, s] = ratios[v, s - a]
    return total


@compiled
def expand(powers, offsets, ratios, mid, spread, unit, value, slack):  # type: ignore[no-untyped-def]
    """Write g_i, rounded up, and g_i times a bound of the remainder and of the roundings of the expansion.

    Along the ray to t the exponent eta has |eta'| <= l + q / (1 - spread), |eta''| <= q / (1 - spread)^2 and
    |eta'''| <= 2 q spread / (1 - spread)^3, with l and q the largest |L| and Q at the vertices; and
    exp(eta)''' = exp(eta) (eta'^3 + 3 eta' eta'' + eta'''), where eta <= l as log(1 + t) <= t.
    """
    near = 1 - spread
    for i in range(powers.shape[1]):
        longest, square = 0.0, 0.0
        for k in range(offsets.size - 1):
            a, b = offsets[k], offsets[k + 1]
            own, own_square = 0.0, 0.0
            for v in range(a, b):
                along, across = 0.0, 0.0
                for s in range(a, b):
                    change = powers[s, i] * ratios[v, s - a]
                    along += change
                    across += change * ratios[v, s - a]
                own = max(own, abs(along))
                own_square = max(own_square, across)
            longest += own
            square += own_square
        error = unit * (abs(mid[i]) + 16)
        g = math.exp(min(mid[i] + error, 0.0))
        first, second = longest + square / near, square / near**2
        third = first**3 + 3 * first * second + 2 * square * spread / near**3
        remainder = math.exp(min(longest, error - mid[i])) * third / 6
        value[i] = g
        slack[i] = g * (remainder * (1 + 1e-9) + 4 * error * (1 + longest + longest**2 + square))


@compiled
def curved_bound(w, powers, corners, total, value, slack, steepness, rounding, weighted, moments):  # type: ignore[no-untyped-def]
    """Return an upper bound of sum_i w_i term_i over the cell; `steepness` is degree times spread."""
    n_classes, n = powers.shape
    for i in range(n):
        weighted[i] = w[i] * value[i]
    price = dot(w, value)
    for s in range(n_classes):
        moments[n_classes, s] = dot(weighted, powers[s])
    for s in range(n_classes):
        for t in range(s + 1):
            second = 0.0
            for i in range(n):
                second += weighted[i] * powers[s, i] * powers[t, i]
            moments[s, t] = moments[t, s] = second
    largest = -np.inf
    for u in range(total):
        for v in range(u + 1):
            form = 0.0
            for s in range(n_classes):
                first = corners[u, s]
                form += moments[n_classes, s] * (first + corners[v, s] - first * corners[v, s])
                for t in range(n_classes):
                    form += first * moments[s, t] * corners[v, t]
            largest = max(largest, form)
    sizes = 1 + steepness + steepness**2
    return (price + 0.5 * largest + dot(w, slack)) + 8 * rounding * (price + dot(w, slack)) * sizes
