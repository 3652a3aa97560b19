"""Checks of what others claim: a rate, a channel, a closed form, a solver, against certified bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rdcsolve.problems import Problem
from rdcsolve.testing.curves import check_convex, check_monotone
from rdcsolve.testing.evaluation import achieved, full_channel, require
from rdcsolve.testing.feasibility import LIMIT_TOLERANCE, check_channel, check_limits
from rdcsolve.testing.printing import as_code

CLAIM_TOLERANCE = 1e-6
"""How far outside the certified bounds a claim may lie by default, relative to 1 + the bound."""


def check_against(problem: Problem, claimed: Any, *, tolerance: float = CLAIM_TOLERANCE, result: Any = None) -> Any:
    """Check that a claimed optimum lies between certified bounds.

    Parameters
    ----------
    problem : Problem
    claimed : float or (float, float)
        The optimum claimed, or a lower and an upper bound on it: a rate in nats, a Lagrangian or a loss, as
        the problem asks. Claiming inf says that no channel meets the limits.
    tolerance : float, optional
        How far outside the bounds the claim may lie, relative to 1 + the bound.
    result : Result, optional
        A solution to compare with; by default the problem is solved here.

    Returns
    -------
    Result
        What the claim was compared with.

    Raises
    ------
    AssertionError
        With the claim, the certified bounds and the distance.

    Examples
    --------
    >>> import rdcsolve as rdc
    >>> problem = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1)
    >>> result = check_against(problem, rdc.theory.binary.rate_distortion(0.1, 0.3))
    """
    result = _certified(problem, result)
    lowest, highest = claimed if isinstance(claimed, tuple) else (claimed, claimed)
    require(not np.isnan([lowest, highest]).any(), f"the claim is {claimed}, which says nothing")
    if result.status.name == "INFEASIBLE":
        message = f"{highest:.12g} is claimed, but no channel meets the limits; least: {result.minimum}"
        require(math.isinf(highest), message)
        return result
    lower, upper = result.objective_lower, result.objective_upper
    name = problem.objective
    require(
        highest >= lower - tolerance * (1 + abs(lower)),
        f"the {name} claimed, {highest:.12g}, is {lower - highest:.3g} below {lower:.12g}, "
        "which is proved to be the least possible",
    )
    require(
        lowest <= upper + tolerance * (1 + abs(upper)),
        f"the {name} claimed, {lowest:.12g}, is {lowest - upper:.3g} above {upper:.12g}, which a channel attains",
    )
    return result


def check_upper_claim(
    problem: Problem, channel: ArrayLike, claimed: float | None = None, *, tolerance: float = LIMIT_TOLERANCE
) -> float:
    """Check that a channel meets the limits, attains what is claimed, and beats no certified lower bound.

    Parameters
    ----------
    problem : Problem
    channel : array_like
        W(a | x), shape (n_x, n_letters).
    claimed : float, optional
        The objective that the channel is said to attain.
    tolerance : float, optional
        By how much, relative to its bound, a limit may be exceeded; and how far the claim may be from the
        truth, relative to 1 + its size.

    Returns
    -------
    float
        By how much the channel's objective exceeds the certified lower bound: how far it can be from optimal.

    Raises
    ------
    AssertionError
        With the numbers.
    """
    whole = full_channel(problem, channel)
    check_channel(problem, whole)
    reached = achieved(problem, whole)
    check_limits(problem, reached, tolerance)
    value = reached.objective(problem)
    if claimed is not None:
        is_same = abs(claimed - value) <= tolerance * (1 + abs(value))
        require(is_same, f"the {problem.objective} claimed is {claimed:.12g}, but the channel has {value:.12g}")
    result = check_against(problem, (-math.inf, value), tolerance=tolerance)
    return value - result.objective_lower


def check_rate_function(
    function: Callable[[float], float],
    problem: Problem,
    bounds: Iterable[float],
    *,
    loss: str = "distortion",
    tolerance: float = CLAIM_TOLERANCE,
) -> None:
    """Check a closed form for the optimum as a function of one limit, at the given values of the limit.

    Each value must lie between certified bounds, and the values must fall and be convex.

    Parameters
    ----------
    function : callable
        Bound on the loss -> least rate in nats (or whatever the problem minimises), inf where no channel
        meets the limits.
    problem : Problem
    bounds : iterable of float
        Where to compare.
    loss : str, optional
        Which loss the function's argument limits.
    tolerance : float, optional
        How far outside the bounds a value may lie, relative to 1 + the bound.

    Raises
    ------
    AssertionError
        With the limit and the numbers.

    Examples
    --------
    >>> import rdcsolve as rdc
    >>> problem = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]])
    >>> rate = lambda D: rdc.theory.binary.rate_distortion(D, 0.3)
    >>> check_rate_function(rate, problem, [0.0, 0.1, 0.2, 0.4])
    """
    points = [float(bound) for bound in bounds]
    values = [float(function(point)) for point in points]
    for point, value in zip(points, values, strict=True):
        try:
            check_against(problem.with_limits(**{loss: point}), value, tolerance=tolerance)
        except AssertionError as error:
            raise AssertionError(f"at {loss} <= {point:.9g}: {error}") from error
    check_monotone(points, values, tolerance=tolerance)
    finite = np.isfinite(values)
    check_convex(np.array(points)[finite], np.array(values)[finite], tolerance=tolerance)


def check_solver(
    solver: Callable[[Problem], Any],
    strategy: Any = None,
    *,
    tolerance: float = CLAIM_TOLERANCE,
    max_examples: int = 50,
) -> None:
    """Try a solver on random problems: each answer must agree with certified bounds.

    Parameters
    ----------
    solver : callable
        Problem -> the optimum claimed: a number, a pair (lower, upper), or an object with `objective_lower`
        and `objective_upper`. It says inf where no channel meets the limits.
    strategy : hypothesis strategy, optional
        Of problems; by default those of `problems()` with fixed multipliers or limited losses.
    tolerance : float, optional
        How far outside the bounds a claim may lie, relative to 1 + the bound.
    max_examples : int, optional
        How many problems to try.

    Raises
    ------
    AssertionError
        For the simplest problem found on which the answer is wrong, with the numbers.
    MissingExtra
        If hypothesis is not installed.

    Examples
    --------
    >>> import rdcsolve as rdc
    >>> check_solver(rdc.solve, max_examples=3)
    """
    from rdcsolve.testing.problem_strategies import problems  # raises MissingExtra without hypothesis

    from hypothesis import Phase, given, settings  # isort: skip

    phases = (Phase.explicit, Phase.generate, Phase.shrink)

    @settings(max_examples=max_examples, deadline=None, database=None, phases=phases)
    @given(problems(("targets", "multipliers")) if strategy is None else strategy)
    def answers_agree(problem: Problem) -> None:
        answer = solver(problem)
        if hasattr(answer, "objective_lower"):
            answer = _answer_of(answer)
        try:
            check_against(problem, answer, tolerance=tolerance)
        except AssertionError as error:
            raise AssertionError(f"{as_code(problem)}: {error}") from error

    answers_agree()


def _answer_of(result: Any) -> Any:
    if getattr(getattr(result, "status", None), "name", "") == "INFEASIBLE":
        return math.inf
    return float(result.objective_lower), float(result.objective_upper)


def _certified(problem: Problem, result: Any = None) -> Any:
    """Return a result with finite bounds, or one that says INFEASIBLE."""
    from rdcsolve.solvers import solve

    result = solve(problem) if result is None else result
    known = math.isfinite(result.objective_lower) and math.isfinite(result.objective_upper)
    require(known or result.status.name == "INFEASIBLE", f"there is nothing to compare with: {result!r}")
    return result
