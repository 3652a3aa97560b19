"""Which method solves a problem with limits on the law of the reproduction."""

from __future__ import annotations

import math

from rdcsolve.errors import InvalidInput
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
    _check_exact_classes(problem)
    if isinstance(problem.goal, LossAtRate | PerceptionAtRate):
        result = minimise_within_laws(problem, settings, start)
        return result if result.perceptions else of_problem(problem, result)
    result = least_rate_within_laws(problem, settings, start)
    beyond = beyond_budget(problem, settings, result.rate_lower, result.rate_upper, result.certificate)
    return result if beyond is None or result.status is Status.INFEASIBLE else of_problem(problem, beyond)


def _check_exact_classes(problem: Problem) -> None:
    """Raise an error if laws of classes are to be exact beside another exact law of some of the same symbols.

    What is said of all of them together then leaves symbols no letter but those with the same chances of the classes,
    to the last digit of the numbers given, so that the least rate of rounded numbers means nothing.
    """
    bounds = [math.inf] * len(problem.perceptions) if problem.multipliers is not None else problem.perception_bounds
    exact = [one for one, bound in zip(problem.perceptions, bounds, strict=True) if bound == 0]
    for k, one in enumerate(exact):
        for other in exact[:k]:
            both = problem.p_x > 0
            for members in (one.members, other.members):
                both = both if members is None else both & (members > 0)
            if (one.members is None and other.members is None) or not both.any():
                continue
            raise InvalidInput(
                f"'{other.name}' and '{one.name}' are both limited to zero, but symbol {int(both.argmax())} counts in "
                "both; give one of them a small positive bound, or a label that is a function of the symbol"
            )
