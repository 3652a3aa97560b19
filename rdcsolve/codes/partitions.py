"""The cheapest partition of a small set, by dynamic programming over its subsets; Numba kernels."""

from __future__ import annotations

import math

import numba
import numpy as np

from rdcsolve import narration

narration.announce_compilation()


@numba.njit(cache=True, nogil=True, boundscheck=False)
def _add_one_cell(cost: np.ndarray, before: np.ndarray, after: np.ndarray, pick: np.ndarray) -> None:
    """Write the least cost of every set, cut into one cell and a set that costs what `before` says.

    The cell is the one that holds the lowest element, so every partition is looked at once: 3^n / 2 sums. `after` may
    be `before` itself, as what is left over is a smaller number than the set; then the number of cells is not limited.
    """
    after[0] = 0.0
    for whole in range(1, cost.size):
        low = whole & -whole
        rest = whole ^ low
        least, best = math.inf, 0
        part = rest
        while True:
            value = cost[part | low] + before[rest ^ part]
            if value < least:
                least, best = value, part | low
            if part == 0:
                break
            part = (part - 1) & rest
        after[whole], pick[whole] = least, best


def cheapest_partition(cost: np.ndarray, n_cells: int | None = None) -> tuple[float, list[int]]:
    """Return the least sum of costs over all partitions of a set, and the cells of one that has it.

    Parameters
    ----------
    cost : numpy.ndarray
        Of each set of elements, shape (2^n,): element k is in set s if bit k of s is one. May be inf, not NaN.
    n_cells : int, optional
        The largest number of cells.

    Returns
    -------
    float
        inf if every partition holds a cell that costs so much.
    list of int
        Empty in that case.

    Examples
    --------
    >>> cheapest_partition(np.array([0.0, 1.0, 1.0, 3.0]))
    (2.0, [1, 2])
    >>> cheapest_partition(np.array([0.0, 1.0, 1.0, 3.0]), n_cells=1)
    (3.0, [3])
    """
    full = cost.size - 1
    value = np.full(cost.size, np.inf)
    value[0] = 0.0
    layers = []
    for _ in range(1 if n_cells is None else n_cells):
        after = value if n_cells is None else np.empty(cost.size)
        pick = np.zeros(cost.size, dtype=np.int32)
        _add_one_cell(cost, value, after, pick)
        value = after
        layers.append(pick)
    if math.isinf(value[full]):
        return math.inf, []
    cells, left, layer = [], full, len(layers) - 1
    while left:
        cells.append(int(layers[layer][left]))
        left ^= cells[-1]
        layer -= n_cells is not None
    return float(value[full]), cells
