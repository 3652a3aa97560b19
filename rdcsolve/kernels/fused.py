"""Numba kernels: no checks, no allocation; the caller passes contiguous arrays and preallocated outputs."""

from __future__ import annotations

import numba
import numpy as np

# Reassociation lets the compiler use vector registers for the sum. NaN and infinity keep their meaning, and
# the order is fixed by the code, so a result does not depend on the machine's load or thread count.
_FAST = {"reassoc", "contract", "nsz"}


@numba.njit(cache=True, nogil=True, fastmath=_FAST, boundscheck=False)
def blahut_arimoto_step(p: np.ndarray, matrix: np.ndarray, q: np.ndarray, t: np.ndarray, c: np.ndarray) -> None:
    """Write t = K q and c = K'(p / t), reading each row of the matrix from memory once.

    Row i is still in cache from its product with q when p_i / t_i times it is added to c. At sizes where the
    matrix does not fit in cache this halves the memory traffic of two separate products.
    """
    n, k = matrix.shape
    for a in range(k):
        c[a] = 0.0
    for i in range(n):
        row = matrix[i]
        total = 0.0
        for a in range(k):
            total += row[a] * q[a]
        t[i] = total
        weight = p[i] / total
        for a in range(k):
            c[a] += weight * row[a]
