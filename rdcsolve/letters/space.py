"""What a letter space is: where letters come from, and what a method over letters asks about them.

A space belongs to one problem, whose losses it prices.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rdcsolve.certificates import PriceProof
from rdcsolve.letters.letters import Letters, PricedLetters, apart
from rdcsolve.letters.openings import openings
from rdcsolve.letters.weights import SymbolWeights
from rdcsolve.problems import Problem
from rdcsolve.problems.losses import log_loss

_SAME_COST = 1e-6  # nats: linear losses that differ by less do not tell letters apart
_PRIORS = 16  # letters that say nothing about labels, beside others


MayGoOn = Callable[[float], bool]
"""Says whether a further piece of work, so many multiplications, may be done."""


@dataclass(frozen=True, eq=False)
class PriceBound:
    """What is known of the largest price over all letters of a space.

    Attributes
    ----------
    log_upper : float
        Nats. If `proved`, no letter's log price is larger, all roundings considered; else that of the dearest found.
    proved : bool
        Whether `log_upper` is proved.
    dearest : PricedLetters or None
        The dearest letters found on the way; None if there was nothing to search.
    proof : PriceProof or None
        What a check needs to see the bound proved without searching anew; None where the prices themselves tell.
    log_proved : float
        Where `proved` is false for want of time only: a larger number that `proof` proves. Else infinite.
    """

    log_upper: float
    proved: bool
    dearest: PricedLetters | None = None
    proof: PriceProof | None = None
    log_proved: float = math.inf


@dataclass(frozen=True, eq=False)
class ShownLetters:
    """What of a `Result` depends on the letter space.

    Attributes
    ----------
    indices : numpy.ndarray
        Shape (k,): `Result.letters`.
    reproduction : numpy.ndarray
        `Result.reproduction`, shape (k, dim); of shape (0, 0) where letters are listed.
    losses : dict of str to float
        The linear losses that a letter's place, now final, has changed.
    """

    indices: np.ndarray
    reproduction: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    losses: dict[str, float] = field(default_factory=dict)


class Prices(ABC):
    """The prices c(a) = sum_i p_i exp(u_i - lambda.L(i, a)) of a space's letters at one dual point (u, lambda).

    Sums are over the n symbols of positive mass.

    Parameters
    ----------
    weights : SymbolWeights
        The symbols of positive mass, at the dual point.

    Attributes
    ----------
    earlier : PriceProof or None
        What proved the largest price at another dual point: a proof that takes time may begin with its cells.
    """

    earlier: PriceProof | None = None

    def __init__(self, weights: SymbolWeights) -> None:
        self.weights = weights

    @abstractmethod
    def terms(self, letters: Letters) -> np.ndarray:
        """Return the logarithms of the terms of the letters' prices, shape (n, k), nats; -inf for no term."""

    @abstractmethod
    def maxima(self, starts: Letters, thorough: bool = True) -> PricedLetters:
        """Return letters of locally largest prices, equal ones merged.

        Parameters
        ----------
        starts : Letters
            Letters to climb from, of prices above zero, besides what the space tries on its own.
        thorough : bool, optional
            Whether the list should be as complete as can be, or quick to make.
        """

    @abstractmethod
    def largest(self, tolerance: float, may_go_on: MayGoOn | None = None) -> PriceBound:
        """Return a bound on the prices of all letters of the space.

        Parameters
        ----------
        tolerance : float
            How close to the largest price, relatively, the bound should be.
        may_go_on : callable, optional
            Of a proof that takes as much time as it is given: takes the size of a further piece of work, in
            multiplications, and says whether it may be done. By default such proofs are not tried.
        """

    def logs(self, letters: Letters) -> np.ndarray:
        """Return the logarithms of the letters' prices, shape (k,), nats."""
        from scipy.special import logsumexp

        return np.asarray(logsumexp(self.terms(letters), axis=0))

    def affinity(self, letters: Letters) -> np.ndarray:
        """Return the Bhattacharyya coefficients of the symbols' shares in the letters' prices, shape (k, k)."""
        root = self._roots(letters)
        return np.asarray(root.T @ root)

    def likeness(self, letters: Letters, joint: np.ndarray) -> np.ndarray:
        """Return the Bhattacharyya coefficients of the letters' shares and those of joint masses (n_x, m): (k, m)."""
        rows = self.weights.rows(joint)
        return np.asarray(self._roots(letters).T @ np.sqrt(rows / rows.sum(axis=0)))

    def _roots(self, letters: Letters) -> np.ndarray:
        from scipy.special import logsumexp

        exponent = self.terms(letters)
        return np.asarray(np.exp(0.5 * (exponent - logsumexp(exponent, axis=0))))


