"""Which method solves a problem with limits on the law of the reproduction."""

from __future__ import annotations

from rdcsolve.errors import InvalidInput
from rdcsolve.problems import LossAtRate, PerceptionAtRate, Problem
from rdcsolve.results.result import Result
from rdcsolve.results.status import Status
from rdcsolve.solvers.finite.least_rate import beyond_budget
from rdcsolve.solvers.loop import Settings
from rdcsolve.solvers.perception.least_at_rate import minimise_within_laws
from rdcsolve.solvers.perception.solve import minimise_rate_within_laws, of_problem


def solve_within_laws(problem: Problem, settings: Settings, start: Result | None) -> Result:
    """Return the result of a problem with perceptions.

    Raises
    ------
    InvalidInput
        If its letters carry labels, or it minimises something that is not offered with perceptions.
    """
    if not problem.is_finite:
        raise InvalidInput(
            "limits on the law of the reproduction beside label entropies are not offered yet; list letters with "
            "problem.listed(letters, decisions), or leave the label's entropy out"
        )
    if isinstance(problem.goal, LossAtRate | PerceptionAtRate):
        result = minimise_within_laws(problem, settings, start)
        return result if result.perceptions else of_problem(problem, result)
    result = minimise_rate_within_laws(problem, settings, start)
    beyond = beyond_budget(problem, settings, result.rate_lower, result.rate_upper, result.certificate)
    return result if beyond is None or result.status is Status.INFEASIBLE else of_problem(problem, beyond)
