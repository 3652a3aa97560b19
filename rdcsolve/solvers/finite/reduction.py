"""What a solver is given: a problem reduced to the symbols, losses and multipliers that matter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rdcsolve.letters import FiniteLetters
from rdcsolve.problems import Problem
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.rounding import UNIT

_NOTHING = 1e-15  # of all mass: what a limit leaves pairs that are forbidden in effect, which changes rates by 1e-13
_STATED = 1e-14  # of the least value: what a bound that somebody has computed at it may be off by
_SMALL = 1e-12  # of the spread: a distance that changes no rate by more than 1e-10
_HIDDEN = 1e-6  # of the spread: what the rounding of a large level may hide of a limit below the least value
_ROUNDINGS = 16  # of a mean, beside one for every symbol
_MOST_OF = 0.75
_NEVER = 1e300  # a loss that no room has a place for
_TIE = 1e-15  # of a symbol's least loss: losses closer to it count as equal


@dataclass(frozen=True, eq=False)
class Face:
    """Weights w of the limits under which no channel within them may use any but its symbols' cheapest letters.

    No channel has a smaller mean of w.L than w.b. So every channel within the limits has that mean: it uses letters at
    which w.L is least, and limits of positive weight are met with equality.

    Attributes
    ----------
    weights : numpy.ndarray
        Shape (R,): negative at most for losses that are held at their bounds.
    masked : numpy.ndarray
        Shape (n, k): the pairs above the least, which earlier faces had left.
    """

    weights: np.ndarray
    masked: np.ndarray


@dataclass(frozen=True, eq=False)
class ReducedProblem:
    """Minimise I + fixed.E L over channels with E L <= bounds, in the letters' shifted losses.

    Attributes
    ----------
    letters : FiniteLetters
    relevant : tuple of int
        R indices into the problem's losses: those that `letters` holds.
    free : numpy.ndarray
        Shape (R,), bool: limited losses, whose multipliers are to be found.
    bounds : numpy.ndarray
        Shape (R,): shifted bounds, > 0 where free, inf elsewhere.
    fixed : numpy.ndarray
        Shape (R,): given multipliers, zero where free.
    equal : numpy.ndarray
        Shape (R,), bool: free losses whose means are to equal their bounds, so that multipliers may have either sign.
    faces : tuple of Face
        What forbids the pairs that no channel within the limits uses, in the order in which they were found.
    """

    problem: Problem
    letters: FiniteLetters
    relevant: tuple[int, ...]
    free: np.ndarray
    bounds: np.ndarray
    fixed: np.ndarray
    equal: np.ndarray
    faces: tuple[Face, ...] = ()

    @property
    def p(self) -> np.ndarray:
        """Masses of the symbols of positive mass, shape (n,)."""
        return self.letters.p

    def charge(self, multipliers: np.ndarray) -> float:
        """Return lambda.b over the limited losses: what the limits take off the dual bound."""
        return float(multipliers[self.free] @ self.bounds[self.free])

    @cached_property
    def least_means(self) -> np.ndarray:
        """Least means of the losses, which the letters' shifts took off; shape (R,)."""
        return np.array([mean_excess(self.p, shift) for shift in self.letters.shifts])

    def first_multipliers(self) -> np.ndarray:
        """Return the given multipliers, one nat per bound for a limited loss, none for one held at its bound."""
        limited = self.free & ~self.equal
        return np.where(limited, 1 / np.where(limited, self.bounds, 1.0), self.fixed)

    @cached_property
    def scales(self) -> np.ndarray:
        """Distances that count as one where a limit is missed: bounds, or spreads of those held; shape (R,)."""
        return np.where(self.equal, self.spreads, np.where(self.free, self.bounds, 1.0))

    @cached_property
    def spreads(self) -> np.ndarray:
        """Largest differences of the losses between pairs that are left to one symbol, shape (R,).

        Beside a penalty that is masked, what is ordinary may be below any share of the spread of all losses.
        """
        if not self.faces:
            return np.array([self.problem.spread(m) for m in self.relevant])
        return np.array([loss.extremes(self.letters.forbidden).highest.max() for loss in self.letters.structures])

    @cached_property
    def ranges(self) -> np.ndarray:
        """Distances of the losses on which a multiplier is one nat, shape (R,).

        The spread of a loss that is held at its bound. Else the least mean that a letter has which ignores the symbol:
        that far from the least loss rates end. Just above the least loss the bound may be far below all differences
        between letters, and says nothing about multipliers. Symbols to which a letter is forbidden count with the
        dearest pair of all: a letter of the few for whom it is the best says nothing either.
        """
        ranges = self.scales.copy()
        banned = self.letters.forbidden
        for row in np.flatnonzero(self.free & ~self.equal).tolist():
            loss = self.letters.structures[row]
            costs = loss.weighted_sum(self.p)
            if banned is not None:
                costs = costs + float(loss.extremes(banned).highest.max()) * (self.p @ banned)
            ranges[row] = max(ranges[row], float(costs.min()))
        return ranges


