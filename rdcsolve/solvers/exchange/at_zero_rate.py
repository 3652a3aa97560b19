"""Dual points just below zero rate, where one letter does nearly all and its price is to be exactly one.

A letter that every symbol may use alone has rate zero. With u_i = lambda.L(i, a) its price is one at any multipliers,
and the bound is lambda.(E L(., a) - limits). As long as no letter is dearer, that is the tangent at zero rate, and
where the rate is 1e-9 nat the tangent is all there is to know. The u of a restricted problem have errors of that size
themselves: their bounds say nothing there, and its multipliers jump about the largest ones at which the letter is the
dearest. So the multipliers are what is taken from it, and halved towards those that are known to be small enough.
"""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.letters.letters import Letters
from rdcsolve.letters.space import LetterSpace
from rdcsolve.results.result import Result
from rdcsolve.solvers.exchange.outcome import PricedDual

_NEAR = 1e-6  # nats: rates of which a tangent at zero misses less than what is asked for


class AtZeroRate:
    """What one letter proves at the multipliers that come up, and between them.

    Parameters
    ----------
    space : LetterSpace
        Of a problem of least rate.
    """

    def __init__(self, space: LetterSpace) -> None:
        self.space, self.problem = space, space.problem
        self.applies = (
            bool(self.problem.label_entropies) and self.problem.goal.target is None and self.problem.multipliers is None
        )
        self.best: PricedDual | None = None
        self.beyond: np.ndarray | None = None  # multipliers that proved less, the last ones

    def duals(self, found: Result, letters: Letters, upper: float) -> list[PricedDual]:
        """Return dual points to hope for, their prices searched: at a solution's multipliers, and halfway to the best.

        Parameters
        ----------
        found : Result
            Of a restricted problem.
        letters : Letters
            What it was restricted to.
        upper : float
            The least rate attained so far, nats.
        """
        if not self.applies or found.certificate is None or not upper <= _NEAR:
            return []
        used = letters.take(found.letters)
        alone = self.space.marginal(used.places[[int(np.argmax(found.q))]])
        tried = [self._tried(alone, used, found.certificate.multipliers)]
        if self.best is not None and self.beyond is not None:
            tried.append(self._tried(alone, used, (self.best.multipliers + self.beyond) / 2))
        return [dual for dual in tried if dual is not None]

    def _tried(self, alone: Letters, used: Letters, multipliers: np.ndarray) -> PricedDual | None:
        costs = np.zeros(self.problem.n_x)
        unweighted = self.space.price(costs, multipliers)
        symbols = unweighted.weights.symbols
        costs[symbols] = unweighted.weights.log_p - unweighted.terms(alone)[:, 0]
        if not np.isfinite(costs).all():
            return None  # not every symbol may use it
        dual = PricedDual(self.space, costs, multipliers)
        found = dual.prices.maxima(alone.with_more(used))
        dual.estimate(max(0.0, float(found.log_prices.max(initial=-math.inf))))
        if self.best is None or dual.lower > self.best.lower:
            self.best = dual
        else:
            self.beyond = multipliers
        return dual
