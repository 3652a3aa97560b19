"""Branch and bound over cells of shares: the cell with the largest bound is cut next. Compiled kernels."""

from __future__ import annotations

import numpy as np

from rdcsolve.letters.pricing.compiled import compiled, dot
from rdcsolve.letters.pricing.share_cells import (
    add_up,
    around,
    best_form,
    improve,
    nearest_letter,
    negative_entropy,
    price_at,
    quotient,
    tangent,
    weigh,
    write_form,
)

_NEAREST = 4.0  # a cell farther from all letters than this is not near one
_IDLE = 0.01  # of how far a cell reaches from its letter: directions that add less are not cut


@compiled
def _sink(heap, keys, size, at):  # type: ignore[no-untyped-def]
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        if child + 1 < size and keys[heap[child + 1]] > keys[heap[child]]:
            child += 1
        if keys[heap[child]] <= keys[heap[at]]:
            return
        heap[child], heap[at] = heap[at], heap[child]
        at = child


@compiled
def _rise(heap, keys, at):  # type: ignore[no-untyped-def]
    while at > 0:
        parent = (at - 1) // 2
        if keys[heap[parent]] >= keys[heap[at]]:
            return
        heap[parent], heap[at] = heap[at], heap[parent]
        at = parent


@compiled
def explore(  # type: ignore[no-untyped-def]
    log_weights,
    powers,
    offsets,
    joins,
    left,
    right,
    whole,
    inside,
    share_of_row,
    gamma,
    idle,
    letters,
    letter_masses,
    drifts,
    slants,
    products,
    letter_prices,
    lows,
    highs,
    forms,
    slopes,
    places,
    bounds,
    cuts,
    cut_at,
    children,
    near,
    heap,
    state,
    threshold,
    most,
    most_cells,
    seen,
    seen_at,
):
    """Bound cells that have no bound yet, then cut those of the largest bounds until none is above the threshold.

    state holds how many cells there are, how many of them wait in the heap, and how many are bounded or have been cut;
    at most so many are bounded in one call. near[c] is the letter that cell c is bounded around, or -1. seen[0] is
    raised to the largest logarithm of a price at a place met on the way.
    """
    n_classes, n = powers.shape
    n_joins = joins.shape[0]
    masses, coefficients = np.empty(n_classes + n_joins), np.empty(n_classes + n_joins)
    terms, own_terms, scratch = np.empty(n), np.empty(n), np.empty(n)
    base, parent_base = np.empty(n), np.empty(n)
    pieces = np.empty((n_joins, n))
    own_slopes, own_place = np.empty(n_joins), np.empty(n_classes)
    best_slopes, best_place, apart = np.empty(n_joins), np.empty(n_classes), np.empty(n_joins)
    count, waiting, known = state[0], state[1], state[2]
    left_to_bound = most_cells
    while left_to_bound > 1:
        while known < count and children[known] >= 0:
            known += 1
        fresh = known < count
        if not fresh and not (waiting > 0 and bounds[heap[0]] > threshold):
            break
        parent = known if fresh else heap[0]
        for i in range(n):
            parent_base[i] = 0.0
        for x in range(n_joins):
            write_form(
                forms[parent, x],
                lows[parent, x],
                highs[parent, x],
                left[x],
                right[x],
                whole[x],
                inside[x],
                share_of_row[x],
                pieces[x],
            )
            for i in range(n):
                parent_base[i] += (1 - gamma) * pieces[x, i]
        v = 0
        if fresh:
            first, last = known, known + 1
        else:
            waiting -= 1
            heap[0] = heap[waiting]
            _sink(heap, bounds, waiting, 0)
            # the law at the parent's place tells where the bound is loosest, and which form suits each half
            for x in range(n_joins):
                own_slopes[x] = slopes[parent, x]
            for s in range(n_classes):
                own_place[s] = places[parent, s]
            weigh(
                log_weights,
                powers,
                joins,
                gamma,
                parent_base,
                lows[parent],
                highs[parent],
                own_slopes,
                own_place,
                coefficients,
                terms,
            )
            tangent(terms, powers, offsets, gamma, idle, own_place, masses)
            add_up(joins, n_classes, masses)
            # places are rounded to single precision: as they stand they are no decisions, and their price is none
            for k in range(offsets.size - 1):
                size = 0.0
                for s in range(offsets[k], offsets[k + 1]):
                    size += own_place[s]
                for s in range(offsets[k], offsets[k + 1]):
                    own_place[s] /= size
            value = price_at(log_weights, powers, own_place, scratch)
            if value > seen[0]:
                seen[0] = value
                for s in range(n_classes):
                    seen_at[s] = own_place[s]
            farthest, letter = 0.0, near[parent]
            if letter >= 0:
                for x in range(n_joins):
                    share = letters[letter, x]
                    reach = max(abs(lows[parent, x] - share), abs(highs[parent, x] - share))
                    apart[x] = letter_masses[letter, x] * reach * reach
                    apart[x] *= max(quotient(lows[parent, x], share), quotient(highs[parent, x], share))
                    farthest = max(farthest, apart[x])
            worst, v, at = -1.0, -1, 0.5
            for x in range(n_joins):
                mass = masses[n_classes + x]
                width = highs[parent, x] - lows[parent, x]
                if not (mass > 0 and width > 1e-12):
                    continue
                if letter >= 0 and apart[x] < _IDLE * farthest:
                    continue  # as far as the letter is concerned, there is nothing to gain
                share = masses[joins[x, 0]] / mass
                gap = dot(terms, pieces[x]) - mass * negative_entropy(share)
                if gap > worst:
                    worst, v, at = gap, x, min(max(share, lows[parent, x]), highs[parent, x])
            if v < 0:
                continue  # nothing left to cut: the bound is final
            # a cut at the share itself would cut off thin slices, one after the other, and leave the rest as loose
            at = 0.5 * at + 0.25 * (lows[parent, v] + highs[parent, v])
            first, last = count, count + 2
            cuts[parent], cut_at[parent], children[parent] = v, at, count
            count += 2
            for c in range(first, last):
                children[c] = -1
                for x in range(n_joins):
                    lows[c, x], highs[c, x] = lows[parent, x], highs[parent, x]
                    forms[c, x], slopes[c, x] = forms[parent, x], slopes[parent, x]
                for s in range(n_classes):
                    places[c, s] = places[parent, s]
            highs[first, v] = at
            lows[first + 1, v] = at
        left_to_bound -= last - first
        known = last
        for c in range(first, last):
            for i in range(n):
                base[i] = parent_base[i]
            if not fresh:
                forms[c, v] = best_form(
                    lows[c, v],
                    highs[c, v],
                    left[v],
                    right[v],
                    whole[v],
                    inside[v],
                    share_of_row[v],
                    terms,
                    scratch,
                )
                write_form(
                    forms[c, v],
                    lows[c, v],
                    highs[c, v],
                    left[v],
                    right[v],
                    whole[v],
                    inside[v],
                    share_of_row[v],
                    scratch,
                )
                for i in range(n):
                    base[i] += (1 - gamma) * (scratch[i] - pieces[v, i])
            for x in range(n_joins):
                own_slopes[x] = slopes[c, x]
            for s in range(n_classes):
                own_place[s] = places[c, s]
            bound, _ = improve(
                log_weights,
                powers,
                offsets,
                joins,
                left,
                share_of_row,
                gamma,
                idle,
                base,
                lows[c],
                highs[c],
                own_slopes,
                own_place,
                threshold,
                most,
                masses,
                coefficients,
                own_terms,
                best_slopes,
                best_place,
            )
            for x in range(n_joins):
                slopes[c, x] = best_slopes[x]
            for s in range(n_classes):
                places[c, s] = best_place[s]
            bounds[c], near[c], cuts[c] = bound, -1, -1
            if bound <= threshold:
                continue
            if letters.shape[0] > 0:
                k, far = nearest_letter(lows[c], highs[c], letters, letter_masses)
                if far < _NEAREST:
                    closer = around(
                        lows[c],
                        highs[c],
                        letters[k],
                        letter_masses[k],
                        drifts[k],
                        slants[k],
                        products[k],
                        whole,
                        letter_prices[k],
                        scratch,
                    )
                    if closer < bound:
                        bounds[c], near[c] = closer, k
                        if closer <= threshold:
                            continue
            heap[waiting] = c
            waiting += 1
            _rise(heap, bounds, waiting - 1)
    state[0], state[1], state[2] = count, waiting, known


@compiled
def retrace(cuts, at, lows, highs, children):  # type: ignore[no-untyped-def]
    """Fill in the cells of a tree that is numbered breadth first, and the first child of each, -1 for leaves."""
    n_cuts = 0
    for c in range(cuts.size):
        children[c] = -1
        if cuts[c] < 0:
            continue
        first = 1 + 2 * n_cuts
        children[c] = first
        for child in range(first, first + 2):
            for x in range(lows.shape[1]):
                lows[child, x], highs[child, x] = lows[c, x], highs[c, x]
        highs[first, cuts[c]] = at[n_cuts]
        lows[first + 1, cuts[c]] = at[n_cuts]
        n_cuts += 1
