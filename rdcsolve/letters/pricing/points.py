"""Letters that are points y of R^dim with soft decisions: local maxima of their price.

With squared error the price is c(y, r) = sum_i exp(log_weights_i - lambda |x_i - y|^2 + sum_k lambda_k sum_s w_k[i, s]
log r_ks).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rdcsolve.letters.pricing.decisions import Decisions, local_maxima
from rdcsolve.letters.pricing.parts import corners, is_convex
from rdcsolve.letters.pricing.points_ascent import Ascent
from rdcsolve.letters.pricing.points_terms import FreeTerms

_APART = 1e-6  # in units of the kernel's width, or of a decision: closer letters are one
_PER_WIDTH = 24  # places on the line per 1 / sqrt(lambda)
_GRID = 600  # places on the line that are looked at for maxima over decisions, at the most
_SPREAD = 48  # the same in more dimensions


@dataclass(frozen=True)
class FreeLetters:
    """Letters.

    Attributes
    ----------
    places : numpy.ndarray
        Shape (m, dim).
    decisions : tuple of numpy.ndarray
        Per label, shape (m, n_k).
    log_prices : numpy.ndarray
        Shape (m,), nats.
    """

    places: np.ndarray
    decisions: tuple[np.ndarray, ...]
    log_prices: np.ndarray


class FreePrice(FreeTerms):
    """The price of points with soft decisions, with the attributes of `FreeTerms`."""

    def maxima(self, starts: FreeLetters | None = None, places: np.ndarray | None = None) -> FreeLetters:
        """Return local maxima, equal ones merged, highest first.

        The list is as complete as the starts make it: the letters given, and the maxima over decisions at the places
        given, by default a spread of the source's points.
        """
        grid = self.spread() if places is None else places
        found = local_maxima(self.weights_at(grid), self.labels, self.multipliers)
        if grid.shape[1] == 1 and self.multiplier > 0:
            found = _crests(found)
        at, decisions = grid[found.columns], found.decisions
        if starts is not None:
            at = np.vstack([at, starts.places])
            decisions = tuple(np.vstack(pair) for pair in zip(decisions, starts.decisions, strict=True))
        return self.climbed(at, decisions)

    def spread(self) -> np.ndarray:
        """Return places to begin with, shape (m, dim): an even grid on the line, points far apart elsewhere."""
        if not self.multiplier > 0:
            return self.points[:1]
        if self.points.shape[1] == 1:
            low, high = float(self.points.min()), float(self.points.max())
            count = _PER_WIDTH * (high - low) * math.sqrt(self.multiplier)
            return np.linspace(low, high, int(min(max(count, 2), _GRID)))[:, None]
        step = -(-self.points.shape[0] // 2000)
        return _far_apart(self.points[::step], _SPREAD)

    def climbed(self, places: np.ndarray, decisions: tuple[np.ndarray, ...]) -> FreeLetters:
        """Return the distinct local maxima that letters lead to, highest first."""
        vertices = [k for k, label in enumerate(self.labels) if is_convex(label, float(self.multipliers[k]))]
        soft = [k for k in range(len(self.labels)) if self.multipliers[k] > 0 and k not in vertices]
        ends = np.cumsum([0, *(self.labels[k].shape[1] for k in soft)])
        stacked = np.hstack([np.empty((len(places), 0)), *(decisions[k] for k in soft)])
        found = []
        for group, decided in corners(self.labels, vertices):
            rows = np.arange(self.points.shape[0])[group]
            chosen = np.ones(len(places), dtype=bool)
            for k, only in decided:
                chosen &= decisions[k].argmax(axis=1) == only
            ascent = Ascent(self, rows, soft, ends)
            found.append(self._expanded(ascent, decided, *ascent.climb(places[chosen], stacked[chosen])))
        order = np.argsort(-np.concatenate([one.log_prices for one in found]), kind="stable")
        whole = FreeLetters(
            np.vstack([one.places for one in found])[order],
            tuple(np.vstack(soft)[order] for soft in zip(*(one.decisions for one in found), strict=True)),
            np.concatenate([one.log_prices for one in found])[order],
        )
        return self._distinct(whole)

    def _expanded(
        self,
        ascent: Ascent,
        decided: tuple[tuple[int, int], ...],
        places: np.ndarray,
        stacked: np.ndarray,
        log_prices: np.ndarray,
        shares: np.ndarray,
    ) -> FreeLetters:
        """Return letters with decisions on all labels: the posterior where they do not matter."""
        whole = []
        fixed = dict(decided)
        for k, label in enumerate(self.labels):
            if k in ascent.soft:
                position = ascent.soft.index(k)
                whole.append(stacked[:, ascent.ends[position] : ascent.ends[position + 1]])
            elif k in fixed:
                whole.append(np.broadcast_to(np.eye(label.shape[1])[fixed[k]], (len(places), label.shape[1])))
            else:
                posterior = shares @ label[ascent.rows]
                whole.append(posterior / posterior.sum(axis=1, keepdims=True))
        return FreeLetters(places, tuple(whole), log_prices)

    def _distinct(self, letters: FreeLetters) -> FreeLetters:
        """Return the first of every group of nearly equal letters."""
        width = math.sqrt(self.multiplier)
        kept: list[int] = []
        table = np.hstack([width * letters.places, *letters.decisions])
        for m in np.flatnonzero(letters.log_prices > -np.inf).tolist():
            if not kept or np.abs(table[kept] - table[m]).max(axis=1).min() > _APART:
                kept.append(m)
        return FreeLetters(
            letters.places[kept], tuple(soft[kept] for soft in letters.decisions), letters.log_prices[kept]
        )


def _crests(found: Decisions) -> Decisions:
    """Return those maxima at places in a row that are no lower than the maxima nearest to them at the places beside."""
    kept = np.ones(found.columns.size, dtype=bool)
    soft = np.hstack([np.empty((found.columns.size, 0)), *found.decisions])
    first = np.searchsorted(found.columns, np.arange(found.columns.max(initial=-1) + 2))
    for m, column in enumerate(found.columns.tolist()):
        for beside in (column - 1, column + 1):
            if 0 <= beside < first.size - 1 and first[beside] < first[beside + 1]:
                others = slice(first[beside], first[beside + 1])
                nearest = int(np.abs(soft[others] - soft[m]).sum(axis=1).argmin()) + first[beside]
                kept[m] &= found.log_prices[m] >= found.log_prices[nearest] - 1e-13
    order = np.flatnonzero(kept)
    return Decisions(found.columns[order], tuple(one[order] for one in found.decisions), found.log_prices[order])


def _far_apart(points: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` points that lie far from one another, farthest first."""
    chosen = [int(((points - points.mean(axis=0)) ** 2).sum(axis=1).argmin())]
    distance = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < count and distance.max() > 0:
        chosen.append(int(distance.argmax()))
        np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1), out=distance)
    return points[chosen]
