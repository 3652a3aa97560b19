"""The least loss under a limit on the rate that is no limit: H(S | X) of a label, zero where letters are free.

That needs no multiplier: there it is endless, and rounds come nearer to the least value without end. What the other
limits need for a channel that leaves as little is a problem of the least rate, with a limit at the least value of its
loss.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from rdcsolve import deadline
from rdcsolve.information import entropy
from rdcsolve.letters.space import LetterSpace
from rdcsolve.problems import Problem
from rdcsolve.results.result import Result
from rdcsolve.results.status import Status
from rdcsolve.solvers.exchange.exchange import solve_over
from rdcsolve.solvers.exchange.outcome import finished, trivial_dual
from rdcsolve.solvers.loop import Settings

_UNSETTLED = (Status.STALLED, Status.ALMOST_OPTIMAL)
_ROUNDING = 1e-12  # nats, of an entropy


def with_least_loss(space: LetterSpace, settings: Settings, result: Result) -> Result:
    """Return the result, or one that attains the least loss if it did not settle and the rate limit leaves room for it.

    That of a label, or the distance of free letters.

    Parameters
    ----------
    space : LetterSpace
    settings : Settings
    result : Result
        Of the space's problem.
    """
    problem, target = space.problem, space.problem.goal.target
    first = len(problem.losses) - len(problem.label_entropies)
    if target is None or result.status not in _UNSETTLED or deadline.is_up():
        return result
    least, rate = space.least_loss(target), float(problem.rate_bound or 0.0)
    if target < first and (problem.free is None or _entropy_of_points(problem) > rate + _ROUNDING):
        return result
    limits = {problem.loss_names[target]: math.nextafter(least, math.inf) if least else 0.0, "rate": None}
    found = solve_over(space.of(problem.minimising("rate").with_limits(**limits)), settings, None, enough=rate)
    if not found.letters.size or not found.rate_upper <= rate:
        return result
    listed = replace(found, letters=np.arange(found.letters.size))
    best = listed, space.letters_of(found)
    return finished(space, settings, best, trivial_dual(space), Status.OPTIMAL, "", result.history)


def _entropy_of_points(problem: Problem) -> float:
    """Return what letters at distance zero need, nats: points that are the same may be shown alike."""
    assert problem.free is not None
    used = problem.p_x > 0
    _, which = np.unique(problem.free.points[used], axis=0, return_inverse=True)
    masses = np.bincount(which.ravel(), problem.p_x[used])
    return float(entropy(masses / masses.sum()))
