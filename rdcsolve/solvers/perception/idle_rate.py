"""The least loss under limits on laws where the rate limits nothing: a linear programme, whose dual is a certificate.

With multipliers that grow without end the bound of a rate turns into one of the loss alone: what the rate adds to it is
the rate's limit over the loss's multiplier. f-divergences enter by tangents, discrepancies likewise.
"""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.information import entropy
from rdcsolve.problems import LossAtRate, Problem
from rdcsolve.results.result import Result
from rdcsolve.results.status import Status
from rdcsolve.solvers.finite.least_rate import task_within_limits
from rdcsolve.solvers.loop import Settings
from rdcsolve.solvers.perception.programme import programme_of
from rdcsolve.solvers.perception.refutation import least_mean, refuting_point
from rdcsolve.solvers.perception.solve import Run

_SHARE = 0.02  # of the tolerance: what the rate's limit may add to the loss


def is_idle(problem: Problem) -> bool:
    """Return whether no channel exceeds the limit on the rate of a problem that minimises a linear loss."""
    goal = problem.goal
    if not isinstance(goal, LossAtRate) or not problem.is_finite or goal.target >= len(problem.linear_losses):
        return False
    return goal.rate >= entropy(problem.p_x)


def least_whatever_the_rate(problem: Problem, settings: Settings, bound: float) -> Result | None:
    """Return a channel of nearly the least loss, and a certificate of the rate at `bound` whose slope is steep.

    Read as bounds on the loss at a rate, both are close to the least loss whatever the rate. None where the programme
    comes to nothing.

    Parameters
    ----------
    problem : Problem
        For which `is_idle` holds.
    settings : Settings
    bound : float
        On the loss that is minimised: one that some channel attains beside the other limits.
    """
    goal = problem.goal
    assert isinstance(goal, LossAtRate)
    stated = problem.minimising("rate").with_limits(rate=None, **{goal.name: bound})
    task = task_within_limits(stated.without_perceptions(), settings)
    if isinstance(task, Result) or task.equal.any() or goal.target not in task.relevant:
        return None
    run = Run(programme_of(stated, task), settings)
    statement = run.begin()
    minimised = task.relevant.index(goal.target)
    if not statement.is_free[minimised]:
        return None
    found = least_mean(run.programme, statement, minimised)
    if found is None:
        return None
    scale = (goal.rate + 1.0) / (_SHARE * settings.tolerance * max(1.0, abs(bound)))
    point = refuting_point(run.programme, statement, found, scale)
    if not all(np.isfinite(part).all() for part in (point.u, point.log_prices)):
        return None
    made = run.met(found.channel)
    if made is None:
        return None
    return run.with_answer(point, made, Status.OPTIMAL if math.isfinite(made.rate) else Status.STALLED)
