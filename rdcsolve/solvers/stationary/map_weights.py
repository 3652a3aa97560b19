"""Weights of limits for which no map from symbols to fixed letters keeps their sum: no channel meets the limits then.

For weights w >= 0 the sum of all means is concave in a channel with fixed letters, so it is least at a map. Cutting
planes: the maps seen give the best weights, a search gives maps that keep the limits' sum for these weights, or none.
"""

from __future__ import annotations

import math

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates import Certificate, PriceProof
from rdcsolve.problems import Problem
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.solvers.finite.feasibility import best_mixture

_MOST = 4_000  # maps of some of the symbols that a search holds: fewer than a check does
_TAKEN = 40  # maps of one search that join those seen
_MOST_CUTS = 60
_ENOUGH = 1e4  # least excesses: one as large as that is not what decides
_CLEARLY = 2e-12  # of the spreads, or nats: the check allows channels half of it


def map_refutation(problem: Problem) -> Certificate | None:
    """Return a certificate that no map from symbols to fixed letters meets the limits, or None if none was found.

    Parameters
    ----------
    problem : Problem
        With fixed letters and label entropies.
    """
    limited = [m for m in np.flatnonzero(np.isfinite(problem.bounds)).tolist() if m != problem.goal.target]
    if problem.multipliers is not None or not limited:
        return None
    search = _Search(problem, limited)
    points = search.first()
    for _ in range(_MOST_CUTS):
        deadline.look()
        if not points.size:
            return None
        attained, weights = _best_weights(points)
        if not attained > 2 * _CLEARLY:
            return None
        found, is_complete = search.below(weights, 0.5 * attained)
        if not len(found):
            return _certificate(problem, limited, weights / search.spreads) if is_complete else None
        points = np.vstack([points, found])
    return None


