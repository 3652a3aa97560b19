"""Neighbourhoods of local maxima where the price is proved concave, so that no cell there needs to be small.

With d log r = e and b_is = lambda_k w_k[i, s] the second derivative of the price is
sum_i g_i ((b_i.e)^2 - sum_s b_is e_s^2), and only the terms g_i depend on r. Bounds of the g_i around a local maximum
therefore bound the second derivative. Where it is negative for all e, the price is concave and lies below its tangent
at the maximum, which is flat.
"""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.letters.ascent import compiled, dot, exponents_at, factorise, project, second_moments
from rdcsolve.letters.parts import EPS

_SMALLEST = 1e-3
_FLOOR = 1e-280  # covers what underflows; the largest price is at least one


@compiled
def concave_around(w, powers, shift, sizes, offsets, multipliers, degree, rounding, r):  # type: ignore[no-untyped-def]
    """Return (rho, bound): the price is at most `bound` where |r'_s - r_s| <= rho r_s; rho = 0 if no such set is found.

    With r'_s = r_s (1 + t_s), |t_s| <= rho, and since the changes of each label add up to zero, an exponent changes by
    at most rho a_i, a_i = sum_s |b_is - lambda_k r_s|, and by at least -rho a_i - (-log(1 - rho) - rho) sum_s b_is. So
    low_i <= g_i <= high_i, and the second derivative along e is at most that of P - N with P = sum_i high_i b_i b_i'
    and N = diag(sum_i low_i b_i). Directions at r' satisfy r'.e = 0 for each label; they are e = f - 1 (u.f) with
    r.f = 0 and u = r' - r. As a function of u the form is convex once the part of -N of second order in u, which is
    negative, is left out, so the corners of the box of all u suffice. In the variables f sqrt(r) it is well scaled.
    """
    n_classes, n = powers.shape
    n_labels = offsets.size - 1
    exponent, change, low, high, scratch = np.empty(n), np.zeros(n), np.empty(n), np.empty(n), np.empty(n)
    p_matrix, form = np.empty((n_classes, n_classes)), np.empty((n_classes, n_classes))
    across, along = np.empty((n_classes, n_classes)), np.empty((n_classes, n_classes))
    n_diagonal, root, tilt = np.empty(n_classes), np.sqrt(r), np.empty(n_classes)
    label = np.empty(n_classes, dtype=np.int64)
    exponents_at(powers, shift, r, exponent)
    for k in range(n_labels):
        for s in range(offsets[k], offsets[k + 1]):
            label[s] = k
            for i in range(n):
                change[i] += abs(powers[s, i] - multipliers[k] * r[s])
    rho, concave = 1.0, False
    while not concave:
        rho *= 0.5
        if rho < _SMALLEST:
            return 0.0, np.inf
        curve = degree * (-math.log1p(-rho) - rho)
        for i in range(n):
            fuzz = 1e-10 + 1e-12 * sizes[i]
            low[i] = w[i] * math.exp(exponent[i] - rho * change[i] - curve - fuzz)
            high[i] = w[i] * math.exp(min(0.0, exponent[i] + rho * change[i]) + fuzz)
        second_moments(high, powers, scratch, p_matrix)
        scale = 0.0
        for s in range(n_classes):
            n_diagonal[s] = dot(low, powers[s]) / r[s]
            for t in range(n_classes):
                p_matrix[s, t] /= root[s] * root[t]
            scale += p_matrix[s, s] + n_diagonal[s]
        for s in range(n_classes):  # (P - N) root_k and root_k' P root_l, with the labels k, l of each t and s
            for t in range(n_classes):
                across[s, t] = -n_diagonal[s] * root[s] if label[s] == label[t] else 0.0
                for q in range(offsets[label[t]], offsets[label[t] + 1]):
                    across[s, t] += p_matrix[s, q] * root[q]
        for s in range(n_classes):
            for t in range(n_classes):
                along[s, t] = 0.0
                for q in range(offsets[label[s]], offsets[label[s] + 1]):
                    for o in range(offsets[label[t]], offsets[label[t] + 1]):
                        along[s, t] += root[q] * p_matrix[q, o] * root[o]
        concave = True
        signs = 0
        while concave and signs < 1 << n_classes:
            for s in range(n_classes):
                tilt[s] = rho * root[s] * (1.0 if (signs >> s) & 1 else -1.0)
            for s in range(n_classes):
                for t in range(n_classes):
                    form[s, t] = across[s, t] * tilt[t] + tilt[s] * across[t, s] - tilt[s] * along[s, t] * tilt[t]
                    form[s, t] -= p_matrix[s, t]
                form[s, s] += n_diagonal[s]
            project(form, root, offsets, scale)
            for s in range(n_classes):
                form[s, s] -= (1e-12 + 4 * rounding) * scale * n_classes
            concave = factorise(form, n_classes)
            signs += 1
    # The tangent at r; that the entries of r add up to one only nearly costs some roundings of the moments.
    price, slope, moment = 0.0, 0.0, 0.0
    for i in range(n):
        scratch[i] = w[i] * math.exp(min(0.0, exponent[i]))
        price += scratch[i]
    for k in range(n_labels):
        total = 0.0
        for s in range(offsets[k], offsets[k + 1]):
            tilt[s] = dot(scratch, powers[s])
            total += tilt[s]
        for s in range(offsets[k], offsets[k + 1]):
            slope += rho * abs(tilt[s] - total * r[s])
        moment += total
    return rho, price + slope + 2 * rounding * (price + rho * moment) + 16 * EPS * moment + _FLOOR
