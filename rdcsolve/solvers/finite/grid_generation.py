"""Column generation on grids of any size: an interior point whose letters come and go between its Newton steps.

Where losses are sums over the axes of a grid, the prices of *all* letters cost no more than those of a few, and the
Newton matrix of any letters needs no columns. So all letters are priced at every step, letters of no use leave, dear
ones join, and nothing is begun anew. The problem is first solved on every second, fourth, ... point of the axes, as
long as these resolve the kernel; its letters are the first ones of the next finer grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rdcsolve import deadline
from rdcsolve.kernels import Kernel, SomeLetters, make_kernel
from rdcsolve.kernels.kernel import separable
from rdcsolve.problems.separable import SeparableLoss
from rdcsolve.solvers.finite.newton_system import Point, Restricted, System
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.finite.repair import repair
from rdcsolve.solvers.loop import Iterate, Start

MANY_LETTERS = 1024
"""Letters from which on this pays, where the grid resolves the kernel."""

TOO_MANY = 16384
"""Letters from which on nothing else is within reach."""

_RESOLVED = 0.15  # nats that a step along an axis may cost: a coarser grid says nothing about the finer one
_APART = 1.3  # nats that the way between two neighbours among the first letters costs
_FEWEST = 16  # points that every axis keeps on coarser grids
_MOST_ROUNDS, _MOST_STEPS = 80, 25  # of a coarse grid, and of Newton's method in a round
_AT_ONCE = 200  # letters that join in a round
_IDLE, _GONE = 1e-2, 1e-3  # q / z below which letters leave between steps, and between rounds
_CARRIED = 1e-3  # share of a symbol's output that a letter which leaves may carry
_INNER = 0.1  # of the gap over all letters: what the gap over the letters in hand is brought down to
_NEW_MASS = 1e-3
_RAISED = 0.1  # of the gap over all letters: complementarity after letters have joined
_BARELY = 1e-6  # of the largest mass: letters of less are not taken to a finer grid


@dataclass(frozen=True, eq=False)
class _Level:
    """The problem on some points of the axes: masses of the symbols, kernel over all letters of the grid."""

    p: np.ndarray
    kernel: Kernel
    letter_grid: tuple[int, ...]


def suits(task: ReducedProblem) -> bool:
    """Return whether a task is one for this method: multipliers are given, losses are sums over one grid's axes."""
    if task.free.any() or task.letters.forbidden is not None or task.letters.n_letters < MANY_LETTERS:
        return False
    found = [separable(structure) for structure in task.letters.structures]
    grids = {(one[0].grid, one[0].letter_grid) for one in found if one is not None}
    if None in found or len(grids) > 1 or len(grids.pop()[0]) == 1:
        return False
    losses = _losses(task)
    steps = [_cost_of_steps(losses, task.fixed, d, 1) for d in range(len(losses[0].grid))]
    return task.letters.n_letters >= TOO_MANY or max(steps) <= _RESOLVED


def rounds_on_grid(task: ReducedProblem, start: Start | None, tolerance: float) -> Iterator[Iterate]:
    """Yield one iterate per round of the grid itself; see `rdcsolve.solvers.loop.Solver`."""
    multipliers = task.fixed
    finest = _Level(task.p, task.letters.kernel(multipliers), _losses(task)[0].letter_grid)
    if start is not None:
        letters, q = start.letters, start.q
    else:
        letters, q = _from_coarser_grids(task, tolerance)
    for found in _rounds(finest, letters, q, tolerance):
        log_v = np.log(found.point.v) - finest.kernel.log_scale
        mended = repair(task.letters, log_v, multipliers)  # a letter in the tail shall not cost the bound its price
        q = found.q / found.q.sum()
        yield Iterate(found.letters, q, mended.log_v, multipliers, mended.bound, found.point.value)


def _losses(task: ReducedProblem) -> list[SeparableLoss]:
    found = [separable(structure) for structure in task.letters.structures]
    return [one[0] for one in found if one is not None]


# --------------------------------------------------------------------------------------------- grids


