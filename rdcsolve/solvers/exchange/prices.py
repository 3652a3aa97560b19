"""What a dual point asks for letters with soft decisions: their prices, and where these are largest."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from rdcsolve.letters.pricing.decisions import Decisions, local_maxima
from rdcsolve.letters.pricing.points import FreeLetters
from rdcsolve.letters.weights import DualWeights
from rdcsolve.problems import Problem
from rdcsolve.problems.losses import log_loss
from rdcsolve.solvers.exchange.letters import SplitLetters


class Priced(NamedTuple):
    """Letters and the logarithms of their prices, shape (k,), nats."""

    letters: SplitLetters
    log_prices: np.ndarray

    def with_more(self, others: Priced) -> Priced:
        """Return these letters and others, equal ones twice."""
        return Priced(self.letters.joined(others.letters), np.r_[self.log_prices, others.log_prices])


class Prices:
    """The prices of letters at a dual point.

    Parameters
    ----------
    problem : Problem
    numbers : DualWeights
        Of the dual point.
    """

    def __init__(self, problem: Problem, numbers: DualWeights) -> None:
        self.problem, self.numbers = problem, numbers

    def terms(self, letters: SplitLetters) -> np.ndarray:
        """Return the logarithms of the terms of the letters' prices, shape (n, k)."""
        exponent = self.numbers.terms_at(letters.places)
        for multiplier, label, soft in zip(
            self.numbers.label_multipliers, self.numbers.labels, letters.decisions, strict=True
        ):
            if multiplier > 0:
                exponent = exponent - multiplier * log_loss(label, soft)
        return exponent

    def logs(self, letters: SplitLetters) -> np.ndarray:
        """Return the logarithms of the letters' prices, shape (k,)."""
        return logsumexp(self.terms(letters), axis=0)

    def affinity(self, letters: SplitLetters) -> np.ndarray:
        """Return the Bhattacharyya coefficients of the symbols' shares in the letters' prices, shape (k, k)."""
        exponent = self.terms(letters)
        root = np.exp(0.5 * (exponent - logsumexp(exponent, axis=0)))
        return root.T @ root

    def likeness(self, letters: SplitLetters, joint: np.ndarray) -> np.ndarray:
        """Return the Bhattacharyya coefficients of the letters' shares and those of joint masses (n_x, m): (k, m)."""
        exponent = self.terms(letters)
        root = np.exp(0.5 * (exponent - logsumexp(exponent, axis=0)))
        other = joint[self.numbers.symbols]
        return root.T @ np.sqrt(other / other.sum(axis=0))

    def maxima(self, starts: SplitLetters, thorough: bool = True) -> Priced:
        """Return local maxima of the price, those that given letters lead to among them."""
        if self.problem.free is None:
            return self._maxima_at_symbols(starts, thorough)
        known = FreeLetters(starts.places, starts.decisions, np.zeros(len(starts.places)))
        found = self.numbers.free_price().maxima(known)
        return Priced(SplitLetters(found.places, found.decisions), found.log_prices)

    def _maxima_at_symbols(self, starts: SplitLetters, thorough: bool) -> Priced:
        """Return the local maxima of every symbol; of symbols with equal prices only the best for the limits.

        Symbols have equal prices where no limit on a linear loss costs anything, but the limits are still to be met.
        """
        numbers, log_weights = self.numbers, self.numbers.log_weights()
        symbols, group = numbers.distinct_symbols()
        known = Decisions(group[starts.places], starts.decisions, np.zeros(starts.places.size))
        found = local_maxima(log_weights[:, symbols], numbers.labels, numbers.label_multipliers, known, thorough)
        letters = SplitLetters(symbols[found.columns], found.decisions)
        if symbols.size < log_weights.shape[1]:
            shares = np.exp(self.terms(letters) - found.log_prices)
            cost = np.zeros(log_weights.shape)
            for loss, bound in zip(self.problem.linear_losses, self.problem.bounds, strict=False):
                if bound < math.inf:
                    matrix = loss.matrix[numbers.symbols]
                    cost += np.where(np.isfinite(matrix), matrix, 0.0) / max(float(bound), 1e-300)
            expected = np.where(group == found.columns[:, None], shares.T @ cost, np.inf)
            letters = SplitLetters(expected.argmin(axis=1), found.decisions)
        return Priced(letters, found.log_prices)
