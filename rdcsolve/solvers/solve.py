"""`solve`: the front door."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rdcsolve import deadline, narration, options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.information import bits_to_nats
from rdcsolve.kernels import Workers, backends
from rdcsolve.problems import Problem
from rdcsolve.problems.grid_points import recognised_grid
from rdcsolve.problems.objective import is_rate
from rdcsolve.results.confirmation import combined, confirmed
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Proof, Status, ended_by
from rdcsolve.results.units import InBits, is_information
from rdcsolve.solvers.choose import MOST_LETTERS, choose
from rdcsolve.solvers.conic.solver import Conic
from rdcsolve.solvers.finite.column_generation import ColumnGeneration
from rdcsolve.solvers.finite.infeasibility import refutation
from rdcsolve.solvers.finite.interior_point import InteriorPoint
from rdcsolve.solvers.finite.least_loss import minimise_loss
from rdcsolve.solvers.finite.least_rate import below_least, empty, minimise_rate
from rdcsolve.solvers.known import known
from rdcsolve.solvers.loop import Limits, Settings, Solver
from rdcsolve.solvers.names import named
from rdcsolve.solvers.room import has_room, pairs, require_room
from rdcsolve.solvers.shift import Shift
from rdcsolve.solvers.small import is_small, side_by_side
from rdcsolve.solvers.stationary.alternation import Alternation, solve_fixed
from rdcsolve.solvers.threads import one_thread_each

_FEW_ROUNDS = 40  # of the bound beside a stationary point
_AIM = 0.98  # of the tolerance: the check allows for roundings that solvers do not, and still has to find it met
_NARROW = 10.0  # tolerances: a gap that no other method is tried for
_VERY_SMALL = 2**10  # pairs of symbol and letter: of more, the arithmetic costs more than the calls
_CAME_TO_NOTHING = (Status.STALLED, Status.NUMERICAL_ERROR, Status.ALMOST_OPTIMAL)


@public_call
def solve(  # noqa: PLR0913 - options, by keyword
    problem: Problem,
    solver: Solver | Alternation | Conic | str | None = None,
    *,
    tolerance: float = 1e-9,
    max_steps: int | None = None,
    time_limit: float = math.inf,
    callback: Callable[[StepRecord], object] | None = None,
    start: Result | None = None,
    threads: int = 1,
    backend: Any = "auto",
    proof_budget: float = 10.0,
    verbose: bool = False,
) -> Result:
    """Solve a problem and prove the answer.

    Parameters
    ----------
    problem : Problem
    solver : InteriorPoint, ColumnGeneration, BlahutArimoto, Alternation, Conic or str, optional
        Settings, or the name of a solver with its default settings: ``"interior-point"``, ``"column-generation"``,
        ``"blahut-arimoto"``, ``"alternation"`` or ``"conic"``. By default what `choose` returns. Where a label's
        entropy counts, or letters are free, it solves the restricted problems; fixed letters take `Alternation`, which
        stops by its own number of steps and uses no `start`.
    tolerance : float, optional
        The gap asked for, in the problem's unit (nats), beyond what rounding costs (1e-13 for everyday problems). Where
        a loss is minimised, its gap is at most tolerance * max(1, loss), and either its gap times its multiplier, which
        is in nats, or its share of the loss is at most the tolerance; a loss that has entries below zero counts here
        from its least mean.
    max_steps : int, optional
        By default 200 for the fast solvers and 2000 for Blahut-Arimoto. Where a loss is minimised under a limit on the
        rate, it counts in each of the problems solved on the way. `Conic` stops by its own rules: it ignores this and
        the next two options, and `start`.
    time_limit : float, optional
        Wall seconds. An answer is late by two seconds at most, or by a tenth of the limit if that is more: searches and
        proofs of prices look at the clock too. Single steps on very large problems, and programmes handed to
        other libraries, may take longer.
    callback : callable, optional
        Called with every `StepRecord`; a true return value stops the solver.
    start : Result, optional
        The result of a problem with the same losses, to begin near. If it answers this problem to the tolerance, as it
        may where limits that have moved do not bind, it is checked against these limits and returned, with no steps.
    threads : int, optional
        Threads of the linear algebra library. More than one rarely pays at these sizes.
    backend : {"auto", "numpy", "cupy", "torch", "dask"}, Backend or distributed.Client, optional
        Where kernels that are stored as matrices lie and are worked with: ``"cupy"`` and ``"torch"`` use a GPU, PyTorch
        the processor where there is none. ``"auto"`` uses one from a million pairs of symbol and letter on, if CuPy or
        PyTorch was imported before and finds a GPU, else NumPy. A client of Dask has its workers hold the rows of
        losses that are not stored, and evaluate their kernel; ``"dask"`` is the client made last. Numbers agree to
        within the certificate's gap; the answer is checked in NumPy in any case.
    proof_budget : float, optional
        CPU seconds that may go, once the search has ended, into proving the largest price of a label of five or more
        noisy classes at a multiplier above one. What is proved when they are spent is in the certificate; zero leaves
        it at bounds that take no such search. Of a time limit no more than a third of what is left is spent so. With
        the result as `start`, also one from a file, another call goes on with its proof.
    verbose : bool, optional
        Print a line a step, and the answer. The same goes to the logger ``rdcsolve``, steps at the level DEBUG, answers
        at INFO, whether it is printed or not.

    Returns
    -------
    Result
        Also when the solver stopped early or the problem is infeasible: see its `status`.

    Raises
    ------
    InvalidInput
        If an option is out of range, or `start` belongs to other losses.
    OutOfMemory
        Before any work, if the method cannot do with the memory that is free: with the bytes it takes, and the cure.
        Or if the memory of the backend's device is used up.
    BackendUnavailable
        If the backend's library is not installed or finds no device that works, or a client of Dask is closed or has
        no workers.
    MissingExtra
        If a backend other than NumPy is asked for without the extra ``gpu``, or for Dask ``distributed``.

    Examples
    --------
    >>> problem = Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1)
    >>> result = solve(problem)
    >>> result.status.name, result.proof.name
    ('OPTIMAL', 'CERTIFIED')
    >>> round(result.rate_upper, 8)
    0.28578133
    """
    began = time.perf_counter()
    options.instance(problem, Problem, "problem", "pass a Problem, or use Problem.from_arrays")
    tolerance, time_limit = options.tolerance(tolerance), options.seconds(time_limit)
    max_steps = None if max_steps is None else options.whole(max_steps, "max_steps")
    threads = options.whole(threads, "threads")
    proof_budget = options.budget(proof_budget, "proof_budget")
    options.function_or_none(callback, "callback", "one StepRecord")
    options.switch(verbose, "verbose")
    _check_start(problem, start)
    chosen = fitting(problem, solver)
    found = backends.find(backend, pairs(problem))
    stated, problem = problem, problem.in_unit("nat")
    callback = narration.narrated(callback, verbose)
    shown = InBits(problem.objective, problem.limit_names, problem.information_losses)
    if stated.unit == "bit":
        if is_information(problem.objective, problem.information_losses):
            tolerance = bits_to_nats(tolerance)
        callback = callback and _in_bits(callback, shown)
    if start is not None and start.unit == "bit":
        start = shown.start(start)
    sharded = isinstance(found, Workers)
    if solver is None:
        chosen = _with_room(problem, chosen, sharded)
    require_room(problem, chosen, sharded)
    with narration.told(verbose), one_thread_each(threads), deadline.within(time_limit), backends.using(found):
        narration.tell(logging.INFO, lambda: f"{stated}: {chosen.name}")
        call = _Call(problem, tolerance, max_steps, time_limit, callback, start, began, proof_budget)
        result = call.answered_at_once() if solver is None and found is None and max_steps is None else None
        if result is None:
            result = call.answered_by(chosen)
            if solver is None:
                result = call.tried_otherwise(chosen, result)
            grid = None if isinstance(chosen, Conic) or found is not None else recognised_grid(problem)
            result = result if grid is None else replace(result, method=f"{result.method}, points on a grid of {grid}")
        result = replace(result, information_losses=problem.information_losses)
        result = shown.result(result) if stated.unit == "bit" else result
        narration.tell(logging.INFO, lambda: str(result))
    return result


def _with_room(problem: Problem, chosen: Any, sharded: bool) -> Any:
    """Return the method chosen, or the other one where its tables have no room, or are no work for workers."""
    if isinstance(chosen, InteriorPoint) and problem.is_finite and not has_room(problem, chosen, sharded):
        return ColumnGeneration()
    is_stored = all(loss.is_stored for loss in problem.linear_losses)
    if sharded and isinstance(chosen, ColumnGeneration) and not is_stored and problem.n_letters <= MOST_LETTERS:
        return InteriorPoint()  # asks for products and Gram matrices alone: rounds have tables of their letters here
    return chosen


def _in_bits(callback: Callable[[StepRecord], object], shown: InBits) -> Callable[[StepRecord], object]:
    return lambda record: callback(shown.record(record))


@dataclass(frozen=True, eq=False)
class _Call:
    """What `solve` was asked."""

    problem: Problem
    tolerance: float
    max_steps: int | None
    time_limit: float
    callback: Callable[[StepRecord], object] | None
    start: Result | None
    began: float
    proof_budget: float

    def answered_at_once(self) -> Result | None:
        """Return the answer to a very small problem that is met without what larger ones need, or None."""
        problem = self.problem
        if problem.n_letters * problem.n_x > _VERY_SMALL or self.start is not None or self.callback is not None:
            return None
        try:
            return side_by_side([problem], self.tolerance)[0] if is_small(problem) else None
        except deadline.TimeIsUp:
            return None  # the method that follows has something to say of every problem
        except KeyboardInterrupt as stop:
            return self._nothing(InteriorPoint(), ended_by(stop))

    def answered_by(self, method: Solver | Alternation | Conic, start: Result | None = None) -> Result:
        """Return a method's answer, as far as the check confirms it."""
        if start is None and not isinstance(method, Conic | Alternation):  # which take no start
            same = known(self.start, self.problem, self.tolerance, self.began)
            if same is not None:
                return same
        try:
            result = self._unchecked(method, self.start if start is None else start)
            if result.status is Status.INFEASIBLE and result.certificate is None:
                result = replace(result, certificate=refutation(self.problem))
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            result = self._nothing(method, ended_by(stop))
        answer = confirmed(result, self.problem, self.tolerance)
        was_refused = bool(result.letters.size) and answer.proof is Proof.NONE and answer.status is Status.STALLED
        return self._without_channel(method, answer) if was_refused else answer

    def _without_channel(self, method: Solver | Alternation | Conic, answer: Result) -> Result:
        """Return an answer whose channel the check refuses, or that a limit on the rate leaves no channel."""
        is_other = isinstance(method, Alternation | Conic) or self.problem.perceptions
        if self.problem.is_finite or is_other or Shift.of(self.problem) is not None:
            return answer
        from rdcsolve.letters.choice import space_of
        from rdcsolve.solvers.exchange.floor import with_rate_excluded

        settings = Settings(method, _AIM * self.tolerance, Limits(200, self.time_limit), self.began)  # type: ignore[arg-type]
        try:
            excluded = with_rate_excluded(space_of(self.problem), settings, answer)
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            return replace(answer, status=ended_by(stop))
        return answer if excluded is answer else confirmed(excluded, self.problem, self.tolerance)

    def tried_otherwise(self, method: Solver | Alternation | Conic, result: Result) -> Result:
        """Return the result, or the best of it and the other method's if the first came to nothing."""
        other = _other(self.problem, method)
        if (
            other is None
            or result.status not in _CAME_TO_NOTHING
            or deadline.is_up()
            or not has_room(self.problem, other)
        ):
            return result
        if result.gap <= _NARROW * self.tolerance:  # rounding, most likely
            return result
        again = self.answered_by(other, result if result.letters.size else None)
        whole = combined(result, again, self.problem, self.tolerance)
        cut_short = again.status in (Status.INTERRUPTED, Status.TIME_LIMIT) and whole.status is not Status.OPTIMAL
        return replace(whole, status=again.status) if cut_short else whole

    def _nothing(self, method: Solver | Alternation | Conic, status: Status) -> Result:
        """Return the result of a run that was ended before it had found anything."""
        settings = Settings(method, self.tolerance, Limits(1), self.began)  # type: ignore[arg-type]
        lower = 0.0 if is_rate(self.problem.objective) else math.nan
        return empty(self.problem, settings, status, Proof.NONE, "", lower, {})

    def _unchecked(self, method: Solver | Alternation | Conic, start: Result | None) -> Result:
        problem, tolerance = self.problem, _AIM * self.tolerance
        shift = Shift.of(problem)
        if shift is not None:
            return self._shifted(shift, method, start)
        if isinstance(method, Conic):
            return method.solve(problem, tolerance)
        if isinstance(method, Alternation):
            if problem.perceptions:
                raise InvalidInput(
                    "fixed letters with label entropies beside limits on the law of the reproduction are not offered; "
                    "use letters='split', or lift one of these limits"
                )
            return self._stationary(method, tolerance)
        max_steps = self.max_steps
        if max_steps is None:
            max_steps = 2000 if getattr(method, "sublinear", False) else 200
        limits = Limits(max_steps, self.time_limit, self.callback, self.proof_budget)
        settings = Settings(method, tolerance, limits, self.began)
        if problem.perceptions:
            from rdcsolve.solvers.perception.choice import solve_within_laws

            return solve_within_laws(problem, settings, start)
        if not problem.is_finite:
            return _over_letters(problem, settings, start)
        if problem.goal.target is None:
            return minimise_rate(problem, settings, start)
        return minimise_loss(problem, settings, start)

    def _shifted(self, shift: Shift, method: Solver | Alternation | Conic, start: Result | None) -> Result:
        """Return the answer to a problem whose losses have entries below zero."""
        settings = Settings(method, self.tolerance, Limits(1), self.began)  # type: ignore[arg-type]
        beyond = below_least(self.problem, settings)
        if beyond is not None:
            return beyond
        inside = replace(self, problem=shift.inside, callback=shift.callback(self.callback))
        return shift.result(inside._unchecked(method, shift.start(start)))

    def _stationary(self, alternation: Alternation, tolerance: float) -> Result:
        """Return the best stationary point with fixed letters, beside the bound that split letters prove."""
        limits = Limits(_FEW_ROUNDS, self.time_limit, proof_budget=self.proof_budget)
        settings = Settings(InteriorPoint(), max(tolerance, 1e-7), limits, self.began)
        split = _over_letters(self.problem, settings)
        return solve_fixed(self.problem, alternation, tolerance, math.inf, self.callback, split)  # one clock for both


