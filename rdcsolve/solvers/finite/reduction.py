"""What a solver is given: a problem reduced to the symbols, losses and multipliers that matter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rdcsolve.letters import FiniteLetters
from rdcsolve.problems import Problem


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
    """

    problem: Problem
    letters: FiniteLetters
    relevant: tuple[int, ...]
    free: np.ndarray
    bounds: np.ndarray
    fixed: np.ndarray

    @property
    def p(self) -> np.ndarray:
        """Masses of the symbols of positive mass, shape (n,)."""
        return self.letters.p

    def charge(self, multipliers: np.ndarray) -> float:
        """Return lambda.b over the limited losses: what the limits take off the dual bound."""
        return float(multipliers[self.free] @ self.bounds[self.free])

    def first_multipliers(self) -> np.ndarray:
        """Return the given multipliers, and one nat per bound for a limited loss, shape (R,)."""
        return np.where(self.free, 1 / np.where(self.free, self.bounds, 1.0), self.fixed)


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
    )


def limited_task(problem: Problem, bounds: np.ndarray) -> ReducedProblem | None:
    """Return the task of the least rate under `bounds`, shape (M,), inf where a loss is not limited.

    A bound at the minimum of its loss leaves no channel strictly inside: it turns into a mask instead, which
    forbids every pair above the symbol's minimum, and the loss is no longer limited. A mask raises the minima of
    other losses, so it may bring another limit to its minimum; None is returned if it makes one unattainable.
    """
    limited = [int(m) for m in np.flatnonzero(np.isfinite(bounds))]
    mask: np.ndarray | None = None
    masked: set[int] = set()
    waiting = True
    while waiting:
        waiting = False
        for m in limited:
            if m in masked:
                continue
            minima = _row_minima(problem, m, mask)
            room = float(bounds[m]) - float(problem.p_x @ minima)
            negligible = _negligible(problem, m, float(problem.p_x @ minima))
            if room < -negligible:
                return None
            if room <= negligible:
                matrix = problem.linear_losses[m].matrix
                above = matrix > minima[:, None] + 1e-15 * np.abs(minima)[:, None]
                mask = above if mask is None else mask | above
                masked.add(m)
                waiting = True
    relevant = limited or [0]
    letters = FiniteLetters(problem, relevant, mask)
    shifted = np.full(len(relevant), math.inf)
    free = np.zeros(len(relevant), dtype=bool)
    for row, m in enumerate(relevant):
        if m in limited and m not in masked:
            shifted[row] = bounds[m] - float(letters.p @ letters.shifts[row])
            free[row] = True
    return ReducedProblem(problem, letters, tuple(relevant), free, shifted, np.zeros(len(relevant)))


def least_loss(problem: Problem, index: int) -> float:
    """Return the least mean of a loss over all channels: sum_i p_i min_a L(i, a)."""
    return float(problem.p_x @ _row_minima(problem, index, None))


def _row_minima(problem: Problem, index: int, mask: np.ndarray | None) -> np.ndarray:
    matrix = problem.linear_losses[index].matrix
    for forbidden in (problem.forbidden, mask):
        if forbidden is not None:
            matrix = np.where(forbidden, np.inf, matrix)
    return np.where(problem.p_x > 0, matrix.min(axis=1), 0.0)


def _negligible(problem: Problem, index: int, least: float) -> float:
    """Return what summing the minima can round by: such a distance to the least value cannot be told from none."""
    matrix = problem.linear_losses[index].matrix
    top = float(matrix[np.isfinite(matrix)].max(initial=0.0))
    return 1e-14 * max(least, 1e-2 * top)
