"""Limits on labels' entropies as solvers aim at them: a little lower, so that no rounding puts a channel beyond."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.rounding import UNIT, sum_units

_CHEAP = 1e-9  # of the room: a multiplier is no more than the rate per room, so that this costs next to nothing
_TYPICAL = 4  # roundings of the mass and of the entropy, as errors mostly are
_MUCH = 1e-3  # of the room: the most that is given up for those
_LETTERS = 128  # as if so many were summed over
_OPERATIONS = 40  # roundings of a term of an entropy, beside those of sums


def aimed_limits(problem: Problem) -> dict[str, float]:
    """Return the limits on labels' entropies, lowered by what an entropy computed in floats rounds by.

    A list of letters limits the log-loss of their decisions, which is no less than the entropy, but for the roundings
    of both; those are a share of the entropy and of the mass. So a channel that meets the list's limit in floats can
    be beyond the problem's by a digit of the last place.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    dict of str to float
        By name; limits at the least entropy are left out.
    """
    aims = {}
    used = problem.p_x > 0
    first = len(problem.losses) - len(problem.label_entropies)
    for m, label in enumerate(problem.label_entropies, start=first):
        bound = float(problem.bounds[m])
        if math.isinf(bound):
            continue
        rows = label.conditional[used]
        n, n_classes = rows.shape
        least = -float(problem.p_x[used] @ (rows * np.log(np.where(rows > 0, rows, 1.0))).sum(axis=1))
        terms = sum_units(n) + sum_units(_LETTERS) + 2 * n_classes + _OPERATIONS
        room = bound - least
        typical = min(_TYPICAL * UNIT * (1 + bound), _MUCH * room)
        margin = min(UNIT * (terms * bound + 2 * n_classes + _OPERATIONS), max(_CHEAP * room, typical))
        if margin > 0:
            aims[label.name] = bound - margin
    return aims
