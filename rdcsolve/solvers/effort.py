"""How the problems of one call, the points of a sweep for instance, are solved, and what stops it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rdcsolve import deadline, options
from rdcsolve.kernels import backends
from rdcsolve.problems import Problem
from rdcsolve.results import Result, Status
from rdcsolve.results.result import StepRecord
from rdcsolve.solvers.choose import choose
from rdcsolve.solvers.finite.column_generation import ColumnGeneration
from rdcsolve.solvers.finite.following import PathFollowing
from rdcsolve.solvers.finite.interior_point import InteriorPoint
from rdcsolve.solvers.room import has_room
from rdcsolve.solvers.solve import fitting

_LEAST_TIME = 1e-3  # seconds: what a point is given when the time is up, to find any channel at all


@dataclass(frozen=True)
class Effort:
    """How points are solved, and when to stop.

    Parameters
    ----------
    solver, tolerance, max_steps, callback, backend, proof_budget
        As in `solve`.
    until : float
        `time.time` at which the time for all points is up, inf for never.
    """

    solver: Any
    tolerance: float
    max_steps: int | None
    callback: Callable[[StepRecord], object] | None
    until: float
    backend: Any = "auto"
    proof_budget: float = 10.0

    @classmethod
    def of(  # noqa: PLR0913 - options as they came
        cls,
        problem: Any,
        solver: Any,
        tolerance: Any,
        max_steps: Any,
        callback: Any,
        time_limit: Any = math.inf,
        backend: Any = "auto",
        proof_budget: Any = 10.0,
    ) -> Effort:
        """Return what these options of a call that begins now ask for.

        Raises
        ------
        InvalidInput
            If one of them is none for this problem.
        """
        options.instance(problem, Problem, "problem", "pass a Problem")
        if solver is not None:
            fitting(problem, solver)
        backends.find(backend)
        return cls(
            solver,
            options.tolerance(tolerance),
            None if max_steps is None else options.whole(max_steps, "max_steps"),
            options.function_or_none(callback, "callback", "one StepRecord"),
            time.time() + options.seconds(time_limit),
            backend,
            options.budget(proof_budget, "proof_budget"),
        )

    def result(
        self, solve: Callable[..., Result], problem: Problem, start: Result | None, callback: StoppingCallback
    ) -> tuple[Result, bool]:
        """Return what `solve` answers in the time that is left, and whether it was interrupted from the keyboard.

        The point may be solved all the same, and its status does not say so.
        """
        left = max(self.left(), _LEAST_TIME)
        with deadline.within(left):
            result = solve(
                problem,
                self.solver,
                tolerance=self.tolerance,
                max_steps=self.max_steps,
                time_limit=left,
                callback=None if self.callback is None else callback,
                start=start,
                backend=self.backend,
                proof_budget=self.proof_budget,
            )
            return result, deadline.was_interrupted() or result.status is Status.INTERRUPTED

    def along_a_path(self, problem: Problem) -> Effort:
        """Return the same effort for this problem and its neighbours, solved one after another along a path.

        Where nobody asked for a solver, or counts its steps, and the problems are such that one can be followed.
        """
        is_left_to_us = self.solver is None and self.max_steps is None
        if not is_left_to_us or not problem.is_finite or problem.perceptions:
            return self
        method = choose(problem)
        if not isinstance(method, (ColumnGeneration, InteriorPoint)) or not has_room(problem, method):
            return self
        is_watched = self.callback is not None or problem.goal.target is not None or problem.rate_bound is not None
        return replace(self, solver=PathFollowing(method, prices_all=is_watched))

    def left(self) -> float:
        """Return how many seconds are left, which may be none."""
        return self.until - time.time()


class Stopped(Exception):
    """The callback asked to stop."""


class StoppingCallback:
    """A callback that remembers whether it asked to stop: a point may be solved all the same, and does not say so."""

    def __init__(self, callback: Callable[[StepRecord], object] | None) -> None:
        self.callback, self.asked = callback, False

    def __call__(self, record: StepRecord) -> bool:
        """Tell the callback, and return whether it has asked to stop."""
        self.asked = bool(self.callback is not None and self.callback(record)) or self.asked
        return self.asked
