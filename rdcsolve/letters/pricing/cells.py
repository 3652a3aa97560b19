"""Proved bounds of prices over cells of soft decisions: compiled kernels.

A cell is a product over labels of simplices given by their vertices. Write eta_i for the exponent of term i minus its
largest value: eta_i <= 0, concave, and such that x_i = exp(eta_i / degree) is a geometric mean of entries of r with
exponents that add up to at most one, so concave as well; `degree` >= 1.

Let low <= eta_i <= high on the cell: concave functions are least at a vertex, and high is the value at the clamped mode
(two classes) or that of a tangent. The term x_i^degree is convex in x_i, so it lies below its chord between the ends,
and x_i lies below its tangent at the cell's midpoint: a linear function of r, whose sum over the terms is largest at
the best vertex of each label. The error is of second order in the cell's size. On small cells a second-order
expansion of the whole price, with an error of third order, is tried as well.

Prices increase in every entry of r, so entries may be raised to 1e-40 first: a term with a tiny power of an entry then
has a useful lower end where that entry is zero. Midpoints have entries above 1e-17, so the tangent grows by less than a
rounding.
"""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.letters.pricing.compiled import compiled, copy, dot, exponents_at
from rdcsolve.letters.pricing.curved import MOST_CORNERS, corners_of, curved_bound, expand
from rdcsolve.letters.pricing.layout import EPS, FLOOR, GRID, MOST_CLASSES, RAISED, SMALL


@compiled
def _exp_minus_one(x: float) -> float:
    """Return exp(x) - 1 to some twenty roundings."""
    if abs(x) > 0.05:
        return math.exp(x) - 1.0
    return x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5 * (1 + x / 6 * (1 + x / 7 * (1 + x / 8)))))))


@compiled
def ranges(powers, shifts, offsets, multipliers, vertices, middle, low, mid, high, value, rise):  # type: ignore[no-untyped-def]
    """Write the least and a largest value of every eta_i over a cell, and its value at `middle`, not yet rounded.

    Returns the largest relative deviation of a vertex's entry from that of `middle`.
    """
    n = powers.shape[1]
    spread = 0.0
    for i in range(n):
        low[i] = mid[i] = high[i] = 0.0
    own_low, own_high, raised = np.empty(n), np.empty(n), np.empty(MOST_CLASSES)
    for k in range(offsets.size - 1):
        a, b = offsets[k], offsets[k + 1]
        for i in range(n):
            own_low[i] = np.inf
            own_high[i] = rise[i] = -np.inf
        for v in range(a, b):
            for s in range(b - a):
                raised[s] = max(vertices[v, s], RAISED)
            exponents_at(powers[a:b], shifts[k], raised, value)
            for i in range(n):
                own_low[i] = min(own_low[i], value[i])
                own_high[i] = max(own_high[i], value[i])
            if b - a > 2:
                for i in range(n):
                    value[i] = 0.0
            for s in range(a, b):
                ratio = vertices[v, s - a] / middle[s] - 1
                spread = max(spread, abs(ratio))
                if b - a > 2:
                    for i in range(n):
                        value[i] += powers[s, i] * ratio
            if b - a > 2:
                for i in range(n):
                    rise[i] = max(rise[i], value[i])
        exponents_at(powers[a:b], shifts[k], middle[a:b], value)
        if b - a == 2:
            begin = min(vertices[a, 0], vertices[a + 1, 0])
            end = max(vertices[a, 0], vertices[a + 1, 0])
            for i in range(n):
                whole = powers[a, i] + powers[a + 1, i]
                mode = powers[a, i]
                if mode >= begin * whole * (1 - 4 * EPS) and mode <= end * whole * (1 + 4 * EPS):
                    own_high[i] = 0.0
        else:
            for i in range(n):
                # log x_k lies below the logarithm of x_k's tangent, and log(1 + y) <= y - y^2 / 2 + y^3 / 3
                y = rise[i] / multipliers[k]
                y = math.log1p(y) if y > 0.5 else y - y * y * (0.5 - y / 3)
                own_high[i] = min(0.0, value[i] + multipliers[k] * y)
        for i in range(n):
            low[i] += own_low[i]
            mid[i] += value[i]
            high[i] += own_high[i]
    return spread


@compiled
def _longest_edge(vertices, offsets, multipliers):  # type: ignore[no-untyped-def]
    """Return the rows of the two vertices that lie farthest apart, as the exponents see it, and the edge's number.

    Edges count label after label, in the order of the loops.
    """
    longest, first, second, number, edge = -1.0, 0, 0, 0, 0
    for k in range(offsets.size - 1):
        a, b = offsets[k], offsets[k + 1]
        for v in range(a, b):
            for u in range(a, v):
                length = 0.0
                for s in range(b - a):
                    length += (math.sqrt(vertices[u, s]) - math.sqrt(vertices[v, s])) ** 2
                if multipliers[k] * length > longest:
                    longest, first, second, edge = multipliers[k] * length, u, v, number
                number += 1
    return first, second, edge


