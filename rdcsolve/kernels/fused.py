"""Numba kernels: no checks, no allocation; the caller passes contiguous arrays and preallocated outputs."""

from __future__ import annotations

import numba
import numpy as np

from rdcsolve import narration

narration.announce_compilation()

# Reassociation lets the compiler use vector registers for the sum. NaN and infinity keep their meaning, and
# the order is fixed by the code, so a result does not depend on the machine's load or thread count.
_FAST = {"reassoc", "contract", "nsz"}


@numba.njit(cache=True, nogil=True, fastmath=_FAST, boundscheck=False)
def blahut_arimoto_step(p: np.ndarray, matrix: np.ndarray, q: np.ndarray, t: np.ndarray, c: np.ndarray) -> None:
    """Write t = K q and c = K'(p / t), reading each row of the matrix from memory once.

    A row's weight p_i / t_i is known only after its product with q. So the rows come in blocks of four, and while a
    block is read from memory for its products, the block before it, still in cache, is added to c in the same
    inner loop. That halves the memory traffic of two separate products; done one after the other the two
    loops would wait in turn for memory and for cache, and take longer than the separate products.
    """
    n, k = matrix.shape
    for a in range(k):
        c[a] = 0.0
    blocks = n - n % 4
    if blocks:
        old_0, old_1, old_2, old_3 = matrix[0], matrix[1], matrix[2], matrix[3]
        w_0, w_1, w_2, w_3 = 0.0, 0.0, 0.0, 0.0
        for i in range(0, blocks, 4):
            row_0, row_1, row_2, row_3 = matrix[i], matrix[i + 1], matrix[i + 2], matrix[i + 3]
            t_0, t_1, t_2, t_3 = 0.0, 0.0, 0.0, 0.0
            for a in range(k):
                mass = q[a]
                t_0 += row_0[a] * mass
                t_1 += row_1[a] * mass
                t_2 += row_2[a] * mass
                t_3 += row_3[a] * mass
                c[a] += (w_0 * old_0[a] + w_1 * old_1[a]) + (w_2 * old_2[a] + w_3 * old_3[a])
            t[i], t[i + 1], t[i + 2], t[i + 3] = t_0, t_1, t_2, t_3
            w_0, w_1, w_2, w_3 = p[i] / t_0, p[i + 1] / t_1, p[i + 2] / t_2, p[i + 3] / t_3
            old_0, old_1, old_2, old_3 = row_0, row_1, row_2, row_3
        for a in range(k):
            c[a] += (w_0 * old_0[a] + w_1 * old_1[a]) + (w_2 * old_2[a] + w_3 * old_3[a])
    for i in range(blocks, n):
        row_0 = matrix[i]
        t_0 = 0.0
        for a in range(k):
            t_0 += row_0[a] * q[a]
        t[i] = t_0
        w_0 = p[i] / t_0
        for a in range(k):
            c[a] += w_0 * row_0[a]
