"""Restricted problems of the least loss at a given rate, one solution of the least rate each."""

from __future__ import annotations

import math
from dataclasses import replace

from rdcsolve.problems import Problem
from rdcsolve.results.result import Result
from rdcsolve.results.status import Status
from rdcsolve.solvers.finite.least_loss import minimise_loss
from rdcsolve.solvers.finite.least_rate import rate_under
from rdcsolve.solvers.loop import Settings

_INSIDE = 0.25  # of the tolerance: how far below its limit the rate should end


class AtRate:
    """The search for the bound on the loss at which the least rate is the given one, spread over the rounds.

    Far from the optimum, restricted problems are solved for themselves. Near it each round solves the least rate at the
    bound in hand once; the next bound is Newton's, since the multiplier is the slope of the rate. The dual plane bounds
    the loss at the given rate with an error of second order, so it does not matter that a round's own rate is another.

    Parameters
    ----------
    problem : Problem
        Of a least loss, or any other, for which this is not used.
    """

    def __init__(self, problem: Problem) -> None:
        self.name = problem.minimise
        self.rate = math.inf if problem.rate_bound is None else float(problem.rate_bound)
        self.bound: float | None = None
        self.slope, self.value = 0.0, math.inf

    def restricted(self, listed: Problem, settings: Settings, warm: Result | None, is_near: bool) -> Result:
        """Return the result of one round; its objective is inf from above where its rate exceeds the limit."""
        if self.bound is None or not is_near:
            found = minimise_loss(listed, settings, warm)
            self._next(found, settings)
            return found
        bounds = listed.bounds.copy()
        bounds[listed.loss_names.index(self.name)] = self.bound
        # A gap on the rate is worth that over the slope on the loss: the tolerance says how much of it, in any unit
        finest = settings.tolerance * self.slope / listed.goal.worth(1.0, self.value, self.slope)
        found = rate_under(listed, bounds, replace(settings, tolerance=finest), warm)
        slope = found.multipliers.get(self.name, 0.0)
        if found.status is Status.INFEASIBLE or found.certificate is None or not slope > 0:
            self.bound = None
            return self.restricted(listed, settings, warm, False)
        self._next(found, settings)
        met = found.rate_upper <= self.rate
        upper = found.losses[self.name] * (1 + 1e-13) if met else math.inf
        return replace(found, objective=self.name, objective_upper=upper)

    def _next(self, found: Result, settings: Settings) -> None:
        slope = found.multipliers.get(self.name, 0.0)
        value = found.losses.get(self.name, math.nan)
        if not (slope > 0 and math.isfinite(value) and math.isfinite(found.rate_upper)):
            return
        inside = _INSIDE * settings.tolerance * min(1.0, slope)
        self.slope, self.value = slope, value
        self.bound = max(value + (found.rate_upper - (self.rate - inside)) / slope, 0.0)
