"""Column generation: the interior point on a few letters, all letters priced, the promising ones added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.solvers.finite import grid_generation
from rdcsolve.solvers.finite.feasibility import least_attained, margin
from rdcsolve.solvers.finite.newton_system import Point
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.finite.repair import Repair, repair
from rdcsolve.solvers.finite.restarts import closest, interior_points
from rdcsolve.solvers.loop import Iterate, Start

_IDLE = 1e-3  # q / z below which a letter is on its way out
_LEAST_SHARE = 1e-4  # of a symbol's output: what a letter may take with it when it leaves
_AT_A_TIME = 256  # letters whose columns are looked at together


@public_call
@dataclass(frozen=True)
class ColumnGeneration:
    """Column generation over a finite reproduction alphabet.

    Solutions often use few letters: 50 of 2000 on a discretised Gaussian. Each round solves the problem
    restricted to the letters in hand, prices all letters with its dual, repairs the bound, and adds the
    letters that the repair gave mass to. Letters leave that have no mass and that no symbol depends on. On fine grids,
    where losses are sums over the axes, it prices all letters at every step, begins on coarser grids, and needs memory
    that grows like the grid only.

    Parameters
    ----------
    first_letters : int, optional
        How many letters to begin with, spread evenly over the alphabet, or over the grid it forms.
    max_inner_steps : int, optional
        Newton steps per round.
    """

    first_letters: int = 100
    max_inner_steps: int = 50

    def __post_init__(self) -> None:
        options.whole(self.first_letters, "first_letters")
        options.whole(self.max_inner_steps, "max_inner_steps")

    @property
    def name(self) -> str:
        """Name for tables and results."""
        return "column generation"

    def iterates(self, task: ReducedProblem, start: Start | None, tolerance: float) -> Iterator[Iterate]:
        """Yield one iterate per round; see `rdcsolve.solvers.loop.Solver`."""
        if grid_generation.suits(task):
            for iterate in grid_generation.rounds_on_grid(task, start, tolerance):
                yield iterate
                # where no multipliers alone lead to the limits, as on straight parts of the curve, rounds go on below
                start = Start(iterate.letters, iterate.q, np.where(task.free, iterate.multipliers, task.fixed))
        letters, q, multipliers = self._first(task, start)
        room = least_attained(task)
        aim = 1e-3
        while True:
            point = self._restricted(task, letters, q, multipliers, aim)
            multipliers = point.multipliers
            log_v = np.log(point.v) - point.kernel.log_scale
            mended = repair(task.letters, log_v, multipliers)
            lower = mended.bound - task.charge(multipliers)
            yield Iterate(letters, point.q / point.q.sum(), mended.log_v, multipliers, lower, point.value)
            aim = max(0.2 * tolerance, min(0.05 * (point.value - lower), 0.1 * aim))
            letters, q = self._next(task, point, letters, mended, room)

    def _first(self, task: ReducedProblem, start: Start | None) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        count = task.letters.n_letters
        size = min(self.first_letters, count)
        spread = task.letters.spread_evenly(size)
        if task.free.any():
            # The restricted problem needs a channel well inside the limits, wherever the full one has it.
            wanted = least_attained(task)
            extremes = _extremes(task)
            spread = np.union1d(spread, extremes)
            while spread.size < count and margin(task, spread).attained > _enough(task, wanted):
                size = min(2 * size, count)
                spread = np.union1d(task.letters.spread_evenly(size), extremes)
        spread = _covering(task, spread)
        if start is None:
            return spread, np.full(spread.size, 1 / spread.size), None
        letters = np.union1d(spread, start.letters)
        q = np.full(letters.size, 1e-4 / letters.size)
        q[np.searchsorted(letters, start.letters)] += (1 - 1e-4) * start.q
        return letters, q, start.multipliers

    def _restricted(
        self, task: ReducedProblem, letters: np.ndarray, q: np.ndarray, multipliers: np.ndarray | None, aim: float
    ) -> Point:
        # One restart: a round that ends early costs less than another long warm-up, and the next round goes on.
        points = interior_points(task, letters, q, multipliers, 5, 1e-3 / letters.size, restarts=1)
        return closest(points, aim, self.max_inner_steps + 1)

    @staticmethod
    def _next(
        task: ReducedProblem, point: Point, letters: np.ndarray, mended: Repair, room: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the letters still of use with those added, and output masses to start from."""
        useful = _needed(point)
        if task.equal.any():
            useful |= np.isin(letters, _extremes(task))
        if task.free.any() and margin(task, letters[useful]).attained > _enough(task, room):
            useful[:] = True  # dropping letters must not leave the limits out of reach
        kept, q = letters[useful], point.q[useful]
        new = ~np.isin(mended.letters, kept)
        kept, q = np.r_[kept, mended.letters[new]], np.r_[q, mended.masses[new]]
        needed = np.setdiff1d(_covering(task, kept), kept)
        kept, q = np.r_[kept, needed], np.r_[q, np.full(needed.size, q.max() * 1e-8)]
        return kept, q / q.sum()


def _needed(point: Point) -> np.ndarray:
    """Return a mask of the letters that have to stay: those in use, and those that hold up the dual of some symbol.

    A letter's mass alone does not tell. In the tail of a density no letter has much, yet a few carry all of t = K q
    there; without them v = 1 / t, and with it the prices of the letters that left, would rise by as many decades as the
    masses of the tail have, they would come back one by one, and push out others. So a letter goes only if every symbol
    gets so small a share q_a K_ia / t_i of its output from it that v hardly moves.
    """
    needed = point.q > _IDLE * point.z
    t = point.kernel.matvec(point.q)
    for some in np.array_split(np.flatnonzero(~needed), max(int((~needed).sum()) // _AT_A_TIME, 1)):
        shares = (point.kernel.columns(some) / t[:, None]).max(axis=0) * point.q[some]
        needed[some] = shares > _LEAST_SHARE
    return needed


def _enough(task: ReducedProblem, wanted: float) -> float:
    """Return what letters should attain of the limits, where all letters attain `wanted`: see `Margin`."""
    return wanted + 1e-12 if task.equal.any() else 0.5 * (1 + wanted)


def _extremes(task: ReducedProblem) -> np.ndarray:
    """Return letters with which every loss that is held at its bound can be taken beyond it, on either side."""
    found = [np.empty(0, dtype=np.intp)]
    for row in np.flatnonzero(task.equal):
        for sign in (1.0, -1.0):
            choice, _ = task.letters.cheapest(np.where(np.arange(task.free.size) == row, sign, 0.0))
            found.append(choice)
    return np.unique(np.concatenate(found))


def _covering(task: ReducedProblem, letters: np.ndarray) -> np.ndarray:
    """Return the letters with as many more as it takes to leave every symbol one it may use."""
    forbidden = task.letters.forbidden
    if forbidden is None:
        return letters
    stranded = forbidden[:, letters].all(axis=1)
    chosen = list(letters)
    served = (~forbidden[stranded]).sum(axis=0)  # how many stranded symbols each letter would help
    while stranded.any():
        best = int(served.argmax())
        chosen.append(best)
        helped = stranded & ~forbidden[:, best]
        served -= (~forbidden[helped]).sum(axis=0)
        stranded &= ~helped
    return np.unique(np.array(chosen, dtype=np.intp))
