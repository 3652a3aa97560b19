"""Branch and bound over cells of shares: the cell with the largest bound is cut next. Compiled kernels."""

from __future__ import annotations

import numpy as np

from rdcsolve.letters.pricing.ascent import compiled
from rdcsolve.letters.pricing.share_cells import (
    add_form,
    add_up,
    around,
    best_form,
    improve,
    nearest_letter,
    negative_entropy,
    price_at,
    quotient,
    weigh,
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
    stop_at,
    seen,
    seen_at,
):
    """Cut the cells of the largest bounds until none is above the threshold, or so many cells are there.

    state holds how many cells there are, and how many of them wait in the heap. near[c] is the letter that cell c is
    bounded around, or -1. seen[0] is raised to the largest logarithm of a price at a place met on the way.
    """
    n_classes, n = powers.shape
    n_joins = joins.shape[0]
    masses, coefficients = np.empty(n_classes + n_joins), np.empty(n_classes + n_joins)
    terms, base, scratch = np.empty(n), np.empty(n), np.empty(n)
    own_slopes, own_place = np.empty(n_joins), np.empty(n_classes)
    best_slopes, best_place, apart = np.empty(n_joins), np.empty(n_classes), np.empty(n_joins)
    count, waiting = state[0], state[1]
    fresh = count == 1 and waiting == 0
    while (fresh or (waiting > 0 and bounds[heap[0]] > threshold)) and count + 2 <= stop_at:
        if fresh:
            parent, first, last = -1, 0, 1
            fresh = False
        else:
            parent = heap[0]
            waiting -= 1
            heap[0] = heap[waiting]
            _sink(heap, bounds, waiting, 0)
            first, last = count, count + 2
            children[parent] = count
            count += 2
            v, at = cuts[parent], cut_at[parent]
            for c in range(first, last):
                for x in range(n_joins):
                    lows[c, x], highs[c, x] = lows[parent, x], highs[parent, x]
                    forms[c, x], slopes[c, x] = forms[parent, x], slopes[parent, x]
                for s in range(n_classes):
                    places[c, s] = places[parent, s]
            highs[first, v] = at
            lows[first + 1, v] = at
            # the law at the parent's place tells which form suits each half
            for i in range(n):
                base[i] = 0.0
            for x in range(n_joins):
                add_form(
                    forms[parent, x],
                    lows[parent, x],
                    highs[parent, x],
                    left[x],
                    right[x],
                    whole[x],
                    inside[x],
                    share_of_row[x],
                    1 - gamma,
                    base,
                )
            for x in range(n_joins):
                own_slopes[x] = slopes[parent, x]
            for s in range(n_classes):
                own_place[s] = places[parent, s]
            weigh(
                log_weights,
                powers,
                joins,
                gamma,
                base,
                lows[parent],
                highs[parent],
                own_slopes,
                own_place,
                coefficients,
                terms,
            )
            for c in range(first, last):
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
        for c in range(first, last):
            for i in range(n):
                base[i] = 0.0
            for x in range(n_joins):
                add_form(
                    forms[c, x],
                    lows[c, x],
                    highs[c, x],
                    left[x],
                    right[x],
                    whole[x],
                    inside[x],
                    share_of_row[x],
                    1 - gamma,
                    base,
                )
                own_slopes[x] = slopes[c, x]
            for s in range(n_classes):
                own_place[s] = places[c, s]
            bound, _ = improve(
                log_weights,
                powers,
                offsets,
                joins,
                left,
                whole,
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
                terms,
                best_slopes,
                best_place,
            )
            for x in range(n_joins):
                slopes[c, x] = best_slopes[x]
            for s in range(n_classes):
                places[c, s] = best_place[s]
            bounds[c], near[c], children[c], cuts[c] = bound, -1, -1, -1
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
            # where the bound is loosest under the last law
            add_up(joins, n_classes, masses)
            total = 0.0
            for i in range(n):
                total += terms[i]
            worst, chosen, at = -1.0, -1, 0.5
            farthest = 0.0
            if near[c] >= 0:
                for x in range(n_joins):
                    share = letters[near[c], x]
                    reach = max(abs(lows[c, x] - share), abs(highs[c, x] - share))
                    apart[x] = letter_masses[near[c], x] * reach * reach
                    apart[x] *= max(quotient(lows[c, x], share), quotient(highs[c, x], share))
                    farthest = max(farthest, apart[x])
            for x in range(n_joins):
                mass = masses[n_classes + x]
                width = highs[c, x] - lows[c, x]
                if not (mass > 0 and width > 1e-12):
                    continue
                if near[c] >= 0 and apart[x] < _IDLE * farthest:
                    continue  # as far as the letter is concerned, there is nothing to gain
                share = masses[joins[x, 0]] / mass
                for i in range(n):
                    scratch[i] = 0.0
                add_form(
                    forms[c, x],
                    lows[c, x],
                    highs[c, x],
                    left[x],
                    right[x],
                    whole[x],
                    inside[x],
                    share_of_row[x],
                    1.0,
                    scratch,
                )
                gap = -mass * negative_entropy(share)
                for i in range(n):
                    gap += terms[i] * scratch[i]
                if gap > worst:
                    worst, chosen, at = gap, x, min(max(share, lows[c, x]), highs[c, x])
            if chosen < 0:
                continue  # nothing left to cut: the bound is final
            width = highs[c, chosen] - lows[c, chosen]
            cut_at[c] = min(max(at, lows[c, chosen] + 0.1 * width), highs[c, chosen] - 0.1 * width)
            cuts[c] = chosen
            heap[waiting] = c
            waiting += 1
            _rise(heap, bounds, waiting - 1)
    state[0], state[1] = count, waiting
