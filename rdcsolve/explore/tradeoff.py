"""`tradeoff`: what one loss costs in another when the rate is fixed."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve import extras, options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput, SolverFailed
from rdcsolve.explore.grid import label_names
from rdcsolve.explore.record import read_dataset
from rdcsolve.explore.sweep import Report, Told, check_options, kept_to_oneself, swept
from rdcsolve.problems import Problem
from rdcsolve.problems.losses import Loss
from rdcsolve.problems.statement import spelled_out
from rdcsolve.problems.validation import one_of
from rdcsolve.results import Result, Status
from rdcsolve.results.result import StepRecord
from rdcsolve.results.units import in_unit_of
from rdcsolve.solvers import solve
from rdcsolve.solvers.effort import Effort, StoppingCallback

if TYPE_CHECKING:
    import xarray

_FIRST_STEP = 0.04
"""Where a default grid starts, as a fraction of the range above the least loss, which few channels attain."""


@public_call
def tradeoff(  # noqa: PLR0913 - options, by keyword
    problem: Problem,
    rate: float,
    loss: str | None = None,
    bounds: Any = None,
    *,
    n_points: int = 9,
    minimise: str = "distortion",
    progress: bool | Report = False,
    save: str | os.PathLike[str] | None = None,
    tolerance: float = 1e-9,
    solver: Any = None,
    executor: Executor | None = None,
    time_limit: float = math.inf,
    max_steps: int | None = None,
    callback: Callable[[StepRecord], object] | None = None,
    backend: Any = "auto",
    proof_budget: float = 10.0,
    verbose: bool = False,
) -> xarray.Dataset:
    """Trace the boundary of Omega(R), the pairs of losses that channels of rate at most R attain.

    A perception counts as a loss here: ``tradeoff(problem, R, "P")`` is the distortion-perception curve at rate R.

    Parameters
    ----------
    problem : Problem
        With at least two losses. Its limits on other losses stay.
    rate : float
        R, in the problem's unit: nats, if not said otherwise.
    loss : str, optional
        The loss that is limited, point by point (``D``, ``C`` and ``P`` as in `sweep`); by default the only one besides
        `minimise`.
    bounds : sequence of float, optional
        Its bounds. By default `n_points` from just above the least value that rate R allows, or from zero for a
        perception that may be zero, up to the value at the channel that minimises the other loss, closer together where
        the boundary bends most. So both corners of a distortion-perception curve are among them.
    n_points : int, optional
        Number of default bounds, at least two.
    minimise : str, optional
        The loss that is minimised.
    progress, save, tolerance, solver, executor, backend, proof_budget, verbose
        As in `sweep`.
    time_limit, max_steps, callback : optional
        As in `sweep`. They count for the two solutions too that find the default bounds. Cut short, these leave bounds
        that span less of the range; no point is begun then, and the next run with the same `save` finds its own.

    Returns
    -------
    xarray.Dataset
        As of `sweep`, with one dimension, named `loss`; the minimised loss is between `objective_lower` and
        `objective_upper`. The attribute ``rate`` is R. With fixed letters Omega(R) need not be convex, and its
        points are stationary unless their status is ``OPTIMAL``: no pair below `objective_lower` is in it, no
        pair above `objective_upper` is missing, and what lies between is open.

    Raises
    ------
    InvalidInput
        If the losses are not named, or the limits cannot be met at rate R.
    SolverFailed
        If the default bounds were to be found, and no channel was before the solver stopped; or as of `sweep`.
    FileInUse, SaveFailed
        As of `sweep`.

    Examples
    --------
    >>> problem = Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], losses={"miss": [[0, 0], [1, 0]]})
    >>> boundary = tradeoff(problem, rate=0.2, n_points=3)
    >>> bool((boundary.gap < 1e-8).all()), boundary.sizes["miss"]
    (True, 3)
    """
    extras.need("tables", "tradeoff")
    effort = Effort.of(problem, solver, tolerance, max_steps, callback, time_limit, backend, proof_budget)
    check_options(progress, save, executor, callback, verbose, backend)
    n_points = options.whole(n_points, "n_points", 2)
    at_rate, loss = question(problem, rate, loss, minimise)
    with kept_to_oneself(save):
        if bounds is None:
            bounds = _earlier_bounds(save, loss, n_points)
        if bounds is None:
            bounds, is_cut_short = _bounds(at_rate, loss, n_points, effort)
            if is_cut_short:
                effort = replace(effort, until=-math.inf)
        return swept(at_rate, {loss: bounds}, effort, Told(progress, verbose), save, executor)


def tradeoff_bounds(
    problem: Problem,
    rate: float,
    loss: str | None = None,
    *,
    n_points: int = 9,
    minimise: str = "distortion",
    tolerance: float = 1e-9,
    solver: Any = None,
) -> np.ndarray:
    """Return the bounds on `loss` that `tradeoff` takes by default, increasing, shape (n_points,).

    Raises
    ------
    InvalidInput
        As of `tradeoff`.
    """
    effort = Effort.of(problem, solver, tolerance, None, None)
    n_points = options.whole(n_points, "n_points", 2)
    at_rate, loss = question(problem, rate, loss, minimise)
    return _bounds(at_rate, loss, n_points, effort)[0]


def _bounds(at_rate: Problem, loss: str, n_points: int, effort: Effort) -> tuple[np.ndarray, bool]:
    """Return the default bounds, and whether the time was up, or the callback asked to stop, on the way to them."""
    callback = StoppingCallback(effort.callback)
    best = _solved(at_rate, effort, callback)
    least = _solved(at_rate.minimising(loss), effort, callback, start=best)
    low, high = least.objective_upper, _free_value(at_rate, loss, best, effort, callback)
    if loss in at_rate.perception_names and low <= effort.tolerance:
        low = 0.0
    else:
        low += _FIRST_STEP * max(high - low, 0.0) + effort.tolerance
    bounds = low + max(high - low, effort.tolerance) * np.linspace(0, 1, n_points) ** 2
    return bounds, callback.asked or effort.left() <= 0


def question(problem: Problem, rate: float, loss: str | None, minimise: str) -> tuple[Problem, str]:
    """Return the problem of minimising one loss at that rate, and the name of the other.

    Raises
    ------
    InvalidInput
        If the losses are not two of the problem's.
    """
    minimise = one_of(_full_name(problem, minimise), problem.limit_names, "loss to minimise")
    loss = _second_loss(problem, loss, minimise)
    return problem.with_limits(**{loss: None}).minimising(minimise, rate=rate), loss


def _free_value(problem: Problem, loss: str, best: Result, effort: Effort, callback: StoppingCallback) -> float:
    """Return the value of `loss` that comes for free where another one is least.

    A label's entropy is indifferent to symbols, so a solution that minimises it leaves them to chance. What counts is
    the best symbol for each of its letters. A perception leaves the joint law to chance, and what counts is the least
    loss beside it.
    """
    if problem.minimise in problem.perception_names:
        nearest = best.objective_upper if best.objective_upper > effort.tolerance else 0.0
        beside = problem.minimising(loss).with_limits(**{problem.minimise: nearest})
        return _solved(beside, effort, callback).objective_upper
    if loss in problem.perception_names:
        return best.perceptions[loss]
    second = problem.losses[problem.loss_names.index(loss)]
    if problem.minimise not in label_names(problem) or not isinstance(second, Loss):
        return best.losses[loss]
    joint = best.channel * problem.p_x[:, None]
    is_infinite = np.isinf(second.block())
    means = joint.T @ np.where(is_infinite, 0.0, second.block())
    means[(joint > 0).T.astype(float) @ is_infinite > 0] = np.inf
    return min(in_unit_of(problem, loss, float(means.min(axis=1).sum())), best.losses[loss])


def _second_loss(problem: Problem, loss: str | None, minimise: str) -> str:
    others = tuple(name for name in problem.limit_names if name != minimise)
    if not others:
        raise InvalidInput(f"the problem has no loss besides {minimise!r}; a trade-off needs a second one")
    if loss is None:
        if len(others) > 1:
            raise InvalidInput(f"the problem has the losses {', '.join(others)} besides {minimise!r}; pass loss=")
        return others[0]
    return one_of(_full_name(problem, loss), others, "loss to limit")


def _full_name(problem: Problem, name: str) -> str:
    labels = label_names(problem)
    if name == "C" and len(labels) > 1:
        raise InvalidInput(f"the problem has the label entropies {', '.join(labels)}; name one of them instead of C")
    return spelled_out(name, labels)


def _earlier_bounds(save: Any, loss: str, n_points: int) -> np.ndarray | None:
    """Return the default bounds that an earlier run saved, so that it can be continued."""
    if save is None or not Path(save).exists():
        return None
    held = read_dataset(save)
    if held.sizes.get(loss) != n_points or "status" not in held or (held["status"] == "").all():
        return None
    return held[loss].values


def _solved(problem: Problem, effort: Effort, callback: StoppingCallback, start: Result | None = None) -> Result:
    result, is_interrupted = effort.result(solve, problem, start, callback)
    if is_interrupted:
        raise KeyboardInterrupt
    if result.status is Status.INFEASIBLE:
        least = ", ".join(f"{name} >= {value:.6g}" for name, value in result.minimum.items())
        assert problem.rate_bound is not None
        rate = f"{in_unit_of(problem, 'rate', problem.rate_bound):.10g} {problem.unit}"
        raise InvalidInput(f"no channel meets the limits at rate {rate} ({least}); relax a limit")
    if not np.isfinite(result.objective_upper):
        raise SolverFailed(f"{problem.minimise} was not minimised: {result.status.value}; or pass bounds=", result)
    return result
