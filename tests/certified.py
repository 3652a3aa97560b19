"""What tests ask of a solved problem: optimal, certified, and checked again from its own parts."""

import rdcsolve as rdc
from rdcsolve import testing
from rdcsolve.results import Proof, Status


def solved(problem, *, gap=1e-9, **options):
    """Solve, and ask for a proven gap of `gap`, relative to rates above one nat."""
    result = rdc.solve(problem, **options)
    assert result.status is Status.OPTIMAL, f"{problem}: {result}"
    assert result.proof is Proof.CERTIFIED
    assert result.gap <= gap * max(1.0, result.objective_upper)
    check(result, problem, options.get("tolerance", 1e-9))
    return result


def check(result, problem, tolerance=1e-9):
    """Bounds in order, a channel within the limits, a certificate that holds."""
    testing.check_bounds(result, tolerance)
    testing.check_feasibility(result, problem)
    testing.check_certificate(result, problem)
