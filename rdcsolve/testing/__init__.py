"""Property-based verification of solvers and closed forms: what this library's own tests use.

Hypothesis strategies draw masses, losses, labels, multipliers and whole problems, corner cases first; checks
compare results with their problems and raise AssertionError with the numbers. Trying a solver of your own
takes three lines:

>>> import rdcsolve as rdc
>>> from rdcsolve import testing
>>> testing.check_solver(lambda problem: rdc.solve(problem).objective_upper, max_examples=3)

The strategies, and `check_solver`, need the extra ``testing``; everything else does not.
"""

from typing import TYPE_CHECKING, Any

from rdcsolve.testing.claims import check_against, check_rate_function, check_solver, check_upper_claim
from rdcsolve.testing.curves import check_agreement, check_convex, check_monotone
from rdcsolve.testing.equivalents import equivalents
from rdcsolve.testing.feasibility import check_feasibility, check_infeasible
from rdcsolve.testing.kernels import check_kernel
from rdcsolve.testing.known import KnownProblem, known_problems
from rdcsolve.testing.optimality import check_bounds, check_certificate, check_kkt
from rdcsolve.testing.printing import as_code
from rdcsolve.testing.spaces import check_space

if TYPE_CHECKING:
    from rdcsolve.testing.problem_strategies import label_problems, problems, unlimited_problems
    from rdcsolve.testing.strategies import channels, distortions, forbidden_masks, labels, multipliers, pmfs

__all__ = [
    "KnownProblem",
    "as_code",
    "channels",
    "check_against",
    "check_agreement",
    "check_bounds",
    "check_certificate",
    "check_convex",
    "check_feasibility",
    "check_infeasible",
    "check_kernel",
    "check_kkt",
    "check_monotone",
    "check_rate_function",
    "check_solver",
    "check_space",
    "check_upper_claim",
    "distortions",
    "equivalents",
    "forbidden_masks",
    "known_problems",
    "label_problems",
    "labels",
    "multipliers",
    "pmfs",
    "problems",
    "unlimited_problems",
]

_STRATEGIES = {
    "problem_strategies": ["label_problems", "problems", "unlimited_problems"],
    "strategies": ["channels", "distortions", "forbidden_masks", "labels", "multipliers", "pmfs"],
}
_HOME = {name: module for module, names in _STRATEGIES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a strategy the first time it is asked for: only strategies need hypothesis."""
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
