"""Chebyshev sums over points of the line, block by block, for Numba: contiguous arrays and preallocated outputs."""

from __future__ import annotations

import numba
import numpy as np

from rdcsolve import narration

narration.announce_compilation()

_AT_A_TIME = 512  # points whose recurrences stay in the first cache, and are taken several at a time
_FAST = {"reassoc", "contract", "nsz"}  # sums in any order, so that vector registers take them


@numba.njit(cache=True, fastmath=_FAST)
def chebyshev_values(places, factor, cuts, coefficients, found):  # type: ignore[no-untyped-def]
    """Write sum_k coefficients[b, k] T_k(places_i factor) at the points cuts[b] to cuts[b + 1] of every block b."""
    twice, last, before = np.empty(_AT_A_TIME), np.empty(_AT_A_TIME), np.empty(_AT_A_TIME)
    degrees = coefficients.shape[1]
    for b in range(cuts.size - 1):
        for start in range(cuts[b], cuts[b + 1], _AT_A_TIME):
            size = min(_AT_A_TIME, cuts[b + 1] - start)
            for j in range(size):
                twice[j] = 2.0 * factor * places[start + j]
                last[j] = 0.0
                before[j] = 0.0
            for k in range(degrees - 1, 0, -1):
                coefficient = coefficients[b, k]
                for j in range(size):
                    following = coefficient + twice[j] * last[j] - before[j]
                    before[j] = last[j]
                    last[j] = following
            coefficient = coefficients[b, 0]
            for j in range(size):
                found[start + j] = coefficient + 0.5 * twice[j] * last[j] - before[j]


@numba.njit(cache=True, fastmath=_FAST)
def chebyshev_moments(places, factor, cuts, weights, moments):  # type: ignore[no-untyped-def]
    """Write sum_i weights_i T_k(places_i factor) over the points of every block b into moments[b, k]."""
    twice, now, before = np.empty(_AT_A_TIME), np.empty(_AT_A_TIME), np.empty(_AT_A_TIME)
    degrees = moments.shape[1]
    for b in range(cuts.size - 1):
        for k in range(degrees):
            moments[b, k] = 0.0
        for start in range(cuts[b], cuts[b + 1], _AT_A_TIME):
            size = min(_AT_A_TIME, cuts[b + 1] - start)
            for j in range(size):
                twice[j] = 2.0 * factor * places[start + j]
                now[j] = weights[start + j]
                before[j] = 0.5 * twice[j] * now[j]  # T_-1 = T_1
            for k in range(degrees):
                total = 0.0
                for j in range(size):
                    total += now[j]
                    following = twice[j] * now[j] - before[j]
                    before[j] = now[j]
                    now[j] = following
                moments[b, k] += total


@numba.njit(cache=True)
def tilts(places, cuts, base, mean, steepness, found):  # type: ignore[no-untyped-def]
    """Write base_b - s x (x + 2 mean_b) at every point x of every block b."""
    for b in range(cuts.size - 1):
        for i in range(cuts[b], cuts[b + 1]):
            found[i] = base[b] - steepness * places[i] * (places[i] + 2.0 * mean[b])
