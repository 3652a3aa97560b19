"""`sweep`: one problem under many limits."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, as_completed
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput, SolverFailed
from rdcsolve.explore.grid import Grid, Index, make_grid
from rdcsolve.explore.record import Outcome, Record, outcome_of
from rdcsolve.problems import Problem
from rdcsolve.results import Proof, Result, Status
from rdcsolve.solvers import solve
from rdcsolve.solvers.solve import fitting

if TYPE_CHECKING:
    import xarray

_SECONDS_BETWEEN_SAVES = 2.0
_STRETCH = 4  # points that one task of an executor solves, each starting from the one before

Report = Callable[[int, int, Mapping[str, float], Outcome], None]


@public_call
def sweep(
    problem: Problem,
    *,
    progress: bool | Report = False,
    save: str | os.PathLike[str] | None = None,
    tolerance: float = 1e-9,
    solver: Any = None,
    executor: Executor | None = None,
    time_limit: float = math.inf,
    **axes: Any,
) -> xarray.Dataset:
    """Solve a problem for every combination of limits, each solution helping the next.

    Parameters
    ----------
    problem : Problem
        Its other limits and its objective stay. If it is at fixed multipliers, the axes are multipliers.
    progress : bool or callable, optional
        True shows a bar. A function is called after each point as ``progress(n_done, n_points, point, outcome)``
        with two dicts: the point's coordinates, and its numbers by name of the variable.
    save : path-like, optional
        A netCDF file, rewritten every few seconds and at the end, also when interrupted. Running the same sweep
        again continues with the points that are missing.
    tolerance : float, optional
        The gap to reach at each point, as in `solve`.
    solver : optional
        As in `solve`.
    executor : concurrent.futures.Executor, optional
        Solves stretches of a few points side by side, in processes for instance. The numbers agree with those of
        a sweep without it to within the gaps.
    time_limit : float, optional
        Wall seconds for all points together. The bounds at the point that is being solved then still hold, with the
        status ``TIME_LIMIT``; points that were not begun have NaN and the status ``""``. With `save`, running the same
        sweep again goes on with both.
    **axes : sequence of float
        Bounds by name of the loss (``D`` is the distortion, ``C`` the label's entropy, ``P`` the perception) or of the
        ``rate``, in the order of the dimensions.

    Returns
    -------
    xarray.Dataset
        Dimensions named as the axes. Variables `rate_lower`, `rate_upper`, `gap`, `status`, `proof`, `seconds`,
        `steps` (and `objective_lower`, `objective_upper` where the objective is not the rate); `losses` and
        `multipliers` with one more dimension ``loss``, perceptions among them; `minimum`, with one more dimension
        ``limit``, the least attainable values where the limits cannot be met. Information in the problem's unit, which
        the attribute ``unit`` and those of the variables name; NaN where there is no number. What `status` and
        `proof` say are names of `Status` and `Proof`: a lower bound is proved where the proof is ``CERTIFIED``. With
        fixed letters upper bounds are those of stationary points, and `certificate_multipliers` go with the lower ones.

    Raises
    ------
    InvalidInput
        If an axis is not a list of usable numbers for this problem, or `save` holds another sweep.
    SaveFailed
        If `save` cannot be written.
    KeyboardInterrupt
        When interrupted, after what is known was saved.

    Examples
    --------
    >>> problem = Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]])
    >>> curve = sweep(problem, D=[0.05, 0.1])
    >>> curve.rate_upper.values.round(4).tolist()
    [0.4946, 0.3681]
    """
    check_options(problem, progress, save, tolerance, solver, executor)
    until = time.time() + options.seconds(time_limit)
    grid = make_grid(problem, axes)
    record = Record(grid, float(tolerance))
    path = None if save is None else options.path(save, "save")
    if path is not None:
        if path.exists():
            record.take_over(path)
        record.save(path)
    work = [[index for index in row if not record.finished[index]] for row in grid.rows()]
    solved = _in_order if executor is None else _side_by_side(executor)
    total = sum(len(row) for row in grid.rows())
    done = total - sum(len(row) for row in work)
    saved_at = time.monotonic()
    with _reporting(progress, done, total) as report:
        try:
            for index, outcome in solved(grid, [row for row in work if row], solver, tolerance, until):
                record.put(index, outcome)
                done += 1
                report(done, total, grid.point(index), outcome)
                if path is not None and time.monotonic() - saved_at > _SECONDS_BETWEEN_SAVES:
                    record.save(path)
                    saved_at = time.monotonic()
        except KeyboardInterrupt as interrupt:
            if path is not None:
                interrupt.add_note(f"{record.n_finished()} of {total} points are saved in {path}; run again to go on")
            raise
        finally:
            if path is not None:
                record.save(path)
    return record.dataset()


def check_options(problem: Any, progress: Any, save: Any, tolerance: Any, solver: Any, executor: Any) -> None:
    """Raise `InvalidInput` unless a sweep of the problem can take these options."""
    options.instance(problem, Problem, "problem", "pass a Problem")
    options.tolerance(tolerance)
    if solver is not None:
        fitting(problem, solver)
    if save is not None:
        options.path(save, "save")
    if not callable(progress):
        options.switch(progress, "progress")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise InvalidInput(
            f"executor is {options.shown(executor)}; give an executor such as "
            "concurrent.futures.ProcessPoolExecutor(2), or leave it out"
        )


def _in_order(
    grid: Grid, rows: list[list[Index]], solver: Any, tolerance: float, until: float
) -> Iterator[tuple[Index, Outcome]]:
    """Yield the outcome of every point, each solution being the start of the next."""
    order = [index for row in rows for index in row]
    return zip(
        order, _outcomes((grid.problem_at(grid.point(i)) for i in order), solver, tolerance, until), strict=False
    )


def _outcomes(problems: Iterable[Problem], solver: Any, tolerance: float, until: float) -> Iterator[Outcome]:
    """Yield outcomes, each solution being the start of the next, until the time is up."""
    start: Result | None = None
    for problem in problems:
        left = until - time.time()
        if left <= 0:
            return
        result = _solved(problem, solver, tolerance, start, left)
        if result is None:
            yield failure(problem)
            continue
        yield outcome_of(result, problem.limit_names)
        if result.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        if result.certificate is not None:
            start = result


def _solved(problem: Problem, solver: Any, tolerance: float, start: Result | None, time_limit: float) -> Result | None:
    try:
        return solve(problem, solver, tolerance=tolerance, start=start, time_limit=time_limit)
    except SolverFailed as error:
        return error.result


def failure(problem: Problem) -> Outcome:
    """Return the outcome of a point at which the solver failed without a result."""
    unknown = [float("nan")] * len(problem.limit_names)
    numbers = ("rate_lower", "rate_upper", "objective_lower", "objective_upper", "gap", "seconds")
    return dict.fromkeys(numbers, float("nan")) | {
        "status": Status.NUMERICAL_ERROR.name,
        "proof": Proof.NONE.name,
        "steps": 0,
        "losses": unknown,
        "multipliers": unknown,
        "certificate_multipliers": unknown,
        "minimum": [*unknown, float("nan")],
    }


def _side_by_side(executor: Executor) -> Callable[..., Iterator[tuple[Index, Outcome]]]:
    def solved(
        grid: Grid, rows: list[list[Index]], solver: Any, tolerance: float, until: float
    ) -> Iterator[tuple[Index, Outcome]]:
        stretches = [row[k : k + _STRETCH] for row in rows for k in range(0, len(row), _STRETCH)]
        futures = {
            executor.submit(_stretch, grid, [grid.point(index) for index in stretch], solver, tolerance, until): stretch
            for stretch in stretches
        }
        try:
            for future in as_completed(futures):
                outcomes = future.result()
                yield from zip(futures[future], outcomes, strict=False)
                if len(outcomes) < len(futures[future]) and time.time() < until:
                    raise KeyboardInterrupt
        finally:
            for future in futures:
                future.cancel()

    return solved


def _stretch(grid: Grid, points: list[dict[str, float]], solver: Any, tolerance: float, until: float) -> list[Outcome]:
    """Return the outcomes at neighbouring points; fewer than points if interrupted, or if the time is up."""
    outcomes: list[Outcome] = []
    try:
        for outcome in _outcomes((grid.problem_at(point) for point in points), solver, tolerance, until):
            outcomes.append(outcome)
    except KeyboardInterrupt:
        pass
    return outcomes


@contextmanager
def _reporting(progress: bool | Report, done: int, total: int) -> Iterator[Report]:
    """Give the function to call after each point; for ``progress=True`` it moves a bar."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda *_: None
    else:
        from tqdm import tqdm

        with tqdm(total=total, initial=done, unit="point") as bar:

            def report(n_done: int, n_points: int, point: Mapping[str, float], outcome: Outcome) -> None:
                place = ", ".join(f"{name}={value:.4g}" for name, value in point.items())
                bar.set_postfix_str(f"{place}: {outcome['status']}, gap {outcome['gap']:.1e}")
                bar.update()

            yield report
