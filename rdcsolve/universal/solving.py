"""How the problems behind a universal rate are solved, each target on its own and all together, and what ends it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rdcsolve import deadline
from rdcsolve.problems import Problem
from rdcsolve.results import Proof, Result, Status
from rdcsolve.results.confirmation import confirmed
from rdcsolve.results.result import StepRecord
from rdcsolve.results.status import ended_by, out_of_time
from rdcsolve.results.units import InBits
from rdcsolve.solvers import solve
from rdcsolve.solvers.choose import choose
from rdcsolve.solvers.effort import Effort, StoppingCallback
from rdcsolve.solvers.finite.least_rate import empty
from rdcsolve.solvers.finite.pruning import pruned
from rdcsolve.solvers.loop import Limits, Settings
from rdcsolve.solvers.stationary.merging import merged
from rdcsolve.universal.targets import limits_labels, limits_laws, with_split_letters

_ASKED = 0.98  # of the tolerance: the rest is for letters left out, and for the rounding of the check


class Work:
    """Problems of the least rate that are solved one after another, until something ends them all.

    Parameters
    ----------
    effort : Effort
        With the tolerance in nats.
    unit : {"nat", "bit"}
        Of what the callback is told.

    Attributes
    ----------
    ended : Status or None
        What ended the work. From then on no problem is begun: its result has no channel, and zero for a lower bound.
    """

    def __init__(self, effort: Effort, unit: str = "nat") -> None:
        self.effort, self.unit = effort, unit
        self.callback = StoppingCallback(effort.callback)
        self.ended: Status | None = None

    def end(self, stop: KeyboardInterrupt | deadline.TimeIsUp) -> Status:
        """Let this be the end, and return what to call it."""
        self.ended = self.ended or ended_by(stop)
        return self.ended

    def is_over(self) -> bool:
        """Return whether the work has ended, by the clock too."""
        if self.ended is None and self.callback.asked:
            self.ended = Status.STOPPED_BY_CALLBACK
        if self.ended is None and (deadline.is_up() or self.effort.left() <= 0):
            self.ended = out_of_time()
        return self.ended is not None

    def solved(self, problem: Problem) -> Result:
        """Return the least rate, without letters that carry next to nothing; whatever ends it, bounds that hold.

        Whatever is done to an answer of `solve` is done here.

        Parameters
        ----------
        problem : Problem
            Of the least rate. Fixed letters that limit no label's entropy are solved as split ones, which need the same
            rate, and made one per symbol afterwards.
        """
        if self.is_over():
            return self.nothing(problem)
        try:
            return self._solved(problem)
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            self.end(stop)
            return self.nothing(problem)

    def _solved(self, problem: Problem) -> Result:
        limited = np.concatenate([problem.bounds, problem.perception_bounds])[None]
        if problem.letters == "split" or limits_labels(problem, limited):
            effort = replace(self.effort, tolerance=_ASKED * self.effort.tolerance)
            found, _ = effort.result(solve, problem, None, self._callback_of(problem))
            return found if limits_laws(problem, limited) else self.pruned(found, problem)
        return confirmed(merged(self._solved(with_split_letters(problem)), problem), problem, self.effort.tolerance)

    def pruned(self, found: Result, problem: Problem) -> Result:
        """Return a result without letters that carry next to nothing, or the result if there is no time for that."""
        if self.is_over():
            return found
        try:
            made = pruned(found, problem, self.effort.tolerance)
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            self.end(stop)
            return found
        was_cut_short = deadline.is_up() and not made.rate_lower >= found.rate_lower  # its check was
        return found if was_cut_short else made

    def limits(self, problem: Problem, most: int) -> Limits:
        """Return when a method that is run for itself, at most so many steps, has to stop."""
        steps = self.effort.max_steps
        callback = None if self.effort.callback is None else self._callback_of(problem)
        return Limits(most if steps is None else min(steps, most), max(self.effort.left(), 0.0), callback)

    def nothing(self, problem: Problem) -> Result:
        """Return the result of a problem that was not begun."""
        settings = Settings(choose(problem), self.effort.tolerance, Limits(1), time.perf_counter())  # type: ignore[arg-type]
        status = self.ended or Status.INTERRUPTED  # it may be begun yet, perhaps by another run
        return empty(problem, settings, status, Proof.NONE, "it was not begun", 0.0, {})

    def _callback_of(self, problem: Problem) -> StoppingCallback:
        """Return the callback, told of the steps of this problem in the unit asked for."""
        if self.unit == "nat":
            return self.callback
        shown = InBits(problem.objective, problem.limit_names, problem.information_losses)
        return _Shown(self.callback, shown.record)


class _Shown(StoppingCallback):
    """A callback that is told of steps in another unit."""

    def __init__(self, callback: StoppingCallback, shown: Callable[[StepRecord], StepRecord]) -> None:
        super().__init__(lambda record: callback(shown(record)))
