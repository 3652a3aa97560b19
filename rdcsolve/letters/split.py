"""Split letters: a symbol of the reproduction alphabet with a soft decision for every label.

Without a label whose entropy counts these are the symbols themselves.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from rdcsolve.letters.letters import Letters, PricedLetters
from rdcsolve.letters.space import LetterSpace, MayGoOn, PriceBound, Prices
from rdcsolve.letters.weights import distinct_symbols, log_largest_listed, log_weights, symbol_weights
from rdcsolve.problems import Problem

_ALLOWANCE = 2e-12  # bounded once more with u scaled, prices come out the same to some 1e-13: the bound then is one


class SplitSpace(LetterSpace):
    """Symbols of a finite alphabet, each with any soft decisions.

    Parameters
    ----------
    problem : Problem
        With listed letters.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def place_losses(self, places: np.ndarray) -> list[np.ndarray]:
        """Return the columns of the problem's losses; see `LetterSpace.place_losses`."""
        losses = self.problem.linear_losses
        if places.size == self.problem.n_letters and (places == np.arange(places.size)).all():
            return [loss.block() for loss in losses]
        return [loss.block(None, places) for loss in losses]

    def least_loss(self, index: int) -> float:
        """Return sum_i p_i min_a L(i, a) over the letters that no loss forbids; H(S | X) for a label."""
        problem = self.problem
        if index >= len(problem.linear_losses):
            return super().least_loss(index)
        used = np.flatnonzero(problem.p_x > 0)
        matrix = problem.linear_losses[index].block(used)
        if problem.forbidden is not None:
            matrix = np.where(problem.forbidden[used], math.inf, matrix)
        return math.fsum(problem.p_x[used] / math.fsum(problem.p_x) * matrix.min(axis=1))

    def price(self, u: np.ndarray, multipliers: np.ndarray) -> SplitPrices:
        """Return the prices at a dual point; see `LetterSpace.price`."""
        return SplitPrices(self.problem, u, multipliers)

    def anchors(self) -> Letters:
        """Return every symbol with the labels' marginals."""
        return self.marginal(np.arange(self.problem.n_letters))

    def letters_of(self, result: Any) -> Letters:
        """Return the letters of a result of this problem."""
        return Letters(result.letters, result.decisions)


class SplitPrices(Prices):
    """The prices of symbols with soft decisions; see `rdcsolve.letters.pricing.decisions`."""

    def __init__(self, problem: Problem, u: np.ndarray, multipliers: np.ndarray) -> None:
        super().__init__(symbol_weights(problem.p_x, u, multipliers, problem.label_entropies))
        self.problem = problem
        self.losses = [loss.block() for loss in problem.linear_losses]

    @cached_property
    def log_weights(self) -> np.ndarray:
        """The terms without decisions, shape (n, n_letters), nats, rounded upwards."""
        return log_weights(self.weights, self.losses)

    def terms(self, letters: Letters) -> np.ndarray:
        """Return the logarithms of the terms of the letters' prices; see `Prices.terms`."""
        return self.weights.decided(self.log_weights[:, letters.places], letters.decisions)

    def maxima(self, starts: Letters, thorough: bool = True) -> PricedLetters:
        """Return the local maxima of every symbol; of symbols with equal prices only the best for the limits.

        Symbols have equal prices where no limit on a linear loss costs anything, but the limits are still to be met.
        """
        from rdcsolve.letters.pricing.decisions import Decisions, local_maxima

        weights = self.weights
        symbols, group = distinct_symbols(weights, self.losses)
        known = Decisions(group[starts.places], starts.decisions, np.zeros(len(starts)))
        found = local_maxima(self.log_weights[:, symbols], weights.labels, weights.label_multipliers, known, thorough)
        letters = Letters(symbols[found.columns], found.decisions)
        if symbols.size < self.log_weights.shape[1]:
            shares = np.exp(self.terms(letters) - found.log_prices)
            expected = np.where(group == found.columns[:, None], shares.T @ self._wanting(), np.inf)
            letters = Letters(expected.argmin(axis=1), found.decisions)
        return PricedLetters(letters, found.log_prices)

    def _wanting(self) -> np.ndarray:
        """Return the losses that are limited, in units of their bounds, shape (n, n_letters)."""
        cost = np.zeros(self.log_weights.shape)
        for loss, bound in zip(self.losses, self.problem.bounds, strict=False):
            if bound < math.inf:
                matrix = self.weights.rows(loss)
                cost += np.where(np.isfinite(matrix), matrix, 0.0) / max(float(bound), 1e-300)
        return cost

    def largest(self, tolerance: float, may_go_on: MayGoOn | None = None) -> PriceBound:
        """Return a bound on the prices of all symbols with any decisions; see `Prices.largest`."""
        from rdcsolve.letters.pricing.decisions import largest_price

        weights = self.weights
        if not weights.label_multipliers.any():  # decisions cost nothing, and every symbol is tried
            return PriceBound(log_largest_listed(weights, self.losses), True)
        symbols, _ = distinct_symbols(weights, self.losses)
        found = largest_price(
            self.log_weights[:, symbols],
            weights.labels,
            weights.label_multipliers,
            rtol=tolerance,
            numbers=symbols,
            may_go_on=may_go_on,
            earlier=self.earlier,
        )
        best = Letters(symbols[[found.column]], tuple(soft[None] for soft in found.decisions))
        dearest = PricedLetters(best, np.array([found.log_best]))
        log_proved = math.inf if found.proved else found.log_proved + _ALLOWANCE
        return PriceBound(found.log_upper + _ALLOWANCE, found.proved, dearest, found.proof, log_proved)
