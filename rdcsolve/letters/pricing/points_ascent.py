"""Ascent of the price of free letters: mean shifts, which cannot descend, and Newton's method.

In y and theta = log r the logarithm of the price is that of an exponential family's mixture, less lambda |y|^2 and
the families' logarithmic partition functions: its gradient is B (mean - parameter) and its Hessian C - B, where C is
the covariance under the terms' shares of the features (2 lambda x, lambda_k w_k) and B the families' own, which is
diagonal in the variables y and theta sqrt(r). The step B^-1 gradient is the mean shift: y moves to the shares' mean,
r to theirs of w; Jensen's inequality says that it cannot descend. (B - C)^-1 gradient is Newton's.
"""

from __future__ import annotations

import math

import numpy as np

from rdcsolve import deadline
from rdcsolve.letters.pricing.points_terms import FreeTerms

_MOST_STEPS = 200
_MOST_SHIFTS = 60  # mean shifts, where there are only these
_LONGEST = 0.2  # longest Newton step of a logarithm, and of y in units of the kernel's width
_IDLE = 1e-12  # decisions below this move by the mean shift alone
_ENTRIES = 1 << 22  # of an array of letters and symbols: what is held at a time
_MOST_FEATURES = 12  # up to which Newton's method is worth its matrices; beyond, mean shifts alone
_FLATTEST = 1e-9  # least curvature, beside the kernel's own, that a step takes at its word
_UPHILL = 0.05  # least curvature that a step takes along directions in which the price is convex


class Ascent:
    """The price over the symbols of one part, as a function of y and the decisions of the labels that are soft.

    Parameters
    ----------
    price : FreeTerms
    rows : numpy.ndarray
        Shape (n,): the symbols.
    soft : list of int
        The labels whose decisions matter.
    ends : numpy.ndarray
        Shape (len(soft) + 1,): where each label's classes begin, side by side.
    """

    def __init__(self, price: FreeTerms, rows: np.ndarray, soft: list[int], ends: np.ndarray) -> None:
        self.rows, self.soft, self.ends = rows, soft, ends
        self.multiplier = price.multiplier
        self.log_weights = price.log_weights[rows]
        self.centre = price.points[rows].mean(axis=0)
        self.points = price.points[rows] - self.centre  # products of coordinates lose less near zero
        self.squared = (self.points**2).sum(axis=1)
        self.own = np.repeat(price.multipliers[soft], np.diff(ends))  # (N,): each class's lambda_k
        self.size = self.points.shape[1] + int(ends[-1])  # features
        self.conditional = np.hstack([np.empty((rows.size, 0)), *(price.labels[k][rows] for k in soft)])

    def climb(self, places: np.ndarray, decisions: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return places (m, dim), decisions (m, N), log prices (m,) and shares (m, n) where the starts lead."""
        block = max(1, _ENTRIES // self.rows.size)
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
        for _ in range(_MOST_STEPS if self.size <= _MOST_FEATURES else _MOST_SHIFTS):
            if not active.size:
                break
            deadline.look()
            now_y, now_r, now_shares = y[active], r[active], shares[active]
            shifted = now_shares @ self.points, self._normalised(now_shares @ self.conditional)
            newton = self._newton(now_y, now_r, now_shares, *shifted) if self.size <= _MOST_FEATURES else shifted
            value, their_shares = self._shares(*newton)
            worse = ~(value >= log_price[active])
            if worse.any():
                for target, source in zip(newton, shifted, strict=True):
                    target[worse] = source[worse]
                value[worse], their_shares[worse] = self._shares(*(one[worse] for one in newton))
            up = value > log_price[active]  # nowhere, from where no term is left to where none is
            rise = np.subtract(value, log_price[active], out=np.zeros_like(value), where=up)
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
        pairs = features[:, :, None] * features[:, None, :]
        return np.asarray((shares @ pairs.reshape(-1, size * size)).reshape(-1, size, size))

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
