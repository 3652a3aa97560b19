"""Which method solves a problem with limits on the law of the reproduction."""

from __future__ import annotations

from rdcsolve.problems import LossAtRate, PerceptionAtRate, Problem
from rdcsolve.results.result import Result
from rdcsolve.results.status import Status
from rdcsolve.solvers.finite.least_rate import beyond_budget
from rdcsolve.solvers.loop import Settings
from rdcsolve.solvers.perception.least_at_rate import least_rate_within_laws, minimise_within_laws
from rdcsolve.solvers.perception.solve import of_problem


def solve_within_laws(problem: Problem, settings: Settings, start: Result | None) -> Result:
    """Return the result of a problem with perceptions.

    Raises
    ------
    InvalidInput
        If it asks for something that is not offered with perceptions.
    """
    if isinstance(problem.goal, LossAtRate | PerceptionAtRate):
        result = minimise_within_laws(problem, settings, start)
        return result if result.perceptions else of_problem(problem, result)
    result = least_rate_within_laws(problem, settings, start)
    beyond = beyond_budget(problem, settings, result.rate_lower, result.rate_upper, result.certificate)
    return result if beyond is None or result.status is Status.INFEASIBLE else of_problem(problem, beyond)
