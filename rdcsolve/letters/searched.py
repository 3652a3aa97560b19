"""Letters at places of the user's own, whose prices are searched: a spread of places, and a climb from the best."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from rdcsolve import deadline
from rdcsolve.letters.letters import Letters, PricedLetters, apart
from rdcsolve.letters.space import LetterSpace, MayGoOn, PriceBound, Prices, ShownLetters
from rdcsolve.letters.weights import symbol_weights

_MOST = 64  # letters that climb at a time
_MOST_CANDIDATES = 400  # of which they are chosen
_MOST_TURNS = 30  # of places and decisions, each at the best of the other
_SETTLED = 1e-13  # rise of a log price that is none
_MOST_ROUNDS = 60  # of a climb, a step along every axis each
_SHRINK = 0.2  # of the step, where it was too long
_FINEST = 1e-6  # of the first step

Move = Callable[[np.ndarray, int, np.ndarray], np.ndarray]


class SearchedSpace(LetterSpace):
    """A letter space of your own: say what a place costs, and where to look first.

    Pass an instance to `Problem` in place of the reproduction. Letters are pairs of a place and soft decisions for the
    labels whose entropies count, as always. Their prices are searched, from `spread` and from the letters in use: an
    upper bound on the rate is attained, a lower one rests on the search, and the result is UNVERIFIED.

    Attributes
    ----------
    loss_names : tuple of str
        Names of the losses that `place_losses` returns; ``"distortion"`` alone by default.
    step : float
        How far from a place of the spread a climb looks first, in the unit of the places.

    See Also
    --------
    rdcsolve.testing.check_space : says whether a space is right.
    """

    is_checked = False
    anchors_decide = False
    loss_names: tuple[str, ...] = ("distortion",)
    step: float = 0.1

    @abstractmethod
    def spread(self) -> np.ndarray:
        """Return places to look at first, shape (k, dim): so dense that a climb from one of them reaches any place."""

    def moved(self, places: np.ndarray, axis: int, by: np.ndarray) -> np.ndarray:
        """Return places (k, dim) moved along one axis by lengths of shape (k,).

        Override it where places have edges or wrap around.
        """
        moved = places.copy()
        moved[:, axis] += by
        return moved

    def fingerprint(self) -> str:
        """Return what identifies the losses: the kind of space, and the losses at the spread."""
        digest = hashlib.sha256(f"{type(self).__name__}{self.loss_names}".encode())
        for loss in self.place_losses(self.spread()):
            digest.update(np.ascontiguousarray(loss, dtype="<f8").data)
        return digest.hexdigest()[:16]

    # ------------------------------------------------------------------------- what the exchange asks

    def price(self, u: np.ndarray, multipliers: np.ndarray) -> SearchedPrices:
        """Return the prices at a dual point; see `LetterSpace.price`."""
        return SearchedPrices(self, u, multipliers)

    def anchors(self) -> Letters:
        """Return the spread, the places that each source symbol likes best, and those that are best for all of them."""
        p, spread = self.problem.p_x, self.spread()
        used = np.flatnonzero(p > 0)
        found = [spread]
        for m, loss in enumerate(self.place_losses(spread)):
            alone = np.zeros((p.size, used.size))
            alone[used, np.arange(used.size)] = 1.0
            for joint in (alone, p[:, None]):
                best = _means(loss, joint).argmin(axis=0)
                found.append(self._climbed(spread[best], m, joint))
        return self.marginal(np.unique(np.concatenate(found), axis=0))

    def posterior(self, letters: Letters, joint: np.ndarray) -> Letters:
        """Return the letters at the best places near theirs for what they stand for, deciding by its posterior.

        Where there are several losses, what is best depends on their multipliers: then places stay.
        """
        decided = super().posterior(letters, joint)
        if len(self.loss_names) > 1:
            return decided
        return Letters(self._climbed(letters.places, 0, joint), decided.decisions)

    def _climbed(self, places: np.ndarray, index: int, joint: np.ndarray) -> np.ndarray:
        """Return places near the given ones, one per column of joint masses, at which loss `index` is locally least."""

        def value(at: np.ndarray) -> np.ndarray:
            loss = np.asarray(self.place_losses(at)[index])
            return np.asarray(-np.multiply(joint, loss, out=np.zeros(loss.shape), where=joint > 0).sum(axis=0))

        return climbed(value, places, self.moved, self.step)

    def letters_of(self, result: Any) -> Letters:
        """Return the letters of a result of this problem."""
        return Letters(result.reproduction, result.decisions)

    def fits(self, result: Any) -> bool:
        """Return whether a result has letters at places of this kind."""
        return super().fits(result) and result.reproduction.shape[1:] == self.spread().shape[1:]

    def shown(self, letters: Letters, channel: np.ndarray) -> ShownLetters:
        """Return the letters' places."""
        return ShownLetters(np.arange(len(letters)), letters.places)


