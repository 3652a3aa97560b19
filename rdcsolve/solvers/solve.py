"""`solve`: the front door."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Problem
from rdcsolve.results.confirmation import confirmed
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.solvers.choose import choose
from rdcsolve.solvers.conic.solver import Conic
from rdcsolve.solvers.finite.interior_point import InteriorPoint
from rdcsolve.solvers.finite.least_loss import minimise_loss
from rdcsolve.solvers.finite.least_rate import minimise_rate
from rdcsolve.solvers.loop import Limits, Settings, Solver
from rdcsolve.solvers.stationary.alternation import Alternation, solve_fixed
from rdcsolve.solvers.threads import one_thread_each

_FEW_ROUNDS = 40  # of the bound beside a stationary point


def solve(
    problem: Problem,
    solver: Solver | Alternation | Conic | None = None,
    *,
    tolerance: float = 1e-9,
    max_steps: int | None = None,
    time_limit: float = math.inf,
    callback: Callable[[StepRecord], object] | None = None,
    start: Result | None = None,
    threads: int = 1,
) -> Result:
    """Solve a problem and prove the answer.

    Parameters
    ----------
    problem : Problem
    solver : InteriorPoint, ColumnGeneration, BlahutArimoto, Alternation or Conic, optional
        By default what `choose` returns. Where a label's entropy counts, or letters are free, it solves the restricted
        problems; fixed letters take `Alternation`, which stops by its own number of steps and uses no `start`.
    tolerance : float, optional
        The gap asked for, in nats, beyond what rounding costs (1e-13 for everyday problems). Where a loss is
        minimised, its gap is at most tolerance * max(1, loss), and either its gap times its multiplier, which is in
        nats, or its share of the loss is at most the tolerance.
    max_steps : int, optional
        By default 200 for the fast solvers and 2000 for Blahut-Arimoto. `Conic` stops by its own rules: it ignores
        this and the next two options, and `start`.
    time_limit : float, optional
        Wall seconds; checked between steps.
    callback : callable, optional
        Called with every `StepRecord`; a true return value stops the solver.
    start : Result, optional
        The result of a problem with the same losses, to begin near.
    threads : int, optional
        Threads of the linear algebra library. More than one rarely pays at these sizes.

    Returns
    -------
    Result
        Also when the solver stopped early or the problem is infeasible: see its `status`.

    Raises
    ------
    InvalidInput
        If an option is out of range, or `start` belongs to other losses.

    Examples
    --------
    >>> problem = Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1)
    >>> result = solve(problem)
    >>> result.status.name, result.proof.name
    ('OPTIMAL', 'CERTIFIED')
    >>> round(result.rate_upper, 8)
    0.28578133
    """
    _check(problem, tolerance, max_steps, time_limit, threads, start)
    is_fixed = bool(problem.label_entropies) and problem.letters == "fixed"
    if isinstance(solver, Conic):
        if not problem.is_finite:
            raise InvalidInput(
                "Conic solves finite linear problems; leave solver out where a label's entropy counts or letters "
                "are free"
            )
        return confirmed(solver.solve(problem, tolerance), problem)
    chosen = choose(problem) if solver is None else solver
    if isinstance(chosen, Alternation) != is_fixed:
        raise InvalidInput(
            f"solver is {chosen!r} but the problem's letters are "
            + ("fixed; pass Alternation(), or leave solver out" if is_fixed else "not fixed; see letters= of Problem")
        )
    if isinstance(chosen, Alternation):
        with one_thread_each(threads):
            return confirmed(_stationary(problem, chosen, tolerance, time_limit, callback), problem)
    if not hasattr(chosen, "iterates"):
        raise InvalidInput(f"solver is {solver!r}; pass settings such as InteriorPoint() or BlahutArimoto()")
    if max_steps is None:
        max_steps = 2000 if getattr(chosen, "sublinear", False) else 200
    limits = Limits(max_steps, time_limit, callback)
    settings = Settings(chosen, tolerance, limits, time.perf_counter())
    with one_thread_each(threads):
        if not problem.is_finite:
            from rdcsolve.solvers.exchange.exchange import solve_split

            return confirmed(solve_split(problem, settings, start), problem)
        if problem.objective in ("rate", "lagrangian"):
            return confirmed(minimise_rate(problem, settings, start), problem)
        return confirmed(minimise_loss(problem, settings, start), problem)


def _stationary(
    problem: Problem,
    alternation: Alternation,
    tolerance: float,
    time_limit: float,
    callback: Callable[[StepRecord], object] | None,
) -> Result:
    """Return the best stationary point with fixed letters, beside the bound that split letters prove."""
    from rdcsolve.solvers.exchange.exchange import solve_split

    limits = Limits(_FEW_ROUNDS, time_limit)
    split = solve_split(problem, Settings(InteriorPoint(), max(tolerance, 1e-7), limits, time.perf_counter()))
    return solve_fixed(problem, alternation, tolerance, time_limit, callback, split)


def _check(
    problem: Any, tolerance: float, max_steps: int | None, time_limit: float, threads: int, start: Result | None
) -> None:
    if not isinstance(problem, Problem):
        raise InvalidInput(f"problem is {problem!r}; pass a Problem, or use Problem.from_arrays")
    if not 0 < tolerance < math.inf:
        raise InvalidInput(f"tolerance is {tolerance!r}; give a gap in nats, such as 1e-9")
    if max_steps is not None and max_steps < 1:
        raise InvalidInput(f"max_steps is {max_steps!r}; it must be at least 1")
    if np.isnan(time_limit) or time_limit <= 0:
        raise InvalidInput(f"time_limit is {time_limit!r}; give seconds > 0, or inf")
    if threads < 1:
        raise InvalidInput(f"threads is {threads!r}; it must be at least 1")
    if start is not None and start.fingerprint != problem.fingerprint():
        raise InvalidInput(
            f"start belongs to the losses {start.fingerprint}, this problem has {problem.fingerprint()}; "
            "start from a result of a problem with the same source and losses, or leave start out"
        )
