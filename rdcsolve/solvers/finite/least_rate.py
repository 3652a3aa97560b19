"""Least rate under limits on losses, and the Lagrangian at fixed multipliers."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates import Certificate
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.results.result import Result
from rdcsolve.results.status import Proof, Status, ended_by, judged
from rdcsolve.results.units import told
from rdcsolve.solvers.finite import recovery
from rdcsolve.solvers.finite.faces import limited_task
from rdcsolve.solvers.finite.feasibility import constant_output, feasible_channel, margin
from rdcsolve.solvers.finite.reduction import ReducedProblem, fixed_task, is_below_least, least_loss
from rdcsolve.solvers.loop import Progress, Settings, Start, run

_BUDGET_ROUNDING = 1e-13  # what a rate may exceed its limit by, relatively


def minimise_rate(problem: Problem, settings: Settings, start: Result | None) -> Result:
    """Return the least rate, or the least Lagrangian, with its bounds."""
    if problem.multipliers is not None:
        result = _descend(fixed_task(problem), settings, start)
    else:
        result = rate_under(problem, problem.bounds, settings, start)
    beyond = beyond_budget(problem, settings, result.rate_lower, result.rate_upper, result.certificate)
    return result if beyond is None else beyond


def beyond_budget(
    problem: Problem, settings: Settings, lower: float, upper: float, certificate: Certificate | None = None
) -> Result | None:
    """Return the result of a limit on the rate beside its minimum that is not known to be met, or None.

    Parameters
    ----------
    problem : Problem
        Of the least rate.
    settings : Settings
    lower, upper : float
        The proved lower bound on the least rate, and the rate of the best channel found; nats.
    certificate : Certificate, optional
        What proves the lower bound.
    """
    budget = problem.rate_bound
    if budget is None or not upper > budget + _BUDGET_ROUNDING * (1 + budget):
        return None
    if lower > budget:
        return infeasible(problem, settings, {"rate": lower}, beyond_the_rate(problem, lower, budget), certificate)
    limit, proved, attained = (told(problem, "rate", rate) for rate in (budget, lower, upper))
    message = (
        f"no channel found meets the rate limit {limit}, and none is excluded: the least rate is proved to be at least "
        f"{proved}, and {attained} is attained"
    )
    return empty(problem, settings, Status.STALLED, Proof.NONE, message, lower, {})


def beyond_the_rate(problem: Problem, needed: float, allowed: float) -> str:
    """Return the message of a limit on the rate that the other limits exceed, both in nats."""
    least, limit = (told(problem, "rate", rate) for rate in (needed, allowed))
    return f"the other limits alone need a rate of at least {least}, the limit is {limit}"


def rate_under(problem: Problem, bounds: np.ndarray, settings: Settings, start: Result | None) -> Result:
    """Return the least rate under bounds on the losses, shape (M,), of which the problem's own are a special case."""
    named = dict(zip(problem.loss_names, map(float, bounds), strict=True))
    problem = problem.minimising("rate").with_limits(rate=None, **named)
    task = task_within_limits(problem, settings)
    if isinstance(task, Result):
        return task
    fixed_output = constant_output(task)
    if fixed_output is not None:
        return zero_rate(problem, settings, *fixed_output)
    return _descend(task, settings, start)


def task_within_limits(problem: Problem, settings: Settings) -> ReducedProblem | Result:
    """Return the task of the least rate under the problem's limits, or the result that says they cannot be met."""
    broken = below_least(problem, settings)
    if broken is not None:
        return broken
    least = least_limited(problem)
    task = limited_task(problem, problem.bounds)
    if task is None:
        message = "a limit at the least value of its loss leaves no channel that meets the others"
        return infeasible(problem, settings, least, message)
    if int(task.free.sum()) > 1 or task.equal.any():
        room = margin(task, enough=1.0)  # by how much they can be met does not matter here
        if room.least > 1 + 1e-12:  # beyond what its sums can round by
            return infeasible(
                problem,
                settings,
                least,
                _together(task, room.least),
            )
    return task


def least_limited(problem: Problem) -> dict[str, float]:
    """Return the least means of the linear losses that are limited, by name."""
    limited = [m for m in range(len(problem.linear_losses)) if math.isfinite(problem.bounds[m])]
    return {problem.loss_names[m]: least_loss(problem, m) for m in limited}