@compiled
def refine(  # type: ignore[no-untyped-def]
    weights,
    powers,
    shifts,
    sizes,
    offsets,
    multipliers,
    degree,
    rounding,
    cells,
    begins,
    columns,
    threshold,
    mode,
    new_cells,
    new_begins,
    new_columns,
    seen,
    seen_at,
    splits,
    ended,
):
    """Bound prices over cells, and halve the cells of those above the threshold.

    cells (m, N, MOST_CLASSES) holds vertices, columns[begins[c]:begins[c + 1]] the symbols in question on cell c.
    Mode 0 only halves, 1 bounds, 2 also looks at prices at midpoints: seen[j] is raised to the largest, at seen_at[j].
    For the proof, splits[c] is the number of the edge that cell c is halved at, -1 if it is not, and ended[pair]
    whether the bound of that pair of cell and symbol is final.

    Returns how many new cells there are, the largest bound that is final, and the largest that is not.
    """
    n_classes, n = powers.shape
    low, mid, high, value, rise = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    constant, slope, slopes = np.empty(n), np.empty(n), np.empty((n_classes, n))
    middle, moments = np.empty(n_classes), np.empty(n_classes)
    ratios = np.empty((n_classes, MOST_CLASSES))
    unit = EPS * (n_classes + 6)
    curved, slack, weighted = np.empty(n), np.empty(n), np.empty(n)
    corners, second = np.empty((MOST_CORNERS, n_classes)), np.empty((n_classes + 1, n_classes))
    n_new, n_kept = 0, 0
    final, open_end = 0.0, 0.0
    new_begins[0] = 0
    for c in range(cells.shape[0]):
        vertices = cells[c]
        first_kept = n_kept
        largest = 0.0
        splits[c] = -1
        spread, n_corners = np.inf, 0
        if mode > 0:
            for k in range(offsets.size - 1):
                a, b = offsets[k], offsets[k + 1]
                for s in range(a, b):
                    middle[s] = 0.0
                    for v in range(a, b):
                        middle[s] += vertices[v, s - a] / (b - a)
                    for v in range(a, b):
                        ratios[v, s - a] = vertices[v, s - a] / middle[s] - 1
            spread = ranges(powers, shifts, offsets, multipliers, vertices, middle, low, mid, high, value, rise)
            for i in range(n):
                top = min(0.0, high[i] + unit * (abs(high[i]) + abs(mid[i]) + degree * spread))
                drop = top - (low[i] - unit * (abs(low[i]) + 2 * sizes[i]))
                chord = degree
                if drop > 1e-10:
                    chord = _exp_minus_one(-drop) / _exp_minus_one(-drop / degree)
                fall = _exp_minus_one((mid[i] + unit * abs(mid[i]) - top) / degree)
                scale = math.exp(top)
                constant[i] = scale * (1 + chord * fall + rounding * (1 + chord * abs(fall) + degree * spread))
                slope[i] = scale * chord * (1 + fall) / degree
            for s in range(n_classes):
                for i in range(n):
                    slopes[s, i] = slope[i] * powers[s, i]
            if mode > 1:
                for i in range(n):
                    value[i] = math.exp(min(mid[i], 0.0))
        for pair in range(begins[c], begins[c + 1]):
            j = columns[pair]
            if mode > 0:
                w = weights[j]
                bound = dot(w, constant) + FLOOR
                for s in range(n_classes):
                    moments[s] = dot(w, slopes[s])
                for k in range(offsets.size - 1):
                    best = -np.inf
                    for v in range(offsets[k], offsets[k + 1]):
                        total = 0.0
                        for s in range(offsets[k], offsets[k + 1]):
                            total += moments[s] * ratios[v, s - offsets[k]]
                        best = max(best, total)
                    bound += best
                if bound <= threshold:
                    final = max(final, bound)
                    ended[pair] = True
                    continue
                if spread < SMALL and degree * spread**2 < SMALL and bound < 1.5 * threshold:
                    if n_corners == 0:
                        n_corners = corners_of(ratios, offsets, corners)
                        expand(powers, offsets, ratios, mid, spread, unit, curved, slack)
                    curve = curved_bound(
                        w, powers, corners, n_corners, curved, slack, degree * spread, rounding, weighted, second
                    )
                    bound = min(bound, curve + FLOOR)
                    if bound <= threshold:
                        final = max(final, bound)
                        ended[pair] = True
                        continue
                largest = max(largest, bound)
                if mode > 1:
                    price = dot(w, value)
                    if price > seen[j]:
                        seen[j] = price
                        copy(middle, seen_at[j])
            ended[pair] = False
            new_columns[n_kept] = j
            n_kept += 1
        if n_kept == first_kept:
            continue
        u, v, edge = _longest_edge(vertices, offsets, multipliers)
        for s in range(n_classes):
            copy(vertices[s], new_cells[n_new, s])
            copy(vertices[s], new_cells[n_new + 1, s])
        exact = True
        for s in range(MOST_CLASSES):
            half = 0.5 * (vertices[u, s] + vertices[v, s])
            exact = exact and half * GRID == math.floor(half * GRID)
            new_cells[n_new, v, s] = half
            new_cells[n_new + 1, u, s] = half
        if not exact:
            final = max(final, largest)
            n_kept = first_kept
            for pair in range(begins[c], begins[c + 1]):
                ended[pair] = True
            continue
        splits[c] = edge
        open_end = max(open_end, largest)
        new_begins[n_new + 1] = n_kept
        for pair in range(first_kept, n_kept):
            new_columns[n_kept + pair - first_kept] = new_columns[pair]
        n_kept = 2 * n_kept - first_kept
        new_begins[n_new + 2] = n_kept
        n_new += 2
    return n_new, final, open_end