def _from_coarser_grids(task: ReducedProblem, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return letters of the grid, and masses, that are nearly those of the solution."""
    losses, multipliers = _losses(task), task.fixed
    halvings = _halvings(losses, multipliers)
    masses = np.zeros(losses[0].shape[0])
    rows = separable(task.letters.structures[0])[1]  # type: ignore[index]
    masses[slice(None) if rows is None else rows] = task.p
    tensors = [masses.reshape(losses[0].grid)]
    for _ in range(halvings):
        tensors.append(_halved(tensors[-1]))
    letters, q = _first_letters(losses, multipliers, 2**halvings)
    for level in range(halvings, 0, -1):
        step = 2**level
        coarse = [SeparableLoss([table[::step, ::step] for table in loss.tables]) for loss in losses]
        grid = coarse[0].letter_grid
        p = tensors[level].ravel()
        rows = np.flatnonzero(p)
        kernel = make_kernel([loss.at_rows(rows) for loss in coarse], multipliers)
        for number, found in enumerate(_rounds(_Level(p[rows], kernel, grid), letters, q, tolerance)):
            if found.point.value - found.lower <= tolerance or number >= _MOST_ROUNDS:
                break
        kept = found.q > _BARELY * found.q.max()
        letters, q = found.letters[kept], found.q[kept]
        places = tuple(2 * place for place in np.unravel_index(letters, grid))
        finer = tuple(-(-side // 2 ** (level - 1)) for side in losses[0].letter_grid)
        letters = np.ravel_multi_index(places, finer)
    return letters, q


def _halvings(losses: Sequence[SeparableLoss], multipliers: np.ndarray) -> int:
    """Return how often the axes may be halved, so that they still resolve the kernel and have some points."""
    count = 0
    while True:
        step = 2 ** (count + 1)
        sides = [min(-(-n // step), -(-k // step)) for n, k in zip(losses[0].grid, losses[0].letter_grid, strict=True)]
        costs = [_cost_of_steps(losses, multipliers, d, step) for d in range(len(sides))]
        if min(sides) < _FEWEST or max(costs) > _RESOLVED:
            return count
        count += 1


def _cost_of_steps(losses: Sequence[SeparableLoss], multipliers: np.ndarray, d: int, step: int) -> float:
    """Return what the letter so many steps from the best costs more than the best, for most symbols of axis d; nats."""
    table = sum(multiplier * loss.tables[d] for multiplier, loss in zip(multipliers, losses, strict=True))
    assert isinstance(table, np.ndarray)
    best = table.argmin(axis=1)
    other = np.where(best + step < table.shape[1], best + step, best - step)
    inside = other >= 0
    if not inside.any():
        return math.inf
    rows = np.flatnonzero(inside)
    return float(np.median(table[rows, other[rows]] - table[rows, best[rows]]))


def _halved(tensor: np.ndarray) -> np.ndarray:
    """Return the masses at every second point of all axes: those between are shared out among their neighbours."""
    for axis in range(tensor.ndim):
        tensor = np.moveaxis(tensor, axis, 0)
        even, odd = tensor[::2].copy(), tensor[1::2]
        even[: len(odd)] += 0.5 * odd
        even[1 : len(odd) + 1] += 0.5 * odd[: len(even) - 1]
        if len(odd) == len(even):  # the last point has no neighbour beyond
            even[-1] += 0.5 * odd[-1]
        tensor = np.moveaxis(even, 0, axis)
    return tensor


def _first_letters(
    losses: Sequence[SeparableLoss], multipliers: np.ndarray, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return letters about a kernel's width apart, on the grid of every so many points, and equal masses."""
    places, grid = [], []
    for d, side in enumerate(losses[0].letter_grid):
        size = -(-side // step)
        apart = 1
        while 2 * apart < size and _cost_of_steps(losses, multipliers, d, step * (apart + 1)) <= _APART:
            apart += 1
        places.append(np.arange(min(apart // 2, size - 1), size, apart))
        grid.append(size)
    letters = np.ravel_multi_index(np.meshgrid(*places, indexing="ij"), grid).ravel()
    return letters, np.full(letters.size, 1 / letters.size)


# --------------------------------------------------------------------------------------------- rounds


class _Round(NamedTuple):
    """Letters in hand with their masses, the point they belong to, and the prices of all letters."""

    letters: np.ndarray
    q: np.ndarray
    point: Point
    prices: np.ndarray

    @property
    def lower(self) -> float:
        """The bound over all letters."""
        in_hand, overall = float(self.prices[self.letters].max()), float(self.prices.max())
        return self.point.lower + math.log(in_hand) - math.log(overall)


def _rounds(level: _Level, letters: np.ndarray, q: np.ndarray, tolerance: float) -> Iterator[_Round]:
    """Yield what is in hand round after round, each as soon as letters in hand say less than those that are not."""
    state = _State(level, letters, np.maximum(q, 1e-7 / q.size))
    while True:
        for _ in range(_MOST_STEPS):
            deadline.look()
            now = _Round(state.letters, state.q, state.point, state.prices)
            gap = now.point.value - now.point.lower
            if gap <= max(0.2 * tolerance, _INNER * (now.point.value - now.lower)):
                break
            state.advance()
        yield now
        if not state.exchange(tolerance):
            state.advance()


class _State:
    """An interior point on letters that join and leave."""

    def __init__(self, level: _Level, letters: np.ndarray, q: np.ndarray) -> None:
        self.level = level
        nothing = np.zeros(1, dtype=bool)
        self.data = Restricted(level.p, (), None, nothing, np.full(1, math.inf))
        self.letters, q = letters, q / q.sum()
        self.joined = 0  # how many of the letters, the last ones, came in the last exchange
        kernel = SomeLetters(level.kernel, letters)
        self.v = 1 / kernel.matvec(q)
        c = kernel.rmatvec(level.p * self.v)
        mu = min(max(float(np.log(c.max())) / q.size, 1e-11), 1e-2)
        self.q = np.maximum(q, mu)
        self.z = np.maximum(1 - c, mu / self.q)
        self._look()

    def _look(self) -> None:
        """Evaluate the Newton system of the numbers in hand, and price all letters."""
        kernel = SomeLetters(self.level.kernel, self.letters)
        none = np.zeros(0)
        free = np.zeros(0, dtype=np.intp)
        self.system = System(self.data, kernel, self.q, self.v, self.z, np.zeros(1), none, free)
        self.prices = kernel.prices
        self.point = self.system.point()

    def advance(self) -> None:
        """Take one Newton step, and drop the letters that it has given up."""
        self.q, self.v, self.z, *_ = self.system.advance()
        wanted = self.q > _IDLE * self.z * self.q.max()
        wanted[wanted.size - self.joined :] = True  # they have had no time to gather mass
        self._keep(wanted, least=0.8)
        self._look()

    def exchange(self, tolerance: float) -> bool:
        """Drop letters of no use, add those that are dearer than their neighbours and than one; return whether any."""
        from scipy.ndimage import maximum_filter

        now = _Round(self.letters, self.q, self.point, self.prices)
        over_all = now.point.value - now.lower
        self.joined = 0
        self._keep(self.q > _GONE * self.z, least=0.9)
        # prices of all letters are too high by about as much as those in hand are, as long as these are not solved
        inside, largest = float(self.prices[self.letters].max()), float(self.prices.max())
        prices = self.prices / max(inside, 1.0) if inside < 1 + 0.5 * (largest - 1) else self.prices
        tensor = prices.reshape(self.level.letter_grid)
        peaks = np.flatnonzero((tensor == maximum_filter(tensor, 3)) & (tensor > 1 + 0.1 * tolerance))
        peaks = np.setdiff1d(peaks[np.argsort(-prices[peaks])[:_AT_ONCE]], self.letters)
        if peaks.size:
            self.joined = peaks.size
            size = self.letters.size + peaks.size
            mu = min(max(float(self.q @ self.z), _RAISED * over_all) / size, 1e-2)
            self._raise(mu)
            z = np.maximum(np.maximum(self.prices[peaks] - 1, math.sqrt(mu)), 1e-12)
            self.letters = np.r_[self.letters, peaks]
            self.q = np.r_[self.q, np.minimum(mu / z, _NEW_MASS)]
            self.z = np.r_[self.z, z]
        self._look()
        return bool(peaks.size)

    def _raise(self, mu: float) -> None:
        """Raise q z to mu where it is below, by the smaller of the two: from a corner no Newton step leads far."""
        low, is_used = self.q * self.z < mu, self.q >= self.z
        self.z = np.where(low & is_used, mu / self.q, self.z)
        self.q = np.where(low & ~is_used, mu / self.z, self.q)

    def _keep(self, wanted: np.ndarray, least: float) -> None:
        """Keep the letters wanted, and those that carry some symbol's output, if that is fewer than a share `least`."""
        if wanted.sum() >= least * wanted.size:
            return
        kernel = SomeLetters(self.level.kernel, self.letters)
        t = kernel.matvec(self.q)
        lost = kernel.matvec(np.where(wanted, 0.0, self.q)) > _CARRIED * t
        if lost.any():  # in the tail of a density no letter has much mass, and yet some carry all there is
            wanted = wanted | (self.q * kernel.rmatvec(np.where(lost, 1 / t, 0.0)) > _CARRIED)
        self.letters, self.q, self.z = self.letters[wanted], self.q[wanted], self.z[wanted]
