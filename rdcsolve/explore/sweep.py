"""`sweep`: one problem under many limits."""

from __future__ import annotations

import logging
import math
import os
import pickle
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rdcsolve import extras, narration, options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput, SolverFailed
from rdcsolve.explore.band import check_band, intervals, more_points
from rdcsolve.explore.grid import Grid, Index, make_grid
from rdcsolve.explore.record import UNFINISHED, Outcome, Record, outcome_of, read_dataset, write_dataset
from rdcsolve.kernels.sharded import is_client
from rdcsolve.problems import Problem
from rdcsolve.results import Proof, Result, Status
from rdcsolve.results.result import StepRecord
from rdcsolve.solvers import solve
from rdcsolve.solvers.effort import Effort, Stopped, StoppingCallback
from rdcsolve.solvers.known import answers
from rdcsolve.writing import held

if TYPE_CHECKING:
    import xarray

_OTHER_FILES = (".csv", ".tsv", ".txt", ".json", ".npz", ".npy", ".xlsx", ".parquet", ".png", ".pdf", ".svg")
_SECONDS_BETWEEN_SAVES = 2.0
_MOST_TOLD = 20  # points that an error names
_LOST = (Status.STALLED, Status.NUMERICAL_ERROR, Status.ALMOST_OPTIMAL)  # what is solved again by itself
_POOLS = ("distributed", "mpi4py")
_MOST_KEPT = 50  # earlier results on a surface
_MOST_PAIRS = 2**24  # of symbol and letter that they hold together, 128 MB
_STRETCH = 4  # points that one task of an executor solves, each starting from the one before

Report = Callable[[int, int, Mapping[str, float], Outcome], None]


class Told(NamedTuple):
    """Who hears of the points of a sweep: a bar or a function, and whoever reads what is printed."""

    progress: bool | Report
    verbose: bool