class LetterSpace(ABC):
    """The letters of a problem: pairs of a place and of a soft decision for every label whose entropy counts.

    The exchange method works through these methods alone. Those that a space has to have are `place_losses`, `price`,
    `anchors` and `letters_of`; the others have defaults, which are right for letters whose places stay where they are.
    Joint masses of symbols and letters always have shape (n_x, k).

    Attributes
    ----------
    problem : Problem
        Whose losses, bounds and objective are meant.
    is_checked : bool
        Whether the check of certificates knows these letters. A bound on the prices of others is never called proved.
    anchors_decide : bool
        Whether linear limits that no channel into the anchors meets are met by none, which proves them infeasible.
    """

    problem: Problem
    is_checked = True
    anchors_decide = True

    def of(self, problem: Problem) -> LetterSpace:
        """Return the same letters for another problem with the same losses."""
        other = copy.copy(self)
        other.problem = problem
        return other

    # ------------------------------------------------------------------------- losses

    @abstractmethod
    def place_losses(self, places: np.ndarray) -> Sequence[np.ndarray]:
        """Return the linear losses of letters at k places, in the problem's order: arrays of shape (n_x, k), >= 0.

        A pair of infinite loss is forbidden.
        """

    def losses(self, letters: Letters) -> list[np.ndarray]:
        """Return all M losses of letters, arrays of shape (n_x, k): linear ones, then the decisions' log-losses, nats.

        They are those of the problem that `listed` returns.
        """
        labels = self.problem.label_entropies
        pairs = zip(labels, letters.decisions, strict=True)
        return [*self.place_losses(letters.places), *(log_loss(label.conditional, soft) for label, soft in pairs)]

    def listed(self, letters: Letters) -> Problem:
        """Return the finite problem whose letters are these and no others."""
        return self.problem.listed(letters.places, letters.decisions)

    def least_loss(self, index: int) -> float:
        """Return a lower bound of the mean of loss `index` over all channels, attained or not; H(S | X) for a label."""
        first_label = len(self.problem.losses) - len(self.problem.label_entropies)
        if index < first_label:
            return 0.0
        used = self.problem.p_x > 0
        p = self.problem.p_x[used] / math.fsum(self.problem.p_x)
        label = self.problem.label_entropies[index - first_label].conditional[used]
        return -math.fsum(p * (label * np.log(np.where(label > 0, label, 1.0))).sum(axis=1))

    # ------------------------------------------------------------------------- prices

    @abstractmethod
    def price(self, u: np.ndarray, multipliers: np.ndarray) -> Prices:
        """Return the prices at a dual point: u of shape (n_x,), nats; multipliers >= 0 of shape (M,)."""

    # ------------------------------------------------------------------------- where to begin

    @abstractmethod
    def anchors(self) -> Letters:
        """Return letters that say nothing about labels, over which linear limits can be met if over any letters.

        Where no limit needs any rate, one output distribution of theirs should meet them all.
        """

    def priors(self) -> Letters:
        """Return a few anchors, spread evenly."""
        anchors = self.anchors()
        return anchors.take(np.unique(np.linspace(0, len(anchors) - 1, _PRIORS).astype(np.intp)))

    def openings(self) -> Iterator[Letters]:
        """Yield longer and longer lists to begin with; over the last, all limits can be met that can be met at all."""
        anchors = self.anchors()
        yield from openings(self.problem, anchors, self.place_losses(anchors.places), self.priors())

    def marginal(self, places: np.ndarray) -> Letters:
        """Return letters at places whose decisions are the labels' marginals: they say nothing about labels."""
        priors = (self.problem.p_x @ label.conditional for label in self.problem.label_entropies)
        return Letters(places, tuple(np.tile(prior / prior.sum(), (len(places), 1)) for prior in priors))

    # ------------------------------------------------------------------------- letters and what they stand for

    def posterior(self, letters: Letters, joint: np.ndarray) -> Letters:
        """Return the letters that are best for what they stand for: no loss has a larger mean under the joint masses.

        Decisions become posteriors; by default places stay.
        """
        both = [joint.T @ label.conditional for label in self.problem.label_entropies]
        return Letters(letters.places, tuple(soft / soft.sum(axis=1, keepdims=True) for soft in both))

    def merge(self, letters: Letters, joint: np.ndarray, multipliers: np.ndarray) -> tuple[Letters, np.ndarray]:
        """Return the letters into which groups of nearly equal ones merge, at their common posterior, and their masses.

        A letter between two listed ones is made of both; their common posterior is much closer to it than either, so
        the exchange converges like a secant method where the dearest letters alone would close in by turns.

        Parameters
        ----------
        letters : Letters
            k of them, every one of positive mass.
        joint : numpy.ndarray
            Shape (n_x, k).
        multipliers : numpy.ndarray
            Shape (M,).
        """
        order = np.argsort(-joint.sum(axis=0))
        letters, joint = letters.take(order), joint[:, order]
        root = np.sqrt(joint / joint.sum(axis=0))
        affinity = root.T @ root
        for cost in self.costs(letters, joint, multipliers):
            affinity[np.abs(cost[:, None] - cost) > _SAME_COST] = 0.0
        np.fill_diagonal(affinity, 1.0)
        leaders = apart(affinity)
        merged = np.zeros((leaders.size, joint.shape[0]))
        np.add.at(merged, affinity[:, leaders].argmax(axis=1), joint.T)
        return self.posterior(letters.take(leaders), merged.T).united(merged.sum(axis=1))

    def costs(self, letters: Letters, joint: np.ndarray, multipliers: np.ndarray) -> list[np.ndarray]:
        """Return per active linear loss what each letter costs, shape (k,), nats: letters of different costs differ."""
        found = []
        mass = joint.sum(axis=0)
        for loss, multiplier in zip(self.place_losses(letters.places), multipliers, strict=False):
            if multiplier > 0:
                finite = np.where(np.isfinite(loss), loss, 0.0)
                found.append(multiplier * np.einsum("ia,ia->a", joint, finite) / mass)
        return found

    # ------------------------------------------------------------------------- Newton's method on letters

    def coordinates(self, multipliers: np.ndarray) -> int:
        """Return how many coordinates of a place can be moved continuously to any effect; zero if none can."""
        return 0

    def derivatives(self, places: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return gradient (n_x, k, dim) and Hessian (n_x, k, dim, dim) of every linear loss in a letter's place."""
        return []

    # ------------------------------------------------------------------------- results

    @abstractmethod
    def letters_of(self, result: Any) -> Letters:
        """Return the letters of a result of this problem."""

    def fits(self, result: Any) -> bool:
        """Return whether a result has letters of this kind."""
        return bool(result.letters.size) and len(result.decisions) == len(self.problem.label_entropies)

    def shown(self, letters: Letters, channel: np.ndarray) -> ShownLetters:
        """Return what a result shows of its letters.

        Parameters
        ----------
        letters : Letters
            k of them, ordered by their places.
        channel : numpy.ndarray
            Shape (n_x, k), every letter of positive mass.
        """
        return ShownLetters(letters.places)