def below_least(problem: Problem, settings: Settings) -> Result | None:
    """Return the result of a limit on a linear loss that is below its least value, or None."""
    least = least_limited(problem)
    for name, value in least.items():
        m = problem.loss_names.index(name)
        if is_below_least(problem, m, float(problem.bounds[m])):
            stated = f"{name} {'=' if problem.equal[m] else '<='} {told(problem, name, float(problem.bounds[m]))}"
            message = f"{stated} is below its least value {told(problem, name, value)}"
            return infeasible(problem, settings, least, message)
    return None


def _together(task: ReducedProblem, least: float) -> str:
    """Return a sentence on limits each of which can be met, but not all of them."""
    if task.equal.any():
        distance = f"the best channel is {least - 1:.6g} of a loss's spread away from some bound"
        return f"each limit can be met, but not all together: {distance}"
    return (
        "each limit can be met, but not all together: "
        f"the best channel exceeds some bound by a factor of {least:.6g} above the least values"
    )


def _start_of(task: ReducedProblem, start: Result | None) -> Start | None:
    if start is None or not start.letters.size or not np.isfinite(start.q).all():
        return None
    names = task.problem.loss_names
    old = np.array([start.multipliers.get(names[m], 0.0) for m in task.relevant])
    guess = task.first_multipliers()
    multipliers = np.where(task.free, np.where(task.equal | (old > 1e-9 * guess), old, guess), task.fixed)
    return Start(start.letters, start.q / start.q.sum(), multipliers)


def _descend(task: ReducedProblem, settings: Settings, start: Result | None) -> Result:
    assembler = recovery.Assembler(task)
    progress = run(
        settings.solver,
        task,
        _start_of(task, start),
        settings.tolerance,
        settings.limits,
        assembler.gap_of,
        settings.began,
    )
    try:
        return _result(task, settings, progress, assembler)
    except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
        progress.status = ended_by(stop)
        return _result(task, settings, progress, assembler)


def _result(task: ReducedProblem, settings: Settings, progress: Progress, assembler: recovery.Assembler) -> Result:
    problem = task.problem
    made = None if progress.primal is None else assembler.primal(progress.primal)
    if made is None and problem.multipliers is None:
        made = _last_resort(task)
    if made is None or (progress.dual is None and problem.multipliers is not None):
        return _nothing(problem, settings, progress)
    # u = 0 proves that no rate is negative, where nothing better is known
    found = recovery.nothing(problem) if progress.dual is None else assembler.dual(progress.dual)
    if problem.multipliers is None and not found.lower > 0:
        found = recovery.nothing(problem)
    return result_of(problem, settings, progress, made, found)


def result_of(
    problem: Problem, settings: Settings, progress: Progress, made: recovery.Primal, found: recovery.Dual
) -> Result:
    """Return the result that a channel and a dual point make, after this progress."""
    goal = problem.goal
    value = goal.value(made.rate, made.means)
    upper = value + 1e-14 * (1 + abs(value))
    lower = found.lower if problem.multipliers is not None else max(found.lower, 0.0)
    status, message = progress.status, progress.message
    if not goal.within(lower, upper, settings.tolerance) and goal.within(
        lower, upper, settings.tolerance + recovery.resolution(found, value)
    ):
        message = "the gap is what rounding costs at this size of the objective or the multipliers; the bounds hold"
    rate_lower = lower
    if problem.multipliers is not None:  # what the plane says about channels with these very losses
        rate_lower = max(lower - float(problem.multipliers @ made.means), 0.0)
    shown = np.where(np.isfinite(problem.bounds), problem.bounds, made.means)
    return Result(
        status=judged(status, goal, lower, upper, settings.tolerance),
        proof=Proof.CERTIFIED,
        objective=problem.objective,
        objective_lower=lower,
        objective_upper=upper,
        rate_lower=rate_lower,
        rate_upper=made.rate if problem.multipliers is not None else upper,
        losses=dict(zip(problem.loss_names, map(float, made.means), strict=True)),
        multipliers=dict(zip(problem.loss_names, map(float, found.point.multipliers), strict=True)),
        channel=made.channel,
        letters=made.letters,
        q=made.q,
        d_tilted=found.point.u - float(found.point.multipliers @ shown),
        certificate=recovery.certificate(problem, found.point, made, lower, upper),
        fingerprint=problem.fingerprint(),
        method=settings.solver.name,
        steps=len(progress.history),
        seconds=time.perf_counter() - settings.began,
        history=tuple(progress.history),
        message=message,
    )


