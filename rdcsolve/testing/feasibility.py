"""Checks of a channel against its problem: that it is one, and meets the limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.testing.evaluation import Achieved, achieved, full_channel, least_losses, require
from rdcsolve.testing.laws import check_laws
from rdcsolve.testing.listed import listed

ROW_TOLERANCE = 1e-12
"""How far from one the rows of a channel may sum."""

LIMIT_TOLERANCE = 1e-9
"""By how much, relative to its bound, a limit may be exceeded."""

RATE_ROUNDING = 1e-12
"""By how much a rate may exceed its limit whatever the bound: its rounding is not relative to it."""


def check_feasibility(result: Any, problem: Problem, tolerance: float = LIMIT_TOLERANCE) -> None:
    """Check that the channel is one, uses no forbidden pair, meets every limit and does what is reported.

    Parameters
    ----------
    result : Result
        Or anything with its `channel`, `letters`, `q`, `losses`, `rate_upper` and `objective_upper`.
    problem : Problem
    tolerance : float, optional
        By how much, relative to its bound, a limit may be exceeded.

    Raises
    ------
    AssertionError
        With the numbers, when it does not hold.

    Examples
    --------
    >>> import rdcsolve as rdc
    >>> problem = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1)
    >>> check_feasibility(rdc.solve(problem), problem)
    """
    result, problem = listed(result, problem)
    channel = full_channel(problem, result.channel, result.letters)
    check_channel(problem, channel)
    reached = achieved(problem, channel)
    check_limits(problem, reached, tolerance)
    distances = check_laws(problem, np.arange(problem.n_letters), channel, tolerance)
    for name, value in distances.items():
        stated = result.perceptions[name]
        honest = stated >= value - 1e-11 * (1 + value)
        require(honest, f"{name} is reported as {stated:.15g} but the law has {value:.15g}")
    error = float(np.abs(np.asarray(result.q) - (problem.p_x @ channel)[result.letters]).max())
    require(error <= ROW_TOLERANCE, f"q is {error:.3g} away from the output masses of the channel")
    for name, loss in zip(problem.loss_names, reached.losses, strict=True):
        stated = result.losses[name]
        is_same = abs(stated - loss) <= 1e-12 * (1 + abs(loss))
        require(is_same, f"{name} is reported as {stated:.15g} but the channel has {loss:.15g}")
    uppers = [("rate", result.rate_upper, reached.rate)]
    uppers.append((problem.objective, result.objective_upper, reached.objective(problem)))
    for name, stated, value in uppers:
        require(
            stated >= value - 1e-12 * (1 + abs(value)),
            f"the upper bound on the {name} is reported as {stated:.15g} but the channel has {value:.15g}",
        )


def check_channel(problem: Problem, channel: np.ndarray) -> None:
    """Check that an array (n_x, n_letters) is a channel without forbidden pairs.

    Raises
    ------
    AssertionError
        Naming the symbol and the number.
    """
    expected = (problem.n_x, problem.n_letters)
    require(channel.shape == expected, f"the channel has shape {channel.shape} instead of {expected}")
    wrong = channel[~(channel >= 0)]
    require(not wrong.size, f"the channel holds {wrong[:1]}, which is no probability")
    excess = channel.sum(axis=1) - 1.0
    worst = int(np.abs(excess).argmax())
    is_one = abs(excess[worst]) <= ROW_TOLERANCE
    require(is_one, f"row {worst} of the channel sums to {1 + excess[worst]:.15g}, {excess[worst]:.3g} off")
    if problem.forbidden is not None:
        used = problem.forbidden & (channel > 0) & (problem.p_x > 0)[:, None]
        i, a = divmod(int(used.argmax()), problem.n_letters)
        require(not used.any(), f"letter {a} is forbidden to symbol {i} but has W(a|i) = {channel[i, a]:.3g}")


def check_limits(problem: Problem, reached: Achieved, tolerance: float = LIMIT_TOLERANCE) -> None:
    """Check that losses and rate are within their limits.

    Raises
    ------
    AssertionError
        Naming the limit, the value and the excess.
    """
    named = [*zip(problem.loss_names, reached.losses, problem.bounds, strict=True)]
    if problem.rate_bound is not None:
        named.append(("rate", reached.rate, problem.rate_bound))
    for name, value, bound in named:
        slack = tolerance * abs(bound) + (RATE_ROUNDING if name == "rate" else 0.0)
        require(
            value <= bound + slack,
            f"{name} is {value:.15g}, above its bound {bound:.15g} by {value - bound:.3g} > {slack:.3g}",
        )
        is_held = name != "rate" and problem.held[problem.loss_names.index(name)]
        require(
            not is_held or value >= bound - slack,
            f"{name} is {value:.15g}, below the value {bound:.15g} that it is held at by {bound - value:.3g}",
        )


def check_infeasible(result: Any, problem: Problem) -> None:
    """Check a claim that no channel meets the limits, and the minimum that comes with it.

    The limits on losses are tried by a linear programme over all channels, so the problem should be small. If they
    can be met, a limit on the rate must be what is too strict: the problem without it is solved, and its verified
    lower bound compared. With a single limit the minimum named must be sum_i p_i min_a L(i, a).

    Parameters
    ----------
    result : Result
        With `status` and `minimum`.
    problem : Problem

    Raises
    ------
    AssertionError
        If the limits can be met, with the margin, or if the minimum is not what can be attained.
    """
    require(result.status.name == "INFEASIBLE", f"the status is {result.status.name}, not INFEASIBLE")
    excess = _least_excess(problem)
    if excess <= 0 and problem.rate_bound is not None:
        least = _least_rate(problem)
        short = problem.rate_bound - least
        require(short < 1e-9, f"infeasibility is claimed, but the rate limit leaves room: {short:.3g} nats to spare")
        return
    # Rounding decides about limits that can just be met.
    require(excess > -1e-9, f"infeasibility is claimed, but all limits can be met with {-excess:.3g} to spare")
    limited = [name for name, bound in zip(problem.loss_names, problem.bounds, strict=True) if bound < math.inf]
    if len(limited) == 1:
        name = limited[0]
        least, stated = least_losses(problem)[name], result.minimum.get(name, math.nan)
        is_same = abs(stated - least) <= 1e-12 * (1 + abs(least))
        require(is_same, f"the minimum of {name} is named as {stated:.15g}, but it is {least:.15g}")


def _least_rate(problem: Problem) -> float:
    """Return the verified lower bound on the rate under the limits on losses."""
    from rdcsolve.solvers import solve

    without = problem.minimising("rate").with_limits(rate=None)
    certificate = solve(without).certificate
    return -math.inf if certificate is None else certificate.verify(without).lower


def _least_excess(problem: Problem) -> float:
    """Return min over channels of max_m (E L_m - b_m), by a linear programme."""
    from scipy.optimize import linprog

    p, n_letters = problem.p_x, problem.n_letters
    forbidden = np.zeros((p.size, n_letters), dtype=bool) if problem.forbidden is None else problem.forbidden
    forbidden = forbidden & (p > 0)[:, None]
    limited = np.flatnonzero(np.isfinite(problem.bounds))
    if not limited.size:
        return -math.inf
    raw = [problem.linear_losses[m].block() for m in limited]
    matrices = [np.where(np.isfinite(matrix), matrix, 0.0) for matrix in raw]
    answer = linprog(
        np.r_[np.zeros(p.size * n_letters), 1.0],
        A_ub=np.array([np.r_[(p[:, None] * matrix).ravel(), -1.0] for matrix in matrices]),
        b_ub=problem.bounds[limited],
        A_eq=np.hstack([np.kron(np.eye(p.size), np.ones(n_letters)), np.zeros((p.size, 1))]),
        b_eq=np.ones(p.size),
        bounds=[(0, 0 if banned else None) for banned in forbidden.ravel()] + [(None, None)],
        method="highs",
    )
    require(answer.status == 0, f"the linear programme of feasibility failed: {answer.message}")
    return float(answer.fun)
