"""Small problems without the machinery of large ones: by Newton's method on dense arrays, some at once, all checked."""

from __future__ import annotations

import math
import time
from itertools import accumulate

import numpy as np

from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.kernels import Backend
from rdcsolve.problems import Problem
from rdcsolve.problems.structures import Table
from rdcsolve.results.confirmation import confirmed
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Status
from rdcsolve.solvers.finite import recovery
from rdcsolve.solvers.finite.batched import Points, Stack, channels, solved
from rdcsolve.solvers.finite.interior_point import InteriorPoint
from rdcsolve.solvers.finite.least_rate import result_of
from rdcsolve.solvers.loop import Limits, Progress, Settings

_MOST_PAIRS = 2**14  # of symbol and letter: larger problems gain nothing
_ROOM = 1e-6  # of a loss's spread: limits with less above the least mean are solved one by one
_BELOW_END = 1e-6  # of the mean at which rates end: so are those that are closer to it
_AIM = 0.4  # of the tolerance: the check allows for roundings, and the channel is moved into its limit


def is_small(problem: Problem) -> bool:
    """Return whether a problem is of this kind: finite, dense, with one limited loss or at given multipliers."""
    if not problem.is_finite or problem.n_x * problem.n_letters > _MOST_PAIRS or problem.unit != "nat":
        return False
    if problem.perceptions or problem.own_letters is not None or problem.forbidden is not None:
        return False
    if problem.goal.target is not None or problem.rate_bound is not None or problem.held.any():
        return False
    if not (problem.p_x > 0).all() or not all(isinstance(loss.structure, Table) for loss in problem.linear_losses):
        return False
    if any((problem.row_minima(m) < 0).any() for m in range(len(problem.linear_losses))):
        return False
    if problem.multipliers is not None:
        return bool(problem.multipliers.any())
    limited = np.flatnonzero(np.isfinite(problem.bounds))
    return limited.size == 1 and _leaves_room(problem, int(limited[0]))


def _leaves_room(problem: Problem, m: int) -> bool:
    """Return whether a limit is above the least mean, and below that of any letter alone, by enough to tell."""
    bound, spread = float(problem.bounds[m]), problem.spread(m)
    room = bound - problem.least_mean(m)
    alone = float(problem.linear_losses[m].structure.weighted_sum(problem.p_x).min()) - problem.least_mean(m)
    return room > _ROOM * spread and room < (1 - _BELOW_END) * alone


def side_by_side(
    problems: list[Problem], tolerance: float, backend: Backend | None = None, precision: str = "float64"
) -> list[Result | None]:
    """Return the checked answers to problems of one shape and kind, None where they are not within the tolerance."""
    began = time.perf_counter()
    is_limited = problems[0].multipliers is None
    losses, limited = [], []
    for problem in problems:
        weights = np.isfinite(problem.bounds).astype(float) if problem.multipliers is None else problem.multipliers
        used = np.flatnonzero(weights)
        parts = (problem.linear_losses[m].block() - problem.row_minima(m)[:, None] for m in used.tolist())
        losses.append(sum(weight * part for weight, part in zip(weights[used], parts, strict=True)))
        limited.append(int(used[0]))
    bounds = None
    if is_limited:
        bounds = np.array([one.bounds[m] - one.least_mean(m) for one, m in zip(problems, limited, strict=True)])
    stack = Stack(np.array([problem.p_x for problem in problems]), np.array(losses), bounds)
    try:
        points = solved(stack, _AIM * tolerance, backend, precision)
        made = channels(stack, points)
    except np.linalg.LinAlgError:  # of one of them
        return [None] * len(problems)
    settings = Settings(InteriorPoint(), tolerance, Limits(1), began)
    every = zip(problems, limited, made, range(len(problems)), strict=True)
    return [_answer(problem, m, channel, stack, points, row, settings) for problem, m, channel, row in every]


def _answer(  # noqa: PLR0913 - one problem of many
    problem: Problem, m: int, channel: np.ndarray, stack: Stack, points: Points, row: int, settings: Settings
) -> Result | None:
    """Return the checked answer to one problem, or None."""
    log_v, multiplier = points.log_v[row], float(points.multipliers[row])
    if not (np.isfinite(log_v).all() and np.isfinite(channel).all() and math.isfinite(multiplier)):
        return None
    prices = (stack.p[row] * np.exp(log_v)) @ np.exp(-multiplier * stack.loss[row])
    multipliers = np.zeros(len(problem.losses)) if problem.multipliers is None else problem.multipliers.copy()
    if problem.multipliers is None:
        multipliers[m] = multiplier
    shifts = np.array([problem.row_minima(other) for other in range(len(problem.linear_losses))])
    u = log_v - math.log(float(prices.max()))
    point = DualPoint.shifted(problem, np.arange(problem.n_x), u, multipliers, shifts)
    rounding = recovery.rounding(log_v, multiplier)
    found = recovery.Dual(point, point.bound(problem) - rounding, rounding)
    kept = points.q[row] > 0
    primal = recovery.complete(problem, np.flatnonzero(kept), channel[:, kept], np.arange(problem.n_x))
    progress = Progress(status=Status.OPTIMAL, history=_records(problem, points.histories[row], settings))
    result = result_of(problem, settings, progress, primal, found)
    result = confirmed(result, problem, settings.tolerance)
    return result if result.status is Status.OPTIMAL else None


def _records(problem: Problem, history: np.ndarray, settings: Settings) -> list[StepRecord]:
    """Return the lines of a history; the whole of it is there at once, and has one time."""
    seconds = time.perf_counter() - settings.began
    lower, values, multipliers = history.T.tolist()
    given = () if problem.multipliers is None else tuple(filter(None, problem.multipliers.tolist()))
    return [
        StepRecord(step, seconds, best, value, given or (multiplier,), problem.n_letters)
        for step, best, value, multiplier in zip(
            range(1, len(values) + 1), accumulate(lower, max), values, multipliers, strict=True
        )
    ]