def _over_letters(problem: Problem, settings: Settings, start: Result | None = None) -> Result:
    """Return the solution over a letter space, with a proved bound in its certificate in any case."""
    from rdcsolve.letters.choice import space_of
    from rdcsolve.solvers.exchange.at_slack_rate import with_least_loss
    from rdcsolve.solvers.exchange.exchange import solve_over
    from rdcsolve.solvers.exchange.floor import beyond_labels, with_proved_bound, with_rate_excluded

    space = space_of(problem)
    found = beyond_labels(space, settings) or solve_over(space, settings, start)
    try:
        found = with_least_loss(space, settings, found)
        return with_rate_excluded(space, settings, with_proved_bound(space, settings, found, start))
    except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
        return replace(found, status=ended_by(stop))


def fitting(problem: Problem, solver: Any) -> Solver | Alternation | Conic:
    """Return the solver, by default the one that `choose` names, if it is one for this kind of problem."""
    if solver is None:
        return choose(problem)
    if isinstance(solver, str):
        solver = named(solver)
    if isinstance(solver, type):
        raise InvalidInput(f"solver is the class {solver.__name__}; pass settings made of it, {solver.__name__}()")
    is_fixed = bool(problem.label_entropies) and problem.letters == "fixed"
    if isinstance(solver, Conic):
        if not problem.is_finite:
            raise InvalidInput(
                "Conic solves finite linear problems; leave solver out where a label's entropy counts or letters "
                "are free"
            )
        return solver
    if not isinstance(solver, Alternation) and not callable(getattr(solver, "iterates", None)):
        raise InvalidInput(
            f"solver is {options.shown(solver)}; pass settings such as InteriorPoint() or BlahutArimoto()"
        )
    if isinstance(solver, Alternation) != is_fixed:
        raise InvalidInput(
            f"solver is {solver!r} but the problem's letters are "
            + ("fixed; pass Alternation(), or leave solver out" if is_fixed else "not fixed; see letters= of Problem")
        )
    return solver


def _other(problem: Problem, method: Solver | Alternation | Conic) -> Solver | None:
    """Return the method to try where the chosen one came to nothing, or None."""
    if not problem.is_finite or problem.perceptions:
        return None
    if isinstance(method, ColumnGeneration):
        return InteriorPoint() if problem.n_letters <= MOST_LETTERS else None
    return ColumnGeneration() if isinstance(method, InteriorPoint) else None


def _check_start(problem: Problem, start: Any) -> None:
    """Raise unless it is a result of the same losses, or None."""
    if start is None:
        return
    options.instance(start, Result, "start", "pass a Result of solve, or leave it out")
    if start.fingerprint != problem.fingerprint():
        raise InvalidInput(
            f"start belongs to the losses {start.fingerprint}, this problem has {problem.fingerprint()}; "
            "start from a result of a problem with the same source and losses, or leave start out"
        )
