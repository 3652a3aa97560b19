"""How far a loss may exceed its limit in floating point: a share of what the loss can range over, never of the bound.

Adding a constant to a loss changes nothing about a problem, so it must change nothing about a check; and a limit of
zero is met to rounding like any other.
"""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.problems.losses import Loss

SHARE = 1e-12
"""Of what a loss can range over: by so much it may exceed its limit."""


def limit_slack(problem: Problem) -> dict[str, float]:
    """Return by how much each loss may exceed its limit, by name.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    dict of str to float
        1e-12 of the loss's range: the largest minus the least entry over allowed pairs of symbols that have mass; the
        logarithm of the number of classes for a label's entropy; for free letters a squared distance between two
        points that have mass, the largest on the line and at least a quarter of it elsewhere.
    """
    used = problem.p_x > 0
    ranges = {}
    for loss in problem.linear_losses:
        low, high = _ends(problem, loss)
        ranges[loss.name] = high - low
    if problem.free is not None:
        ranges[problem.free.name] = _across(problem.free.points[used]) * problem.free.scale
    for label in problem.label_entropies:
        ranges[label.name] = math.log(label.conditional.shape[1])
    return {name: SHARE * size for name, size in ranges.items()}


def origins(problem: Problem) -> list[float]:
    """Return the least entry of every linear loss over allowed pairs: where sums over it lose nothing to rounding."""
    return [_ends(problem, loss)[0] for loss in problem.linear_losses]


def _ends(problem: Problem, loss: Loss) -> tuple[float, float]:
    """Return the least and the largest entry over allowed pairs of symbols that have mass."""
    used = np.flatnonzero(problem.p_x > 0)
    allowed = loss.block(used)
    allowed = allowed[np.isfinite(allowed)] if problem.forbidden is None else allowed[~problem.forbidden[used]]
    return float(allowed.min()), float(allowed.max())


def _across(points: np.ndarray) -> float:
    """Return the squared distance from the point that is furthest from the first one to the one furthest from it."""
    end = points[int(((points - points[0]) ** 2).sum(axis=1).argmax())]
    return float(((points - end) ** 2).sum(axis=1).max())