def fixed_task(problem: Problem) -> ReducedProblem:
    """Return the task of a problem at fixed multipliers."""
    assert problem.multipliers is not None
    relevant = [int(m) for m in np.flatnonzero(problem.multipliers)] or [0]
    letters = FiniteLetters(problem, relevant)
    nothing_free = np.zeros(len(relevant), dtype=bool)
    return ReducedProblem(
        problem,
        letters,
        tuple(relevant),
        nothing_free,
        np.full(len(relevant), math.inf),
        problem.multipliers[relevant].copy(),
        nothing_free,
    )


def masked_task(problem: Problem, bounds: np.ndarray) -> ReducedProblem | None:
    """Return the task of the least rate under `bounds`, shape (M,), inf where a loss is not limited.

    A limit leaves a pair at most its room above the least mean, divided by what the pair costs beyond its symbol's
    least. Pairs to which that is no mass to speak of turn into a mask: those of a penalty that stands for "forbidden",
    and all pairs above the least where the bound is at the minimum of its loss, which leaves no channel strictly inside
    and is no longer limited then. A mask raises the minima of other losses, so it may bring another limit to its
    minimum; None is returned if it makes one unattainable.
    """
    task, is_sure = _masked(problem, bounds, {})
    if is_sure:
        return task
    spared = _spared(problem, bounds)
    kinder, is_sure = _masked(problem, bounds, spared)
    return kinder if is_sure else task


def _spared(problem: Problem, bounds: np.ndarray) -> dict[int, np.ndarray]:
    """Return which pairs cost too little for a limit at its least value to tell, by loss: shape (n_x, n_letters), bool.

    However symbols choose among them, together they raise the mean by less than its room and what it may be rounded by.
    Where two such limits ask for different letters of a symbol of mass 1e-15, the one to which it is a rounding has to
    leave it to the other.
    """
    spared = {}
    for m in np.flatnonzero(np.isfinite(bounds) & ~problem.equal).tolist():
        minima = problem.row_minima(m)
        room = -mean_excess(problem.p_x, minima, float(bounds[m]))
        if not room <= negligible(problem, m):
            continue
        losses = np.minimum(problem.linear_losses[m].block(), _NEVER)
        costs = problem.p_x[:, None] * np.maximum(losses - minima[:, None], 0.0)
        in_rows = np.argsort(costs, axis=1)
        ascending = np.take_along_axis(costs, in_rows, axis=1)
        more = np.diff(ascending, axis=1, prepend=0.0)  # what one letter more adds to a symbol's largest cost
        order = np.argsort(ascending, axis=None, kind="stable")
        few = np.zeros(costs.size, dtype=bool)
        few[order] = np.cumsum(more.ravel()[order]) <= max(room, 0.0) + _granted(problem, m)
        spared[m] = np.zeros(costs.shape, dtype=bool)
        np.put_along_axis(spared[m], in_rows, few.reshape(costs.shape), axis=1)
    return spared


def _granted(problem: Problem, index: int) -> float:
    """Return how far above a bound at the least value a mean may be, most of what the check grants to rounding."""
    rounding = UNIT * (np.count_nonzero(problem.p_x) + _ROUNDINGS) * problem.p_x @ np.abs(problem.row_minima(index))
    return _MOST_OF * min(float(rounding), _SMALL * problem.spread(index))


def _masked(problem: Problem, bounds: np.ndarray, spared: dict[int, np.ndarray]) -> tuple[ReducedProblem | None, bool]:
    """Return the task with masks, none of which touches the pairs that its loss spares, and whether it is sure.

    It is not where a mask raises another least mean above its bound: limits may contradict each other in the digits
    that their bounds are rounded in.
    """
    limited = [int(m) for m in np.flatnonzero(np.isfinite(bounds))]
    relevant = limited or [0]
    used = np.flatnonzero(problem.p_x > 0)
    mask: np.ndarray | None = None
    masked: set[int] = set()
    faces: list[Face] = []
    waiting = is_sure = True
    while waiting:
        waiting = False
        for m in limited:
            minima = _row_minima(problem, m, mask)
            if not np.isfinite(minima).all():
                return None, False
            room = -mean_excess(problem.p_x, minima, float(bounds[m]))
            is_sure = is_sure and room >= -_granted(problem, m)
            if m in masked:
                continue
            if room < -_below(problem, m, minima, mask is not None):
                return None, False
            above, is_least = _excluded(problem, m, minima, room)
            if above is None:
                continue
            if m in spared:
                above = above & ~spared[m]
            known = [banned for banned in (mask, problem.forbidden) if banned is not None]
            new = above & ~np.logical_or.reduce(known) if known else above
            if is_least or new[used].any():
                mask = above if mask is None else mask | above
                faces.append(Face(np.array([float(other == m) for other in relevant]), new[used]))
                waiting = True
            if is_least:
                masked.add(m)
    letters = FiniteLetters(problem, relevant, mask)
    shifted = np.full(len(relevant), math.inf)
    free = np.zeros(len(relevant), dtype=bool)
    for row, m in enumerate(relevant):
        if m in limited and m not in masked:
            shifted[row] = -mean_excess(letters.p, letters.shifts[row], float(bounds[m]))
            free[row] = True
    equal = free & problem.equal[relevant]
    nothing = np.zeros(len(relevant))
    task = ReducedProblem(problem, letters, tuple(relevant), free, shifted, nothing, equal, tuple(faces))
    return task, is_sure


