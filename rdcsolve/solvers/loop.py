"""The one loop around every solver: keeps the best bounds, and knows when and why to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rdcsolve.solvers.iterate import Iterate, NumericalBreakdown, Solver, Start
from rdcsolve.solvers.result import StepRecord
from rdcsolve.solvers.status import Status
from rdcsolve.solvers.task import Task

_PATIENCE = 12  # steps without a smaller gap before a solver counts as stalled


@dataclass(frozen=True)
class Limits:
    """When to stop short of the tolerance.

    Parameters
    ----------
    max_steps : int
    time_limit : float
        Seconds, inf for none.
    callback : callable, optional
        Called with every `StepRecord`; a true return value stops the solver.
    """

    max_steps: int
    time_limit: float = math.inf
    callback: Callable[[StepRecord], object] | None = None


@dataclass
class Progress:
    """The best of what a run has seen.

    Attributes
    ----------
    dual : Iterate or None
        The iterate with the largest lower bound.
    primal : Iterate or None
        The iterate with the smallest gap at its own multipliers.
    """

    dual: Iterate | None = None
    primal: Iterate | None = None
    status: Status = Status.STEP_LIMIT
    message: str = ""
    history: list[StepRecord] = field(default_factory=list)

    def lower(self) -> float:
        """Return the best lower bound so far, nats."""
        return self.dual.lower if self.dual is not None else -math.inf


def run(
    solver: Solver,
    task: Task,
    start: Start | None,
    tolerance: float,
    limits: Limits,
    gap_of: Callable[[Progress], float],
    began: float,
) -> Progress:
    """Ask the solver for iterates until the gap is within the tolerance or a limit is reached.

    Parameters
    ----------
    solver, task, start
    tolerance : float
        Nats.
    limits : Limits
    gap_of : callable
        The gap that a result made of this progress would have: called only when the iterate's own numbers
        promise a gap within the tolerance, since it builds a channel.
    began : float
        `time.perf_counter` when the work started.

    Notes
    -----
    An interrupt from the keyboard ends the run like any other limit: what was found is kept.
    """
    progress = Progress()
    promised = 0.8 * tolerance
    since_better, best_gap = 0, math.inf
    try:
        for step, iterate in enumerate(solver.iterates(task, start, tolerance), start=1):
            _keep_best(progress, iterate)
            seconds = time.perf_counter() - began
            record = StepRecord(
                step,
                seconds,
                progress.lower(),
                iterate.value,
                tuple(float(value) for value in iterate.multipliers),
                iterate.letters.size,
            )
            progress.history.append(record)
            # Far from the limits' multipliers a value may be below the best bound: it says nothing, on either side.
            gap = abs(iterate.value - progress.lower())
            if gap <= promised:
                if gap_of(progress) <= tolerance:
                    progress.status = Status.OPTIMAL
                    break
                promised = 0.5 * min(gap, promised)
                if promised < 1e-4 * tolerance:  # the iterates are as good as rounding lets them be
                    progress.status = Status.STALLED
                    break
            since_better = 0 if gap < 0.9 * best_gap else since_better + 1
            best_gap = min(best_gap, gap)
            if limits.callback is not None and limits.callback(record):
                progress.status = Status.STOPPED_BY_CALLBACK
                break
            if step >= limits.max_steps:
                break
            if seconds > limits.time_limit:
                progress.status = Status.TIME_LIMIT
                break
            if since_better >= _PATIENCE and not math.isinf(best_gap) and solver_is_fast(solver):
                progress.status = Status.STALLED
                break
    except KeyboardInterrupt:
        progress.status = Status.INTERRUPTED
    except NumericalBreakdown as breakdown:
        progress.status = Status.NUMERICAL_ERROR
        progress.message = str(breakdown)
    return progress


def solver_is_fast(solver: Solver) -> bool:
    """Return whether a dozen steps without progress mean that none will come."""
    return not getattr(solver, "sublinear", False)


def _keep_best(progress: Progress, iterate: Iterate) -> None:
    if math.isfinite(iterate.lower) and iterate.lower > progress.lower():
        progress.dual = iterate
    if math.isfinite(iterate.value):
        old = progress.primal
        if old is None or iterate.value - iterate.lower <= old.value - old.lower:
            progress.primal = iterate
