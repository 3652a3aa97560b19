"""How the loops over cells are compiled, and what they share."""

from __future__ import annotations

import math

import numba
import numpy as np

from rdcsolve import narration

narration.announce_compilation()

# Reassociation lets the compiler use vector registers for a sum; any order of n terms errs by at most n roundings.
_FAST = {"reassoc", "contract", "nsz"}

# No checks for division by zero: they would keep loops from being vectorised. Loops instead of array assignments, which
# take the compiler long.
compiled = numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")


@numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy", fastmath=_FAST)
def dot(left: np.ndarray, right: np.ndarray) -> float:
    """Return the sum of products."""
    total = 0.0
    for i in range(left.size):
        total += left[i] * right[i]
    return total


@compiled
def copy(source: np.ndarray, target: np.ndarray) -> None:
    """Copy a vector."""
    for i in range(source.size):
        target[i] = source[i]


@compiled
def exponents_at(powers: np.ndarray, shift: np.ndarray, r: np.ndarray, out: np.ndarray) -> None:
    """Write sum_s powers_si log r_s - shift_i, with 0 log 0 = 0."""
    n_classes, n = powers.shape
    for i in range(n):
        out[i] = -shift[i]
    for s in range(n_classes):
        row = powers[s]
        if r[s] > 0:
            log_r = math.log(r[s])
            for i in range(n):
                out[i] += row[i] * log_r
        else:
            for i in range(n):
                if row[i] > 0:
                    out[i] = -np.inf
