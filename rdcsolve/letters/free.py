"""Letters that are points y of R^dim with soft decisions: local maxima of their price.

With squared error the price is c(y, r) = sum_i exp(log_weights_i - lambda |x_i - y|^2 + sum_k lambda_k sum_s w_k[i, s]
log r_ks). In y and theta = log r its logarithm is that of an exponential family's mixture, less lambda |y|^2 and the
families' logarithmic partition functions: its gradient is B (mean - parameter) and its Hessian C - B, where C is the
covariance under the terms' shares of the features (2 lambda x, lambda_k w_k) and B the families' own, which is
diagonal in the variables y and theta sqrt(r). The step B^-1 gradient is the mean shift: y moves to the shares' mean,
r to theirs of w; Jensen's inequality says that it cannot descend. (B - C)^-1 gradient is Newton's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rdcsolve.letters.decisions import Decisions, local_maxima
from rdcsolve.letters.parts import corners

_MOST_STEPS = 200
_LONGEST = 0.2  # longest Newton step of a logarithm, and of y in units of the kernel's width
_IDLE = 1e-12  # decisions below this move by the mean shift alone
_ENTRIES = 1 << 22  # of an array of letters, symbols and pairs of features: what is held at a time
_APART = 1e-6  # in units of the kernel's width, or of a decision: closer letters are one
_FEW_FEATURES = 12  # whose products are formed once for all letters
_FLATTEST = 1e-9  # least curvature, beside the kernel's own, that a step takes at its word
_UPHILL = 0.05  # least curvature that a step takes along directions in which the price is convex
_PER_WIDTH = 24  # places on the line per 1 / sqrt(lambda)
_GRID = 600  # places on the line that are looked at for maxima over decisions, at the most
_SPREAD = 96  # the same in more dimensions


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


@dataclass(frozen=True)
class FreePrice:
    """The price of points with soft decisions.

    Attributes
    ----------
    log_weights : numpy.ndarray
        Shape (n,), nats: log p_i + u_i.
    points : numpy.ndarray
        Shape (n, dim).
    multiplier : float
        lambda >= 0, per unit of the squared error summed over the coordinates.
    labels : list of numpy.ndarray
        Conditionals w_k, shape (n, n_k).
    multipliers : numpy.ndarray
        lambda_k >= 0.
    """

    log_weights: np.ndarray
    points: np.ndarray
    multiplier: float
    labels: list[np.ndarray]
    multipliers: np.ndarray

    def weights_at(self, places: np.ndarray) -> np.ndarray:
        """Return the logarithms of the terms without decisions for letters at points (m, dim), shape (n, m)."""
        squared = np.zeros((self.points.shape[0], places.shape[0]))
        if self.multiplier > 0:
            for coordinate, values in zip(self.points.T, places.T, strict=True):
                squared += (coordinate[:, None] - values) ** 2
        return self.log_weights[:, None] - self.multiplier * squared

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
        vertices = [
            k
            for k, label in enumerate(self.labels)
            if self.multipliers[k] >= 1 and np.all((label == 0) | (label == 1))
        ]
        soft = [k for k in range(len(self.labels)) if self.multipliers[k] > 0 and k not in vertices]
        ends = np.cumsum([0, *(self.labels[k].shape[1] for k in soft)])
        stacked = np.hstack([np.empty((len(places), 0)), *(decisions[k] for k in soft)])
        found = []
        for rows, decided in corners(self.labels, vertices, np.ones((self.points.shape[0], 1))):
            chosen = np.ones(len(places), dtype=bool)
            for k, only in decided:
                chosen &= decisions[k].argmax(axis=1) == only
            hill = _Hill(self, rows, soft, ends)
            found.append(self._expanded(hill, decided, *hill.climb(places[chosen], stacked[chosen])))
        order = np.argsort(-np.concatenate([one.log_prices for one in found]), kind="stable")
        whole = FreeLetters(
            np.vstack([one.places for one in found])[order],
            tuple(np.vstack(soft)[order] for soft in zip(*(one.decisions for one in found), strict=True)),
            np.concatenate([one.log_prices for one in found])[order],
        )
        return self._distinct(whole)

    def _expanded(
        self,
        hill: _Hill,
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
            if k in hill.soft:
                position = hill.soft.index(k)
                whole.append(stacked[:, hill.ends[position] : hill.ends[position + 1]])
            elif k in fixed:
                whole.append(np.broadcast_to(np.eye(label.shape[1])[fixed[k]], (len(places), label.shape[1])))
            else:
                posterior = shares @ label[hill.rows]
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


class _Hill:
    """The price over the symbols of one part, as a function of y and the decisions of the labels that are soft."""

    def __init__(self, price: FreePrice, rows: np.ndarray, soft: list[int], ends: np.ndarray) -> None:
        self.rows, self.soft, self.ends = rows, soft, ends
        self.multiplier = price.multiplier
        self.log_weights = price.log_weights[rows]
        self.centre = price.points[rows].mean(axis=0)
        self.points = price.points[rows] - self.centre  # products of coordinates lose less near zero
        self.squared = (self.points**2).sum(axis=1)
        self.own = np.repeat(price.multipliers[soft], np.diff(ends))  # (N,): each class's lambda_k
        self.conditional = np.hstack([np.empty((rows.size, 0)), *(price.labels[k][rows] for k in soft)])

    def climb(self, places: np.ndarray, decisions: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return places (m, dim), decisions (m, N), log prices (m,) and shares (m, n) where the starts lead."""
        size = self.points.shape[1] + self.conditional.shape[1]
        block = max(1, _ENTRIES // max(1, self.rows.size * (1 + size)))
        parts = [
            self._climb(places[a : a + block] - self.centre, decisions[a : a + block])
            for a in range(0, max(len(places), 1), block)
        ]
        y, r, log_price, shares = (np.concatenate(group) for group in zip(*parts, strict=True))
        return y + self.centre, r, log_price, shares

    def _climb(self, y: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, ...]:
        y, r = y.copy(), r.copy()
        log_price, shares = self._shares(y, r)
        active = np.arange(len(y))
        for _ in range(_MOST_STEPS):
            if not active.size:
                break
            now_y, now_r, now_shares = y[active], r[active], shares[active]
            shifted = now_shares @ self.points, self._normalised(now_shares @ self.conditional)
            newton = self._newton(now_y, now_r, now_shares, *shifted)
            value, their_shares = self._shares(*newton)
            worse = ~(value >= log_price[active])
            if worse.any():
                for target, source in zip(newton, shifted, strict=True):
                    target[worse] = source[worse]
                value[worse], their_shares[worse] = self._shares(*(one[worse] for one in newton))
            rise = value - log_price[active]
            y[active], r[active] = newton
            log_price[active], shares[active] = value, their_shares
            moved = np.abs(y[active] - now_y).max(axis=1) * math.sqrt(self.multiplier)
            if r.shape[1]:
                moved = np.maximum(moved, np.abs(r[active] - now_r).max(axis=1))
            active = active[(rise > 1e-14) | (moved > 1e-5)]
        y = shares @ self.points  # where no multiplier holds it, and to the last digit elsewhere
        return y, r, log_price, shares

    def _shares(self, y: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return log prices (m,) and the terms' shares (m, n); log price -inf where no term is left."""
        exponent = np.broadcast_to(self.log_weights, (len(y), self.rows.size)).copy()
        if self.multiplier > 0:
            exponent -= self.multiplier * (self.squared - 2 * y @ self.points.T + (y**2).sum(axis=1)[:, None])
        if r.shape[1]:
            zero = r == 0
            exponent += (self.own * np.log(np.where(zero, 1.0, r))) @ self.conditional.T
            if zero.any():
                exponent[zero.astype(float) @ self.conditional.T > 0] = -np.inf
        top = exponent.max(axis=1, keepdims=True)
        top[top == -np.inf] = 0.0
        shares = np.exp(exponent - top)
        total = shares.sum(axis=1, keepdims=True)
        some = total[:, 0] > 0
        shares[some] /= total[some]
        log_price = np.full(len(y), -np.inf)
        log_price[some] = np.log(total[some, 0]) + top[some, 0]
        return log_price, shares

    def _normalised(self, r: np.ndarray) -> np.ndarray:
        for a, b in zip(self.ends[:-1], self.ends[1:], strict=True):
            total = r[:, a:b].sum(axis=1, keepdims=True)
            r[:, a:b] /= np.where(total > 0, total, 1.0)
        return r

    def _second_moments(self, features: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return the means of all products of features, shape (m, q, q)."""
        size = features.shape[1]
        if size > _FEW_FEATURES:
            return np.stack([(features * weights[:, None]).T @ features for weights in shares])
        pairs = features[:, :, None] * features[:, None, :]
        return (shares @ pairs.reshape(-1, size * size)).reshape(-1, size, size)

    def _newton(
        self, y: np.ndarray, r: np.ndarray, shares: np.ndarray, mean_y: np.ndarray, mean_r: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where Newton's method leads; along directions that rise more than linearly, a long step uphill."""
        width = math.sqrt(2 * self.multiplier)
        root = np.where(r > _IDLE, np.sqrt(r), np.inf)
        scale = np.sqrt(self.own) / root  # zero for idle decisions
        gradient = np.hstack([width * (mean_y - y), scale * (mean_r - r)])
        features = np.hstack([width * self.points, self.conditional])
        factor = np.hstack([np.ones_like(y), scale])
        mean = np.hstack([width * mean_y, mean_r])
        covariance = self._second_moments(features, shares)
        covariance -= mean[:, :, None] * mean[:, None, :]
        covariance *= factor[:, :, None] * factor[:, None, :]
        values, vectors = np.linalg.eigh(covariance)
        curvature = 1 - values  # tiny along a ridge, where only Newton's full step gets anywhere
        curvature = np.where(curvature > 0, np.maximum(curvature, _FLATTEST), np.maximum(-curvature, _UPHILL))
        along = np.einsum("mji,mj->mi", vectors, gradient) / curvature
        step = np.einsum("mij,mj->mi", vectors, along)
        dim = y.shape[1]
        log_r = np.where(root < np.inf, step[:, dim:] / (np.sqrt(self.own) * root), 0.0)
        longest = np.maximum(np.abs(step[:, :dim]).max(axis=1, initial=0.0), np.abs(log_r).max(axis=1, initial=0.0))
        shrink = np.minimum(1.0, _LONGEST / np.maximum(longest, 1e-300))[:, None]
        new_y = y + shrink * step[:, :dim] / width if width > 0 else mean_y.copy()
        new_r = np.where(root < np.inf, r * (1 + shrink * log_r), mean_r)
        return new_y, self._normalised(new_r)


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