def _below(problem: Problem, index: int, minima: np.ndarray, is_masked: bool) -> float:
    """Return how far below the least mean a bound may be; beside a mask, which may raise that from zero to anything."""
    rounding = _sum_rounding(problem, index, minima)
    if not is_masked:
        return rounding
    return max(rounding, min(_STATED * float(problem.p_x @ np.abs(minima)), _SMALL * problem.spread(index)))


def _excluded(problem: Problem, index: int, minima: np.ndarray, room: float) -> tuple[np.ndarray | None, bool]:
    """Return the mask of pairs that a limit's room leaves no mass to speak of, and whether that is all above the least.

    Moving a mass of 1e-15 to the symbols' cheapest letters changes the rate by some 1e-13 nats, and raises no mean of
    this loss. A limit that is to hold with equality keeps the pairs without which no mean would be large enough.
    """
    if room <= negligible(problem, index):
        return _above(problem, index, minima), True
    if not room < _NOTHING * problem.spread(index):
        return None, False
    used = problem.p_x > 0
    above = _above(problem, index, minima)
    excess = problem.linear_losses[index].block() - minima[:, None]
    dear = above & (excess > room / _NOTHING)
    if problem.equal[index]:
        reached = problem.p_x[used] @ np.where(dear, 0.0, excess)[used].max(axis=1)
        return (dear, False) if reached > room else (None, False)
    return dear, bool((dear == above)[used].all())


def least_loss(problem: Problem, index: int) -> float:
    """Return the least mean of a loss over all channels: sum_i p_i min_a L(i, a), rounded once."""
    return problem.least_mean(index)


def least_pairs(problem: Problem, index: int) -> np.ndarray:
    """Return the mask, shape (n_x, n_letters), of pairs at the symbol's least value of a stored loss."""
    return ~_above(problem, index, _row_minima(problem, index, None))


def is_below_least(problem: Problem, index: int, bound: float) -> bool:
    """Return whether a bound on a loss is below its least value, by more than can be told from none."""
    return mean_excess(problem.p_x, problem.row_minima(index), bound) > least_rounding(problem, index)


def least_rounding(problem: Problem, index: int) -> float:
    """Return how far below the least value of a loss a bound may be that somebody has computed at it.

    That is a sum of n products in floats, each term of which is rounded n + 4 times at most: the check reads no lower
    bound as the least value. Where losses have a constant part of many spreads that could hide all differences, so it
    is at most a millionth of the spread, unless no choice of letters makes any difference.
    """
    return _sum_rounding(problem, index, problem.row_minima(index))


def _sum_rounding(problem: Problem, index: int, minima: np.ndarray) -> float:
    """Return the rounding of `least_rounding` for least values, shape (n_x,), that a mask may have raised."""
    spread = problem.spread(index)
    rounding = UNIT * (np.count_nonzero(problem.p_x) + 4) * float(problem.p_x @ np.abs(minima))
    return min(rounding, _HIDDEN * spread) if spread else rounding


def negligible(problem: Problem, index: int) -> float:
    """Return a distance of a bound above the least value of its loss that leaves no more room than none.

    Our own sums are exact, but whoever states a bound at the least value has computed it, and its rounding is relative
    to the least value itself. As a distance that would be enormous beside a large constant part, so the loss's spread
    keeps it small: what is added to all losses of a symbol, and to the bound, changes nothing.
    """
    least, spread = abs(least_loss(problem, index)), problem.spread(index)
    return min(_STATED * least, _SMALL * spread) if spread else _STATED * least  # no channel makes any difference


def _row_minima(problem: Problem, index: int, mask: np.ndarray | None) -> np.ndarray:
    if mask is None:
        return problem.row_minima(index)
    forbidden = mask if problem.forbidden is None else mask | problem.forbidden
    minima = problem.linear_losses[index].row_minima(None, forbidden)
    return np.where(problem.p_x > 0, minima, 0.0)


def _above(problem: Problem, index: int, minima: np.ndarray) -> np.ndarray:
    """Return the mask of pairs whose loss is above the symbol's least, by more than equal losses may be rounded."""
    ties = np.minimum(_TIE * np.abs(minima), _SMALL * problem.spread(index))
    return problem.linear_losses[index].block() - minima[:, None] > ties[:, None]
