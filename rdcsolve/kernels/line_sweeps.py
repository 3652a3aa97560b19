"""Sweeps over points of the line, for Numba: the caller passes contiguous arrays and preallocated outputs."""

from __future__ import annotations

import numba
import numpy as np

from rdcsolve import narration

narration.announce_compilation()


@numba.njit(cache=True)
def sweep(values, steps, decays, power, total):  # type: ignore[no-untyped-def]
    """Add to every place the sums over all others, to the left with itself and then to the right; powers 0, 1, 2."""
    n = values.size
    for direction in range(2):
        none = once = twice = 0.0
        for place in range(n):
            i = place if direction == 0 else n - 1 - place
            if place > 0:
                gap = i - 1 if direction == 0 else i
                decay = decays[gap]
                if power > 0:
                    step = steps[gap]
                    if power > 1:
                        twice = decay * (twice + step * (2.0 * once + step * none))
                    once = decay * (once + step * none)
                none = decay * none
            if direction == 0:
                none += values[i]
            if power == 0:
                total[i] += none
            elif power == 1:
                total[i] += once
            else:
                total[i] += twice
            if direction == 1:
                none += values[i]


@numba.njit(cache=True)
def gram_of_letters(x, weights, y, steepness, gram):  # type: ignore[no-untyped-def]
    """Write sum_i weights_i exp(-s (|x_i - y_a| + |x_i - y_b|)): symbols left of both, between them, right of both."""
    n, m = x.size, y.size
    left, between, right = np.zeros(m), np.zeros(m), np.zeros(m)
    i, total, at = 0, 0.0, x[0]
    for a in range(m):
        inside = 0.0
        while i < n and x[i] <= y[a]:
            total = total * np.exp(-2.0 * steepness * (x[i] - at)) + weights[i]
            at = x[i]
            inside += weights[i]
            i += 1
        left[a] = total * np.exp(-2.0 * steepness * max(y[a] - at, 0.0))
        between[a] = inside  # after the letter before, up to this one
    i, total, at = n - 1, 0.0, x[n - 1]
    for a in range(m - 1, -1, -1):
        while i >= 0 and x[i] > y[a]:
            total = total * np.exp(-2.0 * steepness * (at - x[i])) + weights[i]
            at = x[i]
            i -= 1
        right[a] = total * np.exp(-2.0 * steepness * max(at - y[a], 0.0))
    for a in range(m):
        middle = 0.0
        for b in range(a, m):
            if b > a:
                middle += between[b]
            gram[a, b] = np.exp(-steepness * (y[b] - y[a])) * (left[a] + middle + right[b])
            gram[b, a] = gram[a, b]
