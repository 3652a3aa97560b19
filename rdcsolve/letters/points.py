"""Free letters: points of R^dim under squared error, each with a soft decision for every label."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from rdcsolve.letters.letters import Letters, PricedLetters
from rdcsolve.letters.space import LetterSpace, MayGoOn, PriceBound, Prices, ShownLetters
from rdcsolve.letters.weights import symbol_weights
from rdcsolve.problems import Problem
from rdcsolve.problems.losses import FreeDistortion

_ALLOWANCE = 2e-12  # bounded once more with u scaled, prices come out the same to some 1e-13: the bound then is one
_FINEST = 1e-10  # how close to the largest price a bound can be asked for


class PointSpace(LetterSpace):
    """Any points of R^dim, each with any soft decisions. At its best a letter is at the mean of what it stands for.

    Parameters
    ----------
    problem : Problem
        With free letters.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    @property
    def free(self) -> FreeDistortion:
        """The squared error to letters that are points."""
        free = self.problem.free
        assert free is not None
        return free

    def place_losses(self, places: np.ndarray) -> list[np.ndarray]:
        """Return the squared errors to points of shape (k, dim); see `LetterSpace.place_losses`."""
        return [self.free.matrix(places)]

    def price(self, u: np.ndarray, multipliers: np.ndarray) -> PointPrices:
        """Return the prices at a dual point; see `LetterSpace.price`."""
        return PointPrices(self.problem, self.free, u, multipliers)

    def anchors(self) -> Letters:
        """Return letters at the source's points and at their mean.

        A squared error is least, zero, with a letter at the symbol's own point, and that of a constant letter with the
        letter at the mean: limits that free letters can meet, and rate zero where they need none, are the same here.
        """
        p, points = self.problem.p_x, self.free.points
        used = p > 0
        mean = p[used] @ points[used] / p[used].sum()
        return self.marginal(np.vstack([np.unique(points[used], axis=0), mean]))

    def posterior(self, letters: Letters, joint: np.ndarray) -> Letters:
        """Return letters at the means of what they stand for, deciding by its posterior."""
        means = joint.T @ self.free.points / joint.sum(axis=0)[:, None]
        return Letters(means, super().posterior(letters, joint).decisions)

    def costs(self, letters: Letters, joint: np.ndarray, multipliers: np.ndarray) -> list[np.ndarray]:
        """Return nothing: letters that stand for the same have the same place."""
        return []

    def coordinates(self, multipliers: np.ndarray) -> int:
        """Return the dimension; zero where the distance costs nothing."""
        return self.free.points.shape[1] if multipliers[0] > 0 else 0

    def derivatives(self, places: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the derivatives of the squared error in a letter's place; see `LetterSpace.derivatives`."""
        points, scale = self.free.points, self.free.scale
        (n_x, dim), k = points.shape, len(places)
        hessian = np.broadcast_to(2 * scale * np.eye(dim), (n_x, k, dim, dim))
        return [(2 * scale * (places - points[:, None]), hessian)]

    def letters_of(self, result: Any) -> Letters:
        """Return the letters of a result of this problem."""
        return Letters(result.reproduction, result.decisions)

    def fits(self, result: Any) -> bool:
        """Return whether a result has letters that are points of this dimension."""
        return super().fits(result) and result.reproduction.shape[1:] == self.free.points.shape[1:]

    def shown(self, letters: Letters, channel: np.ndarray) -> ShownLetters:
        """Return the letters' means, wherever the list had them, and their mean squared error."""
        joint = channel * self.problem.p_x[:, None]
        return ShownLetters(
            np.arange(channel.shape[1]), self.free.means(joint), {self.free.name: self._spread_within(channel)}
        )

    def _spread_within(self, channel: np.ndarray) -> float:
        """Return E |X - E[X | A]|^2 in the distortion's unit, as exactly as sums of products allow."""
        used = np.flatnonzero(self.problem.p_x > 0)
        p = self.problem.p_x[used] / math.fsum(self.problem.p_x)
        points, rows = self.free.points[used], channel[used]
        means = replace(self.free, points=points).means(rows * p[:, None])
        joint = rows * (p / rows.sum(axis=1))[:, None]
        total = 0.0
        for coordinate, mean in zip(points.T, means.T, strict=True):
            total += math.fsum((joint * (coordinate[:, None] - mean) ** 2).sum(axis=1))
        return total * self.free.scale


class PointPrices(Prices):
    """The prices of points with soft decisions; see `rdcsolve.letters.pricing.points`."""

    def __init__(self, problem: Problem, free: FreeDistortion, u: np.ndarray, multipliers: np.ndarray) -> None:
        super().__init__(symbol_weights(problem.p_x, u, multipliers, problem.label_entropies))
        self.free = free

    @cached_property
    def price(self):  # type: ignore[no-untyped-def]
        """The price as a function of points and decisions, a `FreePrice`."""
        from rdcsolve.letters.pricing.points import FreePrice

        weights = self.weights
        return FreePrice(
            weights.log,
            weights.rows(self.free.points),
            float(weights.multipliers[0]) * self.free.scale,
            weights.labels,
            weights.label_multipliers,
        )

    def terms(self, letters: Letters) -> np.ndarray:
        """Return the logarithms of the terms of the letters' prices; see `Prices.terms`."""
        return self.weights.decided(self.price.weights_at(letters.places), letters.decisions)

    def maxima(self, starts: Letters, thorough: bool = True) -> PricedLetters:
        """Return the local maxima that a spread of points, and the starts, lead to, highest first."""
        from rdcsolve.letters.pricing.points import FreeLetters

        found = self.price.maxima(FreeLetters(starts.places, starts.decisions, np.zeros(len(starts))))
        return PricedLetters(Letters(found.places, found.decisions), found.log_prices)

    def largest(self, tolerance: float, may_go_on: MayGoOn | None = None) -> PriceBound:
        """Return a bound on the prices of all points with any decisions, proved on the line; see `Prices.largest`."""
        from rdcsolve.letters.pricing.line import largest_free_price

        found = largest_free_price(self.price, max(tolerance, _FINEST), self.weights.log_error, may_go_on=may_go_on)
        dearest = PricedLetters(Letters(found.best.places, found.best.decisions), found.best.log_prices)
        log_proved = math.inf if found.proved else found.log_proved + _ALLOWANCE
        return PriceBound(found.log_upper + _ALLOWANCE, found.proved, dearest, found.proof, log_proved)
