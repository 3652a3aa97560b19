"""The work of the demo, on as many processes as asked for."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve.cli.demo.digits import CROSS_ENTROPY, Digits, Sizes
from rdcsolve.explore import sweep, tradeoff
from rdcsolve.explore.tradeoff import tradeoff_bounds
from rdcsolve.problems import Problem
from rdcsolve.results import Result
from rdcsolve.solvers import ColumnGeneration, solve

if TYPE_CHECKING:
    import xarray

Advance = Callable[[int], None]

_COLUMNS = 4
_SOLVER = ColumnGeneration()
"""A third of the letters carry mass at these limits, which column generation turns to account."""


class Here(Executor):
    """An executor that does the work at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Return a future that is done."""
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def workers(n: int) -> Iterator[Executor]:
    """Give an executor of `n` fresh processes; of this process for one."""
    if n < 2:
        yield Here()
        return
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(n, mp_context=get_context("spawn"), initializer=_leave_interrupts_to_the_parent)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def surface_and_bounds(
    problem: Problem, sizes: Sizes, pool: Executor, partial: Path, advance: Advance
) -> tuple[xarray.Dataset, list[np.ndarray]]:
    """Return the least rate over the grid of limits, and for each rate the limits of its trade-off.

    What is known of the surface is kept in the file `partial`, from which an interrupted demo goes on.
    """
    waiting = [pool.submit(_bounds, problem, rate, sizes.n_tradeoff, sizes.tolerance) for rate in sizes.rates]

    def report(done: int, total: int, point: object, outcome: object) -> None:
        advance(done)

    surface = sweep(
        problem,
        progress=report,
        save=partial,
        tolerance=sizes.tolerance,
        solver=_SOLVER,
        executor=None if isinstance(pool, Here) else pool,
        distortion=sizes.distortion_limits,
        cross_entropy=sizes.cross_entropy_limits,
    )
    return surface, [future.result() for future in waiting]


def tradeoffs(
    problem: Problem, sizes: Sizes, limits: list[np.ndarray], pool: Executor, advance: Advance
) -> xarray.Dataset:
    """Return the least distortion over limits on the cross-entropy, with the dimensions ``rate`` and ``point``."""
    import xarray

    tasks: list[list[Future]] = []
    done = 0

    def count(_: Future) -> None:
        nonlocal done
        done += 1
        advance(done)

    for rate, bounds in zip(sizes.rates, limits, strict=True):
        stretches = np.array_split(bounds, sizes.n_stretches)
        tasks.append([pool.submit(_stretch, problem, rate, bounds, sizes.tolerance) for bounds in stretches])
        for future in tasks[-1]:
            future.add_done_callback(count)
    boundaries = []
    for futures in tasks:
        whole = xarray.concat([future.result() for future in futures], CROSS_ENTROPY)
        boundaries.append(whole.assign_coords(point=(CROSS_ENTROPY, np.arange(whole.sizes[CROSS_ENTROPY]))))
    lined_up = [whole.swap_dims({CROSS_ENTROPY: "point"}) for whole in boundaries]
    together = xarray.concat(lined_up, "rate", data_vars="all", coords="all", combine_attrs="drop_conflicts")
    together = together.assign_coords({name: lined_up[0][name] for name in ("loss", "limit")})
    return together.assign_coords(rate=("rate", list(sizes.rates), {"units": "nat", "long_name": "limit on the rate"}))


def _bounds(problem: Problem, rate: float, n_points: int, tolerance: float) -> np.ndarray:
    return tradeoff_bounds(problem, rate, CROSS_ENTROPY, n_points=n_points, tolerance=tolerance, solver=_SOLVER)


def _stretch(problem: Problem, rate: float, bounds: np.ndarray, tolerance: float) -> xarray.Dataset:
    return tradeoff(problem, rate, CROSS_ENTROPY, bounds, tolerance=tolerance, solver=_SOLVER)


def one_tradeoff(data: xarray.Dataset, rate: float) -> xarray.Dataset:
    """Return the trade-off at one rate, as of `tradeoff`."""
    chosen = data.sel(rate=rate).swap_dims({"point": CROSS_ENTROPY}).drop_vars(["point", "rate"])
    return chosen.assign_attrs(rate=rate)


@dataclass(frozen=True, eq=False)
class Reconstructions:
    """What images become at one rate, as the limit on the cross-entropy tightens.

    Parameters
    ----------
    rate : float
        Nats.
    limits : list of float
        On the cross-entropy, from lax to strict, nats.
    distortions : list of float
        The least distortions.
    means : list of numpy.ndarray
        E[letter | image], shape (n_x, 64), for each limit.
    right : list of numpy.ndarray
        Probability that the letter is a sure sign of the right digit: the mean of the classifier's probability,
        shape (n_x,), for each limit.
    """

    rate: float
    limits: list[float]
    distortions: list[float]
    means: list[np.ndarray]
    right: list[np.ndarray]


def reconstructions(
    digits: Digits, data: xarray.Dataset, rate: float, tolerance: float, pool: Executor
) -> Reconstructions:
    """Return what images become along the trade-off at `rate`.

    The channels are found as those of least rate under the limits of the solved points: the rate is then `rate`.
    """
    along = data.sel(rate=rate)
    chosen = along.isel(point=np.linspace(along.sizes["point"] - 1, 0, _COLUMNS).round().astype(int))
    limits, distortions = chosen[CROSS_ENTROPY].values.tolist(), chosen["objective_upper"].values.tolist()
    waiting = [
        pool.submit(solve, digits.problem.with_limits(D=D, cross_entropy=limit), _SOLVER, tolerance=tolerance)
        for D, limit in zip(distortions, limits, strict=True)
    ]
    results: list[Result] = [future.result() for future in waiting]
    letters = digits.problem.reproduction
    assert letters is not None
    truth = digits.classes
    return Reconstructions(
        rate,
        limits,
        distortions,
        [result.channel @ letters[result.letters] for result in results],
        [np.einsum("ik,ki->i", result.channel, digits.decisions[result.letters][:, truth]) for result in results],
    )