@public_call
def sweep(  # noqa: PLR0913 - options, by keyword
    problem: Problem,
    *,
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
    band: float | None = None,
    verbose: bool = False,
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
        As in `solve`. By default neighbouring points of a finite problem are solved along a path, each from a centred
        iterate of the last; with a solver, or with `max_steps`, each by the solver, from the last solution.
    executor : concurrent.futures.Executor, optional
        Solves stretches of a few points side by side, in processes for instance. The numbers agree with those of
        a sweep without it to within the gaps. The pools of MPI (``mpi4py.futures``) and of Dask
        (``client.get_executor()``, or the ``Client`` itself) are such executors; Dask solves the points of a worker
        that was killed again, on another one.
    time_limit : float, optional
        Wall seconds for all points together. The bounds at the point that is being solved then still hold, with the
        status ``TIME_LIMIT``; points that were not begun have NaN and the status ``""``. With `save`, running the same
        sweep again goes on with both.
    max_steps : int, optional
        Steps at each point, as in `solve`. The bounds of a point that took as many hold, with the status
        ``STEP_LIMIT``; running the sweep again with other `max_steps` solves it again.
    callback : callable, optional
        Called with every `StepRecord` of every point, as in `solve`. A true return value ends the sweep as the time
        limit does, with the status ``STOPPED_BY_CALLBACK`` at the point in hand. An executor calls it in its own
        processes.
    backend : str, Backend or distributed.Client, optional
        As in `solve`; a client only without `executor`.
    proof_budget : float, optional
        CPU seconds of each point, as in `solve`.
    band : float, optional
        How wide the certified band around a curve may be, between its points too, in the unit of the objective: points
        are placed between those of the one axis until it is that narrow. The attribute ``band`` says how wide it is.
    verbose : bool, optional
        Print a line for every point. The logger ``rdcsolve`` gets it in any case, and every step of a point solved in
        this process.
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
        If an axis is not a list of usable numbers for this problem, or `save` holds another sweep; if `band` is asked
        for and there are several axes or multipliers, or a curve that need not be convex, or it takes too many points.
    SaveFailed
        If `save` cannot be written.
    FileInUse
        If another run is sweeping into `save`. That is seen by a lock file beside it, which names the process and the
        machine; the lock of a process that was killed on this machine is broken.
    SolverFailed
        If a process of the executor was killed (with Dask: several that were to solve the same points), after all
        other points were solved and saved. It names those lost.
    KeyboardInterrupt
        When interrupted, after what is known was saved.

    Examples
    --------
    >>> problem = Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]])
    >>> curve = sweep(problem, D=[0.05, 0.1])
    >>> curve.rate_upper.values.round(4).tolist()
    [0.4946, 0.3681]
    """
    extras.need("tables", "sweep")
    effort = Effort.of(problem, solver, tolerance, max_steps, callback, time_limit, backend, proof_budget)
    check_options(progress, save, executor, callback, verbose, backend)
    if band is not None:
        band = check_band(band, make_grid(problem, axes), effort.tolerance)
    with kept_to_oneself(save):
        if band is None:
            return swept(problem, axes, effort, Told(progress, verbose), save, executor)
        return _narrowed(problem, axes, effort, Told(progress, verbose), save, executor, band)


def _narrowed(  # noqa: PLR0913 - as of `swept`
    problem: Problem,
    axes: Mapping[str, Any],
    effort: Effort,
    told: Told,
    save: Any,
    executor: Any,
    band: float,
) -> xarray.Dataset:
    """Return a curve with as many points as it takes to make the certified band that narrow everywhere."""
    name = next(iter(axes))
    places = np.unique(np.asarray(axes[name], dtype=float))
    path = None if save is None else options.path(save, "save")
    if path is not None and path.exists():  # an earlier run has placed some
        held = read_dataset(path)
        if name in held.dims and np.isin(places, held[name].values).all():
            places = held[name].values
    data: xarray.Dataset | None = None
    while True:
        data = swept(problem, {name: places}, effort, told, save, executor, data)
        is_cut_short = bool(np.isin(data["status"].values.astype(str), ["", *UNFINISHED]).any())
        new = np.empty(0) if is_cut_short or effort.left() <= 0 else more_points(data, band)
        if not new.size:
            break
        places = np.union1d(places, new)
    data.attrs["band"] = intervals(data).widest
    if path is not None:
        write_dataset(data, path)
    return data


def kept_to_oneself(save: Any) -> AbstractContextManager[None]:
    """Keep the file of a sweep for this run alone, if there is to be one."""
    return nullcontext() if save is None else held(options.path(save, "save"), "sweeps into it")


def check_options(progress: Any, save: Any, executor: Any, callback: Any, verbose: Any, backend: Any) -> None:
    """Raise `InvalidInput` unless a sweep can take these options."""
    options.switch(verbose, "verbose")
    if executor is not None and is_client(backend):
        raise InvalidInput(
            "backend is a client of Dask, which the processes of an executor cannot be sent; pass backend=client to "
            "have workers hold the rows of large losses, or executor=client to have them solve points, not both"
        )
    if save is not None and options.path(save, "save").suffix.lower() in _OTHER_FILES:
        raise InvalidInput(
            f"save is {options.shown(str(save))}, but points are kept as netCDF; end it in .nc, or write a table of "
            "the answer with to_dataframe"
        )
    if not callable(progress):
        options.switch(progress, "progress")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise InvalidInput(
            f"executor is {options.shown(executor)}; give an executor such as "
            "concurrent.futures.ProcessPoolExecutor(2), or leave it out"
        )
    if callback is not None and isinstance(executor, ProcessPoolExecutor):
        try:
            pickle.dumps(callback)
        except Exception as error:  # whatever the object's own pickling raises
            raise InvalidInput(
                f"callback is {options.shown(callback)}, which other processes cannot be sent ({error}); give a "
                "function of a module, or leave out the executor"
            ) from None


def swept(  # noqa: PLR0913 - options, as they were checked
    problem: Problem,
    axes: Mapping[str, Any],
    effort: Effort,
    told: Told,
    save: Any,
    executor: Any,
    known: xarray.Dataset | None = None,
) -> xarray.Dataset:
    """Return what `sweep` returns, its options being checked; points that are `known` need no work."""
    grid = make_grid(problem, axes)
    executor = executor.get_executor() if hasattr(executor, "get_executor") else executor  # a client of Dask
    record = Record(grid, effort.tolerance, effort.max_steps)
    path = None if save is None else options.path(save, "save")
    if known is not None:
        record.take_points(known)
    if path is not None:
        if known is None and path.exists():
            record.take_over(path)
        record.save(path)
    work = [[index for index in row if not record.finished[index]] for row in grid.rows()]
    solved = _in_order if executor is None else _side_by_side(executor)
    total = sum(len(row) for row in grid.rows())
    done = total - sum(len(row) for row in work)
    saved_at = time.monotonic()
    with _reporting(told, done, total) as report:
        try:
            for index, outcome in solved(grid, [row for row in work if row], effort):
                record.put(index, outcome)
                done += 1
                report(done, total, grid.point(index), outcome)
                if path is not None and time.monotonic() - saved_at > _SECONDS_BETWEEN_SAVES:
                    record.save(path)
                    saved_at = time.monotonic()
        except Stopped:
            pass
        except _Lost as loss:
            kept = "" if path is None else f"; {record.n_finished()} of {total} points are saved in {path}"
            raise SolverFailed(
                f"a process of the executor ended, perhaps for want of memory, and {len(loss.points)} points with it "
                f"({_listed(loss.points)}){kept}; run again to go on, with fewer processes"
            ) from loss.__cause__
        except KeyboardInterrupt as interrupt:
            if path is not None:
                interrupt.add_note(f"{record.n_finished()} of {total} points are saved in {path}; run again to go on")
            raise
        finally:
            if path is not None:
                record.save(path)
    return record.dataset()


def _in_order(grid: Grid, rows: list[list[Index]], effort: Effort) -> Iterator[tuple[Index, Outcome]]:
    """Yield the outcome of every point, each solution being the start of the next."""
    order = [index for row in rows for index in row]
    kept = 1 if len(grid.names) == 1 else min(2 * grid.shape[-1], _MOST_KEPT)
    outcomes = _outcomes((grid.problem_at(grid.point(index)) for index in order), effort, kept)
    # outcomes first: after the last of them an interrupt may be waiting
    for outcome, index in zip(outcomes, order, strict=False):
        yield index, outcome


def _outcomes(problems: Iterable[Problem], effort: Effort, n_earlier: int = 1) -> Iterator[Outcome]:
    """Yield outcomes, each begun with one of so many earlier solutions, mostly the last, until the time is up.

    Raises
    ------
    Stopped, KeyboardInterrupt
        After the outcome of the point in hand.
    """
    earlier: deque[Result] = deque(maxlen=max(n_earlier, 1))
    callback = StoppingCallback(effort.callback)
    along: Effort | None = None
    for problem in problems:
        if effort.left() <= 0:
            return
        along = effort.along_a_path(problem) if along is None else along
        start = _nearest(earlier, problem, effort.tolerance)
        try:
            result, is_interrupted = along.result(solve, problem, start, callback)
            for other in (along, effort):  # along the path with all letters priced, then by itself
                if result.status not in _LOST or along is effort or is_interrupted or callback.asked:
                    break
                again, is_interrupted = other.result(solve, problem, start, callback)
                result = result if result.gap <= again.gap else again
        except SolverFailed as error:
            if error.result is None:
                yield failure(problem)
                continue
            result, is_interrupted = error.result, False
        yield outcome_of(result, problem.limit_names)
        if is_interrupted:
            raise KeyboardInterrupt
        if callback.asked:
            raise Stopped
        if result.certificate is not None:
            earlier.append(result)
            while len(earlier) > 1 and sum(map(_pairs, earlier)) > _MOST_PAIRS:
                earlier.popleft()


def _pairs(result: Result) -> int:
    """Return how many pairs of symbol and letter a result holds."""
    return result.d_tilted.size * result.letters.size


def _nearest(earlier: deque[Result], problem: Problem, tolerance: float) -> Result | None:
    """Return the result to begin with: one that is the answer here too, as limits beside it do not bind, or the last.

    On a surface the row before may have the answer: where the limit along it does not bind.
    """
    same = (result for result in reversed(earlier) if answers(result, problem, tolerance))
    return next(same, earlier[-1] if earlier else None)


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
    def solved(grid: Grid, rows: list[list[Index]], effort: Effort) -> Iterator[tuple[Index, Outcome]]:
        stretches = [row[k : k + _STRETCH] for row in rows for k in range(0, len(row), _STRETCH)]
        futures: dict[Future[Any], list[Index]] = {}
        lost: list[dict[str, float]] = []
        cause: Exception | None = None
        try:
            for stretch in stretches:
                points = [grid.point(index) for index in stretch]
                try:
                    futures[executor.submit(_stretch, grid, points, effort)] = stretch
                except BrokenExecutor as error:
                    lost, cause = lost + points, error
            for future in as_completed(futures):
                try:
                    outcomes, stop = future.result()
                except Exception as error:
                    if not _is_of_the_pool(error):
                        raise
                    lost, cause = lost + [grid.point(index) for index in futures[future]], error
                    continue
                yield from zip(futures[future], outcomes, strict=False)
                if stop is not None:
                    raise stop
            if lost:
                raise _Lost(lost) from cause
        finally:
            for future in futures:
                future.cancel()

    return solved


def _is_of_the_pool(error: Exception) -> bool:
    """Return whether an error says that whoever was to do the work is gone: pools of other libraries have their own."""
    return isinstance(error, BrokenExecutor) or type(error).__module__.partition(".")[0] in _POOLS


class _Lost(Exception):
    """A process that was to solve these points is gone."""

    def __init__(self, points: list[dict[str, float]]) -> None:
        super().__init__()
        self.points = points


def _listed(points: list[dict[str, float]]) -> str:
    told = [_place(point) for point in points[:_MOST_TOLD]]
    return "; ".join(told if len(points) <= _MOST_TOLD else [*told, "..."])


def _stretch(
    grid: Grid, points: list[dict[str, float]], effort: Effort
) -> tuple[list[Outcome], type[BaseException] | None]:
    """Return the outcomes at neighbouring points, fewer if the time is up, and what stopped them, if anything did."""
    outcomes: list[Outcome] = []
    try:
        for outcome in _outcomes((grid.problem_at(point) for point in points), effort):
            outcomes.append(outcome)
    except (KeyboardInterrupt, Stopped) as stop:
        return outcomes, type(stop)
    return outcomes, None


@contextmanager
def _reporting(told: Told, done: int, total: int) -> Iterator[Report]:
    """Give the function to call after each point: it tells of it, and with ``progress=True`` moves a bar."""
    with _progress(told.progress, done, total) as report:

        def telling(n_done: int, n_points: int, point: Mapping[str, float], outcome: Outcome) -> None:
            with narration.told(told.verbose):
                narration.tell(logging.INFO, lambda: _line(n_done, n_points, point, outcome))
            report(n_done, n_points, point, outcome)

        yield telling


def _line(n_done: int, n_points: int, point: Mapping[str, float], outcome: Outcome) -> str:
    ends = f"[{outcome['objective_lower']:.10g}, {outcome['objective_upper']:.10g}]"
    return (
        f"point {n_done} of {n_points}, {_place(point)}: {ends}, gap {outcome['gap']:.1e}, {outcome['status']}, "
        f"{outcome['proof']}, {outcome['steps']} steps, {outcome['seconds']:.3g} s"
    )


def _place(point: Mapping[str, float], digits: int = 6) -> str:
    return ", ".join(f"{name}={value:.{digits}g}" for name, value in point.items())


@contextmanager
def _progress(progress: bool | Report, done: int, total: int) -> Iterator[Report]:
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda *_: None
    else:
        from tqdm.auto import tqdm

        with tqdm(total=total, initial=done, unit="point") as bar:

            def report(n_done: int, n_points: int, point: Mapping[str, float], outcome: Outcome) -> None:
                bar.set_postfix_str(f"{_place(point, 4)}: {outcome['status']}, gap {outcome['gap']:.1e}")
                bar.update()

            yield report
