"""Dual points: the numbers on which every lower bound rests, and the one formula of that bound for solvers.

The check of certificates has a formula of its own, on purpose: it shares no code with whoever found the numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.rounding import exact_dot, two_product, two_sum


@dataclass(frozen=True, eq=False)
class DualPoint:
    """Numbers u and multipliers lambda; with c(a) = sum_i p_i exp(u_i - lambda.L(i, a)) they bound every objective.

    Parameters
    ----------
    u : numpy.ndarray
        Shape (n_x,), nats.
    multipliers : numpy.ndarray
        Shape (M,), aligned with the problem's losses, >= 0 but for losses that are held at their bounds.
    rest : numpy.ndarray
        Shape (n_x,): what u's rounding left out; the exact numbers are u + rest. Where a loss has a large constant part
        u is as large, and its last digit would cost the bound more than everything else.
    """

    u: np.ndarray
    multipliers: np.ndarray
    rest: np.ndarray

    @classmethod
    def of(cls, u: np.ndarray, multipliers: np.ndarray) -> DualPoint:
        """Return the point with nothing left out of u."""
        return cls(u, multipliers, np.zeros(u.shape))

    @classmethod
    def zero(cls, problem: Problem) -> DualPoint:
        """Return the point that proves that no rate is negative."""
        return cls.of(np.zeros(problem.n_x), np.zeros(len(problem.losses)))

    @classmethod
    def shifted(
        cls, problem: Problem, symbols: np.ndarray, log_v: np.ndarray, multipliers: np.ndarray, shifts: np.ndarray
    ) -> DualPoint:
        """Return the point whose u is `log_v` + lambda.shifts at some symbols, exactly.

        Parameters
        ----------
        problem : Problem
        symbols : numpy.ndarray
            Shape (n,).
        log_v : numpy.ndarray
            Shape (n,): u in the scale of losses from which `shifts` were subtracted.
        multipliers : numpy.ndarray
            Shape (M,).
        shifts : numpy.ndarray
            Shape (M, n).
        """
        total, rest = np.array(log_v, dtype=float), np.zeros(log_v.shape)
        for m in np.flatnonzero(multipliers):
            product, left = two_product(multipliers[m], shifts[m])
            total, lost = two_sum(total, product)
            rest = rest + (left + lost)
        total, rest = two_sum(total, rest)
        u, whole = np.zeros(problem.n_x), np.zeros(problem.n_x)
        u[symbols], whole[symbols] = total, rest
        return cls(u, multipliers, whole)

    def plane(self, problem: Problem, log_largest: float = 0.0) -> float:
        """Return p.u - log C, nats: what I(X; A) + lambda.E L is at least, for every channel."""
        used = problem.p_x > 0
        p = problem.p_x[used]
        return exact_dot((p, self.u[used]), (p, self.rest[used]), plus=(-log_largest,))

    def bound(self, problem: Problem, log_largest: float = 0.0) -> float:
        """Return the lower bound on the problem's objective, -inf where none follows.

        Parameters
        ----------
        problem : Problem
        log_largest : float, optional
            log C, nats: the logarithm of the largest price c(a), or of a bound of it.
        """
        goal = problem.goal
        if not math.isfinite(log_largest) or not goal.admits(self.multipliers, problem.bounds, problem.held):
            return -math.inf
        used, charged = problem.p_x > 0, goal.charged(self.multipliers)
        p, limited = problem.p_x[used], np.flatnonzero(charged)
        pairs = [(p, self.u[used]), (p, self.rest[used]), (-charged[limited], problem.bounds[limited])]
        return exact_dot(*pairs, plus=(-goal.rate, -log_largest)) / goal.slope(self.multipliers)

    def scaled(self, log_largest: float) -> DualPoint:
        """Return the point with every price divided by the largest one."""
        u, left = two_sum(self.u, -log_largest)
        return DualPoint(u, self.multipliers, self.rest + left)