def _best_weights(points: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the least weighted sum over points (k, M), and the weights that make it largest, which sum to one.

    Beside symbols of mass 1e-8 maps that differ in one of them differ by as little, which is nothing to a linear
    programme: so each limit is counted in the least excess over it, and no excess in more than is enough.
    """
    sizes = np.where(points > _CLEARLY, points, math.inf).min(axis=0)
    sizes = np.where(np.isfinite(sizes), sizes, 1.0)
    weights = best_mixture(np.minimum(points / sizes, _ENOUGH))[1] / sizes
    weights = weights / weights.sum()
    return float((points @ weights).min()), weights


def _certificate(problem: Problem, limited: list[int], weights: np.ndarray) -> Certificate:
    multipliers = np.zeros(len(problem.losses))
    multipliers[limited] = weights
    return Certificate(
        objective="rate",
        u=np.zeros(problem.n_x),
        multipliers=multipliers,
        letters=np.empty(0, dtype=np.intp),
        channel=np.empty((problem.n_x, 0)),
        lower=math.nan,
        upper=math.nan,
        fingerprint=problem.fingerprint(),
        proof=PriceProof(),  # with u zero no price exceeds the sum of all masses
    )


class _Search:
    """Maps by how far they are beyond limits, in units of spreads and nats."""

    def __init__(self, problem: Problem, limited: list[int]) -> None:
        symbols = np.flatnonzero(problem.p_x > 0)
        symbols = symbols[np.argsort(-problem.p_x[symbols], kind="stable")]
        self.p = problem.p_x[symbols] / problem.p_x[symbols].sum()
        n_linear = len(problem.linear_losses)
        forbidden = np.zeros((symbols.size, problem.n_letters), dtype=bool)
        if problem.forbidden is not None:
            forbidden = problem.forbidden[symbols]
        self.allowed = ~forbidden
        self.spreads, self.rooms, self.above, self.labels = np.ones(len(limited)), np.zeros(len(limited)), [], []
        for place, m in enumerate(limited):
            if m >= n_linear:
                rows = problem.label_entropies[m - n_linear].conditional[symbols]
                self.labels.append((place, rows / rows.sum(axis=1, keepdims=True)))
                self.rooms[place] = problem.bounds[m]
                continue
            least = problem.row_minima(m)[symbols]
            above = np.where(forbidden, 0.0, problem.linear_losses[m].block(symbols)) - least[:, None]
            self.spreads[place] = float(above.max(initial=0.0, where=self.allowed)) or 1.0
            room = -mean_excess(problem.p_x[symbols], least, float(problem.bounds[m]))
            self.rooms[place] = max(room, 0.0) / self.spreads[place]
            self.above.append((place, above / self.spreads[place]))

    def first(self) -> np.ndarray:
        """Return how far some maps are beyond the limits, shape (k, M): constant ones, and the cheapest."""
        n, n_letters = self.allowed.shape
        maps = [np.full(n, a) for a in np.flatnonzero(self.allowed.all(axis=0))[:n_letters]]
        for some in [[one] for one in self.above] + [self.above]:
            total = sum((above for _, above in some), np.zeros((n, n_letters)))
            maps.append(np.where(self.allowed, total, math.inf).argmin(axis=1))
        return np.array([self._beyond(one) for one in maps])

    def _beyond(self, letters: np.ndarray) -> np.ndarray:
        means, rows = np.zeros(self.rooms.size), np.arange(letters.size)
        for place, above in self.above:
            means[place] = self.p @ above[rows, letters]
        for place, label in self.labels:
            joint = np.zeros((self.allowed.shape[1], label.shape[1]))
            np.add.at(joint, letters, self.p[:, None] * label)
            means[place] = _unknown(joint).sum()
        return means - self.rooms

    def below(self, weights: np.ndarray, excess: float) -> tuple[np.ndarray, bool]:
        """Return how far maps are beyond limits whose weighted sum is less than this, and whether the search was whole.

        Symbols are given letters one after another; of too many partial maps those of the least sums are kept.
        """
        n, n_letters = self.allowed.shape
        enough, is_complete = float(weights @ self.rooms) + excess, True
        costs = sum((weights[place] * above for place, above in self.above), np.zeros((n, n_letters)))
        costs = np.where(self.allowed, costs, math.inf)
        least = costs.min(axis=1) + sum((weights[k] * _unknown(label) for k, label in self.labels), np.zeros(n))
        rest = np.r_[np.cumsum((self.p * least)[::-1])[::-1][1:], 0.0]
        maps, sums = np.zeros((1, n), dtype=np.intp), np.zeros(1)
        joint = [np.zeros((1, n_letters, label.shape[1])) for _, label in self.labels]
        twins = np.tril((costs[:, :, None] == costs[:, None, :]).all(axis=0), -1)
        used = np.zeros((1, n_letters), dtype=bool)
        for i, mass in enumerate(self.p.tolist()):
            whole = sums[:, None] + mass * costs[i]
            for (k, label), masses in zip(self.labels, joint, strict=True):
                whole = whole + weights[k] * (_unknown(masses + mass * label[i]) - _unknown(masses))
            is_twin = ~used & ((~used).astype(float) @ twins.T > 0)
            whole[is_twin | (whole + rest[i] >= enough)] = math.inf
            rows, letters = np.nonzero(np.isfinite(whole))
            if rows.size > _MOST:
                is_complete, kept = False, np.argsort(whole[rows, letters], kind="stable")[:_MOST]
                rows, letters = rows[kept], letters[kept]
            maps, used, every = maps[rows], used[rows], np.arange(rows.size)
            sums, maps[:, i], used[every, letters] = whole[rows, letters], letters, True
            joint = [masses[rows] for masses in joint]
            for (_, label), masses in zip(self.labels, joint, strict=True):
                masses[every, letters] += mass * label[i]
        best = np.argsort(sums, kind="stable")[:_TAKEN]
        return np.array([self._beyond(one) for one in maps[best]]), is_complete


def _unknown(masses: np.ndarray) -> np.ndarray:
    """Return sum_s P_s log(|P| / P_s) over the last axis."""
    total = masses.sum(axis=-1, keepdims=True)
    ratios = np.divide(total, masses, out=np.ones_like(masses), where=masses > 0)
    found: np.ndarray = (masses * np.log(ratios)).sum(axis=-1)
    return found
