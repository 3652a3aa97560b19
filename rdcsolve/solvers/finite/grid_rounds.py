"""Rounds of column generation on a grid, at given multipliers and at those that meet limits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rdcsolve import deadline
from rdcsolve.kernels import Kernel, SomeLetters, make_kernel
from rdcsolve.kernels.kernel import on_grid
from rdcsolve.problems.line import LineLoss
from rdcsolve.problems.separable import SeparableLoss
from rdcsolve.problems.structures import LossStructure
from rdcsolve.solvers.finite.best_channel import BestChannel, best_channel
from rdcsolve.solvers.finite.newton_system import Point, Restricted, System
from rdcsolve.solvers.finite.reduction import ReducedProblem

_MOST_STEPS = 25  # of Newton's method in a round
_AT_ONCE = 200  # letters that join in a round
_IDLE, _GONE = 1e-2, 1e-3  # q / z below which letters leave between steps, and between rounds
_CARRIED = 1e-3  # share of a symbol's output that a letter which leaves may carry
_INNER = 0.1  # of the gap over all letters: what the gap over the letters in hand is brought down to
_NEW_MASS = 1e-3
_RAISED = 0.1  # of the gap over all letters: complementarity after letters have joined
_FIRST_AIM = 1e-2  # nats: gap at the first multipliers
_OF_GAP = 0.1  # of the gap at the limits: what the next multipliers are solved to
_ROUNDS_EACH = 8  # at one choice of multipliers
_PATIENCE = 5  # choices of multipliers that do not halve the gap
_NOTHING = 1e-7  # nats: a multiplier times its bound that is none
_LONGEST = math.log(2.0)  # step of a multiplier's logarithm


@dataclass(frozen=True, eq=False)
class CoarseLetters:
    """What `FiniteLetters` is asked for here: masses (n,) and losses over all letters."""

    p: np.ndarray
    structures: tuple[LossStructure, ...]
    forbidden: None = None

    def restricted(self, _: np.ndarray) -> tuple[tuple[Any, ...], None]:
        """Return the losses of all letters, and no mask."""
        return self.structures, None


@dataclass(frozen=True, eq=False)
class _Level:
    """A grid at some multipliers: masses of the symbols, kernel over all letters."""

    p: np.ndarray
    kernel: Kernel
    letter_grid: tuple[int, ...]


class Attempt(NamedTuple):
    """What is in hand at some multipliers: the last round, and the value of what meets the limits; nats.

    Attributes
    ----------
    last : Round
    multipliers : numpy.ndarray
        Shape (R,).
    log_scale : numpy.ndarray
        Shape (n,), of the kernel.
    lower : float
        The dual bound, limits charged.
    value : float
        What the best channel with these masses costs that meets the limits, or the Lagrangian where there are none.
    """

    last: Round
    multipliers: np.ndarray
    log_scale: np.ndarray
    lower: float
    value: float


GridLoss = SeparableLoss | LineLoss


def grid_losses(structures: Sequence[LossStructure]) -> list[GridLoss]:
    """Return the losses over the whole grid that structures are rows of."""
    found = [on_grid(structure) for structure in structures]
    return [one[0] for one in found if one is not None]


def attempts(
    task: ReducedProblem, letters: np.ndarray, q: np.ndarray, multipliers: np.ndarray, tolerance: float
) -> Iterator[Attempt]:
    """Yield what is in hand: after every round at given multipliers, or at one choice of multipliers after the other.

    At multipliers that are nearly right the masses are so too, and the multipliers with which these masses meet the
    limits are better. That map is close to its fixed point whatever one starts from, for the conditional variances of
    the losses change little with the masses; Broyden's method makes it converge faster than linearly. What it is off
    by costs the dual bound the square of that.
    """
    grid = grid_losses(task.letters.structures)[0].letter_grid
    if not task.free.any():
        level = _Level(task.p, make_kernel(task.letters.structures, multipliers), grid)
        for found in rounds(level, letters, q, tolerance):
            yield Attempt(found, multipliers, level.kernel.log_scale, found.lower, found.point.value)
        return
    search, aim, best, idle = _Search(task), _FIRST_AIM, math.inf, 0
    while idle <= _PATIENCE:
        level = _Level(task.p, make_kernel(task.letters.structures, multipliers), grid)
        for number, found in enumerate(rounds(level, letters, q, aim)):
            if found.point.value - found.lower <= aim or number >= _ROUNDS_EACH:
                break
        letters, q = found.letters, found.q
        masses = np.zeros(math.prod(grid))
        masses[letters] = q / q.sum()
        tilted = _meeting_limits(task, masses, multipliers)
        lower = found.lower - task.charge(multipliers)
        value = math.inf if tilted is None else float(task.p @ tilted.log_v) - task.charge(tilted.multipliers)
        yield Attempt(found, multipliers, level.kernel.log_scale, lower, value)
        gap = abs(value - lower)
        best, idle = (gap, 0) if gap < 0.5 * best else (best, idle + 1)
        aim = max(0.2 * tolerance, min(_OF_GAP * gap, aim))
        means = _means(task, level.kernel, masses)
        multipliers = search.next(multipliers, None if tilted is None else tilted.multipliers, means)


def _meeting_limits(task: ReducedProblem, masses: np.ndarray, multipliers: np.ndarray) -> BestChannel | None:
    """Return the best channel with these masses of all letters that meets the limits, or None."""
    try:
        with np.errstate(all="ignore"):  # masses that cannot meet the limits take multipliers out of range
            tilted = best_channel(task, np.arange(masses.size), masses, multipliers, accuracy=1e-9)
    except (np.linalg.LinAlgError, ArithmeticError):
        return None
    return tilted if tilted.met and np.isfinite(tilted.log_v).all() else None


def _means(task: ReducedProblem, kernel: Kernel, masses: np.ndarray) -> np.ndarray:
    """Return the means of the losses of limits in the channel of these masses; shape (R,), zero where not limited."""
    weights = task.p / kernel.matvec(masses)
    means = np.zeros(task.free.size)
    for m in np.flatnonzero(task.free).tolist():
        means[m] = weights @ kernel.loss_matvec(m, masses)
    return means


class _Search:
    """Broyden's method for the logarithms of the multipliers of active limits, kept between bounds where one is."""

    def __init__(self, task: ReducedProblem) -> None:
        self.task = task
        self._last: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None  # which are active, x, and the map's step
        self._inverse = np.empty((0, 0))
        self._between = [0.0, math.inf]  # what is known to be too little and too much, where one multiplier is free

    def next(self, multipliers: np.ndarray, proposed: np.ndarray | None, means: np.ndarray) -> np.ndarray:
        """Return the multipliers to try next.

        Parameters
        ----------
        multipliers : numpy.ndarray
            Shape (R,): the last ones.
        proposed : numpy.ndarray or None
            What the map makes of them; None where no multipliers meet the limits with these masses.
        means : numpy.ndarray
            Shape (R,): of the losses at the last ones.
        """
        free, bounds = self.task.free, np.where(self.task.free, self.task.bounds, 1.0)
        if proposed is None:
            proposed = np.where(free & (means > bounds), 2 * np.maximum(multipliers, 0.5 / bounds), multipliers)
        least = _NOTHING / bounds
        # a multiplier that the map takes to zero may be too large only beside the others: it goes there by steps
        proposed = np.where(free & (multipliers > least), np.maximum(proposed, 0.25 * multipliers), proposed)
        active = free & (multipliers > least) & (proposed > least)
        result = np.where(free, np.where(proposed > least, proposed, 0.0), multipliers)
        if active.any():
            x = np.log(multipliers[active])
            way = self._way(active, x, np.log(proposed[active]) - x)
            longest = float(np.abs(way).max())
            result[active] = np.exp(x + way * min(1.0, _LONGEST / max(longest, 1e-300)))
        else:
            self._last = None
        return self._inside(multipliers, result, means)

    def _way(self, active: np.ndarray, x: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Return the quasi-Newton step to where the map's step is zero."""
        if self._last is None or not np.array_equal(self._last[0], active):
            self._inverse = -np.eye(x.size)
        else:
            moved, change = x - self._last[1], step - self._last[2]
            carried = moved @ self._inverse
            scale = float(carried @ change)
            if abs(scale) > 1e-3 * float(moved @ moved):  # else the secant says nothing
                self._inverse += np.outer(moved - self._inverse @ change, carried) / scale
        self._last = active, x, step
        way = -self._inverse @ step
        if not way @ step > 0:  # a secant that leads back
            self._inverse, way = -np.eye(x.size), step
        return way

    def _inside(self, multipliers: np.ndarray, result: np.ndarray, means: np.ndarray) -> np.ndarray:
        """Return the multipliers, a single one between what is known to be too little and too much."""
        free = np.flatnonzero(self.task.free)
        if free.size > 1:
            return result
        m = int(free[0])
        side = 0 if means[m] > self.task.bounds[m] else 1  # the mean falls as the multiplier grows
        self._between[side] = float(multipliers[m])
        low, high = self._between
        if not low < result[m] < high:
            result[m] = math.sqrt(max(low, 1e-3 * high) * high) if high < math.inf else 2 * low
        return result


class Round(NamedTuple):
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


def rounds(level: _Level, letters: np.ndarray, q: np.ndarray, tolerance: float) -> Iterator[Round]:
    """Yield what is in hand round after round, each as soon as letters in hand say less than those that are not."""
    state = _State(level, letters, np.maximum(q, 1e-7 / q.size))
    while True:
        for _ in range(_MOST_STEPS):
            deadline.look()
            now = Round(state.letters, state.q, state.point, state.prices)
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
        now = Round(self.letters, self.q, self.point, self.prices)
        over_all = now.point.value - now.lower
        self.joined = 0
        self._keep(self.q > _GONE * self.z, least=0.9)
        # prices of all letters are too high by about as much as those in hand are, as long as these are not solved
        inside, largest = float(self.prices[self.letters].max()), float(self.prices.max())
        prices = self.prices / max(inside, 1.0) if inside < 1 + 0.5 * (largest - 1) else self.prices
        tensor = prices.reshape(self.level.letter_grid)
        peaks = np.flatnonzero((tensor == _largest_nearby(tensor)) & (tensor > 1 + 0.1 * tolerance))
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


def _largest_nearby(tensor: np.ndarray) -> np.ndarray:
    """Return the largest entry among each one and its neighbours along the axes and across them."""
    for axis in range(tensor.ndim):
        tensor = np.moveaxis(tensor, axis, 0)
        largest = tensor.copy()
        np.maximum(largest[1:], tensor[:-1], out=largest[1:])
        np.maximum(largest[:-1], tensor[1:], out=largest[:-1])
        tensor = np.moveaxis(largest, 0, axis)
    return tensor