class SearchedPrices(Prices):
    """The prices of letters at places of a `SearchedSpace`, a sum over the definition."""

    def __init__(self, space: SearchedSpace, u: np.ndarray, multipliers: np.ndarray) -> None:
        problem = space.problem
        super().__init__(symbol_weights(problem.p_x, u, multipliers, problem.label_entropies))
        self.space = space
        self.found: PricedLetters | None = None

    def place_terms(self, places: np.ndarray) -> np.ndarray:
        """Return the logarithms of the terms without decisions, shape (n, k), nats."""
        exponent = np.repeat(self.weights.log[:, None], len(places), axis=1)
        for multiplier, loss in zip(self.weights.multipliers, self.space.place_losses(places), strict=True):
            block = self.weights.rows(np.asarray(loss))
            exponent -= np.where(np.isinf(block), np.inf, multiplier * np.where(np.isinf(block), 0.0, block))
        return exponent

    def terms(self, letters: Letters) -> np.ndarray:
        """Return the logarithms of the terms of the letters' prices; see `Prices.terms`."""
        return self.weights.decided(self.place_terms(letters.places), letters.decisions)

    def maxima(self, starts: Letters, thorough: bool = True) -> PricedLetters:
        """Return the local maxima that the spread and the starts lead to, dearest first.

        Places climb at the decisions, decisions at the places, by turns.
        """
        places = np.concatenate([starts.places, self.space.spread()])
        found = self._decided(places, starts.decisions, thorough)
        for _ in range(_MOST_TURNS):
            chosen = found.letters
            moved = climbed(
                lambda at, of=chosen: self.logs(Letters(at, of.decisions)),  # type: ignore[misc]
                chosen.places,
                self.space.moved,
                self.space.step,
            )
            before, found = found.log_prices[0], self._decided(moved, chosen.decisions, thorough)
            if not self.weights.label_multipliers.any() or found.log_prices[0] - before <= _SETTLED:
                break
        self.found = found
        return found

    def _decided(self, places: np.ndarray, decisions: tuple[np.ndarray, ...], thorough: bool) -> PricedLetters:
        """Return letters at these places with the locally best decisions there, alike ones once, dearest first."""
        from rdcsolve.letters.pricing.decisions import Decisions, local_maxima

        count = len(decisions[0]) if decisions else len(places)
        known = Decisions(np.arange(count), decisions, np.zeros(count))
        weights = self.weights
        best = local_maxima(self.place_terms(places), weights.labels, weights.label_multipliers, known, thorough)
        order = np.argsort(-best.log_prices, kind="stable")[:_MOST_CANDIDATES]
        letters = Letters(places[best.columns], best.decisions).take(order)
        unlike = apart(self.affinity(letters))[:_MOST]
        return PricedLetters(letters.take(unlike), best.log_prices[order][unlike])

    def largest(self, tolerance: float, may_go_on: MayGoOn | None = None) -> PriceBound:
        """Return the largest price that the search finds: no proof; see `Prices.largest`."""
        starts = self.space.priors() if self.found is None else self.found.letters
        found = self.maxima(starts)
        return PriceBound(float(found.log_prices[0]), False, found)


def climbed(value: Callable[[np.ndarray], np.ndarray], places: np.ndarray, moved: Move, step: float) -> np.ndarray:
    """Return places (k, dim) no lower than the given ones, each at a local maximum of a function to some digits.

    Every round tries, along every axis, a step up, a step down, and the top of the parabola through the three values;
    steps that were too long are shortened.

    Parameters
    ----------
    value : callable
        Takes k places and returns k values; -inf is allowed.
    places : numpy.ndarray
        Shape (k, dim).
    moved : callable
        As `SearchedSpace.moved`.
    step : float
        The first step.
    """
    places, best = places.astype(float), value(places)
    reach = np.full(len(places), float(step))
    for _ in range(_MOST_ROUNDS):
        deadline.look()
        went_far = np.zeros(len(places), dtype=bool)
        for axis in range(places.shape[1]):
            up, down = moved(places, axis, reach), moved(places, axis, -reach)
            above, below = value(up), value(down)
            top = moved(places, axis, reach * _top(best, above, below))
            tried = ((up, above, True), (down, below, True), (top, value(top), False))
            for candidate, its, is_far in tried:
                better = its > best
                places[better], best[better] = candidate[better], its[better]
                went_far[better] = is_far
        reach = np.where(went_far, reach, _SHRINK * reach)
        if reach.max(initial=0.0) < _FINEST * step:
            break
    return places


def _top(here: np.ndarray, above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return where the parabola through three values, a step of one apart, is largest, in [-1, 1]; 0 without a top."""
    with np.errstate(invalid="ignore"):
        bend = 2 * here - above - below
        slope = 0.5 * (above - below)
    usable = np.isfinite(slope) & np.isfinite(bend) & (bend > 0)
    return np.asarray(np.clip(np.divide(slope, bend, out=np.zeros(here.shape), where=usable), -1.0, 1.0))


def _means(loss: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """Return the mean loss of every place, times the mass, for every column of joint masses: shape (k, m)."""
    infinite = np.isinf(loss)
    sums = np.where(infinite, 0.0, loss).T @ joint
    sums[infinite.T.astype(float) @ (joint > 0) > 0] = np.inf
    return np.asarray(sums)