def _last_resort(task: ReducedProblem) -> recovery.Primal | None:
    """Return a channel that meets the limits where the solver found none: its rate is a bound, if a poor one."""
    found = feasible_channel(task) if task.free.any() else None
    if found is None:
        return None
    problem = task.problem
    made = recovery.complete(problem, *found, task.letters.symbols)
    # a limit is met to rounding here: the check has the last word
    means = np.where(problem.equal, made.means, made.means * (1 - 1e-12))
    return made if recovery.meets(problem, means) else None


def zero_rate(problem: Problem, settings: Settings, letters: np.ndarray, masses: np.ndarray) -> Result:
    """Return rate zero: one output distribution meets every limit, and u = 0 proves the rest."""
    made = recovery.constant(problem, letters, masses)
    found = recovery.nothing(problem)
    return Result(
        status=Status.OPTIMAL,
        proof=Proof.CERTIFIED,
        objective="rate",
        objective_lower=0.0,
        objective_upper=0.0,
        rate_lower=0.0,
        rate_upper=0.0,
        losses=dict(zip(problem.loss_names, map(float, made.means), strict=True)),
        multipliers=dict.fromkeys(problem.loss_names, 0.0),
        channel=made.channel,
        letters=made.letters,
        q=made.q,
        d_tilted=np.zeros(problem.n_x),
        certificate=recovery.certificate(problem, found.point, made, 0.0, 0.0),
        fingerprint=problem.fingerprint(),
        method="constant output",
        seconds=time.perf_counter() - settings.began,
    )


def infeasible(
    problem: Problem,
    settings: Settings,
    minimum: dict[str, float],
    message: str,
    certificate: Certificate | None = None,
) -> Result:
    """Return the result of a problem that no channel solves; the certificate puts every rate out of reach."""
    answer = empty(problem, settings, Status.INFEASIBLE, Proof.CERTIFIED, message, math.inf, minimum)
    if certificate is None:
        return answer
    return replace(answer, certificate=without_channel(certificate))


def without_channel(certificate: Certificate) -> Certificate:
    """Return what a certificate proves from below alone: that no channel has a smaller rate."""
    n_x = certificate.u.size
    nobody, nothing = np.empty(0, dtype=np.intp), np.empty((n_x, 0))
    return replace(certificate, objective="rate", upper=math.nan, letters=nobody, channel=nothing)


def _nothing(problem: Problem, settings: Settings, progress: Progress) -> Result:
    lower = progress.lower() if math.isfinite(progress.lower()) else math.nan
    if is_rate(problem.objective):
        lower = max(lower, 0.0) if math.isfinite(lower) else 0.0
    return empty(problem, settings, progress.status, Proof.NONE, progress.message, lower, {}, tuple(progress.history))


def empty(problem, settings, status, proof, message, lower, minimum, history=()):  # type: ignore[no-untyped-def]
    """Return the result of a solver that found no channel."""
    unknown = dict.fromkeys(problem.loss_names, math.nan)
    distances = dict.fromkeys(problem.perception_names, math.nan)
    upper = lower if math.isinf(lower) else math.nan
    return Result(
        status=status,
        proof=proof,
        objective=problem.objective,
        objective_lower=lower,
        objective_upper=upper,
        rate_lower=lower if is_rate(problem.objective) else math.nan,
        rate_upper=upper if is_rate(problem.objective) else math.nan,
        losses=unknown,
        multipliers=unknown | distances,
        perceptions=distances,
        channel=np.empty((problem.n_x, 0)),
        letters=np.empty(0, dtype=np.intp),
        q=np.empty(0),
        d_tilted=np.full(problem.n_x, math.nan),
        certificate=None,
        fingerprint=problem.fingerprint(),
        method=settings.solver.name,
        steps=len(history),
        seconds=time.perf_counter() - settings.began,
        minimum=minimum,
        history=history,
        message=message,
    )
