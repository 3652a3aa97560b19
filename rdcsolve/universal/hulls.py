"""Lower left boundaries in the plane: sums of convex ones, and staircases of points."""

from __future__ import annotations

import numpy as np

from rdcsolve import deadline


def lower_left(points: np.ndarray) -> np.ndarray:
    """Return which points are the vertices of the lower left convex boundary, from the left to the lowest.

    Parameters
    ----------
    points : numpy.ndarray
        Shape (n, 2), finite.

    Returns
    -------
    numpy.ndarray
        Indices: from the lowest of the leftmost points to the leftmost of the lowest, slopes strictly increasing.
    """
    kept: list[int] = []
    for a in np.lexsort((points[:, 1], points[:, 0])):
        if kept and points[a, 1] >= points[kept[-1], 1]:
            continue  # not lower than what is further left
        while len(kept) > 1 and _is_above(points[kept[-2]], points[kept[-1]], points[a]):
            kept.pop()
        kept.append(int(a))
    return np.array(kept, dtype=np.intp)


def minkowski_sum(clouds: list[np.ndarray]) -> np.ndarray:
    """Return what makes the vertices of the lower left boundary of the Minkowski sum of point sets.

    Parameters
    ----------
    clouds : list of numpy.ndarray
        One per summand, shape (n, 2); infinite points are left out, and each summand has a finite one.

    Returns
    -------
    numpy.ndarray
        Shape (v, number of summands): a point of every summand that adds up to the vertex, from the left to the lowest.
    """
    steps, owner, target = [np.empty((0, 2))], [], []
    first = []
    for z, cloud in enumerate(clouds):
        deadline.look()
        finite = np.flatnonzero(np.isfinite(cloud).all(axis=1))
        hull = finite[lower_left(cloud[finite])]
        first.append(int(hull[0]))
        steps.append(np.diff(cloud[hull], axis=0))
        owner += [z] * (hull.size - 1)
        target += hull[1:].tolist()
    edges = np.concatenate(steps)
    # Steepest descent first: by slopes, as all angles are the same right angle where one loss is 1e18 times the other.
    with np.errstate(over="ignore"):
        order = np.argsort(edges[:, 1] / edges[:, 0], kind="stable")
    choices = np.tile(np.array(first, dtype=np.intp), (len(order) + 1, 1))
    for step, edge in enumerate(order, start=1):
        choices[step:, owner[edge]] = target[edge]
    return choices


def staircase(points: np.ndarray) -> np.ndarray:
    """Return which points have none to their lower left, from the left to the lowest; `points` has shape (n, 2)."""
    kept: list[int] = []
    for a in np.lexsort((points[:, 1], points[:, 0])):
        if not kept or points[a, 1] < points[kept[-1], 1]:
            kept.append(int(a))
    return np.array(kept, dtype=np.intp)


def _is_above(left: np.ndarray, middle: np.ndarray, right: np.ndarray) -> bool:
    """Return whether the middle point is on or above the line through its neighbours."""
    one, other = middle - left, right - left
    return bool(one[0] * other[1] - one[1] * other[0] <= 0)
