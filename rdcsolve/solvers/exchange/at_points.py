"""The dual point of free letters at distance zero: every symbol keeps its own point, and that needs their entropy.

With u_i = -log P(x_i) and a multiplier at which other points' terms vanish every price is one, but for a rounding, and
as the limit is zero the multiplier is charged nothing. Restricted problems send theirs to 1e30 there where symbols are
rare, and then the line has more cells than can be looked at.
"""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.letters.space import LetterSpace

_APART = 60.0  # nats: what a letter at one point costs the next one; e^-60 is no part of a price


def at_points(space: LetterSpace) -> tuple[np.ndarray, np.ndarray] | None:
    """Return u and multipliers where letters are free and the limit on their distance is zero, None elsewhere.

    Parameters
    ----------
    space : LetterSpace
    """
    problem, free = space.problem, space.problem.free
    if free is None or problem.goal.target is not None or problem.multipliers is not None or problem.bounds[0] != 0:
        return None
    used = problem.p_x > 0
    points, which = np.unique(free.points[used], axis=0, return_inverse=True)
    if len(points) < 2:
        return None
    from scipy.spatial import cKDTree  # seldom needed

    nearest = float(cKDTree(points).query(points, k=2)[0][:, 1].min())
    square = nearest**2 * free.scale
    if not (square > 0 and math.isfinite(_APART / square)):
        return None
    masses = np.bincount(which.ravel(), problem.p_x[used])
    multipliers, u = np.zeros(len(problem.losses)), np.zeros(problem.n_x)
    multipliers[0] = _APART / square
    u[used] = -np.log(masses[which.ravel()] / masses.sum())
    return u, multipliers
