"""The least entropy of a label under a limit on the rate that is no limit: it is H(S | X), which needs no multiplier.

There the multiplier of the entropy is endless, and rounds come nearer to H(S | X) without end. What the other limits
need for a channel that leaves as little is a problem of the least rate, with a limit at the least value of its loss.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from rdcsolve import deadline
from rdcsolve.letters.space import LetterSpace
from rdcsolve.results.result import Result
from rdcsolve.results.status import Status
from rdcsolve.solvers.exchange.exchange import solve_over
from rdcsolve.solvers.exchange.outcome import finished, trivial_dual
from rdcsolve.solvers.loop import Settings

_UNSETTLED = (Status.STALLED, Status.ALMOST_OPTIMAL)


def with_least_entropy(space: LetterSpace, settings: Settings, result: Result) -> Result:
    """Return the result, or one that attains H(S | X) if it did not settle and the rate limit leaves room for that.

    Parameters
    ----------
    space : LetterSpace
    settings : Settings
    result : Result
        Of the space's problem.
    """
    problem, target = space.problem, space.problem.goal.target
    first = len(problem.losses) - len(problem.label_entropies)
    if target is None or target < first or result.status not in _UNSETTLED or deadline.is_up():
        return result
    least, rate = space.least_loss(target), float(problem.rate_bound or 0.0)
    limits = {problem.loss_names[target]: math.nextafter(least, math.inf) if least else 0.0, "rate": None}
    found = solve_over(space.of(problem.minimising("rate").with_limits(**limits)), settings, None, enough=rate)
    if not found.letters.size or not found.rate_upper <= rate:
        return result
    listed = replace(found, letters=np.arange(found.letters.size))
    best = listed, space.letters_of(found)
    return finished(space, settings, best, trivial_dual(space), Status.OPTIMAL, "", result.history)
