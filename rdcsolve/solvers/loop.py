"""What every solver yields step after step, and the one loop around it: keeps the best bounds, knows when to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from rdcsolve import deadline
from rdcsolve.results.result import StepRecord
from rdcsolve.results.status import Status, ended_by, out_of_time
from rdcsolve.solvers.finite.reduction import ReducedProblem

_PATIENCE = 12  # steps without a smaller gap before a solver counts as stalled
_STRIDE = 0.1  # of a multiplier, and
_NOTICED = 0.02  # nats per range: changes that are larger take it somewhere
_MOST_STRIDES = 12  # of them without a smaller gap


class NumericalBreakdown(ArithmeticError):
    """A step produced numbers that are not finite, or a system that cannot be factorised."""


@dataclass(frozen=True, eq=False)
class Iterate:
    """Output masses and a dual point; each half stands on its own.

    Attributes
    ----------
    letters : numpy.ndarray
        Shape (k,).
    q : numpy.ndarray
        Shape (k,): output masses, summing to one.
    log_v : numpy.ndarray
        Shape (n,): u in the shifted losses' scale.
    multipliers : numpy.ndarray
        Shape (R,).
    lower : float
        The dual bound of (log_v, multipliers), over all letters, limits charged; nats.
    value : float
        The Lagrangian value of q at the multipliers, limits charged; nats.
    """

    letters: np.ndarray
    q: np.ndarray
    log_v: np.ndarray
    multipliers: np.ndarray
    lower: float
    value: float


@dataclass(frozen=True, eq=False)
class Start:
    """Where to begin: output masses on letters, and multipliers, from an earlier result.

    Attributes
    ----------
    letters : numpy.ndarray
        Shape (k,).
    q : numpy.ndarray
        Shape (k,), > 0.
    multipliers : numpy.ndarray
        Shape (R,).
    """

    letters: np.ndarray
    q: np.ndarray
    multipliers: np.ndarray


class Solver(Protocol):
    """Frozen settings, and an endless sequence of iterates that a task gives rise to."""

    def iterates(self, task: ReducedProblem, start: Start | None, tolerance: float) -> Iterator[Iterate]:
        """Yield iterates until the loop stops asking.

        Parameters
        ----------
        task : ReducedProblem
        start : Start or None
        tolerance : float
            The gap that the loop asks for, nats: how far inner problems need to be solved.
        """
        ...

    @property
    def name(self) -> str:
        """Name for tables and results."""
        ...


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
    proof_budget : float
        CPU seconds that may be spent, once the solver has ended, on proving the largest price of many noisy classes.
    """

    max_steps: int
    time_limit: float = math.inf
    callback: Callable[[StepRecord], object] | None = None
    proof_budget: float = 0.0


@dataclass(frozen=True)
class Settings:
    """The solver, the tolerance in nats, when to stop, and when the work began."""

    solver: Solver
    tolerance: float
    limits: Limits
    began: float


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


class Standstill:
    """Counts steps that neither narrow the gap nor carry a multiplier further the way it went.

    Near zero rate the gap is as small as the rate to begin with, and says nothing until the multipliers have arrived:
    those on their way, which may change by a share of themselves at a time, are not stuck. Where Newton's method is
    jammed they run away for good, so that only so many steps on the way count.

    Parameters
    ----------
    ranges : numpy.ndarray
        Shape (R,): distances of the losses on which a multiplier is one nat.

    Attributes
    ----------
    steps : int
        Since the last progress.
    best_gap : float
    """

    def __init__(self, ranges: np.ndarray) -> None:
        self.ranges, self.steps, self.best_gap, self._strides = ranges, 0, math.inf, 0
        self._multipliers: np.ndarray | None = None
        self._direction = np.zeros(ranges.shape)

    def after(self, gap: float, multipliers: np.ndarray) -> int:
        """Count a step with this gap and these multipliers, shape (R,); return how many there are now."""
        is_progress = gap < 0.9 * self.best_gap
        if self._multipliers is not None:
            moved = multipliers - self._multipliers
            goes_far = (np.abs(moved) > _STRIDE * np.abs(multipliers)) & (np.abs(moved) * self.ranges > _NOTICED)
            if not is_progress and self._strides < _MOST_STRIDES and (goes_far & (moved * self._direction > 0)).any():
                self._strides, is_progress = self._strides + 1, True
            elif is_progress:
                self._strides = 0
            self._direction = moved
        self._multipliers, self.best_gap = multipliers, min(self.best_gap, gap)
        self.steps = 0 if is_progress else self.steps + 1
        return self.steps

    def begin_again(self) -> None:
        """Count from here: another start has as much patience."""
        self.steps = self._strides = 0


def run(
    solver: Solver,
    task: ReducedProblem,
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
    An interrupt from the keyboard ends the run like the limit on the time, wherever it comes: what was found is kept.
    """
    progress = Progress()
    promised = 0.8 * tolerance
    standstill = Standstill(task.ranges)
    try:
        for step, iterate in enumerate(_iterates(solver, task, start, tolerance), start=1):
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
            waited = standstill.after(gap, iterate.multipliers)
            if limits.callback is not None and limits.callback(record):
                progress.status = Status.STOPPED_BY_CALLBACK
                break
            if step >= limits.max_steps:
                break
            if deadline.is_up() or seconds > limits.time_limit:
                progress.status = out_of_time()
                break
            if waited >= _PATIENCE and not math.isinf(standstill.best_gap) and solver_is_fast(solver):
                progress.status = Status.STALLED
                break
    except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
        progress.status = ended_by(stop)
    except NumericalBreakdown as breakdown:
        progress.status = Status.NUMERICAL_ERROR
        progress.message = str(breakdown)
    return progress


def _iterates(solver: Solver, task: ReducedProblem, start: Start | None, tolerance: float) -> Iterator[Iterate]:
    """Yield the solver's iterates; numbers that leave the range of floats, and singular systems, are breakdowns."""
    try:
        yield from solver.iterates(task, start, tolerance)
    except (ArithmeticError, np.linalg.LinAlgError) as error:
        if isinstance(error, NumericalBreakdown):
            raise
        raise NumericalBreakdown(f"{type(error).__name__}: {error}") from error


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
