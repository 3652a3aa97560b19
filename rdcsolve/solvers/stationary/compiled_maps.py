"""Numba kernels of the search over maps from symbols to letters: sums of limited losses along a path, and pruning.

No checks: the caller passes contiguous float arrays. Throughout, n symbols, k letters, M linear losses, and the classes
of all labels stacked side by side.
"""

from __future__ import annotations

import numba
import numpy as np

from rdcsolve import narration

narration.announce_compilation()


@numba.njit(cache=True, nogil=True)
def entropy_of_joint(joint: np.ndarray, begin: int, end: int) -> float:
    """Return sum_a sum_s -m log(m / m_a) over the classes begin to end - 1 of the masses m = joint[s, a].

    A class that has nearly all of a letter is charged by what the others have, so that small entropies keep their
    digits.
    """
    value = 0.0
    for a in range(joint.shape[1]):
        total, most = 0.0, begin
        for s in range(begin, end):
            total += joint[s, a]
            if joint[s, a] > joint[most, a]:
                most = s
        if total <= 0.0:
            continue
        others = 0.0
        for s in range(begin, end):
            if s != most and joint[s, a] > 0.0:
                others += joint[s, a]
                value += joint[s, a] * (np.log(total) - np.log(joint[s, a]))
        value -= joint[most, a] * np.log1p(-others / total)
    return value


@numba.njit(cache=True, nogil=True)
def _exceeds(
    sums: np.ndarray,
    joint: np.ndarray,
    ends: np.ndarray,
    bounds: np.ndarray,
    slack: np.ndarray,
    rest: np.ndarray,
) -> bool:
    """Say whether what is assigned, and the least that the rest can cost, is beyond some limit."""
    n_linear = sums.size
    for m in range(n_linear):
        if sums[m] + rest[m] > bounds[m] + slack[m]:
            return True
    for j in range(ends.size - 1):
        m = n_linear + j
        # H(S | A) is superadditive in the masses: what comes to a letter later costs at least its own
        if bounds[m] < np.inf and entropy_of_joint(joint, ends[j], ends[j + 1]) + rest[m] > bounds[m] + slack[m]:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def search_maps(  # noqa: PLR0913 - the arrays of a compiled search
    p: np.ndarray,
    losses: np.ndarray,
    order: np.ndarray,
    counts: np.ndarray,
    conditional: np.ndarray,
    ends: np.ndarray,
    bounds: np.ndarray,
    slack: np.ndarray,
    rest: np.ndarray,
    budget: int,
    found: np.ndarray,
) -> tuple[int, int]:
    """Look for maps that meet the limits, depth first, until the budget of nodes or the room for maps is used up.

    Parameters
    ----------
    p : numpy.ndarray
        Shape (n,).
    losses : numpy.ndarray
        Shape (M, n, k), at allowed pairs.
    order, counts : numpy.ndarray
        Shapes (n, k) and (n,): every symbol's allowed letters, the most promising first, and how many there are.
    conditional, ends : numpy.ndarray
        Shape (n, S), and where each label's classes begin.
    bounds, slack : numpy.ndarray
        Shape (M + labels,): limits, inf for none, and by how much they may be exceeded.
    rest : numpy.ndarray
        Shape (n + 1, M + labels): the least that the symbols from i on can cost.
    budget : int
        Nodes.
    found : numpy.ndarray
        Shape (room, n), overwritten with maps.

    Returns
    -------
    number : int
        Of maps found.
    nodes : int
        At most the budget; the search was exhaustive if it is below it and there was room.
    """
    n = p.size
    n_linear = losses.shape[0]
    sums = np.zeros((n + 1, n_linear))
    joint = np.zeros((n + 1, conditional.shape[1], losses.shape[2]))
    tried = np.zeros(n + 1, dtype=np.int64)
    path = np.zeros(n, dtype=np.int64)
    number, nodes, i = 0, 0, 0
    while i >= 0 and nodes < budget and number < found.shape[0]:
        if i == n:
            found[number] = path
            number += 1
            i -= 1
            continue
        if tried[i] == counts[i]:
            i -= 1
            continue
        a = order[i, tried[i]]
        tried[i] += 1
        nodes += 1
        path[i] = a
        for m in range(n_linear):
            sums[i + 1, m] = sums[i, m] + p[i] * losses[m, i, a]
        joint[i + 1] = joint[i]
        for s in range(conditional.shape[1]):
            joint[i + 1, s, a] += p[i] * conditional[i, s]
        if not _exceeds(sums[i + 1], joint[i + 1], ends, bounds, slack, rest[i + 1]):
            i += 1
            if i < n:
                tried[i] = 0
    return number, nodes
