"""How the problems behind a universal rate are solved: each target on its own, and the equivalent problem."""

from __future__ import annotations

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.results import Result
from rdcsolve.results.confirmation import confirmed
from rdcsolve.solvers import solve
from rdcsolve.solvers.finite.pruning import pruned
from rdcsolve.solvers.stationary.merging import merged
from rdcsolve.universal.targets import limits_labels, limits_laws, with_bounds, with_split_letters

_ASKED = 0.98  # of the tolerance: the rest is for letters left out, and for the rounding of the check


def solved(problem: Problem, tolerance: float) -> Result:
    """Return the least rate, without letters that carry next to nothing.

    Whatever is done to an answer of `solve` is done here.

    Parameters
    ----------
    problem : Problem
        Of the least rate. Fixed letters that limit no label's entropy are solved as split ones, which need the same
        rate, and made one per symbol afterwards.
    tolerance : float
        Nats.
    """
    limited = np.concatenate([problem.bounds, problem.perception_bounds])[None]
    if problem.letters == "split" or limits_labels(problem, limited):
        found = solve(problem, tolerance=_ASKED * tolerance)
        return found if limits_laws(problem, limited) else pruned(found, problem, tolerance)
    return confirmed(merged(solved(with_split_letters(problem), tolerance), problem), problem, tolerance)


def solved_alone(problem: Problem, bounds: np.ndarray, tolerance: float) -> dict[bytes, Result]:
    """Return the solution of every target on its own, by its row of bounds, shape (L,)."""
    found: dict[bytes, Result] = {}
    for row in bounds:
        if row.tobytes() not in found:
            found[row.tobytes()] = solved(with_bounds(problem, row), tolerance)
    return found
